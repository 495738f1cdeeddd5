"""Plans and their versions: added, never changed, and whom they reach."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from credits import refusals as ledger
from credits.models import Account, Allowance
from credits.services.allowances import Limit
from credits.services.locks import read_account
from subscriptions import checks, queries, refusals
from subscriptions.models import CreditMonth, Plan, PlanVersion, Subscription, SubscriptionChange
from subscriptions.services import plans as services
from subscriptions.services.settling import settle_due_subscriptions
from tests.books import audit
from tests.factories import make_account, spend
from tests.subscriptions.factories import (
    WHO,
    add_version,
    at,
    balance,
    cancel,
    downgrade,
    limit,
    make_plan,
    subscribe,
    upgrade,
    verb,
)


class TestAPlan:
    @pytest.mark.parametrize("code", ["", "pro", "A B", "X" * 51, "-A", "PRO\n"])
    def test_has_a_code(self, database: None, code: str) -> None:
        with pytest.raises(ledger.InvalidField):
            services.add_plan(code=code, name="?", rank=1)

    def test_is_the_default_or_another_is(self, plans: None) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            services.add_plan(code="FREEDOM", name="Freedom", rank=0, is_default=True)

    def test_that_is_withdrawn_stays_with_who_has_it(self, ada: Account) -> None:
        subscribe(ada, "PRO", "01-01")
        services.change_plan(code="PRO", name="Professional", active=False)

        assert balance(ada, "02-01") == 1000
        with pytest.raises(refusals.PlanNotOffered):
            subscribe(make_account(external_id="late", at=at("01-01")), "PRO", "01-02")
        assert Plan.objects.get(pk="PRO").name == "Professional"

    def test_the_default_one_is_offered_always(self, plans: None) -> None:
        with pytest.raises(ledger.InvalidField):
            services.change_plan(code="FREE", active=False)
        with pytest.raises(refusals.UnknownPlan):
            services.change_plan(code="GOLD", active=False)

    def test_without_a_version_is_not_offered(self, ada: Account) -> None:
        services.add_plan(code="SOON", name="Soon", rank=7)

        with pytest.raises(refusals.PlanNotOffered):
            subscribe(ada, "SOON", "01-02")


class TestAVersion:
    @pytest.mark.parametrize(
        ("terms", "field"),
        [
            ({"monthly_credits": -1}, "monthly_credits"),
            ({"monthly_credits": "0.5"}, "monthly_credits"),
            ({"monthly_credits": "NaN"}, "monthly_credits"),
            ({"rollover_cap": -1}, "rollover_cap"),
            ({"trial_days": -1}, "trial_days"),
            ({"grace_days": 10_000}, "grace_days"),
            ({"price_minor": -1}, "price_minor"),
            ({"currency": "usd"}, "currency"),
            ({"interval": "week"}, "interval"),
            ({"quotas_follow": "moon"}, "quotas_follow"),
            ({"trial_credits": 5}, "trial_credits"),
            ({"unit": "gold"}, "unit"),
            ({"unit": "USD"}, "unit"),
            ({"features": ("time-travel",)}, "features"),
            ({"limits": (Limit("ml-analysis", "hourly", Decimal(1)),)}, "limits"),
        ],
    )
    def test_that_makes_no_sense_is_refused(self, plans: None, terms: dict[str, Any], field: str) -> None:
        with pytest.raises(ledger.InvalidField) as refused:
            add_version("PRO", **terms)
        assert (refused.value.field, PlanVersion.objects.filter(plan="PRO").count()) == (field, 1)

    @pytest.mark.parametrize("terms", [{"monthly_credits": 5}, {"price_minor": 5}, {"trial_days": 5}])
    def test_of_the_default_plan_has_no_subscription(self, plans: None, terms: dict[str, Any]) -> None:
        with pytest.raises(ledger.InvalidField):
            add_version("FREE", move_existing=True, **terms)

    def test_of_the_default_plan_holds_for_all_at_once_and_says_so(self, ada: Account) -> None:
        more = (Limit("ml-analysis", "daily", Decimal(3), "quantity"),)
        with pytest.raises(ledger.InvalidField, match="for all at once"):
            add_version("FREE", limits=more)
        assert services.preview_plan_version(plan="FREE").at_once == 1

        add_version("FREE", limits=more, move_existing=True)

        assert limit(ada, "01-02") == 3
        assert Allowance.objects.get(is_default=True).pk == "FREE v2"

    def test_tells_whom_it_would_reach(self, ada: Account) -> None:
        make_plan("BASIC", 5, monthly_credits=100)
        row = subscribe(ada, "PRO", "01-05")
        others = [make_account(external_id=name, at=at("01-01")) for name in ("ending", "lowering", "gone", "early")]
        cancel(subscribe(others[0], "PRO", "01-05"), "01-06")
        downgrade(subscribe(others[1], "PRO", "01-05"), "BASIC", "01-06")
        cancel(subscribe(others[2], "PRO", "01-05"), "01-06", at_period_end=False)
        early = subscribe(others[3], "PRO", "01-02")

        touched = services.preview_plan_version(plan="PRO")

        assert (touched.moves, touched.stay, touched.at_once) == ([early, row], 2, 0)
        version = add_version("PRO", monthly_credits=2000, move_existing=True, now=at("01-07"))
        moving = Subscription.objects.filter(next_version=version)
        assert set(moving) == {early, row}
        assert services.move_subscriptions(version=version.pk, cause=WHO, at=at("01-08")) == 0

    def test_takes_the_place_of_one_that_waited(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-05")
        add_version("PRO", monthly_credits=2000, move_existing=True, now=at("01-07"))

        add_version("PRO", monthly_credits=3000, move_existing=True, now=at("01-08"))

        row.refresh_from_db()
        assert row.next_version is not None
        assert row.next_version.number == 3
        assert (balance(ada, "01-31"), balance(ada, "02-05")) == (1000, 3000)

    def test_without_credits_has_no_standing_order(self, ada: Account) -> None:
        make_plan("SEAT", 5, price_minor=500)
        row = subscribe(ada, "SEAT", "01-01")
        assert (row.allotment, balance(ada, "01-01")) == (None, 0)

        row = upgrade(row, "PRO", "01-16 12:00")

        assert balance(ada, "01-16 12:00") == 500
        downgrade(row, "SEAT", "01-20")
        assert balance(ada, "02-01") == 0

    def test_lets_monthly_quotas_follow_the_subscription(self, ada: Account) -> None:
        monthly = (Limit("ml-analysis", "monthly", Decimal(5), "quantity"),)
        make_plan("ROLLING", 5, monthly_credits=10, limits=monthly, quotas_follow="subscription")
        subscribe(ada, "ROLLING", "01-20")

        standing = queries.quotas_of(read_account(ada.pk, at=at("01-21")))[0]

        assert (standing.count.window_start, standing.count.resets_at) == (at("01-20"), at("02-20"))

    @pytest.mark.parametrize("settles", [True, False], ids=["with a clock", "without one"])
    def test_lets_them_follow_the_calendar_again_after_it(self, ada: Account, settles: bool) -> None:
        limits = (Limit("", "monthly", Decimal(50)),)
        add_version("FREE", limits=limits, move_existing=True)
        make_plan("TEAM", 15, monthly_credits=100, limits=limits, quotas_follow="subscription")
        row = subscribe(ada, "TEAM", "01-10")
        spend(ada, 10, at=at("01-11"))
        cancel(row, "01-12")
        if settles:
            settle_due_subscriptions(at=at("02-10"))

        sheet = read_account(ada.pk, at=at("02-20"))

        assert [count.resets_at for count in sheet.quotas.values()] == [at("03-01")]


class TestTheDatabase:
    @pytest.mark.parametrize("model", [PlanVersion, SubscriptionChange])
    def test_keeps_what_was_written_once(self, ada: Account, model: Any) -> None:
        subscribe(ada, "PRO", "01-01")
        with pytest.raises(DatabaseError), transaction.atomic():
            model.objects.update(id=99)
        with pytest.raises(DatabaseError), transaction.atomic():
            model.objects.all()._raw_delete("default")

    @pytest.mark.parametrize("model", [Plan, Subscription, CreditMonth])
    def test_deletes_nothing(self, ada: Account, model: Any) -> None:
        upgrade(subscribe(ada, "PRO", "01-01"), "PREMIUM", "01-02")

        with pytest.raises(DatabaseError), transaction.atomic():
            model.objects.all()._raw_delete("default")
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {model._meta.db_table} CASCADE")

    def test_has_one_live_subscription_an_account(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")
        row.pk = "019a9f10-5c00-7000-8000-000000000201"

        with pytest.raises(IntegrityError), transaction.atomic():
            row.save(force_insert=True)

    def test_has_no_half_states(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")
        for wrong in (
            {"status": "canceled"},
            {"status": "past_due"},
            {"status": "paused"},
            {"current_period_end": at("01-01")},
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                Subscription.objects.filter(pk=row.pk).update(**wrong)


class TestTheAudit:
    """Each check finds what it is for."""

    def test_finds_an_account_on_another_allowance(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")
        for spoilt in ({"allowance_id": None}, {"allowance_ends_at": at("03-01")}, {"next_allowance_id": "FREE v1"}):
            with undone():
                Account.objects.filter(pk=ada.pk).update(**spoilt)
                assert checks.ACCESS.offenders()
        verb("pause", row, "01-02")
        assert not checks.ACCESS.offenders()

    def test_finds_credits_to_come_that_nobody_subscribed_to(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")
        with undone():
            Subscription.objects.filter(pk=row.pk).update(allotment=None)
            assert len(checks.ORDERS.offenders()) == 2

    def test_finds_a_grant_without_a_change(self, ada: Account) -> None:
        row = upgrade(subscribe(ada, "PRO", "01-01"), "PREMIUM", "01-02")
        with undone():
            SubscriptionChange.objects.create(
                subscription=row, verb="upgrade", at=at("01-02"), from_status="active", to_status="active",
                from_version=row.plan_version, to_version=row.plan_version, actor_kind="system",
                metadata={"credits": "5"}, recorded_at=at("01-02"),
            )  # fmt: skip
            assert checks.GRANTS.offenders()
        with undone():
            CreditMonth.objects.update(granted=1)
            assert checks.GRANTS.offenders()

    def test_finds_a_state_without_a_history(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")
        with undone():
            Subscription.objects.filter(pk=row.pk).update(status="paused", paused_at=at("01-02"))
            assert checks.HISTORY.offenders()

    def test_asks_them_with_the_books(self, ada: Account) -> None:
        subscribe(ada, "PRO", "01-01")
        with undone():
            Account.objects.filter(pk=ada.pk).update(allowance=None)
            assert list(audit()) == ["subscription access"]


class undone:  # noqa: N801  # reads as a word
    """Undo what is done within."""

    def __enter__(self) -> None:
        self.before = transaction.savepoint()

    def __exit__(self, *_: object) -> None:
        transaction.savepoint_rollback(self.before)
