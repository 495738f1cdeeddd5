"""The fake Stripe, when time passes and money goes back: renewals, failures, changes, refunds, disputes, webhooks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import stripe

from tests.billing.conftest import DAY, START, Shop, kinds
from tests.fakes.stripe import Delivery, FakeStripe, signature


def invoices(shop: Shop) -> list[Any]:
    """Every invoice, oldest first."""
    return list(shop.api.invoices.list({"limit": 100}))[::-1]


class TestRenewals:
    def test_keep_the_anchor_where_a_month_is_short(self, fake: FakeStripe, shop: Shop) -> None:
        sub = shop.subscribed()
        ends = [fake.renew(sub)["items"]["data"][0]["current_period_end"] for _ in range(3)]

        # From 31 January: 31 March, 30 April, 31 May.
        assert [(end - START) // DAY for end in ends] == [59, 89, 120]
        assert [each.amount_paid for each in invoices(shop)] == [2000] * 4
        assert [each.billing_reason for each in invoices(shop)] == ["subscription_create", *["subscription_cycle"] * 3]

    def test_are_invoiced_for_the_time_to_come(self, fake: FakeStripe, shop: Shop) -> None:
        sub = fake.renew(shop.subscribed())
        item, invoice = sub["items"]["data"][0], invoices(shop)[-1]

        assert invoice.lines.data[0].period.start == item["current_period_start"] == START + 28 * DAY
        assert (invoice.period_start, invoice.period_end) == (START, START + 28 * DAY)

    def test_that_fail_are_tried_again(self, fake: FakeStripe, shop: Shop) -> None:
        sub = shop.subscribed()
        start = len(fake.events())

        assert fake.fail_renewal(sub)["status"] == "past_due"
        failed = [each for each in kinds(fake, start) if each.startswith(("customer.sub", "invoice.pay"))]
        fake.advance(3)

        assert failed == ["customer.subscription.updated", "invoice.payment_failed", "customer.subscription.updated"]
        assert fake.seen(sub)["status"] == "active"
        assert (invoices(shop)[-1].attempt_count, invoices(shop)[-1].status) == (2, "paid")

    @pytest.mark.parametrize(
        ("after", "status"), [("cancel", "canceled"), ("unpaid", "unpaid"), ("past_due", "past_due")]
    )
    def test_that_never_work_end_as_the_account_is_set(
        self, fake: FakeStripe, shop: Shop, after: str, status: str
    ) -> None:
        fake.store.after_retries = after
        sub = shop.subscribed("pm_card_chargeCustomerFail")
        fake.renew(sub)

        fake.advance(16)

        assert fake.seen(sub)["status"] == status
        assert invoices(shop)[-1].attempt_count == 4
        assert ("customer.subscription.deleted" in kinds(fake)) == (status == "canceled")

    def test_are_paid_by_hand_on_the_invoices_page(self, fake: FakeStripe, shop: Shop) -> None:
        sub = shop.subscribed("pm_card_authenticationRequired")
        assert fake.renew(sub)["status"] == "past_due"
        assert "invoice.payment_action_required" in kinds(fake)

        fake.pay_invoice(invoices(shop)[-1])

        assert fake.seen(sub)["status"] == "active"

    def test_end_with_a_trial_that_was_invoiced_for_nothing(self, fake: FakeStripe, shop: Shop) -> None:
        sub = shop.subscribed(subscription_data={"trial_period_days": 7})
        assert (sub.status, invoices(shop)[0].amount_paid, invoices(shop)[0].status) == ("trialing", 0, "paid")
        fake.advance(5)
        assert kinds(fake)[-1] == "customer.subscription.trial_will_end"

        fake.advance(2)

        assert (fake.seen(sub)["status"], invoices(shop)[-1].amount_paid) == ("active", 2000)

    def test_do_not_happen_while_collection_is_paused(self, fake: FakeStripe, api: Any, shop: Shop) -> None:
        sub = shop.subscribed()
        api.subscriptions.update(sub.id, {"pause_collection": {"behavior": "void"}})
        assert (fake.renew(sub)["status"], invoices(shop)[-1].status) == ("active", "void")

        api.subscriptions.update(sub.id, {"pause_collection": ""})
        fake.renew(sub)

        assert invoices(shop)[-1].status == "paid"


class TestAnEnd:
    def test_at_the_end_of_the_period(self, fake: FakeStripe, api: Any, shop: Shop) -> None:
        sub = shop.subscribed()
        ending = api.subscriptions.update(sub.id, {"cancel_at_period_end": True})
        assert (ending.status, ending.cancel_at) == ("active", START + 28 * DAY)
        kept = api.subscriptions.update(sub.id, {"cancel_at_period_end": False})
        assert (kept.cancel_at, kept.canceled_at) == (None, None)
        api.subscriptions.update(sub.id, {"cancel_at_period_end": True})

        fake.advance(31)

        assert api.subscriptions.retrieve(sub.id).status == "canceled"
        assert (kinds(fake)[-1], len(invoices(shop))) == ("customer.subscription.deleted", 1)
        assert [each.id for each in api.subscriptions.list()] == []
        assert [each.id for each in api.subscriptions.list({"status": "all"})] == [sub.id]

    def test_of_what_was_never_paid(self, fake: FakeStripe, api: Any, shop: Shop) -> None:
        sub = api.subscriptions.create({"customer": shop.customer.id, "items": [{"price": shop.pro.id}]})
        assert sub.status == "incomplete"

        fake.advance(1)

        assert fake.seen(sub)["status"] == "incomplete_expired"
        assert "customer.subscription.deleted" not in kinds(fake)

    def test_with_the_customer(self, fake: FakeStripe, api: Any, shop: Shop) -> None:
        sub = shop.subscribed()
        api.customers.delete(shop.customer.id)

        assert api.customers.retrieve(shop.customer.id).deleted is True
        assert fake.seen(sub)["status"] == "canceled"
        with pytest.raises(stripe.InvalidRequestError):
            shop.session(shop.pack)


class TestAChangeOfPlan:
    def test_costs_what_its_preview_says(self, fake: FakeStripe, api: Any, shop: Shop) -> None:
        sub = shop.subscribed()
        fake.advance(14)
        items = [{"id": sub["items"].data[0].id, "price": shop.premium.id}]
        details = {"items": items, "proration_behavior": "always_invoice"}
        told = api.invoices.create_preview({"subscription": sub.id, "subscription_details": details})

        shop.change(sub, shop.premium, proration_behavior="always_invoice")

        assert ([line.amount for line in told.lines], told.amount_due) == ([-1000, 2500], 1500)
        assert (invoices(shop)[-1].billing_reason, invoices(shop)[-1].amount_paid) == ("subscription_update", 1500)
        assert fake.seen(sub)["items"]["data"][0]["price"]["id"] == shop.premium.id

    def test_may_wait_for_the_next_invoice(self, fake: FakeStripe, shop: Shop) -> None:
        sub = shop.subscribed()
        fake.advance(14)
        shop.change(sub, shop.premium)
        assert len(invoices(shop)) == 1

        fake.renew(sub)

        assert [line.amount for line in invoices(shop)[-1].lines] == [-1000, 2500, 5000]

    def test_to_a_cheaper_one_is_credited(self, fake: FakeStripe, api: Any, shop: Shop) -> None:
        sub = shop.subscribed()
        shop.change(sub, shop.premium, proration_behavior="always_invoice")
        fake.advance(14)
        shop.change(sub, shop.pro, proration_behavior="always_invoice")
        assert (invoices(shop)[-1].total, invoices(shop)[-1].amount_due) == (-1500, 0)
        assert api.customers.retrieve(shop.customer.id).balance == -1500

        fake.renew(sub)

        assert (invoices(shop)[-1].total, invoices(shop)[-1].amount_paid) == (2000, 500)
        assert api.customers.retrieve(shop.customer.id).balance == 0

    def test_that_is_not_paid_changes_nothing_where_that_was_asked(self, fake: FakeStripe, shop: Shop) -> None:
        sub = shop.subscribed("pm_card_chargeCustomerFail")
        before = fake.seen(sub)
        fake.advance(1)

        with pytest.raises(stripe.CardError):
            shop.change(sub, shop.premium, proration_behavior="always_invoice", payment_behavior="error_if_incomplete")

        assert fake.seen(sub) == before


class TestMoneyBack:
    def test_in_parts_until_nothing_is_left(self, fake: FakeStripe, api: Any, shop: Shop) -> None:
        charge = shop.bought()
        api.refunds.create({"charge": charge.id, "amount": 300})
        with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
            api.refunds.create({"charge": charge.id, "amount": 701})
        api.refunds.create({"payment_intent": charge.payment_intent})

        with pytest.raises(stripe.InvalidRequestError) as refused:
            api.refunds.create({"charge": charge.id})
        assert refused.value.code == "charge_already_refunded"
        assert [each.amount for each in api.refunds.list({"charge": charge.id})] == [700, 300]
        told = [event["data"]["object"]["amount_refunded"] for event in fake.events("charge.refunded")]
        assert told == [300, 1000]

    def test_may_come_back_to_us(self, fake: FakeStripe, shop: Shop) -> None:
        charge = shop.bought()
        fake.fail_refund(fake.refund(charge))

        assert fake.seen(charge)["amount_refunded"] == 0
        assert kinds(fake)[-2:] == ["refund.failed", "charge.updated"]

    @pytest.mark.parametrize("outcome", ["won", "lost"])
    def test_by_dispute(self, fake: FakeStripe, api: Any, shop: Shop, outcome: str) -> None:
        charge = shop.bought()
        start = len(fake.events())
        dispute = fake.open_dispute(charge)
        with pytest.raises(stripe.InvalidRequestError) as refused:
            api.refunds.create({"charge": charge.id})
        assert refused.value.code == "charge_disputed"

        closed = fake.close_dispute(dispute, outcome)

        assert sum(each["amount"] for each in closed["balance_transactions"]) == (0 if outcome == "won" else -1000)
        won = ["charge.dispute.funds_reinstated"] if outcome == "won" else []
        opened = ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
        assert kinds(fake, start) == [*opened, *won, "charge.dispute.closed"]

    def test_not_by_an_inquiry(self, fake: FakeStripe, shop: Shop) -> None:
        dispute = fake.open_dispute(shop.bought(), inquiry=True)
        assert dispute["balance_transactions"] == []
        assert fake.close_dispute(dispute, "lost")["status"] == "warning_closed"

    def test_is_in_the_balance(self, fake: FakeStripe, api: Any, shop: Shop) -> None:
        first, second = shop.bought(), shop.bought()
        fake.refund(first, 400)
        fake.open_dispute(second)

        told = [(each.reporting_category, each.amount, each.fee) for each in api.balance_transactions.list()]
        assert told == [("dispute", -1000, 1500), ("refund", -400, 0), ("charge", 1000, 59), ("charge", 1000, 59)]


class Hook(BaseHTTPRequestHandler):
    took: list[tuple[str, bytes]]
    answers: list[int]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.took.append((self.headers["Stripe-Signature"], body))
        self.send_response_only(self.answers.pop(0) if self.answers else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def listening(answers: list[int]) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    took: list[tuple[str, bytes]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OwnHook", (Hook,), {"took": took, "answers": answers}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", took
    server.shutdown()
    thread.join()
    server.server_close()


class TestWebhooks:
    def test_are_signed_so_that_the_sdk_believes_them(self, fake: FakeStripe, api: Any) -> None:
        with listening([]) as (url, took):
            fake.webhooks(url, "whsec_new", "whsec_old")
            customer = api.customers.create({})
            assert fake.deliveries.deliver() == [200]

        header, body = took[0]
        for secret in ("whsec_new", "whsec_old"):
            event = stripe.Webhook.construct_event(body, header, secret)
            assert (event.type, event.data.object["id"]) == ("customer.created", customer.id)
        stamp = int(header.split(",")[0].removeprefix("t="))
        theirs = stripe.WebhookSignature.generate_signature_header(body.decode(), "whsec_new", stamp)
        assert signature(body, ["whsec_new"], stamp) == theirs

    def test_wait_to_be_sent_in_any_order_twice_or_never(self, fake: FakeStripe, api: Any) -> None:
        with listening([]) as (url, took):
            fake.webhooks(url)
            for name in "abc":
                api.customers.create({"name": name})
            first, dropped, last = fake.deliveries.take()
            fake.deliveries.deliver([last, first, last])

        sent = [stripe.Webhook.construct_event(body, header, fake.secret).id for header, body in took]
        assert sent == [last.event["id"], first.event["id"], last.event["id"]]
        assert dropped.event["id"] not in sent
        assert fake.deliveries.queue == []

    def test_are_signed_badly_on_demand(self, fake: FakeStripe, api: Any) -> None:
        with listening([]) as (url, took):
            fake.webhooks(url)
            api.customers.create({})
            (delivery,) = fake.deliveries.take()
            delivery.send(timestamp=1)
            delivery.send(secrets=["whsec_other"])
            delivery.send(header="t=1")

        assert took[0][0].startswith("t=1,v1=")
        for header, body in took:
            with pytest.raises(stripe.SignatureVerificationError):
                stripe.Webhook.construct_event(body, header, fake.secret, tolerance=1)

    def test_that_fail_are_sent_again(self, fake: FakeStripe, api: Any) -> None:
        with listening([500, 404]) as (url, took):
            fake.webhooks(url)
            api.customers.create({})
            statuses = [fake.deliveries.deliver() for _ in range(4)]

        assert (statuses, len(took)) == ([[500], [404], [200], []], 3)

    def test_go_out_by_themselves_as_planned(self, fake: FakeStripe, api: Any) -> None:
        def plan(delivery: Delivery) -> list[float]:
            return {"customer.created": [0.0, 0.0], "product.created": []}.get(delivery.event["type"], [0.0])

        with listening([500]) as (url, took):
            fake.webhooks(url)
            fake.deliveries.plan, fake.deliveries.pauses = plan, (0.0,)
            fake.deliveries.start()
            api.customers.create({})
            api.products.create({"name": "dropped"})
            assert fake.deliveries.idle()
            fake.deliveries.stop()

        # Twice, of which the first failed and was sent again; the product's never.
        assert len(took) == 3
        assert len({body for _, body in took}) == 1
        assert fake.deliveries.sent[0].statuses == [500, 200, 200]

    def test_that_nobody_takes_break_nothing(self, fake: FakeStripe, api: Any) -> None:
        with listening([]) as (url, _):
            pass
        fake.webhooks(url)
        api.customers.create({})

        assert fake.deliveries.deliver() == [0]


def test_all_of_it_can_be_kept_and_taken_up_again(tmp_path: Any) -> None:
    file = tmp_path / "stripe.json"
    with FakeStripe(clock=lambda: START, kept=file) as fake:
        client: Any = stripe.StripeClient(fake.key, base_addresses={"api": fake.url}).v1
        sub = Shop(fake, client).subscribed()
        fake.advance(3)
        client.customers.create({})
        told = [event["id"] for event in fake.events()]

    with FakeStripe(clock=lambda: START, kept=file) as again:
        assert [event["id"] for event in again.events()] == told
        assert again.clock.now() == START + 3 * DAY
        assert again.renew(sub)["status"] == "active"
