"""Each invariant of subscriptions as one query that returns its offenders. The audit of the books asks them too."""

from __future__ import annotations

from credits import checks
from credits.checks import Check

ACCESS = Check(
    "subscription access",
    "a subscriber's account is on the allowance that its subscription says, until the moment that it says",
    """
    SELECT format('account %s is on %s until %s, its subscription says %s until %s', a.external_id,
                  coalesce(a.allowance_id, 'the default'), a.allowance_ends_at,
                  coalesce(s.code, 'the default'), s.ends_at)
    FROM (SELECT DISTINCT account_id FROM subscriptions_subscription) o
    JOIN credits_account a ON a.id = o.account_id
    LEFT JOIN (
        SELECT s.account_id,
               CASE WHEN s.status <> 'paused' THEN v.allowance_id END AS code,
               CASE s.status WHEN 'paused' THEN NULL
                    WHEN 'past_due' THEN least(s.grace_ends_at,
                                               CASE WHEN s.cancel_at_period_end THEN s.current_period_end END)
                    ELSE CASE WHEN s.cancel_at_period_end OR n.id IS NOT NULL THEN s.current_period_end END
               END AS ends_at,
               CASE WHEN s.status IN ('trialing', 'active') THEN n.allowance_id END AS following
        FROM subscriptions_subscription s
        JOIN subscriptions_planversion v ON v.id = s.plan_version_id
        LEFT JOIN subscriptions_planversion n ON n.id = s.next_version_id
        WHERE s.status <> 'canceled'
    ) s ON s.account_id = a.id
    WHERE (a.allowance_id, a.allowance_ends_at, a.next_allowance_id)
          IS DISTINCT FROM (s.code, s.ends_at, s.following)
    """,
)
ORDERS = Check(
    "subscription orders",
    "credits still to come are those of a live subscription, by the terms of its version",
    """
    SELECT format('allotment %s of %s still runs: subscription %s has %s and %s', o.id, o.source, s.id,
                  s.allotment_id, s.next_allotment_id)
    FROM credits_allotment o
    LEFT JOIN subscriptions_subscription s ON o.source = 'subscription:' || s.id
    WHERE o.source ~ '^subscription:[0-9a-f-]{36}$' AND o.next_at IS NOT NULL
      AND (s.id IS NULL OR s.status IN ('canceled', 'paused')
           OR o.id NOT IN (coalesce(s.allotment_id, 0), coalesce(s.next_allotment_id, 0)))
    UNION ALL
    SELECT format('subscription %s is on %s, its allotment brings %s', s.id, v.allowance_id, coalesce(o.amount, 0))
    FROM subscriptions_subscription s
    JOIN subscriptions_planversion v ON v.id = s.plan_version_id
    LEFT JOIN credits_allotment o ON o.id = s.allotment_id
    WHERE coalesce(o.amount, 0) <> v.monthly_credits OR o.rollover_cap IS DISTINCT FROM
          CASE WHEN o.id IS NOT NULL THEN v.rollover_cap END
       OR (o.id IS NOT NULL AND (o.account_id <> s.account_id OR o.anchor <> s.anchor))
    """,
)
GRANTS = Check(
    "subscription grants",
    "what a change granted is what its history says, and no month was granted less than it is entitled to",
    """
    SELECT format('change %s granted %s, the ledger has %s', c.id, c.metadata ->> 'credits', t.amount)
    FROM (SELECT id, (metadata ->> 'credits')::numeric AS credits, metadata FROM subscriptions_subscriptionchange
          WHERE (metadata ->> 'credits')::numeric > 0) c
    FULL JOIN (SELECT split_part(reference_id, ':change-', 2)::bigint AS change, amount FROM credits_transaction
               WHERE reference_type = 'allotment' AND kind = 'plan' AND reference_id LIKE '%:change-%') t
      ON t.change = c.id
    WHERE c.credits IS DISTINCT FROM t.amount
    UNION ALL
    SELECT format('subscription %s: %s granted of %s for the month from %s', subscription_id, granted, accrued,
                  starts_at)
    FROM subscriptions_creditmonth WHERE granted < accrued - 0.000000001
    """,
)
HISTORY = Check(
    "subscription history",
    "a subscription is as the last step of its history left it, and each step follows the one before",
    """
    SELECT format('subscription %s is %s on %s, its history says %s on %s', s.id, s.status, s.plan_version_id,
                  c.to_status, c.to_version_id)
    FROM subscriptions_subscription s
    LEFT JOIN LATERAL (SELECT to_status, to_version_id FROM subscriptions_subscriptionchange c
                       WHERE c.subscription_id = s.id ORDER BY c.id DESC LIMIT 1) c ON true
    WHERE (c.to_status, c.to_version_id) IS DISTINCT FROM (s.status, s.plan_version_id)
    UNION ALL
    SELECT format('subscription %s: step %s begins at %s, the one before left %s', subscription_id, id, from_status,
                  before)
    FROM (SELECT id, subscription_id, from_status, from_version_id,
                 lag(to_status, 1, '') OVER w AS before, lag(to_version_id) OVER w AS version
          FROM subscriptions_subscriptionchange WINDOW w AS (PARTITION BY subscription_id ORDER BY id)) steps
    WHERE from_status <> before OR from_version_id IS DISTINCT FROM version
    """,
)
CHECKS = [ACCESS, ORDERS, GRANTS, HISTORY]


def join_audit() -> None:
    """Let the audit of the books ask these too."""
    checks.CHECKS.extend(check for check in CHECKS if check not in checks.CHECKS)
