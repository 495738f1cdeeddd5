"""Charging what an AI trace really cost: ask the gateway, convert, charge once for ever."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any
from uuid import UUID

from billing.providers import portkey
from billing.queries import TRACE, charge_of_trace
from credits import refusals
from credits.amounts import say
from credits.models.fields import QUANTITY_PLACES
from credits.plan import Memo, Movement, Owner, Usage
from credits.services import usage
from credits.services.locks import lock_account, read_account
from credits.services.once import Once, money

FEATURE = "ai-tokens"
# As fine as a quantity is kept. What is finer of a cost is rounded up: by less than a trillionth of a dollar.
FINEST = Decimal(1).scaleb(-QUANTITY_PLACES)
# Costs come with up to 80 digits: wide enough that nothing is rounded but where it is meant.
EXACT = Context(prec=200)


@dataclass(frozen=True, slots=True)
class TraceUse:
    """A trace whose use is to be charged, and what its web searches cost besides, in US dollars."""

    trace_id: str
    agent_id: str = ""
    websearch_usd: Decimal = Decimal(0)


def charge_trace(*, once: Once | None, owner: Owner, use: TraceUse, memo: Memo) -> Movement:
    """Charge an account what a trace cost, once for ever: the same trace again returns the first movement.

    The gateway is asked first and outside any transaction, and not at all where the answer is known already. What was
    charged for is kept in the movement's metadata: ``total_cost_usd``, ``agentId``, ``websearch_cost``, ``tokens``.
    Raises UnknownAccount, CostUnknown, GatewayFailure, and what ``spend_credits`` raises.
    """
    if once is not None:
        once.check(once.find())
    read_account(owner.account)
    memo = replace(memo, feature=FEATURE, reference_type=TRACE, reference_id=use.trace_id)
    usd = Decimal(0)
    if charge_of_trace(owner, use.trace_id) is None:
        usd, details = _cost(use)
        memo = replace(memo, metadata={**memo.metadata, **details})
    return _charge_once(once=once, owner=owner, usd=usd, memo=memo)


def _cost(use: TraceUse) -> tuple[Decimal, dict[str, Any]]:
    """Return what a trace and its web searches cost together, and the particulars to keep."""
    cost = portkey.cost_of(use.trace_id)
    usd = EXACT.add(cost.usd, use.websearch_usd)
    details: dict[str, Any] = {"total_cost_usd": say(usd)}
    if use.agent_id:
        details["agentId"] = use.agent_id
    if use.websearch_usd:
        details["websearch_cost"] = say(use.websearch_usd)
    if cost.tokens is not None:
        details["tokens"] = cost.tokens
    return usd, details


@money
def _charge_once(once: Once | None, /, *, owner: Owner, usd: Decimal, memo: Memo) -> Movement:
    """Charge, or return the charge that the trace caused before: looked for under the lock, whatever it came to.

    Requests for one trace that come together may hear of different costs, while the gateway still logs; the first one
    to have the lock decides.
    """
    lock_account(owner.account, once=once, at=None)
    earlier = charge_of_trace(owner, memo.reference_id)
    if earlier is not None and "total_cost_usd" not in earlier.memo.metadata:
        raise refusals.ReferenceConflict(
            f"Trace {memo.reference_id} was charged before by another call.", transaction_id=earlier.id
        )
    movement = earlier or _charge(owner.account, usd, memo)
    if once is not None:
        once.record(once.answer_to(movement))
    return movement


def _charge(account: UUID, usd: Decimal, memo: Memo) -> Movement:
    """Charge a cost in US dollars at the price of ``FEATURE`` a dollar, rounded up to the unit's step."""
    quantity = usd.quantize(FINEST, ROUND_CEILING, EXACT)
    return usage.charge_usage(account=account, usage=Usage(FEATURE, quantity=quantity), memo=memo)
