"""`make run` comes up, says where, restarts what dies and leaves nothing behind, however it ends."""

import os
import re
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dev import processes
from tests.dev.standin import Project, eventually, finish, kill, read_until

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")
LAST_LINE = "Ctrl-C"


@pytest.fixture
def running(project: Project) -> Iterator["subprocess.Popen[str]"]:
    process = project.start("dev.run")
    read_until(process, LAST_LINE)
    yield process
    if process.poll() is None:
        finish(process, signal.SIGKILL)


class TestItComesUp:
    def test_says_where_and_stops_without_a_trace(self, project: Project) -> None:
        process = project.start("dev.run")

        shown = read_until(process, LAST_LINE)
        was_healthy = project.healthy()
        status, rest = finish(process, signal.SIGINT)

        assert was_healthy
        assert f"http://127.0.0.1:{project.port}/admin/" in shown
        assert re.search(r"user demo, password \S{16}\n", shown)
        assert re.search(r"API key    flr_[a-z0-9]{8}_[A-Za-z0-9_-]{43}\n", shown)
        assert (status, rest.split()[-1]) == (0, "Stopped.")
        assert project.processes() == []

    def test_has_a_gateway_to_try_out_and_keeps_its_port(self, project: Project) -> None:
        addresses = []
        for _ in range(2):
            process = project.start("dev.run", PORTKEY_API_KEY="of-a-real-one")
            read_until(process, LAST_LINE)
            addresses.append(project.gateway())
            key = project.state.joinpath("portkey-key").read_text().strip()
            asked = {"trace_id": "t", "workspace_slug": "demo"}
            told = httpx.get(addresses[-1], params=asked, headers={"x-portkey-api-key": key}).json()
            finish(process, signal.SIGINT)
            assert (told["total"], [row["cost"] for row in told["data"]]) == (2, [0.8, 0.4345])

        assert addresses[0] == addresses[1]
        assert project.processes() == []

    def test_leaves_the_gateway_of_the_environment_alone(self, project: Project) -> None:
        process = project.start("dev.run", PORTKEY_URL="https://portkey.example/v1/logs")
        read_until(process, LAST_LINE)

        shown, stand_ins = project.gateway(), project.processes("fakes.portkey")
        finish(process, signal.SIGINT)

        assert (shown, stand_ins) == ("https://portkey.example/v1/logs", [])

    def test_gives_the_gateway_another_port_when_its_own_is_taken(self, project: Project) -> None:
        project.state.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
            project.state.joinpath("portkey-port").write_text(f"{number}\n")
            process = project.start("dev.run")
            read_until(process, LAST_LINE)
            shown = project.gateway()
            finish(process, signal.SIGINT)

        assert shown != f"http://127.0.0.1:{number}/v1/logs"
        assert shown.startswith("http://127.0.0.1:")

    def test_has_a_stripe_to_try_out_that_remembers(self, project: Project) -> None:
        given, customers, shown = [], [], ""
        for name in ("Ada", "Bob"):
            process = project.start("dev.run", STRIPE_WEBHOOK_SECRET="of-a-real-one")
            shown = read_until(process, LAST_LINE)
            given.append(project.stripe())
            address, key, _ = given[-1]
            with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}) as client:
                client.post("/v1/customers", data={"name": name})
                customers.append([each["name"] for each in client.get("/v1/customers").json()["data"]])
                dashboard = client.get("/dashboard").text
            finish(process, signal.SIGINT)

        assert given[0] == given[1]
        assert (given[0][1][:8], given[0][2][:6]) == ("sk_test_", "whsec_")
        assert customers == [["Ada"], ["Bob", "Ada"]]
        assert f"{given[0][0]}/dashboard" in shown
        assert "Ada" in dashboard
        assert project.processes() == []

    def test_tells_its_stand_ins_to_commands_beside_it(self, project: Project) -> None:
        code = "import os; print(*(os.environ.get(name, '-') for name in ('STRIPE_API_BASE', 'STRIPE_SECRET_KEY',"
        code += "'STRIPE_WEBHOOK_SECRET', 'PORTKEY_WORKSPACE_SLUG')))"

        def beside(**environment: str) -> list[str]:
            return project.serve(*project.python, "-c", code, **environment)[1].split()

        process = project.start("dev.run")
        read_until(process, LAST_LINE)
        given, gave = project.stripe(), beside()
        own = beside(STRIPE_SECRET_KEY="sk_test_own")
        in_production = beside(ENVIRONMENT="production")
        kill([process.pid])
        finish(process)
        after_a_kill = beside()

        assert gave == [*given, "demo"]
        assert own == ["-", "sk_test_own", "-", "demo"]
        assert in_production == after_a_kill == ["-", "-", "-", "-"]

    def test_leaves_the_stripe_of_the_environment_alone(self, project: Project) -> None:
        process = project.start("dev.run", STRIPE_SECRET_KEY="sk_test_own", STRIPE_WEBHOOK_SECRET="whsec_own")
        shown = read_until(process, LAST_LINE)

        given, stand_ins = project.stripe(), project.processes("fakes.stripe")
        finish(process, signal.SIGINT)

        assert (given, stand_ins) == (["", "sk_test_own", "whsec_own"], [])
        assert "/dashboard" not in shown

    def test_is_paid_by_hand_where_that_is_asked_for(self, project: Project) -> None:
        process = project.start("dev.run", STRIPE_STAND_IN="false")
        shown = read_until(process, LAST_LINE)

        given, stand_ins = project.stripe(), project.processes("fakes.stripe")
        finish(process, signal.SIGINT)

        assert (given, stand_ins) == (["", "", ""], [])
        assert "/dashboard" not in shown

    @pytest.mark.faults
    def test_secrets_stay_the_same_and_private(self, project: Project) -> None:
        kept = ("demo-password", "demo-api-key", "secret-key", "portkey-key", "stripe-key", "stripe-webhook-secret")
        texts = []
        for _ in range(2):
            process = project.start("dev.run")
            read_until(process, LAST_LINE)
            finish(process, signal.SIGINT)
            texts.append([project.state.joinpath(name).read_text() for name in kept])

        assert texts[0] == texts[1]
        assert {stat.S_IMODE(project.state.joinpath(name).stat().st_mode) for name in kept} == {0o600}

    @pytest.mark.faults
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
    def test_other_signals_stop_it_too(
        self, project: Project, running: "subprocess.Popen[str]", number: signal.Signals
    ) -> None:
        status, _ = finish(running, number)

        assert status == 0
        assert project.processes() == []

    @pytest.mark.faults
    def test_a_signal_while_it_starts_stops_it(self, project: Project) -> None:
        process = project.start("dev.run")
        read_until(process, "Migrations")

        status, _ = finish(process, signal.SIGTERM)

        assert status == 0
        assert project.processes() == []


class TestItCannotStart:
    def test_a_port_in_use_is_one_line(self, project: Project) -> None:
        with socket.create_server(("127.0.0.1", project.port)):
            status, output = project.run("dev.run")

        assert status == 1
        assert output.count("\n") == 1
        assert output.startswith(f"Port {project.port} is in use by another program")
        assert not project.state.joinpath("postgres").exists()

    def test_a_second_one_is_one_line(self, project: Project, running: "subprocess.Popen[str]") -> None:
        status, output = project.run("dev.run", PORT=str(processes.free_port()))

        assert status == 1
        assert output.count("\n") == 1
        assert f"already running in this folder (process {running.pid}, http://127.0.0.1:{project.port}/)" in output
        assert project.healthy()

    @pytest.mark.parametrize(("name", "value"), [("PORT", "http"), ("PORT", "70000"), ("ENVIRONMENT", "production")])
    def test_a_senseless_environment_is_one_line(self, project: Project, name: str, value: str) -> None:
        status, output = project.run("dev.run", **{name: value})

        assert status == 1
        assert len(output.splitlines()) == 1
        assert output.startswith(name)

    def test_a_failing_migration_is_shown(self, project: Project) -> None:
        status, output = project.run("dev.run", STANDIN_MIGRATE="3")

        assert status == 1
        assert "migrate failed" in output
        assert output.rstrip().endswith("manage.py migrate")
        assert project.processes() == []

    @pytest.mark.faults
    def test_a_web_server_that_cannot_live_ends_it_with_the_reason(self, project: Project) -> None:
        status, output = project.run("dev.run", STANDIN_WEB="no such table")

        assert status == 1
        assert "RuntimeError: no such table" in output
        assert project.processes() == []


class TestSomethingDies:
    def test_a_dead_worker_is_started_again(self, project: Project, running: "subprocess.Popen[str]") -> None:
        assert eventually(lambda: bool(project.processes("config worker")))

        kill(project.processes("config worker"))

        assert "worker was ended by SIGKILL" in read_until(running, "starting it again")
        assert eventually(lambda: bool(project.processes("config worker")))
        finish(running, signal.SIGINT)
        assert project.processes() == []

    def test_a_killed_database_is_started_again(self, project: Project, running: "subprocess.Popen[str]") -> None:
        kill(project.processes("bin/postgres -D"))

        read_until(running, "PostgreSQL started")
        finish(running, signal.SIGINT)
        assert project.processes() == []

    def test_a_killed_supervisor_takes_its_children_along(
        self, project: Project, running: "subprocess.Popen[str]"
    ) -> None:
        kill([running.pid])
        finish(running)

        assert eventually(lambda: not project.processes("config"))
        status, _ = project.run("dev.servers", "stop")
        assert status == 0
        assert project.processes() == []

    @pytest.mark.faults
    def test_a_killed_make_takes_the_supervisor_along(self, project: Project) -> None:
        make = subprocess.Popen(
            ["sh", "-c", '"$1" -m dev.run; true', "sh", *project.python],
            cwd=project.folder,
            env={**project.environment, "MAKELEVEL": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        read_until(make, LAST_LINE)

        _, rest = finish(make, signal.SIGKILL)

        assert rest.rstrip().endswith("Stopped.")
        assert eventually(lambda: project.processes() == [])

    def test_what_survives_even_that_is_ended_at_the_next_start(
        self, project: Project, running: "subprocess.Popen[str]"
    ) -> None:
        leaders = [int(line.split()[0]) for line in project.state.joinpath("children").read_text().splitlines()]
        alive = [pid for pid in leaders if processes.start_time(pid)]
        kill([running.pid])
        # Stopped, they cannot act on the signal that the supervisor's death sends them.
        for pid in alive:
            os.kill(pid, signal.SIGSTOP)
        kill(alive)
        finish(running)

        again = project.start("dev.run")
        read_until(again, LAST_LINE)
        finish(again, signal.SIGINT)

        assert project.processes() == []

    @pytest.mark.faults
    def test_a_stranger_with_a_recorded_pid_is_left_alone(self, project: Project) -> None:
        project.state.mkdir()
        stranger = subprocess.Popen(["sleep", "60"])
        project.state.joinpath("children").write_text(f"{stranger.pid} 1\n")

        process = project.start("dev.run")
        read_until(process, LAST_LINE)
        finish(process, signal.SIGINT)

        assert stranger.poll() is None
        stranger.kill()
        stranger.wait()

    @pytest.mark.faults
    def test_everything_killed_at_once_recovers(self, project: Project, running: "subprocess.Popen[str]") -> None:
        kill([running.pid])
        kill(project.processes())
        finish(running)

        again = project.start("dev.run")
        read_until(again, LAST_LINE)

        assert project.healthy()
        finish(again, signal.SIGINT)
        assert project.processes() == []


class TestAnOrdinaryUser:
    def test_runs_it_below_a_private_folder(self, project_of_nobody: Project) -> None:
        process = project_of_nobody.start("dev.run")

        read_until(process, LAST_LINE)

        assert project_of_nobody.healthy()
        finish(process, signal.SIGINT)
        assert project_of_nobody.processes() == []
