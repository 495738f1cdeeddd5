"""The servers start, are shared, survive crashes and stop with their last user."""

import json
import os
import signal
import stat
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.dev.standin import Project, eventually, finish, kill, read_until

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")
WAIT = ("dev.servers", "exec", "--", "sh", "-c", "echo up $DATABASE_URL; read line")

# A share of a parallel test run.
SHARE = """
from dev.servers import servers, servers_of_share
with servers(own=servers_of_share(1)):
    print("up", flush=True)
    input()
"""


def own_by(project: Project, name: str) -> list[int]:
    return sorted(project.processes(name))


class TestServersAreUpForOneCommand:
    def test_it_gets_their_addresses_and_leaves_no_process(self, project: Project) -> None:
        code = "import json, os; print(json.dumps(dict(os.environ)))"

        status, output = project.serve(*project.python, "-c", code)

        environment = json.loads(output)
        assert status == 0
        assert environment["DATABASE_URL"].startswith("postgresql://florin:")
        assert environment["REDIS_URL"].endswith("/0")
        assert environment["ENVIRONMENT"] == "development"
        assert project.processes() == []

    def test_its_status_is_passed_on(self, project: Project) -> None:
        status, _ = project.serve("sh", "-c", "exit 7")

        assert status == 7

    def test_a_signal_reaches_it_and_still_leaves_no_process(self, project: Project) -> None:
        command = project.start("dev.servers", "exec", "--", "sh", "-c", "echo up; exec sleep 600")
        read_until(command, "up")

        status, _ = finish(command, signal.SIGTERM)

        assert status == 128 + signal.SIGTERM
        assert project.processes() == []

    def test_a_signal_to_a_user_without_a_handler_leaves_no_process_either(self, project: Project) -> None:
        code = "import signal, dev.servers\nwith dev.servers.servers():\n print('up', flush=True)\n signal.pause()"
        project.folder.joinpath("user.py").write_text(code)
        user = project.start("user")
        read_until(user, "up")

        finish(user, signal.SIGTERM)

        assert project.processes() == []

    def test_addresses_of_the_environment_win(self, project: Project) -> None:
        given = {
            "DATABASE_URL": "postgresql://elsewhere/florin",
            "REDIS_URL": "redis://elsewhere/1",
            "NATS_URL": "nats://elsewhere",
        }

        _, output = project.serve("sh", "-c", "echo $DATABASE_URL $REDIS_URL $NATS_URL", **given)

        assert output.split() == list(given.values())
        assert not project.state.joinpath("postgres").exists()
        assert not project.state.joinpath("valkey").exists()
        assert not project.state.joinpath("nats").exists()


class TestOtherUsersOfTheMachine:
    def test_have_no_way_in_without_the_password(self, project: Project) -> None:
        command = project.start(*WAIT)
        url = read_until(command, "up").split()[-1]

        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url.replace("florin:", "florin:not"))

        finish(command)

    def test_cannot_read_it(self, project: Project) -> None:
        project.sql("SELECT 1")

        for kept in ("secret-key", "valkey/password", "valkey/valkey.conf"):
            assert stat.S_IMODE(project.state.joinpath(kept).stat().st_mode) == 0o600
        assert stat.S_IMODE(project.state.stat().st_mode) == 0o700

    def test_cannot_connect_from_outside(self, project: Project) -> None:
        settings = "current_setting('listen_addresses') || ';' || current_setting('unix_socket_directories')"
        assert project.sql(f"SELECT {settings}") == "127.0.0.1;"
        assert "bind 127.0.0.1\n" in project.state.joinpath("valkey/valkey.conf").read_text()


class TestTwoUsers:
    def test_the_last_one_out_stops_the_servers(self, project: Project) -> None:
        first = project.start(*WAIT)
        read_until(first, "up")
        second = project.start(*WAIT)
        url = read_until(second, "up").split()[-1]

        finish(first)
        psycopg.connect(url).close()
        finish(second)

        assert project.processes() == []

    def test_a_killed_one_does_not_keep_them_up(self, project: Project) -> None:
        killed = project.start(*WAIT)
        read_until(killed, "up")
        other = project.start(*WAIT)
        read_until(other, "up")

        kill([killed.pid])
        finish(killed)
        finish(other)

        assert own_by(project, "postgres") == own_by(project, "valkey") == []

    @pytest.mark.faults
    def test_what_a_killed_one_left_is_stopped_on_request(self, project: Project) -> None:
        killed = project.start(*WAIT)
        read_until(killed, "up")
        refused, line = project.run("dev.servers", "stop")
        kill([killed.pid])
        finish(killed)

        stopped, _ = project.run("dev.servers", "stop")

        assert (refused, stopped) == (1, 0)
        assert "in use" in line
        assert project.processes() == []

    def test_nor_what_a_killed_share_of_a_test_run_left(self, project: Project) -> None:
        project.folder.joinpath("share.py").write_text(SHARE)
        killed = project.start("share")
        read_until(killed, "up")
        kill([killed.pid])
        finish(killed)
        assert len(own_by(project, "valkey")) == 1

        stopped, _ = project.run("dev.servers", "stop")

        assert (stopped, project.processes()) == (0, [])


class TestAfterACrash:
    def test_killed_servers_start_again_with_their_data(self, project: Project) -> None:
        first = project.start(*WAIT)
        url = read_until(first, "up").split()[-1]
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")

        kill([*project.processes("bin/postgres -D"), *project.processes("valkey-server")])

        assert project.sql("SELECT number FROM kept") == "7"
        finish(first)
        assert project.processes() == []

    def test_a_pid_file_that_names_a_stranger_is_no_obstacle(self, project: Project) -> None:
        project.sql("SELECT 1")
        [data] = project.state.glob("postgres/*/data")
        data.joinpath("postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1700000000\n5432\n\n127.0.0.1\n")

        assert project.sql("SELECT 1") == "1"

    @pytest.mark.faults
    def test_a_port_taken_meanwhile_is_replaced(self, project: Project) -> None:
        project.sql("SELECT 1")
        [remembered] = project.state.glob("postgres/*/port")
        code = "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); print('taken'); input()"
        thief = subprocess.Popen(
            [*project.python, "-uc", code, remembered.read_text()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        read_until(thief, "taken")

        assert project.sql("SELECT 1") == "1"

        finish(thief)

    @pytest.mark.faults
    @pytest.mark.parametrize("attempt", range(5))
    def test_killed_while_writing_nothing_committed_is_lost(self, project: Project, attempt: int) -> None:
        first = project.start(*WAIT)
        url = read_until(first, "up").split()[-1]
        written = 0
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (number int)")
            for number in range(200 * (attempt + 1)):
                connection.execute("INSERT INTO kept VALUES (%s)", [number])
                written += 1
            kill(project.processes("postgres"))

        assert project.sql("SELECT count(*) FROM kept") == str(written)
        finish(first)
        assert eventually(lambda: project.processes() == [])


class TestWhoAndWhere:
    def test_an_ordinary_user_below_a_private_folder(self, project_of_nobody: Project) -> None:
        assert project_of_nobody.sql("SELECT current_user") == "florin"
        assert project_of_nobody.processes() == []

    def test_no_permission_of_a_folder_above_changes(self, project: Project) -> None:
        above = [folder.stat().st_mode for folder in project.folder.parents]

        project.sql("SELECT 1")

        assert [folder.stat().st_mode for folder in project.folder.parents] == above

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root borrows a user")
    def test_root_where_user_namespaces_are_forbidden(self, project: Project, tmp_path: Path) -> None:
        forbidding = tmp_path / "bin"
        forbidding.mkdir()
        forbidding.joinpath("unshare").write_text("#!/bin/sh\nexit 1\n")
        forbidding.joinpath("unshare").chmod(0o755)

        path = f"{forbidding}:{project.environment['PATH']}"

        assert project.sql("SHOW fsync", PATH=path) == "on"
        [elsewhere] = project.state.glob("postgres/*/elsewhere")
        subprocess.run(["rm", "-r", elsewhere.read_text().strip()], check=True)

    @pytest.mark.skipif(not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")), reason="Debian's is not installed")
    def test_the_systems_postgresql_when_there_is_no_wheel(self, project: Project) -> None:
        version = project.sql("SHOW server_version", FLORIN_POSTGRES="system")

        assert version.split(".")[0] in {path.name for path in Path("/usr/lib/postgresql").iterdir()}
        assert project.processes() == []
