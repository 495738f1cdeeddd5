"""Allowances: which features an account may use, how much of them, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from credits import refusals
from credits.models import Account
from credits.plan.state import QuotaKey
from credits.services import allowances, quotas
from credits.services.allowances import Limit
from credits.services.prices import add_feature
from tests.factories import allowance, make_account, spend

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAILY = QuotaKey("", "daily", "credits")


class TestAnAllowance:
    def test_denies_the_features_of_the_catalogue_that_it_does_not_enable(self, alice: Account) -> None:
        for code in ("ml-analysis", "sandbox-run"):
            add_feature(code=code)
        allowance("free", ("ml-analysis",), default=True)
        add_feature(code="added-later")

        spend(alice, 1, feature="ml-analysis")
        spend(alice, 1, feature="of-no-catalogue")
        spend(alice, 1)
        for denied in ("sandbox-run", "added-later"):
            with pytest.raises(refusals.FeatureNotEnabled):
                spend(alice, 1, feature=denied)

    def test_limits_accounts_that_are_on_it_and_those_on_none_if_it_is_the_default(self, alice: Account) -> None:
        allowance("free", (), Limit("", "daily", Decimal(2)), default=True)
        allowance("pro", (), Limit("", "daily", Decimal(50)))
        spend(alice, 2)
        with pytest.raises(refusals.QuotaExceeded):
            spend(alice, 1)

        allowances.put_on_allowance(account=alice.pk, code="pro")

        assert spend(alice, 40).amount == -40
        with pytest.raises(refusals.QuotaExceeded) as refused:
            spend(alice, 9)
        assert refused.value.members["used"] == 42

    def test_ends_by_itself(self, database: None) -> None:
        account = make_account(external_id="lab", balance=100, at=NOON)
        allowance("free", (), Limit("", "daily", Decimal(2)), default=True)
        allowance("pro", (), Limit("", "daily", Decimal(50)))
        end = NOON + timedelta(hours=1)
        allowances.put_on_allowance(account=account.pk, code="pro", ends_at=end, at=NOON)
        spend(account, 10, at=NOON)

        with pytest.raises(refusals.QuotaExceeded) as refused:
            spend(account, 1, at=end)

        assert refused.value.members["limit"] == 2

    def test_applies_in_its_own_unit(self, database: None) -> None:
        allowance("free", (), Limit("", "daily", Decimal(2)), default=True)
        dollars = make_account(external_id="john", unit="USD", balance=100)

        assert spend(dollars, 50).amount == -50

    def test_gives_way_to_the_accounts_own_limit(self, alice: Account) -> None:
        allowance("free", (), Limit("", "daily", Decimal(2)), default=True)
        quotas.set_quota(account=alice.pk, key=DAILY, limit=Decimal(50))
        spend(alice, 30)
        quotas.set_quota(account=alice.pk, key=DAILY, limit=None)

        with pytest.raises(refusals.QuotaExceeded) as refused:
            spend(alice, 1)

        assert (refused.value.members["limit"], refused.value.members["used"]) == (2, 30)

    @pytest.mark.parametrize(
        ("features", "limits"),
        [
            (("unheard-of",), ()),
            ((), (Limit("", "hourly", Decimal(1)),)),
            ((), (Limit("", "daily", Decimal(-1)),)),
            ((), (Limit("", "daily", Decimal(1), "apples"),)),
            ((), (Limit("", "daily", Decimal(1)), Limit("", "daily", Decimal(2)))),
        ],
    )
    def test_that_makes_no_sense_is_refused(
        self, database: None, features: tuple[str, ...], limits: tuple[Limit, ...]
    ) -> None:
        with pytest.raises(refusals.InvalidField):
            allowances.add_allowance(code="odd", unit="credits", features=features, limits=limits)

    def test_of_another_unit_or_none_is_refused(self, alice: Account) -> None:
        allowances.add_allowance(code="dollars", unit="USD", features=(), limits=())

        for code in ("dollars", "unheard-of"):
            with pytest.raises(refusals.InvalidField):
                allowances.put_on_allowance(account=alice.pk, code=code)
