"""Valkey for development: the broker and cache, on loopback, behind a generated password."""

import subprocess
from pathlib import Path

import redis

from . import binaries
from .daemon import Daemon


class Valkey(Daemon):
    """One server. It keeps nothing on disk: due work is rows in PostgreSQL, a broker may always forget."""

    title, name, program = "Valkey", "valkey", "-server"

    @property
    def url(self) -> str:
        """The address, with the password in it."""
        return f"redis://:{self._secret}@127.0.0.1:{self._port}/0"

    def _binary(self) -> Path:
        return binaries.valkey_program()

    def _launch(self, binary: Path) -> None:
        configuration = self._configure(
            f'bind 127.0.0.1\nport {self._port}\nrequirepass {self._secret}\ndir "{self.folder}"\n'
            f'daemonize yes\npidfile "{self._pid_file}"\nlogfile "{self._log}"\nsave ""\nappendonly no\n'
        )
        subprocess.run([binary, configuration], stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
