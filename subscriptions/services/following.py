"""Subscriptions that a provider keeps: written as it tells them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction
from uuid_utils.compat import uuid7

from credits.models import AccountStatus
from credits.plan import Sheet
from credits.services.once import Once, money
from subscriptions import refusals, rules
from subscriptions.following import ZONE, Told, as_paid, follow, lived, was_paid
from subscriptions.models import Status, Subscription, Verb
from subscriptions.rules import State
from subscriptions.services.rows import (
    check_unit,
    had_trial,
    live_row,
    lock_settled,
    locked_row,
    month_at,
    put_state,
    version_row,
)
from subscriptions.services.writing import Cause, grant_trial, settle, write

# What somebody can ask for. The rest comes by time and by payments.
ASKED = {Verb.UPGRADE, Verb.DOWNGRADE, Verb.CHANGE, Verb.SCHEDULE, Verb.CANCEL, Verb.RESUME, Verb.END}


@money
def follow_provider(
    once: Once | None,
    /,
    *,
    account: UUID,
    provider: str,
    reference: str,
    told: Told,
    cause: Cause,
    asked: Cause | None = None,
    at: datetime | None = None,
) -> Subscription | None:
    """Let a subscription be what its provider says: begin, change, pause, end or revive it. Again does nothing.

    ``asked`` is who had the provider change it just now, and why: the steps that can be asked for are theirs.
    Credits come for what was paid, period by period, once. A subscription kept by hand ends where one begins.
    Returns None where the account has none by that name and needs none: it is over already, or the account is closed.
    Raises UnknownAccount, AlreadySubscribed (by another one of a provider's), InvalidField, Busy.
    """
    sheet = lock_settled(account, once=once, at=at)
    found = Subscription.objects.filter(provider=provider, provider_reference=reference).first()
    if found is None:
        return _begin(sheet, provider, reference, told, cause)
    row = locked_row(found.pk)
    state = settle(row, sheet)
    if sheet.status == AccountStatus.CLOSED:
        return row
    for paid in told.history:
        state = _write(row, state, as_paid(told, paid), sheet, replace(cause, invoice=paid.invoice), paid.at, asked)
    if state.status != Status.CANCELED and was_paid(told, state):
        state = _write(row, state, lived(told), sheet, cause)
    _write(row, state, told, sheet, cause, asked=asked)
    return row


def _write(
    row: Subscription,
    state: State,
    told: Told,
    sheet: Sheet,
    cause: Cause,
    at: datetime | None = None,
    asked: Cause | None = None,
) -> State:
    """Write what the provider told of a moment, which is now unless ``at`` says when it was."""
    at = min(at or sheet.at, sheet.at)
    step = follow(state, told, month_at(row, state, at), at)
    if state.status == Status.CANCELED != step.state.status:
        _make_room(sheet, cause)
    if asked is not None and step.verb in ASKED:
        cause = replace(asked, invoice=cause.invoice)
    write(row, step, cause, sheet.at)
    return step.state


def _begin(sheet: Sheet, provider: str, reference: str, told: Told, cause: Cause) -> Subscription | None:
    if sheet.status == AccountStatus.CLOSED:
        return None
    first, *later = told.history or (None,)
    begun = as_paid(told, first) if first else lived(told) if was_paid(told, None) else told
    step = follow(None, begun, None, min(first.at, sheet.at) if first else sheet.at)
    if step.state.status == Status.CANCELED:
        return None
    check_unit(version_row(told.terms.version), sheet.owner.unit)
    _make_room(sheet, cause)
    tried = had_trial(sheet.id)
    row = Subscription(
        id=uuid7(), account_id=sheet.id, provider=provider, provider_reference=reference, time_zone=ZONE,
        created_at=sheet.at, updated_at=sheet.at,
    )  # fmt: skip
    put_state(row, step.state)
    with transaction.atomic():
        row.save(force_insert=True)
        write(row, step, cause, sheet.at)
        if step.state.status == Status.TRIALING and not tried:
            grant_trial(row, told.terms, cause, sheet.at)
        state = step.state
        for paid in filter(None, later):
            state = _write(row, state, as_paid(told, paid), sheet, replace(cause, invoice=paid.invoice), paid.at)
        _write(row, state, told, sheet, cause)
    return row


def _make_room(sheet: Sheet, cause: Cause) -> None:
    """End the subscription that was kept by hand. Raises AlreadySubscribed for one that a provider keeps."""
    live = live_row(sheet.id)
    if live is None:
        return
    row = locked_row(live.pk)
    state = settle(row, sheet)
    if state.status == Status.CANCELED:
        return
    if row.paid_until is not None:
        raise refusals.AlreadySubscribed(
            f"The account pays for {row.provider_reference} already.", subscription_id=row.pk
        )
    write(row, rules.cancel(state, sheet.at, at_period_end=False), cause, sheet.at)
