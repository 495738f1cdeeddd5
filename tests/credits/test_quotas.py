"""Quotas: what is counted, when it refuses, when it begins anew, and what is given back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from credits import refusals
from credits.models import Account, Quota, QuotaPeriod, QuotaWindow
from credits.plan import Usage
from credits.plan.state import QuotaCount, QuotaKey
from credits.services import allowances, expiry, holds, quotas, usage
from credits.services.accounts import Particulars, change_account
from credits.services.allowances import Limit
from credits.services.corrections import refund_transaction, reverse_transaction
from credits.services.locks import read_account
from credits.services.prices import add_feature
from tests.factories import allowance, charge, give, hold, make_account, memo, price, spend

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAILY = QuotaKey("", "daily", "credits")
CALLS = QuotaKey("ml-analysis", "daily", "quantity")


def limited(limit: int = 10, key: QuotaKey = DAILY, **more: object) -> Account:
    account = make_account(external_id="lab", balance=1000, at=NOON)
    quotas.set_quota(account=account.pk, key=key, limit=Decimal(limit), at=NOON, **more)
    return account


def used(account: Account, key: QuotaKey = DAILY, at: datetime = NOON) -> Decimal:
    count: QuotaCount = read_account(account.pk, at=at).quotas[key]
    return count.used


class TestAHardQuota:
    def test_lets_exactly_its_limit_pass(self, database: None) -> None:
        account = limited(10)
        for _ in range(10):
            spend(account, 1, at=NOON)

        with pytest.raises(refusals.QuotaExceeded) as refused:
            spend(account, 1, at=NOON)

        assert refused.value.members == {
            "feature": "",
            "period": "daily",
            "measure": "credits",
            "limit": 10,
            "used": 10,
            "reserved": 0,
            "requested": 1,
            "resets_at": datetime(2026, 3, 3, tzinfo=UTC),
        }
        assert refused.value.retry_after == 12 * 3600

    def test_refuses_a_charge_that_would_pass_it_and_counts_nothing(self, database: None) -> None:
        account = limited(10)

        with pytest.raises(refusals.QuotaExceeded):
            spend(account, 11, at=NOON)

        assert used(account) == 0

    def test_of_a_feature_leaves_others_alone(self, database: None) -> None:
        account = limited(1, CALLS)
        spend(account, 5, at=NOON, feature="ml-analysis")

        spend(account, 5, at=NOON, feature="waf-inspection")

        with pytest.raises(refusals.QuotaExceeded):
            spend(account, 5, at=NOON, feature="ml-analysis")

    def test_counts_a_quantity(self, database: None) -> None:
        account = limited(10, CALLS)
        price("ml-analysis", "per_unit", per=1, at=NOON)
        charge(account, at=NOON, quantity=Decimal(9))

        with pytest.raises(refusals.QuotaExceeded):
            charge(account, at=NOON, quantity=Decimal(2))

        assert charge(account, at=NOON, quantity=Decimal(1)).amount == -1

    def test_tells_of_several_the_one_that_resets_last(self, database: None) -> None:
        account = limited(10)
        quotas.set_quota(account=account.pk, key=QuotaKey("", "monthly", "credits"), limit=Decimal(10), at=NOON)

        with pytest.raises(refusals.QuotaExceeded) as refused:
            spend(account, 11, at=NOON)

        assert refused.value.members["period"] == "monthly"

    def test_stands_before_a_shortage_and_behind_a_freeze(self, bob: Account) -> None:
        quotas.set_quota(account=bob.pk, key=DAILY, limit=Decimal(0))

        with pytest.raises(refusals.QuotaExceeded):
            spend(bob, 5)


class TestASoftQuota:
    def test_counts_and_warns(self, database: None) -> None:
        account = limited(10, hard=False)

        movement = spend(account, 11, at=NOON)

        assert [warning["code"] for warning in movement.warnings] == ["quota_exceeded"]
        assert used(account) == 11


class TestAWindow:
    def test_begins_anew_one_second_after_midnight_with_no_clock_running(self, database: None) -> None:
        account = limited(10)
        spend(account, 10, at=NOON)

        spend(account, 10, at=datetime(2026, 3, 3, 0, 0, 1, tzinfo=UTC))

        with pytest.raises(refusals.QuotaExceeded):
            spend(account, 1, at=datetime(2026, 3, 3, 23, 59, 59, tzinfo=UTC))

    @pytest.mark.parametrize(
        ("zone", "before", "after"),
        [
            ("Europe/Berlin", datetime(2026, 3, 2, 22, 59, 59, tzinfo=UTC), datetime(2026, 3, 2, 23, tzinfo=UTC)),
            ("Asia/Kathmandu", datetime(2026, 3, 2, 18, 14, 59, tzinfo=UTC), datetime(2026, 3, 2, 18, 15, tzinfo=UTC)),
            ("America/Havana", datetime(2026, 3, 8, 4, 59, 59, tzinfo=UTC), datetime(2026, 3, 8, 5, tzinfo=UTC)),
        ],
    )
    def test_ends_at_the_accounts_own_midnight(
        self, database: None, zone: str, before: datetime, after: datetime
    ) -> None:
        at = before - timedelta(hours=3)
        account = make_account(external_id="lab", balance=100, at=at, time_zone=zone)
        quotas.set_quota(account=account.pk, key=DAILY, limit=Decimal(1), at=at)
        spend(account, 1, at=at)

        with pytest.raises(refusals.QuotaExceeded):
            spend(account, 1, at=before)
        assert spend(account, 1, at=after).amount == -1

    def test_of_a_week_begins_on_the_accounts_first_day(self, database: None) -> None:
        account = make_account(external_id="lab", balance=100, at=NOON, week_starts_on=7)
        quotas.set_quota(account=account.pk, key=QuotaKey("", "weekly", "credits"), limit=Decimal(1), at=NOON)

        count = read_account(account.pk, at=NOON).quotas[QuotaKey("", "weekly", "credits")]

        assert (count.window_start, count.resets_at) == (
            datetime(2026, 3, 1, tzinfo=UTC),
            datetime(2026, 3, 8, tzinfo=UTC),
        )

    def test_of_a_month_follows_the_anchor(self, database: None) -> None:
        account = make_account(external_id="lab", balance=100, at=NOON)
        add_feature(code="ml-analysis")
        code = allowance("pro", ("ml-analysis",), Limit("", "monthly", Decimal(5)))
        allowances.put_on_allowance(account=account.pk, code=code, quota_anchor=date(2026, 1, 31), at=NOON)

        count = read_account(account.pk, at=NOON).quotas[QuotaKey("", "monthly", "credits")]

        assert (count.window_start, count.resets_at) == (
            datetime(2026, 2, 28, tzinfo=UTC),
            datetime(2026, 3, 31, tzinfo=UTC),
        )

    @pytest.mark.parametrize("runs", [0, 1, 2])
    def test_that_is_over_is_kept_as_history_however_often_the_clock_runs(self, database: None, runs: int) -> None:
        account = limited(10)
        spend(account, 7, at=NOON)
        later = NOON + timedelta(days=3)

        closed = [expiry.reset_due_quotas(QuotaPeriod.DAILY, at=later) for _ in range(runs)]
        spend(account, 1, at=later)

        assert closed == [1, 0][:runs]
        assert [(row.used, row.limit, row.window_start.date()) for row in QuotaWindow.objects.all()] == [
            (7, 10, date(2026, 3, 2))
        ]
        assert used(account, at=later) == 1

    def test_reset_by_the_clock_takes_every_slice(self, database: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(expiry, "SLICE", 3)
        for number in range(8):
            account = make_account(external_id=f"lab-{number}", balance=5, at=NOON)
            quotas.set_quota(account=account.pk, key=DAILY, limit=Decimal(5), at=NOON)
            spend(account, 2, at=NOON)

        assert expiry.reset_due_quotas(QuotaPeriod.DAILY, at=NOON + timedelta(days=1)) == 8
        assert not Quota.objects.filter(used__gt=0).exists()


class TestWhatIsGivenBack:
    def test_of_a_spend_is_free_in_its_window(self, database: None) -> None:
        account = limited(10)
        movement = spend(account, 10, at=NOON)
        refund_transaction(transaction=movement.id, amount=Decimal(4), memo=memo(), at=NOON)

        assert used(account) == 6
        assert spend(account, 4, at=NOON).amount == -4

    def test_of_a_use_is_counted_with_the_last_of_its_cost(self, database: None) -> None:
        account = limited(1, CALLS)
        movement = spend(account, 10, at=NOON, feature="ml-analysis")
        refund_transaction(transaction=movement.id, amount=Decimal(4), memo=memo(), at=NOON)
        partly = used(account, CALLS)
        refund_transaction(transaction=movement.id, memo=memo(), at=NOON)

        assert (partly, used(account, CALLS)) == (1, 0)

    def test_after_its_window_changes_nothing(self, database: None) -> None:
        account = limited(10)
        movement = spend(account, 10, at=NOON)
        tomorrow = NOON + timedelta(days=1)
        spend(account, 3, at=tomorrow)
        refund_transaction(transaction=movement.id, memo=memo(), at=tomorrow)

        assert used(account, at=tomorrow) == 3

    def test_by_a_reversal_too(self, database: None) -> None:
        account = limited(10)
        movement = spend(account, 10, at=NOON)
        reverse_transaction(transaction=movement.id, memo=memo(), at=NOON)

        assert used(account) == 0


class TestAHold:
    def test_takes_its_place_and_lets_go_of_what_it_did_not_use(self, database: None) -> None:
        account = limited(10)
        held = hold(account, 8, at=NOON)
        with pytest.raises(refusals.QuotaExceeded) as refused:
            spend(account, 3, at=NOON)
        holds.capture_hold(hold=held.id, amount=Decimal(5), memo=memo(), final=True, at=NOON)

        assert (refused.value.members["reserved"], used(account)) == (8, 5)
        assert spend(account, 5, at=NOON).amount == -5

    def test_is_captured_whatever_was_used_since(self, database: None) -> None:
        account = limited(10)
        held = hold(account, 8, at=NOON, lasting=timedelta(days=2))
        tomorrow = NOON + timedelta(days=1)
        spend(account, 2, at=tomorrow)

        holds.capture_hold(hold=held.id, memo=memo(), at=tomorrow)

        assert used(account, at=tomorrow) == 10

    def test_counts_one_use_however_it_is_captured(self, database: None) -> None:
        account = limited(2, CALLS)
        held = hold(account, 8, at=NOON, feature="ml-analysis")
        for amount in (3, 5):
            holds.capture_hold(hold=held.id, amount=Decimal(amount), memo=memo(), at=NOON)

        assert used(account, CALLS) == 1

    @pytest.mark.parametrize("late", [timedelta(0), timedelta(hours=12), timedelta(days=3)])
    @pytest.mark.parametrize("own", [True, False], ids=["own limit", "plan's limit"])
    def test_that_times_out_counts_when_its_time_was_up_however_late_that_is_settled(
        self, own: bool, late: timedelta, database: None
    ) -> None:
        account = make_account(external_id="lab", balance=1000, at=NOON)
        if own:
            quotas.set_quota(account=account.pk, key=DAILY, limit=Decimal(100), at=NOON)
        else:
            allowance("free", (), Limit("", "daily", Decimal(100)), default=True)
        hold(account, 100, at=NOON, lasting=timedelta(hours=1), abandonment_charge=60)

        expiry.time_out_due_holds(at=NOON + timedelta(hours=1) + late)

        tomorrow = NOON + timedelta(days=1)
        assert used(account, at=max(tomorrow, NOON + late)) == 0
        spend(account, 100, at=max(tomorrow, NOON + late))
        assert list(QuotaWindow.objects.values_list("window_start__day", "used")) == [(2, 60)]

    def test_for_a_use_holds_its_quantity(self, database: None) -> None:
        account = limited(10, CALLS)
        price("ml-analysis", "per_unit", per=1, at=NOON)
        held = usage.hold_usage(
            account=account.pk,
            usage=Usage("ml-analysis", quantity=Decimal(8)),
            memo=memo(),
            lasting=timedelta(minutes=5),
            at=NOON,
        )
        with pytest.raises(refusals.QuotaExceeded):
            charge(account, quantity=Decimal(3), at=NOON)
        holds.capture_hold(
            hold=held.id, usage=Usage("ml-analysis", quantity=Decimal(3)), memo=memo(), final=True, at=NOON
        )

        assert used(account, CALLS) == 3

    def test_that_times_out_gives_its_place_back(self, database: None) -> None:
        account = limited(10)
        hold(account, 8, at=NOON, abandonment_charge=2)

        expiry.settle_account(account=account.pk, at=NOON + timedelta(hours=1))

        assert used(account, at=NOON + timedelta(hours=1)) == 2


class TestAnOverride:
    def test_holds_until_its_end(self, database: None) -> None:
        account = limited(10)
        until = NOON + timedelta(hours=2)
        quotas.override_quota(
            account=account.pk, key=DAILY, limit=Decimal(20), until=until, reason="Launch day", at=NOON
        )
        spend(account, 20, at=NOON)

        with pytest.raises(refusals.QuotaExceeded) as refused:
            spend(account, 1, at=until)

        assert refused.value.members["limit"] == 10

    def test_may_be_ended_before(self, database: None) -> None:
        account = limited(10)
        until = NOON + timedelta(hours=2)
        quotas.override_quota(account=account.pk, key=DAILY, limit=Decimal(0), until=until, reason="Abuse", at=NOON)
        quotas.end_override(account=account.pk, key=DAILY, at=NOON)

        assert spend(account, 1, at=NOON).amount == -1

    def test_cannot_end_in_the_past(self, database: None) -> None:
        account = limited(10)

        with pytest.raises(refusals.InvalidField):
            quotas.override_quota(account=account.pk, key=DAILY, limit=Decimal(1), until=NOON, reason="", at=NOON)


def test_a_reset_lets_the_window_begin_anew(database: None) -> None:
    account = limited(10)
    spend(account, 10, at=NOON)

    quotas.reset_quota(account=account.pk, key=DAILY, at=NOON)

    assert spend(account, 10, at=NOON).amount == -10


def test_a_limit_counts_from_when_it_was_set(database: None) -> None:
    account = make_account(external_id="lab", balance=100, at=NOON)
    spend(account, 50, at=NOON)
    quotas.set_quota(account=account.pk, key=DAILY, limit=Decimal(10), at=NOON)

    assert spend(account, 10, at=NOON).amount == -10


def test_credits_that_come_in_count_in_no_quota(database: None) -> None:
    account = limited(10)
    give(account, 500, at=NOON)
    change_account(account=account.pk, particulars=Particulars(week_starts_on=7))

    assert used(account) == 0


@pytest.mark.parametrize(
    ("key", "limit"),
    [(QuotaKey("", "hourly", "credits"), 1), (QuotaKey("", "daily", "apples"), 1), (DAILY, -1), (DAILY, "NaN")],
)
def test_a_limit_that_makes_no_sense_is_refused(alice: Account, key: QuotaKey, limit: object) -> None:
    with pytest.raises(refusals.InvalidField):
        quotas.set_quota(account=alice.pk, key=key, limit=Decimal(str(limit)))


def test_a_quota_that_is_not_there_cannot_be_reset(alice: Account) -> None:
    with pytest.raises(quotas.UnknownQuota):
        quotas.reset_quota(account=alice.pk, key=DAILY)
