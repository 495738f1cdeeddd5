"""Auto top-up: an account that runs low buys a pack by its saved card, and is braked where that goes wrong.

What is bought is a Checkout before the card is charged, with a key made of its id, and is credited by the payment as
any other. So whoever dies when, the card is charged once: a purchase that was cut off is asked for again under its key
while the provider remembers that, and after that only waited for. One is under way at a time; a decline doubles the
pause before the next try; after several it is switched off and the owner is told (``brakes`` has what else does so).
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from uuid_utils.compat import uuid7

from billing import refusals
from billing.models import AutoTopUp, Checkout, CheckoutKind, CheckoutStatus, Pack
from billing.providers import stripe
from billing.services.brakes import switch_off
from billing.services.checkouts import set_status
from billing.services.customers import customer_of
from billing.services.payments import look_up_payment, record_payment
from credits import units
from credits.amounts import say_money
from credits.models import Account, AccountStatus
from credits.refusals import InvalidField, Refusal
from credits.services.locks import read_account
from credits.services.runs import Done

log = logging.getLogger(__name__)

UNDER_WAY = (CheckoutStatus.OPEN, CheckoutStatus.PENDING)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(days=1)
# How long whoever charges may take before somebody else takes it up, and how long the provider surely knows the key.
PATIENCE, REMEMBERED = timedelta(minutes=2), timedelta(hours=20)
MOST_PACKS = 20


def top_up_due(*, now: datetime | None = None) -> Done:
    """Let every account that runs low buy, and take up purchases that were cut off. Returns how many were begun."""
    now = now or timezone.now()
    for checkout in Checkout.objects.filter(
        automatic=True, status=CheckoutStatus.OPEN, created_at__lt=now - PATIENCE
    ).order_by("created_at"):
        _quietly(checkout, now)
    begun = 0
    for account in _low(now):
        new = begin(account, now=now)
        if new is not None:
            _quietly(new, now)
            begun += 1
    return Done(begun)


def begin(account: UUID, *, now: datetime) -> Checkout | None:
    """Write down what an account buys now, if it is low and nothing brakes it. Nothing is charged yet."""
    try:
        with transaction.atomic():
            row = AutoTopUp.objects.select_for_update(no_key=True, of=("self",)).select_related("pack").filter(
                Q(next_try_at=None) | Q(next_try_at__lte=now), account_id=account, enabled=True
            ).first()  # fmt: skip
            if row is None or Checkout.objects.filter(
                account_id=account, automatic=True, status__in=UNDER_WAY
            ).exists():  # fmt: skip
                return None
            sheet = read_account(account)
            available = sheet.balance - sheet.held - sheet.debt
            if sheet.status != AccountStatus.ACTIVE or available >= row.threshold or not _room(row, now):
                return None
            return _checkout(row, min(row.packs(available), MOST_PACKS), now)
    except IntegrityError:
        # Another worker began one at the same moment.
        return None


def charge(checkout: Checkout, *, now: datetime) -> None:
    """Charge what is open, once, and apply what came of it. Raises StripeFailure where that is not known.

    A purchase that is older than the provider's memory of its key is not asked for again: it is given up, and should
    it have been paid all the same, the payment's own event brings the credits. That is nobody's decline, no more than
    a key of ours that is not accepted.
    """
    if now - checkout.created_at > REMEMBERED:
        _give_up(checkout, now)
        return
    client = stripe.client()
    try:
        customer = customer_of(checkout.account).provider_id
        if not checkout.card_reference:
            checkout.card_reference = client.card_to_charge(customer)
            checkout.save(update_fields=["card_reference"])
        intent = client.charge_off_session(
            customer=customer,
            amount=checkout.amount_minor,
            currency=checkout.currency.lower(),
            idempotency_key=f"checkout-{checkout.pk}",
            metadata={"checkout": str(checkout.pk), "account": str(checkout.account_id)},
            payment_method=checkout.card_reference,
        )
    except refusals.PaymentDeclined as declined:
        _note_failed_payment(declined.payment_intent)
        _declined(checkout, declined.decline_code or declined.reason, now)
        return
    except refusals.StripeRefused as refused:
        _declined(checkout, refused.reason or refused.detail, now)
        return
    facts = look_up_payment(intent.id)
    with transaction.atomic():
        record_payment(facts)
        Checkout.objects.filter(pk=checkout.pk).update(failure="")
        AutoTopUp.objects.filter(pk=checkout.account_id).update(failures=0, failure="", next_try_at=None)


def set_auto_topup(
    *, account: UUID, pack: str, threshold: Decimal, target: Decimal | None, per_hour: int | None, per_day: int | None
) -> AutoTopUp:
    """Let an account buy by itself from now on, on these terms; also one that was switched off.

    Raises UnknownPack, PackNotOffered, InvalidField.
    """
    row = _offered(pack, Account.objects.get(pk=account), threshold, target)
    now = timezone.now()
    terms = {
        "pack": row,
        "threshold": threshold,
        "target": target,
        "most_per_hour": per_hour or settings.AUTO_TOPUPS_PER_HOUR,
        "most_per_day": per_day or settings.AUTO_TOPUPS_PER_DAY,
        "enabled": True,
        "failures": 0,
        "failure": "",
        "next_try_at": None,
        "off_at": None,
        "off_reason": "",
        "stopped": False,
        "updated_at": now,
    }
    made, _ = AutoTopUp.objects.update_or_create(
        account_id=account, defaults=terms, create_defaults={**terms, "created_at": now}
    )
    return made


def switch(account: UUID, *, on: bool, reason: str = "") -> bool:
    """Switch an auto top-up on, with its brakes released, or off. Returns whether it was the other way before."""
    now = timezone.now()
    what = {"off_at": None, "off_reason": ""} if on else {"off_at": now, "off_reason": reason[:255]}
    rows = AutoTopUp.objects.filter(pk=account, enabled=not on)
    return bool(
        rows.update(enabled=on, stopped=False, failures=0, failure="", next_try_at=None, updated_at=now, **what)
    )


def pause(failures: int) -> timedelta:
    """Return how long to wait after so many declines in a row."""
    return min(FIRST_PAUSE * int(2 ** min(failures - 1, 30)), LONGEST_PAUSE)


def _offered(code: str, account: Account, threshold: Decimal, target: Decimal | None) -> Pack:
    """Return the pack, where the terms go with it. Raises what ``set_auto_topup`` does."""
    pack = Pack.objects.filter(pk=code).first()
    if pack is None:
        raise refusals.UnknownPack(f"There is no pack {code}.")
    if not pack.active or not pack.price_reference:
        raise refusals.PackNotOffered(f"{code} is not sold.")
    if pack.unit_id != account.unit_id:
        raise InvalidField("pack", f"It brings {pack.unit_id}, the account is in {account.unit_id}.")
    places = units.decimal_places(account.unit_id)
    for field, amount in (("threshold", threshold), ("target", target)):
        if amount is not None and amount != round(amount, places):
            raise InvalidField(field, f"{account.unit_id} have at most {places} decimal places.")
    if target is not None and not threshold <= target <= pack.credits * MOST_PACKS:
        most = pack.credits * MOST_PACKS
        raise InvalidField("target", f"Between the threshold and {most:f}, which {MOST_PACKS} packs bring.")
    return pack


def _low(now: datetime) -> list[UUID]:
    """Return accounts that are low, by what their rows say; ``begin`` looks more closely."""
    rows = AutoTopUp.objects.filter(Q(next_try_at=None) | Q(next_try_at__lte=now), enabled=True)
    low = rows.filter(
        account__status=AccountStatus.ACTIVE,
        threshold__gt=F("account__balance") - F("account__held") - F("account__debt"),
    )
    under_way = Checkout.objects.filter(automatic=True, status__in=UNDER_WAY).values("account_id")
    return list(low.exclude(account_id__in=under_way).values_list("account_id", flat=True))


def _room(row: AutoTopUp, now: datetime) -> bool:
    """Tell whether the ceilings leave room for one more. What was declined bought nothing and counts not."""
    bought = Checkout.objects.filter(account_id=row.account_id, automatic=True).exclude(status=CheckoutStatus.FAILED)
    hour = bought.filter(created_at__gt=now - timedelta(hours=1)).count()
    day = bought.filter(created_at__gt=now - timedelta(days=1)).count()
    if hour < row.most_per_hour and day < row.most_per_day:
        return True
    log.warning("The auto top-up of account %s has reached its ceiling", row.account_id)
    return False


def _checkout(row: AutoTopUp, count: int, now: datetime) -> Checkout:
    pack = row.pack
    return Checkout.objects.create(
        id=uuid7(), account_id=row.account_id, kind=CheckoutKind.PACK, pack=pack, credits=pack.credits * count,
        amount_minor=pack.price_minor * count, currency=pack.currency, expires_after_days=pack.expires_after_days,
        livemode=stripe.client().livemode, automatic=True, actor_name="Auto top-up", created_at=now, updated_at=now,
    )  # fmt: skip


def _quietly(checkout: Checkout, now: datetime) -> None:
    try:
        charge(checkout, now=now)
    except Refusal as refusal:
        log.warning("What became of auto top-up %s is not known yet: %s", checkout.pk, refusal.detail)
        Checkout.objects.filter(pk=checkout.pk, status=CheckoutStatus.OPEN).update(failure=refusal.detail[:255])
    except Exception:
        # One that cannot be charged must not keep the others from it.
        log.exception("Auto top-up %s could not be charged", checkout.pk)


def _note_failed_payment(intent: str) -> None:
    """Keep a payment that was declined, for support to see."""
    if intent:
        facts = look_up_payment(intent)
        with transaction.atomic():
            record_payment(facts)


@transaction.atomic
def _give_up(checkout: Checkout, now: datetime) -> None:
    """Let a purchase go of which nobody knows what became: another may be begun, after a pause."""
    AutoTopUp.objects.filter(pk=checkout.account_id).update(next_try_at=now + FIRST_PAUSE, updated_at=now)
    checkout.refresh_from_db()
    if checkout.status not in UNDER_WAY:
        return
    why = "What became of it is not known; it is not tried again."
    log.error("Auto top-up %s is given up: %s", checkout.pk, checkout.failure or why)
    checkout.failure = checkout.failure or why
    checkout.save(update_fields=["failure"])
    set_status(checkout, CheckoutStatus.FAILED)


@transaction.atomic
def _declined(checkout: Checkout, why: str, now: datetime) -> None:
    """Note a decline; wait longer before the next try, or switch it off and tell the owner."""
    why = why.rstrip(".")
    row = AutoTopUp.objects.select_for_update(no_key=True).filter(pk=checkout.account_id).first()
    checkout.refresh_from_db()
    if checkout.status not in UNDER_WAY and checkout.failure:
        return
    checkout.failure = why[:255]
    checkout.save(update_fields=["failure"])
    set_status(checkout, CheckoutStatus.FAILED)
    if row is None:
        return
    row.failures, row.failure, row.updated_at = row.failures + 1, why[:255], now
    row.next_try_at = now + pause(row.failures)
    if row.failures >= settings.AUTO_TOPUP_FAILURES:
        price = say_money(checkout.amount_minor, checkout.currency)
        switch_off(
            row, f"Declined {row.failures} times in a row: {why}", "auto_topup_off", price=price, why=row.failure
        )
    row.save()
