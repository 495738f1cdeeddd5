"""What is sold, changed by staff: seen first, checked against the provider's prices, done once, and logged."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from billing.models import Pack, PlanPrice
from billing.services.catalogue import compare_catalogue
from credits.models import Account, StaffAct
from subscriptions.queries import newest_version
from tests.admin.conftest import Desk, confirmation, text
from tests.billing.conftest import sdk
from tests.billing.till import Till, standing
from tests.subscriptions.factories import add_version
from tests.threads import at_once

NEW = {"code": "huge", "name": "Huge", "unit": "credits", "credits": "5000", "price": "99.90", "currency": "usd"}
SMALL = {"name": "100 credits", "credits": "100", "price": "10", "currency": "USD"}


@pytest.fixture
def fay(till: Till) -> Desk:
    """Finance."""
    return Desk("fay", "view_pack", "add_pack", "change_pack", "view_planprice", "add_planprice")


def confirmed(desk: Desk, path: str, **fields: str) -> Any:
    preview = desk.post(path, **fields)
    return desk.post(path, **fields, confirmation=confirmation(preview))


def acts() -> Any:
    """Return what staff did besides signing in, in order."""
    return StaffAct.objects.exclude(action="sign-in").order_by("id")


def price_at(till: Till, minor: int, **more: Any) -> str:
    made = sdk(till.fake).prices.create(
        {"currency": "usd", "unit_amount": minor, "product_data": {"name": "x"}, **more}
    )
    return str(made.id)


class TestANewPack:
    def test_is_sold_once_it_is_published(self, till: Till, fay: Desk, bob: Account) -> None:
        confirmed(fay, "billing/pack/new/", **NEW, expires_after_days="90")
        pack = Pack.objects.get(pk="huge")
        assert (pack.credits, pack.price_minor, pack.currency, pack.expires_after_days, pack.price_reference) == (
            5000, 9990, "USD", 90, "",
        )  # fmt: skip

        assert "Huge, 99.90 USD" in text(fay.get("billing/pack/publish/"))
        fay.post("billing/pack/publish/")
        till.buy(bob, "huge")
        till.deliver()

        assert standing(bob)[0] == 5000
        assert compare_catalogue() == []
        assert list(acts().values_list("actor_name", "action", "what")) == [
            ("fay", "new-pack", "Added the pack huge: Huge."),
            ("fay", "publish-catalogue", "Published: 1 prices added."),
        ]

    def test_is_sold_at_once_at_a_price_that_is_there(self, till: Till, fay: Desk, bob: Account) -> None:
        price = price_at(till, 9990)

        confirmed(fay, "billing/pack/new/", **NEW, price_reference=price)
        till.buy(bob, "huge")
        till.deliver()

        assert standing(bob)[0] == 5000

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ({"code": "small"}, "There is a pack of that code already."),
            ({"code": "A b"}, "Use small letters"),
            ({"credits": "0"}, "more than nothing"),
            ({"credits": "1.5"}, "no decimal places"),
            *(({name: odd}, "is no amount") for name in ("credits", "price") for odd in ("1_0", "1e3", "１０")),
            ({"price": "1.000"}, "at most 2 decimal places"),
            ({"credits": "1.000"}, "no decimal places"),
            ({"price": "-1"}, "more than nothing"),
            ({"price": "9.999"}, "at most 2 decimal places"),
            ({"price": "9.5", "currency": "JPY"}, "no decimal places"),
            ({"currency": "dollars"}, "at most 3 characters"),
            ({"price_reference": "price_unheard_of"}, "has no price at the provider"),
            ({"price_reference": "no price"}, "Write the id of a price"),
        ],
    )
    def test_that_cannot_be_meant_is_refused_on_the_form(self, fay: Desk, fields: dict[str, str], says: str) -> None:
        page = text(fay.post("billing/pack/new/", **{**NEW, **fields}))

        assert says in page.replace("&#x27;", "'")
        assert 'name="confirmation"' not in page
        assert Pack.objects.count() == 2

    @pytest.mark.parametrize("more", [{"unit_amount": 5}, {"currency": "eur"}, {"recurring": {"interval": "month"}}])
    def test_is_not_sold_at_a_price_that_costs_otherwise(self, till: Till, fay: Desk, more: dict[str, Any]) -> None:
        price = price_at(till, 9990, **more)

        page = text(fay.post("billing/pack/new/", **NEW, price_reference=price))

        assert f"as {price} at the provider" in page

    def test_that_two_add_at_once_is_added_once(self, till: Till, fay: Desk) -> None:
        previews = [fay.post("billing/pack/new/", **NEW) for _ in range(3)]
        calls = [
            lambda each=each: fay.post("billing/pack/new/", **NEW, confirmation=confirmation(each)) for each in previews
        ]

        answers = at_once(calls)

        assert Counter(getattr(each, "status_code", each) for each in answers) == {200: 2, 302: 1}
        assert acts().count() == 1


class TestAPack:
    def test_is_sold_on_other_terms_from_now_on(self, till: Till, fay: Desk, bob: Account) -> None:
        before = till.open(bob)
        reference = Pack.objects.get(pk="small").price_reference

        preview = fay.post("billing/pack/small/edit/", **{**SMALL, "price": "12"}, price_reference=reference)
        changes = {change.label: (change.before, change.after) for change in preview.context["changes"]}
        assert changes["Costs"] == ("10.00 USD", "12.00 USD")
        assert changes["Price at the provider's"] == (reference, "none yet: not sold until “Publish”")
        confirmed(fay, "billing/pack/small/edit/", **{**SMALL, "price": "12"}, price_reference=reference)
        fay.post("billing/pack/publish/")

        till.fake.customer_pays(before.provider_id)
        bought = till.buy(bob)
        till.deliver()
        assert (before.amount_minor, bought.amount_minor, standing(bob)[0]) == (1000, 1200, 200)
        act = acts()[0]
        assert (act.before["Costs"], act.after["Costs"]) == ("10.00 USD", "12.00 USD")

    def test_keeps_its_price_where_that_still_fits(self, fay: Desk) -> None:
        reference = Pack.objects.get(pk="small").price_reference

        confirmed(fay, "billing/pack/small/edit/", **{**SMALL, "credits": "150"}, price_reference=reference)

        pack = Pack.objects.get(pk="small")
        assert (pack.credits, pack.price_reference) == (Decimal(150), reference)

    def test_that_would_not_change_says_so(self, fay: Desk) -> None:
        reference = Pack.objects.get(pk="small").price_reference

        assert "Nothing would change" in text(fay.post("billing/pack/small/edit/", **SMALL, price_reference=reference))

    def test_that_changed_meanwhile_is_shown_again(self, fay: Desk) -> None:
        fields = {**SMALL, "credits": "150"}
        preview = fay.post("billing/pack/small/edit/", **fields)
        Pack.objects.filter(pk="small").update(name="Other")

        page = fay.post("billing/pack/small/edit/", **fields, confirmation=confirmation(preview))

        assert "have changed since" in text(page)
        assert Pack.objects.get(pk="small").credits == 100

    def test_is_retired_and_sold_again(self, till: Till, fay: Desk, bob: Account) -> None:
        open_page = till.open(bob)
        confirmed(fay, "billing/pack/small/retire/")
        assert not Pack.objects.get(pk="small").active
        till.fake.customer_pays(open_page.provider_id)
        till.deliver()
        assert standing(bob)[0] == 100

        confirmed(fay, "billing/pack/small/retire/")

        assert Pack.objects.get(pk="small").active
        assert list(acts().values_list("what", flat=True)) == [
            "100 credits is no longer sold.", "100 credits is sold again.",
        ]  # fmt: skip


class TestAPriceOfAPlan:
    @pytest.fixture
    def version(self, till: Till) -> Any:
        """A newer version of PRO, at another price."""
        return add_version("PRO", price_minor=3100, monthly_credits=700)

    def test_is_mapped_and_pays_for_it(self, till: Till, fay: Desk, version: Any, bob: Account) -> None:
        price = price_at(till, 3100, recurring={"interval": "month"})

        confirmed(fay, "billing/planprice/new/", version=str(version.pk), price_reference=price)

        assert PlanPrice.objects.get(plan_version=version).price_reference == price
        assert newest_version("PRO") == version
        till.subscribe(bob)
        till.deliver()
        assert standing(bob)[0] == 700
        assert acts().get().what == f"PRO v2 is paid for by {price}."
        assert price in text(fay.get("billing/planprice/"))

    def test_must_cost_the_same(self, till: Till, fay: Desk, version: Any) -> None:
        price = price_at(till, 3100, recurring={"interval": "month", "interval_count": 3})

        page = text(fay.post("billing/planprice/new/", version=str(version.pk), price_reference=price))

        assert f"31.00 USD each 3 months as {price}" in page
        assert not PlanPrice.objects.filter(plan_version=version).exists()

    def test_is_said_once(self, till: Till, fay: Desk) -> None:
        mapped = PlanPrice.objects.get(plan_version=newest_version("PRO"))

        fields = {"version": str(mapped.plan_version_id), "price_reference": mapped.price_reference}
        page = text(fay.post("billing/planprice/new/", **fields))

        assert "That is said already" in page
