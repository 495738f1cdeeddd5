"""Dialect D: an AI trace is charged at what the gateway says it cost, once."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from billing.providers import portkey as provider
from credits.models import Account, IdempotencyRecord, Scope, Transaction
from credits.services.accounts import freeze_account
from credits.services.keys import create_api_key
from tests.books import Books
from tests.conftest import Api
from tests.factories import make_account, spend
from tests.fakes.portkey import FakePortkey, Reply
from tests.threads import at_once

ADDRESS = "/api/v1/token_used"
USER = "66f1c0ffee66f1c0ffee66f1"
BODY = {"userId": USER, "traceId": "trace-1"}


@pytest.fixture
def user(committed: None, portkey: FakePortkey) -> Account:
    portkey.trace("trace-1", 0.8, 0.4345)
    return make_account(external_id=USER, balance=100)


def balance() -> Any:
    return Account.objects.get(external_id=USER).balance


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


class TestATrace:
    def test_is_charged_to_the_byte(self, user: Account, api: Api) -> None:
        answer = api.post(ADDRESS, BODY)

        assert (answer.status_code, answer.headers["Content-Type"]) == (201, "application/json")
        assert answer.content == (
            b'{"traceId":"trace-1","totalCostUsd":"0.012345","totalToken":-1,"transactionStatus":"Success"}'
        )
        assert balance() == 99

    def test_is_charged_with_an_x_api_key_alone(self, user: Account, api: Api) -> None:
        answer = api.client.post(ADDRESS, BODY, content_type="application/json", headers={"X-API-Key": api.key})

        assert answer.status_code == 201

    def test_costs_its_web_searches_too(self, user: Account, api: Api) -> None:
        answer = api.post(ADDRESS, b'{"userId": "%s", "traceId": "trace-1", "websearchCost": 1.2}' % USER.encode())

        assert answer.content == (
            b'{"traceId":"trace-1","totalCostUsd":"1.212345","totalToken":-43,"transactionStatus":"Success"}'
        )

    @pytest.mark.parametrize(
        ("cents", "usd", "moved"),
        [
            ("20", "0.2", -7),
            ("20.0000000000000000000000000000000001", "0.200000000000000000000000000000000001", -8),
            ("0.0000000001", "0.000000000001", -1),
            ("100", "1", -35),
            ("285.7142857", "2.857142857", -100),
        ],
    )
    def test_is_rounded_up_to_a_whole_credit_once(
        self, user: Account, api: Api, portkey: FakePortkey, cents: str, usd: str, moved: int
    ) -> None:
        portkey.trace("t", cents)

        answer = api.post(ADDRESS, {"userId": USER, "traceId": "t"}).json()

        assert (answer["totalCostUsd"], answer["totalToken"]) == (usd, moved)

    def test_leaves_why_beside_the_movement(self, user: Account, api: Api) -> None:
        api.post(ADDRESS, {**BODY, "agentId": "writer", "websearchCost": "0.5"}, **{"X-Request-ID": "r-1"})

        row = Transaction.objects.get(kind="usage")
        assert (row.reference_type, row.reference_id, row.feature) == ("trace", "trace-1", "ai-tokens")
        assert row.metadata == {
            "total_cost_usd": "0.512345", "agentId": "writer", "websearch_cost": "0.5", "tokens": 20,
        }  # fmt: skip
        assert (row.actor_name, row.request_id, row.description) == ("web-prod", "r-1", "AI usage")

    @pytest.mark.parametrize("more", [{"agentId": None, "websearchCost": None}, {"agentId": "", "websearchCost": 0}])
    def test_may_name_nothing_besides(self, user: Account, api: Api, more: dict[str, Any]) -> None:
        assert api.post(ADDRESS, {**BODY, **more}).json()["totalToken"] == -1
        assert Transaction.objects.get(kind="usage").metadata.keys() == {"total_cost_usd", "tokens"}

    def test_draws_plan_credits_before_those_bought(self, user: Account, api: Api, portkey: FakePortkey) -> None:
        plan = {"amount": 10, "category": "plan", "priority": 10}
        assert api.post(f"/api/v1/accounts/{USER}/topups", plan).status_code == 201
        portkey.trace("t", 50)

        assert api.post(ADDRESS, {"userId": USER, "traceId": "t"}).json()["totalToken"] == -18

        drawn = Transaction.objects.get(kind="usage").draws
        assert [part for _, part in drawn] == ["-10.000000", "-8.000000"]


class TestOnce:
    def test_again_gets_the_first_answer_without_asking_the_gateway(
        self, user: Account, api: Api, portkey: FakePortkey
    ) -> None:
        first = api.post(ADDRESS, BODY)
        portkey.trace("trace-1", 5000)

        again = [api.post(ADDRESS, BODY), api.post(ADDRESS, {**BODY, "agentId": "other", "websearchCost": 3})]

        assert {(answer.status_code, answer.content) for answer in [first, *again]} == {(201, first.content)}
        assert len(portkey.asked) == 1
        assert balance() == 99

    def test_again_while_the_gateway_is_down(self, user: Account, api: Api, portkey: FakePortkey) -> None:
        first = api.post(ADDRESS, BODY)
        portkey.next(Reply(401))

        assert api.post(ADDRESS, BODY).content == first.content

    def test_again_from_an_account_that_is_frozen_by_now(self, user: Account, api: Api) -> None:
        first = api.post(ADDRESS, BODY)
        freeze_account(account=user.pk, reason="")

        assert api.post(ADDRESS, BODY).content == first.content
        assert code(api.post(ADDRESS, {**BODY, "traceId": "new"})) == (404, "cost_not_found")

    def test_is_meant_for_each_account(self, user: Account, api: Api) -> None:
        make_account(external_id="other", balance=5)

        assert api.post(ADDRESS, BODY).status_code == api.post(ADDRESS, {**BODY, "userId": "other"}).status_code == 201
        assert balance() == 99

    def test_with_a_key_is_replayed_to_the_letter(self, user: Account, api: Api, portkey: FakePortkey) -> None:
        first = api.post(ADDRESS, BODY, once="k")
        again = api.post(ADDRESS, BODY, once="k")
        other = api.post(ADDRESS, BODY, once="another")

        assert first.content == again.content == other.content
        assert [answer.headers.get("Idempotency-Replayed") for answer in (first, again, other)] == [None, "true", None]
        assert code(api.post(ADDRESS, {**BODY, "traceId": "t"}, once="k")) == (422, "idempotency_key_reused")
        assert len(portkey.asked) == 1
        assert IdempotencyRecord.objects.count() == 2

    def test_with_a_key_a_402_stays_one_and_a_404_or_502_does_not(
        self, user: Account, api: Api, portkey: FakePortkey
    ) -> None:
        portkey.trace("dear", 1000)
        assert api.post(ADDRESS, {**BODY, "traceId": "dear"}, once="a").status_code == 402
        assert api.post(ADDRESS, {**BODY, "traceId": "late"}, once="b").status_code == 404
        portkey.next(Reply(401))
        assert api.post(ADDRESS, BODY, once="c").status_code == 502

        portkey.trace("dear", 1)
        portkey.trace("late", 1)

        replayed = api.post(ADDRESS, {**BODY, "traceId": "dear"}, once="a")
        assert (replayed.status_code, replayed.headers["Idempotency-Replayed"]) == (402, "true")
        assert api.post(ADDRESS, {**BODY, "traceId": "late"}, once="b").status_code == 201
        assert api.post(ADDRESS, BODY, once="c").status_code == 201

    def test_a_trace_charged_by_another_call_is_not_charged_here(self, user: Account, api: Api) -> None:
        spend(user, 3, reference_type="trace", reference_id="trace-1")

        assert code(api.post(ADDRESS, BODY)) == (409, "reference_conflict")
        assert balance() == 97

    def test_from_sixteen_threads_while_the_gateway_still_counts(
        self, user: Account, api: Api, portkey: FakePortkey
    ) -> None:
        """Each thread hears of another cost; one is charged, and all are answered with it."""
        for number in range(16):
            portkey.next(Reply(body=b'{"data": [{"cost": %d}]}' % (10 + 10 * number)))

        outcomes = at_once([lambda: api.post(ADDRESS, BODY).content] * 16)

        assert len(set(outcomes)) == 1, outcomes
        assert Transaction.objects.filter(kind="usage").count() == 1

    @pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}])
    def test_from_sixteen_threads_on_the_real_server(
        self, server: str, user: Account, portkey: FakePortkey, key: dict[str, str]
    ) -> None:
        _, secret = create_api_key(name="web", scopes=[Scope.CREDITS_WRITE])

        def call() -> tuple[int, bytes]:
            answer = httpx.post(f"{server}{ADDRESS}", json=BODY, headers={"X-API-Key": secret, **key}, timeout=30)
            return answer.status_code, answer.content

        outcomes = at_once([call] * 16)

        body = b'{"traceId":"trace-1","totalCostUsd":"0.012345","totalToken":-1,"transactionStatus":"Success"}'
        assert set(outcomes) == {(201, body)}
        assert Transaction.objects.filter(kind="usage").count() == 1
        assert balance() == 99


class TestRefused:
    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"userId": None}, "userId"),
            ({"userId": ""}, "userId"),
            ({"userId": 7}, "userId"),
            ({"traceId": None}, "traceId"),
            ({"traceId": ""}, "traceId"),
            ({"traceId": "a,b"}, "traceId"),
            ({"traceId": "x" * 256}, "traceId"),
            ({"traceId": "\0"}, "traceId"),
            ({"agentId": 7}, "agentId"),
            ({"websearchCost": -0.01}, "websearchCost"),
            ({"websearchCost": "much"}, "websearchCost"),
            ({"websearchCost": True}, "websearchCost"),
            ({"websearchCost": 10_000.01}, "websearchCost"),
        ],
    )
    def test_a_bad_body_names_the_field(
        self, user: Account, api: Api, portkey: FakePortkey, changed: dict[str, Any], field: str
    ) -> None:
        answer = api.post(ADDRESS, {**BODY, **changed})

        assert code(answer) == (400, "invalid")
        assert answer.json()["errors"].keys() == {field}
        assert portkey.asked == []

    def test_a_body_without_fields_names_both(self, user: Account, api: Api) -> None:
        assert api.post(ADDRESS, {}).json()["errors"].keys() == {"userId", "traceId"}
        assert api.post(ADDRESS, b"[]").status_code == 400

    def test_nothing_left_is_a_402_and_changes_nothing(
        self, user: Account, api: Api, portkey: FakePortkey, books: Books
    ) -> None:
        portkey.trace("dear", 1000)
        before = books()

        answer = api.post(ADDRESS, {**BODY, "traceId": "dear"})

        assert code(answer) == (402, "insufficient_credits")
        assert (answer.json()["needed"], answer.json()["available"]) == (350, 100)
        assert books() == before

    def test_an_unknown_account_is_a_404_and_not_worth_a_question(
        self, user: Account, api: Api, portkey: FakePortkey
    ) -> None:
        assert code(api.post(ADDRESS, {**BODY, "userId": "nobody"})) == (404, "account_not_found")
        assert portkey.asked == []

    def test_an_unknown_cost_is_a_404_until_it_is_known(
        self, user: Account, api: Api, portkey: FakePortkey, books: Books
    ) -> None:
        before = books()
        assert code(api.post(ADDRESS, {**BODY, "traceId": "late", "websearchCost": 1})) == (404, "cost_not_found")
        assert books() == before

        portkey.trace("late", 1)
        assert api.post(ADDRESS, {**BODY, "traceId": "late"}).status_code == 201

    @pytest.mark.parametrize(
        ("reply", "reason"),
        [
            (Reply(401), "gateway_refused"),
            (Reply(500, headers={"Retry-After": "3600"}), "gateway_unreachable"),
            (Reply(200, b'{"data": [{"cost": -100}]}'), "gateway_nonsense"),
        ],
    )
    def test_a_gateway_that_does_not_tell_is_a_502(
        self, user: Account, api: Api, portkey: FakePortkey, books: Books, reply: Reply, reason: str
    ) -> None:
        portkey.next(reply)
        before = books()

        answer = api.post(ADDRESS, BODY)

        assert code(answer) == (502, reason)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert portkey.key not in answer.content.decode()
        assert portkey.url not in answer.content.decode()
        assert books() == before

    def test_without_a_gateway_is_a_502(self, user: Account, api: Api, settings: Any) -> None:
        settings.PORTKEY_URL = ""
        provider.forget()

        assert code(api.post(ADDRESS, BODY)) == (502, "gateway_missing")

    def test_a_frozen_account_is_not_charged(self, user: Account, api: Api) -> None:
        freeze_account(account=user.pk, reason="")

        assert code(api.post(ADDRESS, BODY)) == (409, "account_frozen")

    def test_the_key_is_really_checked(self, user: Account, api: Api) -> None:
        post = api.client.post
        assert post(ADDRESS, BODY, content_type="application/json").status_code == 401
        assert post(ADDRESS, BODY, content_type="application/json", headers={"X-API-Key": "x"}).status_code == 401
        assert code(Api(Scope.CREDITS_READ).post(ADDRESS, BODY)) == (403, "missing_scope")
        assert balance() == 100


def test_the_bare_address_answers(api: Api) -> None:
    assert api.client.get("/").status_code == 200
