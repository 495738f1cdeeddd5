from __future__ import annotations

import pytest

from credits.models import Account
from tests.factories import make_account
from tests.subscriptions import factories


@pytest.fixture
def plans(database: None) -> None:
    factories.make_plans()


@pytest.fixture
def ada(plans: None) -> Account:
    """An account without credits, opened before 2026."""
    return make_account(external_id="ada", at=factories.at("01-01"))
