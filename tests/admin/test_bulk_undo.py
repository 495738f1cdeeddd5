"""Bulk adjustments taken back: each line from the lot that it opened, or to the lots that it drew from."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from credits.models import Account, BulkAdjustment, Grant, Transaction
from credits.services import bulk, corrections, holds
from tests.admin.conftest import Desk, text
from tests.admin.test_bulk import balances, checked, die_in_the_third_slice, press
from tests.factories import give, hold, make_account, memo, spend
from tests.threads import at_once


def lots(account: Account) -> list[tuple[str, Decimal, int]]:
    """What is left in which lots, and the money of each."""
    rows = Grant.objects.filter(account=account, remaining__gt=0).order_by("id")
    return list(rows.values_list("category", "remaining", "paid_minor"))


def applied(desk: Desk, row: BulkAdjustment) -> BulkAdjustment:
    press(desk, row, "confirm")
    bulk.apply_running_bulks()
    row.refresh_from_db()
    return row


def taken_back(desk: Desk, row: BulkAdjustment) -> BulkAdjustment:
    press(desk, row, "undo")
    return applied(desk, BulkAdjustment.objects.latest("pk"))


class TestTakingBack:
    def test_leaves_what_was_paid_for_alone(self, dave: Desk, bob: Account) -> None:
        give(bob, 500, paid_currency="EUR", paid_minor=5000)

        back = taken_back(dave, applied(dave, checked(dave, "bob,10\n")))

        assert lots(bob) == [("paid", 500, 5000)]
        assert (back.total_added, back.total_taken, back.done_count) == (0, 10, 1)
        movement = Transaction.objects.latest("recorded_at")
        assert (movement.kind, movement.amount) == ("reversal", -10)
        assert movement.parent == Transaction.objects.get(kind="adjustment")
        assert (movement.reason, movement.actor_name) == ("compensation", "dave")

    def test_returns_to_the_lots_that_were_drawn_from(self, dave: Desk, bob: Account) -> None:
        give(bob, 40, paid_currency="EUR", paid_minor=400)
        give(bob, 60, paid_currency="EUR", paid_minor=700)
        before = lots(bob)

        taken_back(dave, applied(dave, checked(dave, "bob,-50\n")))

        assert lots(bob) == before

    def test_takes_what_is_left_of_a_lot_and_nothing_else(self, dave: Desk, bob: Account) -> None:
        row = applied(dave, checked(dave, "bob,12\n"))
        spend(bob, 5)
        give(bob, 100)

        press(dave, row, "undo")
        back = BulkAdjustment.objects.latest("pk")
        assert "7 of 12 are left" in text(dave.get(f"credits/bulkadjustment/{back.pk}/change/"))
        assert (back.total_taken, bulk.foresee_bulk(bulk=back.pk).taken) == (7, 7)
        applied(dave, back)

        assert lots(bob) == [("paid", 100, 0)]
        assert Transaction.objects.latest("recorded_at").amount == -7

    def test_says_where_nothing_is_left(self, dave: Desk, bob: Account) -> None:
        row = applied(dave, checked(dave, "bob,12\n"))
        spend(bob, 12)
        give(bob, 100)

        back = taken_back(dave, row)

        assert (back.bad_count, back.lines.get().error) == (1, "Nothing is left of the 12 that it brought.")
        assert balances(bob) == [100]

    def test_refuses_what_was_spent_since_it_was_shown_and_takes_the_rest_later(self, dave: Desk, bob: Account) -> None:
        row = applied(dave, checked(dave, "bob,12\n"))
        press(dave, row, "undo")
        back = BulkAdjustment.objects.latest("pk")
        spend(bob, 5)
        assert bulk.foresee_bulk(bulk=back.pk).lines == 0

        applied(dave, back)

        assert back.lines.get().error == "The movement brought 12; 7 of it is left to take back."
        assert "Take the rest back" in text(dave.get(f"credits/bulkadjustment/{row.pk}/change/"))
        again = taken_back(dave, row)
        assert (balances(bob), again.done_count) == ([0], 1)
        assert "Take the rest back" not in text(dave.get(f"credits/bulkadjustment/{row.pk}/change/"))

    def test_of_a_movement_that_was_reversed_by_hand_is_told(self, dave: Desk, bob: Account) -> None:
        row = applied(dave, checked(dave, "bob,12\n"))
        movement = Transaction.objects.get(account=bob)
        corrections.reverse_transaction(transaction=movement.pk, memo=memo())

        back = taken_back(dave, row)

        assert back.lines.get().error == "Its movement was reversed before."

    def test_twice_takes_only_the_lines_that_were_left(self, dave: Desk, alice: Account, bob: Account) -> None:
        row = applied(dave, checked(dave))
        held = hold(bob, 12)
        taken_back(dave, row)
        assert balances(alice, bob) == [100, 12]
        holds.release_hold(hold=held.id)

        again = taken_back(dave, row)

        assert balances(alice, bob) == [100, 0]
        assert [line.external_id for line in again.lines.all()] == ["bob"]
        press(dave, row, "undo")
        assert BulkAdjustment.objects.count() == 3

    def test_waits_for_the_one_before(self, dave: Desk, alice: Account, bob: Account) -> None:
        row = applied(dave, checked(dave))
        press(dave, row, "undo")

        press(dave, row, "undo")

        assert BulkAdjustment.objects.count() == 2
        press(dave, BulkAdjustment.objects.latest("pk"), "discard")
        assert taken_back(dave, row).done_count == 2

    def test_pressed_twice_at_once_is_prepared_once(self, committed: None) -> None:
        dave = Desk("dave", superuser=True)
        make_account(external_id="bob")
        row = applied(dave, checked(dave, "bob,12\n"))

        at_once([partial(press, dave, row, "undo")] * 2)

        assert BulkAdjustment.objects.filter(undoes=row).count() == 1


def test_a_worker_killed_while_taking_back_is_taken_up(committed: None) -> None:
    dave = Desk("dave", superuser=True)
    owners = [make_account(external_id=f"o-{number}", balance=100) for number in range(30)]
    row = applied(dave, checked(dave, "".join(f"o-{number},{number - 15 or 20}\n" for number in range(30))))
    spend(owners[29], 105)
    press(dave, row, "undo")
    press(dave, BulkAdjustment.objects.latest("pk"), "confirm")

    assert die_in_the_third_slice(5) == -9
    assert Transaction.objects.filter(kind="reversal").count() == 10
    bulk.apply_running_bulks()
    assert balances(*owners) == [100] * 29 + [0]
    assert Transaction.objects.filter(reference_type="bulk").count() == 60
