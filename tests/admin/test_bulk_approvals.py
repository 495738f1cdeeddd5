"""Bulk adjustments above the cap: said before, asked for once, shown anew, done once for whoever asked."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
import redis

from config.metrics import work
from credits.models import Account, ApprovalRequest, BulkAdjustment, StaffAct, Transaction
from credits.plan import Actor
from credits.services import approvals, bulk
from credits.services.bulk import Asked, Why, check_bulk
from tests.admin.conftest import Desk, staff, text
from tests.admin.test_approvals import balance, decide, page
from tests.factories import spend
from tests.threads import at_once


@pytest.fixture
def lea(database: None) -> Desk:
    return staff("lea", "Support lead")


@pytest.fixture
def fin(database: None) -> Desk:
    return staff("fin", "Finance")


def checked(lea: Desk, *lines: tuple[str, str]) -> BulkAdjustment:
    read = [Asked(number, owner, amount) for number, (owner, amount) in enumerate(lines, 1)]
    why = Why(Actor("staff", str(lea.user.pk), lea.user.get_username()), "goodwill", ticket="SUP-9")
    return check_bulk(file_name="x.csv", unit="credits", lines=read, why=why)


def confirm(desk: Desk, row: BulkAdjustment) -> str:
    return str(desk.post(f"credits/bulkadjustment/{row.pk}/confirm/").headers["Location"])


def shown(desk: Desk, row: BulkAdjustment) -> str:
    return text(desk.get(f"credits/bulkadjustment/{row.pk}/change/"))


def test_above_the_cap_waits_and_is_applied_once(lea: Desk, fin: Desk, alice: Account) -> None:
    asked = checked(lea, (alice.external_id, "6000"))
    for _ in range(2):
        confirm(lea, asked)
    row = ApprovalRequest.objects.get()
    assert BulkAdjustment.objects.get().status == "checked"

    seen = fin.get(page(row))
    for _ in range(2):
        decide(fin, row, shown=seen)
    row.refresh_from_db()
    bulk.apply_running_bulks()

    assert (balance(alice), row.status, row.decided_by_name) == (6100, "approved", "fin")
    assert StaffAct.objects.get(action="bulk").approved_by == "fin"
    assert Transaction.objects.get(kind="adjustment").metadata == {"ticket": "SUP-9", "approved_by": "fin"}


def test_the_preview_says_that_it_takes_a_second_person(lea: Desk, fin: Desk, alice: Account) -> None:
    above, within = checked(lea, (alice.external_id, "5001")), checked(lea, (alice.external_id, "5000"))

    assert "More than 5,000 credits at once takes a second person." in shown(lea, above)
    assert "Ask for approval" in shown(lea, above)
    assert "Apply 1 lines" not in shown(lea, above)
    assert "Apply 1 lines" in shown(lea, within)


def test_while_it_waits_its_page_leads_to_the_request_and_nobody_asks_again(
    lea: Desk, fin: Desk, alice: Account
) -> None:
    row = checked(lea, (alice.external_id, "60000"))
    address = confirm(lea, row)
    lou = staff("lou", "Support lead")

    assert [confirm(desk, row) for desk in (lea, lou, fin)] == [address] * 3
    for desk in (lea, lou):
        assert "waits for a second person" in shown(desk, row)
        assert address in shown(desk, row)
        assert "Ask for approval" not in shown(desk, row)
    assert ApprovalRequest.objects.count() == 1


def test_asked_for_twice_at_once_it_is_one_request(committed: None, alice: Account) -> None:
    lea = staff("lea", "Support lead")
    row = checked(lea, (alice.external_id, "6000"))

    at_once([partial(confirm, lea, row)] * 2)

    assert ApprovalRequest.objects.count() == 1


@pytest.mark.parametrize("role", ["Support lead", "Finance"])
def test_only_who_prepared_it_applies_it_or_asks(lea: Desk, alice: Account, role: str) -> None:
    within, above = checked(lea, (alice.external_id, "50")), checked(lea, (alice.external_id, "18000"))
    other = staff("olga", role)

    for row in (within, above):
        assert confirm(other, row) == f"/admin/credits/bulkadjustment/{row.pk}/change/"
        row.refresh_from_db()
        assert row.status == "checked"
        assert "Only lea, who prepared it, can apply it" in shown(other, row)
        assert "Apply 1 lines" not in shown(other, row)
        assert "Ask for approval" not in shown(other, row)
    assert not ApprovalRequest.objects.exists()

    own = checked(other, (alice.external_id, "50"))
    confirm(other, own)
    bulk.apply_running_bulks()
    assert Transaction.objects.get(kind="adjustment").actor_name == "olga"
    other.post(f"credits/bulkadjustment/{within.pk}/discard/")
    within.refresh_from_db()
    assert within.status == "discarded"


def test_who_takes_it_back_is_told_as_who_did_it(lea: Desk, fin: Desk, alice: Account) -> None:
    row = checked(lea, (alice.external_id, "50"))
    confirm(lea, row)
    bulk.apply_running_bulks()

    fin.post(f"credits/bulkadjustment/{row.pk}/undo/")
    back = BulkAdjustment.objects.latest("pk")
    confirm(lea, back)
    bulk.apply_running_bulks()
    assert balance(alice) == 150
    confirm(fin, back)
    bulk.apply_running_bulks()

    assert Transaction.objects.get(kind="reversal").actor_name == "fin"


def test_every_step_is_in_the_log_with_before_and_after(lea: Desk, alice: Account) -> None:
    row = checked(lea, (alice.external_id, "50"), ("nobody", "5"))
    other = checked(lea, (alice.external_id, "-15"))
    confirm(lea, row)
    bulk.apply_running_bulks()
    for each, button in ((row, "undo"), (other, "discard")):
        lea.post(f"credits/bulkadjustment/{each.pk}/{button}/")

    acts = {act.action: act for act in StaffAct.objects.filter(action__contains="bulk")}
    names = ("Status", "Lines", "Added", "Taken")
    told = {
        name: tuple([said[each] for each in names] for said in (act.before, act.after)) for name, act in acts.items()
    }
    assert told == {
        "bulk": (["Checked, not confirmed", "1", "50", "0"], ["Running", "1", "50", "0"]),
        "finish-bulk": (["Running", "1", "50", "0"], ["Done", "1", "50", "0"]),
        "undo-bulk": (["Done", "1", "50", "0"], ["Checked, not confirmed", "1", "0", "50"]),
        "discard-bulk": (["Checked, not confirmed", "1", "0", "15"], ["Discarded", "1", "0", "15"]),
    }
    assert acts["finish-bulk"].after["Refused"] == "0"
    assert {name: act.actor_name for name, act in acts.items()} == {
        "bulk": "lea", "finish-bulk": "Florin", "undo-bulk": "lea", "discard-bulk": "lea",
    }  # fmt: skip
    assert {act.ticket for act in acts.values()} == {"SUP-9"}


def test_of_one_that_runs_nobody_can_ask(lea: Desk, alice: Account) -> None:
    row = checked(lea, (alice.external_id, "6000"))
    bulk.confirm_bulk(bulk=row.pk, actor=Actor("staff", str(lea.user.pk), "lea"))

    assert f"bulkadjustment/{row.pk}/" in confirm(lea, row)

    assert not ApprovalRequest.objects.exists()


def test_refused_or_lapsed_it_can_be_asked_for_again(lea: Desk, fin: Desk, alice: Account, settings: Any) -> None:
    row = checked(lea, (alice.external_id, "6000"))
    confirm(lea, row)
    decide(fin, ApprovalRequest.objects.get(), "refuse")
    settings.APPROVAL_HOURS = 0
    confirm(lea, row)

    assert approvals.waiting_of(bulk=row.pk) is None
    assert "Ask for approval" in shown(lea, row)
    confirm(lea, row)

    assert list(ApprovalRequest.objects.order_by("pk").values_list("status", flat=True)) == [
        "refused", "lapsed", "waiting",
    ]  # fmt: skip


def test_the_request_shows_what_it_would_add_and_take(lea: Desk, fin: Desk, alice: Account, bob: Account) -> None:
    row = checked(lea, (bob.external_id, "6000"), (alice.external_id, "-40"), ("nobody", "7"))
    confirm(lea, row)

    seen = text(fin.get(page(ApprovalRequest.objects.get())))

    assert "Wrong lines, left out" in seen
    for figure in ("2", "+6,000 credits", "−40 credits", "1"):
        assert f'f-after">{figure}</td>' in seen
    assert f"/admin/credits/bulkadjustment/{row.pk}/change/" in seen


def test_what_changed_since_it_was_looked_at_is_not_done(lea: Desk, fin: Desk, alice: Account, bob: Account) -> None:
    row = checked(lea, (bob.external_id, "6000"), (alice.external_id, "-40"))
    confirm(lea, row)
    asked = ApprovalRequest.objects.get()
    seen = fin.get(page(asked))
    spend(alice, 70)

    decide(fin, asked, shown=seen)

    assert BulkAdjustment.objects.get().status == "checked"
    assert "−40 credits" not in text(fin.get(page(asked)))
    decide(fin, asked)
    assert BulkAdjustment.objects.get().status == "running"


def test_when_it_is_approved_a_worker_is_told_at_once(lea: Desk, fin: Desk, alice: Account, settings: Any) -> None:
    confirm(lea, checked(lea, (alice.external_id, "6000")))
    queue = redis.Redis.from_url(settings.REDIS_URL)
    queue.delete(work.QUEUE)

    decide(fin, ApprovalRequest.objects.get())

    waiting = queue.lrange(work.QUEUE, 0, -1)
    queue.delete(work.QUEUE)
    assert [json.loads(each)["headers"]["task"] for each in waiting] == ["florin.apply_bulk_adjustments"]


def test_of_one_that_was_discarded_the_request_says_so(lea: Desk, fin: Desk, alice: Account) -> None:
    row = checked(lea, (alice.external_id, "6000"))
    confirm(lea, row)
    seen = fin.get(page(ApprovalRequest.objects.get()))
    lea.post(f"credits/bulkadjustment/{row.pk}/discard/")

    decide(fin, ApprovalRequest.objects.get(), shown=seen)

    assert "It is decided already: withdrawn" in text(fin.get(page(ApprovalRequest.objects.get())))
