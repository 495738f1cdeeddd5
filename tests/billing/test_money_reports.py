"""Money by month, what of it is earned, and what is yet to be delivered."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.models import Dispute, Invoice, Payment, PaymentCredit, Refund
from credits.models import Account, GrantCategory
from credits.services import clock, overview
from credits.services.corrections import refund_transaction, reverse_transaction
from credits.services.expiry import settle_account
from credits.services.holds import capture_hold
from credits.services.movements import adjust_balance
from credits.services.transfers import transfer_credits
from tests.admin.conftest import Desk, text
from tests.billing.till import Till
from tests.factories import give, hold, make_account, memo, spend
from tests.subscriptions.factories import at as moment

YEAR = "since=2026-01-01&until=2026-12-31"
EVER = "since=2000-01-01&until=2099-12-31"


def saved(desk: Desk, name: str, days: str = YEAR) -> list[dict[str, str]]:
    answer = desk.get(f"reports/{name}/?{days}&format=csv")
    body = b"".join(answer.streaming_content).decode().replace(" (minor units)", "")
    return list(csv.DictReader(io.StringIO(body)))


def figures(row: dict[str, str], *titles: str) -> list[int]:
    return [int(row[title]) for title in titles]


def paid(account: Account, minor: int, at: datetime, *, currency: str = "USD", **more: Any) -> Payment:
    """Write down a payment as the provider would have told it."""
    common = {
        "account": account, "amount_minor": minor, "currency": currency, "livemode": False, "occurred_at": at,
        "updated_at": at,
    }  # fmt: skip
    covers = more.pop("covers", None)
    if covers:
        more["invoice"] = Invoice.objects.create(
            **common, provider_id=f"in_{Invoice.objects.count()}", status="paid", paid_minor=minor,
            subscription_reference=more.pop("of", "sub_1"), covers_from=covers[0], covers_until=covers[1],
        )  # fmt: skip
    more = {"provider_id": f"pi_{Payment.objects.count()}", "status": "succeeded"} | more
    return Payment.objects.create(**common, **more)


@pytest.fixture
def dave(database: None) -> Desk:
    """The superuser."""
    return Desk("dave", superuser=True)


@pytest.fixture
def shop(database: None) -> Account:
    return make_account(external_id="shop", at=moment("01-01"))


class TestWhatCameIn:
    def test_is_told_by_month_currency_and_what_for(self, dave: Desk, shop: Account) -> None:
        january = (moment("01-01"), moment("02-01"))
        paid(shop, 1000, moment("01-05"))
        paid(shop, 2900, moment("01-06"), covers=january)
        paid(shop, 500, moment("01-31 23:59"), currency="JPY")
        paid(shop, 1234, moment("02-01"), currency="KWD")
        paid(shop, 700, moment("01-07"), status="requires_payment_method")
        give(shop, 10, at=moment("01-08"), paid_currency="USD", paid_minor=300)

        told = {(row["Month"], row["Currency"]): row for row in saved(dave, "revenue")}

        assert figures(told["2026-01", "USD"], "Packs", "Plans", "Elsewhere", "Net") == [1000, 2900, 300, 4200]
        assert figures(told["2026-01", "JPY"], "Packs", "Net") == [500, 500]
        assert figures(told["2026-02", "KWD"], "Packs", "Net") == [1234, 1234]
        page = text(dave.get(f"reports/revenue/?{YEAR}"))
        assert all(f">{figure}<" in page for figure in ("29.00", "500", "1.234", "42.00"))

    def test_counts_what_a_payment_here_brought_once(self, dave: Desk, shop: Account) -> None:
        payment = paid(shop, 1000, moment("01-05"))
        brought = give(shop, 100, at=moment("01-05"), paid_currency="USD", paid_minor=1000)
        PaymentCredit.objects.create(payment=payment, movement_id=brought.id)

        [row] = saved(dave, "revenue")
        assert figures(row, "Packs", "Elsewhere", "Net") == [1000, 0, 1000]

    def test_goes_back_in_the_month_in_which_it_does(self, dave: Desk, shop: Account) -> None:
        payment = paid(shop, 1000, moment("01-05"), refunded_minor=400)
        lost = paid(shop, 2000, moment("01-06"), disputed_minor=2000)
        common = {"currency": "USD", "livemode": False, "updated_at": moment("02-01")}
        for name, minor, status in (("re_1", 400, "succeeded"), ("re_2", 500, "failed"), ("re_3", 1, "canceled")):
            Refund.objects.create(
                payment=payment, provider_id=name, amount_minor=minor, status=status, occurred_at=moment("02-03"),
                **common,
            )  # fmt: skip
        for name, minor, status in (("dp_1", 2000, "lost"), ("dp_2", 2000, "won")):
            Dispute.objects.create(
                payment=lost, provider_id=name, amount_minor=minor, status=status, occurred_at=moment("03-03"),
                **common,
            )  # fmt: skip

        rows = {row["Month"]: figures(row, "Refunded", "Lost in disputes", "Net") for row in saved(dave, "revenue")}
        assert rows == {"2026-01": [0, 0, 3000], "2026-02": [400, 0, -400], "2026-03": [0, 2000, -2000]}
        assert "−20.00" in text(dave.get(f"reports/revenue/?{YEAR}"))

    def test_of_tests_does_not_count_beside_real_money(self, dave: Desk, shop: Account) -> None:
        paid(shop, 1000, moment("01-05"))
        Payment.objects.create(
            account=shop, provider_id="pi_live", amount_minor=70, currency="USD", status="succeeded", livemode=True,
            occurred_at=moment("01-05"), updated_at=moment("01-05"),
        )  # fmt: skip

        [row] = saved(dave, "revenue")
        assert row["Packs"] == "70"


class TestWhatIsEarned:
    def test_of_a_pack_is_what_its_credits_were_used_for_and_what_lapsed(self, dave: Desk, shop: Account) -> None:
        lasting: dict[str, Any] = {"paid_currency": "USD", "paid_minor": 1000, "expires_at": moment("03-10")}
        give(shop, 100, at=moment("01-05"), **lasting)
        give(shop, 50, GrantCategory.PROMOTIONAL, at=moment("01-05"), priority=90)
        used = spend(shop, 30, at=moment("01-20"))
        spend(shop, 25, at=moment("02-20"))
        refund_transaction(transaction=used.id, amount=Decimal(10), memo=memo(), at=moment("02-21"))
        adjust_balance(account=shop.pk, delta=Decimal(-5), memo=memo(reason="fraud"), at=moment("02-22"))
        settle_account(account=shop.pk, at=moment("03-11"))

        rows = {row["Month"]: row for row in saved(dave, "earned")}
        assert figures(rows["2026-01"], "Credits used", "Credits lapsed", "Earned") == [300, 0, 300]
        assert figures(rows["2026-02"], "Credits used", "Otherwise gone") == [150, 50]
        assert figures(rows["2026-03"], "Credits used", "Credits lapsed", "Earned") == [0, 500, 500]
        revenue = {row["Month"]: figures(row, "Earned", "Breakage in it") for row in saved(dave, "revenue")}
        assert revenue == {"2026-01": [300, 0], "2026-02": [150, 0], "2026-03": [500, 500]}

    def test_closes_with_what_came_in_and_what_is_left(self, dave: Desk, shop: Account) -> None:
        """An overdraft that a pack covers was used; what repays debt is gone otherwise."""
        overdrawn = make_account(external_id="over", at=moment("01-01"), overdraft_limit=Decimal(40))
        spend(overdrawn, 30, at=moment("01-02"))
        give(overdrawn, 100, at=moment("01-03"), paid_currency="USD", paid_minor=1000)
        give(overdrawn, 7, at=moment("01-03"), paid_currency="USD", paid_minor=33)
        spend(overdrawn, 20, at=moment("01-04"))
        adjust_balance(account=shop.pk, delta=Decimal(-8), memo=memo(reason="fraud"), allow_debt=True,
                       at=moment("01-04"))  # fmt: skip
        give(shop, 10, at=moment("02-05"), paid_currency="USD", paid_minor=200)

        rows = saved(dave, "earned")
        gone = sum(sum(figures(row, "Credits used", "Credits lapsed", "Otherwise gone")) for row in rows)
        [left] = saved(dave, "deferred")
        assert gone + int(left["Bought and unspent"]) == 1000 + 33 + 200
        assert figures(rows[0], "Credits used", "Otherwise gone") == [500, 0]
        assert figures(rows[1], "Credits used", "Otherwise gone") == [0, 160]

    def test_of_a_top_up_that_is_reversed_was_never_paid(self, dave: Desk, shop: Account) -> None:
        wrong = give(shop, 100, at=moment("01-05"), paid_currency="USD", paid_minor=1000)
        reverse_transaction(transaction=wrong.id, memo=memo(), at=moment("01-06"))
        spent = give(shop, 50, at=moment("02-05"), paid_currency="USD", paid_minor=500)
        used = spend(shop, 20, at=moment("02-06"))
        reverse_transaction(transaction=used.id, memo=memo(), at=moment("02-07"))
        spend(shop, 30, at=moment("02-08"))
        reverse_transaction(transaction=spent.id, memo=memo(), allow_debt=True, at=moment("02-09"))

        rows = {row["Month"]: figures(row, "Elsewhere", "Net", "Earned") for row in saved(dave, "revenue")}
        assert rows == {"2026-01": [0, 0, 0], "2026-02": [0, 0, 300]}
        gone = {row["Month"]: figures(row, "Credits used", "Otherwise gone") for row in saved(dave, "earned")}
        assert gone == {"2026-01": [0, 0], "2026-02": [300, -300]}
        assert saved(dave, "deferred") == []

    def test_closes_whatever_happens_to_credits(self, till: Till, bob: Account, dave: Desk) -> None:
        """Bought, held and captured, transferred, given back, clawed back: each cent is told, once."""
        other = make_account(external_id="other")
        bought = till.buy(bob)
        till.deliver()
        give(bob, 40, paid_currency="USD", paid_minor=800, priority=1)
        reserved = hold(bob, 50)
        capture_hold(hold=reserved.id, amount=Decimal(45), memo=memo(), final=True)
        transfer_credits(source=bob.pk, target=other.pk, amount=Decimal(30), memo=memo())
        spend(other, 10)
        used = spend(bob, 20)
        refund_transaction(transaction=used.id, amount=Decimal(5), memo=memo())
        till.fake.refund(till.charge(bought), 400)
        till.deliver()
        spend(bob, 10)

        [money] = saved(dave, "revenue", EVER)
        [gone] = saved(dave, "earned", EVER)
        left = sum(figures(row, "Bought and unspent")[0] for row in saved(dave, "deferred"))
        assert figures(money, "Packs", "Elsewhere", "Refunded", "Net") == [1000, 800, 400, 1400]
        assert sum(figures(gone, "Credits used", "Credits lapsed", "Otherwise gone")) + left == 1800
        assert figures(gone, "Credits used", "Otherwise gone") == [1200, 400]

    def test_of_a_plan_is_the_days_that_went_by(self, dave: Desk, shop: Account) -> None:
        paid(shop, 36_500, moment("01-01"), covers=(moment("01-01"), moment("01-01") + timedelta(days=365)))

        rows = [figures(row, "Plans by time")[0] for row in saved(dave, "earned", "since=2026-01-11&until=2026-03-10")]

        assert rows == [2100, 2800, 1000]

    def test_of_a_plans_months_sums_to_what_was_kept(self, dave: Desk, shop: Account) -> None:
        covers = (moment("01-15 07:31"), moment("01-15 07:31") + timedelta(days=250))
        paid(shop, 10_001, moment("01-15"), covers=covers, refunded_minor=2000)

        months = [figures(row, "Plans by time")[0] for row in saved(dave, "earned")]
        assert len(months) == 9
        assert sum(months) == 8001

    def test_of_a_plan_is_no_more_than_has_gone_by(self, dave: Desk, shop: Account) -> None:
        now = clock.now()
        paid(shop, 1000, now, covers=(now - timedelta(days=1), now + timedelta(days=9)))

        rows = saved(dave, "earned", "since=2000-01-01&until=2990-01-01")
        assert sum(figures(row, "Plans by time")[0] for row in rows) == 100
        assert saved(dave, "earned", "since=2980-01-01&until=2990-01-01") == []


class TestWhatIsPaidAhead:
    def test_is_the_part_of_each_period_that_is_yet_to_come(self, dave: Desk, shop: Account) -> None:
        now = clock.now()
        day = timedelta(days=1)
        paid(shop, 3000, now, covers=(now - 10 * day, now + 20 * day))
        paid(shop, 1000, now, covers=(now - 10 * day, now + 30 * day), refunded_minor=200)
        paid(shop, 5000, now, covers=(now - 30 * day, now - day))
        paid(shop, 9000, now, covers=(now - day, now + day), uncredited="The account is closed.")
        paid(shop, 800, now, currency="JPY", covers=(now, now + 30 * day))
        give(shop, 100, paid_currency="USD", paid_minor=1500)
        spend(shop, 20)
        overview.sum_up()

        rows = {row["Currency"]: row for row in saved(dave, "deferred")}
        titles = ("Bought and unspent", "Subscriptions ahead", "Together", "To be given back")
        assert figures(rows["USD"], *titles) == [1200, 2600, 3800, 9000]
        assert figures(rows["JPY"], *titles) == [0, 800, 800, 0]

    def test_ends_with_a_subscription_that_is_ended_at_once(self, till: Till, bob: Account, dave: Desk) -> None:
        reference = till.subscribe(bob)
        till.deliver()
        [row] = saved(dave, "deferred")
        assert int(row["Subscriptions ahead"]) == pytest.approx(2900, abs=2)

        till.fake.cancel(reference)
        till.deliver()

        assert saved(dave, "deferred") == []
        assert sum(figures(row, "Plans by time")[0] for row in saved(dave, "earned", EVER)) == 2900

    def test_of_an_upgrade_is_the_rest_of_the_month_only(self, till: Till, bob: Account, dave: Desk) -> None:
        till.move(till.subscribe(bob), "PREMIUM")
        till.deliver()

        upgrade = Invoice.objects.get(billing_reason="subscription_update")
        first = Invoice.objects.exclude(pk=upgrade.pk).get()
        assert upgrade.period_ends_at is None
        assert upgrade.covers_until == first.covers_until == first.period_ends_at
        [row] = saved(dave, "deferred")
        assert int(row["Subscriptions ahead"]) == pytest.approx(9900, abs=3)

    def test_of_what_went_back_is_nothing(self, till: Till, bob: Account, dave: Desk) -> None:
        till.subscribe(bob)
        till.deliver()
        till.fake.refund(Payment.objects.get().charge_reference, 2900)
        till.deliver()

        assert saved(dave, "deferred") == []
        [row] = saved(dave, "revenue", EVER)
        assert figures(row, "Plans", "Refunded", "Net", "Earned") == [2900, 2900, 0, 0]

    def test_of_a_pack_is_what_is_unspent(self, till: Till, bob: Account, dave: Desk) -> None:
        till.buy(bob)
        till.deliver()
        spend(bob, 25)

        [row] = saved(dave, "deferred")
        assert figures(row, "Bought and unspent", "Together") == [750, 750]
        [row] = saved(dave, "revenue", EVER)
        assert figures(row, "Packs", "Elsewhere", "Net", "Earned") == [1000, 0, 1000, 250]

    def test_of_one_that_brought_nothing_is_to_be_given_back(self, till: Till, bob: Account, dave: Desk) -> None:
        checkout = till.open(bob)
        till.fake.store.get("cs", checkout.provider_id)["amount_total"] = 900
        till.fake.customer_pays(checkout.provider_id)
        till.deliver()

        [row] = saved(dave, "deferred")
        assert figures(row, "Bought and unspent", "To be given back") == [0, 900]


def test_who_sees_no_payments_sees_no_money(shop: Account) -> None:
    desk = Desk("lee", "view_transaction", "view_grant")

    seen = desk.get("reports/").context["reports"]
    assert set(seen) == {"trial-balance", "liability", "credits", "usage", "movements"}
    for name in ("revenue", "earned", "deferred"):
        assert desk.get(f"reports/{name}/").status_code == 403
