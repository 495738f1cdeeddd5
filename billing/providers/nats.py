"""NATS with JetStream: what is published on it, and what is taken from it.

One connection for each process that needs one, driven by an event loop in a thread of its own. It never connects again
by itself: what was under way when it was lost is unknown, so whoever uses it begins anew from what it has written down.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import nats
from nats.errors import Error
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

T = TypeVar("T")

MESSAGE_ID = "Nats-Msg-Id"
# How long the server has to answer.
SECONDS = 5.0
# For how long a stream knows a message by its id again. Longer costs the server memory; consumers know theirs for ever.
DUPLICATE_SECONDS = 3600
# How many acknowledgements may be outstanding.
IN_FLIGHT = 256


class BusError(Exception):
    """NATS is not to be had, or refused. What was not acknowledged may have been taken all the same."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something to publish. A stream takes its ``id`` once within its window."""

    subject: str
    id: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as we make it, for those of its subjects that no stream has."""

    name: str
    subjects: tuple[str, ...]
    # Beyond so many bytes publishers are refused until consumers have caught up; -1 is no limit.
    most_bytes: int = -1
    # Whether a message is gone when it is acknowledged.
    queue: bool = False
    max_age_days: int = 30


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that was taken, until it is acknowledged."""

    subject: str
    body: bytes
    headers: dict[str, str]
    stream: str
    sequence: int
    # When the stream took it. A stream that was made anew counts from 1 again.
    taken_at: datetime
    # How often it has been delivered, this time included.
    attempt: int
    message: Any = field(repr=False)

    @property
    def id(self) -> str:
        """What its publisher calls it, else its place in the stream: the same however often it is delivered."""
        place = f"{self.stream}:{self.taken_at.isoformat()}:{self.sequence}"
        return (self.headers.get(MESSAGE_ID) or place)[:250]


class Bus:
    """A connection. Every method blocks, and raises BusError where NATS does not answer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nats", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._client = self._run(
                nats.connect(
                    self._url,
                    connect_timeout=int(SECONDS),
                    allow_reconnect=False,
                    # 0 would be for ever.
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    error_cb=_ignore,
                    name="florin",
                ),
                # A server that has just come up takes the connection before it answers: then rather begin anew.
                seconds=SECONDS,
            )
        except BusError:
            self._end()
            raise
        self._stream = self._client.jetstream(timeout=SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._run(self._client.close())
        except BusError:
            pass
        finally:
            self._end()

    def ping(self) -> None:
        """Ask JetStream for its account."""
        self._run(self._stream.account_info())

    def ensure(self, stream: Stream) -> str:
        """Make a stream for those subjects that none has yet. Returns which one has the first: its name, when made."""
        return self._run(self._ensure(stream))

    def publish(self, chains: Iterable[Sequence[Message]]) -> None:
        """Publish every message and wait for each acknowledgement; within a chain, each after the one before it.

        Chains go at once. Raises BusError unless every message was acknowledged.
        """
        self._run(self._publish(chains), seconds=None)

    def send(self, subject: str, body: bytes) -> None:
        """Send an answer to whoever listens on a subject, if anybody does."""
        self._run(self._client.publish(subject, body))

    def follow(
        self, subject: str, durable: str, *, most_pending: int, stream: str | None = None, again_after: float = 60.0
    ) -> Inlet:
        """Return what a durable consumer of a subject takes from; it goes on where it was, on the terms it was made on.

        What is not acknowledged comes ``again_after`` so many seconds. ``stream`` says which one is meant, where a
        subject with a * is in several.
        """
        terms = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, max_ack_pending=most_pending, ack_wait=again_after)
        return Inlet(
            self, self._run(self._stream.pull_subscribe(subject, durable=durable, stream=stream, config=terms))
        )

    def listen(self, subject: str) -> Callable[..., list[bytes]]:
        """Return what waits for the bodies of so many messages that others send on a subject from now on."""
        heard = self._run(self._client.subscribe(subject))
        self.flush()

        def wait(count: int, *, seconds: float) -> list[bytes]:
            return [self._run(heard.next_msg(timeout=seconds), seconds=None).data for _ in range(count)]

        return wait

    def flush(self) -> None:
        """Wait until the server has everything that was sent."""
        self._run(self._client.flush(int(SECONDS)))

    def run(self, coroutine: Coroutine[Any, Any, T], *, seconds: float | None = 4 * SECONDS) -> T:
        """Run something on the connection's loop."""
        return self._run(coroutine, seconds=seconds)

    def _run(self, coroutine: Coroutine[Any, Any, T], *, seconds: float | None = 4 * SECONDS) -> T:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(seconds)
        except (Error, OSError, TimeoutError, ExceptionGroup) as error:
            future.cancel()
            raise BusError(_why(error)) from error

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _ensure(self, stream: Stream) -> str:
        missing = [subject for subject in stream.subjects if not await self._has_stream(subject)]
        if missing:
            await self._make(stream, missing)
        there = await self._stream.stream_info(await self._stream.find_stream_name_by_subject(stream.subjects[0]))
        return f"{there.config.name} {there.created}"

    async def _make(self, stream: Stream, missing: list[str]) -> None:
        config = StreamConfig(
            name=stream.name,
            subjects=missing,
            storage=StorageType.FILE,
            retention=RetentionPolicy.WORK_QUEUE if stream.queue else RetentionPolicy.LIMITS,
            discard=DiscardPolicy.NEW if stream.most_bytes > 0 else DiscardPolicy.OLD,
            max_bytes=stream.most_bytes,
            max_age=stream.max_age_days * 86_400,
            duplicate_window=DUPLICATE_SECONDS,
        )
        try:
            there = await self._stream.stream_info(stream.name)
        except NotFoundError:
            await self._stream.add_stream(config)
        else:
            there.config.subjects = sorted({*(there.config.subjects or []), *missing})
            await self._stream.update_stream(there.config)

    async def _has_stream(self, subject: str) -> bool:
        try:
            await self._stream.find_stream_name_by_subject(subject)
        except NotFoundError:
            return False
        return True

    async def _publish(self, chains: Iterable[Sequence[Message]]) -> None:
        room = asyncio.Semaphore(IN_FLIGHT)

        async def publish(chain: Sequence[Message]) -> None:
            for message in chain:
                async with room:
                    await self._stream.publish(
                        message.subject, message.body, headers={**message.headers, MESSAGE_ID: message.id}
                    )

        async with asyncio.TaskGroup() as group:
            for chain in chains:
                group.create_task(publish(chain))


class Inlet:
    """What a durable consumer takes from. Several processes may take from one: each message goes to one of them."""

    def __init__(self, bus: Bus, subscription: JetStreamContext.PullSubscription) -> None:
        self._bus = bus
        self._subscription = subscription

    def take(self, most: int, *, seconds: float) -> list[Delivery]:
        """Return up to ``most`` messages, having waited up to so many seconds for the first."""
        return self._bus.run(self._take(most, seconds), seconds=seconds + 4 * SECONDS)

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        """Tell the server that messages are done with. One that it does not hear comes again."""
        self._bus.run(self._tell([each.message.ack() for each in deliveries]))

    def put_back(self, delivery: Delivery, *, seconds: float) -> None:
        """Let a message come again after so many seconds."""
        self._bus.run(self._tell([delivery.message.nak(delay=seconds)]))

    async def _take(self, most: int, seconds: float) -> list[Delivery]:
        try:
            found = await self._subscription.fetch(most, timeout=seconds)
        except TimeoutError:
            return []
        return [_delivery(message) for message in found]

    async def _tell(self, answers: list[Coroutine[Any, Any, None]]) -> None:
        for answer in answers:
            await answer


def _delivery(message: Any) -> Delivery:
    about = message.metadata
    return Delivery(
        subject=message.subject,
        body=message.data,
        headers=dict(message.headers or {}),
        stream=about.stream,
        sequence=about.sequence.stream,
        taken_at=about.timestamp,
        attempt=about.num_delivered,
        message=message,
    )


def _why(error: BaseException) -> str:
    if isinstance(error, ExceptionGroup):
        return _why(error.exceptions[0])
    return f"{type(error).__name__}: {error}".rstrip(": ")


async def _ignore(_error: Exception) -> None:
    """Every call tells its own errors."""
