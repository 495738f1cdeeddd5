"""PostgreSQL for development: a cluster in the state folder, on loopback, behind a generated password."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psycopg
from psycopg import sql

from . import binaries, processes
from .state import DevError, remembered, write_private

NAME = "florin"
# Added to what initdb writes. fsync stays on: a test that kills the server must mean something.
CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
timezone = 'UTC'
log_timezone = 'UTC'
"""


@dataclass(frozen=True)
class Nobody:
    """An ordinary user that root borrows where it may not open a user namespace."""

    uid: int
    gid: int


class Postgres:
    """One cluster. `folder` keeps its password, port, log and locks; each major version has its own."""

    title = "PostgreSQL"

    def __init__(self, state: Path) -> None:
        found = binaries.postgres_programs()
        self.version = binaries.major_version(found)
        self.folder = state / "postgres" / str(self.version)
        self.folder.parent.mkdir(mode=0o700, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._found = found

    @property
    def url(self) -> str:
        """The address, with the password in it."""
        return f"postgresql://{NAME}:{self._password}@127.0.0.1:{self._port}/{NAME}"

    def running(self) -> bool:
        """Return whether the postmaster of this very data folder lives."""
        pid = self._recorded_pid()
        # A reused pid is alive too, but does not live in our data folder.
        return pid is not None and processes.lives_in(pid, self.data)

    def start(self) -> None:
        """Start the cluster, creating it on first use; raises DevError with the log's last lines when it refuses.

        Call it with the folder's change lock held. It recovers from a killed server and from a stale pid file.
        """
        if not self.data.exists():
            self._create()
        self._clear_remains()
        for _ in range(3):
            if not processes.port_comes_free(self._port):
                self._move()
            if self._control("start", "-w", "-t", "60", "-l", self.log, "-o", f"-p {self._port}"):
                return
            if "could not bind" not in self._tail():
                break
            self._move()
        raise DevError(f"PostgreSQL does not start. The end of {self.log}:\n{self._tail()}")

    def stop(self) -> None:
        """Stop the cluster, breaking its connections; what was committed stays."""
        if not self._control("stop", "-m", "fast", "-w", "-t", "30"):
            # Its start may have been interrupted before it wrote its pid down.
            processes.end(self._living(), seconds=5, sig=signal.SIGQUIT)

    @cached_property
    def programs(self) -> Path:
        """The folder of programs, copied to where the borrowed user can read it when it cannot read the original."""
        if self._borrowed is None or self._reaches(self._found):
            return self._found
        copy = self._reachable / "programs"
        if not copy.exists():
            draft = self._reachable / f".programs.{secrets.token_hex(4)}"
            shutil.copytree(self._found.parent, draft, symlinks=True)
            draft.rename(copy)
        return copy / self._found.name

    @cached_property
    def data(self) -> Path:
        """The cluster, complete since it has this name."""
        return (self.folder if self._borrowed is None else self._reachable) / "data"

    @cached_property
    def log(self) -> Path:
        """The file that the server writes to."""
        return self.data.with_name("log")

    @cached_property
    def _prefix(self) -> list[str]:
        """What stands before a command so that root is not root: PostgreSQL's programs refuse it.

        A user namespace needs no permission changed anywhere. It is tried on the folders really used, since inside it
        root's right to enter other people's folders is gone.
        """
        if os.geteuid() != 0:
            return []
        prefix = ["unshare", "-U", "--map-user=65534", "--map-group=65534"]
        question: list[str | Path] = [
            "sh",
            "-c",
            'test -x "$1" && test -w "$2"',
            "sh",
            self._found / "postgres",
            self.folder,
        ]
        try:
            answer = subprocess.run([*prefix, *question], stderr=subprocess.DEVNULL, check=False)
        except FileNotFoundError:
            return []
        return prefix if answer.returncode == 0 else []

    @cached_property
    def _borrowed(self) -> Nobody | None:
        if os.geteuid() != 0 or self._prefix:
            return None
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                user = pwd.getpwnam(name)
                return Nobody(user.pw_uid, user.pw_gid)
        raise DevError("PostgreSQL refuses to run as root, and there is no user to lend it: set DATABASE_URL.")

    @cached_property
    def _reachable(self) -> Path:
        """A folder that the borrowed user can enter, remembered because its name must not be guessable."""
        assert self._borrowed is not None
        place = Path(remembered(self.folder / "elsewhere", lambda: f"/var/tmp/florin-{secrets.token_hex(8)}"))
        place.mkdir(mode=0o700, exist_ok=True)
        os.chown(place, self._borrowed.uid, self._borrowed.gid)
        return place

    @property
    def _password(self) -> str:
        return remembered(self.folder / "password", lambda: secrets.token_urlsafe(24))

    @property
    def _port(self) -> int:
        return int(remembered(self.folder / "port", lambda: str(processes.free_port())))

    def _move(self) -> None:
        write_private(self.folder / "port", str(processes.free_port()))

    def _run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command: Sequence[str | Path] = [*self._prefix, self.programs / program, *arguments]
        borrowed = self._borrowed
        return subprocess.run(
            command,
            # A session of its own: Ctrl-C reaches whoever asked, never a half-made cluster.
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd="/",
            env={key: value for key, value in os.environ.items() if not key.startswith("PG")},
            check=False,
            user=borrowed.uid if borrowed else None,
            group=borrowed.gid if borrowed else None,
            extra_groups=[] if borrowed else None,
        )

    def _control(self, *arguments: str | Path) -> bool:
        return self._run("pg_ctl", "-s", "-D", self.data, *arguments).returncode == 0

    def _create(self) -> None:
        draft = self.data.with_name(f"draft.{secrets.token_hex(4)}")
        password = self.data.with_name("initial-password")
        write_private(password, self._password)
        if self._borrowed:
            os.chown(password, self._borrowed.uid, self._borrowed.gid)
        for left_over in draft.parent.glob("draft.*"):
            shutil.rmtree(left_over)
        done = self._run(
            "initdb",
            "-D",
            draft,
            "-U",
            NAME,
            "-A",
            "scram-sha-256",
            f"--pwfile={password}",
            "-E",
            "UTF8",
            *self._locale,
        )
        password.unlink()
        if done.returncode != 0:
            raise DevError(f"initdb failed:\n{done.stderr.strip()}")
        with draft.joinpath("postgresql.conf").open("a") as configuration:
            configuration.write(CONFIGURATION)
        # Only a finished cluster gets the name that later starts believe in.
        draft.rename(self.data)

    @property
    def _locale(self) -> list[str]:
        if self.version >= 17:
            return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        return ["--locale=C.UTF-8" if os.uname().sysname == "Linux" else "--locale=C"]

    def ready(self) -> None:
        """Wait until the cluster answers, and make sure of the database: whoever started it may have been killed."""
        if not processes.wait_until(self._has_database, 60):
            raise DevError(f"PostgreSQL runs but does not answer. The end of {self.log}:\n{self._tail()}")

    def _has_database(self) -> bool:
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            with contextlib.suppress(psycopg.OperationalError):
                self._create_database()
            return False
        return True

    def _create_database(self) -> None:
        with psycopg.connect(self.url.rpartition("/")[0] + "/postgres", autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))

    def _living(self) -> list[int]:
        return processes.living_in(self.data, "postgres")

    def _clear_remains(self) -> None:
        """Wait for the orphans of a killed postmaster, then drop a pid file that points at nobody of ours."""
        if not processes.wait_until(lambda: not self._living(), 5):
            processes.end(self._living(), seconds=5, sig=signal.SIGQUIT)
        if processes.PROC.is_dir() and not self._living():
            self.data.joinpath("postmaster.pid").unlink(missing_ok=True)

    def _recorded_pid(self) -> int | None:
        try:
            return int(self.data.joinpath("postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None

    def _reaches(self, folder: Path) -> bool:
        assert self._borrowed is not None
        answer = subprocess.run(
            ["test", "-x", folder / "postgres"],
            user=self._borrowed.uid,
            group=self._borrowed.gid,
            extra_groups=[],
            check=False,
        )
        return answer.returncode == 0

    def _tail(self) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])
        except OSError:
            return "(no log)"
