from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from credits import refusals
from credits.models import Account, Grant, Hold, Transaction
from credits.services import accounts, expiry, holds
from tests.books import Books
from tests.factories import give, hold, make_account, memo, spend

NOW = datetime(2099, 1, 1, tzinfo=UTC)


def capture(held, amount: int | None = None, **more):
    charge = None if amount is None else Decimal(amount)
    return holds.capture_hold(hold=held.id, amount=charge, memo=memo(), **more)


class TestAHold:
    def test_reserves_lots_and_moves_nothing(self, alice: Account) -> None:
        held = hold(alice, 30)

        alice.refresh_from_db()
        lot = Grant.objects.get()
        assert (alice.balance, alice.held, alice.available) == (100, 30, 70)
        assert (lot.remaining, lot.held, held.lots) == (100, 30, [(lot.pk, 30)])
        assert Transaction.objects.count() == 1

    def test_keeps_others_from_spending_it(self, alice: Account) -> None:
        hold(alice, 30)

        with pytest.raises(refusals.InsufficientCredits) as refused:
            spend(alice, 71)

        assert (refused.value.members["available"], refused.value.members["held"]) == (70, 30)

    def test_may_reach_into_the_overdraft(self, database: None) -> None:
        carl = make_account(external_id="carl", balance=10, overdraft_limit=Decimal(50))

        held = hold(carl, 60)
        movement, _ = capture(held)

        assert movement.balance_after == -50

    def test_with_a_reference_is_placed_once(self, alice: Account) -> None:
        first = hold(alice, 30, reference_type="job", reference_id="j-1")

        assert hold(alice, 30, reference_type="job", reference_id="j-1").id == first.id
        with pytest.raises(refusals.ReferenceConflict):
            hold(alice, 31, reference_type="job", reference_id="j-1")

    def test_refuses_an_abandonment_charge_beyond_it(self, alice: Account) -> None:
        with pytest.raises(refusals.InvalidField) as refused:
            hold(alice, 30, abandonment_charge=31)

        assert refused.value.field == "abandonment_charge"


class TestACapture:
    def test_burns_the_reserved_lots_and_frees_nothing_yet(self, alice: Account) -> None:
        held = hold(alice, 30)

        movement, after = capture(held, 12)

        alice.refresh_from_db()
        assert (movement.kind, movement.amount, movement.hold_id) == ("capture", -12, held.id)
        assert (after.captured, after.remaining, after.status) == (12, 18, "open")
        assert (alice.balance, alice.held) == (88, 18)

    def test_may_come_several_times_until_nothing_is_left(self, alice: Account) -> None:
        held = hold(alice, 30)

        capture(held, 12)
        capture(held, 8)
        _, after = capture(held)

        alice.refresh_from_db()
        assert (after.status, after.captured, alice.balance, alice.held) == ("captured", 30, 70, 0)

    def test_that_is_final_frees_the_rest(self, alice: Account) -> None:
        _, after = capture(hold(alice, 30), 12, final=True)

        alice.refresh_from_db()
        assert (after.status, alice.balance, alice.held) == ("captured", 88, 0)

    def test_beyond_the_hold_is_refused(self, alice: Account, books: Books) -> None:
        held = hold(alice, 30)
        before = books()

        with pytest.raises(refusals.CaptureExceedsHold):
            capture(held, 31)

        assert books() == before

    def test_after_the_end_is_refused(self, alice: Account, books: Books) -> None:
        held = hold(alice, 30)
        holds.release_hold(hold=held.id)
        before = books()

        for verb in (lambda: capture(held, 1), lambda: holds.release_hold(hold=held.id)):
            with pytest.raises(refusals.HoldClosed):
                verb()

        assert books() == before

    def test_goes_through_on_a_frozen_account(self, alice: Account) -> None:
        held = hold(alice, 30)
        accounts.freeze_account(account=alice.pk, reason="Fraud?")

        assert capture(held)[0].balance_after == 70

    def test_of_an_unknown_hold_is_told_so(self, alice: Account) -> None:
        with pytest.raises(refusals.UnknownHold):
            holds.capture_hold(hold=uuid4(), memo=memo())


class TestTimingOut:
    def test_frees_the_hold_at_the_next_touch_without_any_clock(self, alice: Account) -> None:
        hold(alice, 90, at=NOW, lasting=timedelta(minutes=1))

        assert spend(alice, 100, at=NOW + timedelta(minutes=1)).balance_after == 0

    def test_charges_what_was_agreed_for_nobody_coming_back(self, alice: Account) -> None:
        held = hold(alice, 90, at=NOW, lasting=timedelta(minutes=1), abandonment_charge=7)

        assert expiry.time_out_due_holds(at=NOW + timedelta(minutes=1)) == 1
        assert expiry.time_out_due_holds(at=NOW + timedelta(minutes=1)) == 0

        alice.refresh_from_db()
        row = Hold.objects.get(pk=held.id)
        assert (row.status, row.captured, alice.balance, alice.held) == ("timed_out", 7, 93, 0)

    def test_counts_what_was_captured_before(self, alice: Account) -> None:
        held = hold(alice, 20, at=NOW, lasting=timedelta(minutes=1), abandonment_charge=15)
        capture(held, 10, at=NOW)

        expiry.time_out_due_holds(at=NOW + timedelta(hours=1))

        alice.refresh_from_db()
        assert alice.balance == 80

    def test_comes_later_when_extended(self, alice: Account) -> None:
        held = hold(alice, 90, at=NOW, lasting=timedelta(minutes=1))
        holds.extend_hold(hold=held.id, lasting=timedelta(hours=1), at=NOW)

        expiry.time_out_due_holds(at=NOW + timedelta(minutes=2))
        assert Hold.objects.get().status == "open"

        expiry.time_out_due_holds(at=NOW + timedelta(hours=1))
        assert Hold.objects.get().status == "timed_out"

    def test_refuses_a_late_capture(self, alice: Account) -> None:
        held = hold(alice, 90, at=NOW, lasting=timedelta(minutes=1))

        with pytest.raises(refusals.HoldClosed, match="timed out"):
            capture(held, at=NOW + timedelta(minutes=1))


class TestAHeldLotThatExpires:
    def test_loses_only_its_free_part(self, bob: Account) -> None:
        give(bob, 100, expires_at=NOW + timedelta(hours=1))
        held = hold(bob, 30, at=NOW, lasting=timedelta(hours=5))

        expiry.expire_due_lots(at=NOW + timedelta(hours=1))
        bob.refresh_from_db()
        assert (bob.balance, bob.held) == (30, 30)

        assert capture(held, 20, at=NOW + timedelta(hours=2))[0].balance_after == 10

    def test_expires_at_once_when_released(self, bob: Account) -> None:
        give(bob, 100, expires_at=NOW + timedelta(hours=1))
        held = hold(bob, 30, at=NOW, lasting=timedelta(hours=5))
        expiry.expire_due_lots(at=NOW + timedelta(hours=1))

        holds.release_hold(hold=held.id, at=NOW + timedelta(hours=2))

        bob.refresh_from_db()
        assert (bob.balance, bob.held) == (0, 0)
