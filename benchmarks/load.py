"""A client that costs little: client, servers and database share the machine's cores.

One thread, one selector, raw sockets that are kept alive. A request is bytes made before it is needed; of an answer the
status is checked and the end found, nothing else.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

HOST = "127.0.0.1"
SILENCE_SECONDS = 30.0


class AnswerError(Exception):
    """A server answered with another status than its rival is measured by: the figures would mean nothing."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a run did: requests answered, how long it took, and the processor time that the client itself took."""

    answered: int
    seconds: float
    client_seconds: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.answered / self.seconds


@dataclass(slots=True)
class _Line:
    """One kept-alive connection and the part of an answer that has arrived on it."""

    wire: socket.socket
    arrived: bytes = b""


def post(path: str, token: str, body: bytes, *headers: str) -> bytes:
    """Return a POST of JSON as it goes over the wire."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {HOST}",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def drive(port: int, requests: Iterator[bytes], status: int, *, seconds: float, connections: int) -> Load:
    """Keep every connection busy with one request at a time until the time is over, and wait for the last answers.

    Raises AnswerError for another status, TimeoutError for a server that falls silent.
    """
    good = b"HTTP/1.1 %d " % status
    with selectors.DefaultSelector() as selector:
        lines = [_Line(socket.create_connection((HOST, port), SILENCE_SECONDS)) for _ in range(connections)]
        try:
            for line in lines:
                line.wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(line.wire, selectors.EVENT_READ, line)
            burnt = time.process_time()
            start = time.perf_counter()
            answered = _run(selector, lines, requests, good, start + seconds)
            return Load(answered, time.perf_counter() - start, time.process_time() - burnt)
        finally:
            for line in lines:
                line.wire.close()


def _run(
    selector: selectors.BaseSelector, lines: list[_Line], requests: Iterator[bytes], good: bytes, end: float
) -> int:
    answered = 0
    busy = len(lines)
    for line in lines:
        line.wire.sendall(next(requests))
    while busy:
        ready = selector.select(SILENCE_SECONDS)
        if not ready:
            raise TimeoutError(f"No answer for {SILENCE_SECONDS:.0f} s.")
        going_on = time.perf_counter() < end
        for key, _ in ready:
            asked: _Line = key.data
            asked.arrived += asked.wire.recv(1 << 20)
            if not _complete(asked.arrived, good):
                continue
            asked.arrived = b""
            answered += 1
            if going_on:
                asked.wire.sendall(next(requests))
            else:
                busy -= 1
    return answered


def _complete(arrived: bytes, good: bytes) -> bool:
    head = arrived.find(b"\r\n\r\n")
    if head < 0 and arrived:
        return False
    if not arrived.startswith(good):
        raise AnswerError(arrived[:600].decode(errors="replace") or "The server closed the connection.")
    named = arrived[:head].lower().find(b"content-length:")
    if named < 0:
        raise AnswerError("An answer without a Content-Length.")
    length = int(arrived[named + 15 : arrived.find(b"\r\n", named)])
    return len(arrived) >= head + 4 + length


def alternate(port: int, rivals: list[Callable[[], bytes]], status: int, *, each: int) -> list[list[float]]:
    """Send one request of every rival in turn on one connection. Returns the seconds that each one's answers took."""
    good = b"HTTP/1.1 %d " % status
    took: list[list[float]] = [[] for _ in rivals]
    with socket.create_connection((HOST, port), SILENCE_SECONDS) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(each):
            for rival, times in zip(rivals, took, strict=True):
                request = rival()
                start = time.perf_counter()
                wire.sendall(request)
                arrived = wire.recv(1 << 16)
                while not _complete(arrived, good):
                    arrived += wire.recv(1 << 16)
                times.append(time.perf_counter() - start)
    return took
