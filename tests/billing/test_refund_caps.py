"""Refunds of payments have caps in money; above them somebody else decides, and Stripe hears of it once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.admin import refunding
from billing.models import Payment, RefundOrder
from billing.services import catalogue, refunds
from credits.models import Account, ApprovalRequest, ApprovalStatus, StaffAct, StaffCap
from credits.plan import Actor
from credits.services import approvals, caps
from tests.admin.conftest import Desk, confirmation, staff, text
from tests.admin.test_approvals import decide, page
from tests.billing.test_refunds import at_the_provider
from tests.billing.till import WHO, Till, standing
from tests.fakes.stripe import Fault
from tests.threads import at_once

AWAY = [Fault(), Fault(), Fault()]


@pytest.fixture
def capped(committed: None) -> Iterator[None]:
    """Leads may give back 4.00 USD at once and 6.00 in a day."""
    rows = StaffCap.objects.filter(role="Support lead", action="refund-payment", unit="USD")
    before = rows.values("per_action", "per_day").get()
    rows.update(per_action=4, per_day=6)
    yield
    rows.update(**before)


@pytest.fixture
def lea(capped: None) -> Desk:
    return staff("lea", "Support lead")


@pytest.fixture
def fin(committed: None) -> Desk:
    return staff("fin", "Finance")


def fill(desk: Desk, payment: Payment, amount: str = "5.00", given: str | None = None) -> Any:
    asked = {"amount": amount, "reason": "Bought twice", "ticket": "SUP-7", "confirmation": given}
    return desk.post(f"billing/payment/{payment.pk}/refund/", **asked)


def press(desk: Desk, payment: Payment, amount: str = "5.00") -> Any:
    """Fill in the form and confirm the preview."""
    return fill(desk, payment, amount, confirmation(fill(desk, payment, amount)))


def ask(desk: Desk, payment: Payment, amount: str = "5.00") -> ApprovalRequest:
    press(desk, payment, amount)
    return ApprovalRequest.objects.latest("pk")


def told(desk: Desk, row: ApprovalRequest) -> str:
    """Return the request's page, with what the last button said."""
    return text(desk.get(page(row)))


def finish_later() -> int:
    return refunds.finish_refunds(now=timezone.now() + refunds.PATIENCE + timedelta(seconds=1))


class TestTheCap:
    def test_lets_pass_what_is_within_it(self, lea: Desk, till: Till, paid: Payment) -> None:
        press(lea, paid, "4.00")

        assert at_the_provider(till) == [400]
        assert not ApprovalRequest.objects.exists()
        act = StaffAct.objects.get(action="refund-payment")
        assert (act.actor_name, act.note, act.ticket, act.unit, act.amount) == (
            "lea",
            "Bought twice",
            "SUP-7",
            "USD",
            4,
        )
        assert RefundOrder.objects.get().reason == "Bought twice (SUP-7)"

    def test_lets_it_be_done_once_by_one_press_sent_twice(self, lea: Desk, till: Till, paid: Payment) -> None:
        given = confirmation(fill(lea, paid, "2.00"))
        at_once([partial(fill, lea, paid, "2.00", given)] * 3)

        assert at_the_provider(till) == [200]
        assert StaffAct.objects.filter(action="refund-payment").count() == 1

    def test_is_told_before_it_is_asked(self, lea: Desk, till: Till, paid: Payment) -> None:
        shown = text(fill(lea, paid, "4.01"))

        assert "More than 4 USD at once takes a second person." in shown
        assert "Ask for approval" in shown

    def test_gives_it_back_once_that_was_asked_for_and_is_allowed_by_now(
        self, lea: Desk, fin: Desk, till: Till, paid: Payment
    ) -> None:
        given = confirmation(fill(lea, paid, "4.50"))
        fill(lea, paid, "4.50", given)
        StaffCap.objects.filter(role="Support lead", action="refund-payment").update(per_action=50, per_day=60)

        fill(lea, paid, "4.50", given)
        assert at_the_provider(till) == []
        decide(fin, ApprovalRequest.objects.get())
        fill(lea, paid, "4.50", given)

        assert at_the_provider(till) == [450]

    def test_makes_a_request_of_what_is_above_it(self, lea: Desk, till: Till, paid: Payment, bob: Account) -> None:
        row = ask(lea, paid, "4.01")

        assert (row.action, row.unit, row.amount) == ("refund-payment", "USD", Decimal("4.01"))
        assert (row.status, row.account_id, row.asked_by_name) == ("waiting", bob.pk, "lea")
        assert (row.note, row.ticket) == ("Bought twice", "SUP-7")
        assert row.preview == [
            ["Given back", "0.00 USD", "4.01 USD"],
            ["Credits taken back", "0 credits", "40 credits"],
        ]
        assert (at_the_provider(till), RefundOrder.objects.count(), standing(bob)[0]) == ([], 0, 100)

    def test_weighs_all_that_is_left_where_no_amount_is_named(self, lea: Desk, till: Till, paid: Payment) -> None:
        press(lea, paid, "4.00")
        assert ask(lea, paid, "").amount == 6

        assert at_the_provider(till) == [400]

    def test_asks_once_however_often_it_is_pressed(self, lea: Desk, till: Till, paid: Payment) -> None:
        given = confirmation(fill(lea, paid))
        for _ in range(2):
            fill(lea, paid, given=given)

        assert ApprovalRequest.objects.count() == 1

    def test_of_the_day_counts_what_was_done_before(self, lea: Desk, till: Till, paid: Payment) -> None:
        for amount in ("3.00", "3.00", "0.01"):
            press(lea, paid, amount)

        assert at_the_provider(till) == [300, 300]
        assert "6 are used today" in ApprovalRequest.objects.get().why

    def test_of_the_day_counts_what_stripe_has_not_done_yet(self, lea: Desk, till: Till, paid: Payment) -> None:
        till.fake.api.faults.extend(AWAY)
        answer = press(lea, paid, "4.00")
        assert "Stripe has not done it yet" in text(lea.client.get(answer["Location"]))
        press(lea, paid, "3.00")

        assert ApprovalRequest.objects.get().amount == 3
        assert finish_later() == 1
        assert at_the_provider(till) == [400]

    def test_of_the_day_is_not_spent_twice_by_two_at_once(
        self, lea: Desk, till: Till, paid: Payment, alice: Account
    ) -> None:
        till.buy(alice)
        till.deliver()
        given = {each: confirmation(fill(lea, each, "4.00")) for each in Payment.objects.all()}
        at_once([partial(fill, lea, each, "4.00", given[each]) for each in given])

        assert at_the_provider(till) == [400]
        assert ApprovalRequest.objects.count() == 1

    def test_of_another_currency_is_nothing(self, lea: Desk, fin: Desk, till: Till, bob: Account) -> None:
        catalogue.add_pack(code="yen", terms=catalogue.Terms("In yen", Decimal(100), 1500, currency="JPY"))
        catalogue.publish_catalogue()
        till.buy(bob, "yen")
        till.deliver()
        row = ask(lea, Payment.objects.get(), "300")

        assert (row.unit, row.amount, row.why) == ("JPY", 300, "More than 0 JPY at once takes a second person.")
        assert "Refund a payment: 300 JPY" in told(fin, row)
        decide(fin, row)
        assert (at_the_provider(till), standing(bob)[0]) == ([], 100)
        decide(Desk("dave", superuser=True), row)
        assert (at_the_provider(till), standing(bob)[0]) == ([300], 80)

    def test_is_in_money_from_the_start(self, committed: None) -> None:
        rows = StaffCap.objects.filter(action="refund-payment").values_list("role", "unit", "per_action", "per_day")

        assert set(rows) == {
            ("Support", "USD", 50, 200), ("Support lead", "USD", 500, 2_000), ("Finance", "USD", 5_000, 20_000),
        }  # fmt: skip

    def test_is_set_in_a_currency_alone(self, committed: None) -> None:
        dave = Desk("dave", superuser=True)
        row = StaffCap.objects.get(role="Finance", action="refund-payment")
        path = f"credits/staffcap/{row.pk}/change/"
        fields = {"role": "Finance", "action": "refund-payment", "per_action": "5000", "per_day": "20000"}

        assert "choose the unit called as that is" in text(dave.post(path, unit="credits", **fields))
        assert dave.post(path, unit="USD", **fields).status_code == 302
        assert "Refund a payment" in text(dave.get("credits/staffcap/"))


class TestApproval:
    def test_does_it_once_for_whoever_asked(
        self, lea: Desk, fin: Desk, till: Till, paid: Payment, bob: Account
    ) -> None:
        row = ask(lea, paid)
        shown = fin.get(page(row))
        for _ in range(2):
            decide(fin, row, shown=shown)
        till.deliver()

        row.refresh_from_db()
        assert (at_the_provider(till), standing(bob)[0]) == ([500], 50)
        assert (row.status, row.decided_by_name) == ("approved", "fin")
        order = RefundOrder.objects.get()
        assert (order.status, order.actor_name, order.request_key) == ("done", "lea", f"approval:{row.pk}")
        act = StaffAct.objects.get(action="refund-payment")
        assert (act.actor_name, act.approved_by, act.ticket, act.amount) == ("lea", "fin", "SUP-7", 5)
        assert caps.spent_today(user=lea.user, weight=caps.Weight("refund-payment", "USD", Decimal(1))) == 0

    def test_shows_what_and_of_which_payment(self, lea: Desk, fin: Desk, till: Till, paid: Payment) -> None:
        row = ask(lea, paid)

        for path in (page(row), "credits/approvalrequest/"):
            shown = text(fin.get(path))
            assert "5.00 USD" in shown
            assert f"/admin/billing/payment/{paid.pk}/change/" in shown
        assert "What would change now" in told(fin, row)

    def test_is_never_ones_own(self, lea: Desk, till: Till, paid: Payment) -> None:
        row = ask(lea, paid)

        decide(lea, row, "refuse")
        assert "somebody else has to decide" in told(lea, row)
        with pytest.raises(approvals.NotYours):
            approvals.approve(request=row.pk, decider=Actor("staff", str(lea.user.pk), "lea"), decision="", act=print)
        assert (at_the_provider(till), ApprovalRequest.objects.get().status) == ([], "waiting")

    def test_takes_the_right_to_refund_too(self, lea: Desk, till: Till, paid: Payment) -> None:
        row = ask(lea, paid)
        for other in (
            staff("sam", "Support"),
            Desk("deb", "decide_approvalrequest", "view_approvalrequest", "view_payment"),
        ):
            assert other.post(f"credits/approvalrequest/{row.pk}/approve/").status_code == 403

    def test_is_for_one_of_two_at_once(self, lea: Desk, fin: Desk, till: Till, paid: Payment, bob: Account) -> None:
        row, lou = ask(lea, paid), staff("lou", "Support lead")
        shown = {desk.user.username: desk.get(page(row)) for desk in (fin, lou)}

        at_once([partial(decide, desk, row, shown=shown[desk.user.username]) for desk in (fin, lou)])

        assert (at_the_provider(till), standing(bob)[0]) == ([500], 50)
        assert StaffAct.objects.filter(action="approve").count() == 1

    def test_has_one_order_in_the_database(self, lea: Desk, fin: Desk, till: Till, paid: Payment) -> None:
        decide(fin, ask(lea, paid))
        row = RefundOrder.objects.values().get()
        with pytest.raises(IntegrityError, match="refund_order_request"), transaction.atomic():
            RefundOrder.objects.create(**{**row, "id": "00000000-0000-7000-8000-000000000000"})

    def test_shows_the_figures_anew(self, lea: Desk, fin: Desk, till: Till, paid: Payment) -> None:
        row = ask(lea, paid)
        shown = fin.get(page(row))
        refunds.refund_payment(once=None, payment=paid.provider_id, amount_minor=100, reason="x", actor=WHO)

        decide(fin, row, shown=shown)

        assert at_the_provider(till) == [100]
        assert "6.00 USD" in told(fin, row)
        decide(fin, row)
        assert at_the_provider(till) == [100, 500]

    def test_of_what_is_under_dispute_by_now_says_why(self, lea: Desk, fin: Desk, till: Till, paid: Payment) -> None:
        row = ask(lea, paid)
        shown = fin.get(page(row))
        till.fake.open_dispute(paid.charge_reference, 1000)
        till.deliver()

        decide(fin, row, shown=shown)

        assert "It cannot be done now: The payment is under dispute" in told(fin, row)
        assert (at_the_provider(till), ApprovalRequest.objects.get().status) == ([], "waiting")

    def test_refused_is_refused_for_good(self, lea: Desk, fin: Desk, till: Till, paid: Payment) -> None:
        row = ask(lea, paid)
        shown = fin.get(page(row))
        decide(fin, row, "refuse")
        decide(fin, row, shown=shown)

        assert (at_the_provider(till), ApprovalRequest.objects.get().status) == ([], "refused")

    def test_lapses(self, lea: Desk, fin: Desk, till: Till, paid: Payment, settings: Any) -> None:
        settings.APPROVAL_HOURS = 0
        row = ask(lea, paid)

        with pytest.raises(approvals.NotYours, match="lapsed"):
            approvals.approve(request=row.pk, decider=Actor("staff", str(fin.user.pk), "fin"), decision="", act=print)
        assert "Approve and do it" not in told(fin, row)
        assert approvals.lapse_due_approvals() == 1
        assert (at_the_provider(till), ApprovalRequest.objects.get().status) == ([], ApprovalStatus.LAPSED)


class TestWhatStripeSays:
    def test_no_to_is_told_and_is_decided_all_the_same(
        self, lea: Desk, fin: Desk, till: Till, paid: Payment, bob: Account
    ) -> None:
        row = ask(lea, paid)
        till.fake.open_dispute(paid.charge_reference, 1000)

        decide(fin, row)

        assert "Approved, but it was refused" in told(fin, row)
        assert (ApprovalRequest.objects.get().status, RefundOrder.objects.get().status) == ("approved", "refused")
        assert (at_the_provider(till), standing(bob)[0]) == ([], 100)

    def test_nothing_to_is_asked_again(self, lea: Desk, fin: Desk, till: Till, paid: Payment, bob: Account) -> None:
        row = ask(lea, paid)
        till.fake.api.faults.extend(AWAY)

        decide(fin, row)

        assert "Stripe has not done it yet" in told(fin, row)
        assert (ApprovalRequest.objects.get().status, at_the_provider(till)) == ("approved", [])
        assert finish_later() == 1
        assert (at_the_provider(till), standing(bob)[0]) == ([500], 50)


class TestWhoeverIsCutOff:
    def test_after_approving_has_it_finished_once(
        self, lea: Desk, fin: Desk, till: Till, paid: Payment, bob: Account, monkeypatch: Any
    ) -> None:
        row = ask(lea, paid)
        monkeypatch.setattr(refunding, "finish", _crash)
        with pytest.raises(RuntimeError):
            decide(fin, row)
        monkeypatch.undo()
        assert (ApprovalRequest.objects.get().status, at_the_provider(till)) == ("approved", [])

        assert [finish_later(), finish_later()] == [1, 0]
        till.deliver()
        assert (at_the_provider(till), standing(bob)[0]) == ([500], 50)

    def test_while_approving_has_approved_nothing(
        self, lea: Desk, fin: Desk, till: Till, paid: Payment, monkeypatch: Any
    ) -> None:
        row = ask(lea, paid)
        monkeypatch.setattr("credits.services.approvals.record_act", _crash)
        with pytest.raises(RuntimeError):
            decide(fin, row)
        monkeypatch.undo()

        assert (ApprovalRequest.objects.get().status, RefundOrder.objects.count()) == ("waiting", 0)
        decide(fin, row)
        assert at_the_provider(till) == [500]


def _crash(*_order: Any, **_told: Any) -> None:
    raise RuntimeError("The machine went down")
