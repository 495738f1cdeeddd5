"""Use that had no price: seen by staff, rated after a preview, once."""

from __future__ import annotations

import pytest

from credits.models import Account, UnpricedUsage
from credits.services.corrections import refund_transaction
from tests.admin.conftest import Desk, confirmation, text
from tests.factories import make_account, memo, price, unpriced


@pytest.fixture
def erin(database: None) -> Desk:
    """Looks after prices."""
    return Desk("erin", "view_unpricedusage", "rate_unpricedusage", "view_price")


def rate(desk: Desk, row: UnpricedUsage) -> str:
    path = f"credits/unpricedusage/{row.pk}/rate/"
    return text(desk.client.get(desk.post(path, confirmation=confirmation(desk.get(path))).url))


class TestWhatWaits:
    def test_is_counted_in_the_sidebar_for_those_who_may_see_it(self, erin: Desk, eve: Desk, alice: Account) -> None:
        assert "f-count" not in text(erin.get(""))
        unpriced(alice)

        assert '<span class="f-count">1</span>' in text(erin.get(""))
        assert "f-count" not in text(eve.get(""))

    def test_comes_before_what_is_rated(self, erin: Desk, alice: Account) -> None:
        first, second, third = (unpriced(alice, f"gpt-{number}", charged=1) for number in range(3))
        price("model:gpt-2", "tokens", input=1, output=1)
        rate(erin, third)

        rows = list(erin.get("credits/unpricedusage/").context["cl"].result_list)

        assert rows == [second, first, third]


class TestRating:
    @pytest.mark.parametrize(
        ("costs", "says", "balance"), [(9, "4 charged", 91), (2, "3 refunded", 98), (5, "unchanged", 95)]
    )
    def test_shows_what_it_would_do_and_does_it(
        self, erin: Desk, alice: Account, costs: int, says: str, balance: int
    ) -> None:
        row = unpriced(alice)
        price("model:gpt-9", "tokens", input=costs, output=costs)

        preview = erin.get(f"credits/unpricedusage/{row.pk}/rate/")
        changes = {change.label: change for change in preview.context["changes"]}
        charge = changes["Charge for gpt-9: 1,000,000 in"]
        assert (charge.before, charge.after, charge.difference) == ("5", str(costs), says)
        assert changes["Price"].after == f"{costs} in, {costs} out a million tokens (v1)"
        assert changes["Balance"].after == str(balance)
        alice.refresh_from_db()
        assert alice.balance == 95

        assert "Rated at gpt-9 v1." in rate(erin, row)
        alice.refresh_from_db()
        row.refresh_from_db()
        assert (alice.balance, row.status, row.closed_by) == (balance, "rated", "erin")

    def test_beyond_what_the_account_has_is_owed_and_says_so(self, erin: Desk, alice: Account) -> None:
        row = unpriced(alice)
        price("model:gpt-9", "tokens", input=120, output=1)

        preview = erin.get(f"credits/unpricedusage/{row.pk}/rate/")

        changes = {change.label: change.after for change in preview.context["changes"]}
        assert changes["Charge for gpt-9: 1,000,000 in"] == "120"
        assert (changes["Balance"], changes["Debt"]) == ("0", "20")

    def test_is_refused_while_there_is_no_price(self, erin: Desk, alice: Account) -> None:
        row = unpriced(alice)

        page = erin.get(f"credits/unpricedusage/{row.pk}/rate/")

        assert "There is still no price for gpt-9" in text(page)
        assert "confirmation" not in text(page)

    def test_twice_is_once(self, erin: Desk, alice: Account) -> None:
        row = unpriced(alice)
        price("model:gpt-9", "tokens", input=9, output=9)
        path = f"credits/unpricedusage/{row.pk}/rate/"
        signed = confirmation(erin.get(path))
        erin.post(path, confirmation=signed)

        again = erin.post(path, confirmation=signed)

        assert "Nothing was done twice" in text(erin.client.get(again.url))
        assert "rated before" in text(erin.get(path))
        alice.refresh_from_db()
        assert alice.balance == 91
        assert "Rate</" not in text(erin.get(f"credits/unpricedusage/{row.pk}/change/"))

    def test_at_another_price_than_was_shown_is_shown_again(self, erin: Desk, alice: Account) -> None:
        row = unpriced(alice)
        price("model:gpt-9", "tokens", input=9, output=9)
        path = f"credits/unpricedusage/{row.pk}/rate/"
        signed = confirmation(erin.get(path))
        price("model:gpt-9", "tokens", input=90, output=9)

        page = erin.post(path, confirmation=signed)

        assert "has changed since" in text(page)
        alice.refresh_from_db()
        assert alice.balance == 95

    def test_of_what_was_refunded_charges_nothing(self, erin: Desk, alice: Account) -> None:
        row = unpriced(alice)
        refund_transaction(transaction=row.transaction_id, memo=memo())
        price("model:gpt-9", "tokens", input=9, output=9)

        assert "refunded before" in rate(erin, row)
        alice.refresh_from_db()
        assert alice.balance == 100

    def test_can_be_gone_back_from(self, erin: Desk, alice: Account) -> None:
        row = unpriced(alice)

        assert erin.post(f"credits/unpricedusage/{row.pk}/rate/", back="1").status_code == 302

    def test_of_what_is_not_there_is_not_found(self, erin: Desk) -> None:
        assert erin.get("credits/unpricedusage/1/rate/").status_code == 404


class TestRatingEverything:
    PATH = "credits/unpricedusage/rate-all/"

    def test_rates_what_has_a_price_and_leaves_the_rest(self, erin: Desk, alice: Account) -> None:
        other = make_account(external_id="other", balance=50)
        rows = [unpriced(alice), unpriced(other), unpriced(alice, "gpt-10")]
        price("model:gpt-9", "tokens", input=9, output=9)

        preview = erin.get(self.PATH)
        assert [(row["subject"], row["count"], row["charged"], row["price"]) for row in preview.context["waiting"]] == [
            ("gpt-9 in credits", "2", "10", "v1"),
            ("gpt-10 in credits", "1", "5", ""),
        ]
        answer = erin.post(self.PATH, confirmation=confirmation(preview))

        assert "Rated 2; 1 still wait." in text(erin.client.get(answer.url))
        assert [UnpricedUsage.objects.get(pk=row.pk).status for row in rows] == ["rated", "rated", "open"]
        erin.post(self.PATH, confirmation=confirmation(preview))
        other.refresh_from_db()
        assert other.balance == 41

    def test_writes_nothing_before_it_is_confirmed(self, erin: Desk, alice: Account) -> None:
        unpriced(alice)
        price("model:gpt-9", "tokens", input=9, output=9)

        erin.get(self.PATH)
        erin.post(self.PATH)
        erin.post(self.PATH, confirmation="forged")

        assert UnpricedUsage.objects.get().status == "open"

    def test_has_nothing_to_confirm_where_nothing_can_be_rated(self, erin: Desk, alice: Account) -> None:
        assert "Nothing waits for a price" in text(erin.get(self.PATH))
        unpriced(alice)

        assert 'name="confirm"' not in text(erin.get(self.PATH))
