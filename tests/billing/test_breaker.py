from __future__ import annotations

import contextlib
import threading

import pytest

from billing.providers.breaker import Breaker, Open
from tests.threads import at_once


class Down(Exception):
    pass


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(Down, failures=3, seconds=30, now=clock.now)


def attempt(breaker: Breaker, error: BaseException | None = None) -> str:
    """Run a call with an outcome, and tell what came of it."""
    try:
        with breaker.guard():
            if error is not None:
                raise error
    except Open as left:
        return f"left alone {left.seconds:.0f}"
    except BaseException as raised:
        return type(raised).__name__
    return "answered"


class TestClosed:
    def test_lets_everybody_through(self, breaker: Breaker) -> None:
        assert [attempt(breaker) for _ in range(5)] == ["answered"] * 5

    def test_opens_after_failures_in_a_row(self, breaker: Breaker) -> None:
        assert [attempt(breaker, Down()) for _ in range(4)] == ["Down", "Down", "Down", "left alone 30"]

    @pytest.mark.parametrize("between", [None, ValueError()])
    def test_forgets_failures_once_there_was_an_answer(self, breaker: Breaker, between: Exception | None) -> None:
        for _ in range(3):
            assert attempt(breaker, Down()) == "Down"
            assert attempt(breaker, Down()) == "Down"
            assert attempt(breaker, between) in ("answered", "ValueError")

    def test_an_ending_process_is_no_failure(self, breaker: Breaker) -> None:
        assert [attempt(breaker, KeyboardInterrupt()) for _ in range(4)] == ["KeyboardInterrupt"] * 4


class TestOpen:
    @pytest.fixture(autouse=True)
    def _open(self, breaker: Breaker) -> None:
        for _ in range(3):
            attempt(breaker, Down())

    def test_tells_how_long_it_stays_so(self, breaker: Breaker, clock: Clock) -> None:
        clock.time += 12

        assert attempt(breaker) == "left alone 18"

    def test_closes_when_the_one_that_tries_is_answered(self, breaker: Breaker, clock: Clock) -> None:
        clock.time += 30

        assert [attempt(breaker) for _ in range(3)] == ["answered"] * 3

    def test_opens_again_when_the_one_that_tries_fails(self, breaker: Breaker, clock: Clock) -> None:
        clock.time += 31

        assert [attempt(breaker, Down()) for _ in range(2)] == ["Down", "left alone 30"]

    def test_lets_another_try_when_the_first_never_learnt(self, breaker: Breaker, clock: Clock) -> None:
        clock.time += 31

        assert [attempt(breaker, KeyboardInterrupt()), attempt(breaker)] == ["KeyboardInterrupt", "answered"]

    def test_one_of_many_threads_tries(self, breaker: Breaker, clock: Clock) -> None:
        clock.time += 31
        others = threading.Barrier(8)

        def call() -> str:
            try:
                with breaker.guard():
                    # The trial lasts until the seven others have been turned away.
                    others.wait()
                    return "answered"
            except Open:
                others.wait()
                return "left alone"

        assert sorted(str(each) for each in at_once([call] * 8)) == ["answered"] + ["left alone"] * 7

    def test_a_failure_that_began_before_changes_nothing(self, clock: Clock) -> None:
        breaker = Breaker(Down, failures=1, seconds=30, now=clock.now)
        with contextlib.suppress(Down), breaker.guard():
            attempt(breaker, Down())
            clock.time += 20
            raise Down

        assert attempt(breaker) == "left alone 10"
