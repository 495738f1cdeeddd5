"""Letters to owners: their balance runs low, is used up, is no longer low; or use was switched off.

Each event is written about once, and of a kind not more than one in NOTICE_HOURS, so that a balance which goes up and
down about its threshold fills no inbox. A letter is a row first; it is sent outside of any transaction. Whoever dies
between the mail server's word and ours leaves it to be sent again, with the same Message-ID.
"""

from __future__ import annotations

import json
import logging
import smtplib
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import parseaddr
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from billing.models import Customer, Notice, NoticeAddress, NoticeKind, NoticeStatus
from billing.services import outbox
from billing.services.outbox import Told
from credits.models import Account, EventType
from credits.services.runs import Done
from credits.services.slices import delete_older

log = logging.getLogger(__name__)

KINDS = {
    EventType.LOW_BALANCE_REACHED: NoticeKind.LOW,
    EventType.BALANCE_RESTORED: NoticeKind.RESTORED,
    EventType.BALANCE_EXHAUSTED: NoticeKind.EXHAUSTED,
    EventType.PLUGIN_STATUS_CHANGED: NoticeKind.DISABLED,
}
SUBJECTS = {
    NoticeKind.LOW: "Your balance is running low",
    NoticeKind.RESTORED: "Your balance is no longer low",
    NoticeKind.EXHAUSTED: "Your balance is used up",
    NoticeKind.DISABLED: "Your account has been switched off",
}
# How long one attempt may take; how long until the next, and how long a letter still says something.
LEASE = timedelta(minutes=2)
FIRST_PAUSE, LONGEST_PAUSE, PATIENCE = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
KEPT = timedelta(days=365)
SIGNER = Signer(salt="billing.notices.unsubscribe")


def take_note() -> Done:
    """Write down a letter for each new event that owners are told of. Returns how many events those were."""
    return Done(outbox.read_on(outbox.NOTICES, _note, types=list(KINDS)))


def send_due(*, now: datetime | None = None, most: int = 10_000) -> Done:
    """Send the letters that are due. Returns how many were begun. Several may do so at once."""
    done = 0
    while done < most and (notice := claim(now=now)) is not None:
        send(notice, now=now)
        done += 1
    return Done(done)


@transaction.atomic
def claim(*, now: datetime | None = None) -> Notice | None:
    """Take the next due letter for an attempt, if there is one that nobody else has."""
    now = now or timezone.now()
    due = Notice.objects.filter(status=NoticeStatus.PENDING, next_try_at__lte=now).order_by("next_try_at", "id")
    notice = due.select_for_update(skip_locked=True, no_key=True).first()
    if notice is not None:
        notice.attempts, notice.next_try_at = notice.attempts + 1, now + LEASE
        notice.save(update_fields=["attempts", "next_try_at"])
    return notice


def send(notice: Notice, *, now: datetime | None = None) -> None:
    """Send a claimed letter, and write down that it went; or try again later, for as long as it says something."""
    now = now or timezone.now()
    address, _ = NoticeAddress.objects.get_or_create(
        account_id=notice.account_id, email=notice.email, defaults={"created_at": now}
    )
    if address.unsubscribed_at is not None:
        _end(notice, NoticeStatus.UNSUBSCRIBED)
        return
    try:
        letter(notice, address).send()
    except OSError as error:
        if _refused(error):
            _end(notice, NoticeStatus.FAILED, error="The mail server refuses the address.")
            return
        # A mail server's own words may hold more than the log should.
        log.warning("Letter %s could not be sent: %s", notice.pk, type(error).__name__)
        _put_back(notice, type(error).__name__, now)
    except ValueError as error:
        # An address or name that makes no letter must not keep the others from being sent.
        log.exception("Letter %s could not be put together", notice.pk)
        _end(notice, NoticeStatus.FAILED, error=type(error).__name__)
    else:
        _end(notice, NoticeStatus.SENT, sent_at=now)


def letter(notice: Notice, address: NoticeAddress) -> EmailMultiAlternatives:
    """Return a letter as it is sent: text and HTML, and how to get no more of them (RFC 8058)."""
    account = Account.objects.get(pk=notice.account_id)
    link = f"{settings.PUBLIC_URL}{reverse('unsubscribe', args=[SIGNER.sign(str(address.pk))])}"
    subject = SUBJECTS[NoticeKind(notice.kind)]
    told = {"account": account, "subject": subject, "unsubscribe": link, **notice.facts}
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    message = EmailMultiAlternatives(
        subject,
        render_to_string(f"emails/notices/{notice.kind}.txt", told),
        to=[notice.email],
        headers={
            "Message-ID": f"<notice-{notice.pk}-{notice.event_id}@{domain}>",
            "List-Unsubscribe": f"<{link}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Auto-Submitted": "auto-generated",
        },
    )
    message.attach_alternative(render_to_string(f"emails/notices/{notice.kind}.html", told), "text/html")
    return message


def address_of(token: str) -> NoticeAddress | None:
    """Return the address that a link in a letter names, if the link is one of ours."""
    try:
        pk = int(SIGNER.unsign(token))
    except (BadSignature, ValueError):
        return None
    return NoticeAddress.objects.filter(pk=pk).first()


def subscribe(address: NoticeAddress, *, wanted: bool) -> None:
    """Let an address have letters about its account, or none any more. Twice does no more than once."""
    if wanted:
        NoticeAddress.objects.filter(pk=address.pk).update(unsubscribed_at=None)
    else:
        NoticeAddress.objects.filter(pk=address.pk, unsubscribed_at=None).update(unsubscribed_at=timezone.now())


def purge_notices(*, now: datetime | None = None) -> int:
    """Delete letters of more than a year ago. Returns how many."""
    return delete_older(Notice, "created_at", (now or timezone.now()) - KEPT)


def _note(events: Sequence[Told]) -> None:
    # What happened long ago, before anybody read or while nobody did, is no news to its owner.
    since = timezone.now() - PATIENCE
    for event in events:
        if event.account is not None and event.recorded_at >= since:
            _write(event, event.account, json.loads(event.payload, parse_float=Decimal))


def _write(event: Told, account: UUID, told: dict[str, Any]) -> None:
    kind, now = KINDS[EventType(event.type)], timezone.now()
    if kind == NoticeKind.DISABLED and (told["status"] != "disabled" or _said(event, account)):
        return
    email = _email(account)
    Notice.objects.bulk_create(
        [
            Notice(
                event_id=event.id,
                account_id=account,
                kind=kind,
                facts=_facts(event, told),
                email=email,
                status=(status := _status(account, kind, email, now)),
                next_try_at=now if status == NoticeStatus.PENDING else None,
                created_at=now,
            )
        ],
        ignore_conflicts=True,
    )


def _said(event: Told, account: UUID) -> bool:
    """Whether the letter that the balance is used up says already that nothing can be used."""
    rows = Notice.objects.filter(account_id=account, kind=NoticeKind.EXHAUSTED)
    return rows.filter(facts__at=event.recorded_at.isoformat()).exists()


def _status(account: UUID, kind: NoticeKind, email: str, now: datetime) -> NoticeStatus:
    if not email:
        return NoticeStatus.NO_ADDRESS
    unwanted = NoticeAddress.objects.filter(account_id=account, email=email, unsubscribed_at__isnull=False)
    if unwanted.exists():
        return NoticeStatus.UNSUBSCRIBED
    # Whoever writes letters down has the reader's mark, so that none can come between.
    lately = Notice.objects.filter(
        account_id=account, kind=kind, created_at__gt=now - timedelta(hours=settings.NOTICE_HOURS)
    )
    written = lately.filter(status__in=[NoticeStatus.PENDING, NoticeStatus.SENT])
    return NoticeStatus.THROTTLED if written.exists() else NoticeStatus.PENDING


def _email(account: UUID) -> str:
    """Return where the account's owner can be reached, as far as is known here or at the payment provider."""
    own = Account.objects.filter(pk=account).values_list("email", flat=True).first()
    known = Customer.objects.filter(account_id=account, deleted=False).exclude(email="").order_by("-livemode")
    return own or known.values_list("email", flat=True).first() or ""


def _facts(event: Told, told: dict[str, Any]) -> dict[str, str]:
    facts = {"unit": told["unit"], "balance": _amount(told["new_balance"]), "at": event.recorded_at.isoformat()}
    if "threshold" in told:
        facts["threshold"] = _amount(told["threshold"])
    return facts | ({"why": told["reason"]} if told.get("reason") else {})


def _amount(value: Decimal | int) -> str:
    text = f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _refused(error: OSError) -> bool:
    """Whether the mail server will never take a letter for the address; a code below 500 says: not now."""
    if not isinstance(error, smtplib.SMTPRecipientsRefused):
        return False
    return all(code >= 500 for code, _ in error.recipients.values())


def _end(notice: Notice, status: NoticeStatus, *, error: str = "", sent_at: datetime | None = None) -> None:
    _mine(notice).update(status=status, error=error, sent_at=sent_at, next_try_at=None)


def _put_back(notice: Notice, error: str, now: datetime) -> None:
    if now - notice.created_at > PATIENCE:
        _end(notice, NoticeStatus.FAILED, error=error)
        log.error("Letter %s to the owner of account %s was given up", notice.pk, notice.account_id)
        return
    wait = min(FIRST_PAUSE * int(2 ** min(notice.attempts - 1, 30)), LONGEST_PAUSE)
    _mine(notice).update(error=error, next_try_at=now + wait)


def _mine(notice: Notice) -> Any:
    """Return the letter, as long as nobody has taken it over."""
    return Notice.objects.filter(pk=notice.pk, status=NoticeStatus.PENDING, attempts=notice.attempts)
