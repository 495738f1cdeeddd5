"""A confirmation that became a request is spent: what it asks for is done by who approves it, or by nobody."""

from __future__ import annotations

from typing import Any

import pytest

from credits.models import Account, AccountStatus, ApprovalRequest, BulkAdjustment, StaffAct, StaffCap
from credits.services import bulk
from credits.services.accounts import close_account, freeze_account
from tests.admin.conftest import Desk, confirmation, text
from tests.admin.test_approvals import ASKED, balance, decide, page
from tests.admin.test_bulk_approvals import checked, confirm
from tests.factories import make_account, memo


def raise_caps() -> None:
    StaffCap.objects.filter(role="Support").update(per_action=10_000, per_day=50_000)


@pytest.mark.parametrize("verb", ["adjust", "grant"])
def test_it_is_done_once_though_the_cap_was_raised_meanwhile(sam: Desk, lea: Desk, alice: Account, verb: str) -> None:
    fields = {"amount": "600", **ASKED}
    fields["confirmation"] = confirmation(sam.press(alice, verb, **fields))
    sam.press(alice, verb, **fields)
    row = ApprovalRequest.objects.get()
    raise_caps()

    again = sam.press(alice, verb, **fields)
    assert (balance(alice), again.headers["Location"]) == (100, f"/admin/{page(row)}")
    assert "This was asked for before: waiting." in text(sam.get(page(row)))
    decide(lea, row)
    sam.press(alice, verb, **fields)

    assert balance(alice) == 700


@pytest.mark.parametrize("end", ["refuse", "withdraw"])
def test_nor_is_it_done_after_it_was_refused_or_withdrawn(sam: Desk, lea: Desk, alice: Account, end: str) -> None:
    fields = {"amount": "600", **ASKED}
    fields["confirmation"] = confirmation(sam.press(alice, "adjust", **fields))
    sam.press(alice, "adjust", **fields)
    decide(lea if end == "refuse" else sam, ApprovalRequest.objects.get(), end)
    raise_caps()

    sam.press(alice, "adjust", **fields)

    assert balance(alice) == 100
    assert ApprovalRequest.objects.get().status in {"refused", "withdrawn"}


def test_for_a_bulk_that_is_discarded_nobody_is_asked_any_more(lea: Desk, alice: Account) -> None:
    row = checked(lea, (alice.external_id, "6000"))
    confirm(lea, row)

    lea.post(f"credits/bulkadjustment/{row.pk}/discard/")
    bulk.apply_running_bulks()

    assert (ApprovalRequest.objects.get().status, BulkAdjustment.objects.get().status) == ("withdrawn", "discarded")
    assert "It waits for a second person" not in text(lea.get(f"credits/bulkadjustment/{row.pk}/change/"))
    assert balance(alice) == 100


class TestAnAccountThatTheButtonIsNotFor:
    @pytest.mark.parametrize(("verb", "status"), [("freeze", "frozen"), ("unfreeze", "active")])
    def test_is_not_frozen_twice_nor_unfrozen(self, lea: Desk, alice: Account, verb: str, status: str) -> None:
        if status == "frozen":
            freeze_account(account=alice.pk, reason="Fraud")

        shown = lea.press(alice, verb, note="So", ticket="SUP-1")

        assert f"The account is {status}." in text(shown)
        assert not StaffAct.objects.filter(action=verb).exists()

    @pytest.mark.parametrize("verb", ["adjust", "grant", "freeze", "edit", "close"])
    def test_is_closed(self, dave: Desk, verb: str) -> None:
        gone = make_account(external_id="gone", balance=0)
        close_account(account=gone.pk, memo=memo())
        fields: dict[str, Any] = {"amount": "5", "overdraft_limit": "0", "time_zone": "UTC", "name": "New", **ASKED}

        assert "The account is closed." in text(dave.press(gone, verb, **fields))
        assert AccountStatus(Account.objects.get().status) == AccountStatus.CLOSED


def test_two_who_edit_an_account_at_once_do_not_undo_each_other(lea: Desk, dave: Desk, alice: Account) -> None:
    shown = text(lea.get(f"credits/account/{alice.pk}/edit/"))
    seen = shown.split('name="seen" value="')[1].split('"')[0]
    same = {"overdraft_limit": "0", "time_zone": "UTC"}
    dave.press(alice, "edit", email="new@example.com", **same)

    told = text(lea.press(alice, "edit", name="Alice", email=alice.email, seen=seen, **same))

    assert "Somebody changed the account meanwhile." in told
    assert 'value="new@example.com"' in told
    alice.refresh_from_db()
    assert (alice.name, alice.email) == ("", "new@example.com")
