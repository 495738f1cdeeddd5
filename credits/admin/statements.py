"""An account's statement: to print, as CSV, and by e-mail to its owner."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from smtplib import SMTPException
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.mail import EmailMessage
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils import timezone

from credits import refusals
from credits.admin import desk, show
from credits.admin.confirmation import Confirmation, digest
from credits.admin.previews import Change
from credits.admin.spans import DaysForm, Echo, midnight, safe
from credits.admin.verbs import Verb
from credits.models import Account, AccountStatus, Transaction, TransactionKind
from credits.models.memo import ActorKind, Reason
from credits.queries import balance_before, statement
from credits.services.once import Once
from credits.texts import one_line

# A page to print, or a letter, tells so many movements; the file tells all.
MOST_PRINTED = 1000
# Movements that the service itself describes, whoever caused them.
OURS = {TransactionKind.PLAN, TransactionKind.TRIAL}
COLUMNS = (
    "recorded_at", "sequence", "kind", "amount", "balance_after", "debt", "feature", "description", "reference_id",
    "pk", "actor_kind", "reason",
)  # fmt: skip
HEADER = (
    "when", "number", "kind", "amount", "balance_after", "debt", "feature", "description", "reference", "transaction",
)  # fmt: skip


def usual() -> dict[str, date]:
    """Return the last thirty days."""
    today = timezone.now().date()
    return {"since": today - timedelta(days=29), "until": today}


def span(data: dict[str, Any]) -> tuple[datetime, datetime]:
    """Return the moments between which a statement tells, in UTC."""
    since, until = data["since"], data["until"] + timedelta(days=1)
    return midnight(since), midnight(until)


def context(account: Account, data: dict[str, Any]) -> dict[str, Any]:
    """Return what a statement prints."""
    since, until = span(data)
    rows = list(statement(account.pk, since=since, until=until)[: MOST_PRINTED + 1])
    before = balance_before(account.pk, since=since, after=0)
    after = balance_before(account.pk, since=until, after=0)
    unit = account.unit_id
    return {
        "account": account,
        "unit": unit,
        "since": data["since"],
        "until": data["until"],
        "before": show.amount(before, unit),
        "after": show.amount(after, unit),
        "change": show.amount(after - before, unit, signed=True),
        "rows": [_line(row, unit) for row in rows[:MOST_PRINTED]],
        "more": len(rows) > MOST_PRINTED,
    }


def _line(row: Transaction, unit: str) -> dict[str, str]:
    return {
        "when": show.moment(row.recorded_at),
        "what": one_line(words_of(row.kind, row.actor_kind, row.reason, row.description))
        or one_line(row.feature)
        or row.get_kind_display(),
        "kind": row.get_kind_display(),
        "amount": show.amount(row.amount, unit, signed=True),
        "balance": show.amount(row.balance_after, unit),
        "debt": show.amount(row.debt, unit, signed=True) if row.debt else "",
    }


# What says nothing, and what is suspected: neither is for the account's owner.
UNTOLD = {Reason.OTHER, Reason.FRAUD}


def words_of(kind: str, actor: str, reason: str, description: str) -> str:
    """Return what a movement's owner is told of why. What staff noted is for staff: of that the reason alone."""
    if actor != ActorKind.STAFF or kind in OURS:
        return description
    return "" if reason in UNTOLD else dict(Reason.choices).get(reason, "")


def page(request: HttpRequest, account: Account) -> HttpResponseBase:
    """Answer with a statement to print; with ?format=csv as a file that streams. A wrong span is told, with 400."""
    if not request.user.has_perm("credits.view_transaction"):
        raise PermissionDenied
    form = DaysForm(request.GET if {"since", "until"} & request.GET.keys() else usual())
    shown = {"form": form, "title": "Statement", "account": account}
    if not form.is_valid():
        return TemplateResponse(request, "admin/credits/statement.html", shown, status=400)
    data = form.cleaned_data
    if request.GET.get("format") == "csv":
        answer = StreamingHttpResponse(lines(account, data), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="statement-{data["since"]}-{data["until"]}.csv"'
        return answer
    return TemplateResponse(request, "admin/credits/statement.html", {**shown, **context(account, data)})


def lines(account: Account, data: dict[str, Any]) -> Iterator[str]:
    """Yield a statement as CSV, a slice of movements at a time: memory does not grow with it."""
    writer: Any = csv.writer(Echo())
    yield writer.writerow(HEADER)
    since, until = span(data)
    after, unit = 0, account.unit_id
    while rows := list(statement(account.pk, since=since, until=until, after=after).values_list(*COLUMNS)[:2000]):
        after = rows[-1][1]
        yield "".join(
            writer.writerow(
                [at.isoformat(), number, kind, *(show.written(each, unit) for each in amounts),
                 safe(feature), safe(words_of(kind, actor, reason, words)), safe(reference), pk]
            )
            for at, number, kind, *amounts, feature, words, reference, pk, actor, reason in rows
        )  # fmt: skip


class SendStatement(Verb):
    path, title, permission = "send-statement", "Send a statement", "send_statement"
    does = "Sends the movements of these days to the account's e-mail address."
    form_class = DaysForm
    statuses = set(AccountStatus)

    def form(self, data: Any = None) -> forms.Form:
        return DaysForm(data, initial=usual())

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        return digest([self.account.email])

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        if not self.account.email:
            raise refusals.InvalidField("email", "The account has no e-mail address: edit it first.")
        told = context(self.account, data)
        count = f"more than {MOST_PRINTED:,}" if told["more"] else f"{len(told['rows']):,}"
        return [
            Change("Sent to", show.EMPTY, self.account.email),
            Change("Movements", show.EMPTY, count),
            Change("Balance", told["before"], told["after"]),
        ]

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        once.record(once.answer_to(None))
        return self.account.email

    def confirmed(self, given: Confirmation, data: dict[str, Any]) -> Any:
        """Note that it is sent, then send it: a letter is lost rather than sent twice."""
        done = super().confirmed(given, data)
        if done:
            subject = f"Your statement from {data['since']} to {data['until']}"
            text = render_to_string("mail/statement.txt", context(self.account, data))
            try:
                EmailMessage(subject, text, to=[self.account.email]).send()
            except (OSError, SMTPException) as error:
                raise refusals.InvalidField("email", "The mail server did not take it. Try again later.") from error
        return done

    def because(self, data: dict[str, Any]) -> str:
        return f"{data['since']} to {data['until']}"

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"Sent a statement to {done}."


desk.register(desk.Button(SendStatement, "forward_to_inbox", "More", place=10))
