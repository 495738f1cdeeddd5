"""Where the provider and we disagree: seen both ways, listed once, repaired by what webhooks go through."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from billing.jobs import JOBS
from billing.models import Difference, Dispute, Pack, Payment, ProviderEvent, Refund
from billing.services import comparison, reconciliation
from credits.models import Account, TaskRun, Transaction
from subscriptions.models import Subscription
from tests.billing.conftest import Shop, sdk
from tests.billing.till import Till, standing
from tests.factories import make_account
from tests.fakes.stripe import Fault


def differ() -> set[tuple[str, str, str]]:
    """Return what differs now, by kind and field, with what we have."""
    found = comparison.compare(since=timezone.now() - reconciliation.LOOK_BACK)
    return {(str(each.kind), each.field, each.ours) for each in found}


def listed() -> set[tuple[str, str]]:
    return set(Difference.objects.filter(resolved_at=None).values_list("kind", "field"))


def command(name: str, *arguments: str) -> tuple[str, bool]:
    """Run a command. Returns what it prints, and whether it ended well."""
    out = StringIO()
    try:
        call_command(name, *arguments, stdout=out)
    except CommandError as error:
        return f"{out.getvalue()}{error}", False
    return out.getvalue(), True


def spoil(model: Any, **values: Any) -> None:
    """Change rows past the services, as an accident would."""
    model.objects.update(**values)


class TestBothAgree:
    def test_after_purchases_refunds_and_disputes(self, till: Till, bob: Account) -> None:
        first, second = till.buy(bob), till.buy(bob, "large")
        till.fake.refund(till.charge(first), 400)
        lost = till.fake.open_dispute(till.charge(second), 8000)
        till.fake.close_dispute(lost["id"], "lost")
        won = till.fake.open_dispute(till.charge(till.buy(bob)), 1000)
        till.fake.close_dispute(won["id"], "won")
        till.fake.card_declines(till.open(bob).provider_id)
        till.subscribe(bob)
        till.deliver()

        assert differ() == set()

    def test_about_what_is_no_business_of_ours(self, till: Till) -> None:
        """The same account of the provider's may sell other things to other people."""
        elsewhere = Shop(till.fake, sdk(till.fake))
        till.fake.refund(elsewhere.bought().id, 300)
        elsewhere.subscribed()

        assert differ() == set()


class TestMoney:
    def test_that_came_in_and_is_not_known_here_is_repaired_with_its_credits(self, till: Till, bob: Account) -> None:
        till.buy(bob)

        assert differ() == {("payment", "record", "missing")}
        reconciliation.list_differences()
        row = Difference.objects.get()
        assert reconciliation.repair(row, by="ada")

        assert standing(bob)[0] == 100
        assert (row.resolved_by, listed()) == ("ada", set())
        till.deliver()
        assert Transaction.objects.filter(account=bob).count() == 1

    def test_that_went_back_unheard_of_is_repaired_by_a_clawback(self, till: Till, bob: Account) -> None:
        checkout = till.buy(bob)
        till.deliver()
        till.fake.refund(till.charge(checkout), 500)

        reconciliation.list_differences()
        assert listed() == {("refund", "record")}
        assert reconciliation.repair(Difference.objects.get(), by="ada")

        assert standing(bob)[0] == 50
        assert Refund.objects.get().amount_minor == 500

    def test_under_an_unheard_of_dispute_is_repaired_by_a_freeze(self, till: Till, bob: Account) -> None:
        checkout = till.buy(bob)
        till.deliver()
        till.fake.open_dispute(till.charge(checkout), 1000)

        reconciliation.list_differences()
        assert listed() == {("dispute", "record")}
        assert reconciliation.repair(Difference.objects.get(), by="ada")

        assert standing(bob)[1] == 100
        assert Dispute.objects.get().status == "needs_response"

    def test_of_another_amount_or_state_is_seen_and_looked_up(self, till: Till, bob: Account) -> None:
        till.buy(bob)
        till.deliver()
        spoil(Payment, amount_minor=999, status="processing")

        assert differ() == {("payment", "amount", "999 USD"), ("payment", "status", "processing")}
        reconciliation.list_differences()
        assert reconciliation.repair(Difference.objects.all()[0], by="ada")

        assert listed() == set()
        assert Payment.objects.get().amount_minor == 1000

    def test_that_only_we_have_stays_open_and_says_why(self, till: Till, bob: Account) -> None:
        till.buy(bob)
        till.deliver()
        made_up = Payment.objects.get()
        made_up.pk, made_up.provider_id, made_up.charge_reference = None, "pi_made_up", "ch_made_up"
        made_up.movement = None
        made_up.checkout = None
        made_up.save()

        reconciliation.list_differences()
        row = Difference.objects.get()
        assert (row.subject, row.ours, row.theirs) == ("ch_made_up", "there", "missing")
        assert not reconciliation.repair(row, by="ada")

        row.refresh_from_db()
        assert (row.resolved_at, row.failure) == (None, "StripeNotFound: The payment provider knows no such object.")

    def test_of_a_plan_that_is_not_known_here_brings_its_subscription(self, till: Till, bob: Account) -> None:
        till.subscribe(bob)

        reconciliation.list_differences()
        assert listed() == {("payment", "record"), ("subscription", "subscription")}
        for row in Difference.objects.order_by("id"):
            assert reconciliation.repair(row, by="ada")

        assert standing(bob)[0] == 1000
        assert differ() == set()


class TestAnEventThatNobodyCanTakeIn:
    @pytest.fixture
    def poison(self, till: Till) -> dict[str, Any]:
        """An event between others, whose type is longer than any."""
        return dict(till.fake.store.emit("customer.updated", {"id": "cus_1", "object": "customer"}))

    def test_keeps_no_other_out_and_is_listed(self, till: Till, bob: Account, poison: dict[str, Any]) -> None:
        till.fake.store.tables["evt"][poison["id"]]["type"] = "x" * 300
        sdk(till.fake).customers.create({"name": "a\0b"})
        till.buy(bob)

        assert JOBS["reconcile_payments"].does() > 0

        assert standing(bob)[0] == 100
        assert listed() == {("event", "event")}
        row = Difference.objects.get(resolved_at=None)
        assert (row.subject, row.ours, row.theirs) == (poison["id"], "missing", "Its type is none.")
        assert not reconciliation.repair(row, by="ada")
        assert "Its type is none." in row.failure
        printed, well = command("reconcile_stripe", "--dry-run")
        assert (well, f"event {poison['id']}" in printed) == (False, True)

    def test_is_over_once_it_can(self, till: Till, bob: Account, poison: dict[str, Any]) -> None:
        stored = till.fake.store.tables["evt"][poison["id"]]
        kind, stored["type"] = stored["type"], "x" * 300
        reconciliation.take_in_missing()
        assert reconciliation.list_differences() == 1

        stored["type"] = kind
        assert reconciliation.repair(Difference.objects.get(), by="ada")

        assert ProviderEvent.objects.filter(event_id=poison["id"]).exists()
        assert listed() == set()

    def test_is_over_when_the_provider_has_forgotten_it(self, till: Till, poison: dict[str, Any]) -> None:
        till.fake.store.tables["evt"][poison["id"]]["type"] = "x" * 300
        reconciliation.take_in_missing()

        del till.fake.store.tables["evt"][poison["id"]]

        assert reconciliation.list_differences() == 0


class TestASubscription:
    @pytest.fixture
    def row(self, till: Till, bob: Account) -> Subscription:
        till.subscribe(bob)
        till.deliver()
        return Subscription.objects.get()

    def test_that_is_to_end_there_is_to_end_here(self, till: Till, row: Subscription) -> None:
        till.fake.cancel_at_period_end(row.provider_reference)

        assert differ() == {("subscription", "ends with period", "False")}
        reconciliation.list_differences()
        assert reconciliation.repair(Difference.objects.get(), by="ada")
        row.refresh_from_db()
        assert row.cancel_at_period_end

    def test_of_which_too_little_is_known_to_be_paid(self, till: Till, row: Subscription) -> None:
        spoil(Subscription, paid_until=None)

        assert differ() == {("subscription", "paid until", "missing")}

    def test_that_was_moved_unheard_of_is_repaired(self, till: Till, row: Subscription) -> None:
        till.move(row.provider_reference, "PREMIUM")

        reconciliation.list_differences()
        assert ("subscription", "plan") in listed()
        for difference in Difference.objects.filter(resolved_at=None).order_by("id"):
            difference.refresh_from_db()
            assert difference.resolved_at or reconciliation.repair(difference, by="ada")

        assert differ() == set()
        row.refresh_from_db()
        assert row.plan_version.plan_id == "PREMIUM"

    def test_that_was_cancelled_unheard_of_is_repaired(self, till: Till, row: Subscription) -> None:
        till.fake.cancel(row.provider_reference)

        reconciliation.list_differences()
        assert listed() == {("subscription", "status")}
        assert reconciliation.repair(Difference.objects.get(), by="ada")
        row.refresh_from_db()
        assert row.status == "canceled"

    def test_at_a_price_nobody_knows_says_so(self, till: Till, row: Subscription) -> None:
        elsewhere = Shop(till.fake, sdk(till.fake))
        elsewhere.change(elsewhere.api.subscriptions.retrieve(row.provider_reference), elsewhere.pro)

        reconciliation.list_differences()
        difference = Difference.objects.get()
        assert (difference.field, "No plan is sold at" in difference.theirs) == ("plan", True)
        assert not reconciliation.repair(difference, by="ada")
        assert "No plan is sold at" in difference.failure


class TestTheList:
    def test_has_each_once_and_lets_go_of_what_passed_by_itself(self, till: Till, bob: Account) -> None:
        till.buy(bob)
        reconciliation.list_differences()
        assert reconciliation.list_differences() == 1
        row = Difference.objects.get()
        assert row.last_seen_at > row.first_seen_at

        till.deliver()
        assert reconciliation.list_differences() == 0

        row.refresh_from_db()
        assert (row.resolved_at is not None, row.resolved_by) == (True, "")

    def test_keeps_what_is_older_than_what_was_compared(self, till: Till, bob: Account) -> None:
        till.buy(bob)
        reconciliation.list_differences()

        assert reconciliation.list_differences(since=timezone.now() + timedelta(hours=1)) == 1

    def test_is_renewed_by_the_nightly_job_which_first_takes_in_what_never_came(self, till: Till, bob: Account) -> None:
        till.buy(bob)
        till.subscribe(make_account(external_id="carol"))

        assert JOBS["reconcile_payments"].does() > 0

        assert standing(bob)[0] == 100
        assert listed() == set()
        assert not TaskRun.objects.exclude(error="").exists()


class TestTheCommand:
    def test_lists_and_writes_nothing_when_it_is_dry(self, till: Till, bob: Account) -> None:
        till.buy(bob)

        printed, well = command("reconcile_stripe", "--dry-run")

        assert not well
        assert "payment_intent.succeeded" in printed
        assert "payment ch_" in printed
        assert printed.endswith("1 differences.")
        assert (ProviderEvent.objects.count(), Difference.objects.count(), standing(bob)[0]) == (0, 0, 0)

    def test_takes_in_processes_and_then_finds_nothing(self, till: Till, bob: Account) -> None:
        till.buy(bob)

        printed, well = command("reconcile_stripe", "--since", "2020-01-01T00:00:00Z")

        assert well, printed
        assert printed.endswith("No differences.\n")
        assert standing(bob)[0] == 100

    @pytest.mark.parametrize("since", ["yesterday", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00"])
    def test_refuses_what_is_no_time(self, till: Till, since: str) -> None:
        printed, well = command("reconcile_stripe", "--since", since)
        assert (well, "is no time with its zone" in printed) == (False, True)

    def test_says_that_the_provider_is_away(self, till: Till) -> None:
        till.fake.api.faults.extend([Fault(), Fault(), Fault()])
        printed, well = command("reconcile_stripe")
        assert (well, "payment provider" in printed) == (False, True)


class TestTheCatalogueCommand:
    def test_finds_no_differences_where_all_is_published(self, till: Till) -> None:
        assert command("compare_catalogue") == ("No differences.\n", True)

    def test_names_what_differs_and_fails(self, till: Till) -> None:
        spoil(Pack, price_minor=1)
        printed, well = command("compare_catalogue")
        assert not well
        assert {"small" in printed, "large" in printed} == {True}
        assert printed.endswith("2 differences.")

    def test_sees_a_price_of_several_months(self, till: Till) -> None:
        [price] = [each for each in till.fake.store.all("price") if "pro" in each["lookup_key"]]
        price["recurring"]["interval_count"] = 3

        printed, well = command("compare_catalogue")

        assert (well, f"a month here, 29.00 USD each 3 months as {price['id']}" in printed) == (False, True), printed

    def test_publishes_what_is_missing_once(self, till: Till) -> None:
        assert command("compare_catalogue", "--publish") == ("0 prices added.\nNo differences.\n", True)
