"""The desk: endpoints made, tested, rotated, switched; deliveries seen, replayed and given up; each act in the log."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group

from billing.models import Notice, NoticeAddress, WebhookEndpoint, WebhookSecret
from billing.services import notices
from credits.models import Account, StaffAct
from tests.admin.conftest import Desk, confirmation, text
from tests.factories import make_account, spend
from tests.fakes.receiver import Receiver, Reply
from tests.webhooks.conftest import MOVEMENTS, Hook

ENDPOINTS, DELIVERIES = "billing/webhookendpoint", "billing/webhookdelivery"


@pytest.fixture
def desk(committed: None) -> Desk:
    desk = Desk("carol")
    desk.user.groups.set(Group.objects.filter(name="Support lead"))
    return desk


def draft(page: Any) -> str:
    found = re.search(r'name="draft" value="([^"]+)"', text(page))
    assert found
    return found[1]


def acts() -> list[str]:
    told = StaffAct.objects.exclude(action="sign-in").order_by("id")
    return list(told.values_list("what", flat=True))


class TestAnEndpoint:
    def test_is_made_once_and_its_secret_shown_once(self, desk: Desk, receiver: Receiver) -> None:
        form = desk.get(f"{ENDPOINTS}/new/")
        fields = {"url": receiver.url, "owner": "ada", "event_types": MOVEMENTS, "draft": draft(form)}

        made, again = desk.post(f"{ENDPOINTS}/new/", **fields), desk.post(f"{ENDPOINTS}/new/", **fields)

        row = WebhookEndpoint.objects.get()
        secret = re.search(r"whsec_[\w+/=]+", text(made))
        assert secret
        assert "no-store" in made["Cache-Control"]
        assert again.status_code == 302
        assert (row.owner, row.event_types, row.created_by) == ("ada", MOVEMENTS, "carol")
        page = text(desk.get(f"{ENDPOINTS}/{row.pk}/change/"))
        assert secret[0] not in page
        assert f"whsec_…{secret[0].rstrip('=')[-4:]}" in page
        assert acts() == [f"Made {receiver.url} for ada: {receiver.url}."]

    def test_that_may_not_be_is_refused_with_the_reason(self, desk: Desk) -> None:
        form = desk.get(f"{ENDPOINTS}/new/")

        answer = desk.post(f"{ENDPOINTS}/new/", url="https://10.0.0.1/", draft=draft(form))

        assert "not on the public internet" in text(answer)
        assert not WebhookEndpoint.objects.exists()

    def test_is_changed_with_a_preview(self, desk: Desk, hook: Hook) -> None:
        path = f"{ENDPOINTS}/{hook.endpoint.pk}/edit/"
        fields = {"url": "https://hooks.example/new", "event_types": ["evt.credits.expired"], "description": "New"}
        assert desk.get(path).status_code == 200

        preview = desk.post(path, **fields)
        assert "https://hooks.example/new" in text(preview)
        assert hook.row.url == hook.receiver.url
        assert desk.post(path, **fields, confirmation=confirmation(preview)).status_code == 302

        assert (hook.row.url, hook.row.description) == ("https://hooks.example/new", "New")
        assert "https://hooks.example/new" in acts()[-1]
        assert "Nothing would change" in text(desk.post(path, **fields))
        assert "not on the public internet" in text(desk.post(path, **{**fields, "url": "https://169.254.169.254/"}))

    def test_is_tested_and_tells_what_came_of_it(self, desk: Desk, hook: Hook) -> None:
        path = f"{ENDPOINTS}/{hook.endpoint.pk}/test/"
        hook.receiver.next(Reply(200), Reply(500))
        assert b"Test the endpoint?" in desk.get(path).content

        good = desk.client.post(f"/admin/{path}", follow=True)
        bad = desk.client.post(f"/admin/{path}", follow=True)

        assert "It answered 200 after" in text(good)
        assert "It answered 500." in text(bad)
        assert len(hook.receiver.verified) == 2
        assert [act.split(": ")[1] for act in acts()] == ["delivered", "failed It answered 500."]

    def test_is_rotated_once(self, desk: Desk, hook: Hook) -> None:
        path = f"{ENDPOINTS}/{hook.endpoint.pk}/rotate/"
        fields = {"overlap_hours": "0", "draft": draft(desk.get(path))}

        shown, again = desk.post(path, **fields), desk.post(path, **fields)

        assert "whsec_" in text(shown)
        assert again.status_code == 302
        assert WebhookSecret.objects.count() == 2
        assert WebhookSecret.objects.filter(expires_at=None).count() == 1

    def test_is_disabled_enabled_and_deleted(self, desk: Desk, hook: Hook) -> None:
        path = f"{ENDPOINTS}/{hook.endpoint.pk}"

        assert b"Disable the endpoint?" in desk.get(f"{path}/switch/").content
        for _ in range(2):
            desk.post(f"{path}/switch/", to="off")
        assert (hook.row.status, hook.row.status_reason) == ("disabled", "Disabled by carol")
        assert b"Webhook endpoints disabled" in desk.get("").content
        desk.post(f"{path}/switch/", to="on")
        assert hook.row.status == "active"
        assert b"Delete the endpoint?" in desk.get(f"{path}/delete-for-good/").content
        desk.post(f"{path}/delete-for-good/")
        assert hook.row.status == "deleted"

        assert desk.post(f"{path}/switch/", to="on").status_code == 404
        assert [act.split()[0] for act in acts()] == ["Disabled", "Enabled", "Deleted"]
        assert "Rotate secret" not in text(desk.get(f"{path}/change/"))


class TestADelivery:
    @pytest.fixture
    def failed(self, hook: Hook, alice: Account) -> Hook:
        hook.receiver.next(Reply(410, b"<b>gone</b>"))
        hook.work()
        return hook

    def test_tells_what_was_sent_and_every_try(self, desk: Desk, failed: Hook) -> None:
        row = failed.deliveries[0]
        page = text(desk.get(f"{DELIVERIES}/{row.pk}/change/"))

        assert "&lt;b&gt;gone&lt;/b&gt;" in page
        assert "It answered 410." in page
        assert "alice@example.com" in page
        for query in (f"endpoint={failed.endpoint.pk}", "endpoint=x", "status__exact=failed", f"q={row.message_id}"):
            assert desk.get(f"{DELIVERIES}/?{query}").status_code == 200
        assert desk.get(f"find/?q={row.message_id}")["Location"].endswith(f"{DELIVERIES}/{row.pk}/change/")

    def test_is_replayed_and_given_up(self, desk: Desk, failed: Hook) -> None:
        path = f"{DELIVERIES}/{failed.deliveries[0].pk}"
        assert b"Replay the delivery?" in desk.get(f"{path}/replay/").content

        desk.post(f"{path}/replay/")
        desk.post(f"{path}/replay/")
        assert failed.statuses == ["pending"]
        assert b"Give the delivery up?" in desk.get(f"{path}/give-up/").content
        desk.post(f"{path}/give-up/")
        desk.post(f"{path}/give-up/")

        assert failed.statuses == ["failed"]
        assert [act.split()[0] for act in acts()] == ["Replayed", "Gave"]

    def test_that_failed_is_sent_again_with_all_of_its_endpoint(self, desk: Desk, failed: Hook) -> None:
        path = f"{ENDPOINTS}/{failed.endpoint.pk}/replay-failed/"
        assert desk.get(path).status_code == 200

        preview = desk.post(path, since="")
        assert "1 wait until it is enabled" in text(preview)
        assert desk.post(path, since="", confirmation=confirmation(preview)).status_code == 302

        assert failed.statuses == ["pending"]
        assert acts() == ["1 delivery is sent again."]
        assert "Nothing failed" in text(desk.post(path, since=""))


class TestWhoMay:
    @pytest.mark.parametrize(("role", "may"), [("Support", False), ("Support lead", True), ("Engineer", False)])
    def test_press_the_buttons(self, hook: Hook, alice: Account, role: str, may: bool) -> None:
        hook.work()
        desk = Desk("somebody")
        desk.user.groups.set(Group.objects.filter(name=role))
        pages = [
            *(f"{ENDPOINTS}/{hook.endpoint.pk}/{verb}/"
              for verb in ("edit", "test", "rotate", "switch", "replay-failed", "delete-for-good")),
            *(f"{DELIVERIES}/{hook.deliveries[0].pk}/{verb}/" for verb in ("replay", "give-up")),
        ]  # fmt: skip

        assert {desk.get(page).status_code for page in pages} == {200 if may else 403}
        if not may:
            assert {desk.post(page).status_code for page in pages} == {403}
            assert hook.row.status == "active"


def test_letters_are_seen(desk: Desk) -> None:
    account = make_account(external_id="ada", balance=10, email="ada@example.com")
    spend(account, 9)
    notices.take_note()
    notices.send_due()

    assert "ada@example.com" in text(desk.get("billing/notice/"))
    assert "runs low" in text(desk.get(f"billing/notice/{Notice.objects.get().pk}/change/"))
    assert "Wanted" in text(desk.get("billing/noticeaddress/?q=ada@example.com"))
    assert desk.get(f"billing/noticeaddress/{NoticeAddress.objects.get().pk}/change/").status_code == 200


@pytest.mark.parametrize("query", ["", "q=ada", "q=019a9f10-5c00-7000-8000-000000000401", "owner=ada"])
def test_the_list_opens(desk: Desk, hook: Hook, query: str) -> None:
    assert desk.get(f"{ENDPOINTS}/?{query}").status_code == 200


def test_the_list_leaves_out_what_no_text_holds(desk: Desk, hook: Hook) -> None:
    assert desk.get(f"{ENDPOINTS}/?owner=%00").status_code == 302
