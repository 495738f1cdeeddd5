"""The account's page, its timeline and buttons, the one box and the front page."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from credits.admin.previews import Change
from credits.models import Account, GrantCategory, Hold, TaskRun, Transaction
from credits.services import overview
from credits.services.expiry import settle_account
from credits.services.movements import adjust_balance
from credits.services.totals import roll_up_statistics
from tests.admin.conftest import Desk, text
from tests.factories import charge, give, hold, make_account, memo, price, spend

WHY = {"reason": "goodwill", "note": "n", "ticket": "SUP-1"}
SCRIPT = "<script>alert(1)</script>"


def page(desk: Desk, account: Account, query: str = "") -> Any:
    return desk.get(f"credits/account/{account.pk}/change/{query}")


def find(desk: Desk, term: str) -> Any:
    return desk.get(f"find/?q={quote(term)}")


class TestTheTimeline:
    def test_says_in_words_what_moved(self, dave: Desk, alice: Account) -> None:
        price("ml-analysis", "per_unit", per=4)
        charge(alice, quantity=Decimal(3), trace="tr-1")

        said = text(page(dave, alice))

        assert "3 × ml-analysis" in said
        assert "price v1" in said
        assert "Paid lot of" in said
        assert "reference trace tr-1" in said
        assert "by key tests" in said

    def test_goes_on_behind_a_number(self, dave: Desk, alice: Account) -> None:
        for _ in range(30):
            spend(alice, 1)

        first = page(dave, alice).context["page"]
        second = page(dave, alice, f"?{first.older}").context["page"]

        numbers = [row.sequence for row in (*first.rows, *second.rows)]
        assert numbers == list(range(31, 0, -1))
        assert second.older == ""

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("kind=usage", 2),
            ("feature=calls", 1),
            ("reference=c-1", 1),
            ("since=2000-01-01&until=2099-01-01", 3),
            ("until=2000-01-01", 0),
            ("kind=nonsense", 3),
            ("since=nonsense", 3),
            ("before=2", 1),
            ("before=99999999999999999999", 3),
            ("reference=%00", 3),
            ("kind=usage&since=0001-01-01", 2),
        ],
    )
    def test_can_be_filtered(self, dave: Desk, alice: Account, query: str, count: int) -> None:
        spend(alice, 1, feature="calls")
        spend(alice, 2, reference_type="call", reference_id="c-1")

        assert len(page(dave, alice, f"?{query}").context["page"].rows) == count

    def test_asks_whether_to_look_further_back(self, dave: Desk, alice: Account, monkeypatch: Any) -> None:
        monkeypatch.setattr("credits.admin.timeline.LOOKED_AT", 2)
        for _ in range(5):
            spend(alice, 1)

        first = page(dave, alice, "?kind=topup").context["page"]
        assert (first.rows, bool(first.looked_to)) == ([], True)
        further = page(dave, alice, f"?{first.older}").context["page"]
        last = page(dave, alice, f"?{further.older}").context["page"]
        assert [row.kind for row in last.rows] == ["topup"]

    def test_days_that_end_before_they_begin_are_no_filter(self, dave: Desk, alice: Account) -> None:
        answer = page(dave, alice, "?since=2026-02-02&until=2026-02-01")

        assert "From is later than To." in text(answer)
        assert len(answer.context["page"].rows) == 1

    def test_escapes_what_callers_wrote(self, dave: Desk, alice: Account) -> None:
        spend(alice, 1, description=SCRIPT, feature=SCRIPT, reference_type="x", reference_id=SCRIPT, request_id="r")

        assert SCRIPT not in text(page(dave, alice))

    def test_costs_at_most_twenty_queries(self, dave: Desk, alice: Account) -> None:
        give(alice, 50, expires_at=timezone.now() + timedelta(days=3))
        for number in range(40):
            spend(alice, 1, description=str(number))
        hold(alice, 5)
        page(dave, alice)

        with CaptureQueriesContext(
            connection,
        ) as queries:
            page(dave, alice)

        assert len(queries) <= 20, "\n".join(query["sql"][:400].replace("\n", " ") for query in queries)


class TestItsButtons:
    def test_what_lapsed_is_granted_anew(self, dave: Desk, alice: Account) -> None:
        at = timezone.now() - timedelta(days=2)
        bob = make_account(external_id="lapsed", at=at)
        give(bob, 40, at=at, expires_at=timezone.now() - timedelta(days=1))
        settle_account(account=bob.pk)

        assert f"/{bob.pk}/grant/?amount=40" in text(page(dave, bob))
        assert 'value="40"' in text(dave.get(f"credits/account/{bob.pk}/grant/?amount=40"))

    def test_transfer(self, dave: Desk, alice: Account, bob: Account) -> None:
        preview = dave.press(alice, "transfer", to="bob", amount="30", **WHY)
        dave.confirm(alice, "transfer", to="bob", amount="30", **WHY)

        bob.refresh_from_db()
        assert bob.balance == 30
        *_, gained = preview.context["changes"]
        assert gained == Change("To bob: balance", "0", "30", "+30")

    def test_a_transfer_says_where_it_went_and_came_from(self, dave: Desk, alice: Account, bob: Account) -> None:
        dave.confirm(alice, "transfer", to="bob", amount="30", **WHY)

        for account, way, other in ((alice, "to", bob), (bob, "from", alice)):
            row = Transaction.objects.filter(account=account).latest("sequence")
            link = f'<a class="f-link" href="/admin/credits/account/{other.pk}/change/">'
            assert f"transferred {way} {link}" in text(page(dave, account))
            assert f"{way} {link}" in text(dave.get(f"credits/transaction/{row.pk}/change/"))

    @pytest.mark.parametrize("to", ["nobody", "alice@example.com"])
    def test_transfer_to_nowhere_is_refused(self, dave: Desk, alice: Account, to: str) -> None:
        answer = dave.press(alice, "transfer", to=to, amount="30", **WHY)

        assert answer.status_code == 200
        assert "confirmation" not in text(answer)
        assert Transaction.objects.count() == 1

    def test_holds_are_extended_and_released(self, dave: Desk, alice: Account) -> None:
        held = hold(alice, 20, description="Run")
        asked = {"held": str(held.id), "note": "Slow", "ticket": ""}

        dave.confirm(alice, "extend-hold", hours="5", **asked)
        assert Hold.objects.get().expires_at > timezone.now() + timedelta(hours=4)
        dave.confirm(alice, "release-hold", **asked)

        alice.refresh_from_db()
        assert (Hold.objects.get().status, alice.held) == ("released", 0)
        assert dave.press(alice, "release-hold", **asked).status_code == 200

    def test_a_statement_is_sent_once(self, dave: Desk) -> None:
        account = make_account(external_id="erin", balance=10, email="erin@example.com", name=SCRIPT)
        spend(account, 3, description="Three")
        today = timezone.now().date().isoformat()

        dave.confirm(account, "send-statement", since=today, until=today)

        [letter] = mail.outbox
        assert letter.to == ["erin@example.com"]
        assert "−3 credits" in letter.body
        assert "Balance after   7" in letter.body

    def test_a_statement_needs_an_address_and_days(self, dave: Desk, alice: Account) -> None:
        today = timezone.now().date().isoformat()

        assert "no e-mail address" in text(dave.press(alice, "send-statement", since=today, until=today))
        assert "ends before" in text(dave.press(alice, "send-statement", since=today, until="2000-01-01"))

    def test_a_statement_is_printed_and_saved(self, dave: Desk, alice: Account) -> None:
        spend(alice, 3, description="=cmd()")
        adjust_balance(account=alice.pk, delta=Decimal(-100), memo=memo(reason="fraud"), allow_debt=True)

        page = text(dave.get(f"credits/account/{alice.pk}/statement/"))
        assert all(words in page for words in ("Balance before", "debt +3"))
        answer = dave.get(f"credits/account/{alice.pk}/statement/?since=2000-01-01&until=2090-01-01&format=csv")
        rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
        assert [(Decimal(row["amount"]), Decimal(row["debt"])) for row in rows] == [(100, 0), (-3, 0), (-97, 3)]
        assert rows[1]["description"] == "'=cmd()"

    def test_a_statement_tells_the_reason_and_never_the_note(self, dave: Desk) -> None:
        account = make_account(external_id="erin", balance=100, email="erin@example.com")
        asked = {"note": "INTERNAL liar", "ticket": "SUP-1"}
        dave.confirm(account, "grant", amount="5", reason="goodwill", **asked)
        dave.confirm(account, "adjust", amount="-2", reason="other", **asked)
        spend(account, 3, description="Mine")
        today = timezone.now().date().isoformat()
        dave.confirm(account, "send-statement", since=today, until=today)

        page = text(dave.get(f"credits/account/{account.pk}/statement/"))
        told = b"".join(dave.get(f"credits/account/{account.pk}/statement/?format=csv").streaming_content).decode()
        [letter] = mail.outbox

        for statement in (page, told, str(letter.body)):
            assert "liar" not in statement
            assert "SUP-1" not in statement
            assert "Goodwill" in statement
            assert "say which" not in statement
            assert "Mine" in statement
        assert "INTERNAL liar" in text(dave.get(f"credits/account/{account.pk}/change/"))

    def test_a_statement_has_no_line_of_somebody_elses(self, dave: Desk) -> None:
        name = "Erin\n\n2026-01-01 10:00  +9 credits"
        account = make_account(external_id="erin", balance=10, email="erin@example.com", name=name)
        spend(account, 3, description="Three  (balance 7)\r\n2026-01-01 10:00\u2028+500 credits \u202e9+")
        today = timezone.now().date().isoformat()

        dave.confirm(account, "send-statement", since=today, until=today)

        lines = str(mail.outbox[0].body).splitlines()
        assert [line for line in lines if line.startswith("2026-01-01")] == []
        assert any("Three (balance 7) 2026-01-01 10:00 +500 credits 9+" in line for line in lines)
        assert lines[0] == "Hello Erin 2026-01-01 10:00 +9 credits,"


class TestTheBox:
    def test_leads_to_what_is_called_just_that(self, dave: Desk, alice: Account) -> None:
        spent = spend(alice, 1, reference_type="trace", reference_id="tr-1", request_id="req-1")
        held = hold(alice, 1)
        account = f"/admin/credits/account/{alice.pk}/change/"

        for term in ("alice@example.com", str(alice.pk), "alice@exa"):
            assert find(dave, term).url == account
        for term in ("tr-1", "req-1", str(spent.id)):
            assert find(dave, term).url == f"/admin/credits/transaction/{spent.id}/change/"
        assert find(dave, str(held.id)).url == f"/admin/credits/hold/{held.id}/change/"

    def test_finds_keys_and_what_they_were_answered(self, dave: Desk, alice: Account, api: Any) -> None:
        made = api.post("/api/v1/accounts/alice@example.com/debits", {"amount": 1}, once="once-77").json()

        assert find(dave, "once-77").url == f"/admin/credits/transaction/{made['id']}/change/"
        assert find(dave, api.row.prefix).url == f"/admin/credits/apikey/{api.row.pk}/change/"

    def test_lists_several(self, dave: Desk, alice: Account, bob: Account) -> None:
        for account in (alice, bob):
            spend(account, 1, reference_type="order", reference_id="o-1") if account.balance else None
        give(bob, 5)
        spend(bob, 1, reference_type="order", reference_id="o-1")

        answer = find(dave, "o-1")

        assert len(answer.context["groups"]["Movements"]) == 2

    @pytest.mark.parametrize(
        "term", ["Vogel", "voge", "maria vog", "Vogel Maria", "Vogel, M. & Maria", "hüls", "Vogel'"]
    )
    def test_finds_a_name_by_the_beginning_of_any_word(self, dave: Desk, alice: Account, term: str) -> None:
        maria = make_account(external_id="cus-1", name="Anna Maria Vogel-Hülsmann M.")
        make_account(external_id="cus-2", name="Maria Spatz")

        assert find(dave, term).url == f"/admin/credits/account/{maria.pk}/change/"

    def test_finds_words_of_names_by_an_index(self, dave: Desk, alice: Account) -> None:
        with CaptureQueriesContext(connection) as told:
            find(dave, "Vogel")

        [asked] = [each["sql"] for each in told if "to_tsquery" in each["sql"]]
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {asked}")
            assert "account_name_words" in "".join(line for (line,) in cursor.fetchall())

    @pytest.mark.parametrize("term", ["", "nobody-here", "%00", SCRIPT, "x" * 5000, "%", "'"])
    def test_says_where_there_is_nothing(self, dave: Desk, alice: Account, term: str) -> None:
        answer = find(dave, term)

        assert answer.status_code == 200
        assert SCRIPT not in text(answer)

    def test_tells_nobody_what_they_may_not_see(self, eve: Desk, alice: Account) -> None:
        assert find(eve, "alice@example.com").status_code == 200
        assert "alice@example.com</a>" not in text(find(eve, "alice@example.com"))


class TestTheFrontPage:
    def test_tells_when_each_job_of_the_clock_ran_last(self, dave: Desk) -> None:
        for error in ("", "It broke"):
            TaskRun.objects.create(
                job="expire_lots", started_at=timezone.now(), finished_at=timezone.now(), error=error
            )

        (job,) = dave.get("").context["jobs"]

        assert "Expire lots" in job["link"]
        assert job["said"] == "It broke"

    @pytest.mark.parametrize(("family", "count"), [("sold", 1), ("spent", 2), ("granted", 0), ("nonsense", 3)])
    def test_links_to_the_movements_that_a_figure_sums_up(
        self, dave: Desk, alice: Account, family: str, count: int
    ) -> None:
        for _ in range(2):
            spend(alice, 1)

        assert dave.get(f"credits/transaction/?family={family}").context["cl"].result_count == count

    def test_each_of_its_figures_leads_to_a_list_that_opens(self, dave: Desk, alice: Account) -> None:
        give(alice, 5, GrantCategory.TRIAL)
        spend(alice, 1)
        overview.sum_up()

        tiles = [tile for board in dave.get("").context["boards"] for tile in board["tiles"]]

        assert len(tiles) > 12
        for tile in tiles:
            assert dave.client.get(tile.link).status_code == 200, tile.label

    def test_tells_the_liability_and_what_moved(self, dave: Desk, alice: Account) -> None:
        give(alice, 50, paid_currency="EUR", paid_minor=1000)
        spend(alice, 30)
        roll_up_statistics()
        overview.sum_up()

        said = text(dave.get(""))

        assert "120" in said
        assert "10.00 EUR" in said
        assert "Spent today" in said

    def test_opens_on_empty_books(self, dave: Desk) -> None:
        assert dave.get("").status_code == 200

    def test_shows_nobody_what_they_may_not_see(self, eve: Desk, alice: Account) -> None:
        assert "Outstanding" not in text(eve.get(""))
