"""The roles of the support desk, and what each may do. docs/operations.md has the same table for people.

A role is a group. What is listed are permissions, as Django names them; a migration gives them to the groups.
"""

from __future__ import annotations

BOOKS = frozenset({
    "credits.view_account", "credits.view_transaction", "credits.view_grant", "credits.view_hold",
    "credits.view_feature", "credits.view_price", "credits.view_unit", "credits.view_unpricedusage",
    "credits.view_event",
    "subscriptions.view_plan", "subscriptions.view_planversion", "subscriptions.view_subscription",
    "billing.view_payment", "billing.view_invoice", "billing.view_pack", "billing.view_difference",
    "billing.view_autotopup", "billing.view_notice", "billing.view_noticeaddress", "billing.view_planprice",
    "billing.view_straysubscription", "billing.view_refundorder", "billing.view_refund", "billing.view_dispute",
    "billing.view_providerevent",
})  # fmt: skip
MACHINERY = frozenset({
    "billing.view_deadletter",
    "django_celery_beat.view_periodictask", "django_celery_beat.view_intervalschedule",
    "django_celery_beat.view_crontabschedule",
})  # fmt: skip
# What the clock did: whether the books were audited, and how that went. For whoever answers for them.
CLOCK = frozenset({"credits.view_taskrun"})
# Where events are sent, and what became of them.
NEWS = frozenset({"billing.view_webhookendpoint", "billing.view_webhookdelivery"})
# Where customers' movements are told to, and whether again: for the lead, who answers to them for it.
SEND = frozenset({"billing.manage_webhookendpoint", "billing.replay_webhookdelivery"})
PEOPLE = frozenset({"auth.view_user", "auth.view_group", "credits.view_apikey"})

# What staff did, and what waits for a second person.
DESK = frozenset({"credits.view_approvalrequest", "credits.view_staffcap"})
DECIDE = frozenset({"credits.decide_approvalrequest", "credits.view_staffact"})

# What a customer's ticket asks for.
TICKETS = frozenset({
    "credits.adjust_account", "credits.grant_credits", "credits.refund_transaction", "credits.override_quota",
    "credits.reset_quota", "credits.transfer_credits", "credits.manage_hold", "credits.send_statement",
    "subscriptions.manage_subscription", "billing.resync_customer", "billing.switch_autotopup",
})  # fmt: skip
# What changes what an account may do from now on.
TERMS = frozenset({
    "credits.freeze_account", "credits.close_account", "credits.change_account", "credits.change_quota",
})  # fmt: skip
# Many accounts at once.
BULK = frozenset({"credits.bulk_adjust", "credits.view_bulkadjustment"})
# What decides what everybody pays.
PRICES = frozenset({
    "credits.add_price", "credits.import_prices", "credits.add_feature", "credits.change_feature",
    "credits.rate_unpricedusage", "billing.add_pack", "billing.change_pack", "billing.add_planprice",
})  # fmt: skip

SUPPORT, SUPPORT_LEAD, FINANCE, ENGINEER, AUDITOR = "Support", "Support lead", "Finance", "Engineer", "Auditor"
# Nobody who moves credits makes keys or gives out roles; that stays with superusers.
ROLES: dict[str, frozenset[str]] = {
    SUPPORT: BOOKS | NEWS | DESK | TICKETS,
    SUPPORT_LEAD: BOOKS
    | NEWS
    | SEND
    | DESK
    | DECIDE
    | TICKETS
    | TERMS
    | BULK
    | CLOCK
    | {"billing.refund_payment", "billing.replay_providerevent"}
    | {"billing.view_deadletter", "billing.replay_deadletter", "credits.run_job"},
    FINANCE: BOOKS
    | DESK
    | DECIDE
    | PRICES
    | BULK
    | CLOCK
    | {"credits.send_statement", "billing.resync_customer", "billing.repair_difference", "billing.refund_payment"}
    | {"credits.adjust_account", "credits.refund_transaction", "credits.freeze_account", "credits.close_account"}
    | {"billing.view_deadletter"},
    ENGINEER: BOOKS | NEWS | DESK | CLOCK | MACHINERY | {"credits.view_apikey", "credits.view_staffact"},
    AUDITOR: BOOKS
    | NEWS
    | DESK
    | CLOCK
    | MACHINERY
    | PEOPLE
    | {"credits.view_bulkadjustment", "credits.view_staffact"},
}
# How much a role may do without a second person, until somebody edits the rows: at once and in a day, and how much it
# may approve for somebody else (None is any amount), by unit.
CAPS: dict[str, dict[str, tuple[int, int, int | None]]] = {
    SUPPORT: {"credits": (500, 2_000, 0), "USD": (50, 200, 0)},
    SUPPORT_LEAD: {"credits": (5_000, 20_000, 50_000), "USD": (500, 2_000, 5_000)},
    FINANCE: {"credits": (50_000, 200_000, None), "USD": (5_000, 20_000, None)},
}
# A plan counts with the credits that it brings at once where nobody collects its price, an end with what is given up,
# an edit with how much higher the overdraft limit becomes.
CAPPED = ("adjust", "grant", "refund", "transfer", "bulk", "change-plan", "close", "edit")
# What gives money back is capped in the currency that was paid in.
CAPPED_IN_MONEY = ("refund-payment",)
