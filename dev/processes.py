"""Which processes are ours, and how they end. A pid alone is never trusted: the kernel uses it again."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

PROC = Path("/proc")
PR_SET_PDEATHSIG = 1


def start_time(pid: int) -> str | None:
    """Return when `pid` started, or None when no such process lives. With the pid it names one process for good."""
    if PROC.joinpath("self/stat").exists():
        try:
            # The command name may contain spaces and parentheses: count from the last one.
            fields = PROC.joinpath(str(pid), "stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else fields[19]
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    state, _, started = shown.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def living_in(folder: Path, name: str) -> list[int]:
    """Return the processes called `name` whose working directory is `folder`. Empty where there is no /proc."""
    # By name too: a developer's shell may stand in that folder.
    return [pid for pid in _pids() if _link(pid, "cwd") == str(folder) and name in _name(pid)]


def lives_in(pid: int, folder: Path) -> bool:
    """Return whether `pid` lives, with `folder` as its working directory as far as the system tells."""
    return start_time(pid) is not None and (not PROC.is_dir() or _link(pid, "cwd") == str(folder))


def marked(marker: str) -> list[int]:
    """Return the processes that were started with `marker` (NAME=value) in their environment."""
    wanted = marker.encode()
    return [pid for pid in _pids() if wanted in _environment(pid) and start_time(pid)]


def wait_until(true: Callable[[], bool], seconds: float, pause: Callable[[float], object] = time.sleep) -> bool:
    """Ask `true` until it agrees or `seconds` have passed, and return its last answer."""
    deadline = time.monotonic() + seconds
    step = 0.005
    while not true():
        if time.monotonic() > deadline:
            return False
        pause(step)
        step = min(step * 1.5, 0.1)
    return True


def end(
    pids: Iterable[int],
    seconds: float = 10,
    sig: signal.Signals = signal.SIGTERM,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Ask the processes to stop, wait, and kill those that are still there after `seconds`.

    Each is followed by pid and start time, so that a successor with the same pid is left alone.
    """
    known = {pid: started for pid in pids if (started := start_time(pid))}
    for step, limit in ((sig, seconds), (signal.SIGKILL, 5.0)):
        living = [pid for pid, started in known.items() if start_time(pid) == started]
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, step)
        if wait_until(lambda: not any(start_time(pid) == started for pid, started in known.items()), limit, pause):
            return


def tie_to_parent(sig: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """Return a `preexec_fn` after which the kernel sends `sig` to the child when its parent dies (Linux)."""
    parent = os.getpid()
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def tie() -> None:
        if prctl is None:
            return
        prctl(PR_SET_PDEATHSIG, int(sig))
        # The parent may have died between the fork and the line above.
        if os.getppid() != parent:
            os._exit(1)

    return tie


def tie_to_make() -> None:
    """Be told to stop when the `make` that started this process is killed. Started by hand, nothing changes."""
    if "MAKELEVEL" in os.environ and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Return whether a server of ours could listen on the loopback `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


def port_comes_free(port: int) -> bool:
    """Return whether a server of ours can listen on `port`, which of a killed one is closed only a moment later."""
    return wait_until(lambda: port_is_free(port), 1)


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()] if PROC.is_dir() else []


def _link(pid: int, name: str) -> str:
    try:
        return os.readlink(PROC / str(pid) / name)
    except OSError:
        return ""


def _name(pid: int) -> str:
    try:
        return PROC.joinpath(str(pid), "comm").read_text()
    except OSError:
        return ""


def _environment(pid: int) -> list[bytes]:
    try:
        return PROC.joinpath(str(pid), "environ").read_bytes().split(b"\0")
    except OSError:
        return []
