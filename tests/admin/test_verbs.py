"""Buttons: a form, a preview, one act."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError
from django.utils import timezone
from psycopg.errors import LockNotAvailable

from credits.models import Account, Grant, IdempotencyRecord, StaffAct, Transaction
from credits.services import accounts
from tests.admin.conftest import Desk, confirmation, text, verb_path
from tests.books import Books
from tests.factories import give, hold, make_account, memo, spend
from tests.threads import at_once

ADJUST = {"amount": "50", "reason": "goodwill", "note": "Slow answers", "ticket": "SUP-7"}
GRANT = {"amount": "30", "expires_at": "", "reason": "compensation", "note": "", "ticket": ""}
FREEZE = {"note": "Disputed payment", "ticket": "SUP-9"}


def latest(account: Account) -> Transaction:
    return Transaction.objects.filter(account=account).latest("sequence")


class TestAPreview:
    def test_shows_before_and_after_and_writes_nothing(self, carol: Desk, alice: Account, books: Books) -> None:
        before = books()

        page = carol.press(alice, "adjust", **ADJUST)

        assert page.status_code == 200
        rows = {change.label: (change.before, change.after) for change in page.context["changes"]}
        assert rows == {
            "Balance": ("100", "150"),
            "Available": ("100", "150"),
            "New promotional lot": ("0", "50"),
        }
        assert books() == before
        assert not LogEntry.objects.exists()

    def test_shows_which_lots_are_drawn(self, carol: Desk, alice: Account) -> None:
        page = carol.press(alice, "adjust", **{**ADJUST, "amount": "-40"})

        [lot] = [change for change in page.context["changes"] if change.is_lot]
        assert (lot.before, lot.after, lot.difference) == ("100", "60", "−40")

    def test_can_be_gone_back_from_with_what_was_filled_in(self, carol: Desk, alice: Account) -> None:
        page = carol.press(alice, "adjust", **ADJUST, back="1")

        assert 'value="SUP-7"' in text(page)
        assert "confirmation" not in text(page)


class TestAConfirmation:
    def test_adjusts_once_and_says_who_and_why(self, carol: Desk, alice: Account) -> None:
        answer = carol.confirm(alice, "adjust", **ADJUST)

        assert answer.url == f"/admin/credits/account/{alice.pk}/change/"
        row = latest(alice)
        assert (row.kind, row.amount, row.reason, row.description) == ("adjustment", 50, "goodwill", "Slow answers")
        assert (row.actor_kind, row.actor_id, row.actor_name) == ("staff", str(carol.user.pk), "carol")
        assert row.metadata == {"ticket": "SUP-7"}
        assert row.request_id
        [entry] = LogEntry.objects.filter(object_id=str(alice.pk))
        assert entry.user == carol.user
        assert entry.get_change_message() == "Adjusted by +50 credits. Goodwill; ticket SUP-7; Slow answers"

    def test_grants_a_promotional_lot_that_expires(self, carol: Desk, alice: Account) -> None:
        day = (timezone.now() + timedelta(days=7)).strftime("%Y-%m-%dT%H:%M")

        carol.confirm(alice, "grant", **{**GRANT, "expires_at": day})

        lot = Grant.objects.filter(account=alice).latest("id")
        assert (lot.category, lot.amount) == ("promotional", 30)
        assert lot.expires_at is not None
        assert lot.expires_at.strftime("%Y-%m-%dT%H:%M") == day

    @pytest.mark.parametrize(("amount", "given"), [("", 40), ("15", 15)])
    def test_refunds_whole_or_part(self, carol: Desk, alice: Account, amount: str, given: int) -> None:
        spent = spend(alice, 40)

        carol.confirm(
            alice, "refund", movement=str(spent.id), amount=amount, reason="correction", note="Failed", ticket=""
        )

        row = latest(alice)
        assert (row.kind, row.amount, row.parent_id) == ("refund", given, spent.id)

    @pytest.mark.parametrize(
        ("lasts", "told", "said"),
        [(40, "all 40", "of which 40 lapsed"), (30, "30 of 40", "of which 30 lapsed"), (0, "", "Refunded 40 credits.")],
    )
    def test_a_refund_says_what_lapses_at_once(self, carol: Desk, lasts: int, told: str, said: str) -> None:
        begun = timezone.now() - timedelta(days=2)
        ada = make_account(external_id="ada", at=begun)
        if lasts:
            give(ada, lasts, at=begun, expires_at=begun + timedelta(days=1))
        if lasts < 40:
            give(ada, 40 - lasts, at=begun)
        fields = {"movement": str(spend(ada, 40, at=begun).id), "reason": "correction", "note": "Failed", "ticket": ""}

        preview = carol.press(ada, "refund", **fields)
        carol.confirm(ada, "refund", **fields)

        rows = {change.label: change.after for change in preview.context["changes"]}
        assert rows["Balance"] == str(40 - lasts)
        assert rows.get("Lapses at once: the lot has expired", "") == told
        assert said in LogEntry.objects.get(object_id=str(ada.pk)).get_change_message()

    def test_freezes_and_unfreezes_with_a_reason(self, carol: Desk, alice: Account) -> None:
        carol.confirm(alice, "freeze", **FREEZE)
        alice.refresh_from_db()
        assert (alice.status, alice.status_reason) == ("frozen", "Disputed payment (SUP-9)")

        carol.confirm(alice, "unfreeze", note="The bank decided for her", ticket="")
        alice.refresh_from_db()
        assert (alice.status, alice.status_reason) == ("active", "")
        assert LogEntry.objects.count() == 2

    def test_makes_exactly_one_service_call(self, carol: Desk, alice: Account) -> None:
        preview = carol.press(alice, "adjust", **ADJUST)

        with (
            patch("credits.services.movements.adjust_balance", side_effect=RuntimeError) as service,
            pytest.raises(RuntimeError),
        ):
            carol.press(alice, "adjust", **ADJUST, confirmation=confirmation(preview))

        assert service.call_count == 1

    def test_does_nothing_by_get(self, carol: Desk, alice: Account, books: Books) -> None:
        before = books()
        signed = confirmation(carol.press(alice, "adjust", **ADJUST))

        carol.client.get(f"/admin/credits/account/{alice.pk}/adjust/", {**ADJUST, "confirmation": signed})

        assert books() == before


class TestPressingTwice:
    @pytest.mark.parametrize(("verb", "fields"), [("adjust", ADJUST), ("grant", GRANT), ("freeze", FREEZE)])
    def test_moves_once(self, carol: Desk, alice: Account, verb: str, fields: dict[str, str]) -> None:
        signed = confirmation(carol.press(alice, verb, **fields))
        carol.press(alice, verb, **fields, confirmation=signed)
        alice.refresh_from_db()
        done = (alice.sequence, alice.version, alice.balance)

        again = carol.press(alice, verb, **fields, confirmation=signed)

        alice.refresh_from_db()
        assert (alice.sequence, alice.version, alice.balance) == done
        assert again.status_code == 302
        assert "Nothing was done twice" in text(carol.client.get(again.url))
        assert LogEntry.objects.count() == 1

    def test_at_the_same_moment_moves_once(self, committed: None) -> None:
        alice = make_account(external_id="alice@example.com", balance=100)
        desk = Desk("carol", superuser=True)
        signed = confirmation(desk.press(alice, "adjust", **ADJUST))

        answers = at_once([lambda: desk.press(alice, "adjust", **ADJUST, confirmation=signed)] * 4)

        alice.refresh_from_db()
        assert [getattr(answer, "status_code", answer) for answer in answers] == [302] * 4
        assert (alice.balance, alice.sequence) == (150, 2)

    def test_after_going_back_and_asking_anew_is_a_new_act(self, carol: Desk, alice: Account) -> None:
        carol.confirm(alice, "adjust", **ADJUST)
        carol.confirm(alice, "adjust", **ADJUST)

        alice.refresh_from_db()
        assert alice.balance == 200


class TestWhatWasSeenIsWhatIsDone:
    @pytest.mark.parametrize(("verb", "fields"), [("adjust", ADJUST), ("grant", GRANT), ("freeze", FREEZE)])
    def test_a_changed_status_is_shown_again(
        self, carol: Desk, alice: Account, verb: str, fields: dict[str, str]
    ) -> None:
        signed = confirmation(carol.press(alice, verb, **fields))
        accounts.freeze_account(account=alice.pk, reason="Chargeback")

        page = carol.press(alice, verb, **fields, confirmation=signed)

        assert ("The account is frozen." if verb == "freeze" else "has changed since") in text(page)
        assert latest(alice).balance_after == 100
        assert not StaffAct.objects.filter(action=verb).exists()

    def test_another_amount_than_was_previewed_is_previewed(self, carol: Desk, alice: Account, books: Books) -> None:
        before = books()
        signed = confirmation(carol.press(alice, "adjust", **ADJUST))

        page = carol.press(alice, "adjust", **{**ADJUST, "amount": "5000"}, confirmation=signed)

        assert page.context["changes"][0].after == "5,100"
        assert books() == before

    @pytest.mark.parametrize("signed", ["", "nonsense", "eyJ1c2VyIjoiMSJ9:1:x"])
    def test_a_forged_confirmation_confirms_nothing(
        self, carol: Desk, alice: Account, books: Books, signed: str
    ) -> None:
        before = books()

        page = carol.press(alice, "adjust", **ADJUST, confirmation=signed)

        assert page.status_code == 200
        assert books() == before

    def test_nor_does_one_of_somebody_else_or_of_another_account(
        self, carol: Desk, dave: Desk, alice: Account, bob: Account, books: Books
    ) -> None:
        before = books()
        signed = confirmation(dave.press(alice, "adjust", **ADJUST))

        carol.press(alice, "adjust", **ADJUST, confirmation=signed)
        dave.press(bob, "adjust", **ADJUST, confirmation=signed)
        dave.press(alice, "grant", **GRANT, confirmation=signed)

        assert books() == before

    def test_nor_one_that_is_an_hour_old(self, carol: Desk, alice: Account, books: Books) -> None:
        before = books()
        signed = confirmation(carol.press(alice, "adjust", **ADJUST))

        with patch("credits.admin.confirmation.LASTS_SECONDS", -1):
            carol.press(alice, "adjust", **ADJUST, confirmation=signed)

        assert books() == before


class TestARefusal:
    @pytest.mark.parametrize(
        ("verb", "fields", "says"),
        [
            ("adjust", {**ADJUST, "amount": "-101"}, "101 needed, 100 available"),
            ("adjust", {**ADJUST, "amount": "0"}, "must be greater than zero"),
            ("adjust", {**ADJUST, "amount": "0.5"}, "“0.5” is too fine: there are no decimal places here"),
            ("adjust", {**ADJUST, "amount": "1.000"}, "a dot separates no thousands"),
            ("adjust", {**ADJUST, "amount": "1,500"}, "without thousands separators"),
            ("adjust", {**ADJUST, "amount": "NaN"}, "is no amount"),
            ("adjust", {**ADJUST, "amount": "1e3"}, "is no amount"),
            ("adjust", {**ADJUST, "amount": "1_000"}, "is no amount"),
            ("adjust", {**ADJUST, "amount": "1000000000001"}, "must not exceed"),
            ("adjust", {**ADJUST, "reason": ""}, "This field is required"),
            ("adjust", {**ADJUST, "reason": "other", "note": ""}, "Say which reason it is"),
            ("adjust", {**ADJUST, "note": "x" * 501}, "at most 500 characters"),
            ("grant", {**GRANT, "amount": "-1"}, "greater than or equal to 0"),
            ("grant", {**GRANT, "expires_at": "2020-01-01T00:00"}, "would have expired already"),
            ("freeze", {"note": ""}, "This field is required"),
            ("refund", {**ADJUST, "movement": "not-an-id"}, "Select a valid choice"),
        ],
    )
    def test_is_said_in_words_on_the_form(
        self, carol: Desk, alice: Account, books: Books, *, verb: str, fields: dict[str, str], says: str
    ) -> None:
        before = books()

        page = carol.press(alice, verb, **fields)

        assert page.status_code == 200
        assert says in text(page)
        assert "confirmation" not in text(page)
        assert books() == before

    def test_at_the_last_moment_stores_nothing_and_can_be_mended(self, carol: Desk, alice: Account) -> None:
        fields = {**ADJUST, "amount": "-95"}
        signed = confirmation(carol.press(alice, "adjust", **fields))
        spend(alice, 10)

        page = carol.press(alice, "adjust", **fields, confirmation=signed)

        assert "95 needed, 90 available" in text(page)
        assert not LogEntry.objects.exists()
        assert not IdempotencyRecord.objects.filter(owner=f"staff:{carol.user.pk}").exists()
        carol.confirm(alice, "adjust", **{**fields, "amount": "-90"})
        assert latest(alice).balance_after == 0

    def test_a_closed_account_takes_nothing(self, carol: Desk, bob: Account) -> None:
        accounts.close_account(account=bob.pk, memo=memo(reason="other"))

        assert "The account is closed" in text(carol.press(bob, "adjust", **ADJUST))
        assert "/adjust/" not in text(carol.get(f"credits/account/{bob.pk}/change/"))

    def test_a_topup_cannot_be_refunded(self, carol: Desk, alice: Account) -> None:
        fields = {"movement": str(latest(alice).pk), "amount": "", "reason": "correction", "note": "", "ticket": ""}

        assert "is not a spend" in text(carol.press(alice, "refund", **fields))

    def test_another_accounts_movement_cannot_be_refunded(self, carol: Desk, alice: Account, bob: Account) -> None:
        spent = spend(alice, 10)
        fields = {"movement": str(spent.id), "amount": "", "reason": "correction", "note": "", "ticket": ""}

        assert "Select a valid choice" in text(carol.press(bob, "refund", **fields))

    def test_an_account_that_is_busy_is_said_to_be(self, carol: Desk, alice: Account) -> None:
        signed = confirmation(carol.press(alice, "adjust", **ADJUST))

        with patch("credits.admin.verbs.lock_account", side_effect=_busy()):
            page = carol.press(alice, "adjust", **ADJUST, confirmation=signed)

        assert "Another request is changing this account" in text(page)


class TestEditing:
    FIELDS = {
        "name": "Alice",
        "email": "alice@example.com",
        "overdraft_limit": "20",
        "low_balance_threshold": "",
        "time_zone": "Europe/Berlin",
        "note": "Pays by invoice",
        "ticket": "SUP-3",
    }

    def test_changes_what_it_is_known_by_through_the_service(self, carol: Desk, alice: Account) -> None:
        carol.confirm(alice, "edit", **self.FIELDS)

        alice.refresh_from_db()
        assert (alice.name, alice.overdraft_limit, alice.time_zone) == ("Alice", 20, "Europe/Berlin")
        [entry] = LogEntry.objects.all()
        words = "Changed name, e-mail, overdraft limit, time zone. ticket SUP-3; Pays by invoice"
        assert entry.get_change_message() == words
        act = StaffAct.objects.get(action="edit")
        assert (act.note, act.ticket) == ("Pays by invoice", "SUP-3")
        assert (act.before["Overdraft limit"], act.after["Overdraft limit"]) == ("0 credits", "20 credits")
        assert (act.before["Time zone"], act.after["Time zone"]) == ("UTC", "Europe/Berlin")

    def test_of_a_limit_is_previewed_and_says_why(self, carol: Desk, alice: Account) -> None:
        page = carol.press(alice, "edit", **{**self.FIELDS, "overdraft_limit": "10000000", "note": "", "ticket": ""})
        asked = "Say so where a limit changes."
        assert page.context["form"].errors == {"note": [asked], "ticket": [asked]}

        page = carol.press(alice, "edit", **{**self.FIELDS, "overdraft_limit": "10000000"})
        assert "10,000,000 credits" in text(page)
        alice.refresh_from_db()
        assert alice.overdraft_limit == 0
        assert not StaffAct.objects.filter(action="edit").exists()

    def test_of_a_name_is_simple_and_logged(self, carol: Desk, alice: Account) -> None:
        fields = {**self.FIELDS, "overdraft_limit": "0", "time_zone": "UTC", "note": "", "ticket": ""}
        assert carol.press(alice, "edit", **fields).status_code == 302

        act = StaffAct.objects.get(action="edit")
        assert (act.after["Name"], act.account_id, act.note) == ("Alice", alice.pk, "")
        assert "Overdraft limit" not in act.after

    def test_never_the_external_id_or_unit(self, carol: Desk, alice: Account) -> None:
        carol.confirm(alice, "edit", **self.FIELDS, external_id="mallory", unit="USD", balance="9999")

        alice.refresh_from_db()
        assert (alice.external_id, alice.unit_id, alice.balance) == ("alice@example.com", "credits", 100)

    def test_a_limit_below_what_is_overdrawn_is_refused_on_its_field(self, carol: Desk, alice: Account) -> None:
        carol.confirm(alice, "edit", **self.FIELDS)
        spend(alice, 110)

        page = carol.press(alice, "edit", **{**self.FIELDS, "overdraft_limit": "5"})

        assert page.context["form"].errors == {"overdraft_limit": ["The account is overdrawn further than that."]}

    def test_an_amount_finer_than_the_unit_is_refused(self, carol: Desk, alice: Account) -> None:
        page = carol.press(alice, "edit", **{**self.FIELDS, "overdraft_limit": "0.5"})

        assert "decimal place" in text(page)


def test_held_credits_cannot_be_adjusted_away(carol: Desk, alice: Account) -> None:
    hold(alice, 80)

    assert "21 needed, 20 available" in text(carol.press(alice, "adjust", **{**ADJUST, "amount": "-21"}))


def _busy() -> Any:
    error = OperationalError()
    error.__cause__ = LockNotAvailable()
    return error


class TestNothingToDo:
    @pytest.mark.parametrize(
        ("verb", "says"),
        [
            ("release-hold", "No hold is open on this account."),
            ("extend-hold", "No hold is open on this account."),
            ("end-override", "No quota of the account is overridden."),
            ("reset-quota", "The account has no quota."),
            ("cancel-plan", "no plan of its own runs"),
            ("resume-plan", "no plan of its own runs"),
        ],
    )
    def test_is_said_in_place_of_a_form(self, alice: Account, verb: str, says: str) -> None:
        shown = text(Desk("dave", superuser=True).get(verb_path(alice, verb)))

        assert says in shown
        assert "Preview" not in shown
