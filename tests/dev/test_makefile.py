"""What a developer sees of make before anything is installed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dev.state import PROJECT


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with the Makefile and the requirements only."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(PROJECT / name, tmp_path)
    return tmp_path


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True, check=False)


def python_that(folder: Path, script: str) -> str:
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f"PYTHON={program}"


def test_every_command_explains_itself(bare: Path) -> None:
    commands = re.findall(r"^\.PHONY: (\w+)$", bare.joinpath("Makefile").read_text(), re.MULTILINE)

    shown = make(bare).stdout

    assert re.findall(r"^  make (\w+) +\S", shown, re.MULTILINE) == commands


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 1", "Python 3.11 or newer is needed"),
        ('case "$2" in *venv*) exit 1;; esac', "lacks its venv module"),
    ],
)
def test_an_unfit_python_is_one_line(bare: Path, script: str, reason: str) -> None:
    done = make(bare, python_that(bare, script), "run")

    first, *rest = done.stderr.splitlines()
    assert done.returncode != 0
    assert reason in first
    # make has the last word, and says which rule failed.
    assert all(line.startswith("make") for line in rest)
    assert not bare.joinpath(".venv").exists()
