"""Caps, and what waits for a second person."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, transaction
from django.utils import timezone

from credits.models import Account, ApprovalRequest, ApprovalStatus, StaffAct, StaffCap
from credits.plan import Actor
from credits.services import accounts, approvals, caps
from tests.admin.conftest import Desk, confirmation, staff, text, verb_path
from tests.books import Books
from tests.factories import give, spend
from tests.threads import at_once

ASKED = {"reason": "goodwill", "note": "He waited long", "ticket": "SUP-7"}


def ask(desk: Desk, account: Account, amount: str = "600") -> ApprovalRequest:
    desk.confirm(account, "adjust", amount=amount, **ASKED)
    return ApprovalRequest.objects.latest("pk")


def page(row: ApprovalRequest) -> str:
    return f"credits/approvalrequest/{row.pk}/change/"


def decide(desk: Desk, row: ApprovalRequest, how: str = "approve", shown: Any = None) -> Any:
    fields = {"confirmation": confirmation(shown or desk.get(page(row)))} if how == "approve" else {}
    return desk.post(f"credits/approvalrequest/{row.pk}/{how}/", decision="Fair", **fields)


def balance(account: Account) -> int:
    account.refresh_from_db()
    return int(account.balance)


class TestTheCap:
    def test_lets_pass_what_is_within_it(self, sam: Desk, alice: Account) -> None:
        sam.confirm(alice, "adjust", amount="500", **ASKED)

        assert balance(alice) == 600
        assert not ApprovalRequest.objects.exists()

    def test_is_told_before_it_is_asked(self, sam: Desk, alice: Account) -> None:
        shown = text(sam.press(alice, "adjust", amount="501", **ASKED))

        assert "More than 500 credits at once takes a second person." in shown
        assert "Ask for approval" in shown

    @pytest.mark.parametrize("amount", ["501", "-501"])
    def test_makes_a_request_of_what_is_above_it(self, sam: Desk, alice: Account, books: Books, amount: str) -> None:
        row = ask(sam, alice, "501")

        assert balance(alice) == 100
        assert (row.status, row.asked_by_name, row.ticket, row.amount) == ("waiting", "sam", "SUP-7", 501)
        assert ["Balance", "100", "601"] in row.preview

    def test_asks_once_however_often_it_is_pressed(self, sam: Desk, alice: Account) -> None:
        given = confirmation(sam.press(alice, "adjust", amount="600", **ASKED))

        for _ in range(2):
            sam.press(alice, "adjust", amount="600", **ASKED, confirmation=given)

        assert ApprovalRequest.objects.count() == 1

    def test_of_the_day_counts_what_was_done_before(self, sam: Desk, alice: Account) -> None:
        for _ in range(4):
            sam.confirm(alice, "adjust", amount="500", **ASKED)
        sam.confirm(alice, "adjust", amount="1", **ASKED)

        assert balance(alice) == 2100
        assert "2,000 are used today" in ApprovalRequest.objects.get().why

    def test_of_the_day_is_not_spent_twice_by_two_at_once(self, committed: None, alice: Account, bob: Account) -> None:
        sam = staff("sam", "Support")
        StaffCap.objects.filter(role="Support", action="adjust", unit="credits").update(per_day=500)
        try:
            given = {each: confirmation(sam.press(each, "adjust", amount="400", **ASKED)) for each in (alice, bob)}
            press: Any = partial(sam.press, verb="adjust", amount="400", **dict[str, Any](ASKED))
            at_once([partial(press, each, confirmation=given[each]) for each in (alice, bob)])
        finally:
            StaffCap.objects.filter(role="Support", action="adjust", unit="credits").update(per_day=2000)

        assert balance(alice) + balance(bob) == 500
        assert ApprovalRequest.objects.count() == 1

    def test_of_two_roles_is_the_higher(self, sam: Desk) -> None:
        sam.user.groups.add(Group.objects.get(name="Support lead"), Group.objects.get(name="Auditor"))

        caps.check_cap(user=sam.user, weight=caps.Weight("adjust", "credits", Decimal(5000)))
        with pytest.raises(caps.AboveCap):
            caps.check_cap(user=sam.user, weight=caps.Weight("adjust", "credits", Decimal(5001)))

    def test_of_a_unit_without_one_is_nothing(self, sam: Desk) -> None:
        StaffCap.objects.filter(role="Support", unit="USD").delete()

        with pytest.raises(caps.AboveCap):
            caps.check_cap(user=sam.user, weight=caps.Weight("adjust", "USD", Decimal(1)))

    def test_is_changed_by_whoever_may_alone_and_told(self, sam: Desk, dave: Desk) -> None:
        row = StaffCap.objects.get(role="Support", action="adjust", unit="credits")
        path = f"credits/staffcap/{row.pk}/change/"
        fields = {"role": "Support", "action": "adjust", "unit": "credits", "per_action": "700", "per_day": "2000"}

        assert sam.post(path, **fields).status_code == 403
        assert dave.post(path, **fields).status_code == 302
        told = StaffAct.objects.filter(action="rights").latest("pk")
        assert (told.actor_name, told.before["At once"], told.after["At once"]) == (
            "dave",
            "500 credits",
            "700 credits",
        )

    @pytest.mark.parametrize(
        ("caps", "why"),
        [
            ({"per_action": "1_000"}, "is no amount"),
            ({"per_day": "1e3"}, "is no amount"),
            ({"per_approval": "１０００"}, "is no amount"),
            ({"per_action": "1.000"}, "no decimal places"),
            ({"per_action": "-1"}, "greater than or equal to 0"),
            ({"per_action": "700", "per_day": "699"}, "A day allows for at least as much"),
        ],
    )
    def test_is_an_amount_and_no_more_than_a_days(self, dave: Desk, caps: dict[str, str], why: str) -> None:
        row = StaffCap.objects.get(role="Support", action="adjust", unit="credits")
        fields = {"role": "Support", "action": "adjust", "unit": "credits", "per_action": "700", "per_day": "2000"}

        assert why in text(dave.post(f"credits/staffcap/{row.pk}/change/", **(fields | caps)))
        row.refresh_from_db()
        assert (row.per_action, row.per_day) == (500, 2000)

    def test_is_shown_as_it_can_be_sent_again(self, dave: Desk) -> None:
        row = StaffCap.objects.get(role="Support", action="adjust", unit="credits")

        assert 'value="500"' in text(dave.get(f"credits/staffcap/{row.pk}/change/"))


class TestTheBoundOfWhoApproves:
    """A lead may approve 50,000 at once, Finance any amount."""

    def test_lets_pass_what_is_within_it(self, sam: Desk, lea: Desk, alice: Account) -> None:
        row = ask(sam, alice, "50000")

        assert decide(lea, row).status_code == 302
        assert balance(alice) == 50_100

    def test_leaves_what_is_above_it_to_somebody_else(self, sam: Desk, lea: Desk, alice: Account) -> None:
        row = ask(sam, alice, "50001")

        shown = text(lea.get(page(row)))
        answer = decide(lea, row)
        row.refresh_from_db()

        assert "You may approve up to 50,000 credits at once" in shown
        assert "Approve and do it" not in shown
        assert (answer.status_code, row.status, balance(alice)) == (302, "waiting", 100)
        assert decide(staff("fin", "Finance"), row).status_code == 302
        assert balance(alice) == 50_101

    def test_is_none_in_a_unit_without_a_cap(self, sam: Desk, lea: Desk, alice: Account) -> None:
        row = ask(sam, alice, "600")
        StaffCap.objects.filter(role="Support lead", action="adjust", unit="credits").delete()

        assert "You may approve nothing in credits: there is no cap" in text(lea.get(page(row)))
        decide(lea, row)

        assert balance(alice) == 100

    def test_is_not_lifted_by_a_role_that_may_not_approve(self, sam: Desk, lea: Desk, alice: Account) -> None:
        lea.user.groups.add(Group.objects.get(name="Support"))
        row = ask(sam, alice, "50001")

        decide(lea, row)

        assert balance(alice) == 100

    def test_holds_for_what_it_comes_to_by_now(self, lea: Desk, alice: Account) -> None:
        lee = staff("lee", "Support lead")
        give(alice, 5900)
        lea.confirm(alice, "close", forfeit="on", **ASKED)
        row = ApprovalRequest.objects.latest("pk")
        give(alice, 50_000)

        shown = text(lee.get(page(row)))
        decide(lee, row)
        alice.refresh_from_db()

        assert (row.amount, alice.status, alice.balance) == (6000, "active", 56_000)
        assert "You may approve up to 50,000 credits at once" in shown

    def test_does_not_keep_from_refusing(self, sam: Desk, lea: Desk, alice: Account) -> None:
        row = ask(sam, alice, "50001")

        decide(lea, row, "refuse")
        row.refresh_from_db()

        assert (row.status, row.decided_by_name) == ("refused", "lea")

    def test_of_two_roles_is_the_higher(self, lea: Desk) -> None:
        weight = caps.Weight("adjust", "credits", Decimal(50_001))
        with pytest.raises(caps.AboveCap):
            caps.check_approval(user=lea.user, weight=weight)

        lea.user.groups.add(Group.objects.get(name="Finance"))

        caps.check_approval(user=lea.user, weight=weight)


class TestAnOverdraft:
    def test_beyond_the_cap_takes_a_second_person(self, lea: Desk, alice: Account) -> None:
        fields = {"overdraft_limit": "5001", "time_zone": "UTC", "low_balance_threshold": "", "name": "", "email": ""}
        lea.confirm(alice, "edit", **fields, note="Asked for it", ticket="SUP-8")
        row = ApprovalRequest.objects.get()

        alice.refresh_from_db()
        assert (row.action, row.amount, alice.overdraft_limit) == ("edit", 5001, 0)
        decide(staff("lee", "Support lead"), row)
        alice.refresh_from_db()
        act = StaffAct.objects.get(action="edit")

        assert (alice.overdraft_limit, act.amount, act.approved_by) == (5001, 5001, "lee")

    def test_within_it_counts_for_the_day(self, lea: Desk, alice: Account) -> None:
        fields = {"time_zone": "UTC", "low_balance_threshold": "", "name": "", "email": ""}
        for limit in ("5000", "10000", "15000", "20000", "20001"):
            lea.confirm(alice, "edit", overdraft_limit=limit, **fields, note="Asked for it", ticket="SUP-8")

        alice.refresh_from_db()
        assert alice.overdraft_limit == 20_000
        assert "20,000 are used today" in ApprovalRequest.objects.get().why


class TestApproval:
    @pytest.mark.parametrize("left", ["role", "staff"])
    def test_is_not_for_what_its_asker_may_no_longer_do(self, sam: Desk, lea: Desk, alice: Account, left: str) -> None:
        row = ask(sam, alice)
        if left == "role":
            sam.user.groups.clear()
        else:
            sam.user.is_staff = False
            sam.user.save()

        answer = decide(lea, row)

        assert "Whoever asked for it may no longer do so" in text(lea.client.get(answer["Location"]))
        assert balance(alice) == 100

    def test_leaves_in_the_log_what_was_decided(self, sam: Desk, lea: Desk, alice: Account) -> None:
        decide(lea, ask(sam, alice))

        act = StaffAct.objects.get(action="approve")
        assert (act.before, act.after) == ({"Status": "Waiting"}, {"Status": "Approved and done"})
        assert act.request_id

    def test_is_told_on_the_account_while_it_waits(self, sam: Desk, lea: Desk, alice: Account) -> None:
        row = ask(sam, alice, "600")
        path = f"credits/account/{alice.pk}/change/"
        assert "Waits for approval" in text(lea.get(path))

        decide(lea, row)

        assert "Waits for approval" not in text(lea.get(path))

    def test_names_what_else_waits_for_the_account(self, sam: Desk, lea: Desk, alice: Account, bob: Account) -> None:
        row, again = ask(sam, alice, "600"), ask(sam, alice, "600")
        ask(sam, bob, "700")

        shown = text(lea.get(page(row)))

        assert f"approvalrequest/{again.pk}/change/" in shown
        assert "Also waiting" in shown
        assert "+700 credits" not in shown

    def test_does_it_once_for_whoever_asked(self, sam: Desk, lea: Desk, alice: Account) -> None:
        row = ask(sam, alice)
        shown = lea.get(page(row))
        for _ in range(2):
            decide(lea, row, shown=shown)

        row.refresh_from_db()
        assert (balance(alice), row.status, row.decided_by_name) == (700, "approved", "lea")
        done = StaffAct.objects.get(action="adjust")
        assert (done.actor_name, done.approved_by, done.ticket) == ("sam", "lea", "SUP-7")
        assert (done.before["Balance"], done.after["Balance"]) == ("100", "700")

    def test_does_not_spend_the_day_of_who_asked(self, sam: Desk, lea: Desk, alice: Account) -> None:
        decide(lea, ask(sam, alice))

        assert caps.spent_today(user=sam.user, weight=caps.Weight("adjust", "credits", Decimal(1))) == 0

    def test_of_an_account_in_use_is_told_as_it_is_done(self, sam: Desk, lea: Desk, alice: Account) -> None:
        row = ask(sam, alice)
        shown = lea.get(page(row))
        spend(alice, 10)
        assert "690" in text(lea.get(page(row)))

        decide(lea, row, shown=shown)

        assert balance(alice) == 690
        done = StaffAct.objects.get(action="adjust")
        assert (done.before["Balance"], done.after["Balance"]) == ("90", "690")

    def test_of_an_account_frozen_meanwhile_is_looked_at_again(self, sam: Desk, lea: Desk, alice: Account) -> None:
        row = ask(sam, alice)
        shown = lea.get(page(row))
        accounts.freeze_account(account=alice.pk, reason="Chargeback")

        answer = decide(lea, row, shown=shown)

        assert "Things have changed since you looked" in text(lea.client.get(answer.url))
        assert (balance(alice), ApprovalRequest.objects.get().status) == (100, "waiting")
        decide(lea, row)
        assert balance(alice) == 700

    def test_is_never_ones_own(self, lea: Desk, alice: Account) -> None:
        row = ask(lea, alice, "6000")

        assert "somebody else has to decide" in text(lea.get(page(row)))
        decide(lea, row, "refuse")
        with pytest.raises(approvals.NotYours):
            approvals.approve(request=row.pk, decider=Actor("staff", str(lea.user.pk), "lea"), decision="", act=print)
        with pytest.raises(DatabaseError), transaction.atomic():
            ApprovalRequest.objects.update(status="approved", decided_by_id=row.asked_by_id, decided_at=timezone.now())
        assert (balance(alice), ApprovalRequest.objects.get().status) == (100, "waiting")

    def test_of_whoever_left_does_nothing(self, sam: Desk, lea: Desk, alice: Account) -> None:
        row = ask(sam, alice)
        sam.user.is_active = False
        sam.user.save()

        decide(lea, row)

        assert (balance(alice), ApprovalRequest.objects.get().status) == (100, "waiting")

    def test_by_who_has_no_such_button_says_whose_it_is(self, sam: Desk, lea: Desk, alice: Account) -> None:
        sam.confirm(alice, "grant", amount="600", expires_at="", **ASKED)
        row, fay = ApprovalRequest.objects.get(), staff("fay", "Finance")

        told = "You have no right to do this yourself (Grant), so it is for Support lead to decide."
        assert told in text(fay.get(page(row)))
        assert "to do this yourself" not in text(lea.get(page(row)))

    def test_takes_the_right_to_decide(self, sam: Desk, alice: Account) -> None:
        other, row = staff("tim", "Support"), ask(sam, alice)

        assert decide(other, row, "refuse").status_code == 403
        assert other.post(f"credits/approvalrequest/{row.pk}/approve/").status_code == 403

    def test_by_get_does_nothing(self, sam: Desk, lea: Desk, alice: Account) -> None:
        row = ask(sam, alice)

        for how in ("approve", "refuse"):
            assert lea.get(f"credits/approvalrequest/{row.pk}/{how}/").status_code == 403
        assert balance(alice) == 100

    def test_is_for_one_of_two_at_once(self, committed: None, alice: Account) -> None:
        sam, lea, lou = staff("sam", "Support"), staff("lea", "Support lead"), staff("lou", "Support lead")
        row = ask(sam, alice)
        shown = {desk.user.username: desk.get(page(row)) for desk in (lea, lou)}

        at_once([partial(decide, desk, row, shown=shown[desk.user.username]) for desk in (lea, lou)])

        assert balance(alice) == 700
        assert StaffAct.objects.filter(action="approve").count() == 1

    def test_that_fails_leaves_it_waiting(self, committed: None, alice: Account, monkeypatch: Any) -> None:
        sam, lea = staff("sam", "Support"), staff("lea", "Support lead")
        row = ask(sam, alice)
        monkeypatch.setattr("credits.services.approvals.record_act", _crash)

        with pytest.raises(RuntimeError):
            decide(lea, row)
        monkeypatch.undo()

        assert (balance(alice), ApprovalRequest.objects.get().status) == (100, "waiting")
        decide(lea, row)
        assert balance(alice) == 700

    def test_of_what_is_no_longer_possible_says_why(self, sam: Desk, lea: Desk, alice: Account) -> None:
        sam.confirm(alice, "adjust", amount="500", **ASKED)
        row = ask(sam, alice, "-600")
        sam.confirm(alice, "adjust", amount="-100", **ASKED)

        assert "It cannot be done now" in text(lea.get(page(row)))
        assert balance(alice) == 500

    def test_refused_is_refused_for_good(self, sam: Desk, lea: Desk, alice: Account) -> None:
        row = ask(sam, alice)
        shown = lea.get(page(row))

        decide(lea, row, "refuse")
        decide(lea, row, shown=shown)

        assert (balance(alice), ApprovalRequest.objects.get().status) == (100, "refused")
        with pytest.raises(DatabaseError), transaction.atomic():
            ApprovalRequest.objects.update(status="waiting", decided_by_id="")

    def test_lapses(self, sam: Desk, lea: Desk, alice: Account, settings: Any) -> None:
        settings.APPROVAL_HOURS = 0
        row = ask(sam, alice)
        assert "Lapsed" in text(lea.get(page(row)))

        decide(lea, row, "refuse")
        assert approvals.lapse_due_approvals() == 1

        assert (balance(alice), ApprovalRequest.objects.get().status) == (100, ApprovalStatus.LAPSED)

    def test_is_counted_in_the_sidebar_and_in_front(self, sam: Desk, lea: Desk, alice: Account) -> None:
        ask(sam, alice)

        front = text(lea.get(""))
        assert "wait for a second person" in front
        assert "credits/approvalrequest/?status=waiting" in front


class TestTheLog:
    def test_says_who_why_and_what_was_before(self, sam: Desk, alice: Account) -> None:
        sam.confirm(alice, "adjust", amount="5", **ASKED)

        act = StaffAct.objects.get(action="adjust")
        assert (act.actor_name, act.reason, act.note, act.ticket) == ("sam", "goodwill", "He waited long", "SUP-7")
        assert (act.before["Balance"], act.after["Balance"]) == ("100", "105")
        assert "He waited long" in text(sam.get(f"credits/account/{alice.pk}/change/"))

    def test_is_never_changed_nor_deleted(self, sam: Desk, dave: Desk, alice: Account) -> None:
        sam.confirm(alice, "adjust", amount="5", **ASKED)
        act = StaffAct.objects.get(action="adjust")

        for statement in (StaffAct.objects.all().delete, lambda: StaffAct.objects.update(note="x")):
            with pytest.raises(DatabaseError), transaction.atomic():
                statement()
        assert dave.post(f"credits/staffact/{act.pk}/change/", note="x").status_code == 403
        assert dave.post(f"credits/staffact/{act.pk}/delete/", post="yes").status_code == 403
        assert dave.get("credits/staffact/add/").status_code == 403

    def test_keeps_nothing_of_what_was_refused(self, sam: Desk, alice: Account) -> None:
        sam.press(alice, "adjust", amount="-500", **ASKED)

        assert not StaffAct.objects.filter(account=alice.pk).exists()

    @pytest.mark.parametrize("query", ["", "?action=adjust", "?who=sam", "?ticket=SUP-7", "?account=alice@example.com"])
    def test_is_a_list_with_filters(self, sam: Desk, lea: Desk, alice: Account, query: str) -> None:
        sam.confirm(alice, "adjust", amount="5", **ASKED)
        act = StaffAct.objects.get(action="adjust")

        assert "Adjusted by" in text(lea.get(f"credits/staffact/{query}"))
        assert "100 → 105" in text(lea.get(f"credits/staffact/{act.pk}/change/"))

    def test_is_not_for_support(self, sam: Desk, alice: Account) -> None:
        assert sam.get("credits/staffact/").status_code == 403
        assert sam.get(verb_path(alice, "adjust")).status_code == 200


def _crash(**_told: Any) -> None:
    raise RuntimeError("The machine went down")
