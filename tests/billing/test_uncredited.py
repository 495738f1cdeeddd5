"""Money that came in and brought nothing: it is kept with its reason, told as work waiting, and given back."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from billing import refusals
from billing.models import Checkout, Pack, Payment
from billing.services import catalogue, reconciliation
from credits.models import Account
from tests.admin.conftest import confirmation
from tests.billing.test_two_pages import page, payable
from tests.billing.till import Till, standing
from tests.conftest import Api


@pytest.fixture
def desk(till: Till) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("carol"))
    return client


@pytest.fixture
def mismatch(till: Till, bob: Account) -> Payment:
    """Bob was asked for 10.00 and has paid 9.00."""
    checkout = till.open(bob)
    till.fake.store.get("cs", checkout.provider_id)["amount_total"] = 900
    till.fake.customer_pays(checkout.provider_id)
    till.deliver()
    return Payment.objects.get()


class TestAPageOfAnotherPrice:
    def test_is_closed_before_anybody_sees_it(self, till: Till, bob: Account) -> None:
        Pack.objects.filter(pk="small").update(price_minor=999)

        with pytest.raises(refusals.PriceDiffers):
            till.open(bob)

        assert payable(till) == []
        row = Checkout.objects.get()
        assert (row.status, row.url, row.failure) == ("expired", "", "10.00 USD are asked for there, 9.99 USD here.")
        assert catalogue.compare_catalogue() != []

    def test_is_so_for_a_plan_too(self, till: Till, bob: Account) -> None:
        for price in till.fake.store.all("price"):
            price["unit_amount"] += 1

        with pytest.raises(refusals.PriceDiffers):
            page(bob)

        assert payable(till) == []

    def test_stays_refused_for_its_key_and_not_for_another(self, till: Till, bob: Account) -> None:
        back = {"success_url": "https://a.example/", "cancel_url": "https://a.example/"}
        asked = {"account": "bob", "pack": "small", **back}
        Pack.objects.filter(pk="small").update(price_minor=999)
        first = Api().post("/api/v1/checkout", asked, once="k")
        Pack.objects.filter(pk="small").update(price_minor=1000)

        assert (first.status_code, first.json()["code"]) == (409, "price_differs")
        assert Api(name="again").post("/api/v1/checkout", asked, once="new").status_code == 201


class TestAnotherAmountThanWasAskedFor:
    def test_is_kept_with_its_reason_and_its_events_end(self, till: Till, mismatch: Payment, bob: Account) -> None:
        assert till.unhappy() == []
        assert standing(bob)[0] == 0
        assert (mismatch.status, mismatch.amount_minor, mismatch.movement_id) == ("succeeded", 900, None)
        assert mismatch.uncredited == "9.00 USD were paid, 10.00 USD were asked for."
        told = Api().get("/api/v1/payments?account=bob").json()["results"]
        assert [each["uncredited"] for each in told] == [mismatch.uncredited]
        assert reconciliation.list_differences() == 0

    def test_is_work_waiting_and_seen_with_the_account(self, desk: Client, mismatch: Payment, bob: Account) -> None:
        assert "Payments that brought nothing" in desk.get("/admin/").content.decode()
        found = desk.get("/admin/billing/payment/?waits=yes").content.decode()
        assert f"/admin/billing/payment/{mismatch.pk}/change/" in found
        assert "Brought nothing" in desk.get(f"/admin/credits/account/{bob.pk}/change/").content.decode()
        assert mismatch.uncredited in desk.get(f"/admin/billing/payment/{mismatch.pk}/change/").content.decode()

    def test_is_given_back_by_the_button_and_then_waits_no_longer(
        self, till: Till, desk: Client, mismatch: Payment, bob: Account
    ) -> None:
        button = f"/admin/billing/payment/{mismatch.pk}/refund/"
        preview = desk.post(button, {"reason": "It brought nothing"})
        desk.post(button, {"reason": "It brought nothing", "confirmation": confirmation(preview)})

        till.deliver()

        assert Payment.objects.get().refunded_minor == 900
        assert standing(bob) == (0, 0, 0)
        assert f"/{mismatch.pk}/change/" not in desk.get("/admin/billing/payment/?waits=yes").content.decode()
        assert till.unhappy() == []
