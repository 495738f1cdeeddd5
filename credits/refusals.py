"""Every reason for which a movement is refused, and what the refused caller is told.

A refusal changes nothing. ``status`` is the HTTP status that says it; ``members`` go into the problem details beside
title and detail, so that a program can act on them. Amounts are in the account's unit.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from math import ceil
from typing import Any, ClassVar
from uuid import UUID

from credits import offers
from credits.amounts import say


def problem(status: int, code: str, title: str, detail: str, **members: Any) -> dict[str, Any]:
    """Return RFC 9457 problem details."""
    return {"type": f"/problems/{code}", "title": title, "status": status, "detail": detail, "code": code, **members}


class Refusal(Exception):  # the word for what it is
    """A request that was understood and is not done. Carries its code, status and an explanation."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "refused"
    title: ClassVar[str] = "The request was refused."
    # Whether a retry with the same Idempotency-Key gets this same answer. A 400 or 404 is the caller's to mend first.
    stored: ClassVar[bool] = True
    # After how many seconds the same request may be granted, where that can be told.
    retry_after: int | None = None

    def __init__(self, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.members = members

    def told(self) -> dict[str, Any]:
        """Return the refusal as problem details."""
        return problem(self.status, self.code, self.title, self.detail, **self.members)


class InvalidField(Refusal):
    """A value that cannot be meant. Mend the named field and send it again."""

    status, code, title, stored = 400, "invalid", "The request is not valid.", False

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail, errors={field: [detail]})
        self.field = field


class UnknownAccount(Refusal):
    status, code, title, stored = 404, "account_not_found", "There is no such account.", False


class UnknownHold(Refusal):
    status, code, title, stored = 404, "hold_not_found", "There is no such hold.", False


class UnknownTransaction(Refusal):
    status, code, title, stored = 404, "transaction_not_found", "There is no such transaction.", False


class AccountExists(Refusal):
    code, title = "account_exists", "The account exists already."


class AccountFrozen(Refusal):
    code, title = "account_frozen", "The account is frozen."


class AccountClosed(Refusal):
    code, title = "account_closed", "The account is closed."


class AccountNotEmpty(Refusal):
    code, title = "account_not_empty", "The account is not empty."


class InsufficientCredits(Refusal):
    """The account cannot pay. Add credits, or ask for less, and use a new Idempotency-Key."""

    status, code, title = 402, "insufficient_credits", "Insufficient credits."

    def __init__(
        self,
        *,
        needed: Decimal,
        available: Decimal,
        balance: Decimal,
        held: Decimal,
        expiring: list[tuple[UUID, Decimal, datetime]],
        detail: str | None = None,
        unit: str = "",
    ) -> None:
        self.unit, self.short = unit, needed - available
        super().__init__(
            detail or f"Insufficient credits: {say(needed)} needed, {say(available)} available.",
            needed=needed,
            available=available,
            balance=balance,
            held=held,
            short=self.short,
            expiring=[{"grant_id": lot, "amount": free, "expires_at": at} for lot, free, at in expiring],
        )

    def told(self) -> dict[str, Any]:
        """Return the refusal as problem details, with the cheapest pack that would cover it where one does."""
        offer = offers.cheapest(self.unit, self.short) if self.unit else None
        return super().told() | ({"cheapest_pack": offer} if offer else {})


class QuotaExceeded(Refusal):
    """A hard limit of the account's is used up. It counts anew at ``resets_at``; the same request may be sent then."""

    status, code, title, stored = 429, "quota_exceeded", "The quota is used up.", False

    def __init__(self, detail: str, *, wait: float, **members: Any) -> None:
        super().__init__(detail, **members)
        self.retry_after = max(ceil(wait), 1)


class FeatureNotEnabled(Refusal):
    status, code, title, stored = 403, "feature_not_enabled", "The feature is not enabled for this account.", False


class UnknownPrice(Refusal):
    """Nothing says what it costs, and nothing is free. Add a price, or let such use be quarantined by setting."""

    status, code, title, stored = 422, "price_not_found", "There is no price for this.", False


def empty(needed: Decimal) -> InsufficientCredits:
    """Return the shortage of an account that was never opened, for callers to whom it reads as empty."""
    nothing = Decimal(0)
    return InsufficientCredits(needed=needed, available=nothing, balance=nothing, held=nothing, expiring=[])


class BalanceLimit(Refusal):
    status, code, title = 422, "balance_limit", "The balance would grow beyond what an account can hold."


class HoldClosed(Refusal):
    code, title = "hold_closed", "The hold is no longer open."


class HoldIsFreeze(Refusal):
    """The hold freezes a lot whose payment is disputed: it ends with the dispute, and nobody can use it."""

    code, title = "hold_is_freeze", "The hold freezes a disputed lot."


class CaptureExceedsHold(Refusal):
    status, code, title = 422, "capture_exceeds_hold", "The capture is larger than what is left of the hold."


class NotRefundable(Refusal):
    status, code, title = 422, "not_refundable", "Only a spend can be refunded."


class RefundExceedsSpend(Refusal):
    status, code, title = 422, "refund_exceeds_spend", "The refund is larger than what is left of the spend."


class NotReversible(Refusal):
    status, code, title = 422, "not_reversible", "This movement cannot be reversed."


class AlreadyReversed(Refusal):
    code, title = "already_reversed", "The movement was reversed or refunded in full before."


class ReferenceConflict(Refusal):
    """The reference has caused another movement of this kind: one payment credits once, for ever."""

    code, title = "reference_conflict", "The reference was used for a different movement."


class IdempotencyKeyReused(Refusal):
    """The Idempotency-Key belongs to another request. A new request needs a new key."""

    status, code, title, stored = (
        422,
        "idempotency_key_reused",
        "The Idempotency-Key was used for another request.",
        False,
    )


class Busy(Refusal):
    """Another request holds the account. Nothing was done; send the same request again in a moment."""

    code, title, stored = "request_in_progress", "Another request is changing this account.", False
    retry_after = 1
