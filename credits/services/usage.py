"""Charges at a price: at once, or held at the worst case and captured; and use that had no price."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from credits import plan, refusals
from credits.models import UnpricedStatus, UnpricedUsage
from credits.plan import Actor, Memo, Movement, Reservation, Sheet, Tariff, Usage
from credits.plan.pricing import cost, price
from credits.plan.quotas import Standing, limited, standing
from credits.services import history
from credits.services.locks import lock_account, read_with_holds
from credits.services.once import Once, money
from credits.services.postings import post
from credits.services.prices import price_book

# What a correction refers to: the unpriced use that it makes right.
RATING = "rating"


class UnknownUsage(refusals.Refusal):
    status, code, title, stored = 404, "usage_not_found", "There is no such usage.", False


class AlreadyRated(refusals.Refusal):
    code, title = "already_rated", "The usage was rated before."


@money
def charge_usage(
    once: Once | None,
    /,
    *,
    account: UUID,
    usage: Usage,
    memo: Memo,
    at: datetime | None = None,
) -> Movement:
    """Charge a use at the price in force, rounded up once to the unit's step; the movement pins that price.

    Use without a price is refused, or by the setting UNPRICED_USAGE charged provisionally and kept for rating.
    A reference in the memo (a trace) charges once for ever, whatever the price has become since.
    Raises UnknownPrice, FeatureNotEnabled, QuotaExceeded, besides what ``spend_credits`` raises.
    """
    memo = replace(memo, feature=usage.named)
    sheet = lock_account(account, once=once, at=at)
    history.load_references({account: sheet}, [(account, memo)])
    movement = plan.use(sheet, price_book(sheet.newest_price), usage, memo)
    post([sheet], movement, once)
    quarantine([movement])
    return movement


@money
def hold_usage(
    once: Once | None,
    /,
    *,
    account: UUID,
    usage: Usage,
    memo: Memo,
    lasting: timedelta,
    abandoned_percent: Decimal | None = None,
    at: datetime | None = None,
) -> Reservation:
    """Set aside what a use costs at the worst, at the price in force, which its captures are worked out with.

    Where nobody comes back, ``abandoned_percent`` of it is charged: by default the setting ABANDONED_USAGE_PERCENT.
    Raises what ``charge_usage`` raises.
    """
    memo = replace(memo, feature=usage.named)
    sheet = lock_account(account, once=once, at=at)
    history.load_references({account: sheet}, [(account, memo)])
    percent = settings.ABANDONED_USAGE_PERCENT if abandoned_percent is None else abandoned_percent
    held = plan.hold_for_use(
        sheet, price_book(sheet.newest_price), usage, memo, lasting=lasting, abandoned_percent=Decimal(percent)
    )
    return post([sheet], held, once)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a charge would do: how it would change the account, or why it would be refused."""

    sheet: Sheet
    # What it would cost, allowed or not; None where there is no price.
    amount: Decimal | None
    movement: Movement | None
    refusal: refusals.Refusal | None
    tariff: Tariff | None
    quotas: list[Standing]


def preview_charge(
    *, account: UUID, memo: Memo, usage: Usage | None = None, amount: Decimal | None = None, at: datetime | None = None
) -> Preview:
    """Tell what charging a use, or an amount, would do now. Makes the very plan that the charge makes; writes nothing.

    Raises UnknownAccount, InvalidField.
    """
    sheet = read_with_holds(account, at=at)
    movement, refusal, tariff = None, None, None
    try:
        if usage is not None:
            memo = replace(memo, feature=usage.named)
            book = price_book(sheet.newest_price)
            tariff = book.in_force(sheet.owner.unit, usage, sheet.at)
            amount, _ = price(sheet, book, usage)
            movement = plan.use(sheet, book, usage, memo)
        elif amount is not None:
            movement = plan.spend(sheet, amount, memo)
        else:
            raise refusals.InvalidField("amount", "Say which use, or how much.")
    except refusals.InvalidField:
        raise
    except refusals.Refusal as refused:
        refusal = refused
    touched = [count for count in limited(sheet) if count.feature in {"", memo.feature}]
    return Preview(sheet, amount, movement, refusal, tariff, [standing(sheet, count) for count in touched])


def quarantine(outcomes: Iterable[object]) -> None:
    """Keep the movements that were charged provisionally, for rating. Part of the transaction that posted them."""
    # A batch may name one trace several times: the same movement answers each.
    unpriced = {each.id: each for each in outcomes if isinstance(each, Movement) and each.charge.unpriced}
    UnpricedUsage.objects.bulk_create(
        UnpricedUsage(
            transaction_id=movement.id,
            account_id=movement.owner.account,
            feature=movement.memo.feature if not movement.charge.usage.get("model") else "",
            model=movement.charge.usage.get("model", ""),
            created_at=movement.recorded_at,
        )
        for movement in unpriced.values()
    )


@dataclass(frozen=True, slots=True)
class Rating:
    """What rating a use does: the price that was found, and the movement that makes its charge right, if any must."""

    tariff: Tariff
    correction: Movement | None
    status: UnpricedStatus


@money
def rate_unpriced(once: Once | None, /, *, unpriced: int, actor: Actor, at: datetime | None = None) -> UnpricedUsage:
    """Make a provisional charge right, by the price in force now: charge what is missing, or refund what was too much.

    What the account cannot pay is owed. A charge that was refunded in full meanwhile is waived.
    Raises UnknownPrice while there still is none, UnknownUsage, AlreadyRated, AccountClosed, Busy.
    """
    found = UnpricedUsage.objects.filter(pk=unpriced).first()
    if found is None:
        raise UnknownUsage("There is no such unpriced usage.")
    sheet = lock_account(found.account_id, once=once, at=at)
    found.refresh_from_db()
    if found.status != UnpricedStatus.OPEN:
        raise AlreadyRated("It was rated before.")
    rating = plan_rating(sheet, found, actor)
    plan.expire_lots(sheet)
    post([sheet], None, None)
    found.status = rating.status
    found.price_id, found.closed_at, found.closed_by = rating.tariff.id, sheet.at, actor.name
    found.correction_id = rating.correction.id if rating.correction else None
    found.save(update_fields=["status", "price", "closed_at", "closed_by", "correction"])
    if once is not None:
        once.record(once.answer_to(found))
    return found


def plan_rating(sheet: Sheet, found: UnpricedUsage, actor: Actor) -> Rating:
    """Plan what makes a provisional charge right, by the price in force now. Raises UnknownPrice if there is none."""
    charged = history.load_posted({sheet.id: sheet}, [found.transaction_id])[found.transaction_id]
    original = charged.movement
    tariff = price_book(sheet.newest_price).in_force(sheet.owner.unit, usage_of(original), sheet.at)
    if tariff is None:
        raise refusals.UnknownPrice(f"There is still no price for {found.model or found.feature}.")
    left = -original.amount - charged.given_back
    if not left or charged.reversed:
        return Rating(tariff, None, UnpricedStatus.WAIVED)
    due = cost(tariff, usage_of(original), sheet.decimal_places)
    memo = Memo(
        actor,
        feature=original.memo.feature,
        description=f"Rated at price v{tariff.version}: {original.memo.description}".rstrip(": ")[:500],
        reference_type=RATING,
        reference_id=str(found.pk),
    )
    correction = None
    if due > -original.amount:
        correction = plan.charge_more(sheet, original, due + original.amount, memo, tariff.id)
    elif due < -original.amount:
        correction = plan.refund(sheet, charged, min(-original.amount - due, left), memo)
    return Rating(tariff, correction, UnpricedStatus.RATED)


def rate_everything(*, actor: Actor, most: int | None = None, at: datetime | None = None) -> tuple[int, int]:
    """Rate use whose price is known by now, ``most`` of it or all. Returns how many were rated and how many still wait.

    Each in a transaction of its own, the oldest first.
    """
    rated = waiting = 0
    for pk in UnpricedUsage.objects.filter(status=UnpricedStatus.OPEN).order_by("pk").values_list("pk", flat=True):
        if rated == most:
            break
        try:
            rate_unpriced(unpriced=pk, actor=actor, at=at)
            rated += 1
        except refusals.Refusal:
            waiting += 1
    return rated, waiting


def usage_of(movement: Movement) -> Usage:
    """Return the use that a movement charged, as it was kept with it."""
    kept = movement.charge.usage
    tokens = {name: count for name, count in kept.items() if name.endswith("_tokens")}
    model = kept.get("model", "")
    feature = "" if movement.memo.feature == model else movement.memo.feature
    return Usage(feature=feature, model=model, quantity=Decimal(kept.get("quantity", 1)), **tokens)
