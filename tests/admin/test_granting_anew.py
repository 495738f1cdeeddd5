"""What expired too early is granted anew, once."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from django.utils import timezone

from credits.models import Account, Transaction
from credits.services.expiry import settle_account
from tests.admin.conftest import Desk, staff, text
from tests.admin.test_approvals import ASKED, balance
from tests.factories import give, make_account
from tests.threads import at_once

FIELDS = {"amount": "40", **ASKED}


@pytest.fixture
def bob(database: None) -> Account:
    past = timezone.now() - timedelta(days=2)
    account = make_account(external_id="bob", balance=0, at=past)
    give(account, 40, at=past, expires_at=past + timedelta(days=1))
    settle_account(account=account.pk)
    return account


@pytest.fixture
def expiry(bob: Account) -> Transaction:
    return Transaction.objects.get(account=bob, kind="expiry")


def test_it_says_what_it_answers_and_is_refused_a_second_time(dave: Desk, bob: Account, expiry: Transaction) -> None:
    button = f"credits/account/{bob.pk}/grant/?amount=40&expiry={expiry.pk}"
    assert f'value="{expiry.pk}"' in text(dave.get(button))

    dave.confirm(bob, "grant", **FIELDS, expiry=expiry.pk)
    assert balance(bob) == 40
    page = text(dave.get(f"credits/account/{bob.pk}/change/"))
    assert "granted anew: it had expired" in page
    assert f"expiry={expiry.pk}" in page

    told = "It was granted anew before: +40 credits"
    assert told in text(dave.get(button))
    assert told in text(dave.press(bob, "grant", **FIELDS, expiry=expiry.pk))
    assert balance(bob) == 40


def test_two_at_once_grant_it_once(committed: None, bob: Account, expiry: Transaction) -> None:
    desks = [staff(name, "Support") for name in ("sam", "sue")]

    at_once([partial(desk.confirm, bob, "grant", **FIELDS, expiry=expiry.pk) for desk in desks])

    assert balance(bob) == 40


def test_only_an_expiry_of_this_account_is_answered(dave: Desk, alice: Account, bob: Account) -> None:
    others = Transaction.objects.get(account=bob, kind="expiry")

    for reference in (others.pk, uuid4(), Transaction.objects.filter(account=alice).latest("sequence").pk):
        assert "Nothing expired here by that movement." in text(dave.press(alice, "grant", **FIELDS, expiry=reference))
    assert balance(alice) == 100
