"""Staff at their browsers, whose every step is counted; the manual's table of steps; and pictures for it.

A step is a click, a field that is filled in or chosen, a file that is dropped, or a key that is pressed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

from django.contrib.auth.models import Group, User
from django.test import Client
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.processes import ROOT

# Names the folder that pictures are written to, for example docs/images.
SHOTS = "FLORIN_SHOTS"
SCREEN = {"width": 1280, "height": 800}
MANUAL = ROOT / "docs" / "operations.md"
FIND = "Find anything"
PATIENCE = 20_000
# A row of the table: | 1 | [Charged twice](images/tasks/01-….png) | Support | … | 7 |
ROW = re.compile(r"^\| (\d+) \| \[([^]]+)\]\((images/tasks/[^)]+)\) \| .* \| (\d+) \|$", re.MULTILINE)


class Agent:
    """Somebody with a role, on a page of the desk."""

    def __init__(self, page: Page, name: str) -> None:
        self.page, self.name, self.steps = page, name, 0

    def open(self, path: str = "") -> None:
        """Be at the desk when a ticket comes in. That is no step."""
        self.page.goto(f"/admin/{path}")

    def find(self, term: str) -> None:
        """Paste something from the ticket into the one box."""
        self._fill(self.page.get_by_label(FIND).locator("visible=true").first, term)
        self.press("Enter")

    def click(self, name: str, *, within: Locator | None = None) -> None:
        """Click what is called so: a button, a link, or the head of a menu."""
        inside = within or self.page
        either = inside.get_by_role("button", name=name, exact=True).or_(
            inside.get_by_role("link", name=name, exact=True)
        )
        self._click(either.locator("visible=true").first)

    def menu(self, name: str, item: str) -> None:
        """Open a menu and choose from it: two steps."""
        self.click(name)
        self.click(item)

    def tile(self, name: str) -> None:
        """Click a figure of the front page."""
        self._click(self.page.locator(".f-tile a").filter(has_text=name))

    def fill(self, label: str, text: str) -> None:
        """Fill in a field."""
        self._fill(self.page.get_by_label(label).locator("visible=true").first, text)

    def choose(self, label: str, option: str) -> None:
        """Choose from a list."""
        self.page.get_by_label(label).locator("visible=true").first.select_option(label=option)
        self.steps += 1

    def drop(self, name: str, text: str) -> None:
        """Drag a file from the desktop onto the page."""
        zone = self.page.locator("[data-drop]")
        data = self.page.evaluate_handle(
            "([name, text]) => { const data = new DataTransfer(); data.items.add(new File([text], name,"
            " {type: 'text/csv'})); return data; }",
            [name, text],
        )
        for event in ("dragenter", "dragover", "drop"):
            zone.dispatch_event(event, {"dataTransfer": data})
        self.steps += 1

    def press(self, key: str) -> None:
        """Press a key."""
        self.page.keyboard.press(key)
        self.steps += 1

    def row(self, *texts: str) -> Locator:
        """Return the row of a table or list that has all of these in it."""
        found = self.page.locator("#main tr, #main li")
        for text in texts:
            found = found.filter(has_text=text)
        expect(found).to_have_count(1)
        return found

    def sees(self, *texts: str) -> None:
        """Wait until the page says so."""
        for text in texts:
            expect(self.page.locator("#main")).to_contain_text(text)

    def shot(self, name: str, *, at: str = "", series: str = "tasks") -> None:
        """Keep a picture of the screen, scrolled to a part of it, where the environment says to which folder."""
        if folder := os.environ.get(SHOTS):
            self.page.mouse.move(0, 0)
            if at:
                self.page.locator(at).evaluate("each => each.scrollIntoView()")
            path = ROOT / folder / series / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.open(BytesIO(self.page.screenshot(animations="disabled")))
            # A hundred colours are a third of the bytes, and nobody sees it.
            picture.convert("RGB").quantize(100, dither=Image.Dither.NONE).save(path, optimize=True)

    def _click(self, what: Locator) -> None:
        what.click()
        self.steps += 1

    def _fill(self, what: Locator, text: str) -> None:
        what.fill(text)
        self.steps += 1


Hire = Callable[..., Agent]


@contextmanager
def hiring(browser: Browser, site: str) -> Iterator[Hire]:
    """Let a test sign people in, each in a browser of their own."""
    contexts = []
    expect.set_options(timeout=PATIENCE)

    def hire(role: str, name: str = "carol", **look: object) -> Agent:
        user = User.objects.create_user(name, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(user)
        how = {"viewport": SCREEN, "timezone_id": "Europe/Berlin", "locale": "en-GB", **look}
        context = browser.new_context(base_url=site, **how)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])
        agent = Agent(context.new_page(), name)
        agent.open()
        return agent

    yield hire
    for context in contexts:
        context.close()


def documented() -> dict[str, tuple[str, int]]:
    """Return the manual's table: of each ticket its picture and its steps."""
    return {name: (picture, int(steps)) for _, name, picture, steps in ROW.findall(MANUAL.read_text())}


def finished(ticket: str, *agents: Agent) -> None:
    """Hold what it took against what the manual says."""
    took = sum(agent.steps for agent in agents)
    said = documented().get(ticket)
    assert said is not None, f"docs/operations.md has no row for {ticket!r}: it took {took} steps."
    assert took == said[1], f"{ticket} took {took} steps; docs/operations.md says {said[1]}."
