"""What the clock's jobs did, and when each last ran."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from celery import current_app
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from kombu.exceptions import OperationalError
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter

from credits.admin import show
from credits.admin.asking import ask
from credits.admin.buttons import button
from credits.admin.lists import Bounded, Days
from credits.admin.logged import actor_of, request_id
from credits.admin.policies import ReadOnly
from credits.models import TaskRun
from credits.services.staff import Told, record_act

Page = tuple[str | None, dict[str, Any]]
# No job takes as long: one that has neither ended nor failed by then was cut off.
LONGEST = timedelta(hours=6)


class Which(DropdownFilter):  # type: ignore[misc]
    """The last run of each job, unless others are asked for."""

    title = "runs"
    parameter_name = "runs"
    all_option = ("", "Last of each job")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("all", "All"), ("failed", "Failed"), ("failed-lately", "Failed in a day")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> QuerySet[TaskRun]:
        if self.value() == "failed":
            return queryset.exclude(error="")
        if self.value() == "failed-lately":
            return failed_lately(queryset)
        # Who looks for a job wants its history.
        if self.value() == "all" or request.GET.get("q"):
            return queryset
        last = TaskRun.objects.order_by("job", "-started_at", "-id").distinct("job")
        return queryset.filter(pk__in=last.values("pk"))


def failed_lately(runs: QuerySet[TaskRun]) -> QuerySet[TaskRun]:
    """Return the runs of a day that failed."""
    return runs.filter(started_at__gte=timezone.now() - timedelta(days=1)).exclude(error="")


def state_of(row: TaskRun) -> SafeString:
    """Return what became of a run, as a label."""
    if row.error:
        return show.badge("Failed", "danger")
    if row.finished_at:
        return show.badge("Done", "success")
    return (
        show.badge("Running", "info") if row.started_at > timezone.now() - LONGEST else show.badge("Cut off", "warning")
    )


@admin.register(TaskRun)
class TaskRunAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every run of thirty days, newest first. The list opens with the last run of each job."""

    list_display = ("which", "started", "took", "did", "state", "said", "kind")
    list_display_links = ("which",)
    list_filter = (Which, ("started_at", Days))
    search_fields = ("job",)
    search_help_text = "The name of a job, for all of its runs."
    ordering = ("-started_at", "-id")
    actions_detail = ("run",)
    fieldsets: Sequence[Page] = (
        (None, {"fields": ("which", "state", "did", "detail", "error")}),
        ("Time", {"fields": ("started_exactly", "finished_exactly", "took", "kind")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: TaskRun | None = None) -> list[str]:
        return [name for _, page in self.fieldsets for name in page["fields"]]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[TaskRun], search_term: str
    ) -> tuple[QuerySet[TaskRun], bool]:
        name = search_term.strip().replace("\x00", "").replace(" ", "_").lower()
        return (queryset.filter(job=name) if name else queryset), False

    def has_run_job_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whoever has the permission may have jobs run."""
        return request.user.has_perm("credits.run_job")

    @button("Run now", path="run", icon="replay", permission="run_job")
    def run(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then have a worker run the job, as the clock would."""
        row = self.get_object(request, object_id)
        if row is None:
            answer: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return answer
        name, task = row.job.replace("_", " "), f"florin.{row.job}"
        if request.method != "POST":
            explained = "A worker does what is due, as it does when the clock calls. Nothing is done twice."
            return ask(self, request, title=f"Run {name} now", explained=explained, back=show.page_of(TaskRun, row.pk))
        if task not in current_app.tasks:
            messages.error(request, "There is no such job any more.")
            return HttpResponseRedirect(show.page_of(TaskRun, row.pk))
        try:
            current_app.send_task(task, retry=False)
        except (OperationalError, OSError):
            messages.error(
                request, f"The broker is away, so nothing was sent. manage.py run_due --only {row.job} does it."
            )
            return HttpResponseRedirect(show.page_of(TaskRun, row.pk))
        told = Told(subject=f"Job {row.job}", request_id=request_id(request))
        record_act(actor=actor_of(request), action="run-job", what=f"Had {name} run.", told=told)
        messages.success(request, "It is sent to a worker, and stands here as it begins: reload to see how it goes.")
        return HttpResponseRedirect(f"{reverse('admin:credits_taskrun_changelist')}?q={row.job}")

    @admin.display(description="Job")
    def which(self, row: TaskRun) -> str:
        return str(row)

    @admin.display(description="Started")
    def started(self, row: TaskRun) -> SafeString | str:
        return show.moment_tag(row.started_at)

    @admin.display(description="Started")
    def started_exactly(self, row: TaskRun) -> SafeString | str:
        return show.exactly(row.started_at)

    @admin.display(description="Finished")
    def finished_exactly(self, row: TaskRun) -> SafeString | str:
        return show.exactly(row.finished_at)

    @admin.display(description="Took")
    def took(self, row: TaskRun) -> str:
        return f"{(row.finished_at - row.started_at).total_seconds():.2f} s" if row.finished_at else show.EMPTY

    @admin.display(description="Did")
    def did(self, row: TaskRun) -> SafeString | str:
        return format_html('<span class="f-figure">{}</span>', f"{row.done:,}") if row.finished_at else show.EMPTY

    @admin.display(description="State")
    def state(self, row: TaskRun) -> SafeString:
        return state_of(row)

    @admin.display(description="Worth knowing")
    def said(self, row: TaskRun) -> SafeString:
        return format_html('<span class="f-clip">{}</span>', row.error or row.detail or show.EMPTY)
