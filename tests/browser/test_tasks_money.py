"""Tickets about payments and plans, from the customer's words to the end in the books: at a stand-in for Stripe, with
a real worker, its own webhooks and a real mail server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.utils import timezone
from playwright.sync_api import Browser

from billing.models import EventState, Payment, ProviderEvent
from credits.models import Account, StaffAct, Transaction
from credits.services.locks import read_account
from subscriptions.models import Subscription
from tests.billing.till import Till, standing
from tests.browser import customers
from tests.browser.agents import Hire, finished, hiring
from tests.browser.customers import customer, use
from tests.conftest import gateway_settings, stripe_settings
from tests.fakes.portkey import FakePortkey
from tests.fakes.post import PostOffice
from tests.fakes.stripe import FakeStripe, Fault
from tests.processes import until, web


@pytest.fixture
def post() -> Iterator[PostOffice]:
    with PostOffice() as post:
        yield post


@pytest.fixture
def site(worker: object, portkey: FakePortkey, fake_stripe: FakeStripe, post: PostOffice) -> Iterator[str]:
    """The web server with its worker, a provider that sends its webhooks by itself, and a post office."""
    with web(**gateway_settings(portkey), **stripe_settings(fake_stripe), **post.settings) as base:
        fake_stripe.webhooks(f"{base}/webhooks/stripe")
        fake_stripe.deliveries.start()
        yield base
        fake_stripe.deliveries.stop()


@pytest.fixture
def hire(browser: Browser, site: str) -> Iterator[Hire]:
    customers.open_shop()
    with hiring(browser, site) as hire:
        yield hire


@pytest.fixture
def till(hire: Hire, fake_stripe: FakeStripe) -> Till:
    return Till(fake_stripe)


def balance(account: Account) -> Decimal:
    return read_account(account.pk).balance


def test_credits_missing_after_a_payment(hire: Hire, till: Till, fake_stripe: FakeStripe) -> None:
    """“I paid and have no credits”, writes Ada: none of the webhooks about it ever came."""
    ada = customer(bought=300)
    before = balance(ada)
    fake_stripe.deliveries.plan = lambda _: []
    till.buy(ada, "large")
    carol = hire("Support")

    carol.find("ada.eriksen@example.com")
    carol.sees("Nothing was paid through Stripe yet.")
    carol.menu("More", "Re-sync from Stripe")
    carol.sees("Pages to pay on", "1")
    carol.shot("02-credits-missing-preview")
    carol.click("Confirm")
    carol.sees("Asked Stripe anew", "Pack 1,000 credits")
    carol.shot("02-credits-missing", at="#movements")

    assert balance(ada) == before + 1000
    assert Payment.objects.get(account=ada).status == "succeeded"
    assert StaffAct.objects.get(account=ada, action="resync").actor_name == "carol"
    finished("Credits missing after a payment", carol)


def test_wrong_plan_after_an_upgrade(hire: Hire, till: Till) -> None:
    """“I ordered Premium and am on Pro”, writes Noor, who pays for it through Stripe."""
    noor = customer("noor", bought=0)
    till.subscribe(noor, "PRO")
    until(lambda: Subscription.objects.filter(account=noor, status="active").exists(), "Nobody told of the plan.")
    until(lambda: balance(noor) == 1000, "The plan's credits never came.")
    carol = hire("Support")

    carol.find("noor.haddad@example.com")
    carol.menu("Plan", "Change the plan")
    carol.choose("Plan", "Premium (PREMIUM v1)")
    carol.fill("Why", "Ordered Premium, the app sent Pro")
    carol.fill("Ticket", "SUP-2105")
    carol.click("Preview")
    carol.sees("PREMIUM v1")
    carol.shot("04-wrong-plan-preview")
    carol.click("Confirm")
    carol.sees("The plan is changed to Premium.")
    carol.shot("04-wrong-plan", at="#subscription")

    until(lambda: Subscription.objects.get(account=noor).plan_version.plan_id == "PREMIUM", "The plan stayed.")
    until(lambda: balance(noor) == 10_000, "The plan's credits never came.")
    act = StaffAct.objects.get(account=noor, action="change-plan")
    assert (act.actor_name, act.before["Plan"], act.after["Plan"]) == ("carol", "PRO v1", "PREMIUM v1")
    finished("Wrong plan after an upgrade", carol)


def test_a_failed_webhook(hire: Hire, till: Till, fake_stripe: FakeStripe) -> None:
    """The front page counts a failed webhook: for three days Stripe did not answer about it."""
    felix = customer("felix", bought=300)
    before = balance(felix)
    fake_stripe.deliveries.plan = lambda each: [0.0] if each.event["type"] == "payment_intent.succeeded" else []
    fake_stripe.api.faults.extend(Fault(path="/v1/payment_intents") for _ in range(12))
    till.buy(felix, "large")
    told = ProviderEvent.objects.filter(type="payment_intent.succeeded")
    until(told.exclude(error="").exclude(state=EventState.PROCESSING).exists, "The event never failed.")
    long_ago = timezone.now() - timedelta(days=4)
    told.update(tried_since=long_ago, next_try_at=long_ago)
    call_command("run_due", "--only", "process_inbox")
    until(lambda: told.get().state == EventState.FAILED, "It was tried on and on.")
    fake_stripe.api.faults.clear()
    lena = hire("Support lead", "lena")

    lena.tile("Failed webhooks")
    lena.click("payment_intent.succeeded 80.00 USD", within=lena.page.locator("#result_list"))
    lena.sees("Failed", "StripeUnreachable")
    lena.shot("08-failed-webhook-before")
    lena.click("Replay")
    lena.click("Replay")
    lena.sees("It is processed again in a moment.")
    until(lambda: told.get().state == EventState.DONE, "The replay never ran.")
    lena.page.reload()
    lena.sees("Done")
    lena.shot("08-failed-webhook")

    assert balance(felix) == before + 1000
    finished("A failed webhook", lena)


def test_a_chargeback(hire: Hire, till: Till, fake_stripe: FakeStripe) -> None:
    """Stripe writes of a dispute about Tomas's payment, most of which is spent. He is to spend no more until the bank
    has decided; it decides for him, and what he spent is owed."""
    tomas = customer("tomas", bought=0)
    checkout = till.buy(tomas, "large")
    until(lambda: balance(tomas) == 1000, "The credits never came.")
    use(tomas, "ml-analysis", 14, "Sentiment of the archive")
    dispute = fake_stripe.open_dispute(till.charge(checkout))
    until(Payment.objects.filter(under_dispute=True).exists, "Nobody told of the dispute.")
    lena = hire("Support lead", "lena")

    lena.find(till.intent(checkout))
    lena.sees("Under dispute")
    lena.shot("09-chargeback-payment")
    lena.click("tomas.lindqvist@example.com", within=lena.page.locator("#main"))
    lena.menu("More", "Freeze the account")
    lena.fill("Why", "Chargeback of pack large")
    lena.fill("Ticket", "SUP-2106")
    lena.click("Preview")
    lena.sees("Active", "Frozen")
    lena.click("Confirm")
    lena.sees("Frozen")
    fake_stripe.close_dispute(dispute, "lost")
    until(Transaction.objects.filter(account=tomas, kind="clawback").exists, "Nothing was clawed back.")
    lena.page.reload()
    lena.sees("Debt", "new credits repay it first")
    lena.shot("09-chargeback", at="#main")

    tomas.refresh_from_db()
    assert (tomas.status, standing(tomas)) == ("frozen", (Decimal(0), Decimal(0), Decimal(700)))
    finished("A chargeback", lena)


def test_statement_of_a_leaving_customer(hire: Hire, post: PostOffice) -> None:
    """“I am leaving: please send me what I bought and used”, writes Priya."""
    priya = customer("priya")
    began = timezone.now().date() - timedelta(days=60)
    carol = hire("Support")

    carol.find("priya.nakamura@example.com")
    carol.menu("More", "Send a statement")
    carol.fill("From", str(began))
    carol.click("Preview")
    carol.sees("priya.nakamura@example.com", "Movements")
    carol.shot("10-statement-preview")
    carol.click("Confirm")
    carol.sees("Sent a statement to priya.nakamura@example.com.")
    carol.shot("10-statement", at="#main")

    (letter,) = post.letters
    text = letter.get_content()
    assert letter["To"] == "priya.nakamura@example.com"
    assert str(began) in letter["Subject"]
    assert all(str(row.description) in text for row in Transaction.objects.filter(account=priya))
    finished("A leaving customer's statement", carol)
