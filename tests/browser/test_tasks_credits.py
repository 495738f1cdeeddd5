"""Tickets about credits, from the customer's words to the end in the books: with mouse and keyboard, as the role."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, expect

from credits.models import (
    Account,
    ApprovalRequest,
    BulkAdjustment,
    Grant,
    GrantCategory,
    StaffAct,
    Transaction,
)  # fmt: skip
from credits.services.expiry import expire_due_lots
from credits.services.locks import read_account
from tests.browser import customers
from tests.browser.agents import Hire, finished, hiring
from tests.browser.customers import ago, customer, use
from tests.factories import make_account
from tests.processes import until

LOST = 400
HOURS = 40


@pytest.fixture
def hire(browser: Browser, site: str) -> Iterator[Hire]:
    customers.open_shop()
    with hiring(browser, site) as hire:
        yield hire


def balance(account: Account) -> Decimal:
    return read_account(account.pk).balance


def act_of(account: Account, action: str) -> StaffAct:
    return StaffAct.objects.get(account=account, action=action)


def test_charged_twice(hire: Hire) -> None:
    """“My report was charged twice this morning”, writes Ada."""
    ada = customer()
    first = use(ada, "sandbox-run", 1, "Report for October", at=ago(hours=3))
    second = use(ada, "sandbox-run", 1, "Report for October", at=ago(hours=3, seconds=-4))
    before = balance(ada)
    carol = hire("Support")

    carol.find("ada.eriksen@example.com")
    carol.sees("Report for October")
    carol.click("Refund", within=carol.page.locator("#movements tbody tr").first)
    carol.choose("Reason", "Correction of a mistake")
    carol.fill("Ticket", "SUP-2101")
    carol.click("Preview")
    carol.sees("What would change", "100")
    carol.shot("01-charged-twice-preview")
    carol.click("Confirm")
    carol.sees("Refunded 100 credits.")
    carol.shot("01-charged-twice", at="#movements")

    refund = Transaction.objects.get(account=ada, kind="refund")
    assert (refund.parent_id, refund.amount, balance(ada)) == (second.id, Decimal(100), before + 100)
    assert not Transaction.objects.filter(parent_id=first.id).exists()
    assert (act_of(ada, "refund").ticket, act_of(ada, "refund").actor_name) == ("SUP-2101", "carol")
    finished("Charged twice", carol)


def test_expired_too_early(hire: Hire) -> None:
    """“You promised me till the end of the year”, writes Noor, whose credits lapsed yesterday."""
    noor = customer("noor", bought=500)
    customers.buy(noor, LOST, "FL-4311", at=ago(days=3), expires_at=ago(days=1))
    expire_due_lots()
    lapsed = Transaction.objects.get(account=noor, kind="expiry")
    lost, before = -lapsed.amount, balance(noor)
    ends = (timezone.now() + timedelta(days=HOURS)).replace(hour=23, minute=0, second=0, microsecond=0)
    carol = hire("Support")

    carol.find("noor.haddad@example.com")
    carol.click("Grant anew", within=carol.row("Expiry", "expired"))
    carol.fill("Expires at", f"{ends:%Y-%m-%dT%H:%M}")
    carol.choose("Reason", "Correction of a mistake")
    carol.fill("Ticket", "SUP-2102")
    carol.click("Preview")
    carol.sees("What would change")
    carol.shot("03-expired-too-early-preview")
    carol.click("Confirm")
    carol.sees("Granted")
    carol.shot("03-expired-too-early", at="#movements")

    lot = Grant.objects.get(account=noor, category=GrantCategory.PROMOTIONAL)
    assert (lot.amount, lot.remaining, lot.expires_at) == (lost, lost, ends)
    assert balance(noor) == before + lost
    finished("Expired too early", carol)


def test_quota_stuck(hire: Hire) -> None:
    """“Your runs crashed, now I am told I used them all”, writes Felix, who is on PRO: eight runs a day."""
    felix = customer("felix", plan="PRO", bought=0)
    for number in range(8):
        use(felix, "sandbox-run", 1, f"Build {8100 + number} in a sandbox")
    carol = hire("Support")

    carol.find("felix.okafor@example.com")
    carol.click("Reset", within=carol.row("sandbox-run", "8 of 8"))
    carol.fill("Why", "The runs of this morning crashed")
    carol.fill("Ticket", "SUP-2103")
    carol.click("Preview")
    carol.sees("What would change")
    carol.shot("05-quota-stuck-preview")
    carol.click("Confirm")
    carol.sees("sandbox-run", "0 of 8")
    carol.shot("05-quota-stuck", at="#main")

    assert use(felix, "sandbox-run", 1, "Build 8109 in a sandbox").amount == -100
    finished("Quota stuck", carol)


def test_goodwill_above_the_cap(hire: Hire) -> None:
    """“We lost a day of work”, writes Priya. Carol may give 500 alone; Lena, the lead, gives the 800."""
    priya = customer("priya")
    before = balance(priya)
    carol, lena = hire("Support"), hire("Support lead", "lena")

    carol.find("priya.nakamura@example.com")
    carol.click("Grant")
    carol.fill("Amount", "800")
    carol.choose("Reason", "Goodwill")
    carol.fill("Note", "A day of work lost in the outage")
    carol.fill("Ticket", "SUP-2104")
    carol.click("Preview")
    carol.sees("takes a second person")
    carol.shot("06-goodwill-above-the-cap-preview")
    carol.click("Ask for approval")
    carol.sees("somebody else has to decide")
    assert balance(priya) == before

    lena.page.reload()
    lena.tile("Approvals")
    lena.click("Grant", within=lena.page.locator("#result_list"))
    lena.sees("A day of work lost in the outage", "What would change now")
    lena.shot("06-goodwill-above-the-cap")
    lena.click("Approve and do it")
    lena.sees("Approved and done")

    asked = ApprovalRequest.objects.get()
    assert (asked.status, asked.asked_by_name, asked.decided_by_name) == ("approved", "carol", "lena")
    assert balance(priya) == before + 800
    given = Transaction.objects.get(account=priya, kind="promotion")
    assert (given.actor_name, given.metadata) == ("carol", {"ticket": "SUP-2104", "approved_by": "lena"})
    finished("Goodwill above the cap", carol, lena)


def test_bulk_goodwill_after_an_outage(hire: Hire) -> None:
    """The outage of the night: fifty credits for each of sixty customers, and one line with a typing error."""
    there = [make_account(external_id=f"user-{7000 + number}", balance=100) for number in range(60)]
    lines = [f"{account.external_id},50,Sorry for the outage" for account in there]
    lena = hire("Support lead", "lena")

    lena.click("Bulk adjustments")
    lena.click("Adjust many accounts from a file")
    lena.drop("outage-27-november.csv", "\n".join(["external_id,amount,note", *lines, "user-7O01,50,Sorry"]))
    lena.choose("Reason", "Goodwill")
    lena.fill("Ticket", "OPS-88")
    lena.click("Check the lines")
    lena.sees("There is no such account of this unit.", "+3,000")
    lena.shot("07-bulk-goodwill-preview")
    lena.click("Apply 60 lines")
    until(lambda: BulkAdjustment.objects.get().status == "done", "The bulk was never applied.")
    lena.sees("60 of 60 lines")
    lena.shot("07-bulk-goodwill")

    row = BulkAdjustment.objects.get()
    assert (row.done_count, row.refused_count, row.bad_count) == (60, 0, 1)
    assert {balance(account) for account in there} == {Decimal(150)}
    finished("Bulk goodwill after an outage", lena)


def test_the_box_is_a_key_away(hire: Hire) -> None:
    ada = customer()
    carol = hire("Support")
    carol.open("credits/price/")

    carol.press("/")
    expect(carol.page.get_by_label("Find anything").locator("visible=true").first).to_be_focused()
    carol.page.keyboard.type(str(ada.pk))
    carol.press("Enter")

    carol.sees("Ada Eriksen", "Movements")
