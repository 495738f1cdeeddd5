"""Where there is no Chromium, one line says what is left out; in CI nothing is."""

from __future__ import annotations

import os
import subprocess
import sys

from dev.chromium import TESTS
from dev.state import PROJECT


def asked(**environment: str) -> subprocess.CompletedProcess[str]:
    around = {name: value for name, value in os.environ.items() if name not in {"CI", "CHROMIUM"}}
    return subprocess.run(
        [sys.executable, "-m", "dev.chromium"], cwd=PROJECT, env={**around, **environment}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def test_without_it_one_line_says_what_is_left_out_and_how_to_get_it() -> None:
    done = asked(CHROMIUM="/nowhere/chromium")

    assert (done.returncode, done.stdout) == (0, f"--ignore={TESTS}\n")
    assert PROJECT.joinpath(TESTS).is_dir()
    assert done.stderr.count("\n") == 1
    assert "apt-get install chromium" in done.stderr


def test_ci_fails_without_it() -> None:
    done = asked(CHROMIUM="/nowhere/chromium", CI="true")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1


def test_with_it_nothing_is_left_out() -> None:
    assert asked(CHROMIUM=sys.executable).stdout == ""
