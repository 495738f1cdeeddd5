"""A granian of two workers on a loopback port, for as long as a block runs."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import HOST
from dev import processes

PROJECT = Path(__file__).resolve().parent.parent
WORKERS = 2
TICKS = os.sysconf("SC_CLK_TCK")


class StartError(Exception):
    """A server did not come up. Says what it printed."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it listens and the process that was started."""

    port: int
    pid: int

    def cpu_seconds(self) -> float | None:
        """Return the processor time of the server and its workers so far, or None where the system does not tell."""
        if not processes.PROC.is_dir():
            return None
        return sum(_burnt(pid) for pid in _tree(self.pid))


@contextmanager
def served(interface: str, target: str, environment: Mapping[str, str], *options: str) -> Iterator[Server]:
    """Serve an application as production does, and end every process of it afterwards. Raises StartError."""
    port = processes.free_port()
    command: Sequence[str] = [
        *(sys.executable, "-m", "granian", "--interface", interface, "--host", HOST, "--port", str(port)),
        *("--workers", str(WORKERS), "--no-ws", "--workers-kill-timeout", "3", *options, target),
    ]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=processes.tie_to_parent(),  # noqa: PLW1509  # no thread runs yet
        )
        try:
            if not processes.wait_until(lambda: process.poll() is not None or _answers(port), 30):
                raise StartError(f"{target} does not answer on port {port}.")
            if process.poll() is not None:
                log.seek(0)
                raise StartError(f"{target} ended: {log.read().decode(errors='replace')[-2000:]}")
            yield Server(port, process.pid)
        finally:
            processes.end(_tree(process.pid), seconds=10)
            process.wait()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _tree(pid: int) -> list[int]:
    """Return a process and its descendants; where there is no /proc the process alone, which ends its own workers."""
    found = [pid]
    for parent in found:
        for children in processes.PROC.glob(f"{parent}/task/*/children"):
            try:
                found += [int(child) for child in children.read_text().split()]
            except OSError:
                continue
    return found


def _burnt(pid: int) -> float:
    try:
        fields = processes.PROC.joinpath(str(pid), "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS
