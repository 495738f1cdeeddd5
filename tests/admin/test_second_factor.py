"""The second factor: nothing is changed by a password alone, and a code is good once."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from credits.models import Account, StaffAct
from tests.admin.conftest import Desk, text

PAGE = "second-factor/"


@pytest.fixture(autouse=True)
def _on(settings: Any) -> None:
    settings.SECOND_FACTOR = True


def code(desk: Desk, *, ahead: int = 0) -> str:
    device = TOTPDevice.objects.get(user=desk.user)
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    totp.time = time.time() + ahead * device.step
    return f"{totp.token():06d}"


def enrol(desk: Desk) -> list[str]:
    desk.get(PAGE)
    return re.findall(r"<code>([0-9a-f]{10})</code>", text(desk.post(PAGE, code=code(desk))))


def adjust(desk: Desk, account: Account) -> Any:
    return desk.press(account, "adjust", amount="5", reason="goodwill", note="", ticket="")


def again(desk: Desk) -> None:
    desk.client = Client()
    desk.client.force_login(desk.user)


def test_nothing_is_changed_by_a_password_alone(carol: Desk, alice: Account) -> None:
    answer = adjust(carol, alice)

    assert (answer.status_code, answer["Location"]) == (302, "/admin/second-factor/")
    assert carol.get(f"credits/account/{alice.pk}/change/").status_code == 200


def test_a_superuser_is_no_exception(dave: Desk, alice: Account) -> None:
    assert adjust(dave, alice).status_code == 302


def test_enrolling_shows_a_picture_and_ten_codes(carol: Desk, alice: Account) -> None:
    shown = text(carol.get(PAGE))
    assert "<svg" in shown

    assert len(set(enrol(carol))) == 10
    assert "What would change" in text(adjust(carol, alice))
    assert StaffAct.objects.filter(action="second-factor", actor_name="carol").count() == 1


def test_a_wrong_code_enrols_nothing(carol: Desk, alice: Account) -> None:
    carol.get(PAGE)

    assert "That is no code of yours" in text(carol.post(PAGE, code="000000" if code(carol) != "000000" else "000001"))
    assert adjust(carol, alice).status_code == 302
    assert StaffAct.objects.filter(action="second-factor-failed").exists()


def test_a_new_session_asks_anew_and_a_code_is_good_once(carol: Desk, alice: Account) -> None:
    enrol(carol)
    used = code(carol)
    again(carol)

    assert adjust(carol, alice).status_code == 302
    assert "That is no code of yours" in text(carol.post(PAGE, code=used))
    assert adjust(carol, alice).status_code == 302


def test_the_next_code_opens(carol: Desk, alice: Account) -> None:
    enrol(carol)
    again(carol)

    assert carol.post(PAGE, code=code(carol, ahead=1)).status_code == 302
    assert adjust(carol, alice).status_code == 200


def test_a_recovery_code_opens_once(carol: Desk, alice: Account) -> None:
    spare = enrol(carol)[0]
    again(carol)
    assert carol.post(PAGE, code=spare).status_code == 302
    assert adjust(carol, alice).status_code == 200

    again(carol)
    assert carol.post(PAGE, code=spare).status_code == 200
    assert adjust(carol, alice).status_code == 302


def test_whoever_is_enrolled_is_not_shown_the_secret_again(carol: Desk) -> None:
    enrol(carol)
    again(carol)

    shown = text(carol.get(PAGE))
    assert 'class="f-qr"' not in shown
    assert TOTPDevice.objects.count() == 1


def test_it_leads_back_to_the_form_that_was_left(carol: Desk, alice: Account) -> None:
    form = f"/admin/credits/account/{alice.pk}/adjust/"

    asked = carol.client.post(form, {"amount": "5"}, headers={"referer": f"https://florin.example{form}?x=1"})
    shown = text(carol.client.get(asked["Location"]))

    assert asked["Location"].startswith("/admin/second-factor/?next=%2Fadmin%2F")
    assert f'name="next" value="{form}?x=1"' in shown


@pytest.mark.parametrize("address", ["https://elsewhere.example/", "//elsewhere.example", "/api/"])
def test_it_leads_back_to_the_admin_alone(carol: Desk, address: str) -> None:
    enrol(carol)
    again(carol)

    assert carol.post(PAGE, code=code(carol, ahead=1), next=address)["Location"] == "/admin/"


def test_a_lost_authenticator_is_forgotten_by_command(carol: Desk, alice: Account) -> None:
    enrol(carol)

    call_command("reset_second_factor", "carol")

    assert adjust(carol, alice).status_code == 302
    assert 'class="f-qr"' in text(carol.get(PAGE))
    with pytest.raises(CommandError):
        call_command("reset_second_factor", "nobody")


def test_off_it_asks_for_nothing(carol: Desk, alice: Account, settings: Any) -> None:
    settings.SECOND_FACTOR = False

    assert adjust(carol, alice).status_code == 200
