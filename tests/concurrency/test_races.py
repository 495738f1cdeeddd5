"""Real threads on a real PostgreSQL."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from credits import refusals
from credits.models import Account, IdempotencyRecord, Price, Transaction
from credits.plan import Movement, Owner
from credits.plan.state import QuotaKey
from credits.services import allotments, expiry, holds, movements, quotas
from credits.services.allotments import Order
from credits.services.batch import Item, Verb, post_batch
from credits.services.transfers import transfer_credits
from tests.books import audit
from tests.conftest import Api
from tests.factories import charge, give, hold, make_account, memo, price, spend
from tests.threads import at_once


def test_two_threads_spend_the_last_credit_and_one_wins(committed: None) -> None:
    account = make_account()
    for round_number in range(100):
        give(account, 1)

        outcomes = at_once([lambda: spend(account, 1)] * 2)

        won = [each for each in outcomes if isinstance(each, Movement)]
        lost = [each for each in outcomes if isinstance(each, refusals.InsufficientCredits)]
        assert (len(won), len(lost)) == (1, 1), f"round {round_number}: {outcomes}"
    account.refresh_from_db()
    assert (account.balance, account.sequence) == (0, 200)


def test_sixteen_threads_at_the_last_units_of_a_quota_and_exactly_the_limit_passes(committed: None) -> None:
    key = QuotaKey("ml-analysis", "daily", "quantity")
    price("ml-analysis", amount=1)
    for round_number in range(20):
        account = make_account(external_id=f"lab-{round_number}", balance=100)
        quotas.set_quota(account=account.pk, key=key, limit=Decimal(5))

        outcomes = at_once([partial(charge, account)] * 16)

        passed = [each for each in outcomes if isinstance(each, Movement)]
        refused = [each for each in outcomes if isinstance(each, refusals.QuotaExceeded)]
        assert (len(passed), len(refused)) == (5, 11), f"round {round_number}: {outcomes}"


def test_sixteen_threads_come_upon_an_allotment_and_it_is_issued_once(committed: None) -> None:
    start = datetime.now(UTC) - timedelta(days=40)
    account = make_account(external_id="lab", at=start)
    order = Order("subscription:1", Decimal(100), start, "UTC")
    allotments.start_allotment(account=account.pk, order=order, at=start)

    at_once([partial(spend, account, 1)] * 16 + [expiry.issue_due_allotments] * 2)

    kinds = Transaction.objects.filter(account=account).values_list("kind", flat=True)
    assert sorted(kinds) == ["expiry", "plan", "plan", *["usage"] * 16]


def test_one_trace_from_sixteen_threads_is_charged_once(committed: None) -> None:
    account = make_account(external_id="lab", balance=100)
    price("ml-analysis", amount=7)

    outcomes = at_once([partial(charge, account, trace="t-1")] * 16)

    assert len({each.id for each in outcomes if isinstance(each, Movement)}) == 1
    assert Transaction.objects.filter(kind="usage").count() == 1


def test_prices_added_at_once_are_numbered_in_turn(committed: None) -> None:
    outcomes = at_once([partial(price, "scan", amount=number) for number in range(1, 9)])

    assert sorted(each.version for each in outcomes if isinstance(each, Price)) == list(range(1, 9))


def test_thirty_two_threads_mix_everything_on_four_accounts(committed: None) -> None:
    accounts = [make_account(external_id=f"a{number}", balance=500) for number in range(4)]

    def work(seed: int) -> list[str]:
        chance = random.Random(seed)
        refused = []
        for _ in range(12):
            one, other = chance.sample(accounts, 2)
            amount = Decimal(chance.randint(1, 40))
            try:
                match chance.randint(0, 4):
                    case 0:
                        movements.spend_credits(account=one.pk, amount=amount, memo=memo())
                    case 1 | 2:
                        transfer_credits(source=one.pk, target=other.pk, amount=amount, memo=memo())
                    case 3:
                        held = hold(one, amount)
                        holds.capture_hold(hold=held.id, amount=amount - 1 or None, memo=memo(), final=True)
                    case 4:
                        items = [
                            Item(Verb.DEBIT, memo(), amount, account=each.pk)
                            for each in chance.sample(accounts, len(accounts))
                        ]
                        post_batch(items=items)
            except (refusals.InsufficientCredits, refusals.CaptureExceedsHold) as refusal:
                refused.append(refusal.code)
        return refused

    outcomes = at_once([partial(work, seed) for seed in range(32)])

    assert [each for each in outcomes if isinstance(each, Exception)] == []
    assert audit() == {}
    assert all(account.balance >= 0 for account in Account.objects.all())


def test_the_same_key_from_sixteen_threads_moves_once_and_answers_alike(committed: None, api: Api) -> None:
    make_account(external_id="alice", balance=100)

    def call() -> Any:
        answer = api.post("/api/v1/accounts/alice/debits", {"amount": 7}, once="the-key")
        return answer.status_code, answer.content

    outcomes = at_once([call] * 16)

    assert len(set(outcomes)) == 1, outcomes
    assert outcomes[0][0] == 201  # type: ignore[index]
    assert Transaction.objects.filter(kind="usage").count() == 1
    assert Account.objects.get().balance == 93


def test_the_same_refused_key_from_sixteen_threads_is_refused_alike(committed: None, api: Api) -> None:
    make_account(external_id="alice", balance=5)

    def call() -> Any:
        answer = api.post("/api/v1/accounts/alice/debits", {"amount": 7}, once="the-key")
        return answer.status_code, answer.content

    assert {each[0] for each in at_once([call] * 16)} == {402}  # type: ignore[index]
    assert IdempotencyRecord.objects.count() == 1


def test_the_same_reference_from_sixteen_threads_credits_once(committed: None) -> None:
    account = make_account()
    paid = memo(reference_type="payment", reference_id="pi_1")

    outcomes = at_once([lambda: give(account, 10, because=paid).id] * 16)

    assert len(set(outcomes)) == 1
    account.refresh_from_db()
    assert account.balance == 10


def test_an_account_opened_by_sixteen_threads_is_one(committed: None) -> None:
    owner = Owner("eve", "credits")

    def add() -> int:
        return movements.add_credits(account=owner.account, amount=Decimal(1), memo=memo(), owner=owner).sequence

    assert sorted(at_once([add] * 16)) == list(range(1, 17))  # type: ignore[type-var]


def test_a_hold_captured_by_eight_threads_is_captured_once(committed: None) -> None:
    held = hold(make_account(balance=50), 50)

    outcomes = at_once([lambda: holds.capture_hold(hold=held.id, memo=memo())] * 8)

    assert sum(isinstance(each, tuple) for each in outcomes) == 1
    assert sum(isinstance(each, refusals.HoldClosed) for each in outcomes) == 7
