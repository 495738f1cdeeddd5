"""Bulk adjustments: checked, shown, applied once per line whatever happens, taken back."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from credits.models import Account, BulkAdjustment, BulkLine, Transaction
from credits.plan import Actor
from credits.services import bulk
from tests.admin.conftest import Desk, text
from tests.factories import hold, make_account, spend
from tests.processes import ROOT, environment, until_alone

GOOD = "external_id,amount,note\nalice@example.com,50,Sorry\nbob,12\n"


def upload(desk: Desk, content: str | bytes, **fields: str) -> Any:
    raw = content.encode() if isinstance(content, str) else content
    file = SimpleUploadedFile("goodwill.csv", raw, content_type="text/csv")
    asked = {"unit": "credits", "reason": "compensation", "note": "Outage", "ticket": "SUP-3", **fields}
    return desk.post("credits/bulkadjustment/upload/", file=file, **asked)


def checked(desk: Desk, content: str = GOOD) -> BulkAdjustment:
    answer = upload(desk, content)
    assert answer.status_code == 302, text(answer)
    return BulkAdjustment.objects.latest("pk")


def press(desk: Desk, row: BulkAdjustment, button: str) -> Any:
    return desk.post(f"credits/bulkadjustment/{row.pk}/{button}/")


def balances(*accounts: Account) -> list[Decimal]:
    return [Account.objects.get(pk=account.pk).balance for account in accounts]


def test_lines_are_shown_and_nothing_moves_before_it_is_confirmed(dave: Desk, alice: Account, bob: Account) -> None:
    row = checked(dave)

    page = text(dave.get(f"credits/bulkadjustment/{row.pk}/change/"))

    assert "+62" in page
    assert "Apply 2 lines" in page
    bulk.apply_running_bulks()
    assert balances(alice, bob) == [100, 0]


def test_confirmed_twice_it_is_done_once(dave: Desk, alice: Account, bob: Account) -> None:
    row = checked(dave)

    for _ in range(2):
        press(dave, row, "confirm")
        bulk.apply_running_bulks()

    assert balances(alice, bob) == [150, 12]
    row.refresh_from_db()
    assert (row.status, row.done_count, row.refused_count) == ("done", 2, 0)
    movement = Transaction.objects.get(account=alice, kind="adjustment")
    assert (movement.actor_name, movement.reason, movement.description) == ("dave", "compensation", "Sorry")


def test_it_is_taken_back_by_lines_that_are_shown_first(dave: Desk, alice: Account, bob: Account) -> None:
    row = checked(dave)
    press(dave, row, "confirm")
    bulk.apply_running_bulks()
    spend(bob, 12)

    press(dave, row, "undo")
    back = BulkAdjustment.objects.latest("pk")
    assert balances(alice, bob) == [150, 0]
    press(dave, back, "confirm")
    bulk.apply_running_bulks()

    assert balances(alice, bob) == [100, 0]
    back.refresh_from_db()
    assert (back.done_count, back.refused_count, back.bad_count) == (1, 0, 1)
    assert "Taken back" in text(dave.get(f"credits/bulkadjustment/{row.pk}/change/"))


def test_what_was_discarded_is_never_done(dave: Desk, alice: Account, bob: Account) -> None:
    row = checked(dave)

    press(dave, row, "discard")
    press(dave, row, "confirm")
    bulk.apply_running_bulks()

    assert balances(alice, bob) == [100, 0]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nobody,5", "no such account"),
        ("bob,five", "is no amount"),
        ("bob,", "is no amount"),
        ("bob,NaN", "is no amount"),
        ("bob,1.000", "a dot separates no thousands"),
        ("bob,1_000", "is no amount"),
        ("bob,1e3", "is no amount"),
        ("bob,１２", "is no amount"),
        ("bob,+-5", "is no amount"),
        ("bob,.5", "is no amount"),
        ("bob,0", "changes nothing"),
        ("bob,0.5", "decimal places"),
        ("bob,1000000000000000000000000000000", "too large"),
        ("alice@example.com,1", "in the file already"),
        ("bob,-1", "It takes 1, and the account has 0 that can be taken."),
        ("<script>alert(1)</script>,1", "no such account"),
        ("bob,1,000,sorry", "more than three columns: write amounts without thousands separators"),
        ("bob,1,Sorry, Bob", "put a note with commas in quotes"),
        ("bob,-1,000", "seems to have a thousands separator"),
        ("bob,1,000.50", "seems to have a thousands separator"),
        ('bob,1,"Sorry', "A quote is not closed"),
        ('bob,1,"Sorry" Bob', "A quote is not closed"),
        ('"bob,1', "A quote is not closed"),
    ],
)
def test_wrong_lines_are_told_and_left_out(dave: Desk, alice: Account, bob: Account, line: str, words: str) -> None:
    row = checked(dave, f"alice@example.com,1\n{line}\n")

    page = text(dave.get(f"credits/bulkadjustment/{row.pk}/change/"))

    assert words in page
    assert "<script>alert" not in page
    report = b"".join(dave.get(f"credits/bulkadjustment/{row.pk}/report/?wrong=1").streaming_content).decode()
    assert words in report
    assert report.count("\n") == 2


def test_what_is_held_cannot_be_taken(dave: Desk, alice: Account, bob: Account) -> None:
    hold(alice, 70)

    row = checked(dave, "alice@example.com,-31\nbob,5\n")

    assert "It takes 31, and the account has 30 that can be taken." in text(
        dave.get(f"credits/bulkadjustment/{row.pk}/change/")
    )
    assert (row.bad_count, row.total_taken) == (1, 0)
    assert checked(dave, "alice@example.com,-30\n").bad_count == 0


def test_what_is_spent_meanwhile_is_refused_when_it_is_applied(dave: Desk, alice: Account, bob: Account) -> None:
    row = checked(dave, "alice@example.com,-60\nbob,5\n")
    spend(alice, 50)

    press(dave, row, "confirm")
    bulk.apply_running_bulks()

    row.refresh_from_db()
    assert (balances(alice, bob), row.done_count, row.refused_count) == ([50, 5], 1, 1)


def test_the_same_lines_again_are_told(dave: Desk, alice: Account, bob: Account) -> None:
    first, other = checked(dave), checked(dave, "bob,5\n")
    again = checked(dave)

    def seen(row: BulkAdjustment) -> str:
        return text(dave.get(f"credits/bulkadjustment/{row.pk}/change/"))

    assert "uploaded before" in seen(again)
    assert f"/admin/credits/bulkadjustment/{first.pk}/change/" in seen(again)
    assert "uploaded before" not in seen(first) + seen(other)
    press(dave, first, "discard")
    assert "uploaded before" not in seen(again)


def test_a_quote_that_is_not_closed_swallows_no_line(dave: Desk, alice: Account, bob: Account) -> None:
    row = checked(dave, 'nobody,5,"Sorry\nalice@example.com,5\r\nbob,7,"Sorry, Bob"\n')

    assert list(row.lines.values_list("number", "external_id", "amount", "status")) == [
        (1, "nobody", None, "bad"), (2, "alice@example.com", 5, "ready"), (3, "bob", 7, "ready"),
    ]  # fmt: skip
    assert row.lines.get(number=3).note == "Sorry, Bob"


def test_a_note_over_two_lines_is_told(dave: Desk, alice: Account, bob: Account) -> None:
    row = checked(dave, 'bob,7,"Sorry\nfor this"\nalice@example.com,5\n')

    assert list(row.lines.values_list("number", "status")) == [(1, "bad"), (2, "bad"), (3, "ready")]


def test_empty_columns_at_the_end_and_semicolons_are_fine(dave: Desk, alice: Account, bob: Account) -> None:
    row = checked(dave, "external_id,amount,note,\nbob,7,,\nalice@example.com,5,Sorry,,,\n")
    other = checked(dave, "alice@example.com;1;000\nbob;7;Sorry, Bob, again\n")

    assert (row.bad_count, row.total_added, other.bad_count, other.total_added) == (0, 12, 0, 8)


def test_fifty_thousand_lines_are_read(dave: Desk, alice: Account) -> None:
    lines = "".join(f'nobody-{number},{number + 1},"Sorry, {number}"\n' for number in range(49_999))

    row = checked(dave, f"{lines}alice@example.com,5\n")

    assert (row.lines_count, row.bad_count, row.total_added) == (50_000, 49_999, 5)


@pytest.mark.parametrize("content", ["", "\n\n", "external_id,amount\n", b"\xff\xfe\x00", b"a,1\x00"])
def test_bad_files_are_refused(dave: Desk, alice: Account, content: str | bytes) -> None:
    answer = upload(dave, content)

    assert answer.status_code == 200
    assert not BulkAdjustment.objects.exists()


def test_nobody_else_may(eve: Desk, dave: Desk, alice: Account, bob: Account) -> None:
    row = checked(dave)

    assert upload(eve, GOOD).status_code == 403
    assert dave.get(f"credits/bulkadjustment/{row.pk}/confirm/").status_code == 403
    for button in ("confirm", "discard", "undo"):
        assert press(eve, row, button).status_code == 403


DYING = """
import os, signal, sys
import django
django.setup()
from credits.services import bulk
bulk.SLICE = int(sys.argv[1])
done = 0
post = bulk.post_batch
def dying(**asked):
    global done
    outcomes = post(**asked)
    done += 1
    if done == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return outcomes
bulk.post_batch = dying
bulk.apply_running_bulks()
"""


def die_in_the_third_slice(lines: int) -> int:
    """Apply in slices of so many lines, killed when the third is posted and not committed. Returns how it ended."""
    command = [sys.executable, "-c", DYING, str(lines)]
    status = subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode
    # Its slice stays locked until the server knows that it died.
    until_alone()
    return status


def test_a_worker_killed_in_the_middle_is_taken_up(committed: None, monkeypatch: Any) -> None:
    dave = Desk("dave", superuser=True)
    owners = [make_account(external_id=f"o-{number}") for number in range(50)]
    row = checked(dave, "".join(f"o-{number},{number + 1}\n" for number in range(50)))
    assert bulk.confirm_bulk(bulk=row.pk, actor=Actor("staff", str(dave.user.pk), "dave"))

    assert die_in_the_third_slice(10) == -9
    assert BulkLine.objects.filter(status="done").count() == 20
    bulk.apply_running_bulks()
    assert balances(*owners) == [number + 1 for number in range(50)]
    assert Transaction.objects.count() == 50
