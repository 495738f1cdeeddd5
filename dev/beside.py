"""What points the service at the stand-ins of `make run`, told to the commands that run beside it."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .state import write_private

NAME = "stand-ins.json"


@contextmanager
def told(state: Path, *groups: Mapping[str, str]) -> Iterator[None]:
    """Tell those who run beside it the settings of each stand-in, until the block is left."""
    file = state / NAME
    write_private(file, json.dumps([dict(each) for each in groups]))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def stand_in_settings(state: Path) -> dict[str, str]:
    """Return the settings of the stand-ins that run, of each all or none: one that the environment sets is its own.

    What a killed `make run` left behind counts for nothing.
    """
    try:
        groups = json.loads(state.joinpath(NAME).read_text())
    except FileNotFoundError:
        return {}
    if not _runs(state) or os.environ.get("ENVIRONMENT", "development") != "development":
        return {}
    free = [group for group in groups if not group.keys() & os.environ.keys()]
    return {name: value for group in free for name, value in group.items()}


def _runs(state: Path) -> bool:
    """Tell whether somebody holds the lock of `make run`."""
    try:
        with state.joinpath("run.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
