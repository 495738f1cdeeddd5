"""NATS with JetStream for development: the bus of events, on loopback, behind a generated token."""

import socket
import subprocess
from pathlib import Path

from . import binaries
from .daemon import Daemon

# Returns at once, and leaves the server to nobody: it outlives whoever started it.
LAUNCH = '"$0" -c "$1" >>"$2" 2>&1 </dev/null &'


class Nats(Daemon):
    """One server. What it acknowledged is on disk: it syncs always, where the default would do so every two minutes."""

    title, name, program = "NATS", "nats", "nats-server"

    @property
    def url(self) -> str:
        """The address, with the token in it."""
        return f"nats://{self._secret}@127.0.0.1:{self._port}"

    def _binary(self) -> Path:
        return binaries.nats_program()

    def _launch(self, binary: Path) -> None:
        configuration = self._configure(
            f'listen: "127.0.0.1:{self._port}"\nauthorization {{ token: "{self._secret}" }}\n'
            f'pid_file: "{self._pid_file}"\n'
            f'jetstream {{ store_dir: "{self.folder / "data"}", sync_interval: always }}\n'
        )
        command = ["sh", "-c", LAUNCH, str(binary), str(configuration), str(self._log)]
        subprocess.run(command, cwd=self.folder, start_new_session=True, check=False)

    def _answers(self) -> bool:
        # It greets whoever connects; when its pid is written JetStream is up.
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=2) as greeted:
                return greeted.recv(5) == b"INFO " and self._pid_file.exists()
        except OSError:
            return False
