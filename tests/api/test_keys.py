from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from credits.models import Account, ApiKey, Scope
from credits.services import keys
from tests.conftest import Api

BALANCE = "/api/v1/accounts/alice@example.com/balance"


def status(**headers: str) -> tuple[int, str]:
    answer = Client().get(BALANCE, headers=headers)
    return answer.status_code, answer.json().get("code", "")


class TestAKey:
    def test_is_taken_as_bearer_or_in_x_api_key(self, api: Api, alice: Account) -> None:
        assert status(Authorization=f"Bearer {api.key}") == (200, "")
        assert status(**{"X-API-Key": api.key}) == (200, "")

    def test_that_is_missing_or_wrong_is_a_401_that_tells_nothing(self, api: Api, alice: Account) -> None:
        assert status() == (401, "no_key")
        assert status(Authorization="Bearer flr_aaaaaaaa_" + "x" * 43) == (401, "invalid_key")
        assert status(Authorization=f"Basic {api.key}") == (401, "no_key")
        assert status(**{"X-API-Key": "\u00e4"}) == (401, "invalid_key")
        unknown = Client().get("/api/v1/accounts/nobody/balance", headers={"X-API-Key": "x"})
        assert (unknown.status_code, unknown.json()["code"]) == (401, "invalid_key")
        assert unknown.headers["WWW-Authenticate"] == 'Bearer realm="florin"'

    def test_without_the_scope_is_a_403_whether_the_account_exists_or_not(self, alice: Account) -> None:
        reader = Api(Scope.CREDITS_READ)
        paths = ["/api/v1/accounts/alice@example.com/debits", "/api/v1/accounts/nobody/debits"]

        answers = [reader.post(path, {"amount": 1}) for path in paths]

        assert [each.status_code for each in answers] == [403, 403]
        assert answers[0].content == answers[1].content

    @pytest.mark.parametrize(
        ("scope", "path"),
        [
            (Scope.CREDITS_WRITE, "accounts/a/debits"),
            (Scope.CREDITS_WRITE, "accounts/a/topups"),
            (Scope.CREDITS_WRITE, "accounts/a/holds"),
            (Scope.CREDITS_WRITE, "transfers"),
            (Scope.CREDITS_WRITE, "batches"),
            (Scope.CREDITS_WRITE, "bill"),
            (Scope.CREDITS_WRITE, "topup"),
            (Scope.CREDITS_WRITE, "credits/consume"),
            (Scope.CREDITS_ADJUST, "accounts/a/adjustments"),
            (Scope.CREDITS_REFUND, "transactions/00000000-0000-0000-0000-000000000000/refund"),
            (Scope.CREDITS_REFUND, "transactions/00000000-0000-0000-0000-000000000000/reverse"),
            (Scope.ACCOUNTS_WRITE, "accounts"),
            (Scope.ACCOUNTS_WRITE, "accounts/a/freeze"),
            (Scope.ACCOUNTS_WRITE, "accounts/a/close"),
            (Scope.CREDITS_READ, "balance"),
        ],
    )
    def test_needs_one_scope_for_a_family_of_verbs(self, database: None, scope: Scope, path: str) -> None:
        without = Api(*(set(Scope.values) - {scope}), name="without")
        only = Api(scope, name="only")

        assert without.post(f"/api/v1/{path}", {}).status_code == 403
        assert only.post(f"/api/v1/{path}", {}).status_code != 403

    def test_costs_no_query_while_it_is_warm(self, api: Api, alice: Account) -> None:
        api.get(BALANCE)

        with CaptureQueriesContext(
            connection,
        ) as queries:
            api.get(BALANCE)

        assert not [query for query in queries if "credits_apikey" in query["sql"]]
        assert len(queries) == 1

    def test_is_refused_within_a_second_of_its_revocation_in_another_process(
        self, api: Api, alice: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert api.get(BALANCE).status_code == 200
        ApiKey.objects.update(revoked_at=datetime.now(UTC))
        later = time.monotonic() + 1
        monkeypatch.setattr("credits.services.keys.time.monotonic", lambda: later)

        assert api.get(BALANCE).status_code == 401

    def test_revoked_here_is_refused_at_once(self, api: Api, alice: Account) -> None:
        api.get(BALANCE)

        keys.revoke_api_key(key=api.row)

        assert api.get(BALANCE).status_code == 401

    def test_expires(self, alice: Account) -> None:
        _, key = keys.create_api_key(
            name="old", scopes=[Scope.CREDITS_READ], expires_at=datetime.now(UTC) - timedelta(seconds=1)
        )

        assert status(**{"X-API-Key": key}) == (401, "invalid_key")

    def test_is_kept_only_as_a_digest(self, api: Api) -> None:
        row = ApiKey.objects.values().get()

        assert api.key not in str(row)
        assert row["digest"] == keys.digest(api.key)
        assert api.key.startswith(row["prefix"] + "_")

    def test_tells_when_it_was_last_used(self, api: Api, alice: Account) -> None:
        api.get(BALANCE)

        assert ApiKey.objects.get().last_used_at is not None


class TestTheCommand:
    def test_prints_only_the_key(self, database: None) -> None:
        printed = StringIO()
        call_command("create_api_key", "web-prod", "--scopes", "all", stdout=printed)

        key = printed.getvalue().strip()
        assert printed.getvalue() == f"{key}\n"
        caller = keys.recognise(key)
        assert caller is not None
        assert (caller.name, caller.owner, caller.scopes) == ("web-prod", "web-prod", frozenset(Scope.values))

    def test_takes_scopes_by_blank_or_comma(self, database: None) -> None:
        printed = StringIO()
        call_command("create_api_key", "x", "--scopes", "credits:read,credits:write", "credits:refund", stdout=printed)

        assert len(ApiKey.objects.get().scopes) == 3

    def test_refuses_an_unknown_scope(self, database: None) -> None:
        with pytest.raises(CommandError, match="credits:fly"):
            call_command("create_api_key", "x", "--scopes", "credits:fly")
