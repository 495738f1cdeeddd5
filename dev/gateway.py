"""A stand-in for the AI gateway, so that dialect D can be tried out; tests/fakes/portkey.py says what it answers."""

import os
import secrets
from collections.abc import Collection
from pathlib import Path

from . import processes
from .state import remembered, write_private


def gateway_port(state: Path, taken: int) -> int | None:
    """Return the stand-in's loopback port, the same each time while it is free and not ``taken``.

    None where the environment names a gateway: then no stand-in is needed.
    """
    if os.environ.get("PORTKEY_URL"):
        return None
    return kept_port(state / "portkey-port", {taken})


def kept_port(file: Path, taken: Collection[int]) -> int:
    """Return the loopback port that `file` remembers, or another from now on where that is in use or `taken`."""
    port = int(remembered(file, lambda: str(processes.free_port())))
    while port in taken or not processes.port_is_free(port):
        port = processes.free_port()
        write_private(file, str(port))
    return port


def gateway_settings(state: Path, port: int | None) -> dict[str, str]:
    """Return what points the service at the stand-in, which is never shown the key of a real gateway."""
    if port is None:
        return {}
    return {
        "PORTKEY_URL": f"http://127.0.0.1:{port}/v1/logs",
        "PORTKEY_API_KEY": remembered(state / "portkey-key", lambda: secrets.token_urlsafe(24)),
        "PORTKEY_WORKSPACE_SLUG": "demo",
    }
