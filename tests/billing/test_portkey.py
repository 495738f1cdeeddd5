"""The client of the gateway's log API, against a real server that misbehaves. Time is injected; nothing sleeps."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from billing import refusals
from billing.providers import portkey as provider
from billing.providers.portkey import Portkey
from billing.providers.portkey_logs import TraceCost
from config import env
from dev.processes import free_port
from tests.fakes.portkey import Drip, Drop, FakePortkey, Hang, Reply
from tests.threads import at_once

SECRET = "pk-Very+Secret=1"


class Clock:
    """Time that passes only where the client sleeps, or by ``step`` whenever somebody looks."""

    def __init__(self) -> None:
        self.time, self.step = 1000.0, 0.0
        self.slept: list[float] = []
        self.drawn: list[tuple[float, float]] = []

    def now(self) -> float:
        self.time += self.step
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def draw(self, low: float, high: float) -> float:
        self.drawn.append((low, high))
        return high


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake() -> Iterator[FakePortkey]:
    with FakePortkey(key=SECRET) as fake:
        fake.trace("t", 0.8, 0.4345)
        yield fake


Make = Callable[..., Portkey]


@pytest.fixture
def make(fake: FakePortkey, clock: Clock) -> Iterator[Make]:
    made: list[Portkey] = []

    def make(
        url: str = fake.url, *, key: str = SECRET, seconds: float = 10, workspace: str = fake.workspace
    ) -> Portkey:
        client = Portkey(
            url, api_key=key, workspace_slug=workspace, seconds=seconds, now=clock.now, sleep=clock.sleep,
            draw=clock.draw,
        )  # fmt: skip
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make: Make) -> Portkey:
    return make()


class TestWhatATraceCost:
    def test_is_the_sum_of_its_rows_in_dollars(self, client: Portkey) -> None:
        assert client.cost_of("t") == TraceCost(usd=Decimal("0.012345"), rows=2, tokens=20)

    def test_is_asked_for_with_key_trace_and_workspace(self, client: Portkey, fake: FakePortkey) -> None:
        name = "a b&c=d/é?#%+"
        fake.trace(name, 1)

        client.cost_of(name)

        asked = fake.asked[0]
        assert (asked.trace_id, asked.workspace, asked.key, asked.page) == (name, "ws-test", SECRET, 0)
        assert asked.headers["Accept-Encoding"] == "identity"

    def test_keeps_what_the_address_asks_already(self, make: Make, fake: FakePortkey) -> None:
        assert make(f"{fake.url}?workspace_slug=other&tenant=1").cost_of("t").rows == 2

    def test_is_gathered_from_all_pages(self, client: Portkey, fake: FakePortkey) -> None:
        fake.trace("long", *["0.1"] * 7)
        fake.most_rows = 3

        assert client.cost_of("long") == TraceCost(usd=Decimal("0.007"), rows=7, tokens=70)
        assert [asked.page for asked in fake.asked] == [0, 1, 2]

    def test_is_the_same_for_many_threads(self, client: Portkey, fake: FakePortkey) -> None:
        assert at_once([lambda: client.cost_of("t").usd] * 16) == [Decimal("0.012345")] * 16
        assert len(fake.asked) == 16

    def test_is_unknown_without_rows_or_where_all_was_free(self, client: Portkey, fake: FakePortkey) -> None:
        fake.trace("free", 0, 0.0)

        for name in ("none", "free"):
            with pytest.raises(refusals.CostUnknown) as refused:
                client.cost_of(name)
            assert (refused.value.status, refused.value.code) == (404, "cost_not_found")


class TestTriesAgain:
    @pytest.mark.parametrize("step", [Reply(500), Reply(502), Reply(503), Reply(429), Drop(), Drop(b'{"data": [')])
    def test_what_may_pass(self, client: Portkey, fake: FakePortkey, clock: Clock, step: Any) -> None:
        fake.next(step, step)

        assert client.cost_of("t").rows == 2
        assert len(fake.asked) == 3
        assert clock.drawn == [(0.0, 0.25), (0.0, 0.5)]
        assert clock.slept == [0.25, 0.5]

    def test_no_more_than_three_times(self, client: Portkey, fake: FakePortkey, clock: Clock) -> None:
        fake.next(*[Reply(500)] * 3)

        with pytest.raises(refusals.GatewayUnreachable) as refused:
            client.cost_of("t")

        assert (refused.value.status, refused.value.code) == (502, "gateway_unreachable")
        assert (len(fake.asked), len(clock.slept)) == (3, 2)

    def test_each_page(self, client: Portkey, fake: FakePortkey) -> None:
        fake.trace("long", 1, 1)
        fake.most_rows = 1
        fake.next(Reply(500), Reply(500))

        assert client.cost_of("long").rows == 2

    def test_where_nobody_listens(self, make: Make, clock: Clock) -> None:
        with pytest.raises(refusals.GatewayUnreachable):
            make(f"http://127.0.0.1:{free_port()}/v1/logs").cost_of("t")

        assert len(clock.slept) == 2

    @pytest.mark.parametrize("step", [Hang(), Hang(b'{"data": [')])
    def test_where_no_answer_comes(self, make: Make, fake: FakePortkey, clock: Clock, step: Hang) -> None:
        fake.next(step)

        assert make(seconds=1.6).cost_of("t").rows == 2
        assert len(fake.asked) == 2

    @pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 422])
    def test_never_what_was_refused(self, client: Portkey, fake: FakePortkey, status: int) -> None:
        fake.next(Reply(status, headers={"Location": fake.url, "Retry-After": "0"}))

        with pytest.raises(refusals.GatewayRefused) as refused:
            client.cost_of("t")

        assert (refused.value.status, refused.value.code) == (502, "gateway_refused")
        assert len(fake.asked) == 1

    @pytest.mark.parametrize(("key", "workspace"), [("wrong", "ws-test"), (SECRET, "wrong")])
    def test_never_with_a_wrong_key_or_workspace(
        self, make: Make, fake: FakePortkey, key: str, workspace: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        with pytest.raises(refusals.GatewayRefused):
            make(key=key, workspace=workspace).cost_of("t")

        assert len(fake.asked) == 1
        assert [(each.levelname, "check PORTKEY_URL" in each.message) for each in caplog.records] == [("ERROR", True)]


class TestRetryAfter:
    def test_in_seconds_is_waited_for(self, client: Portkey, fake: FakePortkey, clock: Clock) -> None:
        fake.next(Reply(429, headers={"Retry-After": "4"}), Reply(503, headers={"Retry-After": "0"}))

        assert client.cost_of("t").rows == 2
        assert clock.slept == [4.0, 0.5]

    def test_as_a_time_is_read_by_the_answers_own_clock(self, client: Portkey, fake: FakePortkey, clock: Clock) -> None:
        then = timezone.now().replace(microsecond=0)
        dates = {"Date": format_datetime(then), "Retry-After": format_datetime(then + timedelta(seconds=3))}
        fake.next(Reply(503, headers=dates))

        assert client.cost_of("t").rows == 2
        assert clock.slept == [3.0]

    @pytest.mark.parametrize("told", ["soon", "-5", "²", "Thu, 01 Jan 1970 00:00:00 GMT", ""])
    def test_that_says_nothing_is_not_heeded(self, client: Portkey, fake: FakePortkey, clock: Clock, told: str) -> None:
        fake.next(Reply(503, headers={"Retry-After": told}))

        assert client.cost_of("t").rows == 2
        assert clock.slept == [0.25]


class TestTheBudget:
    def test_is_not_waited_beyond(self, client: Portkey, fake: FakePortkey, clock: Clock) -> None:
        fake.next(*[Reply(429, headers={"Retry-After": "6"})] * 3)

        with pytest.raises(refusals.GatewayUnreachable):
            client.cost_of("t")

        assert (clock.slept, len(fake.asked)) == ([6.0], 2)

    def test_is_for_all_pages_together(self, client: Portkey, fake: FakePortkey, clock: Clock) -> None:
        fake.trace("long", *[1] * 5)
        fake.most_rows = 1
        wait = Reply(429, headers={"Retry-After": "4"})
        fake.next(wait, wait)
        assert client.cost_of("long").rows == 5
        fake.next(*[wait] * 3)

        with pytest.raises(refusals.GatewayUnreachable):
            client.cost_of("long")

        assert clock.slept == [4.0] * 4

    def test_ends_a_body_that_drips(self, client: Portkey, fake: FakePortkey, clock: Clock) -> None:
        fake.next(Drip(), Drip(), Drip())
        clock.step = 1.5

        with pytest.raises(refusals.GatewayUnreachable):
            client.cost_of("t")

        assert clock.time < 1000 + 2 * 10


class TestNoSense:
    @pytest.mark.parametrize(
        "reply",
        [
            Reply(200, b"<html>Bad gateway</html>"),
            Reply(200, b'{"data": [{"cost": NaN}]}'),
            Reply(200, b'{"data": [{"cost": -1}]}'),
            Reply(200, b'{"data": [{"cost": 1}, {}]}'),
            Reply(200, b'{"data": [{"cost": 99999999}]}'),
            Reply(200, b'{"data": [{"cost": 1, "trace_id": "other"}]}'),
            Reply(200, b"\x1f\x8b", headers={"Content-Encoding": "gzip"}),
        ],
    )
    def test_is_neither_charged_nor_asked_for_again(
        self, client: Portkey, fake: FakePortkey, reply: Reply, caplog: pytest.LogCaptureFixture
    ) -> None:
        fake.next(reply)

        with pytest.raises(refusals.GatewayNonsense) as refused:
            client.cost_of("t")

        assert (refused.value.status, refused.value.code, len(fake.asked)) == (502, "gateway_nonsense", 1)
        assert [each.levelname for each in caplog.records] == ["ERROR"]

    def test_is_a_body_without_an_end(self, client: Portkey, fake: FakePortkey) -> None:
        fake.next(Drip())

        with pytest.raises(refusals.GatewayNonsense):
            client.cost_of("t")

    def test_is_a_trace_without_an_end(
        self, client: Portkey, fake: FakePortkey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(provider, "MOST_PAGES", 3)
        fake.trace("long", *[1] * 4)
        fake.most_rows = 1

        with pytest.raises(refusals.GatewayNonsense):
            client.cost_of("long")


class TestTheBreaker:
    def test_leaves_a_gateway_alone_that_keeps_failing_and_tries_it_again_later(
        self, client: Portkey, fake: FakePortkey, clock: Clock
    ) -> None:
        fake.next(*[Reply(500)] * 3 * provider.FAILURES)
        for _ in range(provider.FAILURES):
            with pytest.raises(refusals.GatewayUnreachable):
                client.cost_of("t")
        asked = len(fake.asked)

        with pytest.raises(refusals.GatewayAvoided) as refused:
            client.cost_of("t")
        assert refused.value.told()["retry_after"] == 31
        assert len(fake.asked) == asked

        clock.time += provider.LEFT_ALONE_SECONDS
        assert client.cost_of("t").rows == 2

    def test_minds_no_answer_that_is_only_unwelcome(self, make: Make, fake: FakePortkey) -> None:
        client = make(key="wrong")
        for _ in range(provider.FAILURES + 1):
            with pytest.raises(refusals.GatewayRefused):
                client.cost_of("t")

        assert len(fake.asked) == provider.FAILURES + 1


class TestTheKey:
    def test_is_nowhere_to_be_read(self, make: Make, fake: FakePortkey, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        echo = b'{"error": "{key}"}'
        scenes: list[list[Any]] = [
            [],
            [Reply(401, echo)],
            [Reply(200, echo)],
            [Reply(500, echo)] * 3,
            [Drop()] * 3,
            [Reply(302, echo, headers={"Location": fake.url})],
        ]
        told = [repr(make())]
        for steps in scenes:
            fake.next(*steps)
            try:
                told.append(repr(make().cost_of("t")))
            except refusals.GatewayFailure as refused:
                told += [repr(refused), repr(refused.told()), *traceback.format_exception(refused)]
                told += [repr(each) for each in _locals_of_ours(refused)]

        assert [asked.key for asked in fake.asked] == [SECRET] * len(fake.asked)
        assert len(fake.asked) == 10
        assert SECRET not in "".join([*told, *(each.getMessage() for each in caplog.records), caplog.text])

    def test_is_refused_by_the_settings_where_no_header_could_carry_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for wrong in ("pk secret", "pk\nsecret", "pk-é"):
            monkeypatch.setenv("PORTKEY_API_KEY", wrong)
            with pytest.raises(ImproperlyConfigured) as told:
                env.secret("PORTKEY_API_KEY")
            assert "pk" not in str(told.value)


def _locals_of_ours(error: BaseException) -> Iterator[Any]:
    """Whatever a reporter of errors would tell of the frames below the test's own."""
    frames = list(traceback.walk_tb(error.__traceback__))[1:]
    for frame, _ in frames:
        yield from (value for name, value in frame.f_locals.items() if name != "self")
    for linked in (error.__cause__, error.__context__):
        if linked is not None:
            yield linked
            yield from _locals_of_ours(linked)


class TestTheProcess:
    def test_never_asks_inside_a_transaction(self, client: Portkey, fake: FakePortkey, db: None) -> None:
        with pytest.raises(RuntimeError, match="never asked inside a database transaction"):
            client.cost_of("t")

        assert fake.asked == []

    def test_has_one_gateway(self, portkey: FakePortkey) -> None:
        assert len({id(each) for each in at_once([provider.gateway] * 8)}) == 1

    def test_makes_it_from_the_settings(self, portkey: FakePortkey) -> None:
        portkey.trace("t", 100)

        assert provider.cost_of("t").usd == 1

    def test_without_one_says_so(self, settings: Any) -> None:
        settings.PORTKEY_URL = ""
        provider.forget()

        with pytest.raises(refusals.GatewayMissing) as refused:
            provider.cost_of("t")

        assert (refused.value.status, refused.value.code) == (502, "gateway_missing")
