"""The README's tour, pasted into a shell against a real server: what it prints is what the README says it prints."""

from __future__ import annotations

import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command, get_commands

from credits.models import Scope
from credits.services.keys import create_api_key
from dev.processes import free_port
from subscriptions.demo import load_plans
from tests.bus import Server, standing
from tests.fakes.portkey import FakePortkey
from tests.processes import environment

APPS = ("subscriptions", "credits")
ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
SHELL = README.split("KEY=$(make", 1)[1].split("\n", 1)[1].split("```", 1)[0]
MANAGE = f'"{sys.executable}" manage.py'
COMMANDS = f'move_clock() {{ {MANAGE} move_clock "$1"; }}\npublish() {{ {MANAGE} publish_event "$1" "$2"; }}\n'


@pytest.fixture
def _development(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server have a clock that can be moved, as a developer's has."""
    monkeypatch.setenv("TEST_CLOCK", "true")
    monkeypatch.setenv("ENVIRONMENT", "development")


@pytest.mark.usefixtures("_development")
def test_the_tour_prints_what_it_says(
    nats: Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, portkey: FakePortkey
) -> None:
    monkeypatch.setenv("NATS_URL", nats.url)
    server = request.getfixturevalue("paid_server")
    with standing(["consume_events"], nats.url), standing(["relay_events"], nats.url):
        take_the_tour(server, portkey)


def take_the_tour(paid_server: str, portkey: FakePortkey) -> None:
    portkey.demo = True
    _, key = create_api_key(name="tour", scopes=Scope.values)
    call_command("import_prices", str(ROOT / "docs" / "prices.example.csv"), "--yes", stdout=StringIO())
    load_plans()
    call_command("load_packs", stdout=StringIO())
    assert len(BLOCKS) == 12
    for block in BLOCKS:
        expected = [line.removeprefix("# ") for line in block.splitlines() if line.startswith("# ")]
        script = f"{SHELL}\n{COMMANDS}" + "\n".join(line for line in block.splitlines() if not line.startswith("# "))

        around = environment(BASE=paid_server, KEY=key, HOOKS=str(free_port()))

        pasted = subprocess.run(
            ["bash", "-c", script], env=around, cwd=ROOT, capture_output=True, text=True, check=True
        )  # fmt: skip

        printed = [line for line in pasted.stdout.splitlines() if line]
        told = printed if len(printed) == len(expected) else printed[: len(expected)]
        for line, pattern in zip(told, expected, strict=True):
            assert re.fullmatch(".*".join(re.escape(part) for part in pattern.split("…")), line), f"{line}\n{pattern}"


def test_every_command_and_verb_is_in_the_manual() -> None:
    manual = "".join((ROOT / name).read_text() for name in ("README.md", "docs/money.md", "docs/operations.md"))
    ours = [name for name, app in get_commands().items() if app in {"billing", "subscriptions", "credits", "config"}]

    assert ours
    assert [name for name in ours if name not in manual] == []
    verbs = re.findall(
        r"^@money\ndef ([a-z]\w+)\(",
        "\n".join(path.read_text() for app in APPS for path in (ROOT / app / "services").glob("*.py")),
        re.MULTILINE,
    )
    assert len(verbs) > 10
    assert [verb for verb in verbs if f"`{verb}`" not in manual] == []
