"""The one box: each kind of id, put in, leads to the page itself; what may not be seen is said to be there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from billing.models import Invoice
from credits.admin import show
from credits.models import Account, ApprovalRequest, StaffAct, Transaction
from credits.plan import Actor
from credits.services.bulk import Asked, Why, check_bulk
from credits.services.keys import create_api_key
from tests.admin.conftest import Desk, staff, text
from tests.admin.test_approvals import ask
from tests.factories import give, hold, make_account, spend

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def find(desk: Desk, term: str) -> Any:
    return desk.client.get("/admin/find/", {"q": term})


def refuse(api: Any, key: str) -> str:
    """Let a request be refused and return its id."""
    answer = api.post("/api/v1/accounts/alice@example.com/debits", {"amount": 5000}, once=key)
    assert answer.status_code == 402
    return str(answer.headers["X-Request-ID"])


def test_a_reference_of_the_api_is_found_by_its_id_or_with_its_type(dave: Desk, alice: Account, api: Any) -> None:
    asked = {"amount": 1, "reference_type": "order", "reference_id": "FL-4242"}
    assert api.post("/api/v1/accounts/alice@example.com/debits", asked).status_code == 201

    page = show.page_of(Transaction, Transaction.objects.get(reference_id="FL-4242").pk)
    for term in ("FL-4242", "order FL-4242", "order:FL-4242"):
        assert find(dave, term).url == page


def test_what_was_refused_is_found_by_its_key_and_by_its_request(dave: Desk, alice: Account, api: Any) -> None:
    request_id = refuse(api, "once-402")

    for term in ("once-402", request_id):
        page = dave.client.get("/admin/find/", {"q": term}, follow=True)
        assert page.redirect_chain[-1][0].startswith(reverse("desk-answer"))
        for said in ("Refused: 402", "once-402", request_id, show.page_of(Account, alice.pk), "5,000"):
            assert said in text(page) or said.replace(",", "") in text(page), said


def test_an_answer_of_staff_is_nobodys_to_look_up(dave: Desk, alice: Account) -> None:
    dave.confirm(alice, "adjust", amount="5", reason="goodwill", note="", ticket="")

    page = dave.get(f"find/answer/?owner=staff:{dave.user.pk}&key=x")

    assert "Nothing is kept under this key" in text(page)


def test_a_ticket_leads_to_what_was_done_for_it(alice: Account, dave: Desk) -> None:
    dave.confirm(alice, "adjust", amount="5", reason="goodwill", note="", ticket="SUP-77")
    act = StaffAct.objects.get(ticket="SUP-77")

    assert find(dave, "SUP-77").url == show.page_of(StaffAct, act.pk)
    assert find(dave, act.request_id).url == show.page_of(StaffAct, act.pk)
    # Support does not read the log: the account's page tells what was done there.
    assert find(staff("sam", "Support"), "SUP-77").url == show.page_of(Account, alice.pk)


def test_a_ticket_leads_to_what_waits_for_approval(alice: Account) -> None:
    row = ask(staff("sam", "Support"), alice)

    page = text(find(staff("lea", "Support lead"), row.ticket))

    assert show.page_of(ApprovalRequest, row.pk) in page
    assert "Staff acts" in page


def test_who_may_not_see_keys_is_told_that_there_is_one(alice: Account, database: None) -> None:
    sam = staff("sam", "Support")
    row, key = create_api_key(name="web-prod", scopes=["credits:read"])
    other, _ = create_api_key(name="theirs", owner=alice.external_id, scopes=["credits:read"])

    # A whole key stays in no address.
    assert find(sam, key).url == f"/admin/find/?q={row.prefix}"
    page = text(find(sam, row.prefix))
    assert f"{row.prefix}…" in page
    assert "web-prod, of web-prod: known. More of it is for Auditor and Engineer to see." in page
    assert find(sam, other.prefix).url == show.page_of(Account, alice.pk)
    assert "web-prod" not in text(find(Desk("eve2"), row.prefix))


@pytest.mark.parametrize("term", ["eriksen", "ada", "ada.erik", "zephyr", "mobility", "Eriksen Ada", "north"])
def test_accounts_are_found_by_the_beginning_of_any_word(dave: Desk, alice: Account, term: str) -> None:
    account = make_account(external_id="org-zephyr-mobility", name="A. Eriksen", email="ada.eriksen@north.example")

    assert find(dave, term).url == show.page_of(Account, account.pk)
    listed = dave.get(f"credits/account/?q={term}").context["cl"].result_list
    assert [row.pk for row in listed] == [account.pk]


@pytest.fixture
def billed(alice: Account) -> dict[str, str]:
    """Return where each id of the payment provider's leads."""
    invoice = Invoice.objects.create(
        provider_id="in_0001", account=alice, livemode=False, currency="EUR", number="FL-0001", amount_minor=2900,
        status="paid", occurred_at=NOW, updated_at=NOW, subscription_reference="sub_0001",
    )  # fmt: skip
    return {each: show.page_of(Invoice, invoice.pk) for each in ("in_0001", "FL-0001")}


def test_an_invoice_leads_to_its_page(dave: Desk, billed: dict[str, str]) -> None:
    for term, page in billed.items():
        assert find(dave, term).url == page


def test_each_kind_of_id_leads_to_the_page_itself(dave: Desk, alice: Account, api: Any) -> None:
    spent = spend(alice, 1, reference_type="trace", reference_id="tr-1", request_id="req-1")
    held = hold(alice, 1)
    lot = alice.grants.get()
    give(alice, 5)
    account = show.page_of(Account, alice.pk)
    for term, page in {
        "alice@example.com": account,
        str(alice.pk): account,
        "tr-1": show.page_of(Transaction, spent.id),
        "req-1": show.page_of(Transaction, spent.id),
        str(spent.id): show.page_of(Transaction, spent.id),
        str(held.id): f"/admin/credits/hold/{held.id}/change/",
        str(lot.pk): f"/admin/credits/grant/{lot.pk}/change/",
        api.row.prefix: f"/admin/credits/apikey/{api.row.pk}/change/",
    }.items():
        assert find(dave, term).url == page, term
    assert Group.objects.exists()


def test_a_bulks_ticket_leads_support_to_its_accounts(alice: Account) -> None:
    why = Why(Actor("staff", "1", "lea"), "goodwill", ticket="OPS-77")
    check_bulk(file_name="outage.csv", unit="credits", lines=[Asked(1, alice.external_id, "5")], why=why)

    answer = find(staff("sam", "Support"), "OPS-77")

    assert answer["Location"].endswith(f"/credits/account/{alice.pk}/change/")


def test_a_key_leads_to_the_movement_that_was_made_with_it(dave: Desk, alice: Account, api: Any) -> None:
    made = api.post("/api/v1/accounts/alice@example.com/debits", {"amount": 5}, once="job-9").json()

    assert find(dave, "job-9")["Location"] == f"/admin/credits/transaction/{made['id']}/change/"
