"""Find or start the servers the service needs, and share them between the commands that use them.

`DATABASE_URL`, `REDIS_URL` and `NATS_URL` in the environment win: nothing is started then. Otherwise each server lives
in the state folder, and each user of it holds a shared lock on `users.lock` there for as long as it runs. Whoever
leaves last stops the server, so it does not matter who started it; a killed user lets go of its lock by dying.

    python -m dev.servers exec -- COMMAND …     runs COMMAND with the servers up, and their addresses and the other
                                                variables of development in its environment; beside `make run` those
                                                of its stand-ins too
    python -m dev.servers stop                  stops what a killed user left running; refuses while somebody uses it
"""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from .beside import stand_in_settings
from .nats import Nats
from .postgres import Postgres
from .state import DevError, development, locked, state_folder
from .valkey import Valkey

Say = Callable[[str], None]


def silently(_line: str) -> None:
    """Say nothing: not every user of the servers has a reader."""


class Server(Protocol):
    """What sharing needs to know of a server."""

    title: str
    folder: Path

    @property
    def url(self) -> str:
        """The address, with the password in it."""

    def running(self) -> bool:
        """Return whether the server lives."""

    def start(self) -> None:
        """Start it; raises DevError when it refuses."""

    def ready(self) -> None:
        """Wait until it answers; raises DevError when it does not."""

    def stop(self) -> None:
        """Stop it, whoever started it."""


KINDS: dict[str, Callable[[Path], Server]] = {"DATABASE_URL": Postgres, "REDIS_URL": Valkey, "NATS_URL": Nats}
# What the folder of a share of a parallel test run is called, before its number.
SHARE = "tests-"


def own_servers() -> dict[str, Server]:
    """Return the servers that are ours to run, by the variable that would name another one instead."""
    return {variable: kind(state_folder()) for variable, kind in KINDS.items() if not os.environ.get(variable)}


def servers_of_share(number: int) -> dict[str, Server]:
    """Return the servers of one share of a parallel test run, which has them in a folder of its own."""
    folder = state_folder() / f"{SHARE}{number}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return {variable: kind(folder) for variable, kind in KINDS.items()}


@contextmanager
def servers(say: Say = silently, own: Mapping[str, Server] | None = None) -> Iterator[dict[str, str]]:
    """Yield the addresses of running servers as environment variables, and let go of the servers afterwards.

    Raises DevError when a server cannot be found or started.
    """
    own = own_servers() if own is None else own
    with ExitStack() as stack:
        stack.enter_context(_sigterm_as_ctrl_c())
        addresses = {variable: stack.enter_context(shared(server, say)) for variable, server in own.items()}
        yield {variable: addresses.get(variable) or os.environ.get(variable, "") for variable in KINDS}


@contextmanager
def shared(server: Server, say: Say = silently) -> Iterator[str]:
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


def revive(own: Mapping[str, Server], say: Say) -> None:
    """Start those that died again, at their old addresses. For a user of the servers that lives long."""
    for server in own.values():
        if not server.running():
            with locked(server.folder / "change.lock"):
                _ensure(server, say)


def stop_unused(own: Mapping[str, Server]) -> None:
    """Stop the servers that run although nobody uses them. Raises DevError when somebody does."""
    for server in own.values():
        with locked(server.folder / "change.lock"):
            if not _unused(server):
                raise DevError(f"{server.title} is in use: stop make run, make test and the like first.")
            if server.running():
                server.stop()


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Let SIGTERM unwind a user without a handler of its own: ended where it stands, it would leave the servers up."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


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

    def pass_on(number: int, _frame: object) -> None:
        received.append(number)
        # Ctrl-C reaches the command by itself: it stands in the terminal's foreground with us.
        if child and number != signal.SIGINT:
            child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    with servers() as addresses:
        if not received:
            given = {**development(), **stand_in_settings(state_folder())}
            child = subprocess.Popen(command, env={**given, **os.environ, **addresses})
            if received:
                child.terminate()
            child.wait()
    if child is None or child.returncode < 0:
        return 128 + (received[0] if child is None else -child.returncode)
    return child.returncode


def main(arguments: Sequence[str]) -> int:
    """Serve the command line and return the exit status."""
    try:
        match arguments:
            case ["exec", "--", _, *_]:
                return run_command(arguments[2:])
            case ["stop"]:
                stop_unused(own_servers())
                for folder in state_folder().glob(f"{SHARE}*"):
                    stop_unused(servers_of_share(int(folder.name.removeprefix(SHARE))))
                return 0
    except (DevError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    print("usage: python -m dev.servers exec -- COMMAND … | stop", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
