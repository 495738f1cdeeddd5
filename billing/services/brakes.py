"""What switches an auto top-up off though nobody did: declines in a row, money that goes back. The owner is told."""

from __future__ import annotations

import logging
from uuid import UUID

from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from billing.models import AutoTopUp, Customer
from credits.models import Account

log = logging.getLogger(__name__)


def stop_auto_topup(account: UUID, why: str) -> None:
    """Switch an account's auto top-up off because money goes back. Called in a transaction.

    The credits that go with it leave the account low, and its card would be charged for them anew at once.
    """
    row = AutoTopUp.objects.select_for_update(no_key=True).filter(pk=account, enabled=True).first()
    if row is not None:
        switch_off(row, f"Money goes back: {why}", "auto_topup_stopped", why=why)
        row.save()


def switch_off(row: AutoTopUp, reason: str, letter: str, **told: str) -> None:
    """Let a locked row be off, which the caller saves; the owner is told by a letter once that is committed."""
    row.enabled, row.stopped = False, True
    row.off_at = row.updated_at = timezone.now()
    row.off_reason = reason[:255]
    log.error("The auto top-up of account %s is switched off: %s", row.account_id, row.off_reason)
    transaction.on_commit(lambda: _tell(row.account_id, letter, told))


def _tell(account_id: UUID, letter: str, told: dict[str, str]) -> None:
    """Write to the owner that it is switched off, where an address is known."""
    account = Account.objects.get(pk=account_id)
    known = Customer.objects.filter(account=account, deleted=False).values_list("email", flat=True).first()
    address = account.email or known
    if not address:
        return
    text = render_to_string(f"emails/{letter}.txt", {"account": account, **told})
    try:
        send_mail("Your automatic top-up is switched off", text, None, [address])
    except OSError:
        # The admin says it too; a mail server that is away must not undo it.
        log.exception("The owner of account %s could not be told", account_id)
