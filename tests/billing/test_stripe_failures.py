"""When Stripe does not do it, and what is kept from whom: errors by their reason, the key, the settings."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe as sdk

from billing import refusals
from billing.providers import stripe as provider
from billing.providers.stripe import Stripe
from config import checks
from dev.processes import free_port
from tests.fakes.stripe import FakeStripe, Fault
from tests.threads import at_once

SECRET = "sk_test_VerySecret0123456789"


@pytest.fixture
def stripe(fake: FakeStripe) -> Iterator[Stripe]:
    client = Stripe(fake.url, api_key=fake.key, seconds=10, retries=0)
    yield client
    client.close()


FAILURES: list[tuple[Fault, type[Exception]]] = [
    (Fault(500), refusals.StripeUnreachable),
    (Fault(503), refusals.StripeUnreachable),
    (Fault(429), refusals.StripeUnreachable),
    (Fault(409), refusals.StripeUnreachable),
    (Fault(drop=True), refusals.StripeUnreachable),
    (Fault(400), refusals.StripeRefused),
    (Fault(403), refusals.StripeKeyRefused),
]


class TestErrors:
    @pytest.mark.parametrize(("fault", "kind"), FAILURES)
    def test_have_a_class_by_reason(
        self, stripe: Stripe, fake: FakeStripe, fault: Fault, kind: type[Exception]
    ) -> None:
        fake.api.faults.append(Fault(fault.status, drop=fault.drop))
        with pytest.raises(kind) as refused:
            stripe.prices()

        assert refused.type is kind

    def test_that_may_pass_are_tried_again(self, fake: FakeStripe) -> None:
        stripe = Stripe(fake.url, api_key=fake.key, seconds=10, retries=1)
        fake.api.faults.append(Fault(503))
        assert stripe.prices() == []
        stripe.close()

    def test_of_an_unknown_id(self, stripe: Stripe) -> None:
        calls: list[Callable[[str], Any]] = [
            stripe.customer, stripe.subscription, stripe.invoice, stripe.payment_intent, stripe.charge, stripe.dispute,
            stripe.refund_by_id, stripe.checkout_session, stripe.event,
        ]  # fmt: skip
        for call in calls:
            with pytest.raises(refusals.StripeNotFound):
                call("no_such")

    def test_of_a_key_that_meant_something_else(self, stripe: Stripe) -> None:
        stripe.create_customer(account_ref="a", email="", name="", idempotency_key="k")
        with pytest.raises(refusals.StripeRefused) as refused:
            stripe.create_customer(account_ref="b", email="", name="", idempotency_key="k")

        assert refused.value.reason == "idempotency_error"

    def test_of_nobody_there(self) -> None:
        stripe = Stripe(f"http://127.0.0.1:{free_port()}", api_key="sk_test_x", seconds=1, retries=0)
        with pytest.raises(refusals.StripeUnreachable):
            stripe.prices()
        stripe.close()

    def test_of_a_write_without_a_key(self, stripe: Stripe, fake: FakeStripe) -> None:
        with pytest.raises(ValueError, match="idempotency key"):
            stripe.create_customer(account_ref="a", email="", name="", idempotency_key="")
        assert fake.api.asked == []


class TestTheKey:
    def test_is_nowhere_to_be_read(self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
        caplog.set_level(logging.DEBUG)
        faults = [Fault(401), Fault(500), Fault(drop=True), Fault(400), Fault(302)]
        with FakeStripe(key=SECRET) as fake:
            client = Stripe(fake.url, api_key=SECRET, seconds=10, retries=0)
            told = [repr(client), repr(client.prices())]
            for fault in faults:
                fake.api.faults.append(fault)
                with pytest.raises(refusals.StripeFailure) as refused:
                    client.charge("ch_1")
                error = refused.value
                told += [repr(error), repr(error.told()), *traceback.format_exception(error)]
                told += [repr(each) for each in _locals_of_ours(error)]
            client.close()
            assert {each.key for each in fake.api.asked} == {SECRET}

        # The SDK's own words are for DEBUG and INFO, which settings switch off; they have no key either.
        assert SECRET not in "".join([*told, caplog.text])

    def test_goes_nowhere_but_to_the_base_address(self, fake: FakeStripe, stripe: Stripe) -> None:
        addresses = stripe.v1._requestor._options.base_addresses
        assert {urlsplit(str(each)).netloc for each in addresses.values()} == {urlsplit(fake.url).netloc}

    def test_goes_to_stripe_where_no_other_address_is_set(self) -> None:
        client = Stripe("", api_key=SECRET, seconds=1)
        assert client.v1._requestor._options.base_addresses["api"] == "https://api.stripe.com"
        client.close()

    def test_is_not_told_by_a_netrc_or_proxy_of_the_machine(
        self, fake: FakeStripe, stripe: Stripe, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
        monkeypatch.setenv("HOME", str(tmp_path))
        client = Stripe(fake.url, api_key=fake.key, seconds=10, retries=0)

        assert client.prices() == []
        client.close()

    def test_sends_no_particulars_of_the_machine(self, fake: FakeStripe, stripe: Stripe) -> None:
        stripe.prices()
        stripe.prices()

        sent = fake.api.asked[-1].headers
        assert sdk.enable_telemetry is False
        assert "X-Stripe-Client-Telemetry" not in sent
        assert "telemetry_id" not in sent["X-Stripe-Client-User-Agent"]


def _locals_of_ours(error: BaseException) -> Iterator[Any]:
    """Whatever a reporter of errors would tell of the frames below the test's own."""
    for frame, _ in list(traceback.walk_tb(error.__traceback__))[1:]:
        yield from (value for name, value in frame.f_locals.items() if name != "self")
    for linked in (error.__cause__, error.__context__):
        if linked is not None:
            yield linked
            yield from _locals_of_ours(linked)


class TestTheProcess:
    def test_never_calls_inside_a_transaction(self, stripe: Stripe, fake: FakeStripe, db: None) -> None:
        calls: list[Callable[[], Any]] = [
            stripe.prices,
            lambda: stripe.charge("ch_1"),
            lambda: stripe.refund("ch_1", amount=1, idempotency_key="k"),
        ]
        for call in calls:
            with pytest.raises(RuntimeError, match="never called inside a database transaction"):
                call()

        assert fake.api.asked == []

    def test_has_one_client_from_the_settings(self, fake_stripe: FakeStripe) -> None:
        assert len({id(each) for each in at_once([provider.client] * 8)}) == 1
        assert provider.client().prices() == []
        assert [each.key for each in fake_stripe.api.asked] == [fake_stripe.key]

    def test_serves_many_threads(self, fake_stripe: FakeStripe) -> None:
        assert at_once([lambda: provider.client().prices()] * 16) == [[]] * 16

    def test_without_a_key_says_so(self, settings: Any) -> None:
        settings.STRIPE_SECRET_KEY = ""
        provider.forget()

        with pytest.raises(refusals.StripeMissing) as refused:
            provider.client()

        assert (refused.value.status, refused.value.code) == (502, "payments_missing")


class TestSettings:
    @pytest.mark.parametrize(
        ("key", "secrets", "found"),
        [
            ("", [], []),
            ("sk_test_x", ["whsec_x"], []),
            ("rk_live_x", ["whsec_x", "whsec_y"], []),
            ("sk_test_x", [], ["florin.E008"]),
            ("", ["whsec_x"], ["florin.E008"]),
            ("pk_test_x", ["whsec_x"], ["florin.E009"]),
        ],
    )
    def test_are_whole(self, settings: Any, key: str, secrets: list[str], found: list[str]) -> None:
        settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = key, secrets

        assert [each.id for each in checks.stripe_is_whole()] == found

    @pytest.mark.parametrize(
        ("development", "key", "base", "found"),
        [
            (True, "sk_live_x", "", ["florin.W002"]),
            (True, "sk_test_x", "http://127.0.0.1:1", []),
            (False, "sk_live_x", "", []),
            (False, "sk_live_x", "http://stand-in", ["florin.W003"]),
        ],
    )
    def test_warn_of_real_money_here_and_of_keys_in_the_clear_there(
        self, settings: Any, development: bool, key: str, base: str, found: list[str]
    ) -> None:
        settings.DEVELOPMENT, settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = development, key, base

        assert [each.id for each in checks.stripe_is_meant()] == found
