"""What NATS tells, on a real one: applied once however often it comes, and never lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from billing import standing as stands
from billing import subscribed
from billing.models import DeadLetter
from billing.providers.nats import Bus, BusError, Message, Stream
from billing.services import consumption, letters
from billing.services.letters import Malformed, NotOpen
from credits import refusals
from credits.models import Account, Transaction
from credits.plan import Owner
from tests.bus import Server, standing
from tests.factories import make_account, spend
from tests.processes import ROOT, environment, until

M = "merchant-1"
ORDER = {"merchant_id": M, "order_id": 5001}
FIVE: list[tuple[str, dict[str, Any]]] = [
    ("evt.merchant.created", {"merchant_id": M}),
    ("evt.shopify.webhook.order_paid", ORDER),
    ("evt.shopify.webhook.order_refunded", ORDER),
    ("evt.billing.payment_succeeded", {"merchant_id": M, "payment_id": "p-1", "credits": 50}),
    (
        "evt.credits.manual_adjustment",
        {"merchant_id": M, "amount": -3, "admin_id": "a-1", "reason": "goodwill", "adjustment_id": "j-1"},
    ),
]


def account() -> Account | None:
    return Account.objects.filter(pk=Owner(M, "credits").account).first()


def kinds() -> list[str]:
    rows = Transaction.objects.filter(account=Owner(M, "credits").account)
    return sorted(rows.values_list("kind", flat=True))


def tell(subject: str, body: dict[str, Any], message_id: str = "m-1") -> None:
    """Apply a message here."""
    subscribed.apply(subject, message_id, json.dumps(body).encode())


class TestTheFiveEvents:
    def test_each_twice_and_concurrently_count_once(self, committed: None, nats: Server) -> None:
        with standing(["consume_events"], nats.url), standing(["consume_events"], nats.url):
            nats.publish(*FIVE[0])
            until(lambda: account() is not None, "The account was never opened.")
            with ThreadPoolExecutor(10) as pool:
                list(pool.map(lambda event: nats.publish(*event), FIVE * 2))
            done = ["adjustment", "clawback", "order", "topup", "trial"]
            until(lambda: kinds() == done, f"{kinds()}")
            nats.publish("evt.billing.payment_succeeded", {"merchant_id": M, "payment_id": "last", "credits": 1})
            until(lambda: len(kinds()) > 5, "The last one never came.")

        found = account()
        assert found is not None
        assert (found.balance, found.debt) == (100 + 10 - 10 + 50 - 3 + 1, 0)
        assert not DeadLetter.objects.exists()

    def test_killed_before_acknowledging_they_come_again_and_change_nothing(
        self, committed: None, nats: Server
    ) -> None:
        for event in FIVE[:2] + FIVE[3:4]:
            nats.publish(*event)
        with Bus(nats.url) as bus:
            for subject in subscribed.HANDLERS:
                bus.follow(subject, stands.durable_of(subject), most_pending=100, again_after=1.0)
        command = [sys.executable, "-m", "tests.events.dying_consumer"]
        dying = subprocess.run(command, cwd=ROOT, env=environment(NATS_URL=nats.url), check=False)
        assert dying.returncode == -9

        with standing(["consume_events"], nats.url):
            until(lambda: kinds() == ["order", "topup", "trial"], f"{kinds()}")

    def test_two_adjustments_by_the_same_person_are_two(self, committed: None, nats: Server) -> None:
        nats.publish(*FIVE[0])
        adjustment = {"merchant_id": M, "amount": 5, "admin_id": "a-1", "reason": "They were very patient."}
        with standing(["consume_events"], nats.url):
            until(lambda: account() is not None, "The account was never opened.")
            for name in ("one", "two", "two"):
                nats.publish("evt.credits.manual_adjustment", adjustment, name=name)
            until(lambda: kinds() == ["adjustment", "adjustment", "trial"], "They were never adjusted.")

        row = Transaction.objects.filter(kind="adjustment")[0]
        assert (row.reason, row.description, row.metadata) == ("other", adjustment["reason"], {"admin_id": "a-1"})

    def test_a_refund_that_comes_before_its_order_waits_for_it(self, committed: None, nats: Server) -> None:
        nats.publish(*FIVE[0])
        nats.publish(*FIVE[2])
        with standing(["consume_events"], nats.url):
            until(lambda: account() is not None, "The account was never opened.")
            nats.publish(*FIVE[1])
            until(lambda: kinds() == ["clawback", "order", "trial"], "It never came together.")

    def test_wait_out_an_outage_of_nats(self, committed: None, nats: Server) -> None:
        with standing(["consume_events"], nats.url):
            nats.publish(*FIVE[0])
            until(lambda: account() is not None, "The account was never opened.")
            nats.kill()
            nats.start()
            nats.publish(*FIVE[1])
            until(lambda: kinds() == ["order", "trial"], "The order never came.")

    def test_that_carry_no_id_are_two_also_where_the_stream_was_lost_in_between(
        self, committed: None, nats: Server
    ) -> None:
        make_account(external_id=M, balance=100)
        subject, body = FIVE[4][0], {**FIVE[4][1], "amount": 5}
        del body["adjustment_id"]
        for _ in range(2):
            with Bus(nats.url) as bus:
                bus.ensure(stands.HEARD)
                inlet = bus.follow(subject, stands.durable_of(subject), most_pending=10)
                bus.send(subject, json.dumps(body).encode())
                bus.flush()
                while not consumption.consume(inlet, subscribed.apply):
                    pass
            nats.wipe()

        assert Account.objects.get(external_id=M).balance == 110


class TestAMessage:
    @pytest.mark.parametrize(
        ("subject", "body", "field"),
        [
            ("evt.merchant.created", {}, "merchant_id"),
            ("evt.shopify.webhook.order_paid", {"merchant_id": M}, "order_id"),
            ("evt.billing.payment_succeeded", {"merchant_id": M, "payment_id": "p"}, "credits"),
            ("evt.billing.payment_succeeded", {"merchant_id": M, "payment_id": "p", "credits": -5}, "credits"),
            ("evt.credits.manual_adjustment", {"merchant_id": M, "amount": 5, "admin_id": "a"}, "reason"),
            (
                "evt.credits.manual_adjustment",
                {"merchant_id": M, "amount": 0, "admin_id": "a", "reason": "x"},
                "amount",
            ),
        ],
    )
    def test_that_cannot_be_meant_names_the_field(
        self, database: None, subject: str, body: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(Malformed, match=field):
            tell(subject, body)

    def test_may_hold_what_it_says_as_data(self, database: None) -> None:
        tell("evt.merchant.created", {"event_id": "x", "data": {"merchant_id": M}})

        assert kinds() == ["trial"]

    def test_follows_the_settings(self, database: None, settings: Any) -> None:
        settings.TRIAL_CREDITS, settings.ORDER_CREDIT_FIXED_AMOUNT = 7, 3
        tell(*FIVE[0])
        settings.TRIAL_CREDITS = 8
        tell(*FIVE[0])
        tell(*FIVE[1])

        found = account()
        assert found is not None
        assert found.balance == 10

    def test_opens_an_account_without_trial_credits_where_there_are_none(self, database: None, settings: Any) -> None:
        settings.TRIAL_CREDITS = 0
        for _ in range(2):
            tell(*FIVE[0])

        assert account() is not None
        assert kinds() == []

    def test_of_one_payment_with_another_amount_is_refused(self, database: None) -> None:
        tell(*FIVE[3])

        with pytest.raises(refusals.ReferenceConflict):
            tell(FIVE[3][0], FIVE[3][1] | {"credits": 51})


class TestADeadLetter:
    def consume(self, nats: Server, subject: str, until_true: Callable[[], bool]) -> None:
        with Bus(nats.url) as bus:
            inlet = bus.follow(subject, stands.durable_of(subject), most_pending=100)
            while not until_true():
                consumption.consume(inlet, subscribed.apply, seconds=5)

    def test_is_made_of_what_is_malformed_and_of_what_is_refused(self, committed: None, nats: Server) -> None:
        make_account(external_id=M, balance=1)
        nats.publish("evt.credits.manual_adjustment", b"not json", name="bad")
        nats.publish("evt.credits.manual_adjustment", FIVE[4][1], name="short")

        self.consume(nats, "evt.credits.manual_adjustment", lambda: DeadLetter.objects.count() == 2)

        found = DeadLetter.objects.order_by("message_id").values_list("message_id", "code", "body")
        assert [each[:2] for each in found] == [("bad", "malformed"), ("short", "insufficient_credits")]
        assert found[0][2] == "not json"

    def test_is_replayed_once(self, committed: None, nats: Server) -> None:
        merchant = make_account(external_id=M, balance=1)
        nats.publish("evt.credits.manual_adjustment", FIVE[4][1], name="short")
        self.consume(nats, "evt.credits.manual_adjustment", DeadLetter.objects.exists)
        letter = DeadLetter.objects.get()
        with pytest.raises(refusals.InsufficientCredits):
            letters.replay_letter(letter.pk, stands.apply_letter)
        tell("evt.billing.payment_succeeded", FIVE[3][1])

        letters.replay_letter(letter.pk, stands.apply_letter)

        merchant.refresh_from_db()
        letter.refresh_from_db()
        assert (merchant.balance, letter.state) == (48, "replayed")
        with pytest.raises(NotOpen):
            letters.replay_letter(letter.pk, stands.apply_letter)

    def test_may_be_dismissed(self, database: None) -> None:
        letters.keep_letters([letters.Letter("evt.merchant.created", "m-1", b"{}", "malformed", "It says nothing.")])
        letter = DeadLetter.objects.get()

        letters.dismiss_letter(letter.pk)

        with pytest.raises(NotOpen):
            letters.dismiss_letter(letter.pk)


class TestBackPressure:
    def test_refuses_publishers_when_too_much_waits(self, bus: Bus) -> None:
        bus.ensure(Stream("SMALL", ("evt.small",), most_bytes=10_000, queue=True))

        many = [[Message("evt.small", str(number), b"x" * 1000)] for number in range(100)]
        with pytest.raises(BusError):
            bus.publish(many)

        inlet = bus.follow("evt.small", "all", most_pending=100)
        taken = inlet.take(100, seconds=5)
        inlet.acknowledge(taken)
        bus.flush()
        bus.publish([[Message("evt.small", "again", b"x" * 1000)]])

    def test_leaves_in_the_stream_what_is_not_acknowledged(self, bus: Bus) -> None:
        bus.ensure(Stream("SMALL", ("evt.small",)))
        bus.publish([[Message("evt.small", str(number), b"x")] for number in range(100)])
        inlet = bus.follow("evt.small", "all", most_pending=10)

        assert len(inlet.take(100, seconds=5)) == 10
        assert inlet.take(100, seconds=0.5) == []


def test_a_spent_order_is_owed_when_it_is_refunded(database: None) -> None:
    tell(*FIVE[1])
    found = account()
    assert found is not None
    spend(found, 10)
    tell(*FIVE[2])

    found.refresh_from_db()
    assert (found.balance, found.debt) == (0, 10)
