"""Valkey for development: the broker and cache, on loopback, behind a generated password."""

import secrets
import subprocess
from pathlib import Path

import redis

from . import binaries, processes
from .state import DevError, remembered, write_private


class Valkey:
    """One server. It keeps nothing on disk: due work is rows in PostgreSQL, a broker may always forget."""

    title = "Valkey"

    def __init__(self, state: Path) -> None:
        self.folder = state / "valkey"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._pid_file = self.folder / "pid"
        self._log = self.folder / "log"

    @property
    def url(self) -> str:
        """The address, with the password in it."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def running(self) -> bool:
        """Return whether the server that was started here lives."""
        return self._pid() is not None

    def start(self) -> None:
        """Start the server; raises DevError with the log's last lines when it refuses.

        Call it with the folder's change lock held: Valkey itself lets two servers use one folder.
        """
        program = binaries.valkey_program()
        for _ in range(3):
            if not processes.port_is_free(self._port):
                write_private(self.folder / "port", str(processes.free_port()))
            self._launch(program)
            if processes.wait_until(self._answers, 5):
                return
            self.stop()
        raise DevError(f"Valkey does not start. The end of {self._log}:\n{self._tail()}")

    def ready(self) -> None:
        """Wait until the server answers."""
        if not processes.wait_until(self._answers, 15):
            raise DevError(f"Valkey runs but does not answer. The end of {self._log}:\n{self._tail()}")

    def stop(self) -> None:
        """Stop the server."""
        pid = self._pid()
        if pid is not None:
            processes.end([pid])
        self._pid_file.unlink(missing_ok=True)

    def _launch(self, program: Path) -> None:
        self._pid_file.unlink(missing_ok=True)
        configuration = self.folder / "valkey.conf"
        # In a file, not on the command line, which every user of the machine can read.
        write_private(
            configuration,
            f'bind 127.0.0.1\nport {self._port}\nrequirepass {self._password}\ndir "{self.folder}"\n'
            f'daemonize yes\npidfile "{self._pid_file}"\nlogfile "{self._log}"\nsave ""\nappendonly no\n',
        )
        subprocess.run([program, configuration], stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def _pid(self) -> int | None:
        try:
            pid = int(self._pid_file.read_text())
        except (OSError, ValueError):
            return next(iter(processes.living_in(self.folder, "-server")), None)
        return pid if processes.lives_in(pid, self.folder) else None

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _tail(self) -> str:
        try:
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-10:])
        except OSError:
            return "(no log)"

    @property
    def _password(self) -> str:
        return remembered(self.folder / "password", lambda: secrets.token_urlsafe(24))

    @property
    def _port(self) -> int:
        return int(remembered(self.folder / "port", lambda: str(processes.free_port())))
