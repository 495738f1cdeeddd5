"""The roles of the support desk, and what each may do. docs/operations.md has the same table for people.

A role is a group. What is listed are permissions, as Django names them; a migration gives them to the groups.
"""

from __future__ import annotations

BOOKS = frozenset({
    "credits.view_account", "credits.view_transaction", "credits.view_grant", "credits.view_hold",
    "credits.view_feature", "credits.view_price", "credits.view_unit", "credits.view_unpricedusage",
    "subscriptions.view_plan", "subscriptions.view_planversion", "subscriptions.view_subscription",
    "billing.view_payment", "billing.view_pack", "billing.view_difference", "billing.view_autotopup",
})  # fmt: skip
MACHINERY = frozenset({
    "billing.view_providerevent", "credits.view_taskrun", "django_celery_beat.view_periodictask",
    "django_celery_beat.view_intervalschedule", "django_celery_beat.view_crontabschedule",
})  # fmt: skip
PEOPLE = frozenset({"auth.view_user", "auth.view_group", "credits.view_apikey"})

# What a customer's ticket asks for.
TICKETS = frozenset({
    "credits.adjust_account", "credits.grant_credits", "credits.refund_transaction", "credits.override_quota",
    "credits.reset_quota", "credits.transfer_credits", "credits.manage_hold", "credits.send_statement",
    "subscriptions.manage_subscription", "billing.resync_customer", "billing.switch_autotopup",
})  # fmt: skip
# What changes what an account may do from now on.
TERMS = frozenset({"credits.freeze_account", "credits.change_account", "credits.change_quota"})
# Many accounts at once.
BULK = frozenset({"credits.bulk_adjust", "credits.view_bulkadjustment"})
# What decides what everybody pays.
PRICES = frozenset({
    "credits.add_price", "credits.import_prices", "credits.add_feature", "credits.change_feature",
    "credits.rate_unpricedusage",
})  # fmt: skip

SUPPORT, SUPPORT_LEAD, FINANCE, ENGINEER, AUDITOR = "Support", "Support lead", "Finance", "Engineer", "Auditor"
# Nobody who moves credits makes keys or gives out roles; that stays with superusers.
ROLES: dict[str, frozenset[str]] = {
    SUPPORT: BOOKS | TICKETS,
    SUPPORT_LEAD: BOOKS
    | TICKETS
    | TERMS
    | BULK
    | {"billing.refund_payment", "billing.view_providerevent", "billing.replay_providerevent"},
    FINANCE: BOOKS
    | PRICES
    | BULK
    | {"credits.send_statement", "billing.resync_customer", "billing.repair_difference", "billing.refund_payment"}
    | {"credits.adjust_account", "credits.refund_transaction", "credits.freeze_account", "billing.view_providerevent"},
    ENGINEER: BOOKS | MACHINERY | {"credits.view_apikey"},
    AUDITOR: BOOKS | MACHINERY | PEOPLE | {"credits.view_bulkadjustment"},
}
