from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from credits import refusals
from credits.models import Account, Grant, GrantCategory, Hold, Quota, Transaction
from credits.plan import LotTerms, Movement, Reservation, Usage
from credits.plan.state import QuotaKey
from credits.services import accounts, corrections, expiry, holds, movements, quotas, usage
from credits.services.batch import BatchRefused, Item, Outcome, Verb, post_batch
from credits.services.transfers import transfer_credits
from tests.books import Books
from tests.factories import give, hold, make_account, memo, price, spend

NOW = datetime(2099, 1, 1, tzinfo=UTC)


def item(verb: Verb, account: Account | None = None, amount: int | None = None, **more: Any) -> Item:
    return Item(
        verb=verb,
        memo=more.pop("memo", memo()),
        account=account.pk if account else None,
        amount=None if amount is None else Decimal(amount),
        **more,
    )


# Each item as a request of its own.
ALONE: dict[Verb, Callable[..., Any]] = {
    Verb.DEBIT: lambda wanted, **common: movements.spend_credits(
        account=wanted.account, amount=wanted.amount, **common
    ),
    Verb.USAGE: lambda wanted, **common: usage.charge_usage(account=wanted.account, usage=wanted.usage, **common),
    Verb.TOPUP: lambda wanted, **common: movements.add_credits(
        account=wanted.account, amount=wanted.amount, terms=wanted.terms, **common
    ),
    Verb.ADJUSTMENT: lambda wanted, **common: movements.adjust_balance(
        account=wanted.account, delta=wanted.amount, allow_debt=wanted.allow_debt, **common
    ),
    Verb.TRANSFER: lambda wanted, **common: transfer_credits(
        source=wanted.account, target=wanted.target, amount=wanted.amount, **common
    )[0],
    Verb.HOLD: lambda wanted, **common: holds.hold_credits(
        account=wanted.account, amount=wanted.amount, lasting=wanted.lasting, **common
    ),
    Verb.CAPTURE: lambda wanted, **common: holds.capture_hold(
        hold=wanted.answers, amount=wanted.amount, final=wanted.final, **common
    )[0],
    Verb.RELEASE: lambda wanted, at, memo: holds.release_hold(hold=wanted.answers, at=at),
    Verb.REFUND: lambda wanted, **common: corrections.refund_transaction(
        transaction=wanted.answers, amount=wanted.amount, **common
    ),
    Verb.REVERSAL: lambda wanted, **common: corrections.reverse_transaction(
        transaction=wanted.answers, allow_debt=wanted.allow_debt, **common
    ),
}


def alone(wanted: Item, at: datetime) -> Outcome:
    try:
        outcome: Outcome = ALONE[wanted.verb](wanted, memo=wanted.memo, at=at)
    except refusals.Refusal as refusal:
        return refusal
    return outcome


def told(outcome: Outcome) -> Any:
    """Return what an outcome says, without ids that differ from run to run."""
    if isinstance(outcome, refusals.Refusal):
        return (outcome.code, outcome.detail)
    if isinstance(outcome, Movement):
        return (outcome.kind, outcome.amount, outcome.sequence, outcome.balance_after, outcome.debt,
                [part for _, part in outcome.draws])  # fmt: skip
    assert isinstance(outcome, Reservation)
    return (outcome.status, outcome.amount, outcome.remaining, [part for _, part in outcome.lots])


class TestABatch:
    def test_answers_each_item_in_its_turn(self, alice: Account, bob: Account) -> None:
        outcomes = post_batch(
            items=[
                item(Verb.DEBIT, alice, 60),
                item(Verb.DEBIT, alice, 60),
                item(Verb.TRANSFER, alice, 40, target=bob.pk),
                item(Verb.DEBIT, bob, 15),
                item(Verb.DEBIT, amount=1, account=None),
                refusals.InvalidField("type", "What?"),
            ]
        )

        assert [told(each)[0] for each in outcomes] == [
            "usage", "insufficient_credits", "transfer", "usage", "invalid", "invalid",
        ]  # fmt: skip
        assert list(Account.objects.order_by("external_id").values_list("balance", flat=True)) == [0, 25]

    def test_that_is_atomic_does_nothing_when_one_is_refused(self, alice: Account, books: Books) -> None:
        before = books()

        with pytest.raises(BatchRefused) as refused:
            post_batch(items=[item(Verb.DEBIT, alice, 60), item(Verb.DEBIT, alice, 60)], atomic=True)

        assert refused.value.members["index"] == 1
        assert books() == before

    def test_honours_a_reference_within_itself(self, alice: Account) -> None:
        order = memo(reference_type="order", reference_id="o-1")

        first, second = post_batch(
            items=[item(Verb.TOPUP, alice, 5, memo=order), item(Verb.TOPUP, alice, 5, memo=order)]
        )

        assert isinstance(first, Movement)
        assert isinstance(second, Movement)
        assert first.id == second.id

    def test_captures_releases_and_refunds(self, alice: Account) -> None:
        one, two, spent = hold(alice, 10), hold(alice, 20), spend(alice, 30)

        outcomes = post_batch(
            items=[
                item(Verb.CAPTURE, answers=one.id, amount=4, final=True),
                item(Verb.RELEASE, answers=two.id),
                item(Verb.REFUND, answers=spent.id, amount=1),
                item(Verb.CAPTURE, answers=two.id),
                item(Verb.RELEASE, answers=uuid4()),
                item(Verb.REFUND, answers=uuid4()),
            ]
        )

        assert [told(each)[0] for each in outcomes] == [
            "capture", "released", "refund", "hold_closed", "hold_not_found", "transaction_not_found",
        ]  # fmt: skip
        assert Account.objects.get().balance == 67

    def test_takes_what_is_left_of_a_lot_once(self, alice: Account) -> None:
        brought = give(alice, 12)
        because = memo(reason="correction", reference_type="bulk", reference_id="1:1")

        outcomes = post_batch(
            items=[
                item(Verb.TAKE_LEFT, answers=brought.id, amount=13, memo=memo(reason="correction")),
                item(Verb.TAKE_LEFT, answers=brought.id, amount=7, memo=because),
                item(Verb.TAKE_LEFT, answers=brought.id, amount=7, memo=because),
                item(Verb.REVERSAL, answers=brought.id),
                item(Verb.TAKE_LEFT, answers=brought.id, amount=5),
            ]
        )

        assert [told(each)[0] for each in outcomes] == [
            "insufficient_credits", "adjustment", "adjustment", "insufficient_credits", "invalid",
        ]  # fmt: skip
        assert list(Grant.objects.filter(is_open=True).order_by("id").values_list("remaining", flat=True)) == [100, 5]

    def test_reverses_no_transfer(self, alice: Account, bob: Account) -> None:
        out, _ = transfer_credits(source=alice.pk, target=bob.pk, amount=Decimal(5), memo=memo())

        (outcome,) = post_batch(items=[item(Verb.REVERSAL, answers=out.id)])

        assert told(outcome)[0] == "not_reversible"

    def test_of_ten_thousand_is_one_transaction(self, alice: Account) -> None:
        give(alice, 10_000)

        outcomes = post_batch(items=[item(Verb.DEBIT, alice, 1)] * 10_000)

        assert len({each.id for each in outcomes if isinstance(each, Movement)}) == 10_000
        assert Account.objects.get().balance == 100


ROUNDS = range(300)


class TestABatchAndOneByOne:
    """The same random requests, once as a batch and once alone, on two casts that are alike."""

    @pytest.mark.parametrize("block", range(10))
    def test_agree(self, database: None, block: int) -> None:
        price("ml-analysis", "per_unit", per=2)
        for seed in ROUNDS[block * 30 : block * 30 + 30]:
            chance = random.Random(seed)
            script = [chance.random() for _ in range(200)]
            together = self._cast(f"together-{seed}", random.Random(seed))
            apart = self._cast(f"apart-{seed}", random.Random(seed))

            batch = post_batch(items=self._items(together, random.Random(script[0])), at=NOW)
            singles = [alone(each, NOW) for each in self._items(apart, random.Random(script[0]))]

            assert [told(each) for each in batch] == [told(each) for each in singles], f"seed {seed}"
            assert self._state(together) == self._state(apart), f"seed {seed}"

    def _cast(self, name: str, chance: random.Random) -> dict[str, Any]:
        """Three accounts with lots that lapse around NOW, holds and spends."""
        before = NOW - timedelta(hours=1)
        cast: dict[str, Any] = {"accounts": [], "answers": [], "name": name}
        for number in range(3):
            limit = Decimal(chance.choice([0, 0, 20]))
            account = make_account(external_id=f"{name}-{number}", overdraft_limit=limit, at=before)
            for _ in range(chance.randint(0, 3)):
                expires_at = chance.choice([None, NOW - timedelta(minutes=1), NOW + timedelta(days=1)])
                give(account, chance.randint(1, 40), expires_at=expires_at, priority=chance.randint(1, 3),
                     transferable=chance.random() < 0.7, at=before)  # fmt: skip
            cast["accounts"].append(account)
            if number:
                quotas.set_quota(
                    account=account.pk, key=QuotaKey("", "daily", "credits"), limit=Decimal(chance.randint(10, 50)),
                    hard=number == 1, at=before,
                )  # fmt: skip
            for _ in range(2):
                try:
                    lasting = timedelta(minutes=chance.choice([30, 90]))
                    cast["answers"].append(hold(account, chance.randint(1, 15), at=before, lasting=lasting,
                                                abandonment_charge=chance.randint(0, 1)).id)  # fmt: skip
                    cast["answers"].append(spend(account, chance.randint(1, 15), at=before).id)
                except (refusals.InsufficientCredits, refusals.QuotaExceeded):
                    cast["answers"].append(uuid4())
        return cast

    def _items(self, cast: dict[str, Any], chance: random.Random) -> list[Item]:
        items = []
        for _ in range(chance.randint(5, 25)):
            verb = chance.choice(list(ALONE))
            account, target = chance.choice(cast["accounts"]), chance.choice(cast["accounts"])
            answers: UUID = chance.choice(cast["answers"])
            amount: int | None = chance.randint(1, 30)
            reason = "correction" if verb is Verb.ADJUSTMENT else ""
            reference = chance.choice(["", "", "", "r-1", "r-2"])
            said = memo(reason=reason, reference_type="order" if reference else "", reference_id=reference)
            if verb is Verb.ADJUSTMENT and chance.random() < 0.6:
                amount = -(amount or 0)
            if verb in {Verb.CAPTURE, Verb.REFUND} and chance.random() < 0.3:
                amount = None
            answering = verb in {Verb.CAPTURE, Verb.RELEASE, Verb.REFUND, Verb.REVERSAL}
            terms = LotTerms(GrantCategory.PAID, expires_at=chance.choice([None, NOW + timedelta(days=2)]))
            items.append(
                item(
                    verb,
                    None if answering else account,
                    amount,
                    usage=Usage("ml-analysis", quantity=Decimal(chance.randint(1, 5))) if verb is Verb.USAGE else None,
                    target=target.pk if verb is Verb.TRANSFER else None,
                    answers=answers if answering else None,
                    memo=said,
                    terms=terms,
                    final=chance.random() < 0.3,
                    allow_debt=chance.random() < 0.3,
                )
            )
        return items

    def _state(self, cast: dict[str, Any]) -> Any:
        ids = [account.pk for account in cast["accounts"]]
        # A request that is refused posts nothing, not even what fell due; a batch with one accepted item does.
        for account in ids:
            expiry.settle_account(account=account, at=NOW)
        return [
            list(Account.objects.filter(pk__in=ids).order_by("external_id").values_list(
                "balance", "held", "debt", "sequence")),
            list(Transaction.objects.filter(account__in=ids).order_by("account__external_id", "sequence").values_list(
                "kind", "amount", "balance_after", "debt", "recorded_at")),
            list(Grant.objects.filter(account__in=ids).order_by("account__external_id", "id").values_list(
                "amount", "remaining", "held", "is_open")),
            list(Hold.objects.filter(account__in=ids).order_by("account__external_id", "id").values_list(
                "amount", "captured", "status")),
            list(Quota.objects.filter(account__in=ids).order_by("account__external_id").values_list("used")),
        ]  # fmt: skip


class TestABatchOfWhatIsHardToTell:
    def test_of_two_part_refunds_of_an_overdraft_remembers_the_first(self, database: None) -> None:
        carl = make_account(external_id="carl", overdraft_limit=Decimal(4))
        lot = give(carl, 6, expires_at=NOW)
        spent = spend(carl, 10)

        post_batch(items=[item(Verb.REFUND, answers=spent.id, amount=5)] * 2)

        assert list(Grant.objects.values_list("pk", "remaining")) == [(lot.draws[0][0], 6)]

    def test_settles_what_an_earlier_item_made_due(self, database: None) -> None:
        """A lapsed lot that an overdraft hold needed is free of it once other credits have come in."""
        carl = make_account(external_id="carl", overdraft_limit=Decimal(10))
        hold(carl, 10, lasting=timedelta(days=36500))
        give(carl, 8, expires_at=NOW)
        accounts.change_account(account=carl.pk, particulars=accounts.Particulars(overdraft_limit=Decimal(2)))

        _, debit = post_batch(items=[item(Verb.TOPUP, carl, 8), item(Verb.DEBIT, carl, 8)], at=NOW)

        assert told(debit)[0] == "insufficient_credits"
        assert Transaction.objects.filter(kind="expiry").count() == 1
