"""The lines of a file of adjustments, each read by itself: what is wrong with one takes no other with it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from credits.services.bulk import Asked

COLUMNS = 3
OPEN = "A quote is not closed on the line, or is out of place: a note stays on one line, and a quote in it is doubled."
MANY = (
    "There are more than three columns: write amounts without thousands separators, and put a note with commas in"
    " quotes."
)
SPLIT = "The amount seems to have a thousands separator: write amounts without, or put some words into the note."
# 1,000 in a file of commas is an amount of 1 and what looks like a note.
HEAD, REST = re.compile(r"[+−-]?[0-9]{1,3}"), re.compile(r"[0-9]{3}(\.[0-9]+)?")


def read_lines(text: str) -> Iterator[Asked]:
    """Return every line that is not empty, without the heading; what cannot be read of one is told with it."""
    delimiter = ";" if text[:1000].count(";") > text[:1000].count(",") else ","
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        try:
            fields = next(csv.reader([line], delimiter=delimiter, strict=True), [])
        except csv.Error:
            yield Asked(number, line.split(delimiter)[0].strip(), "", line.strip(), OPEN)
            continue
        cells = [cell.strip() for cell in fields]
        if not any(cells):
            continue
        cells += [""] * (COLUMNS - len(cells))
        if number == 1 and cells[1].lower() in {"amount", "credits", "change"}:
            continue
        yield Asked(number, cells[0], cells[1], cells[2], _wrong(cells, delimiter))


def _wrong(cells: list[str], delimiter: str) -> str:
    if any(cells[COLUMNS:]):
        return MANY
    if delimiter == "," and HEAD.fullmatch(cells[1]) and REST.fullmatch(cells[2]):
        return SPLIT
    return ""
