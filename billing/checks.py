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
    "of what a payment brought no more is clawed back than refunds and lost disputes say, and all that did not expire",
    """
    SELECT format('payment %s: %s of its credits are to be gone, %s are', p.provider_id, p.claimed, t.clawed)
    FROM billing_payment p
    JOIN credits_account a ON a.id = p.account_id
    CROSS JOIN LATERAL (SELECT coalesce(sum(t.debt - t.amount), 0) AS clawed FROM credits_transaction t
                        WHERE t.parent_id = p.movement_id AND t.kind = 'clawback') t
    WHERE a.status <> 'closed' AND t.clawed > p.claimed
    """,
)
FROZEN = Check(
    "payments frozen",
    "a lot is frozen only while a dispute of its payment is undecided",
    """
    SELECT format('lot %s is frozen, but no dispute of its payment is undecided', h.freezes_id)
    FROM credits_hold h JOIN credits_grant g ON g.id = h.freezes_id
    JOIN credits_transaction t ON t.account_id = g.account_id AND t.sequence = g.opening_sequence
    JOIN billing_payment p ON p.movement_id = t.id
    WHERE h.status = 'open' AND NOT p.under_dispute
    """,
)
CHECKS = [PAID, TAKEN_BACK, FROZEN]


def join_audit() -> None:
    """Let the audit of the books ask these too."""
    checks.CHECKS.extend(check for check in CHECKS if check not in checks.CHECKS)
