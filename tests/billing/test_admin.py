"""The desk: what is sold, what was paid, what the provider told, and the button that really runs an event again."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import Difference, Invoice, Payment, ProviderEvent, Refund
from billing.services import reconciliation, refunds
from credits.models import Account, Hold
from tests.billing.till import WHO, Till, standing
from tests.factories import spend
from tests.fakes.stripe import Fault


@pytest.fixture
def desk(till: Till) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("carol"))
    return client


@pytest.fixture
def refunded(till: Till, bob: Account) -> Till:
    till.fake.refund(till.charge(till.buy(bob)), 100)
    till.deliver()
    return till


@pytest.mark.parametrize("page", ["payment", "invoice", "providerevent", "pack", "difference", "autotopup"])
def test_every_page_opens(desk: Client, refunded: Till, page: str) -> None:
    assert desk.get(f"/admin/billing/{page}/").status_code == 200
    assert desk.get(f"/admin/billing/{page}/?q=pi_x").status_code == 200


def test_a_payment_tells_what_went_back(desk: Client, refunded: Till) -> None:
    page = desk.get(f"/admin/billing/payment/{Payment.objects.get().pk}/change/").content.decode()

    assert "1.00 USD" in page
    assert "Refunded in part" in page
    assert "Pack 100 credits" in page


def test_an_invoice_tells_what_it_paid_for_and_brought(desk: Client, till: Till, bob: Account) -> None:
    reference = till.subscribe(bob)
    till.deliver()
    row = Invoice.objects.get()

    page = desk.get(f"/admin/billing/invoice/{row.pk}/change/").content.decode()

    assert "29.00 USD" in page
    assert f"https://dashboard.stripe.com/test/invoices/{row.provider_id}" in page
    assert f"https://dashboard.stripe.com/test/subscriptions/{reference}" in page
    assert f"/admin/billing/payment/{Payment.objects.get().pk}/change/" in page
    assert ">Plan credits +1,000 credits</a>" in page
    assert "The plan began" in page


class TestUnderDispute:
    @pytest.fixture
    def disputed(self, till: Till, bob: Account) -> Payment:
        checkout = till.buy(bob)
        till.deliver()
        spend(bob, 30)
        till.fake.open_dispute(till.charge(checkout), 1000)
        till.deliver()
        return Payment.objects.get()

    def test_a_payment_tells_what_is_frozen_and_spent(self, desk: Client, disputed: Payment) -> None:
        page = desk.get(f"/admin/billing/payment/{disputed.pk}/change/").content.decode()

        assert "70 of 100 credits are held frozen, 30 were spent or had expired." in page
        assert "Top-up +100 credits" in page
        assert "Waits for our answer" in page
        assert "needs response" not in page

    def test_offers_no_refund_and_says_why(self, desk: Client, disputed: Payment) -> None:
        page = f"/admin/billing/payment/{disputed.pk}/"

        shown = desk.get(f"{page}change/").content.decode()

        assert f"{page}refund" not in shown
        assert "Nothing can be refunded before that." in shown
        told = desk.post(f"{page}refund/", {"reason": "Asked"}).content.decode()
        assert "the bank decides who has the money" in told

    def test_its_hold_ends_when_the_bank_decides(self, desk: Client, disputed: Payment, bob: Account) -> None:
        pages = ("/admin/credits/hold/", f"/admin/credits/hold/{Hold.objects.get().pk}/change/")

        for page in (*pages, f"/admin/credits/account/{bob.pk}/change/"):
            assert "until the bank decides" in desk.get(page).content.decode()


def test_a_refund_names_the_account_and_what_is_left(desk: Client, refunded: Till, bob: Account) -> None:
    row = Payment.objects.get()
    button = f"/admin/billing/payment/{row.pk}/refund/"

    form = desk.get(button).content.decode()
    preview = desk.post(button, {"amount": "4", "reason": "Bought twice"}).content.decode()

    for page in (form, preview):
        assert bob.external_id in page
        assert "10.00 USD were paid, of which 9.00 USD are left." in page
        assert "Amount in USD" in page
    for told in ("+4.00 USD", "+40 credits", "<dt>Amount in USD</dt><dd>4.00 USD</dd>"):
        assert told in preview


def test_a_refund_tells_why_it_was_ordered_here(desk: Client, paid: Payment) -> None:
    refunds.refund_payment(once=None, payment=paid.provider_id, amount_minor=400, reason="Bought twice", actor=WHO)

    listed = desk.get("/admin/billing/refund/").content.decode()

    assert "Bought twice" in listed
    assert "Bought twice" in desk.get(f"/admin/billing/refund/{Refund.objects.get().pk}/change/").content.decode()


def test_a_refund_is_asked_for_in_the_currency_s_own_places(desk: Client, till: Till, bob: Account) -> None:
    till.buy(bob)
    till.deliver()
    row = Payment.objects.get()
    button = f"/admin/billing/payment/{row.pk}/refund/"

    fine = desk.post(button, {"amount": "0.005", "reason": "Half a cent"}).content.decode()
    assert "at most 2 decimal places" in fine

    too_much = desk.post(button, {"amount": "10.01", "reason": "A cent too much"}).content.decode()
    assert "Between 0.01 USD and 10.00 USD can be given back." in too_much


def test_a_webhook_that_fails_just_now_is_seen_by_all_who_look(desk: Client, till: Till, bob: Account) -> None:
    till.buy(bob)
    paid = next(each for each in till.news() if each["type"] == "payment_intent.succeeded")
    till.fake.api.faults.extend([Fault(), Fault(), Fault()])

    till.deliver([paid])

    assert till.unhappy() != []
    start = desk.get("/admin/").content.decode()
    assert "1" in start.split("Webhooks tried again")[1].split("</a>")[0]
    account = desk.get(f"/admin/credits/account/{bob.pk}/change/").content.decode()
    assert "payment_intent.succeeded" in account.split("Webhooks of this customer")[1]


def test_replay_really_runs_an_event_again(desk: Client, till: Till, bob: Account) -> None:
    till.buy(bob)
    paid: dict[str, Any] = next(each for each in till.news() if each["type"] == "payment_intent.succeeded")
    till.knock(paid)
    ProviderEvent.objects.update(state="failed", next_try_at=None, error="RuntimeError")
    row = ProviderEvent.objects.get()
    assert "RuntimeError" in desk.get(f"/admin/billing/providerevent/{row.pk}/change/").content.decode()

    button = f"/admin/billing/providerevent/{row.pk}/replay/"
    assert b"Replay the webhook?" in desk.get(button).content
    assert desk.post(button).status_code == 302
    till.work()

    assert standing(bob)[0] == 100
    assert ProviderEvent.objects.get().state == "done"


def test_repair_looks_up_what_differs_and_says_who_did_it(desk: Client, till: Till, bob: Account) -> None:
    till.buy(bob)
    reconciliation.list_differences()
    row = Difference.objects.get()
    assert b"Differences from Stripe" in desk.get("/admin/").content
    assert row.subject in desk.get("/admin/billing/difference/?state=open").content.decode()

    button = f"/admin/billing/difference/{row.pk}/repair/"
    assert b"Repair the difference?" in desk.get(button).content
    assert standing(bob)[0] == 0
    told = desk.post(button, follow=True).content.decode()

    assert "Both agree again." in told
    assert standing(bob)[0] == 100
    row.refresh_from_db()
    assert row.resolved_by == "carol"
    assert row.subject not in desk.get("/admin/billing/difference/?state=open").content.decode()
    assert "Both agree again already." in desk.post(button, follow=True).content.decode()


def test_repair_says_what_stands_in_the_way(desk: Client, till: Till, bob: Account) -> None:
    till.buy(bob)
    reconciliation.list_differences()
    till.fake.api.faults.extend([Fault(), Fault(), Fault()])

    told = desk.post(f"/admin/billing/difference/{Difference.objects.get().pk}/repair/", follow=True).content.decode()

    assert "StripeUnreachable" in told
    assert Difference.objects.get().resolved_at is None


def test_compare_now_leaves_the_work_to_a_worker(desk: Client, till: Till) -> None:
    assert b"Compare now?" in desk.get("/admin/billing/difference/compare/").content
    assert "A worker compares now." in desk.post("/admin/billing/difference/compare/", follow=True).content.decode()


def test_only_who_may_repairs(till: Till, bob: Account) -> None:
    till.buy(bob)
    reconciliation.list_differences()
    agent = User.objects.create_user("dave", is_staff=True)
    client = Client()
    client.force_login(agent)
    for button in (f"{Difference.objects.get().pk}/repair/", "compare/"):
        assert client.post(f"/admin/billing/difference/{button}").status_code == 403
    assert standing(bob)[0] == 0


def test_of_support_the_account_page_asks_little(till: Till, bob: Account) -> None:
    till.fake.refund(till.charge(till.buy(bob)), 100)
    till.deliver()
    till.subscribe(bob)
    till.deliver()
    user, client = User.objects.create_user("sam", is_staff=True), Client()
    user.groups.set(Group.objects.filter(name="Support"))
    client.force_login(user)

    with CaptureQueriesContext(connection) as queries:
        page = client.get(f"/admin/credits/account/{bob.pk}/change/").content.decode()

    assert "Pack 100 credits" in page
    assert "cus_" in page
    assert len(queries) <= 20, "\n".join(each["sql"][:150] for each in queries)


@pytest.mark.parametrize(("role", "offered"), [("Support", False), ("Support lead", True), ("Auditor", False)])
def test_a_payment_is_given_back_from_the_account_page(till: Till, bob: Account, role: str, offered: bool) -> None:
    till.buy(bob)
    till.deliver()
    user, client = User.objects.create_user("sam", is_staff=True), Client()
    user.groups.set(Group.objects.filter(name=role))
    client.force_login(user)

    page = client.get(f"/admin/credits/account/{bob.pk}/change/").content.decode()

    assert (f"/admin/billing/payment/{Payment.objects.get().pk}/refund/" in page) == offered
    assert "Open in Stripe" in page
