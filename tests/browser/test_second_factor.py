"""The second factor in a browser, under the web server: signing in, enrolling, and a button that moves money."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice
from playwright.sync_api import Page, expect

from credits.services.locks import read_account
from tests.browser.customers import customer, open_shop
from tests.processes import web

PASSWORD = "a password of nobody else"


@pytest.fixture
def site(committed: None) -> Iterator[str]:
    with web(SECOND_FACTOR="true") as base:
        yield base


def code_of(user: User) -> str:
    """Return what the authenticator shows now."""
    device = TOTPDevice.objects.get(user=user)
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    totp.time = time.time()
    return f"{totp.token():06d}"


def adjust(page: Page, path: str) -> None:
    page.goto(path)
    page.get_by_label("Change by").fill("25")
    page.get_by_label("Reason").select_option(label="Goodwill")
    page.get_by_role("button", name="Preview").click()


def test_signing_in_enrolling_and_moving_money(visitor: Page) -> None:
    open_shop()
    ada = customer()
    before = read_account(ada.pk).balance
    carol = User.objects.create_user("carol", password=PASSWORD, is_staff=True)
    carol.groups.add(Group.objects.get(name="Support"))
    form = f"/admin/credits/account/{ada.pk}/adjust/"

    visitor.goto("/admin/login/")
    visitor.get_by_label("Username").fill("carol")
    visitor.get_by_label("Password").fill(PASSWORD)
    visitor.keyboard.press("Enter")
    visitor.wait_for_url("**/admin/")
    adjust(visitor, form)

    expect(visitor.get_by_text("Nothing was changed: a code from your authenticator comes first.")).to_be_visible()
    expect(visitor.locator(".f-qr svg")).to_be_visible()
    visitor.get_by_label("Code").fill(code_of(carol))
    visitor.get_by_role("button", name="Go on").click()
    expect(visitor.locator(".f-acts code")).to_have_count(10)
    visitor.get_by_role("link", name="I have kept them").click()

    # Back where the code was asked for.
    visitor.wait_for_url(f"**{form}")
    adjust(visitor, form)
    visitor.get_by_role("button", name="Confirm").click()
    expect(visitor.get_by_text("Adjusted by +25 credits.").first).to_be_visible()
    assert read_account(ada.pk).balance == before + 25
