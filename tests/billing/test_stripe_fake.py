"""The fake Stripe, by the real SDK: it behaves as Stripe's documentation says where Florin depends on it."""

from __future__ import annotations

import json
import threading
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import stripe

from tests.billing.conftest import DAY, PAY, START, Shop, kinds, sdk
from tests.fakes.stripe import FakeStripe, Fault
from tests.threads import at_once


def _told(error: stripe.StripeError) -> Any:
    """What the error's body says."""
    return json.loads(error.http_body or "")["error"]


class TestTheKey:
    @pytest.mark.parametrize("key", ["sk_test_wrong", "pk_test_florin"])
    def test_that_is_wrong_opens_nothing(self, fake: FakeStripe, key: str) -> None:
        with pytest.raises(stripe.AuthenticationError) as refused:
            sdk(fake, key).customers.list()

        assert (refused.value.http_status, key in str(refused.value)) == (401, False)

    def test_decides_the_mode_and_the_modes_never_mix(self, fake: FakeStripe, api: Any) -> None:
        ours = api.customers.create({"email": "a@example.com"})
        live = sdk(fake, fake.live_key)
        theirs = live.customers.create({"email": "a@example.com"})

        assert (ours.livemode, theirs.livemode, ours.id != theirs.id) == (False, True, True)
        with pytest.raises(stripe.InvalidRequestError, match="a similar object exists in test mode"):
            live.customers.retrieve(ours.id)
        assert [event.livemode for event in live.events.list()] == [True]


class TestAnIdempotencyKey:
    def test_replays_the_first_answer(self, fake: FakeStripe, api: Any) -> None:
        first, again = (api.customers.create({"name": "Ada"}, {"idempotency_key": "k"}) for _ in range(2))

        assert first.id == again.id
        assert "Idempotent-Replayed" not in first.last_response.headers
        assert again.last_response.headers["Idempotent-Replayed"] == "true"
        assert first.last_response.request_id != again.last_response.request_id
        assert kinds(fake) == ["customer.created"]

    def test_is_for_one_request_only(self, api: Any) -> None:
        api.customers.create({"name": "Ada"}, {"idempotency_key": "k"})

        with pytest.raises(stripe.IdempotencyError):
            api.customers.create({"name": "Bob"}, {"idempotency_key": "k"})
        with pytest.raises(stripe.IdempotencyError):
            api.products.create({"name": "Ada"}, {"idempotency_key": "k"})

    def test_in_progress_is_a_conflict(self, fake: FakeStripe, api: Any) -> None:
        gate = threading.Event()
        fault = Fault(path="/customers", gate=gate)
        fake.api.faults.append(fault)
        made: list[Any] = []
        slow = threading.Thread(target=lambda: made.append(api.customers.create({}, {"idempotency_key": "k"})))
        slow.start()
        assert fault.reached.wait(10)

        with pytest.raises(stripe.APIError) as refused:
            api.customers.create({}, {"idempotency_key": "k"})
        gate.set()
        slow.join()

        assert (refused.value.http_status, _told(refused.value)["code"]) == (409, "idempotency_key_in_use")
        assert api.customers.create({}, {"idempotency_key": "k"}).id == made[0].id

    def test_makes_one_of_many_at_once(self, fake: FakeStripe, api: Any) -> None:
        def make() -> str:
            try:
                return str(api.customers.create({}, {"idempotency_key": "k"}).id)
            except stripe.APIError as error:
                return str(error.http_status)

        assert set(at_once([make] * 12)) <= {"cus_000000000001", "409"}
        assert kinds(fake) == ["customer.created"]

    def test_keeps_a_decline_but_no_mistake(self, fake: FakeStripe, api: Any, shop: Shop) -> None:
        card = fake.save_card(shop.customer, "pm_card_chargeCustomerFail")
        params = {"customer": shop.customer.id, "currency": "usd", "confirm": True, "off_session": True}
        params |= {"payment_method": card["id"], "amount": 1000}
        failed = []
        for _ in range(2):
            with pytest.raises(stripe.CardError) as refused:
                api.payment_intents.create(params, {"idempotency_key": "declined"})
            failed.append(_told(refused.value)["payment_intent"]["id"])
        with pytest.raises(stripe.InvalidRequestError):
            api.customers.create({"wrong": "1"}, {"idempotency_key": "mistake"})

        assert failed[0] == failed[1]
        assert len(api.charges.list().data) == 1
        assert api.customers.create({"name": "Ada"}, {"idempotency_key": "mistake"}).name == "Ada"

    def test_is_kept_where_only_the_answer_was_lost(self, fake: FakeStripe, api: Any) -> None:
        fake.api.faults += [Fault(after=True, drop=True), Fault(drop=True), Fault(503)]
        for _ in range(3):
            with pytest.raises((stripe.APIConnectionError, stripe.APIError)):
                api.customers.create({"name": "Ada"}, {"idempotency_key": "k"})

        again = api.customers.create({"name": "Ada"}, {"idempotency_key": "k"})

        assert again.last_response.headers["Idempotent-Replayed"] == "true"
        assert kinds(fake) == ["customer.created"]

    def test_is_forgotten_after_a_day(self, fake: FakeStripe, api: Any) -> None:
        first = api.customers.create({}, {"idempotency_key": "k"})
        fake.advance(2)

        assert api.customers.create({}, {"idempotency_key": "k"}).id != first.id


class TestErrors:
    def test_name_what_is_missing(self, api: Any) -> None:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            api.subscriptions.retrieve("sub_none")
        error = refused.value
        assert (error.http_status, error.code, error.param) == (404, "resource_missing", "id")

        with pytest.raises(stripe.InvalidRequestError) as refused:
            api.checkout.sessions.create({**PAY, "customer": "cus_none", "line_items": [{"price": "price_none"}]})
        assert (refused.value.http_status, refused.value.param) == (400, "customer")

    @pytest.mark.parametrize(
        ("params", "param"),
        [
            ({"success_url": "http://a/"}, "mode"),
            ({"mode": "payment"}, "success_url"),
            ({**PAY}, "line_items"),
            ({**PAY, "plan": "x"}, "plan"),
            ({**PAY, "subscription_data": {"trial_period_days": 1}}, "subscription_data"),
        ],
    )
    def test_name_the_parameter(self, api: Any, params: Any, param: str) -> None:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            api.checkout.sessions.create(params)

        assert refused.value.param == param

    def test_refuse_a_price_of_the_wrong_kind(self, shop: Shop) -> None:
        for price, mode in ((shop.pro, "payment"), (shop.pack, "subscription")):
            with pytest.raises(stripe.InvalidRequestError):
                shop.session(price, mode)


class TestPages:
    def test_are_told_to_the_last_row(self, api: Any) -> None:
        made = [api.customers.create({"email": f"{number}@example.com"}).id for number in range(7)]

        page = api.customers.list({"limit": 3})
        after = api.customers.list({"limit": 3, "starting_after": page.data[-1].id})

        assert [each.id for each in page] == made[:-4:-1]
        assert (page.has_more, [each.id for each in after]) == (True, made[-4:-7:-1])
        assert [each.id for each in api.customers.list({"limit": 2}).auto_paging_iter()] == made[::-1]
        assert api.customers.list({"limit": 7}).has_more is False

    def test_of_events_know_type_and_time_and_forget_after_thirty_days(self, fake: FakeStripe, api: Any) -> None:
        api.products.create({"name": "early"})
        fake.advance(1)
        customer = api.customers.create({})

        since = {"created": {"gte": START + DAY}}
        assert [each.type for each in api.events.list(since)] == ["customer.created"]
        assert [each.type for each in api.events.list({"types": ["product.created"]})] == ["product.created"]
        assert [each.data.object["id"] for each in api.events.list({"type": "customer.*"})] == [customer.id]
        fake.advance(30)
        assert [each.type for each in api.events.list()] == ["customer.created"]


class TestShapes:
    def test_have_no_field_that_the_api_version_lacks(self, fake: FakeStripe, api: Any, shop: Shop) -> None:
        charge, sub = shop.bought(), shop.subscribed()
        fake.refund(charge, 300)
        fake.open_dispute(charge)
        api.billing_portal.sessions.create({"customer": shop.customer.id})
        fake.customer_pays(api.checkout.sessions.create({**PAY, "mode": "setup", "customer": shop.customer.id}))
        classes: dict[str, Any] = {
            "cus": stripe.Customer, "prod": stripe.Product, "price": stripe.Price, "cs": stripe.checkout.Session,
            "bps": stripe.billing_portal.Session, "pi": stripe.PaymentIntent, "seti": stripe.SetupIntent,
            "pm": stripe.PaymentMethod, "sub": stripe.Subscription, "si": stripe.SubscriptionItem,
            "in": stripe.Invoice, "inpay": stripe.InvoicePayment, "ch": stripe.Charge, "re": stripe.Refund,
            "du": stripe.Dispute, "txn": stripe.BalanceTransaction, "evt": stripe.Event,
        }  # fmt: skip

        for prefix, kind in classes.items():
            rows = fake.store.all(prefix)
            assert rows, prefix
            extra = {name for row in rows for name in row} - set(kind.__annotations__)
            assert extra <= {"plan", "rendering_options"}, prefix
        line = fake.seen(sub.latest_invoice)["lines"]["data"][0]
        assert set(line) <= set(stripe.InvoiceLineItem.__annotations__)

    def test_are_where_they_moved_to(self, api: Any, shop: Shop) -> None:
        sub = shop.subscribed()
        invoice = api.invoices.retrieve(sub.latest_invoice, {"expand": ["payments.data.payment.payment_intent"]})
        item, line = sub["items"].data[0], invoice.lines.data[0]

        assert (item.current_period_start, item.current_period_end) == (START, START + 28 * DAY)
        assert invoice.parent.subscription_details.subscription == sub.id
        assert invoice.payments.data[0].payment.payment_intent.amount_received == 2000
        assert (line.pricing.price_details.price, line.period.end) == (shop.pro.id, item.current_period_end)
        assert not {"current_period_end"} & set(sub.to_dict())
        assert not {"paid", "subscription", "payment_intent", "charge"} & set(invoice.to_dict())

    def test_hold_what_was_to_be_expanded(self, api: Any, shop: Shop) -> None:
        charge = shop.bought()
        session = api.checkout.sessions.list({"expand": ["data.line_items", "data.payment_intent.latest_charge"]}).data[
            0
        ]

        assert session.payment_intent.latest_charge.id == charge.id
        assert session.line_items.data[0].price.id == shop.pack.id
        with pytest.raises(stripe.InvalidRequestError):
            api.charges.retrieve(charge.id, {"expand": ["invoice"]})


class TestCheckout:
    def test_of_a_pack(self, fake: FakeStripe, api: Any, shop: Shop) -> None:
        session = shop.session(shop.pack, client_reference_id="a1", payment_intent_data={"metadata": {"pack": "p"}})
        start = len(fake.events())
        assert fake.card_declines(session).decline_code == "generic_decline"
        fake.customer_pays(session)

        done = api.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
        assert (session.payment_intent, done.status, done.payment_status, done.url) == (None, "complete", "paid", None)
        assert (done.payment_intent.status, done.payment_intent.metadata["pack"]) == ("succeeded", "p")
        assert kinds(fake, start) == [
            "payment_intent.created", "charge.failed", "payment_intent.payment_failed", "charge.succeeded",
            "payment_intent.succeeded", "checkout.session.completed",
        ]  # fmt: skip

    @pytest.mark.parametrize(("paid", "kind"), [(True, "succeeded"), (False, "failed")])
    def test_by_a_method_that_takes_its_time(self, fake: FakeStripe, shop: Shop, paid: bool, kind: str) -> None:
        session = fake.customer_pays(shop.session(shop.pack), later=True)
        assert (session["status"], session["payment_status"]) == ("complete", "unpaid")

        settled = fake.payment_settles(session, paid=paid)

        assert settled["payment_status"] == ("paid" if paid else "unpaid")
        assert kinds(fake)[-1] == f"checkout.session.async_payment_{kind}"

    def test_expires(self, fake: FakeStripe, api: Any, shop: Shop) -> None:
        by_hand, by_time = shop.session(shop.pack), shop.session(shop.pack)
        assert api.checkout.sessions.expire(by_hand.id).status == "expired"
        fake.advance(1)

        assert fake.seen(by_time)["status"] == "expired"
        assert kinds(fake)[-2:] == ["checkout.session.expired"] * 2

    def test_of_a_plan(self, fake: FakeStripe, shop: Shop) -> None:
        start = len(fake.events())
        sub = shop.subscribed(subscription_data={"metadata": {"account": "a1"}})

        assert (sub.status, sub.metadata["account"]) == ("active", "a1")
        assert [kind for kind in kinds(fake, start) if "payment" not in kind and "charge" not in kind] == [
            "invoice.created", "customer.subscription.created", "invoice.finalized", "customer.updated",
            "invoice.paid", "customer.subscription.updated", "checkout.session.completed",
        ]  # fmt: skip


class TestThePages:
    def test_lead_back_after_paying_and_cancelling(self, fake: FakeStripe, shop: Shop) -> None:
        session = shop.session(shop.pack, cancel_url="http://127.0.0.1:1/no")
        shown = httpx.get(session.url)
        assert all(word in shown.text for word in ("Pay 10.00 USD", "Card is declined", "Cancel"))
        assert "http" not in shown.text
        assert "Your card was declined." in httpx.post(session.url, data={"action": "decline"}).text

        gone = httpx.post(session.url, data={"action": "cancel"})
        paid = httpx.post(session.url, data={"action": "pay", "card": "pm_card_visa"})

        assert (gone.status_code, gone.headers["Location"]) == (303, "http://127.0.0.1:1/no")
        assert paid.headers["Location"] == f"http://127.0.0.1:1/done?session={session.id}"
        assert fake.seen(session)["payment_status"] == "paid"

    def test_of_the_portal_cancel_and_keep(self, fake: FakeStripe, api: Any, shop: Shop) -> None:
        sub = shop.subscribed()
        url = api.billing_portal.sessions.create({"customer": shop.customer.id, "return_url": "http://a/"}).url
        assert "Cancel at period end" in httpx.get(url).text

        httpx.post(url, data={"action": "cancel", "id": sub.id})
        ending = fake.seen(sub)
        httpx.post(url, data={"action": "keep", "id": sub.id})
        httpx.post(url, data={"action": "card", "card": "pm_card_chargeCustomerFail"})

        assert (ending["cancel_at"], ending["cancel_at_period_end"]) == (START + 28 * DAY, False)
        assert fake.seen(sub)["cancel_at"] is None
        assert fake.seen(fake.seen(sub)["default_payment_method"])["card"]["last4"] == "0341"

    def test_of_the_dashboard_have_a_button_for_everything(self, fake: FakeStripe, shop: Shop) -> None:
        charge, sub, url = shop.bought(), shop.subscribed(), f"{fake.url}/dashboard"

        def press(action: str, identity: str = "", **more: str) -> None:
            assert httpx.post(url, data={"action": action, "id": identity, **more}).status_code == 303, action

        press("refund", charge.id, amount="2.50")
        press("dispute", charge.id)
        press("win", fake.store.all("du")[0]["id"])
        press("fail", sub.id)
        press("month")
        press("twice", fake.events()[0]["id"])

        assert fake.seen(charge)["amount_refunded"] == 250
        assert fake.store.all("du")[0]["status"] == "won"
        assert "charge.failed" in kinds(fake)
        assert fake.clock.now() == START + 31 * DAY
        shown = httpx.get(url).text
        assert all(each in shown for each in (charge.id, sub.id, shop.customer.id, "ada@example.com"))
        assert "There is no such page" in httpx.get(f"{fake.url}/elsewhere").text
        assert "is no amount" in httpx.post(url, data={"action": "refund", "id": charge.id, "amount": "x"}).text


def test_nothing_leaves_the_machine(fake: FakeStripe, api: Any) -> None:
    addresses = api._requestor._options.base_addresses

    assert {urlsplit(each).hostname for each in addresses.values()} == {"127.0.0.1"}
    assert fake.server.server_address[0] == "127.0.0.1"
