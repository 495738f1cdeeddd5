"""What each type of event says: a JSON schema for each version, in ``schemas/``. One that was told never changes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = re.compile(r"(evt\.[a-z_.]+)\.v([0-9]+)\.json")
FOLDER = Path(__file__).parent / "schemas"


@dataclass(frozen=True, slots=True)
class Described:
    """A version of a type of event."""

    type: str
    version: int
    schema: dict[str, Any]


@cache
def described() -> dict[tuple[str, int], Described]:
    """Return every version of every type, by both."""
    found = [
        Described(named[1], int(named[2]), json.loads(file.read_text()))
        for file in sorted(FOLDER.glob("*.json"))
        if (named := FILE.fullmatch(file.name))
    ]
    return {(each.type, each.version): each for each in found}
