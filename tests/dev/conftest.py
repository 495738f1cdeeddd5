"""Projects that a test may break, and that leave nothing behind even when the test fails."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev import binaries, processes
from tests.dev.standin import Project, usable_python

NOBODY = 65534


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A stand-in project below a folder that only its owner may enter."""
    tmp_path.chmod(0o700)
    project = Project(tmp_path / "project")
    yield project
    processes.end(project.processes(), seconds=0, sig=signal.SIGKILL)


@pytest.fixture
def project_of_nobody() -> Iterator[Project]:
    """A stand-in project that an ordinary user owns and runs, below a folder that nobody else may enter."""
    if os.geteuid() != 0:
        pytest.skip("every other test runs as an ordinary user already")
    private = Path(tempfile.mkdtemp(prefix="florin-test-"))
    project = Project(private / "project")
    # NATS is a program beside our Python, not a package that the other one could borrow.
    programs = private / "programs"
    programs.mkdir()
    shutil.copy(binaries.nats_program(), programs)
    for path in (private, *private.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    found = usable_python(NOBODY, private)
    if found is None:
        shutil.rmtree(private)
        pytest.skip("no Python that an ordinary user can execute")
    project.python, project.user = found[0], NOBODY
    project.environment |= found[1]
    project.environment["PATH"] = f"{programs}:{project.environment['PATH']}"
    yield project
    processes.end(project.processes(), seconds=0, sig=signal.SIGKILL)
    shutil.rmtree(private)
