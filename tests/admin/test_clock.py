"""The clock in the admin: what ran, and the schedule that staff edits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from kombu.exceptions import OperationalError

from config.celery import app
from credits.models import RunBy, StaffAct, TaskRun
from credits.services.runs import Done, run_job
from tests.admin.conftest import Desk, text
from tests.factories import give, make_account
from tests.processes import celery, until

SCHEDULES = ("periodictask", "intervalschedule", "crontabschedule", "solarschedule", "clockedschedule")


def ran(job: str, **what: object) -> TaskRun:
    """Keep a run that began an hour ago, unless said."""
    now = timezone.now()
    values = {"started_at": now - timedelta(hours=1), "finished_at": now, "kind": RunBy.WORKER, **what}
    return TaskRun.objects.create(job=job, **values)


class TestRuns:
    def test_the_list_opens_with_the_last_run_of_each_job(self, dave: Desk) -> None:
        ran("expire_lots", done=111_111)
        run_job("expire_lots", lambda: Done(1234, "2 busy accounts"))
        run_job("audit_books", lambda: 0)

        page = text(dave.get("credits/taskrun/"))

        assert "1,234" in page
        assert "2 busy accounts" in page
        assert "Audit books" in page
        assert "111,111" not in page

    @pytest.mark.parametrize("query", ["?runs=all", "?q=expire+lots", "?q=expire_lots"])
    def test_earlier_runs_are_found(self, dave: Desk, query: str) -> None:
        ran("expire_lots", done=111_111)
        ran("expire_lots", done=222_222)

        page = text(dave.get(f"credits/taskrun/{query}"))

        assert "111,111" in page
        assert "222,222" in page

    def test_failures_are_found(self, dave: Desk) -> None:
        ran("expire_lots", error="RuntimeError: out of paper")
        ran("expire_lots", done=333_333)

        page = text(dave.get("credits/taskrun/?runs=failed"))

        assert "out of paper" in page
        assert "333,333" not in page

    @pytest.mark.parametrize(
        ("hours", "finished", "error", "state"),
        [(1, True, "", "Done"), (1, True, "E: x", "Failed"), (1, False, "", "Running"), (7, False, "", "Cut off")],
    )
    def test_a_run_says_how_it_stands(self, dave: Desk, hours: int, finished: bool, error: str, state: str) -> None:
        now = timezone.now()
        run = ran(
            "expire_lots",
            started_at=now - timedelta(hours=hours),
            finished_at=now if finished else None,
            error=error,
        )

        assert state in text(dave.get(f"credits/taskrun/{run.pk}/change/"))
        assert state in text(dave.get("credits/taskrun/"))


class TestTheSchedule:
    @pytest.mark.parametrize("model", SCHEDULES)
    def test_each_page_opens(self, dave: Desk, model: str) -> None:
        assert dave.get(f"django_celery_beat/{model}/").status_code == 200
        assert dave.get(f"django_celery_beat/{model}/add/").status_code == 200

    def test_each_row_opens(self, dave: Desk) -> None:
        for model in (PeriodicTask, IntervalSchedule, CrontabSchedule):
            # An interval that no task has any more tells of none.
            rows = model.objects.all() if model is PeriodicTask else model.objects.filter(periodictask__isnull=False)
            for row in rows.distinct():
                page = text(dave.get(f"django_celery_beat/{model._meta.model_name}/{row.pk}/change/"))
                assert "florin." in page

    def test_the_sidebar_leads_there(self, dave: Desk) -> None:
        page = text(dave.get(""))

        for path in ("credits/taskrun", "django_celery_beat/periodictask", "django_celery_beat/crontabschedule"):
            assert f'href="/admin/{path}/"' in page

    def test_staff_changes_how_often(self, dave: Desk) -> None:
        row = PeriodicTask.objects.get(task="florin.expire_lots")
        hourly, _ = IntervalSchedule.objects.get_or_create(every=1, period="hours")

        answer = dave.post(
            f"django_celery_beat/periodictask/{row.pk}/change/",
            name=row.name, regtask=row.task, task=row.task, enabled="on", interval=str(hourly.pk), args="[]",
            kwargs="{}", headers="{}", expire_seconds="3600",
        )  # fmt: skip

        assert answer.status_code == 302, text(answer)
        row.refresh_from_db()
        assert (row.interval, row.enabled, row.task) == (hourly, True, "florin.expire_lots")

    def test_a_run_now_without_a_broker_says_so(self, dave: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_args: object, **_options: object) -> None:
            raise OperationalError("connection refused")

        monkeypatch.setattr("celery.app.task.Task.apply_async", away)
        row = PeriodicTask.objects.get(task="florin.expire_lots")

        answer = dave.client.post(
            "/admin/django_celery_beat/periodictask/",
            {"action": "run_tasks", "_selected_action": [row.pk]},
            follow=True,
        )

        assert "The broker is away" in text(answer)

    def test_those_without_the_permission_see_nothing_of_it(self, eve: Desk) -> None:
        for path in ("credits/taskrun", *(f"django_celery_beat/{model}" for model in SCHEDULES)):
            assert eve.get(f"{path}/").status_code == 403
        assert "django_celery_beat" not in text(eve.get(""))


class TestAJob:
    def test_is_run_from_the_page_of_a_run(self, committed: None) -> None:
        past = timezone.now() - timedelta(hours=2)
        bob = make_account(external_id="bob", at=past - timedelta(hours=1))
        give(bob, 50, at=past, expires_at=past + timedelta(hours=1))
        lea = Desk("lea", "view_taskrun", "run_job")
        row = TaskRun.objects.create(job="expire_lots", kind="worker", started_at=past, error="It broke")
        button = f"credits/taskrun/{row.pk}/run/"
        assert "Run expire lots now?" in text(lea.get(button))
        page = text(lea.get(f"credits/taskrun/{row.pk}/change/"))
        assert "Expire lots" in page
        assert "expire_lots" not in page

        with celery("worker", "--pool", "solo"):
            answer = lea.client.post(f"/admin/{button}", follow=True)
            until(lambda: TaskRun.objects.filter(job="expire_lots", done=1).exists(), "It was not run.")

        assert "It is sent to a worker" in text(answer)
        bob.refresh_from_db()
        assert bob.balance == 0
        act = StaffAct.objects.get(action="run-job")
        assert (act.actor_name, act.what) == ("lea", "Had expire lots run.")

    def test_that_is_gone_or_without_a_broker_is_not_sent(self, dave: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_args: object, **_options: object) -> None:
            raise OperationalError("connection refused")

        monkeypatch.setattr(app, "send_task", away)
        for job, said in (("expire_lots", "The broker is away"), ("brew_coffee", "There is no such job any more.")):
            row = TaskRun.objects.create(job=job, kind="worker", started_at=timezone.now())
            assert said in text(dave.client.post(f"/admin/credits/taskrun/{row.pk}/run/", follow=True))
        assert not StaffAct.objects.filter(action="run-job").exists()
