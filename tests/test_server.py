"""The web server as a process: what it survives."""

from __future__ import annotations

import httpx
from django.db import connection

from credits.models import Scope
from credits.services.keys import create_api_key
from tests.factories import make_account


def test_connections_that_died_are_noticed_before_they_are_used(server: str) -> None:
    make_account(external_id="alice", balance=100)
    _, key = create_api_key(name="web", scopes=Scope.values)
    with httpx.Client(base_url=server, headers={"X-API-Key": key}) as client:
        for spent in range(1, 6):
            answer = client.post("/api/v1/accounts/alice/debits", json={"amount": 1})
            assert (answer.status_code, answer.json()["balance_after"]) == (201, 100 - spent)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(pg_terminate_backend(pid, 1000)) FROM pg_stat_activity"
                    " WHERE application_name = 'florin' AND pid <> pg_backend_pid() AND datname = current_database()"
                )
                assert cursor.fetchone() != (0,)
