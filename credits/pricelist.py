"""Price lists: what a file would change of the prices there are, and prices in words.

Pure: no database and no clock. The admin and ``manage.py import_prices`` compare with it, so they agree.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from credits.models.prices import PriceScheme
from credits.pricefile import Fault, Line, PriceFile, Subject

TOKEN_WORDS = {"input": "in", "output": "out", "cached_input": "cached in", "reasoning": "reasoning"}


class State(StrEnum):
    """What a line would do."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Known:
    """A price there is, or that an earlier line of the same file asks for; that one has no version yet."""

    scheme: str
    terms: Mapping[str, Any]
    effective_at: datetime
    version: int = 0

    def __str__(self) -> str:
        version = f" (v{self.version})" if self.version else ""
        return f"{in_words(self.scheme, self.terms)}{version}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line beside the price that is in force when it would begin."""

    line: Line
    state: State
    before: Known | None

    @property
    def words(self) -> str:
        """What the line asks for, in words."""
        return in_words(self.line.scheme, self.line.terms)

    @property
    def after(self) -> str:
        """What the line asks for, in words, and from when."""
        begins = self.line.effective_at
        return f"{self.words}, from {begins.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if begins else self.words

    def __str__(self) -> str:
        change = f"{self.before} → {self.after}" if self.state == State.CHANGED else self.after
        return f"{self.state:<9}  {self.line.subject}: {change}"


@dataclass(frozen=True, slots=True)
class Diff:
    """What a file would change."""

    entries: list[Entry] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def changing(self) -> list[Line]:
        """The lines that ask for something else than there is."""
        return [entry.line for entry in self.entries if entry.state != State.UNCHANGED]

    def summary(self) -> str:
        """Return how many lines do what."""
        counts = [f"{sum(entry.state == state for entry in self.entries):,} {state}" for state in State]
        return ", ".join([*counts, f"{len(self.faults):,} wrong"])

    def digest(self) -> str:
        """Return a digest of all that it tells, by which what was seen is known to be what is done."""
        told = [[each.line.number, str(each), each.line.note, str(each.before)] for each in self.entries]
        faults = [[fault.number, fault.says] for fault in self.faults]
        return hashlib.sha256(json.dumps([told, faults]).encode()).hexdigest()


def compare(file: PriceFile, known: Mapping[Subject, Iterable[Known]], now: datetime) -> Diff:
    """Tell what a file would change. Each line is held against the price that is in force when it would begin.

    That counts prices that begin later and the other lines of the file, so that a file which has been imported changes
    nothing, whenever it is imported again.
    """
    by_subject: dict[Subject, list[Line]] = {}
    for line in file.lines:
        by_subject.setdefault(line.subject, []).append(line)
    judged = [
        each
        for subject, lines in by_subject.items()
        for each in _judged(lines, sorted(known.get(subject, ()), key=_turn), now)
    ]
    entries = [each for each in judged if isinstance(each, Entry)]
    faults = [*file.faults, *(each for each in judged if isinstance(each, Fault))]
    return Diff(sorted(entries, key=lambda entry: entry.line.number), sorted(faults, key=lambda fault: fault.number))


def _judged(lines: list[Line], known: list[Known], now: datetime) -> Iterator[Entry | Fault]:
    """Judge the lines about one subject, in the order they would begin."""
    begun: dict[datetime, int] = {}
    for line in sorted(lines, key=lambda line: line.effective_at or now):
        begins = line.effective_at or now
        if begins in begun:
            yield Fault(line.number, f"Line {begun[begins]} prices {line.subject} from the same moment on.")
            continue
        begun[begins] = line.number
        before = next((price for price in reversed(known) if price.effective_at <= begins), None)
        entry = Entry(line, _state(line, before), before)
        if entry.state != State.UNCHANGED and begins < now:
            yield Fault(line.number, f"{line.subject}: a price cannot take effect in the past.")
            continue
        if entry.state != State.UNCHANGED:
            known = sorted([*known, Known(line.scheme, line.terms, begins)], key=_turn)
        yield entry


def _turn(price: Known) -> tuple[datetime, float]:
    """Its place in time: of two that begin together the later version holds; one without a version is the latest."""
    return price.effective_at, price.version or float("inf")


def _state(line: Line, before: Known | None) -> State:
    if before is None:
        return State.UNCHANGED if line.scheme == PriceScheme.WITHDRAWN else State.NEW
    return State.UNCHANGED if (line.scheme, line.terms) == (before.scheme, before.terms) else State.CHANGED


def in_words(scheme: str, terms: Mapping[str, Any]) -> str:
    """Return kept terms as people say them: 50 a call; 3 in, 15 out a million tokens."""
    match scheme:
        case PriceScheme.FIXED:
            return f"{_say(terms['amount'])} a call"
        case PriceScheme.PER_UNIT:
            return f"{_say(terms['per'])} each"
        case PriceScheme.TIERED:
            return ", then ".join(map(_tier, terms["tiers"]))
        case PriceScheme.TOKENS:
            kinds = [f"{_say(terms[kind])} {word}" for kind, word in TOKEN_WORDS.items() if kind in terms]
            return f"{', '.join(kinds)} a million tokens"
    return "no longer sold"


def _tier(tier: Mapping[str, Any]) -> str:
    up_to = "" if tier["up_to"] is None else f" up to {_say(tier['up_to'])}"
    return f"{_say(tier['per'])} each{up_to}"


def _say(figure: str) -> str:
    return f"{Decimal(figure):,f}"
