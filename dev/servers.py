"""Find or start the servers the service needs, and share them between the commands that use them.

`DATABASE_URL` and `REDIS_URL` in the environment win: nothing is started then. Otherwise each server lives in the state
folder, and each user of it holds a shared lock on `users.lock` there for as long as it runs. Whoever leaves last stops
the server, so it does not matter who started it; a killed user lets go of its lock by dying.

    python -m dev.servers exec -- COMMAND …     runs COMMAND with the servers up and their addresses in its environment
"""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from .postgres import Postgres
from .state import DevError, locked, state_folder
from .valkey import Valkey

Say = Callable[[str], None]


class Server(Protocol):
    """What sharing needs to know of a server."""

    title: str
    folder: Path

    @property
    def url(self) -> str: ...
    def running(self) -> bool: ...
    def start(self) -> None: ...
    def ready(self) -> None: ...
    def stop(self) -> None: ...


KINDS: dict[str, Callable[[Path], Server]] = {"DATABASE_URL": Postgres, "REDIS_URL": Valkey}


@contextmanager
def servers(say: Say = lambda line: None) -> Iterator[dict[str, str]]:
    """Yield the addresses of running servers as environment variables, and let go of the servers afterwards.

    Raises DevError when a server cannot be found or started.
    """
    with ExitStack() as stack:
        addresses = {}
        for variable, kind in KINDS.items():
            addresses[variable] = os.environ.get(variable) or stack.enter_context(shared(kind(state_folder()), say))
        yield addresses


@contextmanager
def shared(server: Server, say: Say = lambda line: None) -> Iterator[str]:
    """Yield the address of `server`, which runs at least until the last of its users has left."""
    with server.folder.joinpath("users.lock").open("a") as users:
        try:
            with locked(server.folder / "change.lock"):
                fcntl.flock(users, fcntl.LOCK_SH)
                _ensure(server, say)
            yield server.url
        finally:
            with locked(server.folder / "change.lock"):
                # Explicit, because a forked child that outlives us would keep the lock with its copy of the file.
                fcntl.flock(users, fcntl.LOCK_UN)
                if _unused(server):
                    server.stop()


def revive(say: Say) -> None:
    """Start again those of our servers that died, at their old addresses. For a user of the servers, between two looks."""
    for variable, kind in KINDS.items():
        if os.environ.get(variable):
            continue
        server = kind(state_folder())
        if not server.running():
            with locked(server.folder / "change.lock"):
                _ensure(server, say)


def _ensure(server: Server, say: Say) -> None:
    if not server.running():
        server.start()
        say(f"{server.title} started")
    server.ready()


def _unused(server: Server) -> bool:
    with server.folder.joinpath("users.lock").open("a") as users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def run_command(command: Sequence[str]) -> int:
    """Run `command` with the servers up and return its exit status. A signal for us goes on to the command."""
    received: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, frame: object) -> None:
        received.append(number)
        # Ctrl-C reaches the command by itself: it stands in the terminal's foreground with us.
        if child and number != signal.SIGINT:
            child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    with servers() as addresses:
        if not received:
            child = subprocess.Popen(command, env={**os.environ, **addresses})
            if received:
                child.terminate()
            child.wait()
    if child is None or child.returncode < 0:
        return 128 + (received[0] if child is None else -child.returncode)
    return child.returncode


def main(arguments: Sequence[str]) -> int:
    """Serve the command line and return the exit status."""
    if len(arguments) < 3 or arguments[:2] != ["exec", "--"]:
        print("usage: python -m dev.servers exec -- COMMAND …", file=sys.stderr)
        return 2
    try:
        return run_command(arguments[2:])
    except (DevError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
