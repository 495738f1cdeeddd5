"""A server that stays up when whoever started it is gone: found by its pid, its port and secret kept in a folder."""

import secrets
from abc import ABC, abstractmethod
from pathlib import Path

from . import processes
from .state import DevError, remembered, write_private


class Daemon(ABC):
    """One server on loopback. ``name`` is its folder, ``program`` what its process is called by."""

    title: str
    name: str
    program: str

    def __init__(self, state: Path) -> None:
        self.folder = state / self.name
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._pid_file = self.folder / "pid"
        self._log = self.folder / "log"

    def running(self) -> bool:
        """Return whether the server that was started here lives."""
        return self._pid() is not None

    def start(self) -> None:
        """Start the server; raises DevError with the log's last lines when it refuses.

        Call it with the folder's change lock held: none of them minds a second one in its folder.
        """
        binary = self._binary()
        for _ in range(3):
            if not processes.port_comes_free(self._port):
                write_private(self.folder / "port", str(processes.free_port()))
            self._pid_file.unlink(missing_ok=True)
            self._launch(binary)
            if processes.wait_until(self._answers, 5):
                return
            self.stop()
        raise DevError(f"{self.title} does not start. The end of {self._log}:\n{self._tail()}")

    def ready(self) -> None:
        """Wait until the server answers."""
        if not processes.wait_until(self._answers, 15):
            raise DevError(f"{self.title} runs but does not answer. The end of {self._log}:\n{self._tail()}")

    def stop(self) -> None:
        """Stop the server."""
        pid = self._pid()
        if pid is not None:
            processes.end([pid])
        self._pid_file.unlink(missing_ok=True)

    @abstractmethod
    def _binary(self) -> Path:
        """Return the program. Raises DevError where there is none."""

    @abstractmethod
    def _launch(self, binary: Path) -> None:
        """Start the program, and return at once."""

    @abstractmethod
    def _answers(self) -> bool:
        """Tell whether the server does its work."""

    def _configure(self, text: str) -> Path:
        """Write its configuration: in a file, not on the command line, which every user of the machine can read."""
        path = self.folder / f"{self.name}.conf"
        write_private(path, text)
        return path

    def _pid(self) -> int | None:
        try:
            pid = int(self._pid_file.read_text())
        except (OSError, ValueError):
            return next(iter(processes.living_in(self.folder, self.program)), None)
        return pid if processes.lives_in(pid, self.folder) else None

    def _tail(self) -> str:
        try:
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-10:])
        except OSError:
            return "(no log)"

    @property
    def _secret(self) -> str:
        return remembered(self.folder / "password", lambda: secrets.token_urlsafe(24))

    @property
    def _port(self) -> int:
        return int(remembered(self.folder / "port", lambda: str(processes.free_port())))
