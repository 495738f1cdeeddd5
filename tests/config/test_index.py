"""The bare address: a page for people, and proof of life for programs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client


def test_it_is_a_page_that_leads_on(client: Client) -> None:
    page = client.get("/")

    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert re.findall(r'href="([^"]*)"', page.content.decode()) == [
        "/api/docs", "/api/redoc", "/api/schema", "/admin/",
    ]  # fmt: skip
    assert b"//" not in page.content.replace(b"<!DOCTYPE html>", b"")


def test_a_head_is_enough(client: Client) -> None:
    assert client.head("/").status_code == 200


@pytest.mark.parametrize("somebody", [False, True])
def test_it_asks_the_database_nothing(db: None, client: Client, django_assert_num_queries: Any, somebody: bool) -> None:
    if somebody:
        client.force_login(User.objects.create_user("carol"))

    with django_assert_num_queries(0):
        assert client.get("/").status_code == 200
