"""The front page, by role: whoever sees a number may open its list, and the list has just that many."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.contrib.auth.models import Group, Permission
from django.utils import timezone

from billing.models import (
    AutoTopUp,
    DeadLetter,
    Difference,
    Invoice,
    Payment,
    ProviderEvent,
    StraySubscription,
    WebhookEndpoint,
)
from billing.services.catalogue import Terms, add_pack
from config.roles import ROLES
from credits.admin.desk import Tile
from credits.models import Account, ApprovalRequest, GrantCategory, TaskRun
from credits.services import overview
from credits.services.movements import adjust_balance
from subscriptions.services import subscriptions
from tests.admin.conftest import Desk, text
from tests.factories import give, make_account, memo, spend, unpriced
from tests.subscriptions.factories import WHO, make_plans

WORK = {
    "Approvals", "Failed webhooks", "Webhooks tried again", "Parked webhooks", "Payments that brought nothing",
    "Subscriptions to be ended at Stripe", "Differences from Stripe", "Use without a price",
    "Auto top-ups switched off",
}  # fmt: skip
CLOCK = {"Audit of the books", "Clock ran last", "Failed runs in a day"}
# Beside what everybody sees: the work of others, and the clock.
SEES = {
    "Support": {"Webhook endpoints disabled"},
    "Support lead": {"Webhook endpoints disabled", "Dead letters"} | CLOCK,
    "Finance": {"Dead letters"} | CLOCK,
    "Engineer": {"Webhook endpoints disabled", "Dead letters"} | CLOCK,
    "Auditor": {"Webhook endpoints disabled", "Dead letters"} | CLOCK,
}
BOARDS = {"Work waiting", "Clock and books"}


@pytest.fixture
def full(alice: Account) -> Account:
    """A business in which everything that the front page counts has happened, and beside it what it must not count."""
    now = timezone.now()
    _of_the_ledger(alice)
    _of_staff_and_clock(alice)
    _of_plans()
    for number, (state, error) in enumerate(
        [("failed", "It broke"), ("failed", "It broke"), ("parked", ""), ("received", "Later"), ("received", ""),
         ("done", ""), ("ignored", "")]
    ):  # fmt: skip
        waits = state in {"parked", "received"}
        ProviderEvent.objects.create(
            event_id=f"evt_{number}", type="charge.refunded", livemode=False, created_at=now, state=state, error=error,
            payload={"client_secret": "pi_1_secret_2", "card": {"last4": "4242"}}, received_at=now, tried_since=now,
            next_try_at=now if waits else None,
        )  # fmt: skip
    _of_money(alice)
    overview.sum_up()
    return alice


def _of_the_ledger(alice: Account) -> None:
    dollars = make_account(external_id="usd", unit="USD", balance=Decimal("12.50"))
    east = make_account(external_id="east", balance=500, time_zone="Pacific/Kiritimati")
    give(alice, 100, paid_currency="EUR", paid_minor=1000)
    give(alice, 10, paid_currency="JPY", paid_minor=500)
    give(alice, 40, GrantCategory.PLAN)
    give(dollars, 5, GrantCategory.PROMOTIONAL)
    for account in (alice, dollars, east):
        spend(account, 3)
    empty = make_account(external_id="owes")
    adjust_balance(account=empty.pk, delta=Decimal(-9), memo=memo(reason="fraud"), allow_debt=True)
    unpriced(alice, charged=1)


def _of_staff_and_clock(alice: Account) -> None:
    now, day = timezone.now(), timedelta(days=1)
    for key, status, lapses in (("a", "waiting", day), ("b", "waiting", -day), ("c", "approved", day)):
        decided = {"decided_by_id": "1", "decided_by_name": "lena", "decided_at": now} if status == "approved" else {}
        ApprovalRequest.objects.create(
            action="adjust", account=alice, unit="credits", amount=900, why="Above the cap", key=key, asked_by_id="0",
            asked_by_name="somebody", asked_at=now - 2 * day, lapses_at=now + lapses, status=status, **decided,
        )  # fmt: skip
    for job, ago, error in (("audit_books", day / 2, ""), ("expire_lots", day / 3, "It broke"), ("x", 3 * day, "It")):
        TaskRun.objects.create(job=job, kind="worker", started_at=now - ago, finished_at=now, error=error)


def _of_plans() -> None:
    make_plans()
    for name, plan, over in (("p1", "PRO", False), ("p2", "PRO", True), ("p3", "PREMIUM", False)):
        row = subscriptions.subscribe(account=make_account(external_id=name).pk, plan=plan, cause=WHO)
        if over:
            subscriptions.cancel(subscription=row.pk, cause=WHO, at_period_end=False)


def _of_money(alice: Account) -> None:
    now, day = timezone.now(), timedelta(days=1)
    add_pack(code="small", terms=Terms("Small", Decimal(100), 1000))
    told: dict[str, Any] = {"account": alice, "currency": "USD", "livemode": False, "updated_at": now}
    for number, (until, why) in enumerate([(9 * day, ""), (-day, ""), (19 * day, ""), (9 * day, "Closed")]):
        invoice = Invoice.objects.create(
            provider_id=f"in_{number}", subscription_reference="sub_1", status="paid", amount_minor=2000,
            occurred_at=now, covers_from=now - day, covers_until=now + until, **told,
        )  # fmt: skip
        Payment.objects.create(
            provider_id=f"pi_{number}", status="succeeded", amount_minor=2000, occurred_at=now, invoice=invoice,
            uncredited=why, **told,
        )  # fmt: skip
    for number, (state, ended) in enumerate([("open", None), ("ended", now)]):
        StraySubscription.objects.create(
            provider_id=f"sub_{number}", account=alice, livemode=False, reason="x", state=state, found_at=now,
            ended_at=ended,
        )  # fmt: skip
    for field, resolved in (("amount", None), ("status", now)):
        Difference.objects.create(kind="payment", subject="ch_1", about="pi_1", field=field, ours="1", theirs="2",
                                  first_seen_at=now, last_seen_at=now, resolved_at=resolved)  # fmt: skip
    for account, enabled, stopped in (
        (alice, False, True),
        (make_account(), False, False),
        (make_account(), True, False),
    ):
        AutoTopUp.objects.create(
            account=account, pack_id="small", threshold=5, most_per_hour=1, most_per_day=1, enabled=enabled,
            stopped=stopped, off_at=None if enabled else now, created_at=now, updated_at=now,
        )  # fmt: skip
    for state in ("open", "dismissed"):
        DeadLetter.objects.create(subject="evt.x", message_id=state, body="{}", code="failed", error="x", state=state,
                                  came_at=now, closed_at=None if state == "open" else now)  # fmt: skip
    for status in ("active", "disabled"):
        WebhookEndpoint.objects.create(
            id=alice.pk if status == "active" else make_account().pk, url="https://a.example/", status=status,
            disabled_at=None if status == "active" else now, next_try_at=now, created_at=now, updated_at=now,
        )  # fmt: skip


def somebody(role: str) -> Desk:
    desk = Desk("somebody")
    desk.user.groups.set(Group.objects.filter(name=role))
    return desk


def tiles(desk: Desk) -> list[tuple[str, Tile]]:
    return [(board["title"], tile) for board in desk.get("").context["boards"] for tile in board["tiles"]]


def opened(desk: Desk, link: str) -> Any:
    at = urlsplit(link)
    return desk.client.get(at.path, dict(parse_qsl(at.query)))


def links(tile: Tile) -> list[str]:
    inside = re.findall(r'href="([^"]+)"', str(tile.note))
    return [tile.link, *(each.replace("&amp;", "&") for each in inside)]


@pytest.mark.parametrize("role", sorted(ROLES))
class TestARole:
    def test_sees_the_work_that_is_its(self, full: Account, role: str) -> None:
        seen = {tile.label for board, tile in tiles(somebody(role)) if board in BOARDS}

        assert seen == WORK | SEES[role]

    def test_may_open_whatever_a_number_leads_to(self, full: Account, role: str) -> None:
        desk = somebody(role)

        for _, tile in tiles(desk):
            for link in links(tile):
                assert opened(desk, link).status_code == 200, (tile.label, link)

    def test_reads_webhooks_with_secrets_masked(self, full: Account, role: str) -> None:
        desk = somebody(role)
        row = ProviderEvent.objects.filter(state="failed")[0]

        page = text(desk.get(f"billing/providerevent/{row.pk}/change/"))

        assert "secret_2" not in page
        assert "4242" in page
        assert (f"{row.pk}/replay/" in page) == (role == "Support lead")


@pytest.mark.parametrize("permission", sorted({may for role in ROLES.values() for may in role if ".view_" in may}))
def test_who_may_see_one_thing_alone_is_led_nowhere_else(full: Account, permission: str) -> None:
    desk = Desk("somebody")
    app, codename = permission.split(".")
    desk.user.user_permissions.set(Permission.objects.filter(content_type__app_label=app, codename=codename))

    for _, tile in tiles(desk):
        for link in links(tile):
            assert opened(desk, link).status_code == 200, (tile.label, link)


def figure(said: object) -> Decimal:
    """Return the figure that a tile begins with."""
    found = re.match(r"[\d,.]+", re.sub(r"<[^>]+>", "", str(said)))
    assert found, said
    return Decimal(found[0].replace(",", ""))


SUMS: dict[str, Callable[[Iterable[Any]], Decimal]] = {
    "grant": lambda rows: sum((row.remaining for row in rows), Decimal(0)),
    "account": lambda rows: sum((row.debt for row in rows), Decimal(0)),
    "transaction": lambda rows: abs(sum((row.amount for row in rows), Decimal(0))),
}


def test_each_number_is_that_of_its_list(full: Account, dave: Desk) -> None:
    told = [(board, tile) for board, tile in tiles(dave) if board != "Clock and books"]
    assert len(told) > 25

    for board, tile in told:
        rows = opened(dave, tile.link).context["cl"].queryset
        noun, shown = rows.model._meta.model_name, figure(tile.text)
        if tile.label == "Bought and unspent":
            places = 0 if "JPY" in str(tile.text) else 2
            worth = sum(row.paid_minor * row.remaining / row.amount for row in rows)
            assert shown.scaleb(places) == round(worth), tile
        elif tile.label == "Subscriptions paid ahead":
            assert shown.scaleb(2) == pytest.approx(sum(row.ahead_minor for row in rows), abs=2)
            assert rows.count() == 2
        elif board in {"Outstanding credits", "Moved"}:
            assert shown == SUMS[noun](rows), tile.label
        else:
            assert (tile.label, shown) == (tile.label, rows.count())
        if board == "Moved":
            month = opened(dave, links(tile)[1]).context["cl"].queryset
            assert figure(tile.note) == SUMS[noun](month), tile.label
        if found := re.search(r"([\d,]+) (?:open lot|account|payment)s?", str(tile.note)):
            assert int(found[1].replace(",", "")) == rows.count(), tile.label


def test_the_work_that_waits_is_counted(full: Account, dave: Desk) -> None:
    counts = {tile.label: tile.text for board, tile in tiles(dave) if board == "Work waiting"}

    assert counts.pop("Failed webhooks") == "2"
    assert set(counts.values()) == {"1"}
    assert set(counts) | {"Failed webhooks"} == WORK | {"Dead letters", "Webhook endpoints disabled"}


def test_the_audit_and_what_failed_lead_to_their_runs(full: Account, dave: Desk) -> None:
    found = {tile.label: tile for board, tile in tiles(dave) if board == "Clock and books"}

    audit = TaskRun.objects.get(job="audit_books")
    assert found["Audit of the books"].link == f"/admin/credits/taskrun/{audit.pk}/change/"
    failed = opened(dave, found["Failed runs in a day"].link).context["cl"].queryset
    assert (found["Failed runs in a day"].text, [row.job for row in failed]) == ("1", ["expire_lots"])
