"""Reports tell the ledger's own figures, agree with the front page, and stream."""

from __future__ import annotations

import csv
import io
import tracemalloc
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.db import connection
from django.utils import timezone

from credits.admin import reports
from credits.admin.desk import Column, Holds, Report, all_reports
from credits.models import FAMILIES, Account, GrantCategory, TransactionKind
from credits.models.families import EXPIRED, GRANTED, SOLD, SPENT
from credits.plan import LotTerms
from credits.services import movements, overview
from credits.services.corrections import refund_transaction
from credits.services.movements import adjust_balance
from credits.services.totals import roll_up_statistics
from tests.admin.conftest import Desk, text
from tests.factories import charge, give, make_account, memo, price, spend

DAYS = "since=2000-01-01&until=2090-01-01"
TEXTS = {"Month", "Unit", "Account", "Category", "Age", "Currency", "Feature", "When", "Kind", "Counterparty",
         "Reference", "Id"}  # fmt: skip


def rows_of(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def saved(desk: Desk, name: str, days: str = DAYS) -> list[dict[str, str]]:
    return rows_of(desk.get(f"reports/{name}/?{days}&format=csv"))


@pytest.fixture
def busy(alice: Account) -> Account:
    """An account on which each kind of thing happened, and others whose day is another one now."""
    give(alice, 40, GrantCategory.PLAN)
    give(alice, 40, paid_currency="EUR", paid_minor=1000, priority=1)
    give(alice, 5, GrantCategory.TRIAL)
    give(alice, 7, GrantCategory.PROMOTIONAL)
    promised = LotTerms(category=GrantCategory.PROMOTIONAL)
    movements.add_credits(account=alice.pk, amount=Decimal(10), memo=memo(), terms=promised, kind=TransactionKind.ORDER)
    used = spend(alice, 30, feature="calls", description="<script>alert(1)</script>")
    refund_transaction(transaction=used.id, amount=Decimal(4), memo=memo())
    adjust_balance(account=alice.pk, delta=Decimal(-2), memo=memo(reason="fraud"))
    for zone, amount in (("Pacific/Kiritimati", 1000), ("Pacific/Pago_Pago", 2000)):
        spend(make_account(external_id=zone, balance=amount, time_zone=zone), amount // 2)
    overview.sum_up()
    return alice


@pytest.mark.parametrize("name", [each.name for each in all_reports()])
def test_each_opens_and_is_saved(dave: Desk, busy: Account, name: str) -> None:
    page = dave.get(f"reports/{name}/?{DAYS}")

    assert page.status_code == 200
    assert page.context["rows"]
    assert saved(dave, name)


def test_the_liability_less_what_is_overdrawn_is_what_customers_have(dave: Desk, busy: Account) -> None:
    spend(make_account(external_id="deep", balance=10, overdraft_limit=500), 310)
    overview.sum_up()

    liability = saved(dave, "liability")
    customers = [row for row in saved(dave, "trial-balance") if row["Account"] == "customers"]
    (tile,) = (
        tile
        for board in dave.get("").context["boards"]
        for tile in board["tiles"]
        if tile.label == "Overdrawn in credits"
    )

    assert sum(Decimal(row["Outstanding"]) for row in liability) == Decimal(customers[0]["Balance"])
    assert [row["Outstanding"] for row in liability if row["Category"] == "overdrawn"] == ["-300"]
    assert (tile.text, tile.note) == ("300", "within the limits of 1 account")


def test_a_trial_balance_sums_to_zero(dave: Desk, alice: Account) -> None:
    give(alice, 50)
    spend(alice, 30)

    found = {row["Account"]: Decimal(row["Balance"]) for row in saved(dave, "trial-balance")}

    assert found["customers"] == 120
    assert sum(found.values()) == 0


class TestWhatIsSoldGrantedSpentAndExpired:
    """One definition: the front page, its chart, the list of movements, and the reports."""

    def test_is_the_same_on_the_front_page_in_its_lists_and_in_the_report(self, dave: Desk, busy: Account) -> None:
        today = timezone.now().date()
        month = f"since={today - timedelta(days=29)}&until={today}"
        told = [row for row in saved(dave, "credits", month) if row["Unit"] == "credits"]
        tiles = {tile.label: tile for board in dave.get("").context["boards"] for tile in board["tiles"]}

        for family in FAMILIES.values():
            reported = sum(Decimal(row[family.label]) for row in told)
            tile = tiles[f"{family.label} today, credits"]
            link = str(tile.note).split('href="')[1].split('"')[0].replace("&amp;", "&")
            assert f">{reported:,} in 30 days<" in str(tile.note)
            assert listed(dave, link) * family.sign == reported, family.name
            shown = Decimal(str(tile.text).replace(",", ""))
            assert listed(dave, tile.link) * family.sign == shown

    def test_is_what_the_chart_draws_day_for_day(self, dave: Desk, busy: Account) -> None:
        (chart,) = dave.get("").context["charts"]
        today = timezone.now().date()
        assert (len(chart["bars"]), chart["last"]) == (30, str(today))

        drawn = set()
        for bar in chart["bars"]:
            day, said = bar.says.split(": ")
            told = saved(dave, "credits", f"since={day}&until={day}") or [{}]
            for family in (SOLD, GRANTED, SPENT, EXPIRED):
                figure = sum(Decimal(row.get(family.label, 0)) for row in told)
                assert f"{figure:,} {family.label.lower()}" in said.replace(", ", "; ").split("; ")
                height = sum(int(piece.height) for piece in bar.pieces if piece.name == family.name)
                assert height == round(figure * 60 / Decimal(chart["most"].replace(",", "")))
                drawn |= {family.name} if height else set()
        assert drawn >= {"sold", "spent"}

    def test_is_the_other_side_of_the_books(self, dave: Desk, busy: Account) -> None:
        until = timezone.now().date() + timedelta(days=2)
        balance = {row["Account"]: Decimal(row["Balance"]) for row in saved(dave, "trial-balance")}
        rows = saved(dave, "credits", f"since=2000-01-01&until={until}")
        total = {each.name: sum(Decimal(row[each.label]) for row in rows) for each in FAMILIES.values()}

        assert total["sold"] == -balance["sales"]
        assert total["granted"] == -balance["promotions"] == 22
        assert total["spent"] - total["refunded"] == balance["usage"]

    def test_closes_with_what_else_moved(self, dave: Desk, busy: Account) -> None:
        until = timezone.now().date() + timedelta(days=2)
        rows = saved(dave, "credits", f"since=2000-01-01&until={until}")
        signs = {each.label: 1 if each.sign > 0 else -1 for each in FAMILIES.values()} | {"Other": 1}

        change = sum(Decimal(row[label]) * sign for row in rows for label, sign in signs.items())
        assert change == sum(Account.objects.values_list("balance", flat=True))


def listed(desk: Desk, link: str) -> Decimal:
    """Return the sum of the movements that a list shows."""
    at = urlsplit(link)
    answer = desk.client.get(at.path, dict(parse_qsl(at.query)))
    return sum((row.amount for row in answer.context["cl"].queryset), Decimal(0))


class TestAWrongSpan:
    @pytest.mark.parametrize("how", ["", "&format=csv"])
    @pytest.mark.parametrize(
        ("days", "why"),
        [
            ("since=2020-01-02&until=2020-01-01", "ends before it begins"),
            ("since=nonsense&until=2020-01-01", "Enter a valid date"),
            ("since=11/10/2020&until=2020-12-01", "Enter a valid date"),
            ("since=2020-01-01&until=２０２０-12-01", "Enter a valid date"),
            ("since=2020-01-01", "To: This field is required"),
            ("until=2020-01-01", "From: This field is required"),
            ("since=2020-01-01&until=", "To: This field is required"),
            ("since=0001-01-01&until=2020-01-01", "From: Choose a day from"),
            ("since=2020-01-01&until=9999-12-31", "To: Choose a day from"),
            ("since=2020-01-01%00&until=2020-01-02", "Enter a valid date"),
        ],
    )
    def test_is_refused_and_told(self, dave: Desk, alice: Account, days: str, why: str, how: str) -> None:
        for page in ("reports/usage/", f"credits/account/{alice.pk}/statement/"):
            answer = dave.get(f"{page}?{days}{how}")

            assert answer.status_code == 400, page
            assert answer["Content-Type"].startswith("text/html")
            assert "Content-Disposition" not in answer
            assert why in text(answer)

    def test_is_not_that_none_is_named(self, dave: Desk, alice: Account) -> None:
        assert saved(dave, "movements", "")
        assert dave.get(f"credits/account/{alice.pk}/statement/?format=csv")["Content-Type"].startswith("text/csv")


class TestFigures:
    def test_of_uses_and_amounts_have_no_zeros_to_spare(self, dave: Desk, alice: Account) -> None:
        price("ml-analysis", "per_unit", per=1)
        charge(alice, quantity=Decimal(73))
        price("scan", "per_unit", unit="USD", per="0.000125")
        dollars = make_account(external_id="usd", unit="USD", balance=Decimal("1234.5"))
        charge(dollars, "scan", quantity=Decimal("2.5"))
        roll_up_statistics()

        scan, ml = sorted(saved(dave, "usage"), key=lambda row: row["Unit"])
        assert (scan["Uses"], scan["Charged"], scan["Refunded"]) == ("2.5", "0.000313", "0.00")
        assert (ml["Uses"], ml["Charged"], ml["Refunded"]) == ("73", "73", "0")
        page = dave.get(f"reports/usage/?{DAYS}")
        assert {cell for row in page.context["rows"] for title, cell, _ in row if title == "Uses"} == {"73", "2.5"}
        moved = {row["Account"]: row for row in saved(dave, "movements") if row["Kind"] == "topup"}
        assert moved["usd"]["Amount"] == "1234.50"
        assert moved["alice@example.com"]["Amount"] == "100"

    def test_are_plain_digits_in_every_file(self, dave: Desk, busy: Account) -> None:
        give(make_account(external_id="usd", unit="USD"), Decimal("99999999.000001"), paid_currency="KWD", paid_minor=1)
        roll_up_statistics()

        for report in all_reports():
            for row in saved(dave, report.name):
                for title, cell in row.items():
                    if title not in TEXTS:
                        assert cell == "0" or cell.lstrip("-").replace(".", "", 1).isdigit(), (report.name, title, cell)
                        assert "." not in cell or len(cell.split(".")[1]) == 2 or not cell.endswith("0")

    def test_of_a_statement_are_written_with_its_units_places(self, dave: Desk, alice: Account) -> None:
        spend(alice, 3)

        rows = rows_of(dave.get(f"credits/account/{alice.pk}/statement/?{DAYS}&format=csv"))

        assert [(row["amount"], row["balance_after"], row["debt"]) for row in rows] == [
            ("100", "100", "0"), ("-3", "97", "0"),
        ]  # fmt: skip

    def test_of_money_are_told_with_its_currencys_places(self, dave: Desk, alice: Account) -> None:
        for currency, minor in (("JPY", 500), ("EUR", 123450), ("KWD", 1234)):
            give(alice, 10, paid_currency=currency, paid_minor=minor)

        page = dave.get("reports/liability/")

        told = {title: str(cell) for row in page.context["rows"] for title, cell, _ in row if title != "Unit"}
        assert told
        shown = {(str(row[5][1]), str(row[6][1])) for row in page.context["rows"]}
        assert shown >= {("JPY", "500"), ("EUR", "1,234.50"), ("KWD", "1.234"), ("–", "–")}
        kept = {row["Currency"]: row["Paid for it (minor units)"] for row in saved(dave, "liability")}
        assert kept == {"": "0", "JPY": "500", "EUR": "123450", "KWD": "1234"}


def test_there_is_none_of_another_name(dave: Desk, alice: Account) -> None:
    assert dave.get("reports/nonsense/").status_code == 404


def test_nobody_reads_them_who_may_not(eve: Desk) -> None:
    for name in ("", "trial-balance/", "nonsense/"):
        assert eve.get(f"reports/{name}").status_code == 403


def test_a_million_lines_take_no_memory(database: None) -> None:
    sql = "SELECT n, 'row ' || n FROM generate_series(1, 1000000) AS n WHERE %(since)s <> ''"
    report = Report("many", "Many", "", (Column("Number", Holds.COUNT), Column("Words")), sql, ())
    asked: Any = {"since": "x"}
    tracemalloc.start()
    count = sum(part.count("\n") for part in reports.lines(report, asked))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 1_000_001
    assert most < 8 * 1024 * 1024
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_cursors WHERE name LIKE 'report%%'")
        assert cursor.fetchone() == (0,)
