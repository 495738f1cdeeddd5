"""Chromium, driven on this machine alone: a page of somebody's, one of staff's, and pictures for the manual.

``site`` is the address that pages begin at; a module of tests may have another one by a fixture of that name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from dev.chromium import found
from tests.processes import ROOT

# Names the folder that pictures are written to, for example docs/images.
SHOTS = "FLORIN_SHOTS"
SIZE = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, which reaches no other machine."""
    flags = ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--disable-gpu", "--disable-dev-shm-usage"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread; nothing else runs in it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=found(), args=flags)
        yield browser
        browser.close()


@pytest.fixture
def site(paid_server: str) -> str:
    return paid_server


@pytest.fixture
def context(browser: Browser, site: str) -> Iterator[BrowserContext]:
    """A browser of somebody who is known nowhere."""
    context = browser.new_context(base_url=site, viewport=SIZE)  # type: ignore[arg-type]
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def visitor(context: BrowserContext) -> Page:
    """A page of somebody who has not logged in."""
    return context.new_page()


@pytest.fixture
def page(context: BrowserContext, site: str, committed: None) -> Page:
    """A page of a superuser who has logged in."""
    client = Client()
    client.force_login(User.objects.create_superuser("dave"))
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])
    return context.new_page()


@pytest.fixture
def shot() -> Callable[[Page, str], None]:
    """Writes a picture of a page, where the environment says to which folder."""

    def take(page: Page, name: str) -> None:
        folder = os.environ.get(SHOTS)
        if folder:
            page.screenshot(path=ROOT / folder / f"{name}.png", full_page=True)

    return take
