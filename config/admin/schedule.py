"""The schedule in the admin's looks: what beat sends, and how often."""

from __future__ import annotations

from typing import Any

from celery.schedules import ParseException, crontab
from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django_celery_beat import admin as beat
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from kombu.exceptions import OperationalError
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from credits.admin import show
from credits.admin.lookups import Offered

admin.site.unregister([PeriodicTask, IntervalSchedule, CrontabSchedule, SolarSchedule, ClockedSchedule])


class TaskSelect(UnfoldAdminSelectWidget, beat.TaskSelectWidget):  # type: ignore[misc]  # neither has types
    pass


class PeriodicTaskForm(beat.PeriodicTaskForm):  # type: ignore[misc]
    """A row of the schedule. One of the tasks that there are is chosen from a list."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["regtask"].widget = TaskSelect()
        self.fields["task"].widget = UnfoldAdminTextInputWidget()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(Offered, beat.PeriodicTaskAdmin, ModelAdmin):  # type: ignore[misc]
    """The schedule. A job that has no row gets one with the next migrate; one that is there stays as it is."""

    form = PeriodicTaskForm
    date_hierarchy = None
    list_display = ("name", "enabled", "scheduler", "ran", "description")
    list_filter = ("enabled",)
    readonly_fields = ("ran", "crontab_translation")
    fieldsets = tuple(
        (title, {**page, "fields": tuple("ran" if name == "last_run_at" else name for name in page["fields"])})
        for title, page in beat.PeriodicTaskAdmin.fieldsets
    )

    ran = show.moment_of("last_run_at", "Last run")

    @admin.action(description="Run selected tasks now")
    def run_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        """Send them to a worker, if the broker is there to take them."""
        try:
            super().run_tasks(request, queryset)
        except OperationalError:
            messages.error(request, "The broker is away, so nothing was sent. manage.py run_due does without it.")


class TasksInline(TabularInline):  # type: ignore[misc]
    """What uses this schedule."""

    model = PeriodicTask
    fields = readonly_fields = ("name", "task", "enabled")
    can_delete = False
    extra = 0
    show_change_link = True
    verbose_name_plural = "Used by"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ScheduleAdmin(Offered, ModelAdmin):  # type: ignore[misc]
    """How often, for the rows of the schedule to refer to."""

    inlines = (TasksInline,)


class CrontabForm(forms.ModelForm):  # type: ignore[type-arg]
    """When, as cron has it: what Celery cannot read is refused here, and not when it is shown."""

    PARTS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What the page showed at first is sent back to be compared, and is looked up as a file's name.
        if "timezone" in self.fields:
            self.fields["timezone"].show_hidden_initial = False

    def clean(self) -> dict[str, Any]:
        """Ask Celery about each part."""
        data = super().clean() or {}
        for name in self.PARTS:
            try:
                crontab(**{name: data.get(name, "*")})
            except (ParseException, ValueError):
                self.add_error(name, "Celery cannot read that.")
        return data


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(ScheduleAdmin):
    form = CrontabForm
    list_display = ("__str__", "human_readable")
    fields = ("human_readable", "minute", "hour", "day_of_month", "month_of_year", "day_of_week", "timezone")
    readonly_fields = ("human_readable",)


@admin.register(IntervalSchedule, SolarSchedule, ClockedSchedule)
class OtherScheduleAdmin(ScheduleAdmin):
    pass
