"""Month by month: what subscribers have, with every balance written out. January has 31 days, February 2026 has 28."""

from __future__ import annotations

import pytest

from credits.models import Account
from credits.services.locks import read_account
from subscriptions import queries, refusals
from subscriptions.models import Subscription, SubscriptionChange
from subscriptions.services.settling import settle_due_subscriptions, settle_subscription
from tests.factories import make_account, spend
from tests.subscriptions.factories import (
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


def standing(account: Account, moment: str) -> tuple[str | None, str]:
    """Return the plan and the status that an account reads as."""
    now = queries.current_subscription(account.pk, at=at(moment))
    return (now.version.plan_id if now.version else None), now.status


def verbs(row: Subscription) -> list[str]:
    return list(SubscriptionChange.objects.filter(subscription=row).order_by("pk").values_list("verb", flat=True))


class TestAMonthOfPro:
    def test_brings_its_credits_and_takes_what_is_left_of_them(self, ada: Account) -> None:
        assert (standing(ada, "01-01"), balance(ada, "01-01"), limit(ada, "01-01")) == (("FREE", "active"), 0, 2)

        row = subscribe(ada, "PRO", "01-10")

        assert (balance(ada, "01-10"), limit(ada, "01-10")) == (1000, 5)
        spend(ada, 300, at=at("01-20"))
        assert balance(ada, "02-09 23:59") == 700
        assert balance(ada, "02-10") == 1000
        assert standing(ada, "02-10") == ("PRO", "active")
        row = settle_subscription(subscription=row.pk, at=at("02-10"))
        assert (row.current_period_start, row.current_period_end) == (at("02-10"), at("03-10"))

    def test_from_day_31_does_not_drift(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-31 12:00")
        ends = []
        for moment in ("01-31 12:00", "02-28 12:00", "03-31 12:00", "04-30 12:00", "05-31 12:00"):
            row = settle_subscription(subscription=row.pk, at=at(moment))
            ends.append(row.current_period_end)
            assert balance(ada, moment) == 1000

        assert ends == [at(day) for day in ("02-28 12:00", "03-31 12:00", "04-30 12:00", "05-31 12:00", "06-30 12:00")]

    def test_follows_the_accounts_own_clocks(self, plans: None) -> None:
        account = make_account(external_id="bob", time_zone="Europe/Berlin", at=at("01-01"))
        row = subscribe(account, "PRO", "03-01 23:30")

        row = settle_subscription(subscription=row.pk, at=at("04-15"))

        # Half past midnight on the 2nd, in winter and in summer.
        assert (row.current_period_start, row.current_period_end) == (at("04-01 22:30"), at("05-01 22:30"))

    def test_of_three_without_any_touch_is_caught_up_at_once(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-10")
        spend(ada, 1000, at=at("01-11"))

        assert balance(ada, "04-11") == 1000
        assert settle_due_subscriptions(at=at("04-11")) == 1
        assert settle_due_subscriptions(at=at("04-11")) == 0
        row.refresh_from_db()
        assert row.current_period_end == at("05-10")
        assert verbs(row) == ["subscribe", "renew", "renew", "renew"]
        assert [each.at for each in row.changes.order_by("pk")] == [at("01-10"), at("02-10"), at("03-10"), at("04-10")]


class TestAnUpgrade:
    def test_within_a_month_brings_the_difference_for_the_rest_of_it(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")
        spend(ada, 400, at=at("01-05"))

        row = upgrade(row, "PREMIUM", "01-16 12:00")

        # 9,000 more a month for half of January.
        assert balance(ada, "01-16 12:00") == 600 + 4500
        assert (limit(ada, "01-16 12:00"), standing(ada, "01-16 12:00")) == (50, ("PREMIUM", "active"))
        assert row.changes.latest("pk").metadata["credits"] == "4500"
        # The 600 of PRO end with January; those of PREMIUM roll over, 5,000 at most.
        assert balance(ada, "02-01") == 4500 + 10_000
        assert balance(ada, "03-01") == 5000 + 10_000

    def test_is_rounded_up_to_a_credit(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")

        upgrade(row, "PREMIUM", "01-02")

        assert balance(ada, "01-02") == 1000 + 8710  # 9000 × 30 ÷ 31 = 8709.68

    def test_keeps_what_was_used_of_quotas(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")
        for _ in range(5):
            spend(ada, 1, feature="ml-analysis", at=at("01-02 10:00"))

        upgrade(row, "PREMIUM", "01-02 10:01")

        count = queries.quotas_of(read_account(ada.pk, at=at("01-02 10:02")))[0].count
        assert (count.plan_limit, count.used) == (50, 5)

    def test_and_down_and_up_again_grants_once(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")
        for day in range(2, 20):
            upgrade(row, "PREMIUM", f"01-{day:02}")
            assert balance(ada, f"01-{day:02}") == 9710
            downgrade(row, "PRO", f"01-{day:02} 00:00", at_once=True)
            assert balance(ada, f"01-{day:02}") == 9710

        assert limit(ada, "01-20") == 5
        assert balance(ada, "02-01") == 1000 + 8710  # what PREMIUM brought does not end with the month

    def test_takes_back_what_was_scheduled(self, ada: Account) -> None:
        make_plan("BASIC", 5, monthly_credits=100)
        row = subscribe(ada, "PRO", "01-01")
        downgrade(row, "BASIC", "01-10")

        row = upgrade(row, "PREMIUM", "01-10")

        assert (row.next_version, row.next_allotment) == (None, None)
        assert balance(ada, "01-10") == 1000 + 6388  # 9000 × 22 ÷ 31 = 6387.1
        assert balance(ada, "02-01") == 5000 + 10_000

    def test_to_another_interval_begins_a_period_now(self, ada: Account) -> None:
        make_plan("PREMIUM-YEAR", 20, interval="year", monthly_credits=10_000)
        row = subscribe(ada, "PRO", "01-01")

        row = upgrade(row, "PREMIUM-YEAR", "01-16 12:00")

        assert (row.anchor, row.current_period_end.date().isoformat()) == (at("01-16 12:00"), "2027-01-16")
        # 500 of PRO's 1,000 are meant for the rest of January.
        assert balance(ada, "01-16 12:00") == 1000 + 9500
        assert balance(ada, "02-01") == 9500
        assert balance(ada, "02-16 12:00") == 10_000

    @pytest.mark.parametrize(("plan", "refusal"), [("PRO", refusals.SamePlan), ("NONE", refusals.UnknownPlan)])
    def test_that_is_none_is_refused(self, ada: Account, plan: str, refusal: type[Exception]) -> None:
        row = subscribe(ada, "PRO", "01-01")

        with pytest.raises(refusal):
            upgrade(row, plan, "01-02")

    def test_to_a_lower_plan_is_refused_and_the_other_way_round(self, ada: Account) -> None:
        make_plan("BASIC", 5, monthly_credits=100)
        row = subscribe(ada, "PRO", "01-01")

        with pytest.raises(refusals.NotAnUpgrade):
            upgrade(row, "BASIC", "01-02")
        with pytest.raises(refusals.NotADowngrade):
            downgrade(row, "PREMIUM", "01-02")


class TestADowngrade:
    def test_comes_with_the_next_period(self, ada: Account) -> None:
        row = subscribe(ada, "PREMIUM", "01-01")
        spend(ada, 9000, at=at("01-02"))

        row = downgrade(row, "PRO", "01-10")

        assert (row.plan_version.plan_id, row.next_version and row.next_version.plan_id) == ("PREMIUM", "PRO")
        assert (balance(ada, "01-31"), limit(ada, "01-31 23:59")) == (1000, 50)
        # Whether or not anything ran: PREMIUM's 1,000 that are left have no end.
        assert (balance(ada, "02-01"), limit(ada, "02-01")) == (1000 + 1000, 5)
        assert standing(ada, "02-01") == ("PRO", "active")
        settle_due_subscriptions(at=at("02-03"))
        row.refresh_from_db()
        assert (row.plan_version.plan_id, row.next_version, row.next_allotment) == ("PRO", None, None)
        assert balance(ada, "03-01") == 1000 + 1000

    def test_at_once_leaves_the_credits(self, ada: Account) -> None:
        row = subscribe(ada, "PREMIUM", "01-01")

        downgrade(row, "PRO", "01-10", at_once=True)

        assert (balance(ada, "01-10"), limit(ada, "01-10")) == (10_000, 5)
        assert balance(ada, "02-01") == 10_000 + 1000

    def test_can_be_taken_back(self, ada: Account) -> None:
        row = subscribe(ada, "PREMIUM", "01-01")
        downgrade(row, "PRO", "01-10")

        verb("resume", row, "01-20")

        assert (balance(ada, "02-01"), limit(ada, "02-01")) == (5000 + 10_000, 50)

    def test_to_the_default_plan_is_to_cancel(self, ada: Account) -> None:
        row = downgrade(subscribe(ada, "PRO", "01-01"), "FREE", "01-10")

        assert row.cancel_at_period_end
        assert standing(ada, "02-01") == ("FREE", "active")


class TestACancellation:
    def test_comes_with_the_end_of_the_period(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")

        cancel(row, "01-10")
        cancel(row, "01-11")

        assert (balance(ada, "01-31"), limit(ada, "01-31")) == (1000, 5)
        assert (balance(ada, "02-01"), limit(ada, "02-01"), standing(ada, "02-01")) == (0, 2, ("FREE", "active"))
        settle_due_subscriptions(at=at("02-05"))
        row.refresh_from_db()
        assert (row.status, row.ended_at, row.next_due_at) == ("canceled", at("02-01"), None)
        assert verbs(row) == ["subscribe", "cancel", "end"]

    def test_can_be_thought_better_of(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")
        cancel(row, "01-10")

        verb("resume", row, "01-31 23:59")

        assert (balance(ada, "02-01"), standing(ada, "02-01")) == (1000, ("PRO", "active"))
        with pytest.raises(refusals.NothingToResume):
            verb("resume", row, "02-02")

    def test_at_once_leaves_the_credits_until_they_expire(self, ada: Account) -> None:
        row = cancel(subscribe(ada, "PRO", "01-01"), "01-10", at_period_end=False)

        assert (row.status, limit(ada, "01-10"), balance(ada, "01-31"), balance(ada, "02-01")) == (
            "canceled",
            2,
            1000,
            0,
        )
        with pytest.raises(refusals.SubscriptionEnded):
            verb("resume", row, "01-11")

    def test_and_another_subscription_grants_the_same_time_once(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")
        total = 1000
        for moment, brings in (("01-16 12:00", 500), ("01-16 12:00", 0), ("01-17", 17)):
            cancel(row, moment, at_period_end=False)
            row = subscribe(ada, "PRO", moment)
            total += brings
            assert balance(ada, moment) == total, moment

    @pytest.mark.parametrize(
        ("at_period_end", "moment", "brings"), [(False, "01-04", 97), (True, "01-16 12:00", 500), (True, "02-01", 1000)]
    )
    def test_and_a_trial_between_hides_nothing_of_it(
        self, ada: Account, at_period_end: bool, moment: str, brings: int
    ) -> None:
        cancel(subscribe(ada, "PRO", "01-01"), "01-02", at_period_end=False)
        row = subscribe(ada, "PRO", "01-02 12:00", trial=True)
        cancel(row, "01-03", at_period_end=at_period_end)
        before = balance(ada, moment)

        subscribe(ada, "PRO", moment)

        assert balance(ada, moment) == before + brings

    def test_after_an_upgrade_counts_what_that_brought(self, ada: Account) -> None:
        row = upgrade(subscribe(ada, "PRO", "01-01"), "PREMIUM", "01-16 12:00")
        downgrade(row, "PRO", "01-16 12:00", at_once=True)
        cancel(row, "01-16 12:00", at_period_end=False)

        subscribe(ada, "PREMIUM", "01-16 12:00")

        # 5,000 of what was granted were meant for the second half of January.
        assert balance(ada, "01-16 12:00") == 1000 + 4500 + 5000


class TestAPaymentThatFails:
    def test_leaves_access_for_the_days_of_grace(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")

        verb("mark_past_due", row, "01-28")
        row = verb("mark_past_due", row, "01-29")

        assert (row.status, row.grace_ends_at) == ("past_due", at("02-04"))
        # February's credits wait for the payment.
        assert (balance(ada, "02-01"), limit(ada, "02-03 23:59"), standing(ada, "02-03")) == (0, 5, ("PRO", "past_due"))
        assert (limit(ada, "02-04"), standing(ada, "02-04")) == (2, ("FREE", "active"))
        settle_due_subscriptions(at=at("02-10"))
        row.refresh_from_db()
        assert (row.status, row.ended_at) == ("canceled", at("02-04"))
        assert balance(ada, "03-01") == 0

    def test_and_is_made_good_brings_what_waited(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")
        verb("mark_past_due", row, "01-28")

        row = verb("mark_paid", row, "02-02")

        assert (row.status, balance(ada, "02-02"), balance(ada, "03-01")) == ("active", 1000, 1000)
        assert verb("mark_paid", row, "02-03").status == "active"

    def test_too_late_is_refused(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")
        verb("mark_past_due", row, "01-28")

        with pytest.raises(refusals.SubscriptionEnded):
            verb("mark_paid", row, "02-04")

    def test_ends_it_at_once_without_grace(self, ada: Account) -> None:
        make_plan("CASH", 5, monthly_credits=100)

        assert verb("mark_past_due", subscribe(ada, "CASH", "01-01"), "01-02").status == "canceled"

    def test_lets_a_scheduled_change_wait(self, ada: Account) -> None:
        row = subscribe(ada, "PREMIUM", "01-01")
        downgrade(row, "PRO", "01-10")
        verb("mark_past_due", row, "01-28")

        assert (balance(ada, "02-02"), limit(ada, "02-02")) == (10_000, 50)
        row = verb("mark_paid", row, "02-03")
        assert (balance(ada, "02-03"), row.plan_version.plan_id) == (5000 + 10_000, "PREMIUM")
        assert (balance(ada, "03-01"), limit(ada, "03-01"), standing(ada, "03-01")) == (16_000, 5, ("PRO", "active"))

    def test_refuses_other_changes(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")
        verb("mark_past_due", row, "01-10")

        with pytest.raises(refusals.NotNow):
            upgrade(row, "PREMIUM", "01-11")
        with pytest.raises(refusals.NotNow):
            verb("pause", row, "01-11")
        assert cancel(row, "01-11").cancel_at_period_end
        assert cancel(row, "01-12", at_period_end=False).status == "canceled"


class TestAPause:
    def test_within_the_period_changes_nothing_of_it(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")

        verb("pause", row, "01-10")
        verb("pause", row, "01-11")
        assert (limit(ada, "01-11"), balance(ada, "01-11"), standing(ada, "01-11")) == (2, 1000, ("PRO", "paused"))
        row = verb("resume", row, "01-20")

        assert (limit(ada, "01-20"), balance(ada, "01-20"), balance(ada, "02-01")) == (5, 1000, 1000)
        assert row.current_period_end == at("02-01")

    def test_beyond_the_period_brings_nothing_until_it_is_over(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")
        verb("pause", row, "01-10")

        assert (balance(ada, "02-01"), balance(ada, "04-10")) == (0, 0)
        row = verb("resume", row, "04-10")

        assert (balance(ada, "04-10"), row.current_period_start, row.current_period_end) == (
            1000,
            at("04-10"),
            at("05-10"),
        )

    def test_within_a_year_brings_the_months_that_began_meanwhile(self, ada: Account) -> None:
        make_plan("YEAR", 30, monthly_credits=100, interval="year", rollover_cap=1000)
        row = subscribe(ada, "YEAR", "01-01")
        verb("pause", row, "01-15")
        assert balance(ada, "04-10") == 100

        verb("resume", row, "04-10")

        assert balance(ada, "04-10") == 400

    def test_keeps_a_cancellation(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")
        cancel(row, "01-05")
        verb("pause", row, "01-10")

        assert standing(ada, "02-01") == ("FREE", "active")
        assert settle_subscription(subscription=row.pk, at=at("02-02")).ended_at == at("02-01")

    def test_takes_a_scheduled_change_up_again(self, ada: Account) -> None:
        row = subscribe(ada, "PREMIUM", "01-01")
        downgrade(row, "PRO", "01-05")
        verb("pause", row, "01-10")
        row = verb("resume", row, "01-20")
        assert balance(ada, "02-01") == 10_000 + 1000
        verb("pause", row, "02-10")
        with pytest.raises(refusals.NotNow):
            upgrade(row, "PREMIUM", "02-11")

        row = verb("resume", row, "03-10")

        assert (row.plan_version.plan_id, balance(ada, "03-10")) == ("PRO", 10_000 + 1000)


class TestATrial:
    def test_brings_its_credits_and_then_the_plans(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01", trial=True)

        assert (row.status, row.current_period_end, balance(ada, "01-01"), limit(ada, "01-01")) == (
            "trialing", at("01-15"), 100, 5,
        )  # fmt: skip
        spend(ada, 30, at=at("01-02"))
        assert balance(ada, "01-14 23:59") == 70
        assert (balance(ada, "01-15"), standing(ada, "01-15")) == (1000, ("PRO", "active"))
        assert balance(ada, "02-15") == 1000
        row = settle_subscription(subscription=row.pk, at=at("02-15"))
        assert (row.anchor, row.current_period_end, verbs(row)) == (
            at("01-15"), at("03-15"), ["subscribe", "activate", "renew"],
        )  # fmt: skip

    def test_that_is_canceled_brings_nothing_more(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01", trial=True)

        cancel(row, "01-10")

        assert (limit(ada, "01-14"), balance(ada, "01-14")) == (5, 100)
        assert (limit(ada, "01-15"), balance(ada, "01-15"), standing(ada, "01-15")) == (2, 0, ("FREE", "active"))

    def test_is_had_once(self, ada: Account) -> None:
        cancel(subscribe(ada, "PRO", "01-01", trial=True), "01-02", at_period_end=False)

        with pytest.raises(refusals.TrialUsed):
            subscribe(ada, "PRO", "01-03", trial=True)
        assert subscribe(ada, "PRO", "01-03").status == "active"

    def test_of_a_plan_without_one_is_refused(self, ada: Account) -> None:
        with pytest.raises(refusals.TrialNotOffered):
            subscribe(ada, "PREMIUM", "01-01", trial=True)

    def test_ends_with_an_upgrade_to_a_plan_without_one(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01", trial=True)

        row = upgrade(row, "PREMIUM", "01-05")

        assert (row.status, balance(ada, "01-05"), balance(ada, "01-15")) == ("active", 10_100, 10_000)

    def test_goes_on_with_an_upgrade_to_a_plan_that_has_one(self, ada: Account) -> None:
        make_plan("TEAM", 15, monthly_credits=3000, trial_days=30, trial_credits=500)
        row = subscribe(ada, "PRO", "01-01", trial=True)

        row = upgrade(row, "TEAM", "01-05")

        assert (row.status, row.trial_ends_at, balance(ada, "01-05")) == ("trialing", at("01-15"), 100)
        assert balance(ada, "01-15") == 3000

    def test_can_be_downgraded_with_its_end(self, ada: Account) -> None:
        make_plan("BASIC", 5, monthly_credits=100)
        row = downgrade(subscribe(ada, "PRO", "01-01", trial=True), "BASIC", "01-05")

        assert (balance(ada, "01-15"), standing(ada, "01-15")) == (100, ("BASIC", "active"))
        assert settle_subscription(subscription=row.pk, at=at("01-16")).plan_version.plan_id == "BASIC"
        with pytest.raises(refusals.NotNow):
            verb("pause", subscribe(make_account(external_id="eve", at=at("01-01")), trial=True), "01-02")


class TestANewVersion:
    def test_is_for_new_subscribers_alone(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-01")
        add_version("PRO", monthly_credits=2000, now=at("01-10"))
        late = make_account(external_id="late", at=at("01-01"))

        subscribe(late, "PRO", "01-11")

        assert (balance(late, "01-11"), balance(ada, "01-11"), balance(ada, "02-01")) == (2000, 1000, 1000)
        assert settle_subscription(subscription=row.pk, at=at("02-01")).plan_version.number == 1

    def test_takes_existing_ones_over_with_their_next_period(self, ada: Account) -> None:
        row = subscribe(ada, "PRO", "01-05")
        leaving = make_account(external_id="leaving", at=at("01-01"))
        cancel(subscribe(leaving, "PRO", "01-05"), "01-06")

        version = add_version("PRO", monthly_credits=2000, now=at("01-10"), move_existing=True)

        row.refresh_from_db()
        assert (row.plan_version.number, row.next_version) == (1, version)
        assert (balance(ada, "01-10"), balance(ada, "02-05")) == (1000, 2000)
        assert balance(leaving, "02-05") == 0
        assert settle_subscription(subscription=row.pk, at=at("02-06")).plan_version == version
