"""A fake Stripe: the part of its API that Florin uses, over HTTP, in the objects of API version 2026-10-28.endive.

    with FakeStripe() as fake:
        fake.webhooks("http://127.0.0.1:8000/webhooks/stripe", "whsec_…")
        client = stripe.StripeClient(fake.key, base_addresses={"api": fake.url})
        …
        fake.customer_pays(session)
        fake.deliveries.deliver()

It is in memory, counts its ids, honours Idempotency-Key, and sends webhooks by hand or by itself. `python -m
tests.fakes.stripe` runs one for `make run`, with a dashboard under /dashboard.
"""

from .api import Fault
from .errors import ApiError
from .server import KEY, LIVE_KEY, SECRET, FakeStripe
from .webhooks import Delivery, Endpoint, signature

__all__ = ["KEY", "LIVE_KEY", "SECRET", "ApiError", "Delivery", "Endpoint", "FakeStripe", "Fault", "signature"]
