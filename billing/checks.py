"""Each invariant of payments as one query that returns its offenders. The audit of the books asks them too."""

from __future__ import annotations

from credits import checks
from credits.checks import Check

PAID = Check(
    "payments",
    "a payment for a pack that came in has brought its credits, on its account and by its reference, or says why not",
    """
    SELECT format('payment %s came in and brought nothing', p.provider_id)
    FROM billing_payment p JOIN billing_checkout c ON c.id = p.checkout_id
    WHERE c.kind = 'pack' AND p.status = 'succeeded' AND p.movement_id IS NULL AND p.uncredited = ''
    UNION ALL
    SELECT format('payment %s brought something and says why not: %s', provider_id, uncredited)
    FROM billing_payment WHERE movement_id IS NOT NULL AND uncredited <> ''
    UNION ALL
    SELECT format('payment %s brought %s to %s, its checkout says %s to %s', p.provider_id, t.amount, t.account_id,
                  c.credits, c.account_id)
    FROM billing_payment p JOIN billing_checkout c ON c.id = p.checkout_id
    JOIN credits_transaction t ON t.id = p.movement_id
    WHERE (t.amount, t.account_id, t.reference_id) IS DISTINCT FROM (c.credits, c.account_id, p.provider_id)
    """,
)
TAKEN_BACK = Check(
    "payments taken back",
    "of what a payment brought so much is to be gone as refunds and lost disputes say, and no more than that is",
    """
    SELECT format('payment %s: %s of its credits are to be gone, %s are', p.provider_id, c.claimed, t.clawed)
    FROM billing_paymentcredit c
    JOIN billing_payment p ON p.id = c.payment_id
    JOIN credits_account a ON a.id = p.account_id
    CROSS JOIN LATERAL (SELECT coalesce(sum(t.debt - t.amount), 0) AS clawed FROM credits_transaction t
                        WHERE t.parent_id = c.movement_id AND t.kind = 'clawback') t
    WHERE a.status <> 'closed' AND t.clawed > c.claimed
    UNION ALL
    SELECT format('payment %s: %s of %s is gone, but %s of its %s credits are to be', p.provider_id, m.gone, m.paid,
                  c.claimed, t.amount)
    FROM billing_paymentcredit c
    JOIN billing_payment p ON p.id = c.payment_id
    JOIN credits_transaction t ON t.id = c.movement_id
    JOIN credits_account a ON a.id = p.account_id
    JOIN credits_unit u ON u.code = a.unit_id
    CROSS JOIN LATERAL (SELECT sum(o.refunded_minor + o.disputed_minor) AS gone, sum(o.amount_minor) AS paid
                        FROM billing_payment o WHERE o.id = p.id
                           OR (o.invoice_id = p.invoice_id AND o.charge_reference <> '')) m
    WHERE c.claimed <> CASE WHEN m.gone >= m.paid AND m.gone > 0 THEN t.amount
                            ELSE trunc(t.amount * m.gone / nullif(m.paid, 0), u.decimal_places::int) END
    UNION ALL
    SELECT format('payment %s: %s is to be gone, of its credits %s', p.provider_id, p.claimed, sum(c.claimed))
    FROM billing_payment p
    JOIN billing_paymentcredit c ON c.payment_id = p.id
    WHERE p.invoice_id IS NULL
    GROUP BY p.id HAVING p.claimed <> sum(c.claimed)
    """,
)
FROZEN = Check(
    "payments frozen",
    "a lot is frozen only while a dispute of its payment is undecided",
    """
    SELECT format('lot %s is frozen, but no dispute of its payment is undecided', h.freezes_id)
    FROM credits_hold h JOIN credits_grant g ON g.id = h.freezes_id
    JOIN credits_transaction t ON t.account_id = g.account_id AND t.sequence = g.opening_sequence
    JOIN billing_paymentcredit c ON c.movement_id = t.id
    JOIN billing_payment p ON p.id = c.payment_id
    WHERE h.status = 'open' AND NOT p.under_dispute
    """,
)
CHECKS = [PAID, TAKEN_BACK, FROZEN]


def join_audit() -> None:
    """Let the audit of the books ask these too."""
    checks.CHECKS.extend(check for check in CHECKS if check not in checks.CHECKS)
