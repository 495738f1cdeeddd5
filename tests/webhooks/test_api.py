"""Webhook endpoints over the API: made, changed, tested, rotated; deliveries listed and sent again."""

from __future__ import annotations

from typing import Any

import pytest

from billing.models import WebhookDelivery, WebhookEndpoint, WebhookSecret
from credits.models import Account, IdempotencyRecord, Scope
from tests.conftest import Api
from tests.factories import spend
from tests.fakes.receiver import Receiver, Reply
from tests.webhooks.conftest import MOVEMENTS, Hook

LOW = "evt.credits.low_balance_reached"
PATH = "/api/v1/webhook-endpoints"


@pytest.fixture
def api(committed: None) -> Api:
    return Api()


def make(api: Api, receiver: Receiver, **said: Any) -> Any:
    once = said.pop("once", "k")
    return api.post(PATH, {"url": receiver.url, **said}, once=once)


class TestAnEndpoint:
    def test_is_made_with_a_secret_that_is_told_once(self, api: Api, receiver: Receiver) -> None:
        made = make(api, receiver, owner="ada", event_types=[LOW], description="Ada's")
        again = make(api, receiver, owner="ada", event_types=[LOW], description="Ada's")

        assert made.status_code == again.status_code == 201
        assert made.json()["secret"].startswith("whsec_")
        assert (again.json()["secret"], again["Idempotency-Replayed"]) == (None, "true")
        assert again.json() == {**made.json(), "secret": None}
        assert WebhookEndpoint.objects.count() == 1
        assert "whsec_" not in IdempotencyRecord.objects.get().body
        read = api.get(f"{PATH}/{made.json()['id']}").json()
        assert read == {name: value for name, value in made.json().items() if name != "secret"}
        assert api.get(f"{PATH}?owner=ada").json()["results"] == [read]
        assert api.get(f"{PATH}?owner=eve").json()["results"] == []

    @pytest.mark.parametrize(
        ("said", "field"),
        [
            ({"url": "https://169.254.169.254/latest"}, "url"),
            ({"url": "http://10.0.0.1/"}, "url"),
            ({"url": "ftp://hooks.example/"}, "url"),
            ({"url": None}, "url"),
            ({"event_types": ["evt.nothing"]}, "event_types"),
            ({"owner": "a/"}, "owner"),
        ],
    )
    def test_that_cannot_be_is_refused_by_field(
        self, api: Api, receiver: Receiver, said: dict[str, Any], field: str
    ) -> None:
        answer = make(api, receiver, **said)

        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
        assert not WebhookEndpoint.objects.exists()

    def test_is_changed_disabled_enabled_and_deleted(self, api: Api, receiver: Receiver) -> None:
        path = f"{PATH}/{make(api, receiver).json()['id']}"

        changed = api.patch(path, {"event_types": [LOW], "description": "x", "url": "https://hooks.example/b"})
        assert changed.json()["event_types"] == [LOW]
        assert (changed.json()["url"], changed.json()["description"]) == ("https://hooks.example/b", "x")
        off = api.patch(path, {"status": "disabled"}).json()
        assert (off["status"], off["status_reason"]) == ("disabled", "Disabled by web-prod")
        assert api.patch(path, {"status": "active"}).json()["status_reason"] is None
        assert api.patch(path, {"status": "deleted"}).status_code == 400
        assert api.patch(path, {"url": "https://127.0.0.1.:1/"}).status_code in {200, 400}

        gone = api.post(path, method="DELETE")
        assert gone.json()["status"] == "deleted"
        assert api.get(path).status_code == api.post(path, method="DELETE").status_code == 404
        assert api.get(PATH).json()["results"] == []

    def test_takes_the_scope(self, api: Api, receiver: Receiver) -> None:
        path = f"{PATH}/{make(api, receiver).json()['id']}"
        reader, writer = Api(Scope.CREDITS_READ, Scope.CREDITS_WRITE), Api(Scope.WEBHOOKS_WRITE)

        assert reader.get(path).status_code == 200
        assert writer.patch(path, {}).status_code == 200
        for tail in ("", "/test", "/rotate-secret", "/replay", "/deliveries/1/replay"):
            assert reader.post(PATH + tail if not tail else path + tail, {}).status_code == 403, tail
        assert reader.patch(path, {}).status_code == reader.post(path, method="DELETE").status_code == 403

    @pytest.mark.parametrize("tail", ["", "/deliveries"])
    def test_that_there_is_not_is_not_found(self, api: Api, tail: str) -> None:
        for pk in ("nothing", "019a9f10-5c00-7000-8000-000000000401"):
            assert api.get(f"{PATH}/{pk}{tail}").json()["code"] == "webhook_endpoint_not_found"


class TestASecret:
    def test_is_rotated_once_for_a_key(self, api: Api, receiver: Receiver) -> None:
        made = make(api, receiver).json()
        path = f"{PATH}/{made['id']}/rotate-secret"

        first, again = api.post(path, {"overlap_hours": 1}, once="r"), api.post(path, {"overlap_hours": 1}, once="r")

        assert (first.status_code, again.json()["secret"]) == (201, None)
        assert first.json()["secret"] != made["secret"]
        assert WebhookSecret.objects.count() == 2

    def test_is_rotated_only_so_often(self, api: Api, receiver: Receiver) -> None:
        path = f"{PATH}/{make(api, receiver).json()['id']}/rotate-secret"

        answers = [api.post(path, {}).status_code for _ in range(5)]

        assert answers == [201] * 4 + [409]
        assert api.post(path, {"overlap_hours": 0}).status_code == 409


class TestATest:
    def test_tells_at_once_what_came_of_it(self, api: Api, receiver: Receiver) -> None:
        made = make(api, receiver).json()
        receiver.secret = made["secret"]
        receiver.next(Reply(200, b"pong"), Reply(500))
        path = f"{PATH}/{made['id']}/test"

        good, same, bad = api.post(path, once="1"), api.post(path, once="1"), api.post(path, once="2")

        assert good.status_code == bad.status_code == 201
        assert (good.json()["status"], good.json()["answer_status"], good.json()["answer_excerpt"]) == (
            "delivered", 200, "pong",
        )  # fmt: skip
        assert (bad.json()["status"], bad.json()["error"]) == ("failed", "It answered 500.")
        assert same.content == good.content
        assert len(receiver.verified) == 2
        assert receiver.verified[0] == good.json()["body"]


class TestDeliveries:
    def test_are_listed_and_sent_again(self, api: Api, receiver: Receiver, alice: Account) -> None:
        hook = Hook(receiver, event_types=MOVEMENTS)
        spend(alice, 1)
        spend(alice, 2)
        receiver.next(Reply(410))
        hook.work()
        path = f"{PATH}/{hook.endpoint.pk}"

        listed = api.get(f"{path}/deliveries").json()["results"]
        assert [(each["status"], each["answer_status"]) for each in listed] == [("pending", None), ("failed", 410)]
        assert listed[1]["body"]["data"]["amount"] == -1
        assert len(api.get(f"{path}/deliveries?status=failed").json()["results"]) == 1
        for status in ("lost", "%00"):
            assert list(api.get(f"{path}/deliveries?status={status}").json()["errors"]) == ["status"]
        assert api.patch(path, {"status": "active"}).status_code == 200

        again = api.post(f"{path}/deliveries/{listed[1]['id']}/replay", once="a")
        assert (again.status_code, again.json()["status"]) == (201, "pending")
        hook.work()
        assert hook.statuses == ["delivered"] * 2

        WebhookDelivery.objects.update(status="failed")
        assert api.post(f"{path}/replay", {"since": "2020-01-01T00:00:00Z"}, once="b").json() == {"replayed": 2}
        assert api.post(f"{path}/replay", {}).json() == {"replayed": 0}
        assert api.post(f"{path}/deliveries/999999999/replay").json()["code"] == "webhook_delivery_not_found"
