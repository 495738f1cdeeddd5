from __future__ import annotations

import pytest

from tests.billing.shop import Shop
from tests.fakes.stripe import FakeStripe
from tests.subscriptions.factories import make_plans


@pytest.fixture
def shop(committed: None, fake_stripe: FakeStripe) -> Shop:
    """Packs and plans that are sold. Stripe is called outside of transactions, so the changes are committed."""
    make_plans()
    return Shop(fake_stripe)
