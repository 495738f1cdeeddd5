"""The desk in a browser: by keyboard alone, on a phone, in the dark, in the reader's own time, with hostile text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Error, Page, expect

from billing.models import ProviderEvent, WebhookDelivery
from billing.services.endpoints import make_endpoint
from credits.models import Account
from credits.plan import Actor
from credits.services.bulk import Asked, Why, check_bulk
from credits.services.locks import read_account
from tests.browser import customers
from tests.browser.agents import MANUAL, ROW, Agent, Hire, documented, hiring
from tests.browser.customers import customer
from tests.factories import make_account, spend

PHONE = {"width": 390, "height": 844}
# What has the focus, as it is read aloud: icons are left out.
FOCUSED = """() => {
    const copy = document.activeElement.cloneNode(true);
    copy.querySelectorAll("[aria-hidden]").forEach((icon) => icon.remove());
    return copy.textContent.trim() || copy.name;
}"""
HOSTILE = "<script>document.title = 'taken over'</script><img src=x onerror=\"document.title = 'taken over'\">"
PAGES = (
    "", "find/?q=ada", "reports/", "reports/revenue/", "reports/deferred/", "reports/movements/",
    "reports/usage/?since=2026-02-01&until=2026-01-01", "credits/account/", "credits/transaction/", "credits/grant/",
    "credits/hold/", "credits/bulkadjustment/", "credits/bulkadjustment/upload/", "credits/approvalrequest/",
    "subscriptions/subscription/", "billing/payment/", "billing/providerevent/", "billing/difference/",
)  # fmt: skip


@pytest.fixture
def site(server: str) -> str:
    return server


@pytest.fixture
def hire(browser: Browser, site: str) -> Iterator[Hire]:
    customers.open_shop()
    with hiring(browser, site) as hire:
        yield hire


def of(account: Account) -> str:
    return f"credits/account/{account.pk}/change/"


def tab_to(page: Page, name: str) -> None:
    """Press Tab until something with this name has the focus."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED) == name:
            return
    raise AssertionError(f"The keyboard does not reach {name}.")


def test_an_adjustment_takes_no_mouse(hire: Hire) -> None:
    ada = customer()
    before = read_account(ada.pk).balance
    page = hire("Support").page

    page.keyboard.press("/")
    page.keyboard.type("ada.eriksen@example.com")
    page.keyboard.press("Enter")
    page.wait_for_url("**/change/")
    tab_to(page, "Adjust")
    page.keyboard.press("Enter")
    page.wait_for_url("**/adjust/")
    tab_to(page, "amount")
    page.keyboard.type("25")
    page.keyboard.press("Tab")
    page.keyboard.type("Goodwill")
    tab_to(page, "Preview")
    page.keyboard.press("Enter")
    expect(page.get_by_text("What would change")).to_be_visible()
    tab_to(page, "Confirm")
    page.keyboard.press("Enter")

    expect(page.get_by_text("Adjusted by +25 credits.").first).to_be_visible()
    assert read_account(ada.pk).balance == before + 25


def test_menus_open_by_keyboard(hire: Hire) -> None:
    ada = customer()
    carol = hire("Support")
    carol.open(of(ada))

    tab_to(carol.page, "More")
    carol.page.keyboard.press("Enter")
    expect(carol.page.get_by_role("link", name="Send a statement", exact=True)).to_be_focused()
    carol.page.keyboard.press("Enter")

    expect(carol.page).to_have_url(
        f"{carol.page.url.split('/admin/')[0]}/admin/credits/account/{ada.pk}/send-statement/"
    )


def test_the_first_key_leads_past_the_menu_and_the_focus_is_seen(hire: Hire) -> None:
    ada = customer()
    carol = hire("Support")
    carol.open(of(ada))

    carol.page.keyboard.press("Tab")
    assert carol.page.evaluate(FOCUSED) == "To the page"
    carol.page.keyboard.press("Enter")
    carol.page.keyboard.press("Tab")

    focus = carol.page.locator("#main :focus-visible")
    expect(focus).to_have_count(1)
    expect(focus).to_have_css("outline-style", "solid")


def test_each_verb_of_a_lead_is_reached_by_keyboard(hire: Hire) -> None:
    ada = customer(plan="PRO")
    lena = hire("Support lead", "lena")
    lena.open(of(ada))
    for name in ("Adjust", "Grant", "Refund", "Quotas", "Plan", "More"):
        tab_to(lena.page, name)

    lena.page.keyboard.press("Enter")

    first = lena.page.get_by_role("link", name="Release a hold", exact=True).locator("visible=true")
    expect(first).to_be_visible()


def test_nothing_is_wider_than_a_phone(hire: Hire) -> None:
    ada = customer(plan="PRO")
    lena = hire("Support lead", "lena", viewport=PHONE)

    verbs = [f"credits/account/{ada.pk}/{verb}/" for verb in ("adjust", "transfer", "change-plan", "statement")]
    for path in (*PAGES, of(ada), *verbs):
        lena.open(path)
        assert lena.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
    lena.open(f"credits/account/{ada.pk}/grant/")
    lena.fill("Amount", "7000")
    lena.fill("Expires at", "2031-05-06T20:00")
    lena.choose("Reason", "Goodwill")
    for step in ("Preview", "Ask for approval"):
        lena.click(step)
        lena.sees("What would change")
        assert lena.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], step
    lena.open(of(ada))
    lena.shot("phone", series="desk")


def test_what_has_no_spaces_wraps_on_a_phone(hire: Hire) -> None:
    ada, now, long = customer(), timezone.now(), "x" * 900
    told = {"data": {"object": {"id": "pi_1", "note": long}}}
    event = ProviderEvent.objects.create(
        event_id="evt_1", type="payment_intent.succeeded", livemode=False, subject="pi_1", payload=told, created_at=now,
        received_at=now, tried_since=now, next_try_at=now + timedelta(days=1),
    )  # fmt: skip
    endpoint, _ = make_endpoint(url="https://hooks.example.com/florin")
    sent = WebhookDelivery.objects.create(
        endpoint=endpoint, message_id="1", type="credits.charged", body=long, occurred_at=now, created_at=now,
        tried_until=now + timedelta(days=1), status="failed", done_at=now,
    )  # fmt: skip
    why = Why(Actor("staff", "0", "somebody else"), "goodwill")
    lines = [Asked(1, ada.external_id, "5"), Asked(2, "nobody", "5")]
    bulk = check_bulk(file_name="x.csv", unit="credits", lines=lines, why=why)
    lena = hire("Support lead", "lena", viewport=PHONE, is_mobile=True, has_touch=True)

    for path in (
        f"credits/transaction/{ada.transactions.latest('sequence').pk}/change/",
        f"billing/providerevent/{event.pk}/change/",
        f"billing/webhookdelivery/{sent.pk}/change/",
        f"credits/bulkadjustment/{bulk.pk}/change/",
    ):
        lena.open(path)
        assert lena.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], path
    for button in lena.page.locator(".f-buttons .f-button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] < 48


def test_the_columns_of_a_list_begin_with_a_capital_on_a_phone(hire: Hire) -> None:
    customer()
    lena = hire("Support lead", "lena", viewport=PHONE, is_mobile=True, has_touch=True)

    for path in ("credits/unit/", "subscriptions/plan/"):
        lena.open(path)
        labels = lena.page.locator("#result_list [data-label]").evaluate_all(
            "all => all.map(each => each.dataset.label)"
        )
        assert labels
        assert [label for label in labels if label[:1].islower()] == []


def test_choosing_a_file_meets_no_error(hire: Hire) -> None:
    lena = hire("Support lead", "lena")
    errors: list[str] = []
    lena.page.on("pageerror", lambda error: errors.append(str(error)))
    lena.open("credits/bulkadjustment/upload/")

    lena.page.set_input_files("[type=file]", {"name": "x.csv", "mimeType": "text/csv", "buffer": b"ada,5"})

    expect(lena.page.locator("[type=file]")).to_have_value(re.compile("x.csv$"))
    assert errors == []


def test_a_phone_has_the_buttons_too(hire: Hire) -> None:
    ada = customer()
    carol = hire("Support", viewport=PHONE)
    carol.open(of(ada))

    carol.page.locator("a", has_text="more_horiz").locator("visible=true").first.click()
    carol.click("Adjust")

    expect(carol.page.get_by_label("Change by")).to_be_visible()


def brightness(agent: Agent, selector: str, what: str) -> float:
    """Return how bright a colour of an element is, from 0 to 255, as the browser paints it."""
    return float(
        agent.page.evaluate(
            """([selector, what]) => {
                const canvas = document.createElement("canvas").getContext("2d");
                canvas.fillStyle = getComputedStyle(document.querySelector(selector))[what];
                canvas.fillRect(0, 0, 1, 1);
                const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
                return 0.3 * red + 0.6 * green + 0.1 * blue;
            }""",
            [selector, what],
        )
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_reader_into_the_dark(hire: Hire, scheme: str) -> None:
    ada = customer()
    carol = hire("Support", color_scheme=scheme)
    carol.open(of(ada))
    carol.shot(f"account-{scheme}", series="desk")

    page, words = brightness(carol, "#main", "backgroundColor"), brightness(carol, ".f-title", "color")
    assert (page < 60) == (scheme == "dark")
    assert abs(page - words) > 150
    for part in (".f-tile dd", ".f-table tbody td", ".f-card h3", ".f-small"):
        assert abs(page - brightness(carol, part, "color")) > 70, part


@pytest.mark.parametrize(
    ("zone", "said"), [("Asia/Tokyo", "2026-03-02 05:30"), ("America/New_York", "2026-03-01 15:30")]
)
def test_moments_are_the_readers_own(hire: Hire, zone: str, said: str) -> None:
    account = make_account(external_id="owner-1", at=datetime(2026, 3, 1, 20, 30, tzinfo=UTC))
    carol = hire("Support", timezone_id=zone)
    carol.open(of(account))

    opened = carol.page.locator("#facts time").first
    expect(opened).to_have_text(said)
    expect(opened).to_have_attribute("title", "2026-03-01 20:30 UTC")


def test_hostile_text_stays_text(hire: Hire) -> None:
    mallory = make_account(external_id="mallory", balance=50, name=HOSTILE[:255])
    spend(mallory, 1, description=HOSTILE, feature="x<b>y", reference_type="order", reference_id=HOSTILE[:200])
    carol = hire("Support")
    policies: list[str] = []
    carol.page.on("console", lambda said: policies.append(said.text) if said.type == "error" else None)

    for path in (of(mallory), "credits/transaction/", "find/?q=mallory", f"credits/account/{mallory.pk}/statement/"):
        carol.open(path)
        assert carol.page.title() != "taken over"
        assert carol.page.locator("img[src=x]").count() == 0
    assert policies == []


def test_the_manual_has_a_row_and_pictures_for_each_ticket() -> None:
    assert [int(number) for number, *_ in ROW.findall(MANUAL.read_text())] == list(range(1, 11))
    for picture, steps in documented().values():
        assert (MANUAL.parent / picture).stat().st_size < 120_000
        assert 0 < steps < 15


def test_the_balance_is_told_exactly(hire: Hire) -> None:
    account = make_account(external_id="org", unit="USD", balance=Decimal("1234567.250001"))
    carol = hire("Support")
    carol.open(of(account))

    carol.sees("1,234,567.250001", "USD")


def test_the_way_back_shows_the_steps_again_and_does_nothing_twice(hire: Hire) -> None:
    ada = customer()
    before = read_account(ada.pk).balance
    carol = hire("Support")
    carol.open(of(ada))
    carol.click("Adjust")
    carol.fill("Change by", "25")
    carol.choose("Reason", "Goodwill")
    carol.click("Preview")
    carol.click("Confirm")
    carol.sees("Adjusted by +25 credits.")

    carol.page.go_back()
    carol.sees("What would change", "+25")
    carol.click("Confirm")

    carol.sees("This was done before. Nothing was done twice.")
    assert read_account(ada.pk).balance == before + 25

    carol.page.go_back()
    carol.page.go_back()
    expect(carol.page.get_by_label("Change by")).to_be_visible()


def test_the_way_back_shows_nothing_once_signed_out(hire: Hire) -> None:
    ada = customer()
    carol = hire("Support")
    carol.open(f"credits/account/{ada.pk}/adjust/")
    carol.fill("Change by", "25")
    carol.choose("Reason", "Goodwill")
    carol.click("Preview")
    carol.sees("What would change")

    carol.page.evaluate("document.querySelector('form[action$=\"/logout/\"]').submit()")
    carol.page.wait_for_url("**/logout/")
    # What the POST answered is gone, and asking for it anew would be to post again.
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        carol.page.go_back()


@pytest.mark.parametrize("zone", ["Asia/Tokyo"])
def test_previews_and_lists_to_choose_from_tell_the_readers_time(hire: Hire, zone: str) -> None:
    account = make_account(external_id="owner-1", balance=20)
    spent = spend(account, 5, at=datetime(2031, 3, 1, 20, 30, tzinfo=UTC))
    carol = hire("Support", timezone_id=zone)

    carol.open(f"credits/account/{account.pk}/refund/?movement={spent.id}")
    expect(carol.page.locator("#id_movement option").last).to_contain_text("2031-03-02 05:30")
    carol.open(f"credits/account/{account.pk}/grant/")
    carol.fill("Amount", "5")
    carol.fill("Expires at", "2031-05-06T20:00")
    carol.choose("Reason", "Goodwill")
    carol.click("Preview")

    told = carol.page.locator(".f-preview time")
    expect(told).to_have_text("2031-05-07 05:00")
    expect(told).to_have_attribute("title", "2031-05-06 20:00 UTC")
