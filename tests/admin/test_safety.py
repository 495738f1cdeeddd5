"""Signing in, what the log keeps of it, and what a browser may run."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from billing.models import WebhookEndpoint
from credits.admin import show
from credits.models import Account, ApprovalRequest, BulkAdjustment, Event, Hold, StaffAct, Transaction
from credits.plan import Actor
from credits.services.accounts import Particulars, change_account
from credits.services.staff import Told, record_act
from credits.texts import safe
from tests.admin.conftest import Desk, text
from tests.admin.test_bulk import upload
from tests.factories import hold, make_account, spend

PASSWORD = "correct horse battery"


@pytest.fixture
def sam(database: None) -> User:
    return User.objects.create_user("sam", password=PASSWORD, is_staff=True)


def sign_in(password: str, name: str = "sam", address: str = "127.0.0.1") -> Any:
    fields = {"username": name, "password": password, "next": "/admin/"}
    return Client(REMOTE_ADDR=address).post("/admin/login/", fields)


class TestSigningIn:
    def test_is_told_to_the_log(self, sam: User) -> None:
        assert sign_in(PASSWORD).status_code == 302
        assert sign_in("wrong").status_code == 200

        told = list(StaffAct.objects.order_by("pk").values_list("action", "actor_name", "what"))
        assert told == [("sign-in", "sam", "Signed in."), ("sign-in-failed", "", "Failed to sign in as sam.")]

    def test_leads_to_the_front_page_where_no_other_was_asked_for(self, sam: User) -> None:
        answer = Client().post("/admin/login/", {"username": "sam", "password": PASSWORD}, follow=True)

        assert answer.redirect_chain == [("/admin/", 302)]
        assert answer.status_code == 200

    def test_is_locked_after_five_failures_from_anywhere(self, sam: User) -> None:
        for number in range(5):
            sign_in("wrong", address=f"192.0.2.{number}")

        answer = sign_in(PASSWORD, address="192.0.2.99")

        assert answer.status_code == 429
        assert "Too many failures" in text(answer)
        assert StaffAct.objects.filter(action="locked-out").exists()

    def test_of_others_goes_on(self, sam: User) -> None:
        User.objects.create_user("tim", password=PASSWORD, is_staff=True)
        for _ in range(6):
            sign_in("wrong")

        assert sign_in(PASSWORD, "tim").status_code == 302

    def test_that_succeeds_forgets_the_failures(self, sam: User) -> None:
        for _ in range(2):
            for _ in range(4):
                sign_in("wrong")
            assert sign_in(PASSWORD).status_code == 302

    @pytest.mark.parametrize("name", ["n" * 256, "n" * 100_000, "\u4e2d" * 300, "sam\x00", "\x00" * 300])
    def test_fails_as_ever_whatever_is_typed_for_a_name(self, sam: User, name: str) -> None:
        answer = sign_in("wrong", name)

        assert answer.status_code == 200
        assert not answer.wsgi_request.user.is_authenticated

    def test_by_a_name_without_end_is_locked_too(self, sam: User) -> None:
        assert [sign_in("wrong", "n" * 1000).status_code for _ in range(5)] == [200] * 4 + [429]

    def test_never_tells_what_was_typed(self, sam: User) -> None:
        sign_in("my secret")

        assert not StaffAct.objects.filter(what__contains="my secret").exists()


def test_a_new_role_is_told_with_what_was_before(sam: User, dave: Desk) -> None:
    role = Group.objects.get(name="Support")
    fields = {
        "username": "sam", "is_active": "on", "is_staff": "on", "groups": [role.pk],
        "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00",
    }  # fmt: skip

    assert dave.post(f"auth/user/{sam.pk}/change/", **fields).status_code == 302

    act = StaffAct.objects.get(action="rights")
    assert (act.actor_name, act.before, act.after) == ("dave", {"Roles": "none"}, {"Roles": "Support"})


@pytest.mark.parametrize("page", ["", "find/", "reports/", "credits/account/", "credits/approvalrequest/"])
def test_the_admin_runs_its_own_scripts_and_no_others(dave: Desk, alice: Account, page: str) -> None:
    policy = dave.get(page)["Content-Security-Policy"]

    assert "script-src 'self' 'unsafe-eval';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy


@pytest.mark.parametrize("page", ["/", "/api/v1/accounts", "/nothing"])
def test_other_pages_run_none(database: None, page: str) -> None:
    policy = Client().get(page)["Content-Security-Policy"]

    assert policy.startswith("default-src 'none';")
    assert "script-src" not in policy


HOSTILE = "<script>alert(1)</script>"


def test_what_is_typed_is_shown_as_text(dave: Desk, alice: Account) -> None:
    fields = {"reason": "goodwill", "note": HOSTILE, "ticket": HOSTILE, "amount": "5"}
    assert HOSTILE not in text(dave.press(alice, "adjust", **fields))
    dave.confirm(alice, "adjust", **fields)
    sign_in("wrong", HOSTILE)
    act = StaffAct.objects.get(action="adjust")
    pages = [
        f"credits/account/{alice.pk}/change/", f"credits/account/{alice.pk}/statement/", "credits/transaction/",
        "credits/staffact/", f"credits/staffact/{act.pk}/change/", f"find/?q={HOSTILE}!",
        f"credits/staffact/?ticket={HOSTILE}", f"credits/account/?q={HOSTILE}",
    ]  # fmt: skip

    for page in pages:
        shown = dave.client.get(f"/admin/{page}", follow=True)
        assert shown.status_code == 200, page
        assert HOSTILE not in text(shown), page


TURNED = "refund \u202e00021+ stiderc\u2069"


def test_a_text_turns_nothing_beside_it(dave: Desk, alice: Account) -> None:
    spend(alice, 1, description=TURNED, feature="scan", reference_type="trace", reference_id=TURNED, request_id=TURNED)
    hold(alice, 1, description=TURNED)
    dave.confirm(alice, "adjust", amount="5", reason="goodwill", note=TURNED, ticket="SUP-1")
    change_account(account=alice.pk, particulars=Particulars(name=TURNED))
    pages = [
        f"credits/account/{alice.pk}/change/", f"credits/account/{alice.pk}/statement/", "credits/transaction/",
        "credits/hold/", "credits/staffact/", "credits/account/", "find/?q=refund",
        f"credits/account/{alice.pk}/refund/", f"credits/account/{alice.pk}/release-hold/",
    ]  # fmt: skip

    for page in pages:
        shown = re.sub(r' (?:title|value|content)="[^"]*"', "", text(dave.get(page)))
        assert "\u202e" not in shown, page
        assert "\u2069" not in shown, page
    spend(alice, 1, description="\u05d4\u05d7\u05d6\u05e8 5")
    timeline = text(dave.get(pages[0]))
    assert "<bdi>\u05d4\u05d7\u05d6\u05e8 5</bdi>" in timeline
    assert "<bdi>refund 00021+ stiderc</bdi>" in timeline
    assert "reference <bdi>trace refund 00021+ stiderc</bdi>" in timeline


def test_nor_on_the_page_of_a_row(dave: Desk, alice: Account) -> None:
    noted: dict[str, Any] = {"metadata": {"note": TURNED}, "description": TURNED, "request_id": TURNED}
    spend(alice, 1, feature=TURNED, reference_type="trace", reference_id=TURNED, **noted)
    hold(alice, 1, feature=TURNED, **noted)
    upload(dave, f"{alice.external_id},5,{TURNED}\n{TURNED},x,{TURNED}\n", note=TURNED, ticket=TURNED)
    record_act(actor=Actor("staff", "0", TURNED), action="adjust", what=TURNED, told=Told(note=TURNED, ticket=TURNED))
    asked = ApprovalRequest.objects.create(
        action="adjust", account=alice, unit="credits", amount=900, why="Above", key="x", asked_by_id="0", note=TURNED,
        asked_by_name="somebody", asked_at=alice.created_at, lapses_at="2999-01-01T00:00Z", ticket=TURNED,
        asked={"amount": "900", "reason": "goodwill", "note": "n", "ticket": ""}, preview=[["Balance", "1", "2"]],
    )  # fmt: skip
    now = alice.created_at
    endpoint = WebhookEndpoint.objects.create(
        id=uuid4(), url="https://example.com/", description=TURNED, owner=TURNED, created_at=now, updated_at=now,
        next_try_at=now,
    )  # fmt: skip
    told = Event.objects.create(
        type="evt.credits.used", account=alice, payload={"note": TURNED}, recorded_at=alice.created_at, version=1
    )
    other = make_account(external_id=TURNED)
    pages = [
        *(show.page_of(type(row), row.pk) for row in (asked, endpoint, told, other)),
        *(show.page_of(of, of.objects.latest("pk").pk) for of in (Transaction, Hold, BulkAdjustment, StaffAct)),
        *(f"/admin/credits/account/{other.pk}/{page}/" for page in ("adjust", "freeze", "statement")),
        "/admin/credits/staffact/", "/admin/credits/bulkadjustment/", "/admin/billing/webhookendpoint/",
    ]  # fmt: skip

    for page in pages:
        answer = dave.client.get(page)
        assert answer.status_code == 200, page
        shown = re.sub(r' (?:title|value|content)="[^"]*"', "", text(answer))
        for mark in ("\u202e", "\u2069"):
            assert mark not in shown, (page, shown[max(0, shown.find(mark) - 200) : shown.find(mark) + 40])


@pytest.mark.parametrize(
    "told", ["=1", "+1", "-1", "@x", "\t1", "\r1", " =1", "\n\n+1", "＝1", "＋1", "－1", "\u3000＠x", "\u200b=1"]
)
def test_no_spreadsheet_runs_a_text(told: str) -> None:
    assert safe(told) == f"'{told}"


@pytest.mark.parametrize("told", ["", "a=1", "50 - 3", "me@example.com", "(-1)"])
def test_other_texts_stay_as_they_are(told: str) -> None:
    assert safe(told) == told


def test_buttons_take_a_token(alice: Account, dave: Desk) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(dave.user)

    for path in (f"credits/account/{alice.pk}/adjust/", "credits/bulkadjustment/upload/", "credits/staffcap/add/"):
        assert strict.post(f"/admin/{path}", {"amount": "5"}).status_code == 403, path
