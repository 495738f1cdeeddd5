"""The webhook inbox at the desk: what is masked, what a webhook is still worth, and several replayed at once."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.admin.masking import MASK, masked
from billing.admin.verdicts import reason
from billing.models import EventState, Invoice, Payment, ProviderEvent
from billing.services.resync import resync_account
from credits.models import Account, StaffAct
from tests.billing.till import Till, standing
from tests.fakes.stripe import Fault

LIST = "/admin/billing/providerevent/"


def desk_of(role: str) -> Client:
    client, user = Client(), User.objects.create_user("lena", is_staff=True)
    user.groups.set(Group.objects.filter(name=role))
    client.force_login(user)
    return client


@pytest.fixture
def lead(till: Till) -> Client:
    return desk_of("Support lead")


def page_of(desk: Client, row: ProviderEvent) -> str:
    return desk.get(f"{LIST}{row.pk}/change/").content.decode()


class TestMasking:
    @pytest.mark.parametrize(
        "told",
        [
            {"client_secret": "pi_1_secret_2"},
            {"charges": [{"card": {"fingerprint": "Xt5EWLLDS7FJjR1c"}}]},
            {"url": "https://pay.example/#pi_1_secret_2"},
            {"note": "use sk_live_123abc"},
            {"webhook": "whsec_abc"},
            {"api_key": 12345},
            *(
                {name: "pa55word"}
                for name in (
                    "x-api-key",
                    "private_key",
                    "accessKey",
                    "pwd",
                    "db_pwd",
                    "passphrase",
                    "credential",
                    "credentials",
                    "pin",
                    "card_pin",
                    "cookie",
                    "Set-Cookie",
                    "session",
                    "iban",
                    "account_number",
                )
            ),
            {"note": "use ek_live_pa55word"},
        ],
    )
    def test_covers_what_opens_a_door(self, told: dict[str, Any]) -> None:
        shown = str(masked(told))

        assert MASK in shown
        for secret in ("secret_2", "Xt5EWL", "sk_live_123", "whsec_abc", "12345", "pa55word"):
            assert secret not in shown

    @pytest.mark.parametrize(
        ("told", "shown"),
        [
            ("sent Bearer eyJhbGciOi.J9.x_y by mistake", f"sent {MASK} by mistake"),
            ("authorization: bearer abc123==", f"authorization: {MASK}"),
            ("it sent basic dXNlcjpwYTU1", f"it sent {MASK}"),
            ("Authorization: Basic dXNlcjpwYTU1", f"Authorization: {MASK}"),
            ("https://user:p@ss@host/x", f"https://{MASK}@host/x"),
            ("see https://user:pa55@host/x?a=1", f"see https://{MASK}@host/x?a=1"),
            ("the token eyJhbGciOiJI.eyJzdWIi.sig-1_2", f"the token {MASK}"),
            ("my card is 4242424242424242.", f"my card is {MASK}."),
            ("4242 4242 4242 4242, or 3782-822463-10005", f"{MASK}, or {MASK}"),
            ("4222222222222", MASK),
            (
                "https://checkout.stripe.com/c/pay/cs_1#fidkdWxOYHwnPyd1 it is",
                f"https://checkout.stripe.com/c/pay/cs_1#{MASK} it is",
            ),
            ("https://billing.stripe.com/p/session/live_YWNjdF8x", f"https://billing.stripe.com/p/session/{MASK}"),
        ],
    )
    def test_covers_it_inside_a_text(self, told: str, shown: str) -> None:
        assert masked({"metadata": {"words": [told]}}) == {"metadata": {"words": [shown]}}

    @pytest.mark.parametrize(
        "told",
        [
            "order 123456789012",
            "2026-11-28 10:00",
            "evt_1234567890123456",
            "https://example.com/a#top",
            "a bearer of news",
            "the basic example of it",
            "Basic Monthly",
            "https://example.com/a@b",
        ],
    )
    def test_leaves_a_text_that_opens_nothing(self, told: str) -> None:
        assert masked(told) == told

    def test_leaves_the_rest(self) -> None:
        told = {"id": "pi_1", "amount": 1000, "livemode": False, "client_secret": None, "metadata": {"checkout": "x"}}
        told |= {"session": "cs_test_a1", "session_id": "cs_1", "payment_intent": "pi_1", "shipping": "x"}

        assert masked(told) == told

    def test_holds_on_the_page(self, lead: Client, till: Till, bob: Account) -> None:
        till.buy(bob)
        told = next(each for each in till.news() if each["type"] == "payment_intent.succeeded")
        told["data"]["object"]["client_secret"] = "pi_1_secret_2"
        till.knock(told)

        page = page_of(lead, ProviderEvent.objects.get())

        assert "secret_2" not in page
        assert MASK in page


class TestTheVerdict:
    def test_of_one_that_failed_is_that_a_replay_does_it(self, lead: Client, till: Till, bob: Account) -> None:
        till.buy(bob)
        till.deliver()
        ProviderEvent.objects.filter(subject__startswith="pi_").update(
            state=EventState.FAILED, next_try_at=None, error="RuntimeError"
        )

        page = page_of(lead, ProviderEvent.objects.get(type="payment_intent.succeeded"))

        assert "a replay does what it was to do" in page
        assert "given up after" in page

    def test_of_one_that_was_overtaken_is_that_it_is_stale(self, lead: Client, till: Till, bob: Account) -> None:
        checkout = till.buy(bob)
        till.deliver()
        till.fake.advance(days=1)
        till.fake.refund(till.charge(checkout), 100)
        till.deliver()
        row = ProviderEvent.objects.get(type="payment_intent.succeeded")

        for page in (page_of(lead, row), lead.get(f"{LIST}{row.pk}/replay/").content.decode()):
            assert "Stale: later news of" in page

    def test_of_what_nothing_is_done_about_is_just_that(self, lead: Client, till: Till) -> None:
        till.deliver()

        assert "a replay would be ignored again" in page_of(lead, ProviderEvent.objects.filter(type="price.created")[0])


class TestWhose:
    def test_is_told_with_what_it_is_about_and_how_much(self, lead: Client, till: Till, bob: Account) -> None:
        checkout = till.buy(bob)
        till.deliver()
        till.fake.refund(till.charge(checkout), 250)
        till.deliver()
        payment = Payment.objects.get()
        owner = f'href="/admin/credits/account/{bob.pk}/change/">{bob.external_id}</a>'

        assert owner in lead.get(f"{LIST}?q={payment.provider_id}").content.decode()
        paid = page_of(lead, ProviderEvent.objects.get(type="payment_intent.succeeded"))
        for each in (owner, f'href="/admin/billing/payment/{payment.pk}/change/"', "10.00 USD"):
            assert each in paid
        # A refund names no customer: its payment does.
        back = page_of(lead, ProviderEvent.objects.filter(type="charge.refunded")[0])
        assert owner in back

    def test_of_a_plan_leads_to_the_invoice_and_the_subscription(self, lead: Client, till: Till, bob: Account) -> None:
        till.subscribe(bob)
        till.deliver()
        invoice, subscription = Invoice.objects.get(), bob.subscriptions.get()

        page = page_of(lead, ProviderEvent.objects.get(type="invoice.paid"))

        assert f'href="/admin/billing/invoice/{invoice.pk}/change/"' in page
        assert f'href="/admin/subscriptions/subscription/{subscription.pk}/change/"' in page
        assert "29.00 USD" in page

    def test_of_nobody_known_is_left_open(self, lead: Client, till: Till) -> None:
        till.deliver()

        assert "price.created" in page_of(lead, ProviderEvent.objects.filter(type="price.created")[0])

    def test_the_list_asks_no_query_for_each(self, lead: Client, till: Till, bob: Account) -> None:
        def asked() -> int:
            with CaptureQueriesContext(connection) as queries:
                lead.get(LIST)
            return len(queries)

        till.buy(bob)
        till.deliver()
        before = asked()
        till.subscribe(bob)
        till.deliver()

        assert asked() == before


class TestTriedAgain:
    def test_is_no_fresh_one_and_says_why_in_words(self, lead: Client, till: Till, bob: Account) -> None:
        till.buy(bob)
        paid = next(each for each in till.news() if each["type"] == "payment_intent.succeeded")
        till.fake.api.faults.extend([Fault(), Fault(), Fault()])
        till.deliver([paid])
        row = ProviderEvent.objects.get()
        assert row.error.startswith("Stripe")

        listed, page = lead.get(LIST).content.decode(), page_of(lead, row)

        for shown in (listed, page):
            assert "Tried again" in shown
            assert reason(row) in shown
            assert "next <time" in shown
        assert ":" not in reason(row).split(" ")[0]
        assert row.error not in listed

    @pytest.mark.parametrize(
        ("error", "words"),
        [
            ("StripeUnreachable: Stripe did not answer.", "Stripe did not answer."),
            ("KeyError: 'x'", "The program met an error that it has no words for: 'x'"),
            ("RuntimeError", "The program met an error."),
            ("Waits for pi_1: not here yet", "Waits for pi_1: not here yet"),
            ("", ""),
        ],
    )
    def test_the_reason_names_no_class(self, error: str, words: str) -> None:
        assert reason(ProviderEvent(error=error)) == words


class TestReplayingSeveral:
    @pytest.fixture
    def failed(self, till: Till, bob: Account) -> list[str]:
        """Two payments, whose webhooks failed before anything was credited."""
        till.news()
        for _ in range(2):
            till.buy(bob)
        for event in till.news():
            till.knock(event)
        ProviderEvent.objects.update(state=EventState.FAILED, next_try_at=None, error="RuntimeError")
        return [str(pk) for pk in ProviderEvent.objects.values_list("pk", flat=True)]

    def test_asks_first_and_then_really_runs_them(
        self, lead: Client, till: Till, bob: Account, failed: list[str]
    ) -> None:
        asked = {"action": "replay_selected", "_selected_action": failed}
        page = lead.post(LIST, asked).content.decode()
        assert f"Replay {len(failed)} webhooks?" in page
        assert not ProviderEvent.objects.filter(state=EventState.RECEIVED).exists()

        told = lead.post(LIST, asked | {"confirm": "1"}, follow=True).content.decode()
        till.work()

        assert f"{len(failed)} of {len(failed)} are processed again" in told
        assert standing(bob)[0] == 200
        acts = StaffAct.objects.filter(action="replay", actor_name="lena")
        assert acts.count() == len(failed)
        assert acts[0].before == {"State": "Failed", "Why": "The program met an error."}
        assert {act.account_id for act in acts} == {bob.pk}

    @pytest.mark.parametrize("role", ["Finance", "Engineer", "Auditor"])
    def test_is_not_for_those_who_only_look(self, till: Till, failed: list[str], role: str) -> None:
        desk = desk_of(role)
        assert "replay_selected" not in desk.get(LIST).content.decode()

        desk.post(LIST, {"action": "replay_selected", "_selected_action": failed, "confirm": "1"})

        assert not ProviderEvent.objects.filter(state=EventState.RECEIVED).exists()


class TestReSync:
    def test_takes_in_a_payment_of_which_nobody_told(self, till: Till, bob: Account) -> None:
        till.buy(bob)
        assert standing(bob)[0] == 0

        assert resync_account(bob.pk) == "0 subscriptions and 1 payments"
        assert resync_account(bob.pk) == "0 subscriptions and 1 payments"

        assert standing(bob)[0] == 100

    def test_takes_in_a_plan_of_which_nobody_told(self, till: Till, bob: Account) -> None:
        till.subscribe(bob)

        resync_account(bob.pk)

        assert standing(bob)[0] > 0
        assert bob.subscriptions.get().plan_version.plan_id == "PRO"

    def test_leaves_a_page_that_nobody_paid_on(self, till: Till, bob: Account) -> None:
        checkout = till.open(bob)

        resync_account(bob.pk)

        checkout.refresh_from_db()
        assert (checkout.status, standing(bob)[0]) == ("open", 0)
