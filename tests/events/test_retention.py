"""Events are kept for EVENT_DAYS, and for as long as somebody has still to hear of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from billing.jobs import purge_events
from billing.models import DeadLetter, OutboxMark, RelayLane
from billing.services.letters import Letter, keep_letters
from billing.services.outbox import NOTICES, WEBHOOKS
from credits.models import Event
from tests.factories import make_account, spend


@pytest.fixture
def told(committed: None) -> list[Event]:
    """Two events of long ago and two of today, which webhooks and e-mails have told of."""
    past = timezone.now() - timedelta(days=40)
    account = make_account(external_id="merchant", at=past)
    make_account(external_id="other", balance=5, at=past)
    make_account(external_id="another", balance=5)
    assert account.sequence == 0
    found = list(Event.objects.order_by("pk"))
    OutboxMark.objects.bulk_create(
        OutboxMark(reader=reader, event=found[-1].pk, read_at=timezone.now()) for reader in (WEBHOOKS, NOTICES)
    )
    return found


def test_old_ones_are_deleted(told: list[Event]) -> None:
    keep_letters([Letter("evt.merchant.created", "m-1", b"{}", "malformed", "It says nothing.")])
    DeadLetter.objects.update(came_at=timezone.now() - timedelta(days=40))

    assert purge_events() == 3

    assert list(Event.objects.order_by("pk")) == told[2:]
    assert not DeadLetter.objects.exists()


def test_what_nats_has_not_heard_of_is_kept(told: list[Event], settings: Any) -> None:
    settings.NATS_URL = "nats://nowhere"
    RelayLane.objects.bulk_create(RelayLane(lane=lane, position=told[0].pk - 1) for lane in range(8))

    assert purge_events() == 0

    RelayLane.objects.update(position=told[-1].pk)
    assert purge_events() == 2


def test_what_webhooks_have_not_told_of_is_kept(told: list[Event]) -> None:
    OutboxMark.objects.filter(reader=WEBHOOKS).update(event=told[0].pk - 1)

    assert purge_events() == 0


def test_nothing_of_an_event_ever_changes(told: list[Event]) -> None:
    for change in ("UPDATE credits_event SET payload = '{}'", "TRUNCATE credits_event"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change)


def test_an_event_of_a_movement_that_was_undone_is_not_there(committed: None) -> None:
    account = make_account(external_id="merchant", balance=5)
    before = Event.objects.count()

    with transaction.atomic():
        spend(account, 1)
        transaction.set_rollback(True)

    assert Event.objects.count() == before
