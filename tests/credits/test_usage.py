"""Use at a price: what it costs, which price is pinned, and what happens without one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest

from credits import refusals
from credits.models import Account, Transaction, UnpricedUsage
from credits.plan import Memo, Reservation, Usage
from credits.services import holds, prices, usage
from credits.services.corrections import refund_transaction
from tests.factories import TESTER, charge, make_account, memo, price, spend

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


class TestACharge:
    def test_costs_what_its_price_says_and_pins_it(self, alice: Account) -> None:
        pinned = price("ml-analysis", amount=7)

        movement = charge(alice, quantity=Decimal(3))

        assert (movement.amount, movement.balance_after) == (-7, 93)
        row = Transaction.objects.get(pk=movement.id)
        assert (row.price, row.feature, row.quantity, row.usage) == (pinned, "ml-analysis", 3, {"quantity": "3"})

    @pytest.mark.parametrize(
        ("scheme", "terms", "use", "costs"),
        [
            ("fixed", {"amount": "2.5"}, {}, "2.5"),
            ("per_unit", {"per": "0.000125"}, {"quantity": Decimal(1)}, "0.000125"),
            ("per_unit", {"per": "0.0000001"}, {"quantity": Decimal(1)}, "0.000001"),
            ("per_unit", {"per": "35"}, {"quantity": Decimal("0.012345678901")}, "0.432099"),
            (
                "tiered",
                {"tiers": [{"up_to": 10, "per": 2}, {"up_to": None, "per": 1}]},
                {"quantity": Decimal(10)},
                "20",
            ),
            (
                "tiered",
                {"tiers": [{"up_to": 10, "per": 2}, {"up_to": None, "per": 1}]},
                {"quantity": Decimal(25)},
                "35",
            ),
        ],
    )
    def test_of_a_feature(self, scheme: str, terms: dict, use: dict, costs: str, database: None) -> None:
        account = make_account(external_id="lab", unit="USD", balance=100)
        price("sandbox-run", scheme, unit="USD", **terms)

        assert charge(account, "sandbox-run", **use).amount == -Decimal(costs)

    @pytest.mark.parametrize(
        ("terms", "tokens", "costs"),
        [
            ({"input": 3, "output": 15}, {"input_tokens": 1_000_000}, "3"),
            ({"input": 3, "output": 15}, {"input_tokens": 1000, "output_tokens": 500}, "0.0105"),
            ({"input": 3, "output": 15, "cached_input": "0.3"}, {"cached_input_tokens": 10_000}, "0.003"),
            ({"input": 3, "output": 15}, {"cached_input_tokens": 10_000}, "0.03"),
            ({"input": 3, "output": 15}, {"reasoning_tokens": 1000}, "0.015"),
            ({"input": 3, "output": 15, "reasoning": 60}, {"reasoning_tokens": 1000, "output_tokens": 1}, "0.060015"),
            ({"input": 3, "output": 15}, {"input_tokens": 1}, "0.000003"),
        ],
    )
    def test_of_a_models_tokens(self, terms: dict, tokens: dict, costs: str, database: None) -> None:
        account = make_account(external_id="lab", unit="USD", balance=100)
        price("model:gpt-6", "tokens", unit="USD", **terms)

        movement = charge(account, "", model="gpt-6", **tokens)

        assert (movement.amount, movement.memo.feature) == (-Decimal(costs), "gpt-6")

    def test_of_long_figures_is_exact(self, database: None) -> None:
        account = make_account(external_id="lab", unit="USD", balance=10**12)
        price("sandbox-run", "per_unit", unit="USD", per=Decimal("100000.00000000001"))
        price("ml-analysis", "per_unit", unit="USD", per=10**12)

        # Exactly 10000000000.000002 and 1e-22 more, which 28 digits do not show.
        assert charge(account, "sandbox-run", quantity=Decimal("100000.00000000001")).amount == Decimal(
            "-10000000000.000003"
        )
        with pytest.raises(refusals.InvalidField) as refused:
            charge(account, "ml-analysis", quantity=Decimal(10**12))
        assert refused.value.field == "quantity"

    def test_is_rounded_up_to_the_unit_once(self, alice: Account) -> None:
        price("model:gpt-6", "tokens", input=1, output=1)

        assert charge(alice, "", model="gpt-6", input_tokens=1_000_001, output_tokens=1).amount == -2

    def test_is_made_once_for_a_trace_though_the_price_has_changed(self, alice: Account) -> None:
        price("ml-analysis", amount=7)
        first = charge(alice, trace="t-1")
        price("ml-analysis", amount=9)

        assert charge(alice, trace="t-1").id == first.id
        with pytest.raises(refusals.ReferenceConflict):
            charge(alice, trace="t-1", quantity=Decimal(2))

    def test_takes_the_price_in_force_at_its_moment(self, database: None) -> None:
        account = make_account(external_id="lab", balance=100, at=NOW)
        price("ml-analysis", amount=1, at=NOW)
        price("ml-analysis", amount=2, at=NOW, effective_at=NOW + timedelta(hours=1))

        amounts = [charge(account, at=NOW + timedelta(minutes=minutes)).amount for minutes in (59, 60)]

        assert amounts == [-1, -2]

    @pytest.mark.parametrize(
        "use",
        [
            {"quantity": Decimal(0)},
            {"quantity": Decimal(-1)},
            {"quantity": Decimal("NaN")},
            {"quantity": Decimal("1e-13")},
            {"quantity": Decimal("1e40")},
            {"input_tokens": -5},
            {"input_tokens": 10**13},
        ],
    )
    def test_of_nothing_is_refused(self, alice: Account, use: dict) -> None:
        price("ml-analysis", "per_unit", per=1)

        with pytest.raises(refusals.InvalidField):
            charge(alice, **use)


class TestAPrice:
    @pytest.mark.parametrize("amount", [0, -1, "NaN", "Infinity", "abc", True, None, "1e400", "1e-20"])
    def test_of_nothing_or_less_is_refused(self, database: None, amount: object) -> None:
        with pytest.raises(refusals.InvalidField):
            price("ml-analysis", amount=amount)

    def test_that_begins_in_the_past_is_refused(self, database: None) -> None:
        with pytest.raises(refusals.InvalidField, match="past"):
            price("ml-analysis", amount=1, at=NOW, effective_at=NOW - timedelta(seconds=1))

    def test_withdrawn_leaves_its_feature_without_one(self, alice: Account) -> None:
        price("ml-analysis", amount=1)
        prices.add_prices(offers=[prices.Offer("credits", "withdrawn", {}, feature="ml-analysis")], actor="tests")

        with pytest.raises(refusals.UnknownPrice):
            charge(alice)


class TestUseWithoutAPrice:
    def test_is_refused(self, alice: Account) -> None:
        with pytest.raises(refusals.UnknownPrice):
            charge(alice, "time-travel")

        assert not Transaction.objects.filter(kind="usage").exists()

    @pytest.mark.parametrize(("costs", "balance"), [(60, 40), (2, 98), (5, 95), (500, 0)])
    def test_is_quarantined_by_setting_and_rated_later(
        self, alice: Account, settings: object, costs: int, balance: int
    ) -> None:
        settings.UNPRICED_USAGE, settings.UNPRICED_CHARGE = "quarantine", Decimal(5)  # type: ignore[attr-defined]
        assert charge(alice, "time-travel").amount == -5
        waiting = UnpricedUsage.objects.get()
        price("time-travel", amount=costs)

        usage.rate_unpriced(unpriced=waiting.pk, actor=TESTER)

        alice.refresh_from_db()
        assert (alice.balance, alice.debt) == (balance, max(costs - 100, 0))
        with pytest.raises(usage.AlreadyRated):
            usage.rate_unpriced(unpriced=waiting.pk, actor=TESTER)

    def test_that_was_refunded_is_waived(self, alice: Account, settings: object) -> None:
        settings.UNPRICED_USAGE = "quarantine"  # type: ignore[attr-defined]
        movement = charge(alice, "time-travel")
        refund_transaction(transaction=movement.id, memo=memo())
        price("time-travel", amount=50)

        assert usage.rate_everything(actor=TESTER) == (1, 0)
        alice.refresh_from_db()
        assert (alice.balance, UnpricedUsage.objects.get().status) == (100, "waived")


class TestAHoldForAUse:
    def held(self, account: Account, **more: object) -> Reservation:
        return usage.hold_usage(
            account=account.pk,
            usage=Usage(model="gpt-6", input_tokens=1_000_000, output_tokens=4_000_000),
            memo=Memo(TESTER),
            lasting=timedelta(minutes=5),
            **more,
        )

    def test_sets_the_worst_case_aside_and_charges_what_was_used(self, alice: Account) -> None:
        price("model:gpt-6", "tokens", input=3, output=15)
        held = self.held(alice)
        price("model:gpt-6", "tokens", input=300, output=1500)

        movement, done = holds.capture_hold(
            hold=held.id,
            usage=Usage(model="gpt-6", input_tokens=1_000_000, output_tokens=200_000),
            memo=Memo(TESTER),
            final=True,
        )

        assert (held.amount, movement.amount, done.status, done.remaining) == (63, -6, "captured", 0)
        assert movement.charge.usage == {"model": "gpt-6", "input_tokens": 1_000_000, "output_tokens": 200_000}

    def test_that_nobody_comes_back_for_costs_its_abandonment_charge(self, database: None) -> None:
        account = make_account(external_id="lab", balance=100, at=NOW)
        price("model:gpt-6", "tokens", input=3, output=15, at=NOW)
        self.held(account, at=NOW, abandoned_percent=Decimal(10))

        movement = spend(account, 1, at=NOW + timedelta(hours=1))

        assert (movement.balance_before, movement.balance_after) == (93, 92)

    def test_is_placed_once_for_a_trace_though_the_price_has_changed(self, alice: Account) -> None:
        price("ml-analysis", amount=7)
        place = partial(
            usage.hold_usage,
            account=alice.pk,
            usage=Usage("ml-analysis"),
            memo=memo(reference_type="trace", reference_id="t-1"),
            lasting=timedelta(minutes=5),
        )
        first = place()
        price("ml-analysis", amount=9)

        assert place().id == first.id

    @pytest.mark.parametrize("use", [Usage("sandbox-run"), Usage("ml-analysis", quantity=Decimal(2))])
    def test_for_another_use_needs_another_trace(self, alice: Account, use: Usage) -> None:
        price("ml-analysis", amount=7)
        price("sandbox-run", amount=7)
        place = partial(
            usage.hold_usage,
            account=alice.pk,
            memo=memo(reference_type="trace", reference_id="t-1"),
            lasting=timedelta(minutes=5),
        )
        place(usage=Usage("ml-analysis"))

        with pytest.raises(refusals.ReferenceConflict):
            place(usage=use)


class TestATrace:
    """It is charged once, at once or by a hold."""

    def test_that_is_held_or_captured_is_not_charged_besides(self, alice: Account) -> None:
        price("ml-analysis", amount=7)
        because = memo(reference_type="trace", reference_id="t-1")
        held = usage.hold_usage(
            account=alice.pk, usage=Usage("ml-analysis"), memo=because, lasting=timedelta(minutes=5)
        )
        with pytest.raises(refusals.ReferenceConflict):
            charge(alice, trace="t-1")
        holds.capture_hold(hold=held.id, memo=memo())

        with pytest.raises(refusals.ReferenceConflict):
            charge(alice, trace="t-1")

    def test_whose_hold_was_let_go_may_be_charged(self, alice: Account) -> None:
        price("ml-analysis", amount=7)
        because = memo(reference_type="trace", reference_id="t-1")
        held = usage.hold_usage(
            account=alice.pk, usage=Usage("ml-analysis"), memo=because, lasting=timedelta(minutes=5)
        )
        holds.release_hold(hold=held.id)

        assert charge(alice, trace="t-1").amount == -7

    def test_that_was_charged_is_not_held(self, alice: Account) -> None:
        price("ml-analysis", amount=7)
        charge(alice, trace="t-1")

        with pytest.raises(refusals.ReferenceConflict):
            usage.hold_usage(
                account=alice.pk,
                usage=Usage("ml-analysis"),
                memo=memo(reference_type="trace", reference_id="t-1"),
                lasting=timedelta(minutes=5),
            )


@pytest.mark.parametrize("figure", ["1_000", "１", " 1", "+", ""])
def test_a_figure_is_written_as_amounts_are(database: None, figure: str) -> None:
    with pytest.raises(refusals.InvalidField):
        price("ml-analysis", amount=figure)
