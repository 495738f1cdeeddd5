"""The buttons of an account that is in use all the time: each debit changes its balance, and none its confirmations."""

from __future__ import annotations

from typing import Any

import pytest

from credits.models import Account, Hold, StaffAct, Transaction
from credits.services import accounts, corrections
from credits.services.holds import capture_hold
from tests.admin.conftest import Desk, confirmation, text
from tests.factories import give, hold, memo, price, spend, unpriced

WHY = {"reason": "goodwill", "note": "Slow answers", "ticket": "SUP-7"}
BECAUSE = {"note": "Disputed payment", "ticket": "SUP-9"}
ADDING = [("adjust", {**WHY, "amount": "50"}, 50), ("grant", {**WHY, "amount": "30", "expires_at": ""}, 30)]


def latest(account: Account) -> Transaction:
    return Transaction.objects.filter(account=account).latest("sequence")


@pytest.mark.parametrize(("verb", "fields", "added"), ADDING)
def test_is_added_to_with_what_was_before_in_the_log(
    carol: Desk, alice: Account, verb: str, fields: dict[str, str], added: int
) -> None:
    signed = confirmation(carol.press(alice, verb, **fields))
    spend(alice, 10)

    answer = carol.press(alice, verb, **fields, confirmation=signed)

    assert answer.status_code == 302
    assert latest(alice).balance_after == 90 + added
    act = StaffAct.objects.get(action=verb)
    assert (act.before["Balance"], act.after["Balance"]) == ("90", str(90 + added))


def test_is_taken_from_while_there_is_enough(carol: Desk, alice: Account) -> None:
    fields = {**WHY, "amount": "-40"}
    signed = confirmation(carol.press(alice, "adjust", **fields))
    spend(alice, 60)

    carol.press(alice, "adjust", **fields, confirmation=signed)

    assert latest(alice).balance_after == 0


def test_is_frozen_and_unfrozen(carol: Desk, alice: Account) -> None:
    signed = confirmation(carol.press(alice, "freeze", **BECAUSE))
    spend(alice, 10)
    assert carol.press(alice, "freeze", **BECAUSE, confirmation=signed).status_code == 302
    alice.refresh_from_db()
    assert alice.status == "frozen"

    signed = confirmation(carol.press(alice, "unfreeze", **BECAUSE))
    corrections.refund_transaction(transaction=latest(alice).pk, memo=memo())
    assert carol.press(alice, "unfreeze", **BECAUSE, confirmation=signed).status_code == 302
    alice.refresh_from_db()
    assert alice.status == "active"


def test_is_refunded_a_spend_unless_that_was_refunded_meanwhile(carol: Desk, alice: Account) -> None:
    spent, other = spend(alice, 20), spend(alice, 20)
    fields = [{**WHY, "movement": str(each.id), "amount": "15"} for each in (spent, other)]
    signed = [confirmation(carol.press(alice, "refund", **each)) for each in fields]
    spend(alice, 10)

    assert carol.press(alice, "refund", **fields[0], confirmation=signed[0]).status_code == 302
    assert latest(alice).balance_after == 65

    corrections.refund_transaction(transaction=other.id, amount=other.amount / -4, memo=memo())
    assert "has changed since" in text(carol.press(alice, "refund", **fields[1], confirmation=signed[1]))
    corrections.refund_transaction(transaction=other.id, memo=memo())
    assert "is left of the spend" in text(carol.press(alice, "refund", **fields[1], confirmation=signed[1]))


def test_transfers_unless_the_other_was_frozen_meanwhile(dave: Desk, alice: Account, bob: Account) -> None:
    fields = {**WHY, "to": bob.external_id, "amount": "30"}
    signed = [confirmation(dave.press(alice, "transfer", **fields)) for _ in range(2)]
    give(bob, 5)
    spend(alice, 10)

    assert dave.press(alice, "transfer", **fields, confirmation=signed[0]).status_code == 302
    assert latest(alice).balance_after == 60

    accounts.freeze_account(account=bob.pk, reason="Chargeback")
    assert "has changed since" in text(dave.press(alice, "transfer", **fields, confirmation=signed[1]))


@pytest.mark.parametrize(("verb", "more"), [("release-hold", {}), ("extend-hold", {"hours": "5"})])
def test_has_a_hold_changed_unless_it_was_captured_meanwhile(
    dave: Desk, alice: Account, verb: str, more: dict[str, str]
) -> None:
    held, other = hold(alice, 20), hold(alice, 20)
    fields: list[dict[str, Any]] = [{**BECAUSE, **more, "held": str(each.id)} for each in (held, other)]
    signed = [confirmation(dave.press(alice, verb, **each)) for each in fields]
    before = Hold.objects.get(pk=held.id)
    spend(alice, 10)

    assert dave.press(alice, verb, **fields[0], confirmation=signed[0]).status_code == 302
    after = Hold.objects.get(pk=held.id)
    assert (after.status, after.expires_at) != (before.status, before.expires_at)

    capture_hold(hold=other.id, amount=other.amount / 2, final=False, memo=memo())
    assert "has changed since" in text(dave.press(alice, verb, **fields[1], confirmation=signed[1]))


def test_has_its_use_rated(dave: Desk, alice: Account) -> None:
    row = unpriced(alice)
    price("model:gpt-9", "tokens", input=9, output=9)
    path = f"credits/unpricedusage/{row.pk}/rate/"
    signed = confirmation(dave.get(path))
    spend(alice, 10)

    assert dave.post(path, confirmation=signed).status_code == 302


@pytest.mark.parametrize(("verb", "fields", "_added"), ADDING)
def test_takes_nothing_once_it_is_closed(
    carol: Desk, bob: Account, verb: str, fields: dict[str, str], _added: int
) -> None:
    signed = confirmation(carol.press(bob, verb, **fields))
    accounts.close_account(account=bob.pk, memo=memo(reason="other"))

    page = carol.press(bob, verb, **fields, confirmation=signed)

    assert "The account is closed" in text(page)
    assert not StaffAct.objects.filter(action=verb).exists()
