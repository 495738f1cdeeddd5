"""Whoever asked for approval can take that back, while nobody has decided."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from credits.models import Account, ApprovalRequest, StaffAct
from tests.admin.conftest import Desk, staff, text
from tests.admin.test_approvals import ask, balance, decide, page
from tests.threads import at_once


def withdraw(desk: Desk, row: ApprovalRequest) -> str:
    """Press the button, and return what the page says then."""
    return text(desk.client.post(f"/admin/credits/approvalrequest/{row.pk}/withdraw/", follow=True))


def status() -> str:
    return ApprovalRequest.objects.get().status


def test_a_request_withdrawn_is_done_by_nobody(sam: Desk, lea: Desk, alice: Account) -> None:
    row = ask(sam, alice)
    shown = lea.get(page(row))
    assert "Withdraw" in text(sam.get(page(row)))
    assert "Withdraw" not in text(shown)

    assert "Withdrawn. Nothing was moved." in withdraw(sam, row)
    decide(lea, row, shown=shown)

    assert (balance(alice), status()) == (100, "withdrawn")
    assert "It is decided already: withdrawn" in text(lea.get(page(row)))
    assert "Withdrawn" in text(lea.get("credits/approvalrequest/?status=withdrawn"))
    act = StaffAct.objects.get(action="withdraw")
    assert (act.actor_name, act.ticket, act.after) == ("sam", "SUP-7", {"Status": "Withdrawn"})
    with pytest.raises(DatabaseError), transaction.atomic():
        ApprovalRequest.objects.update(status="waiting")


def test_only_who_asked_withdraws(sam: Desk, lea: Desk, alice: Account) -> None:
    row = ask(sam, alice)

    assert "sam asked for it: only they withdraw it." in withdraw(lea, row)
    assert sam.get(f"credits/approvalrequest/{row.pk}/withdraw/").status_code == 403
    assert status() == "waiting"


@pytest.mark.parametrize("end", ["refused", "lapsed"])
def test_what_is_decided_is_not_withdrawn(sam: Desk, lea: Desk, alice: Account, settings: Any, end: str) -> None:
    settings.APPROVAL_HOURS = 0 if end == "lapsed" else 72
    row = ask(sam, alice)
    if end == "refused":
        decide(lea, row, "refuse")

    assert "Withdrawn" not in withdraw(sam, row)
    assert StaffAct.objects.filter(action="withdraw").count() == 0


def test_it_can_be_asked_for_anew(sam: Desk, lea: Desk, alice: Account) -> None:
    withdraw(sam, ask(sam, alice, "900"))

    decide(lea, ask(sam, alice, "600"))

    assert balance(alice) == 700


def test_of_withdrawn_and_approved_at_once_one_comes_first(committed: None, alice: Account) -> None:
    sam, lea = staff("sam", "Support"), staff("lea", "Support lead")
    row = ask(sam, alice)
    shown = lea.get(page(row))

    at_once([partial(withdraw, sam, row), partial(decide, lea, row, shown=shown)])

    assert (balance(alice), status()) in {(100, "withdrawn"), (700, "approved")}
    assert StaffAct.objects.filter(action__in=["withdraw", "approve"]).count() == 1
