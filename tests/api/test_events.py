from __future__ import annotations

from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from credits.eventtypes import described
from credits.models import Account, Event, EventType
from credits.plan import LotTerms
from credits.plan.news import TYPES
from credits.services import accounts, clawback, corrections, movements, transfers
from tests.conftest import Api
from tests.factories import give, make_account, memo, spend


@pytest.fixture
def everything(alice: Account, bob: Account) -> list[Any]:
    """One event of every type, at least."""
    give(bob, 10, at=None)
    spent = spend(alice, 10, reference_type="trace", reference_id="t-1", feature="ml-analysis")
    corrections.refund_transaction(transaction=spent.id, amount=Decimal(1), memo=memo())
    movements.adjust_balance(account=alice.pk, delta=Decimal(-1), memo=memo(reason="goodwill"))
    transfers.transfer_credits(source=alice.pk, target=bob.pk, amount=Decimal(1), memo=memo())
    corrections.reverse_transaction(transaction=spend(alice, 1).id, memo=memo())
    bought = give(alice, 50)
    spend(alice, 130)
    clawback.take_back(bought=bought.id, total=Decimal(50), memo=memo())
    give(alice, 100)
    accounts.freeze_account(account=bob.pk, reason="checks")
    carol = make_account(external_id="carol", unit="USD", balance="0.000125")
    lot = LotTerms(expires_at=Event.objects.latest("pk").recorded_at.replace(year=2090))
    movements.add_credits(account=carol.pk, amount=Decimal("1.5"), memo=memo(), terms=lot)
    give(carol, 1, at=Event.objects.latest("pk").recorded_at.replace(year=2091))
    return list(Event.objects.all())


class TestASchema:
    def test_there_is_for_each_type(self) -> None:
        assert {name for name, _ in described()} == set(EventType.values)
        assert {version for _, version in described()} == {1}

    def test_is_one_itself(self) -> None:
        for each in described().values():
            jsonschema.Draft202012Validator.check_schema(each.schema)

    def test_describes_what_is_told(self, everything: list[Event]) -> None:
        assert {event.type for event in everything} == set(EventType.values)
        for event in everything:
            schema = described()[event.type, event.version].schema
            jsonschema.validate(event.payload, schema, jsonschema.Draft202012Validator)

    def test_knows_every_kind_of_movement(self) -> None:
        for kind, told in TYPES.items():
            assert kind in described()[told, 1].schema["properties"]["kind"]["enum"]


class TestTheApi:
    def test_tells_what_each_type_says(self, api: Api) -> None:
        results = api.get("/api/v1/event-types").json()["results"]

        assert [each["type"] for each in results] == sorted(EventType.values)
        assert results[0]["schema"]["properties"]

    def test_lists_events_newest_first_in_pages(self, api: Api, everything: list[Event]) -> None:
        page = api.get("/api/v1/events?limit=5").json()

        assert [each["id"] for each in page["results"]] == [event.pk for event in everything[:5]]
        following = api.get(page["next"].removeprefix("http://testserver")).json()
        assert [each["id"] for each in following["results"]] == [event.pk for event in everything[5:10]]

    def test_lists_those_of_an_account_and_a_type(self, api: Api, everything: list[Event]) -> None:
        found = api.get("/api/v1/events?account=bob&type=evt.credits.transferred,evt.credits.recharged").json()

        assert [each["type"] for each in found["results"]] == ["evt.credits.transferred", "evt.credits.recharged"]
        assert {each["payload"]["merchant_id"] for each in found["results"]} == {"bob"}

    def test_tells_exact_amounts(self, api: Api, everything: list[Event]) -> None:
        first = api.get("/api/v1/events?account=carol").content

        assert b'"amount": 0.000125' in first

    def test_shows_one(self, api: Api, everything: list[Event]) -> None:
        event = everything[0]

        assert api.get(f"/api/v1/events/{event.pk}").json()["payload"] == event.payload
        assert api.get("/api/v1/events/999999999999").json()["code"] == "event_not_found"


def test_a_type_that_no_text_can_be_is_refused(api: Api) -> None:
    assert api.get("/api/v1/events?type=evt.credits.consumed,%00").status_code == 400
