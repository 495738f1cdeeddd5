"""What calls Stripe, against the fake: what it sends, and the small values that come back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing import refusals
from billing.providers.stripe import Stripe
from tests.billing.conftest import DAY, NOW, START, Shop
from tests.fakes.stripe import FakeStripe, Fault

URLS = {"success_url": "http://127.0.0.1:1/done", "cancel_url": "http://127.0.0.1:1/no"}


@pytest.fixture
def stripe(fake: FakeStripe) -> Iterator[Stripe]:
    client = Stripe(fake.url, api_key=fake.key, seconds=10, retries=0)
    yield client
    client.close()


def at(moment: int) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


class TestACustomer:
    def test_is_made_once_for_an_account(self, stripe: Stripe, fake: FakeStripe) -> None:
        def make() -> Any:
            return stripe.create_customer(account_ref="a1", email="a@b.c", name="Ada", idempotency_key="customer-a1")

        first, again = make(), make()

        assert first == again == stripe.customer(first.id)
        assert (first.email, first.name, first.metadata, first.livemode) == ("a@b.c", "Ada", {"account": "a1"}, False)
        assert len(fake.events("customer.created")) == 1

    def test_may_have_neither_address_nor_name(self, stripe: Stripe) -> None:
        made = stripe.create_customer(account_ref="a1", email="", name="", idempotency_key="k")

        assert (made.email, made.name, made.default_payment_method, made.deleted) == ("", "", "", False)

    def test_that_was_deleted_says_so(self, stripe: Stripe, shop: Shop) -> None:
        shop.api.customers.delete(shop.customer.id)

        assert stripe.customer(shop.customer.id).deleted is True

    def test_has_cards(self, stripe: Stripe, fake: FakeStripe, shop: Shop) -> None:
        assert stripe.cards_of(shop.customer.id) == []
        first = fake.save_card(shop.customer)
        second = fake.save_card(shop.customer, "pm_card_mastercard", default=False)

        found = stripe.cards_of(shop.customer.id)

        assert [(card.id, card.brand, card.last4) for card in found] == [
            (second["id"], "mastercard", "4444"),
            (first["id"], "visa", "4242"),
        ]
        assert stripe.customer(shop.customer.id).default_payment_method == first["id"]


class TestCheckout:
    def test_of_a_pack_leads_to_a_charge_with_our_metadata(self, stripe: Stripe, fake: FakeStripe, shop: Shop) -> None:
        session = stripe.checkout_pack(
            customer=shop.customer.id, price=shop.pack.id, quantity=2, reference="a1", metadata={"purchase": "p1"},
            idempotency_key="p1", save_card=True, **URLS,
        )  # fmt: skip
        assert (session.mode, session.status, session.payment_status) == ("payment", "open", "unpaid")
        assert (session.amount_total, session.currency, session.expires_at) == (2000, "usd", at(START + DAY))
        fake.customer_pays(session)

        done = stripe.checkout_session(session.id)
        intent = stripe.payment_intent(done.payment_intent)
        charge = stripe.charge(intent.latest_charge)

        assert (done.status, done.payment_status, done.client_reference_id) == ("complete", "paid", "a1")
        assert (intent.status, intent.amount_received, intent.metadata) == ("succeeded", 2000, {"purchase": "p1"})
        assert (charge.status, charge.amount, charge.metadata) == ("succeeded", 2000, {"purchase": "p1"})
        assert (charge.payment_intent, charge.customer, charge.livemode) == (intent.id, shop.customer.id, False)
        assert stripe.card_to_charge(shop.customer.id) == intent.payment_method

    def test_of_a_plan_leads_to_a_subscription_with_our_metadata(
        self, stripe: Stripe, fake: FakeStripe, shop: Shop
    ) -> None:
        session = stripe.checkout_plan(
            customer=shop.customer.id, price=shop.pro.id, reference="a1", metadata={"account": "a1"},
            idempotency_key="k", trial_days=7, **URLS,
        )  # fmt: skip
        fake.customer_pays(session)

        sub = stripe.subscription(stripe.checkout_session(session.id).subscription)

        assert (sub.status, sub.price, sub.metadata) == ("trialing", shop.pro.id, {"account": "a1"})
        assert sub.trial_end == sub.current_period_end == NOW + timedelta(days=7)

    def test_of_a_card_saves_it(self, stripe: Stripe, fake: FakeStripe, shop: Shop) -> None:
        session = stripe.checkout_card(
            customer=shop.customer.id, reference="a1", metadata={}, idempotency_key="k", currency="usd", **URLS
        )
        fake.customer_pays(session)

        assert stripe.checkout_session(session.id).setup_intent.startswith("seti_")
        assert len(stripe.cards_of(shop.customer.id)) == 1

    def test_is_found_by_its_payment(self, stripe: Stripe, fake: FakeStripe, shop: Shop) -> None:
        session = stripe.checkout_session(fake.customer_pays(shop.session(shop.pack))["id"])
        invoice = stripe.invoice(shop.subscribed().latest_invoice)

        assert stripe.session_of(session.payment_intent) == session
        assert stripe.session_of(invoice.payment_intents[0]) is None
        assert stripe.invoice_of(invoice.payment_intents[0]) == invoice.id
        assert stripe.invoice_of(session.payment_intent) == ""

    def test_may_be_closed(self, stripe: Stripe, shop: Shop) -> None:
        session = shop.session(shop.pack)

        assert (stripe.expire_checkout(session.id).status, stripe.checkout_session(session.id).url) == ("expired", "")

    def test_has_a_portal(self, stripe: Stripe, fake: FakeStripe, shop: Shop) -> None:
        portal = stripe.portal(customer=shop.customer.id, return_url="http://127.0.0.1:1/")

        assert portal.url.startswith(f"{fake.url}/p/session/bps_")


class TestASubscription:
    def test_is_told_with_its_item(self, stripe: Stripe, shop: Shop) -> None:
        sub = stripe.subscription(shop.subscribed().id)

        assert (sub.status, sub.price, sub.quantity, sub.currency) == ("active", shop.pro.id, 1, "usd")
        assert (sub.current_period_start, sub.current_period_end) == (NOW, NOW + timedelta(days=28))
        assert (sub.ending, sub.paused, sub.ended_at, sub.trial_end) == (False, "", None, None)
        assert stripe.subscriptions_of(shop.customer.id) == stripe.subscriptions() == [sub]

    def test_moves_to_another_price_for_what_was_previewed(self, stripe: Stripe, fake: FakeStripe, shop: Shop) -> None:
        sub = shop.subscribed()
        fake.advance(14)
        told = stripe.preview_change(sub.id, price=shop.premium.id, proration="always_invoice")
        later = stripe.preview_change(sub.id, price=shop.premium.id, proration="create_prorations")

        changed = stripe.change_subscription(
            sub.id, price=shop.premium.id, proration="always_invoice", idempotency_key="k"
        )

        assert (told.amount_due, told.prorated, told.subscription) == (1500, 1500, sub.id)
        assert (later.amount_due, later.prorated) == (6500, 1500)
        assert changed.price == shop.premium.id
        assert stripe.invoice(changed.latest_invoice).amount_paid == told.amount_due

    def test_stays_as_it_is_where_the_move_is_not_paid(self, stripe: Stripe, shop: Shop) -> None:
        sub = shop.subscribed("pm_card_authenticationRequired")

        with pytest.raises(refusals.AuthenticationRequired):
            stripe.change_subscription(sub.id, price=shop.premium.id, proration="always_invoice", idempotency_key="k")

        assert stripe.subscription(sub.id).price == shop.pro.id

    def test_runs_out_and_is_taken_back(self, stripe: Stripe, fake: FakeStripe, shop: Shop) -> None:
        sub = shop.subscribed()
        ending = stripe.cancel_subscription(sub.id, at_period_end=True, idempotency_key="1")
        kept = stripe.resume_subscription(sub.id, idempotency_key="2")
        fake.cancel_at_period_end(sub)
        by_portal = stripe.subscription(sub.id)
        again = stripe.resume_subscription(sub.id, idempotency_key="3")

        assert (ending.ending, ending.cancel_at_period_end, ending.cancel_at) == (True, True, ending.current_period_end)
        assert (by_portal.ending, by_portal.cancel_at_period_end) == (True, False)
        assert [kept.ending, again.ending] == [False, False]
        assert stripe.resume_subscription(sub.id, idempotency_key="4") == again

    def test_ends_now(self, stripe: Stripe, shop: Shop) -> None:
        sub = shop.subscribed()
        ended = stripe.cancel_subscription(sub.id, at_period_end=False, idempotency_key="k")

        assert (ended.status, ended.ended_at) == ("canceled", NOW)

    def test_wakes_where_it_was_paused(self, stripe: Stripe, fake: FakeStripe, shop: Shop) -> None:
        ending = {"end_behavior": {"missing_payment_method": "pause"}}
        params = {"items": [{"price": shop.pro.id}], "trial_period_days": 1, "trial_settings": ending}
        sub = shop.api.subscriptions.create({"customer": shop.customer.id, **params})
        fake.advance(1)
        assert stripe.subscription(sub.id).status == "paused"
        fake.save_card(shop.customer)

        assert stripe.resume_subscription(sub.id, idempotency_key="k").status == "active"

    def test_has_invoices(self, stripe: Stripe, fake: FakeStripe, shop: Shop) -> None:
        sub = fake.renew(shop.subscribed(subscription_data={"metadata": {"account": "a1"}}))
        invoice = stripe.invoice(sub["latest_invoice"])

        assert (invoice.status, invoice.billing_reason) == ("paid", "subscription_cycle")
        assert (invoice.subscription, invoice.customer, invoice.metadata) == (
            sub["id"], shop.customer.id, {"account": "a1"},
        )  # fmt: skip
        assert (invoice.amount_due, invoice.amount_paid, invoice.paid_at) == (2000, 2000, at(START + 28 * DAY))
        (line,) = invoice.lines
        assert (line.price, line.amount, line.proration, line.subscription) == (shop.pro.id, 2000, False, sub["id"])
        assert (line.period_start, line.period_end) == (at(START + 28 * DAY), at(START + 59 * DAY))
        assert stripe.payment_intent(invoice.payment_intents[0]).amount == 2000

    def test_has_none_that_paid_where_it_failed(self, stripe: Stripe, fake: FakeStripe, shop: Shop) -> None:
        sub = fake.fail_renewal(shop.subscribed())
        invoice = stripe.invoice(sub["latest_invoice"])

        assert (invoice.status, invoice.payment_intents, invoice.paid_at) == ("open", (), None)
        assert (invoice.attempt_count, invoice.next_payment_attempt) == (1, at(START + 31 * DAY))


class TestMoneyBack:
    def test_is_a_part_or_all_that_is_left(self, stripe: Stripe, shop: Shop) -> None:
        charge = shop.bought()
        part = stripe.refund(charge.id, amount=300, idempotency_key="1", metadata={"refund": "r1"})
        again = stripe.refund(charge.id, amount=300, idempotency_key="1", metadata={"refund": "r1"})
        rest = stripe.refund(charge.payment_intent, amount=None, idempotency_key="2")

        assert part == again == stripe.refund_by_id(part.id)
        assert (part.amount, part.charge, part.status, part.metadata) == (300, charge.id, "succeeded", {"refund": "r1"})
        assert stripe.refunds_of(charge.id) == [rest, part]
        assert (stripe.charge(charge.id).amount_refunded, stripe.charge(charge.id).refunded) == (1000, True)
        with pytest.raises(refusals.StripeRefused) as refused:
            stripe.refund(charge.id, amount=None, idempotency_key="3")
        assert refused.value.reason == "charge_already_refunded"

    def test_of_nothing_is_not_all(self, stripe: Stripe, shop: Shop) -> None:
        charge = shop.bought()
        with pytest.raises(refusals.StripeRefused):
            stripe.refund(charge.id, amount=0, idempotency_key="k")

        assert stripe.refunds_of(charge.id) == []

    def test_by_dispute_is_withheld_until_it_is_won(self, stripe: Stripe, fake: FakeStripe, shop: Shop) -> None:
        charge = shop.bought()
        opened = stripe.dispute(fake.open_dispute(charge)["id"])
        fake.close_dispute(opened, "won")
        closed = stripe.dispute(opened.id)

        assert (opened.status, opened.amount, opened.withheld, opened.charge) == (
            "needs_response", 1000, 1000, charge.id,
        )  # fmt: skip
        assert (closed.status, closed.withheld, stripe.disputes_of(charge.id)) == ("won", 0, [closed])
        assert stripe.charge(charge.id).disputed is True


class TestACardOfSomebodyAway:
    def charge(self, stripe: Stripe, shop: Shop, key: str = "t1", **more: Any) -> Any:
        return stripe.charge_off_session(
            customer=shop.customer.id,
            amount=1500,
            currency="usd",
            idempotency_key=key,
            metadata={"top_up": key},
            **more,
        )

    def test_is_charged_once(self, stripe: Stripe, fake: FakeStripe, shop: Shop) -> None:
        fake.save_card(shop.customer)
        # The answer to the first is lost.
        fake.api.faults.append(Fault(path="payment_intents", after=True, drop=True))
        with pytest.raises(refusals.StripeUnreachable):
            self.charge(stripe, shop)

        paid = self.charge(stripe, shop)

        assert (paid.status, paid.amount_received, paid.metadata) == ("succeeded", 1500, {"top_up": "t1"})
        assert len(fake.events("charge.succeeded")) == 1

    def test_may_be_declined(self, stripe: Stripe, fake: FakeStripe, shop: Shop) -> None:
        card = fake.save_card(shop.customer, "pm_card_chargeCustomerFail")
        for _ in range(2):
            with pytest.raises(refusals.CardDeclined) as refused:
                self.charge(stripe, shop, payment_method=card["id"])
        told = refused.value
        intent = stripe.payment_intent(told.payment_intent)

        assert (told.status, told.code, told.reason) == (402, "card_declined", "card_declined")
        assert told.decline_code == intent.decline_code == "generic_decline"
        assert (intent.status, intent.error) == ("requires_payment_method", "card_declined")
        assert len(fake.events("charge.failed")) == 1

    def test_may_need_its_owner(self, stripe: Stripe, fake: FakeStripe, shop: Shop) -> None:
        fake.save_card(shop.customer, "pm_card_authenticationRequired")
        with pytest.raises(refusals.AuthenticationRequired) as refused:
            self.charge(stripe, shop)

        assert refused.value.payment_intent.startswith("pi_")

    def test_may_not_be_there(self, stripe: Stripe, shop: Shop) -> None:
        with pytest.raises(refusals.NoSavedCard):
            self.charge(stripe, shop)


class TestComparing:
    def test_tells_events_of_every_page_oldest_first(self, stripe: Stripe, fake: FakeStripe, shop: Shop) -> None:
        for number in range(230):
            shop.api.customers.create({"name": str(number)})
        told = stripe.events_since(NOW).readable

        assert [each.id for each in told] == [each["id"] for each in fake.events()]
        # Just what the webhooks say, so that the one can stand in for the other.
        assert json.loads(json.dumps([each.payload for each in told])) == fake.events()
        assert (told[-1].object_type, told[-1].created, told[-1].livemode) == ("customer", NOW, False)
        assert [each.method for each in fake.api.asked[-4:]] == ["POST", "GET", "GET", "GET"]
        assert stripe.event(told[0].id) == told[0]
        assert stripe.events_since(NOW + timedelta(seconds=1)).readable == []
        assert len(stripe.events_since(NOW, types=["price.created"]).readable) == 3

    def test_tells_the_balance(self, stripe: Stripe, fake: FakeStripe, shop: Shop) -> None:
        charge = shop.bought()
        refund = fake.refund(charge, 400)

        told = stripe.balance_transactions_since(NOW)

        assert [(each.type, each.source, each.amount, each.net) for each in told] == [
            ("charge", charge.id, 1000, 941),
            ("refund", refund["id"], -400, -400),
        ]

    def test_tells_prices(self, stripe: Stripe, shop: Shop) -> None:
        made = stripe.create_price(
            name="Big pack", lookup_key="big", currency="usd", unit_amount=9000, metadata={"credits": "9"},
            idempotency_key="k",
        )  # fmt: skip
        told = stripe.prices()

        assert told[0] == made
        assert [(each.lookup_key, each.unit_amount, each.interval) for each in told] == [
            ("big", 9000, ""), ("premium", 5000, "month"), ("pro", 2000, "month"), ("pack", 1000, ""),
        ]  # fmt: skip


def test_every_object_knows_the_keys_mode(fake: FakeStripe) -> None:
    stripe = Stripe(fake.url, api_key=fake.live_key, seconds=10)
    made = stripe.create_customer(account_ref="a", email="", name="", idempotency_key="k")
    stripe.close()

    assert (stripe.livemode, made.livemode) == (True, True)
