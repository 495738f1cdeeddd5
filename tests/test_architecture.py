"""The house rules that tools can tell."""

from __future__ import annotations

import ast
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

ROOT = Path(__file__).parent.parent
APPS = ("config", "billing", "subscriptions", "credits")
SOURCES = [path for app in APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts]


def test_imports_go_one_way() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]

    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_an_attic_and_no_function_a_corridor(path: Path) -> None:
    text = path.read_text()
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]

    assert text.count("\n") <= 400
    assert {each.name for each in functions if (each.end_lineno or 0) - each.lineno >= 60} == set()


def test_nothing_calls_out_but_billing_providers() -> None:
    callers = {"requests", "httpx", "urllib.request", "stripe", "socket", "http.client"}
    for path in SOURCES:
        if path.relative_to(ROOT).parts[:2] == ("billing", "providers"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not callers & set(names), path


def test_migrations_are_complete_and_go_back(committed: None) -> None:
    call_command("makemigrations", "--check", "--dry-run", stdout=StringIO())
    call_command("migrate", "credits", "zero", verbosity=0)
    assert not [name for name in connection.introspection.table_names() if name.startswith("credits_")]
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM credits_unit")
        assert cursor.fetchone() == (2,)
