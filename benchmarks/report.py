"""What is told of a run: the machine, a table of ratios, a JSON file."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from django.db import connection


@dataclass(frozen=True, slots=True)
class Figure:
    """One ratio: the median of the rounds' own ratios, and what it has to reach."""

    name: str
    says: str
    rounds: list[float]
    target: float
    at_most: bool = False
    detail: dict[str, float] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.rounds)

    @property
    def met(self) -> bool:
        """Whether it is where it has to be."""
        return self.value <= self.target if self.at_most else self.value >= self.target


def machine() -> dict[str, Any]:
    """Return what the figures were taken on."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version'), current_setting('fsync'),"
            " current_setting('synchronous_commit'), current_setting('shared_buffers')"
        )
        version, fsync, synchronous, buffers = cursor.fetchone()
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "postgresql": version,
        "fsync": fsync,
        "synchronous_commit": synchronous,
        "shared_buffers": buffers,
    }


def table(figures: list[Figure]) -> str:
    """Return the figures as a table for people."""
    lines = [f"{'figure':<58} {'median':>8} {'rounds':>15}  {'to reach':>9}"]
    for figure in figures:
        spread = f"{min(figure.rounds):.2f}…{max(figure.rounds):.2f}"
        sign = "≤" if figure.at_most else "≥"
        verdict = "" if figure.met else "  missed"
        lines.append(f"{figure.says:<58} {figure.value:>8.2f} {spread:>15}  {sign} {figure.target:>7g}{verdict}")
        told = ", ".join(f"{name} {value:,.4g}" if value < 100 else f"{name} {value:,.0f}"
                         for name, value in figure.detail.items())  # fmt: skip
        if told:
            lines.append(f"    {told}")
    return "\n".join(lines)


def write(file: Path, about: dict[str, Any], figures: list[Figure], notes: dict[str, Any]) -> None:
    """Write everything to a JSON file."""
    told = [{**asdict(figure), "value": figure.value, "met": figure.met} for figure in figures]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"machine": about, "figures": told, **notes}, indent=2) + "\n")
