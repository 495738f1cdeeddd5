"""The schedule is rows: made where they are missing, and staff's from then on. And a pass without any schedule."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from celery.schedules import crontab
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from config import clock
from config.celery import app
from config.clock import JOBS
from credits.jobs import Job
from credits.models import Account, TaskRun
from credits.services import expiry
from tests.concurrency.test_locks import somebody_holds
from tests.factories import give, hold, make_account

MINUTE = timedelta(minutes=1)


def command(name: str, *arguments: str) -> tuple[int, str]:
    """Run a command. Returns its exit status and what it printed."""
    printed = StringIO()
    try:
        call_command(name, *arguments, stdout=printed)
    except SystemExit as stopped:
        return int(str(stopped.code)), printed.getvalue()
    return 0, printed.getvalue()


@pytest.mark.usefixtures("database")
class TestTheSchedule:
    def test_every_job_has_its_task_and_its_row(self) -> None:
        rows = {row.task: row for row in PeriodicTask.objects.all()}
        # As a worker does when it starts.
        app.loader.import_default_modules()

        assert {job.task for job in JOBS.values()} == set(rows)
        assert set(rows) <= set(app.tasks)
        for job in JOBS.values():
            row = rows[job.task]
            assert (row.enabled, row.description) == (True, f"{job.says}.")
            if isinstance(job.every, timedelta):
                assert row.schedule.run_every == job.every
                assert row.expire_seconds == job.every.total_seconds()
            else:
                assert row.schedule == job.every

    def test_a_row_that_is_missing_is_made_with_the_next_migrate(self) -> None:
        PeriodicTask.objects.filter(task="florin.audit_books").delete()

        call_command("migrate", verbosity=0)

        assert PeriodicTask.objects.get(task="florin.audit_books").crontab.hour == "3"
        assert clock.keep_schedule() == []

    def test_what_staff_edited_stays(self) -> None:
        hourly, _ = IntervalSchedule.objects.get_or_create(every=1, period="hours")
        PeriodicTask.objects.filter(task="florin.expire_lots").update(
            name="Lots, hourly", interval=hourly, enabled=False, description="Ask Carol", expire_seconds=None
        )

        call_command("migrate", verbosity=0)

        row = PeriodicTask.objects.get(task="florin.expire_lots")
        assert (row.name, row.interval, row.enabled, row.description) == ("Lots, hourly", hourly, False, "Ask Carol")

    def test_nights_share_a_row_and_odd_seconds_have_one(self) -> None:
        assert clock._when(crontab(hour="3", minute="0")) == {"crontab": CrontabSchedule.objects.get(hour="3")}
        assert str(clock._when(timedelta(seconds=90))["interval"]) == "every 90 seconds"


@pytest.mark.usefixtures("database")
class TestCheckClock:
    def test_is_content_while_beat_sends(self) -> None:
        PeriodicTask.objects.update(last_run_at=timezone.now(), date_changed=timezone.now())

        assert command("check_clock") == (0, "Beat sends what it should.\n")

    def test_names_what_was_not_sent(self) -> None:
        PeriodicTask.objects.update(last_run_at=timezone.now())
        PeriodicTask.objects.filter(name="expire_lots").update(last_run_at=timezone.now() - 12 * MINUTE)

        status, printed = command("check_clock")

        assert (status, printed) == (1, "Not sent for too long: expire_lots. Is beat running?\n")

    def test_leaves_out_what_staff_switched_off(self) -> None:
        PeriodicTask.objects.update(last_run_at=timezone.now() - 12 * MINUTE, enabled=False)

        assert command("check_clock")[0] == 0


class TestRunDue:
    def test_does_everything_and_says_so(self, committed: None) -> None:
        past = timezone.now() - timedelta(hours=2)
        account = make_account(at=past)
        give(account, 50, at=past, expires_at=past + MINUTE)
        give(account, 5, at=past)
        hold(account, 5, at=past, lasting=MINUTE)

        status, printed = command("run_due")

        assert status == 0
        # One touch settles all that is due on an account; its four movements are then summed.
        done = dict(line.split()[:2] for line in printed.splitlines())
        assert done == {**dict.fromkeys(JOBS, "0"), "expire_lots": "1", "roll_up_statistics": "1"}
        assert list(TaskRun.objects.values_list("kind", flat=True)) == ["command"] * len(JOBS)
        assert Account.objects.get().balance == 5

    def test_does_one_alone(self, database: None) -> None:
        status, printed = command("run_due", "--only", "time_out_holds", "--only", "expire_lots")

        assert (status, [line.split()[0] for line in printed.splitlines()]) == (0, ["time_out_holds", "expire_lots"])

    def test_names_the_jobs_there_are(self, database: None) -> None:
        with pytest.raises(CommandError, match="choose from 'expire_lots', 'time_out_holds'"):
            call_command("run_due", "--only", "nonsense")

    def test_one_that_fails_keeps_no_other_from_it(self, committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
        def breaks() -> int:
            raise RuntimeError("out of paper")

        broken = {**JOBS, "expire_lots": Job("expire_lots", "Breaks", MINUTE, breaks)}
        monkeypatch.setattr("config.management.commands.run_due.JOBS", broken)

        status, printed = command("run_due")

        assert status == 1
        assert "expire_lots          FAILED  RuntimeError: out of paper\n" in printed
        assert len(printed.splitlines()) == len(JOBS)
        assert TaskRun.objects.get(job="expire_lots").error == "RuntimeError: out of paper"


def test_a_busy_account_is_left_to_the_next_run(committed: None) -> None:
    past = timezone.now() - timedelta(hours=2)
    accounts = [make_account(at=past) for _ in range(3)]
    for account in accounts:
        give(account, 50, at=past, expires_at=past + MINUTE)

    with somebody_holds(accounts[0]):
        done = expiry.expire_due_lots()

    assert (done, done.detail) == (2, "1 busy accounts are left to the next run")
    assert expiry.expire_due_lots() == 1
