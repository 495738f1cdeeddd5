"""The folder that remembers what this machine generated: passwords, ports, server data."""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


class DevError(Exception):
    """The launcher cannot go on. Its text is one line that tells the reader what to do."""


def state_folder() -> Path:
    """Return this checkout's state folder, created for its owner's eyes only.

    `FLORIN_STATE` names another folder, so that a test does not share a developer's servers.
    """
    folder = Path(os.environ.get("FLORIN_STATE") or PROJECT / ".florin")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.resolve()


def remembered(file: Path, generate: Callable[[], str]) -> str:
    """Return the text kept in `file`, generating it on first use with mode 0600.

    Two processes that ask at once get the same text.
    """
    if not file.exists():
        with locked(file.with_name("generate.lock")):
            if not file.exists():
                draft = file.with_name(f".{file.name}")
                write_private(draft, generate())
                # A reader without the lock sees the whole text or no file.
                draft.rename(file)
    return file.read_text().strip()


def development() -> dict[str, str]:
    """Return what the service reads from its environment besides the servers' addresses, for this machine only."""
    secret = remembered(state_folder() / "secret-key", lambda: secrets.token_urlsafe(48))
    settings = {"ENVIRONMENT": "development", "SECRET_KEY": secret}
    # Whoever judges or measures production here has said so in the environment, which goes before these.
    if os.environ.get("ENVIRONMENT", "development") == "development":
        settings["TEST_CLOCK"] = "true"
    return settings


def write_private(file: Path, text: str) -> None:
    """Write `text` to `file`, which only its owner can read from its first byte on."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text + "\n")


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold `file` exclusively, waiting for whoever has it. The kernel lets go when the holder dies."""
    with file.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
