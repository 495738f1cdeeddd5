"""The door for webhooks: what is not the provider's stays out, what is comes in once and is answered at once."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from billing import tasks
from billing.models import ProviderEvent
from billing.providers.breaker import Breaker
from billing.webhooks import MOST_BYTES
from credits.models import Account
from dev.processes import free_port
from tests.billing.till import Till, standing
from tests.fakes.stripe import SECRET

NOW = int(time.time())


@pytest.fixture
def event(till: Till, bob: Account) -> dict[str, Any]:
    till.buy(bob)
    return next(each for each in till.news() if each["type"] == "payment_intent.succeeded")


class TestASignature:
    @pytest.mark.parametrize(
        "how",
        [
            {"secrets": ["whsec_other"]},
            {"secrets": []},
            {"header": "t=1,v1=00"},
            {"header": "nonsense"},
            {"timestamp": NOW - 3600},
            {"timestamp": NOW + 3600},
        ],
    )
    def test_that_is_bad_old_or_of_the_future_is_refused(
        self, till: Till, event: dict[str, Any], how: dict[str, Any]
    ) -> None:
        assert till.knock(event, **how).status_code == 400
        assert not ProviderEvent.objects.exists()

    def test_by_the_old_or_the_new_secret_is_good_while_they_are_rotated(
        self, till: Till, event: dict[str, Any], settings: Any
    ) -> None:
        settings.STRIPE_WEBHOOK_SECRET = ["whsec_new", SECRET]

        assert till.knock(event, secrets=[SECRET]).status_code == 200
        assert till.knock(event, secrets=["whsec_new"]).status_code == 200

        assert ProviderEvent.objects.count() == 1

    def test_covers_every_byte_of_the_body(self, till: Till, event: dict[str, Any]) -> None:
        body = json.dumps(event).encode()
        header = {"header": "t=1,v1=00"}

        assert till.knock(body.replace(b"1000", b"9000"), **header).status_code == 400

    def test_of_something_else_is_refused(self, till: Till) -> None:
        for body in (b"[]", b"{}", b'{"object": "event"}', b"\xff"):
            assert till.knock(body).status_code == 400


def about(**what: Any) -> dict[str, Any]:
    return {"data": {"object": {"id": "ch_1", "object": "charge", **what}}}


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else []


class TestABodyThatIsSigned:
    """Nothing is stored of what cannot be kept or followed, and whoever sent it is told so."""

    @pytest.mark.parametrize(
        "wrong",
        [
            {"data": "x"}, {"data": None}, {"data": {}}, {"data": {"object": []}}, {"data": {"object": "x"}},
            {"data": {"object": None}},
            {"created": "x"}, {"created": None}, {"created": 10**20}, {"created": -1}, {"created": 1.5e9},
            {"created": True}, {"created": float("nan")},
            {"id": 5}, {"id": None}, {"id": ["a"]}, {"id": ""}, {"id": "evt_" + "x" * 300}, {"id": "evt_\0"},
            {"type": None}, {"type": ["a"]}, {"type": "x" * 200}, {"type": "a\0"},
            {"livemode": "yes"}, {"livemode": None}, {"livemode": 0},
            about(id=5), about(id="ch_\0"), about(object=["charge"]), about(object="payment_intent", id=None),
            about(payment_intent=["a"]), about(payment_intent={"a": 1}),
            about(payment_intent={}), about(subscription=[]), about(payment_intent="p" * 400),
            about(subscription=5), about(customer={"id": None}), about(customer="\ud800"),
            about(parent="x"), about(parent={"subscription_details": "x"}),
            about(parent={"subscription_details": {"subscription": ["a"]}}),
            about(amount=float("inf")), about(deep=nested(200)),
        ],
        ids=lambda wrong: str(wrong)[:40].encode("ascii", "replace").decode(),
    )  # fmt: skip
    def test_and_makes_no_sense_is_refused(self, till: Till, event: dict[str, Any], wrong: dict[str, Any]) -> None:
        answer = till.knock({**event, **wrong})

        assert (answer.status_code, answer.json()) == (400, {"code": "no_event"})
        assert not ProviderEvent.objects.exists()

    @pytest.mark.parametrize("body", [b'{"object":"event","data":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
                                      b'{"object":"event","created":' + b"9" * 5000 + b"}"])  # fmt: skip
    def test_and_nobody_can_read_is_refused(self, till: Till, body: bytes) -> None:
        assert till.knock(body).status_code == 400

    def test_may_hold_what_the_database_does_not_keep(self, till: Till, event: dict[str, Any]) -> None:
        """Somebody's name does not lose a payment."""
        told = {**event["data"]["object"], "description": "a\0b", "metadata": {"k\0": ["\ud800"]}}

        assert till.knock({**event, "data": {"object": told}}).status_code == 200

        kept = ProviderEvent.objects.get().payload["data"]["object"]
        assert (kept["description"], kept["metadata"]) == ("a\ufffdb", {"k\ufffd": ["\ufffd"]})

    def test_and_names_nothing_to_look_up_is_ignored(self, till: Till, event: dict[str, Any]) -> None:
        till.deliver([{**event, "type": "checkout.session.completed", "data": {"object": {"object": "x"}}}])

        assert ProviderEvent.objects.get().state == "ignored"


class TestAnEvent:
    def test_is_stored_once(self, till: Till, event: dict[str, Any], bob: Account) -> None:
        assert till.knock(event).json() == {"received": True, "new": True}
        assert till.knock(event).json() == {"received": True, "new": False}

        till.work()
        assert till.knock(event).json()["new"] is False
        till.work()

        assert ProviderEvent.objects.count() == 1
        assert standing(bob)[0] == 100

    def test_that_is_too_large_is_refused_unread(self, till: Till) -> None:
        assert till.knock(b"x" * (MOST_BYTES + 1)).status_code == 413

    def test_comes_in_by_post(self, till: Till) -> None:
        assert till.client.get("/webhooks/stripe").status_code == 405

    def test_of_a_type_that_nobody_knows_is_kept_and_ignored(self, till: Till, event: dict[str, Any]) -> None:
        till.deliver([{**event, "id": "evt_new", "type": "coupon.created"}])

        assert ProviderEvent.objects.get().state == "ignored"

    def test_is_taken_in_while_the_broker_is_dead(
        self,
        till: Till,
        event: dict[str, Any],
        bob: Account,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        dead = Celery("florin", broker=f"redis://127.0.0.1:{free_port()}/0", set_as_current=False)
        monkeypatch.setattr(tasks, "broker", Breaker(OperationalError, failures=1, seconds=60))
        monkeypatch.setattr(tasks.process_inbox_now, "_get_app", lambda: dead)

        assert till.knock(event).status_code == 200
        assert till.knock({**event, "id": "evt_second"}).status_code == 200
        till.work()

        assert caplog.text.count("No worker could be told") == 1
        assert standing(bob)[0] == 100
