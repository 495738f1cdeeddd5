"""Rate limits: requests a minute for each key, counted in Valkey. Off unless a key or the setting has a limit."""

from __future__ import annotations

import logging
import time
from typing import Any, cast

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from credits.services.keys import Caller

log = logging.getLogger(__name__)

WINDOW = 60


class KeyRateThrottle(BaseThrottle):
    """Counts a key's requests in the running minute, over all processes.

    Where Valkey is down requests pass uncounted: a limit protects the service, and is not worth stopping it for.
    """

    waits: float | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the request and tell whether it is within the limit."""
        caller = cast("Caller | None", request.auth)
        limit = (caller.rate_limit or settings.RATE_LIMIT_PER_MINUTE) if caller else 0
        if caller is None or not limit:
            return True
        now = time.time()
        window = int(now // WINDOW)
        left = WINDOW - now % WINDOW
        try:
            key = f"rate:{caller.id}:{window}"
            cache.add(key, 0, timeout=2 * WINDOW)
            count = cache.incr(key)
        except (RedisError, OSError, ValueError):
            log.warning("Valkey is down: requests pass without a rate limit")
            return True
        # The view's finalize_response prints these; DRF gives a throttle no say in the headers.
        request._request.rate_limit = (limit, max(limit - count, 0), int(left) + 1)  # type: ignore[attr-defined]
        self.waits = left
        return bool(count <= limit)

    def wait(self) -> float | None:
        """Return the seconds until the next minute begins."""
        return self.waits
