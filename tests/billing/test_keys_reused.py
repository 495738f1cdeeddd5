"""A key names one request, also where the first one failed: with another body, account or payment it is refused."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from billing.models import Checkout, Payment, RefundOrder
from credits.models import Account
from tests.billing.till import Till, standing
from tests.conftest import Api
from tests.fakes.stripe import Fault
from tests.threads import at_once

BACK = {"success_url": "https://app.example/paid", "cancel_url": "https://app.example/shop"}
AWAY = [Fault()] * 3


def buy(api: Api, **asked: Any) -> Any:
    return api.post("/api/v1/checkout", {"account": "bob", **BACK, **asked}, once="k")


@pytest.fixture
def caller(committed: None) -> Api:
    return Api()


class TestACheckoutThatFailed:
    @pytest.mark.parametrize(
        "other", [{"pack": "large"}, {"pack": "small", "account": "alice@example.com"}, {"plan": "PRO"}]
    )
    def test_is_not_another_one_s(
        self, till: Till, bob: Account, alice: Account, caller: Api, other: dict[str, Any]
    ) -> None:
        till.fake.api.faults.extend(AWAY)
        assert buy(caller, pack="small").status_code == 502

        refused = buy(caller, **other)

        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
        assert till.fake.store.all("cs") == []
        assert buy(caller, pack="small").json()["pack"] == "small"
        assert Checkout.objects.count() == 1

    def test_for_a_plan_is_not_another_plan_s(self, till: Till, bob: Account, caller: Api) -> None:
        till.fake.api.faults.extend(AWAY)
        assert buy(caller, plan="PRO").status_code == 502

        assert buy(caller, plan="PREMIUM").status_code == 422
        assert buy(caller, plan="PRO").status_code == 201

    def test_at_once_with_several_packs_has_one(self, till: Till, bob: Account, caller: Api) -> None:
        packs = ["small", "large"] * 3
        answers: list[Any] = at_once([partial(buy, caller, pack=pack) for pack in packs])

        bought = Checkout.objects.get().pack_id
        told = {(pack, answer.status_code) for pack, answer in zip(packs, answers, strict=True)}
        assert told <= {(pack, 201 if pack == bought else 422) for pack in packs}


class TestARefundThatFailed:
    @pytest.fixture
    def payments(self, till: Till, bob: Account, alice: Account) -> list[str]:
        for account in (bob, alice):
            till.buy(account)
        till.deliver()
        return list(Payment.objects.order_by("pk").values_list("provider_id", flat=True))

    def give_back(self, caller: Api, payment: str, minor: int) -> Any:
        return caller.post(f"/api/v1/payments/{payment}/refunds", {"amount_minor": minor, "reason": "x"}, once="k")

    def test_is_not_one_of_another_amount_or_payment(
        self, till: Till, payments: list[str], bob: Account, caller: Api
    ) -> None:
        till.fake.api.faults.extend(AWAY)
        assert self.give_back(caller, payments[0], 100).status_code == 502

        for payment, minor in ((payments[0], 700), (payments[1], 100)):
            refused = self.give_back(caller, payment, minor)
            assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
        assert till.fake.store.all("re") == []
        assert self.give_back(caller, payments[0], 100).status_code == 201
        assert RefundOrder.objects.count() == 1
        assert standing(bob)[0] == 90
