"""Receivers of webhooks: servers of other people, which are told something and trusted with nothing.

A host is looked up once for each try, its addresses are judged, and one of those very addresses is connected to, with
the host's name for its certificate. No redirect is followed, no proxy asked, and neither a slow nor an endless answer
takes more than its time and its bytes.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import httpcore
import httpx
from django.conf import settings
from django.db import connection
from django.utils import timezone

from billing.providers import addresses
from billing.providers.addresses import AddressRefused, LookUp

USER_AGENT = "Florin-Webhooks/1"
# How much of an answer is read, and how much of that is kept.
MOST_BYTES, MOST_KEPT = 16 * 1024, 1000
# A part of the time only, so that an address that does not answer leaves time for the next one.
CONNECT_PART = 0.4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try. Status 0: no answer came, or not in time; then ``error`` says why."""

    status: int = 0
    error: str = ""
    excerpt: str = ""
    milliseconds: int = 0
    retry_after: float = 0.0

    @property
    def delivered(self) -> bool:
        """Whether the receiver has taken it."""
        return 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver says that it wants no more."""
        return self.status == 410


class Stream(httpcore.NetworkStream):
    """A connection that is over when the time is, however slowly the other side goes on."""

    def __init__(self, stream: httpcore.NetworkStream, until: float) -> None:
        self._stream, self._until = stream, until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what came."""
        return self._stream.read(max_bytes, self._left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send."""
        self._stream.write(buffer, self._left(httpcore.WriteTimeout))

    def close(self) -> None:
        """Hang up."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the connection, encrypted, once the other side has shown whose it is."""
        left = self._left(httpcore.ConnectTimeout)
        return Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._until)

    def get_extra_info(self, info: str) -> Any:
        """Return what the connection knows of itself."""
        return self._stream.get_extra_info(info)

    def _left(self, otherwise: type[Exception]) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise otherwise("out of time")
        return left


class Network(httpcore.NetworkBackend):
    """Connects to addresses that were judged, and to no names."""

    def __init__(self, until: float, *, look_up: LookUp, secure: bool, seconds: float) -> None:
        self._until, self._look_up, self._secure, self._seconds = until, look_up, secure, seconds
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Return a connection to a host. Raises AddressRefused."""
        found = addresses.addresses_of(
            host, port, within=self._until - time.monotonic(), look_up=self._look_up, secure=self._secure
        )
        failure: Exception = httpcore.ConnectTimeout("out of time")
        for address in found:
            left = self._until - time.monotonic()
            if left <= 0:
                break
            try:
                stream = self._plain.connect_tcp(address, port, min(left, self._seconds * CONNECT_PART))
                return Stream(stream, self._until)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


def send(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    look_up: LookUp = addresses.look_up,
    trust: ssl.SSLContext | None = None,
) -> Outcome:
    """Send a body to a receiver and return what came of it, within WEBHOOK_TIMEOUT_SECONDS in all.

    Never called inside a database transaction: rows would stay locked while a stranger thinks.
    """
    if connection.in_atomic_block:
        raise RuntimeError("No webhook is sent inside a database transaction: send first, then begin one.")
    seconds = float(settings.WEBHOOK_TIMEOUT_SECONDS)
    begun = time.monotonic()
    try:
        target = httpx.URL(addresses.checked_url(url))
        network = Network(begun + seconds, look_up=look_up, secure=target.scheme == "https", seconds=seconds)
        outcome = _ask(target, body, headers, network, trust or _trust())
    except AddressRefused as refused:
        outcome = Outcome(error=str(refused))
    except httpcore.TimeoutException as error:
        outcome = Outcome(error=f"No answer within {seconds:g} s ({type(error).__name__}).")
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        outcome = Outcome(error=f"No answer: {_why(error)}.")
    took = round((time.monotonic() - begun) * 1000)
    return Outcome(outcome.status, outcome.error, outcome.excerpt, took, outcome.retry_after)


@cache
def _trust() -> ssl.SSLContext:
    """Return whom this machine trusts; reading that takes long."""
    return ssl.create_default_context()


def _ask(
    target: httpx.URL, body: bytes, headers: Mapping[str, str], network: Network, trust: ssl.SSLContext
) -> Outcome:
    sent = {
        "Host": target.netloc.decode(),
        "User-Agent": USER_AGENT,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Accept-Encoding": "identity",
        "Connection": "close",
        **headers,
    }
    url = httpcore.URL(
        scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path or b"/"
    )  # fmt: skip
    with (
        httpcore.ConnectionPool(ssl_context=trust, network_backend=network, max_connections=1, retries=0) as pool,
        pool.stream("POST", url, headers=list(sent.items()), content=body) as response,
    ):
        told = {name.lower(): value for name, value in response.headers}
        return Outcome(
            response.status, _error(response.status), _excerpt(response), retry_after=_retry_after(told)
        )  # fmt: skip


def _error(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"It answered {status}: redirects are not followed."
    return f"It answered {status}."


def _excerpt(response: httpcore.Response) -> str:
    """Return how an answer begins. Its status has been told already: how it ends changes nothing."""
    read = bytearray()
    try:
        for part in response.iter_stream():
            read += part
            if len(read) >= MOST_BYTES:
                break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        pass
    return bytes(read).decode(errors="replace").replace("\0", "")[:MOST_KEPT]


def _retry_after(headers: Mapping[bytes, bytes]) -> float:
    """Return how many seconds an answer asks to wait."""
    told = headers.get(b"retry-after", b"").decode(errors="replace")
    if told.isascii() and told.isdigit():
        return float(told[:9])
    try:
        return max((parsedate_to_datetime(told) - timezone.now()).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return 0.0


def _why(error: Exception) -> str:
    """Return what went wrong with a connection, in words that hold nothing of the request."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError):
            return "no encrypted connection could be made"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
