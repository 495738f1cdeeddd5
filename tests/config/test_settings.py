"""Settings refuse a wrong value by name, and checks find those that do not go together."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import checks, env

GOOD = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "s" * 60,
    "ALLOWED_HOSTS": "florin.example",
    "DATABASE_URL": "postgresql://u:p%40ss@db:5433/florin",
    "REDIS_URL": "redis://valkey:6379/0",
    "PATH": os.environ["PATH"],
}
PRINT = "import config.settings as s; print(s.DATABASES['default']['PASSWORD'], s.DEBUG, s.SESSION_COOKIE_SECURE)"


def start(**changed: str | None) -> subprocess.CompletedProcess[str]:
    """Read the settings in a fresh process."""
    variables = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    return subprocess.run([sys.executable, "-c", PRINT], env=variables, capture_output=True, text=True, check=False)


def test_good_values_start() -> None:
    assert start().stdout == "p@ss False True\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", None),
        ("DATABASE_URL", None),
        ("REDIS_URL", None),
        ("ENVIRONMENT", "staging"),
        ("DATABASE_URL", "mysql://u:hunter2@db/florin"),
        ("DATABASE_URL", "postgresql://u:hunter2@db"),
        ("DATABASE_URL", "postgresql://u:hunter2@db:port/florin"),
        ("REDIS_URL", "http://hunter2@valkey"),
        ("DEBUG", "hunter2"),
        ("HOLD_SECONDS", "hunter2"),
        ("HOLD_SECONDS", "0"),
        ("RATE_LIMIT_PER_MINUTE", "-1"),
        ("PORTKEY_URL", "ftp://hunter2@portkey.example"),
        ("PORTKEY_API_KEY", "hunter2 with spaces"),
        ("PORTKEY_TIMEOUT_SECONDS", "0"),
        ("STRIPE_SECRET_KEY", "hunter2 with spaces"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_hunter2, whsec_spaced"),
        ("STRIPE_API_BASE", "ftp://hunter2@stripe.example"),
        ("STRIPE_TIMEOUT_SECONDS", "81"),
        ("TEST_CLOCK", "true"),
    ],
)
def test_a_wrong_value_stops_the_start_and_is_named_but_not_told(name: str, value: str | None) -> None:
    stopped = start(**{name: value})

    assert stopped.returncode == 1
    assert f"ImproperlyConfigured: {name}" in stopped.stderr
    assert "hunter2" not in stopped.stderr.replace(f'"{value}"', "")


def test_the_test_clock_is_for_development() -> None:
    assert start(ENVIRONMENT="development", TEST_CLOCK="true").returncode == 0


def test_flags_read_many_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for word, meaning in [("yes", True), ("ON", True), ("0", False), ("False", False), ("", True)]:
        monkeypatch.setenv("SOME_FLAG", word)
        assert env.flag("SOME_FLAG", default=True) is meaning
    monkeypatch.setenv("SOME_FLAG", "maybe")
    with pytest.raises(ImproperlyConfigured, match="SOME_FLAG"):
        env.flag("SOME_FLAG", default=True)


def test_secrets_are_told_apart_by_comma(monkeypatch: pytest.MonkeyPatch) -> None:
    for told, meant in [("", []), ("a", ["a"]), ("a,b", ["a", "b"]), (",a,,", ["a"])]:
        monkeypatch.setenv("SOME_SECRETS", told)
        assert env.secrets("SOME_SECRETS") == meant


def test_inconsistent_settings_are_found(settings: Any) -> None:
    settings.HOLD_SECONDS = settings.HOLD_SECONDS_MAX + 1
    assert [found.id for found in checks.holds_fit()] == ["florin.E001"]
    settings.HOLD_SECONDS = settings.HOLD_SECONDS_MAX
    assert checks.holds_fit() == []

    settings.DEVELOPMENT, settings.DEBUG, settings.ALLOWED_HOSTS = False, True, []
    assert [found.id for found in checks.production_is_closed()] == ["florin.E002", "florin.E003"]
    settings.DEBUG, settings.ALLOWED_HOSTS = False, ["*"]
    assert [found.id for found in checks.production_is_closed()] == ["florin.E004"]
    settings.ALLOWED_HOSTS, settings.TEST_CLOCK = ["florin.example"], True
    assert [found.id for found in checks.production_is_closed()] == ["florin.E007"]

    settings.DEFAULT_UNIT = "no unit!"
    assert [found.id for found in checks.default_unit_is_a_code()] == ["florin.E005"]


def test_a_gateway_is_configured_whole_or_not_at_all(settings: Any) -> None:
    settings.PORTKEY_URL, settings.PORTKEY_API_KEY, settings.PORTKEY_WORKSPACE_SLUG = "", "", ""
    assert checks.gateway_is_whole() == []

    settings.PORTKEY_URL = "https://portkey.example/v1/logs"
    assert [found.id for found in checks.gateway_is_whole()] == ["florin.E006"]
    settings.PORTKEY_API_KEY = "pk"
    assert [found.id for found in checks.gateway_is_whole()] == ["florin.E006"]
    settings.PORTKEY_WORKSPACE_SLUG = "ws"
    assert checks.gateway_is_whole() == []


def test_a_gateway_that_reads_in_the_clear_is_warned_of_in_production(settings: Any) -> None:
    settings.PORTKEY_URL = "http://portkey.example/v1/logs"
    settings.DEVELOPMENT = True
    assert checks.gateway_is_asked_in_secret() == []

    settings.DEVELOPMENT = False
    assert [found.id for found in checks.gateway_is_asked_in_secret()] == ["florin.W001"]
    settings.PORTKEY_URL = "https://portkey.example/v1/logs"
    assert checks.gateway_is_asked_in_secret() == []


def test_webhooks_stay_outside_and_letters_link_in_secret(settings: Any) -> None:
    settings.WEBHOOK_LOOPBACK, settings.PUBLIC_URL = True, "http://credits.example"
    assert (checks.webhooks_go_out_only(), checks.letters_link_in_secret()) == ([], [])

    settings.DEVELOPMENT = False
    assert [found.id for found in checks.webhooks_go_out_only()] == ["florin.E020"]
    assert [found.id for found in checks.letters_link_in_secret()] == ["florin.W020"]
    settings.WEBHOOK_LOOPBACK, settings.PUBLIC_URL = False, "https://credits.example"
    assert (checks.webhooks_go_out_only(), checks.letters_link_in_secret()) == ([], [])
