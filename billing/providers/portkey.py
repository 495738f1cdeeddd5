"""Portkey, the AI gateway: what a trace really cost, from its log API.

It is asked with a key that is kept in the HTTP client alone: no log line, error or repr has it, and none repeats the
gateway's own words.
"""

from __future__ import annotations

import logging
import random
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx
from django.conf import settings
from django.db import connection

from billing import refusals
from billing.providers.breaker import Breaker, Open
from billing.providers.portkey_logs import PAGE_ROWS, NoSense, Rows, TraceCost

log = logging.getLogger(__name__)

TRIES = 3
# The longest pause before the second try; before the third it may be twice as long. The pause is drawn from zero on,
# so that callers who failed together do not come back together.
PAUSE_SECONDS = 0.25
MOST_PAGES = 100
MOST_BYTES = 8 * 1024 * 1024
# The breaker: so many failures in a row, and so long is the gateway left alone.
FAILURES = 5
LEFT_ALONE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request. Status 0: nothing did, or not in time; then ``why`` names the kind of error."""

    status: int
    body: bytes = b""
    retry_after: float = 0.0
    why: str = ""

    @property
    def passing(self) -> bool:
        """Whether the same request may fare better in a moment."""
        return self.status in (0, 429) or self.status >= 500


class Portkey:
    """One workspace's log API. Threads share a client, with its connections and its breaker."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str,
        workspace_slug: str,
        seconds: float,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._url = httpx.URL(url)
        self._workspace_slug = workspace_slug
        self._seconds = seconds
        self._now, self._sleep, self._draw = now, sleep, draw
        self._breaker = Breaker(refusals.GatewayUnreachable, failures=FAILURES, seconds=LEFT_ALONE_SECONDS, now=now)
        self._http = httpx.Client(
            # Unpacked, so that a small answer cannot become a large one.
            headers={"x-portkey-api-key": api_key, "Accept": "application/json", "Accept-Encoding": "identity"},
            follow_redirects=False,
            # Neither a proxy nor a .netrc of the machine's gets to see the key.
            trust_env=False,
            verify=ssl.create_default_context(),
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def cost_of(self, trace_id: str) -> TraceCost:
        """Return what a trace cost, summed over all its rows, within the seconds given in all.

        Never called inside a database transaction: an account would stay locked while the gateway thinks.
        Raises CostUnknown, GatewayUnreachable (GatewayAvoided), GatewayRefused, GatewayNonsense.
        """
        if connection.in_atomic_block:
            raise RuntimeError("The gateway is never asked inside a database transaction: ask first, then begin one.")
        try:
            with self._breaker.guard():
                cost: TraceCost | str = self._gather(trace_id).cost()
        except NoSense as told:
            cost = str(told)
        except Open as left:
            raise refusals.GatewayAvoided(
                "The AI gateway failed several times in a row and is left alone for a while.",
                retry_after=int(left.seconds) + 1,
            ) from None
        # Raised here, where no link leads back to frames that hold the gateway's own words.
        if isinstance(cost, str):
            log.error("Portkey gave no sense about trace %r: %s", trace_id, cost)
            raise refusals.GatewayNonsense("The AI gateway's answer cannot be what the trace cost.")
        if not cost.usd:
            raise refusals.CostUnknown("The AI gateway knows no cost of this trace, or not yet.")
        return cost

    def _gather(self, trace_id: str) -> Rows:
        until = self._now() + self._seconds
        gathered = Rows(trace_id)
        for number in range(MOST_PAGES):
            page = {"trace_id": trace_id, "workspace_slug": self._workspace_slug}
            url = self._url.copy_merge_params({**page, "page_size": PAGE_ROWS, "current_page": number})
            if not gathered.add(self._page(url, until)):
                return gathered
        raise NoSense(f"more than {MOST_PAGES} pages")

    def _page(self, url: httpx.URL, until: float) -> bytes:
        """Return a page's body. Tries again what may pass, as long as there is time."""
        for turn in range(1, TRIES + 1):
            answer = self._ask(url, until)
            if answer.status == 200:
                return answer.body
            if not answer.passing:
                # A redirect is one too: its target is not where the key was meant to go.
                log.error("Portkey answers %d: check PORTKEY_URL, its key and workspace", answer.status)
                raise refusals.GatewayRefused("The AI gateway turned the question down.")
            log.warning("Portkey, try %d of %d: %s", turn, TRIES, answer.why or answer.status)
            pause = max(self._draw(0.0, PAUSE_SECONDS * 2 ** (turn - 1)), answer.retry_after)
            if turn == TRIES or self._now() + pause >= until:
                break
            self._sleep(pause)
        raise refusals.GatewayUnreachable("The AI gateway could not be reached. Nothing was charged.")

    def _ask(self, url: httpx.URL, until: float) -> Answer:
        """Return what comes back for one request, whatever it is. Raises NoSense for a body without an end."""
        left = max(until - self._now(), 0.001)
        # A part of the time only, so that one try that hangs leaves time for another.
        limits = httpx.Timeout(min(left, self._seconds / 2), connect=min(left, self._seconds / 4))
        try:
            with self._http.stream("GET", url, timeout=limits) as response:
                if response.status_code != 200:
                    return Answer(response.status_code, retry_after=_retry_after(response))
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise NoSense("a body that is packed")
                body = bytearray()
                for part in response.iter_raw():
                    body += part
                    if len(body) > MOST_BYTES:
                        raise NoSense(f"more than {MOST_BYTES} bytes")
                    if self._now() > until:
                        return Answer(0, why="out of time")
                return Answer(200, bytes(body))
        except httpx.HTTPError as error:
            # The error holds the request, and with it the key: only its kind goes on from here.
            return Answer(0, why=type(error).__name__)


def _retry_after(response: httpx.Response) -> float:
    """Return how many seconds an answer asks to wait. A time is read against the answer's own clock."""
    told = response.headers.get("Retry-After", "")
    if told.isascii() and told.isdigit():
        return float(told[:9])
    try:
        wait = parsedate_to_datetime(told) - parsedate_to_datetime(response.headers.get("Date", ""))
        return max(wait.total_seconds(), 0.0)
    except (ValueError, TypeError):
        return 0.0


_lock = threading.Lock()
_gateways: list[Portkey] = []


def gateway() -> Portkey:
    """Return this process's gateway, made when it is first asked for. Raises GatewayMissing where there is none."""
    with _lock:
        if not _gateways:
            if not settings.PORTKEY_URL:
                log.error("PORTKEY_URL is not set: traces cannot be charged")
                raise refusals.GatewayMissing("No AI gateway is configured. Nothing was charged.")
            _gateways.append(
                Portkey(
                    settings.PORTKEY_URL,
                    api_key=settings.PORTKEY_API_KEY,
                    workspace_slug=settings.PORTKEY_WORKSPACE_SLUG,
                    seconds=settings.PORTKEY_TIMEOUT_SECONDS,
                )
            )
        return _gateways[0]


def forget() -> None:
    """Close this process's gateway; the next question makes one anew, from the settings as they are then."""
    with _lock:
        while _gateways:
            _gateways.pop().close()


def cost_of(trace_id: str) -> TraceCost:
    """Return what a trace cost. Raises GatewayMissing, besides what ``Portkey.cost_of`` raises."""
    return gateway().cost_of(trace_id)
