"""NATS with JetStream for development: the bus of events, on loopback, behind a generated token."""

import secrets
import socket
import subprocess
from pathlib import Path

from . import binaries, processes
from .state import DevError, remembered, write_private

# Returns at once, and leaves the server to nobody: it outlives whoever started it.
LAUNCH = '"$0" -c "$1" >>"$2" 2>&1 </dev/null &'


class Nats:
    """One server. What it acknowledged is on disk: with the default sync_interval two minutes of it could be lost."""

    title = "NATS"

    def __init__(self, state: Path) -> None:
        self.folder = state / "nats"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._pid_file = self.folder / "pid"
        self._log = self.folder / "log"

    @property
    def url(self) -> str:
        """The address, with the token in it."""
        return f"nats://{self._token}@127.0.0.1:{self._port}"

    def running(self) -> bool:
        """Return whether the server that was started here lives."""
        return self._pid() is not None

    def start(self) -> None:
        """Start the server; raises DevError with the log's last lines when it refuses.

        Call it with the folder's change lock held.
        """
        program = binaries.nats_program()
        for _ in range(3):
            if not processes.port_is_free(self._port):
                write_private(self.folder / "port", str(processes.free_port()))
            self._launch(program)
            if processes.wait_until(self._answers, 5):
                return
            self.stop()
        raise DevError(f"NATS does not start. The end of {self._log}:\n{self._tail()}")

    def ready(self) -> None:
        """Wait until the server answers."""
        if not processes.wait_until(self._answers, 15):
            raise DevError(f"NATS runs but does not answer. The end of {self._log}:\n{self._tail()}")

    def stop(self) -> None:
        """Stop the server."""
        pid = self._pid()
        if pid is not None:
            processes.end([pid])
        self._pid_file.unlink(missing_ok=True)

    def _launch(self, program: Path) -> None:
        self._pid_file.unlink(missing_ok=True)
        configuration = self.folder / "nats.conf"
        # In a file, not on the command line, which every user of the machine can read.
        write_private(
            configuration,
            f'listen: "127.0.0.1:{self._port}"\nauthorization {{ token: "{self._token}" }}\n'
            f'pid_file: "{self._pid_file}"\n'
            f'jetstream {{ store_dir: "{self.folder / "data"}", sync_interval: always }}\n',
        )
        command = ["sh", "-c", LAUNCH, str(program), str(configuration), str(self._log)]
        subprocess.run(command, cwd=self.folder, start_new_session=True, check=False)

    def _pid(self) -> int | None:
        try:
            pid = int(self._pid_file.read_text())
        except (OSError, ValueError):
            return next(iter(processes.living_in(self.folder, "nats-server")), None)
        return pid if processes.lives_in(pid, self.folder) else None

    def _answers(self) -> bool:
        # It greets whoever connects; when its pid is written JetStream is up.
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=2) as greeted:
                return greeted.recv(5) == b"INFO " and self._pid_file.exists()
        except OSError:
            return False

    def _tail(self) -> str:
        try:
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-10:])
        except OSError:
            return "(no log)"

    @property
    def _token(self) -> str:
        return remembered(self.folder / "token", lambda: secrets.token_urlsafe(24))

    @property
    def _port(self) -> int:
        return int(remembered(self.folder / "port", lambda: str(processes.free_port())))
