from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from credits import refusals
from credits.models import Account, Event, GrantCategory
from credits.plan import Actor, Memo, Owner
from credits.services import accounts, batch, corrections, movements, transfers
from tests.factories import give, hold, make_account, memo, spend


def told(account: Account, *types: str) -> list[str]:
    """Return the events of an account without their common beginning, those of some types only."""
    rows = Event.objects.filter(account=account).order_by("pk")
    names = [row.type.removeprefix("evt.credits.") for row in rows]
    return [name for name in names if not types or name in types]


def last(account: Account, name: str) -> dict[str, Any]:
    """Return the payload of the account's last event of a type."""
    event = Event.objects.filter(account=account, type=f"evt.credits.{name}").first()
    assert event is not None
    payload: dict[str, Any] = event.payload
    return payload


class TestAMovement:
    def test_is_told_in_the_words_of_dialect_c(self, alice):
        movement = give(alice, 10, because=memo(reference_type="order", reference_id="o-1"))

        assert last(alice, "recharged") == {
            "merchant_id": "alice@example.com",
            "account_id": str(alice.pk),
            "unit": "credits",
            "transaction_id": str(movement.id),
            "sequence": 2,
            "kind": "topup",
            "amount": 10,
            "new_balance": 110,
            "debt": 0,
            "source": "tests",
            "reference_type": "order",
            "reference_id": "o-1",
            "feature": "",
            "recorded_at": movement.recorded_at.isoformat(),
        }

    def test_is_told_once_however_often_its_request_comes(self, alice):
        for _ in range(2):
            spend(alice, 10, reference_type="trace", reference_id="t-1")

        assert told(alice, "consumed") == ["consumed"]

    def test_that_is_refused_is_not_told(self, bob):
        with pytest.raises(refusals.InsufficientCredits):
            spend(bob, 1)

        assert told(bob) == []

    def test_names_no_member_of_staff(self, alice):
        because = Memo(Actor("staff", "7", "carol"), reason="goodwill")
        movements.adjust_balance(account=alice.pk, delta=Decimal(5), memo=because)

        assert last(alice, "adjusted")["source"] == "staff"

    def test_is_told_with_the_kind_it_is_of(self, alice, bob):
        spent = spend(alice, 10)
        corrections.refund_transaction(transaction=spent.id, amount=None, memo=memo())
        transfers.transfer_credits(source=alice.pk, target=bob.pk, amount=Decimal(1), memo=memo())

        assert told(alice) == ["recharged", "plugin_status_changed", "consumed", "refunded", "transferred"]
        assert told(bob) == ["transferred", "plugin_status_changed"]

    def test_of_a_batch_is_told_like_any_other(self, alice):
        items = [batch.Item(batch.Verb.DEBIT, memo(), Decimal(50), account=alice.pk) for _ in range(3)]
        batch.post_batch(items=items)

        assert told(alice)[2:] == [
            "consumed", "consumed", "low_balance_reached", "balance_exhausted", "plugin_status_changed",
        ]  # fmt: skip


class TestALowBalance:
    def test_is_told_on_the_crossing_once(self, alice):
        spend(alice, 79)
        assert told(alice, "low_balance_reached") == []

        spend(alice, 1)
        spend(alice, 1)

        assert told(alice, "low_balance_reached") == ["low_balance_reached"]
        assert last(alice, "low_balance_reached")["threshold"] == 20
        assert last(alice, "low_balance_reached")["new_balance"] == 20

    def test_is_told_again_after_it_was_restored(self, alice):
        spend(alice, 90)
        give(alice, 90)
        spend(alice, 90)

        assert told(alice, "low_balance_reached", "balance_restored") == [
            "low_balance_reached", "balance_restored", "low_balance_reached",
        ]  # fmt: skip

    def test_is_not_restored_by_a_gift_that_does_not_lift_it(self, alice):
        spend(alice, 95)
        give(alice, 1, GrantCategory.PROMOTIONAL)

        assert told(alice, "balance_restored") == []
        alice.refresh_from_db()
        assert alice.recharged_to == 100

    def test_follows_the_threshold_of_the_account(self, database):
        account = make_account(balance=100, low_balance_threshold=Decimal(60))
        spend(account, 40)

        assert last(account, "low_balance_reached")["threshold"] == 60

    def test_is_not_told_of_what_a_hold_sets_aside(self, alice):
        hold(alice, 100)

        assert told(alice, "low_balance_reached", "balance_exhausted") == []

    @pytest.mark.parametrize("percent", [0, 50])
    def test_follows_the_setting(self, alice, settings, percent):
        settings.LOW_BALANCE_THRESHOLD_PERCENT = percent
        spend(alice, 60)

        assert told(alice, "low_balance_reached") == ["low_balance_reached"] * (percent == 50)


class TestUse:
    def test_is_switched_off_and_on_with_the_last_credit(self, alice):
        spend(alice, 100)
        assert last(alice, "plugin_status_changed")["status"] == "disabled"

        give(alice, 1)
        assert last(alice, "plugin_status_changed")["status"] == "enabled"
        assert told(alice, "balance_exhausted") == ["balance_exhausted"]

    def test_is_switched_off_by_freezing_and_on_again(self, alice):
        accounts.freeze_account(account=alice.pk, reason="checks")
        assert last(alice, "plugin_status_changed")["reason"] == "status"
        accounts.freeze_account(account=alice.pk, reason="more checks")
        accounts.unfreeze_account(account=alice.pk)

        assert told(alice, "plugin_status_changed") == ["plugin_status_changed"] * 3

    def test_is_switched_by_an_overdraft_that_begins_or_ends(self, bob):
        for limit, status in ((10, "enabled"), (20, "enabled"), (0, "disabled")):
            accounts.change_account(account=bob.pk, particulars=accounts.Particulars(overdraft_limit=Decimal(limit)))
            assert last(bob, "plugin_status_changed")["status"] == status
        assert len(told(bob)) == 2

    def test_of_an_account_opened_with_credits_begins_with_them(self, database):
        owner = Owner("new", "credits")
        account = accounts.open_account(owner=owner, memo=memo(), opening_balance=Decimal(5))

        assert told(account) == ["recharged", "plugin_status_changed"]
