"""The programs behind `make run`: started with a log each, restarted when they die, and never left behind."""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from . import processes
from .state import PROJECT, DevError

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MARKER = "FLORIN_RUN"
STOP_SECONDS = 10.0
QUICK_SECONDS = 10.0
QUICK_DEATHS = 3
LONGEST_BACK_OFF = 30.0


class Stopped(KeyboardInterrupt):
    """Somebody asked us to stop."""


class Interrupts:
    """Turns signals into something a wait ends on, so that no handler runs in the middle of a step."""

    def __enter__(self) -> Self:
        self._read, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (*STOPPING, signal.SIGCHLD):
            # nohup says by this that the terminal's end is not ours.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda *_: None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # From here on only the interpreter's own end is left: a late signal must not cut it short.
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)

    def pause(self, seconds: float) -> None:
        """Wait until `seconds` have passed or a child ended. Raises Stopped when a signal asks for it."""
        ready, _, _ = select.select([self._read], [], [], seconds)
        if ready and any(number in STOPPING for number in os.read(self._read, 1024)):
            raise Stopped


@dataclass
class Child:
    """One program that should be up. `vital`: when it cannot live, nothing else has a point."""

    name: str
    command: Sequence[str]
    vital: bool = False
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    quick_deaths: int = 0


class Children:
    """All programs of one `make run`. What it starts it also ends, at the latest at the next start."""

    def __init__(self, state: Path, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._marker = f"{MARKER}={state}"
        self._record = state / "children"
        self._logs = state / "logs"
        self._logs.mkdir(mode=0o700, exist_ok=True)
        self._environment = {**environment, MARKER: str(state), "PYTHONUNBUFFERED": "1"}
        self._say = say
        self._all: list[Child] = []

    def end_left_overs(self) -> None:
        """End what a killed `make run` of this folder left behind, and nothing else."""
        left_over = self._living()
        if left_over:
            self._say(f"Ending {len(left_over)} process(es) that an earlier make run left behind")
            processes.end(left_over, STOP_SECONDS)
        self._record.unlink(missing_ok=True)

    def run(self, name: str, command: Sequence[str], interrupts: Interrupts) -> None:
        """Run `command` to its end; raises DevError with its last lines when it fails, Stopped on a signal."""
        process = self._launch(name, command, "wb")
        while process.poll() is None:
            interrupts.pause(5)
        if process.returncode != 0:
            raise DevError(f"{name} failed. The end of {self._logs / name}.log:\n{self.tail(name)}")

    def add(self, child: Child) -> None:
        """Start `child` and keep it running from now on."""
        self._all.append(child)
        self._start(child, "wb")

    def look_after(self) -> None:
        """Start again whoever died, later each time; raises DevError when a vital child keeps dying at once."""
        now = time.monotonic()
        for child in self._all:
            if child.process is not None and child.process.poll() is not None:
                self._mourn(child, now)
            if child.process is None and now >= child.start_again_at:
                self._start(child)

    def stop(self, interrupts: Interrupts) -> None:
        """End every child and its children: asked first, killed after a time limit or a second Ctrl-C."""
        with contextlib.suppress(Stopped):
            processes.end(self._recorded(), STOP_SECONDS, pause=interrupts.pause)
        # Whatever is alive now had its chance.
        processes.end(self._living(), sig=signal.SIGKILL)
        self._record.unlink(missing_ok=True)

    def tail(self, name: str) -> str:
        """Return the last lines that `name` wrote."""
        return "\n".join(self._logs.joinpath(f"{name}.log").read_text(errors="replace").splitlines()[-15:])

    def _start(self, child: Child, mode: str = "ab") -> None:
        child.process = self._launch(child.name, child.command, mode)
        child.started_at = time.monotonic()

    def _mourn(self, child: Child, now: float) -> None:
        assert child.process is not None
        quick = now - child.started_at < QUICK_SECONDS
        child.quick_deaths = child.quick_deaths + 1 if quick else 0
        how = _how(child.process.returncode)
        if child.vital and child.quick_deaths >= QUICK_DEATHS:
            raise DevError(
                f"{child.name} {how} {QUICK_DEATHS} times at once. The end of {self._logs / child.name}.log:\n"
                + self.tail(child.name)
            )
        back_off = min(2.0**child.quick_deaths, LONGEST_BACK_OFF) if quick else 0.0
        self._say(f"{child.name} {how}; starting it again" + (f" in {back_off:.0f} s" if back_off else ""))
        child.process, child.start_again_at = None, now + back_off

    def _launch(self, name: str, command: Sequence[str], mode: str) -> "subprocess.Popen[bytes]":
        with self._logs.joinpath(f"{name}.log").open(mode) as log:
            process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the supervisor, which stops everything in order.
                start_new_session=True,
                preexec_fn=processes.tie_to_parent(),  # noqa: PLW1509  # nothing else runs before the exec
            )
        with self._record.open("a") as record:
            record.write(f"{process.pid} {processes.start_time(process.pid)}\n")
        return process

    def _living(self) -> list[int]:
        return sorted({*processes.marked(self._marker), *self._recorded()})

    def _recorded(self) -> Iterable[int]:
        lines = self._record.read_text().splitlines() if self._record.exists() else []
        for line in lines:
            pid, _, started = line.partition(" ")
            if processes.start_time(int(pid)) == started:
                yield int(pid)


def _how(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    return f"was ended by {signal.Signals(-status).name}"
