"""API keys: shown once, revoked for ever."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session

from credits.models import ApiKey, Scope
from credits.services.keys import create_api_key, recognise
from tests.admin.conftest import Desk, text

FIELDS: dict[str, Any] = {
    "name": "web-prod",
    "owner": "shop",
    "scopes": ["credits:read", "credits:write"],
    "rate_limit": "600",
}
FIELDS["expires_at"] = "2090-01-01T00:00"


def make(desk: Desk, **fields: Any) -> Any:
    draft = re.search(r'name="draft" value="([^"]+)"', text(desk.get("credits/apikey/add/")))
    assert draft
    return desk.post("credits/apikey/add/", draft=draft[1], **(FIELDS | fields))


def shown(page: Any) -> str:
    found = re.search(r"flr_[a-z0-9]{8}_[\w-]{32,}", text(page))
    assert found, text(page)
    return found[0]


class TestMakingAKey:
    def test_shows_it_on_the_page_that_answers(self, dave: Desk) -> None:
        page = make(dave)

        key = shown(page)
        caller = recognise(key)
        assert caller is not None
        assert (caller.name, caller.owner, caller.rate_limit) == ("web-prod", "shop", 600)
        assert caller.scopes == {"credits:read", "credits:write"}
        assert caller.expires_at is not None
        assert caller.expires_at.year == 2090
        assert ApiKey.objects.get().created_by == "dave"
        assert "no-store" in page["Cache-Control"]

    def test_and_nowhere_else_ever(self, dave: Desk, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        page = make(dave)
        secret = shown(page).split("_", 2)[2]
        row = ApiKey.objects.get()

        later = [dave.get("credits/apikey/"), dave.get(f"credits/apikey/{row.pk}/change/"), dave.get("")]

        assert all(secret not in text(one) for one in later)
        assert all(secret not in str(session.get_decoded()) for session in Session.objects.all())
        assert secret not in LogEntry.objects.get().get_change_message()
        assert secret not in caplog.text
        assert all(secret not in cookie.value for cookie in [*page.cookies.values(), *dave.client.cookies.values()])
        assert secret not in str(ApiKey.objects.values().get())

    def test_twice_with_one_form_makes_one(self, dave: Desk) -> None:
        draft = re.search(r'name="draft" value="([^"]+)"', text(dave.get("credits/apikey/add/")))
        assert draft
        dave.post("credits/apikey/add/", draft=draft[1], **FIELDS)

        again = dave.client.post("/admin/credits/apikey/add/", {**FIELDS, "draft": draft[1]}, follow=True)

        assert ApiKey.objects.count() == 1
        assert "cannot be shown again" in text(again)

    @pytest.mark.parametrize(
        "fields",
        [
            {"name": ""},
            {"scopes": []},
            {"scopes": ["everything"]},
            {"rate_limit": "0"},
            {"rate_limit": "99999999999"},
            {"expires_at": "2020-01-01T00:00"},
        ],
    )
    def test_wrongly_is_refused_on_the_form(self, dave: Desk, fields: dict[str, Any]) -> None:
        page = make(dave, **fields)

        assert page.status_code == 200
        assert page.context["form"].errors
        assert not ApiKey.objects.exists()

    def test_with_a_draft_of_ones_own_is_asked_again(self, dave: Desk) -> None:
        page = dave.post("credits/apikey/add/", draft="flr_mydraft1", **FIELDS)

        assert page.status_code == 200
        assert not ApiKey.objects.exists()

    def test_needs_the_permission(self, eve: Desk) -> None:
        viewer = Desk("viewer", "view_apikey")

        for desk in (eve, viewer):
            assert desk.get("credits/apikey/add/").status_code == 403
            assert desk.post("credits/apikey/add/", **FIELDS).status_code == 403


class TestRevoking:
    @pytest.fixture
    def key(self, database: None) -> tuple[ApiKey, str]:
        return create_api_key(name="web-prod", scopes=Scope.values)

    def test_asks_then_stops_it_for_ever(self, dave: Desk, key: tuple[ApiKey, str]) -> None:
        row, secret = key

        assert dave.get(f"credits/apikey/{row.pk}/revoke/").status_code == 200
        assert recognise(secret) is not None
        dave.post(f"credits/apikey/{row.pk}/revoke/")

        assert recognise(secret) is None
        assert LogEntry.objects.get().get_change_message() == f"Revoked {row}."

    def test_twice_does_no_more_than_once(self, dave: Desk, key: tuple[ApiKey, str]) -> None:
        row, _ = key
        dave.post(f"credits/apikey/{row.pk}/revoke/")
        row.refresh_from_db()
        first = row.revoked_at

        dave.post(f"credits/apikey/{row.pk}/revoke/")

        row.refresh_from_db()
        assert row.revoked_at == first
        assert LogEntry.objects.count() == 1
        assert "/revoke/" not in text(dave.get(f"credits/apikey/{row.pk}/change/"))

    def test_needs_its_permission(self, key: tuple[ApiKey, str]) -> None:
        row, secret = key
        viewer, revoker = Desk("viewer", "view_apikey"), Desk("revoker", "view_apikey", "revoke_apikey")

        assert viewer.post(f"credits/apikey/{row.pk}/revoke/").status_code == 403
        assert "/revoke/" not in text(viewer.get(f"credits/apikey/{row.pk}/change/"))
        assert recognise(secret) is not None
        assert revoker.post(f"credits/apikey/{row.pk}/revoke/").status_code == 302
