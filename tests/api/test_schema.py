"""The schema, and whether the service keeps to it whatever is sent."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
import schemathesis
import yaml
from django.core.management import call_command
from django.test import override_settings
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from billing.api.dialects.tokens import USED
from billing.api.examples import BUY
from billing.demo import load_packs
from billing.models import Pack
from billing.providers import portkey as provider
from billing.providers import stripe as payments
from billing.services.catalogue import publish_catalogue
from billing.services.customers import customer_of
from config.wsgi import application
from credits.models import Account, Scope
from credits.services.keys import create_api_key
from subscriptions.api.examples import SUBSCRIBE
from subscriptions.demo import load_plans
from tests.books import audit
from tests.conftest import commits, gateway_settings, stripe_settings
from tests.factories import make_account
from tests.fakes.portkey import FakePortkey
from tests.fakes.stripe import FakeStripe

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def written() -> dict[str, Any]:
    printed = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=printed)
    return yaml.safe_load(printed.getvalue())


SCHEMA = written()
contract = schemathesis.openapi.from_dict(SCHEMA)
contract.app = application


@contract.parametrize()
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_operation_keeps_to_the_schema(case: schemathesis.Case, caller: dict[str, str]) -> None:
    response = case.call(headers=caller)

    assert response.status_code < 500
    case.validate_response(response, checks=CHECKS)


@pytest.fixture(scope="module")
def caller(django_db_setup: None, django_db_blocker: Any) -> Any:
    """A key, what the examples name, and a gateway that knows dialect D's trace, for the whole module."""
    with (
        commits(django_db_blocker),
        FakePortkey(demo=True) as fake,
        FakeStripe() as bank,
        override_settings(**gateway_settings(fake), **stripe_settings(bank)),
    ):
        provider.forget()
        payments.forget()
        make_account(external_id=USED["userId"], balance=10**6)
        make_account(external_id=SUBSCRIBE["account"])
        load_plans()
        load_packs()
        Pack.objects.update(price_reference="")
        publish_catalogue()
        customer_of(Account.objects.get(external_id=BUY["account"]))
        _, key = create_api_key(name="schemathesis", scopes=Scope.values)
        yield {"Authorization": f"Bearer {key}"}
        provider.forget()
        payments.forget()
        assert audit() == {}


def test_every_operation_has_a_tag_a_summary_and_an_example() -> None:
    for path, operations in SCHEMA["paths"].items():
        for method, operation in operations.items():
            assert operation["tags"], (method, path)
            assert operation["summary"], (method, path)
            answers = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
            assert any("examples" in media for answer in answers for media in answer["content"].values()), path
            for media in operation.get("requestBody", {}).get("content", {}).values():
                assert "examples" in media, (method, path)


def test_a_key_is_asked_for_in_one_of_two_ways() -> None:
    for path, operations in SCHEMA["paths"].items():
        for method, operation in operations.items():
            assert operation["security"] == [{"bearer": []}, {"apiKey": []}], (method, path)


def test_the_dialects_have_tags_of_their_own() -> None:
    tags = {tag for operations in SCHEMA["paths"].values() for each in operations.values() for tag in each["tags"]}

    assert tags == {
        *("Accounts", "Credits", "Holds", "Transactions", "Usage", "Prices", "Quotas", "Plans", "Buying", "Webhooks"),
        "Events",
        "Subscriptions",
        *("Dialect A", "Dialect B", "Dialect C", "Dialect D", "Dialect E"),
    }


@pytest.mark.parametrize("path", ["/api/docs/", "/api/docs", "/api/redoc/", "/api/schema/"])
def test_the_pages_load_nothing_from_elsewhere(client: Any, path: str) -> None:
    page = client.get(path)

    assert page.status_code == 200
    assert b"//cdn" not in page.content
    assert b"https://" not in page.content or path == "/api/schema/"


def test_what_asks_outside_may_fail_with_it() -> None:
    failing = [path for path, each in SCHEMA["paths"].items() if "502" in each.get("post", {}).get("responses", {})]

    assert failing == [
        "/api/v1/checkout",
        "/api/v1/payments/{id}/refunds",
        "/api/v1/portal",
        "/api/v1/token_used",
    ]
