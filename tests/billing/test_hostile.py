"""`<script>` in every free-text field there is: no page of the admin hands it to a browser as markup.

The fields come from the models: a new one is tried without anybody having to think of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, models, transaction
from django.test import Client
from django.urls import reverse

from billing.models import AutoTopUp, Pack, ProviderEvent
from billing.services import reconciliation
from credits.models import Account, ApprovalRequest, Transaction
from credits.plan import Actor
from credits.services.bulk import Asked, Why, check_bulk
from credits.services.keys import create_api_key
from credits.services.staff import Told, record_act
from tests.billing.till import Till
from tests.factories import hold, price, spend, unpriced

OURS = {"credits", "subscriptions", "billing"}
HOSTILE = "<script>alert(1)</script>"
# Which code reads, and would no longer know.
CODES = {
    "provider", "currency", "unit", "kind", "source", "time_zone", "status", "state", "key", "digest", "prefix", "code",
}  # fmt: skip


@pytest.fixture
def everything(till: Till, alice: Account, bob: Account) -> None:
    """A row of each thing that the admin shows."""
    price("ml-analysis")
    spend(alice, 10, description="x", feature="f", reference_type="order", reference_id="o-1", request_id="r-1")
    hold(alice, 5, description="y")
    unpriced(alice, charged=1)
    create_api_key(name="x", scopes=["credits:read"])
    who = Actor("staff", "0", "somebody")
    check_bulk(file_name="x.csv", unit="credits", lines=[Asked(1, alice.external_id, "5"), Asked(2, "nobody", "x")],
               why=Why(who, "goodwill", "n", "T-1"))  # fmt: skip
    ApprovalRequest.objects.create(
        action="adjust", account=alice, unit="credits", amount=900, why="Above", key="x", asked_by_id="0", note="n",
        asked_by_name="somebody", asked_at=alice.created_at, lapses_at="2999-01-01T00:00Z",
        asked={"amount": "900", "reason": "goodwill", "note": "n", "ticket": ""}, preview=[["Balance", "1", "2"]],
    )  # fmt: skip
    record_act(
        actor=who, action="adjust", what="Did.", told=Told(account=alice.pk, before={"a": "1"}, after={"a": "2"})
    )
    till.buy(bob)
    till.subscribe(bob)
    till.deliver()
    till.buy(bob)
    reconciliation.list_differences()
    AutoTopUp.objects.create(
        account=bob, pack=Pack.objects.get(pk="small"), threshold=1, most_per_hour=1, most_per_day=2,
        created_at=alice.created_at, updated_at=alice.created_at,
    )  # fmt: skip


@pytest.fixture
def poisoned(everything: None) -> Iterator[int]:
    """Every free text of every row is a script. The books are put right afterwards, so that they can be audited."""
    with transaction.atomic(savepoint=True):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
        yield sum(poison(model) for model in models_of_the_admin())
        transaction.set_rollback(True)


def models_of_the_admin() -> list[Any]:
    shown = [
        model for model in admin.site._registry if model._meta.app_label in {"credits", "subscriptions", "billing"}
    ]
    related = [each.related_model for model in shown for each in model._meta.related_objects]
    ours = {"credits", "subscriptions", "billing"}
    return list(dict.fromkeys([*shown, *(model for model in related if model._meta.app_label in ours)]))


def poison(model: Any) -> int:
    """Put the script into each field that holds free text. Returns into how many."""
    done = 0
    for field in model._meta.concrete_fields:
        free = isinstance(field, models.CharField | models.TextField) and not field.choices and not field.primary_key
        short = getattr(field, "max_length", None) or 1000
        if not free or field.unique or field.name in CODES or short < len(HOSTILE):
            continue
        try:
            with transaction.atomic():
                done += bool(model._base_manager.update(**{field.name: HOSTILE}))
        except IntegrityError:
            # A rule of the database lets nothing but codes in, or each only once: one row will do.
            with transaction.atomic():
                row = model._base_manager.order_by("pk").first()
                done += row is not None and one(model, row.pk, field.name)
    return done


def one(model: Any, pk: Any, field: str) -> bool:
    try:
        with transaction.atomic():
            return bool(model._base_manager.filter(pk=pk).update(**{field: HOSTILE}))
    except IntegrityError:
        return False


def pages() -> Iterator[str]:
    for model, of in admin.site._registry.items():
        if model._meta.app_label not in OURS:
            continue
        name = f"admin:{of.opts.app_label}_{of.opts.model_name}"
        yield reverse(f"{name}_changelist")
        for row in model._base_manager.order_by("pk")[:2]:
            yield reverse(f"{name}_change", args=[row.pk])
    for account in Account.objects.all():
        yield f"/admin/credits/account/{account.pk}/statement/"
        for verb in ("adjust", "refund", "release-hold", "override-quota", "change-plan", "resync", "edit"):
            yield f"/admin/credits/account/{account.pk}/{verb}/"
    for event in ProviderEvent.objects.all()[:1]:
        yield f"/admin/billing/providerevent/{event.pk}/replay/"
    yield from (
        "/admin/",
        "/admin/find/?q=<script>alert(1)</script>",
        "/admin/reports/movements/",
        "/admin/reports/usage/",
    )


def test_it_is_shown_as_text_on_every_page(poisoned: int) -> None:
    assert poisoned > 60
    assert Transaction.objects.filter(description=HOSTILE).exists()
    client = Client()
    client.force_login(User.objects.create_superuser("dave"))

    opened = 0
    for page in pages():
        answer = client.get(page)
        assert answer.status_code in {200, 302}, page
        assert HOSTILE not in answer.content.decode(), page
        opened += answer.status_code == 200
    assert opened > 50
