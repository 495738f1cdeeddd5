"""Bulk adjustments: a file in, every line checked and shown, applied by a worker, taken back line by line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget

from credits.admin import bulk_approval, show
from credits.admin.bulk_file import read_lines
from credits.admin.forms import ReasonForm
from credits.admin.lists import Bounded
from credits.admin.policies import ReadOnly
from credits.admin.spans import Echo, safe
from credits.models import ApprovalRequest, BulkAdjustment, BulkLine, BulkStatus, LineStatus, Unit
from credits.plan import Actor
from credits.refusals import Refusal
from credits.services import bulk as services
from credits.services import bulk_log, bulk_undo
from credits.services.approvals import waiting_of
from credits.services.bulk_log import record_step
from credits.services.caps import AboveCap, check_cap, lock_day
from credits.services.staff import Told

COLOURS = {
    BulkStatus.CHECKED: "warning",
    BulkStatus.RUNNING: "info",
    BulkStatus.DONE: "success",
    BulkStatus.DISCARDED: "default",
}
MOST_BYTES = 10 * 1024 * 1024
SHOWN = 20


class DropZone(forms.FileInput):
    """Where a file is dropped. unfold's script writes the file's name into a text field beside it."""

    def render(self, *asked: Any, **more: Any) -> SafeString:
        return format_html(
            '<div><div>{}</div><input type="text" hidden disabled></div>', super().render(*asked, **more)
        )


class UploadForm(ReasonForm):
    """The file, and why."""

    file = forms.FileField(
        label="CSV file",
        help_text="Drop it here, or choose it. One account a line: external id, amount, and if you like a note. 50 adds"
        " fifty, -50 takes fifty.",
        widget=DropZone({"class": "f-drop", "accept": ".csv,text/csv"}),
    )
    unit = forms.ModelChoiceField(
        Unit.objects.all(), empty_label=None, initial=settings.DEFAULT_UNIT, widget=UnfoldAdminSelectWidget
    )
    field_order = ("file", "unit", "reason", "note", "ticket")

    def clean_file(self) -> list[services.Asked]:
        """Read the file's lines. Refuses what is no text, or too large."""
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError("The file is larger than 10 MB.")
        try:
            text = file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise forms.ValidationError("The file is no text in UTF-8: save it as CSV UTF-8.") from error
        if "\0" in text:
            raise forms.ValidationError("The file is no CSV.")
        return list(read_lines(text))


@admin.register(BulkAdjustment)
class BulkAdjustmentAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every bulk adjustment, newest first."""

    list_display = ("file", "state", "lines", "done", "refused", "who", "made")
    ordering = ("-id",)
    list_before_template = "admin/credits/bulk/new.html"

    file = show.text_of("file_name", "File")
    who = show.text_of("actor_name", "By")

    @admin.display(description="Status")
    def state(self, row: BulkAdjustment) -> SafeString:
        return show.badge(row.get_status_display(), COLOURS[BulkStatus(row.status)])

    @admin.display(description="Lines")
    def lines(self, row: BulkAdjustment) -> str:
        return f"{row.lines_count:,}"

    @admin.display(description="Done")
    def done(self, row: BulkAdjustment) -> str:
        return f"{row.done_count:,}"

    @admin.display(description="Refused")
    def refused(self, row: BulkAdjustment) -> str:
        return f"{row.refused_count:,}"

    @admin.display(description="Made")
    def made(self, row: BulkAdjustment) -> SafeString | str:
        return show.moment_tag(row.created_at)

    def get_urls(self) -> list[Any]:
        """Add the upload, the report, and the three buttons."""
        wrap = self.admin_site.admin_view
        return [
            path("upload/", wrap(self.upload), name="credits_bulk_upload"),
            path("<int:pk>/report/", wrap(self.report), name="credits_bulk_report"),
            *(path(f"<int:pk>/{name}/", wrap(getattr(self, name)), name=f"credits_bulk_{name}")
              for name in ("confirm", "discard", "undo")),
            *super().get_urls(),
        ]  # fmt: skip

    def upload(self, request: HttpRequest) -> HttpResponse:
        """Take a file, check its lines and show them."""
        _check_may(request)
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            why = services.Why(_actor(request), data["reason"], data["note"], data["ticket"], _request_id(request))
            file: Any = request.FILES["file"]
            name = file.name or "lines.csv"
            try:
                made = services.check_bulk(file_name=name, unit=data["unit"].pk, lines=data["file"], why=why)
            except Refusal as refusal:
                form.add_error("file", refusal.detail)
            else:
                return HttpResponseRedirect(show.page_of(BulkAdjustment, made.pk))
        return TemplateResponse(
            request,
            "admin/credits/bulk/upload.html",
            {**self.admin_site.each_context(request), "title": "Adjust many accounts", "opts": self.opts, "form": form},
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what was asked, how far it is, and what may be done now."""
        row = self.get_object(request, object_id)
        if row is None:
            answer: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return answer
        if request.method != "GET" or not self.has_view_permission(request, row):
            raise PermissionDenied
        ended = row.done_count + row.refused_count
        good = row.lines_count - row.bad_count
        may = request.user.has_perm("credits.bulk_adjust")
        undoable = row.status == BulkStatus.DONE and not row.undoes_id and row.done_count
        waiting = may and row.status == BulkStatus.CHECKED and good
        may_confirm = waiting and row.actor_id == str(request.user.pk)
        waits = waiting_of(bulk=row.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": row.file_name,
            "opts": self.opts,
            "row": row,
            "state": self.state(row),
            "added": show.amount(row.total_added, row.unit_id, signed=True),
            "taken": show.amount(-row.total_taken, row.unit_id, signed=True),
            "good": good,
            "ended": ended,
            "percent": 100 * ended // good if good else 100,
            "running": row.status == BulkStatus.RUNNING,
            "waits": waits,
            "before": services.same_before(row) if row.status == BulkStatus.CHECKED else None,
            "may_confirm": may_confirm and not waits,
            "above_cap": bulk_approval.above_cap(request, row) if may_confirm and not waits else "",
            "of_another": waiting and not may_confirm and not waits,
            "may_discard": may and row.status == BulkStatus.CHECKED,
            "may_undo": may and undoable and not bulk_undo.is_taken_back(row) and not bulk_undo.being_taken_back(row),
            "undone_by": row.undone_by.exclude(status=BulkStatus.DISCARDED).order_by("pk"),
            "wrong": _shown(row, LineStatus.BAD) + _shown(row, LineStatus.REFUSED),
            "lines": _shown(row, LineStatus.READY) or _shown(row, LineStatus.DONE),
        }
        return TemplateResponse(request, "admin/credits/bulk/page.html", context)

    def confirm(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Let the lines be applied; once, however often it is pressed."""
        row = self._posted(request, pk)
        waits = waiting_of(bulk=row.pk)
        if waits is not None:
            messages.info(request, "This was asked for before.")
            return HttpResponseRedirect(show.page_of(ApprovalRequest, waits.pk))
        weight = bulk_approval.weigh(row)
        try:
            services.check_own(row, actor=_actor(request))
            with transaction.atomic():
                lock_day(user=request.user, weight=weight)
                check_cap(user=request.user, weight=weight)
                confirmed = services.confirm_bulk(bulk=row.pk, actor=_actor(request))
                if confirmed:
                    bulk_approval.record_confirmed(
                        row, actor=_actor(request), weight=weight, request_id=_request_id(request)
                    )
        except Refusal as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(show.page_of(BulkAdjustment, row.pk))
        except AboveCap as above:
            return bulk_approval.ask(request, row, str(above))
        if confirmed:
            bulk_approval.nudge()
            messages.success(request, "A worker applies it now.")
        return HttpResponseRedirect(show.page_of(BulkAdjustment, row.pk))

    def discard(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Let the lines never be applied."""
        row = self._posted(request, pk)
        with transaction.atomic():
            discarded = services.discard_bulk(bulk=row.pk)
            if discarded:
                record_step(
                    row, actor=_actor(request), action="discard-bulk", what=f"Discarded {row}.",
                    before=bulk_log.asked(row, BulkStatus.CHECKED), after=bulk_log.asked(row, BulkStatus.DISCARDED),
                    told=Told(request_id=_request_id(request)),
                )  # fmt: skip
        if discarded:
            messages.success(request, "Discarded. Nothing was moved.")
        return HttpResponseRedirect(show.page_of(BulkAdjustment, row.pk))

    def undo(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Prepare the lines that take it back, and show them: nothing moves before they are confirmed."""
        row = self._posted(request, pk)
        try:
            with transaction.atomic():
                made = services.undo_bulk(bulk=row.pk, actor=_actor(request), request_id=_request_id(request))
                record_step(
                    row, actor=_actor(request), action="undo-bulk", what=f"Prepared to take back {row}.",
                    before=bulk_log.done(row), after=bulk_log.asked(made), told=Told(request_id=_request_id(request)),
                )  # fmt: skip
        except Refusal as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(show.page_of(BulkAdjustment, row.pk))
        return HttpResponseRedirect(show.page_of(BulkAdjustment, made.pk))

    def report(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Answer with every line and what became of it, as a file that streams; ?wrong=1 with the wrong ones alone."""
        row = self.get_object(request, str(pk))
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        lines = BulkLine.objects.filter(bulk=row)
        if request.GET.get("wrong"):
            lines = lines.filter(status__in=[LineStatus.BAD, LineStatus.REFUSED])
        answer = StreamingHttpResponse(_report(lines), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="bulk-{row.pk}.csv"'
        return answer

    def _posted(self, request: HttpRequest, pk: int) -> BulkAdjustment:
        _check_may(request)
        if request.method != "POST":
            raise PermissionDenied
        row: BulkAdjustment | None = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        return row


def _check_may(request: HttpRequest) -> None:
    if not (request.user.has_perm("credits.bulk_adjust") and request.user.has_perm("credits.view_bulkadjustment")):
        raise PermissionDenied


def _actor(request: HttpRequest) -> Actor:
    return Actor("staff", str(request.user.pk), request.user.get_username())


def _request_id(request: HttpRequest) -> str:
    return str(request.META.get("florin.request_id", ""))


def _shown(row: BulkAdjustment, status: LineStatus) -> list[dict[str, Any]]:
    lines = BulkLine.objects.filter(bulk=row, status=status).order_by("number")[:SHOWN]
    return [
        {
            "number": line.number,
            "external_id": line.external_id,
            "amount": show.figure(line.amount, row.unit_id, signed=True) if line.amount is not None else show.EMPTY,
            "note": line.note,
            "error": line.error,
        }
        for line in lines
    ]


def _report(lines: Any) -> Iterator[str]:
    writer: Any = csv.writer(Echo())
    yield writer.writerow(("line", "external_id", "amount", "note", "status", "error", "transaction"))
    after = 0
    while part := list(lines.filter(number__gt=after).order_by("number")[:2000]):
        after = part[-1].number
        for line in part:
            yield writer.writerow([
                line.number, safe(line.external_id), line.amount, safe(line.note), line.status, line.error,
                line.movement_id or "",
            ])  # fmt: skip
