"""High-volume usage, on a real NATS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from billing import metered
from billing import standing as stands
from billing.models import DeadLetter
from billing.providers.nats import Bus, Message
from billing.services import consumption
from credits.models import Account, Transaction
from tests.bus import Server, standing
from tests.factories import make_account, price
from tests.processes import until


def consume(bus: Bus, *, until_uses: int) -> None:
    """Charge what comes until it is so many uses."""
    inlet = bus.follow(metered.USAGE, stands.durable_of(metered.USAGE), most_pending=10_000, again_after=1.0)
    came = 0
    while came < until_uses:
        came += consumption.consume_uses(
            bus, inlet, read=metered.read_uses, record=metered.record_uses, told=metered.told, most_messages=5000,
            most_uses=10_000, seconds=5,
        )  # fmt: skip


def publish(bus: Bus, *bodies: Any) -> None:
    bus.ensure(stands.METERED)
    bus.publish([[Message(metered.USAGE, f"u-{number}", json.dumps(body).encode())] for number, body in
                 enumerate(bodies)])  # fmt: skip


@pytest.fixture
def merchants(committed: None) -> list[Account]:
    return [make_account(external_id=f"merchant-{number}", balance=1000) for number in range(4)]


def deep(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


class TestPoison:
    @pytest.mark.parametrize(
        "body",
        [
            '{"merchant_id": "merchant-0", "amount": 18446744073709551616}',
            '{"merchant_id": "merchant-0", "amount": 1e40000000}',
            '{"merchant_id": "merchant-0", "amount": 1e-40000000}',
            '{"merchant_id": "nobody", "amount": 1, "metadata": {"a": 1e40000000}}',
            '{"merchant_id": "merchant-0", "amount": NaN}',
            '{"merchant_id": "merchant-0", "amount": "x", "description": "\\ud800"}',
            '{"merchant_id": "nobody", "amount": 1, "metadata": ' + deep(300) + "}",
        ],
    )
    def test_is_a_dead_letter_and_nobody_else_is_kept_from_it(
        self, merchants: list[Account], bus: Bus, body: str
    ) -> None:
        bus.ensure(stands.METERED)
        good = json.dumps({"merchant_id": "merchant-0", "amount": 1})
        bus.publish([[Message(metered.USAGE, name, text.encode()) for name, text in (("bad", body), ("good", good))]])

        consume(bus, until_uses=2)

        assert Account.objects.get(external_id="merchant-0").balance == 999
        assert DeadLetter.objects.get().message_id == "bad"

    def test_that_cannot_even_be_judged_is_given_up_alone(
        self, merchants: list[Account], bus: Bus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish(bus, {"merchant_id": "merchant-0", "amount": 1}, {"merchant_id": "merchant-1", "amount": 1})
        monkeypatch.setattr(consumption, "PATIENCE", 1)

        def record(uses: Any) -> Any:
            assert all(use.id != "u-0" for use in uses), "poison"
            return metered.record_uses(uses)

        inlet = bus.follow(metered.USAGE, stands.durable_of(metered.USAGE), most_pending=10_000)
        came = 0
        while not came:
            came = consumption.consume_uses(
                bus, inlet, read=metered.read_uses, record=record, told=metered.told, most_messages=5000,
                most_uses=10_000, seconds=5,
            )  # fmt: skip

        letter = DeadLetter.objects.get()
        assert (letter.message_id, letter.code) == ("u-0", "failed")
        assert Account.objects.get(external_id="merchant-1").balance == 999


class TestUsage:
    def test_is_charged_by_the_thousand(self, merchants: list[Account], bus: Bus) -> None:
        items = [{"merchant_id": f"merchant-{number % 4}", "amount": 1, "trace_id": f"t-{number}"} for number in
                 range(2000)]  # fmt: skip
        publish(bus, *({"items": items[first : first + 100]} for first in range(0, 2000, 100)))

        consume(bus, until_uses=2000)

        assert list(Account.objects.values_list("balance", flat=True)) == [500] * 4
        assert not DeadLetter.objects.exists()

    def test_is_priced_as_over_http(self, merchants: list[Account], bus: Bus) -> None:
        price("ml-analysis", amount=50)
        publish(bus, {"merchant_id": "merchant-0", "feature": "ml-analysis"})

        consume(bus, until_uses=1)

        assert Transaction.objects.latest("pk").amount == -50

    def test_that_comes_again_is_charged_once(self, merchants: list[Account], bus: Bus) -> None:
        use = {"account": "merchant-0", "amount": 1}
        publish(bus, use, {"items": [use, use]})
        inlet = bus.follow(metered.USAGE, stands.durable_of(metered.USAGE), most_pending=100, again_after=1.0)
        uses = [use for each in inlet.take(10, seconds=5) for use in metered.read_uses(each.id, each.body)]
        assert metered.record_uses(uses) == []

        consume(bus, until_uses=3)

        merchants[0].refresh_from_db()
        assert merchants[0].balance == 997

    def test_that_is_refused_is_kept_and_answered(self, merchants: list[Account], nats: Server, bus: Bus) -> None:
        good, short = {"account": "merchant-0", "amount": 1}, {"account": "merchant-1", "amount": 5000}
        bus.ensure(stands.METERED)
        asking = Message(
            metered.USAGE, "u-1", json.dumps({"items": [good, short, {"amount": 1}]}).encode(),
            {consumption.REFUSALS_TO: "refused.mine"},
        )  # fmt: skip
        with Bus(nats.url) as other:
            answers = other.listen("refused.mine")
            bus.publish([[asking]])
            consume(bus, until_uses=3)
            told = [json.loads(each) for each in answers(2, seconds=5)]

        assert [(each["id"], each["problem"]["code"]) for each in told] == [
            ("u-1#1", "insufficient_credits"), ("u-1#2", "malformed"),
        ]  # fmt: skip
        kept = DeadLetter.objects.order_by("message_id").values_list("message_id", "code")
        assert list(kept) == [("u-1#1", "insufficient_credits"), ("u-1#2", "malformed")]
        merchants[0].refresh_from_db()
        assert merchants[0].balance == 999

    def test_that_was_refused_is_not_charged_when_its_message_comes_again(self, merchants: list[Account]) -> None:
        uses = metered.read_uses("u-1", json.dumps({"account": "merchant-0", "amount": 1001}).encode())
        assert len(metered.record_uses(uses)) == 1
        merchants[0].refresh_from_db()
        make_account(external_id="rich", balance=1)
        Account.objects.filter(pk=merchants[0].pk).update(overdraft_limit=10)

        assert metered.record_uses(uses) == []
        merchants[0].refresh_from_db()
        assert merchants[0].balance == 1000

        stands.apply_letter(metered.USAGE, "u-1", DeadLetter.objects.get().body.encode())
        merchants[0].refresh_from_db()
        assert merchants[0].balance == -1
        Account.objects.filter(pk=merchants[0].pk).update(overdraft_limit=10)

    def test_that_is_no_json_is_kept(self, database: None) -> None:
        refused = metered.record_uses(metered.read_uses("u-1", b"{"))

        assert [each.code for _, each in refused] == ["malformed"]

    def test_is_charged_by_the_process_of_consumers(self, merchants: list[Account], nats: Server) -> None:
        with standing(["consume_events"], nats.url):
            nats.publish(metered.USAGE, {"merchant_id": "merchant-2", "amount": 10})
            until(lambda: Account.objects.get(pk=merchants[2].pk).balance == 990, "It was never charged.")
