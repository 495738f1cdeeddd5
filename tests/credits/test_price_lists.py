"""Price files: read line by line, compared, imported whole or not at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from credits import pricefile, refusals
from credits.models import Feature, Price
from credits.pricefile import PriceFile, Subject, Unreadable
from credits.pricelist import Known, State, compare, in_words
from credits.services import price_lists
from tests.factories import price

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NEXT_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
ML = Subject("credits", "ml-analysis", "")
HEAD = "unit,feature,model,scheme,amount,per,tiers,input,output,cached_input,reasoning,effective_at,note\n"
EXAMPLE = Path(__file__).parent.parent.parent / "docs" / "prices.example.csv"


def read(text: str | bytes) -> PriceFile:
    data = text if isinstance(text, bytes) else text.encode()
    return pricefile.read(data, units={"credits", "USD"}, default_unit="credits")


def line(cells: str) -> PriceFile:
    return read(HEAD + cells)


def each(per: str, **more: Any) -> Known:
    return Known("per_unit", {"per": per}, more.pop("since", NOW - timedelta(days=1)), more.pop("version", 1))


def states(text: str, *known: Known) -> list[State]:
    return [entry.state for entry in compare(read(text), {ML: known}, NOW).entries]


class TestAFile:
    @pytest.mark.parametrize(
        ("cells", "subject", "words"),
        [
            (",ml-analysis,,fixed,50", ML, "50 a call"),
            ("USD,ml-analysis,,per_unit,,0.20", Subject("USD", "ml-analysis", ""), "0.2 each"),
            (
                ',api-call,,tiered,,,"[{""up_to"": 1000, ""per"": ""2""}, {""up_to"": null, ""per"": 1}]"',
                Subject("credits", "api-call", ""),
                "2 each up to 1,000, then 1 each",
            ),
            (",,gpt-6,tokens,,,,3,15", Subject("credits", "", "gpt-6"), "3 in, 15 out a million tokens"),
            (
                ",,gpt-6,tokens,,,,3,15,0.3,60",
                Subject("credits", "", "gpt-6"),
                "3 in, 15 out, 0.3 cached in, 60 reasoning a million tokens",
            ),
            (",ml-analysis,,withdrawn", ML, "no longer sold"),
        ],
    )
    def test_of_csv_says_every_scheme(self, cells: str, subject: Subject, words: str) -> None:
        [found] = line(cells).lines

        assert (found.number, found.subject) == (2, subject)
        assert in_words(found.scheme, found.terms) == words

    def test_of_json_says_what_the_api_takes(self) -> None:
        item = {"feature": "ml-analysis", "scheme": "per_unit", "terms": {"per": 0.1}, "note": "cheaper"}
        item["effective_at"] = "2027-01-01T01:00:00+01:00"

        [found] = read(json.dumps([item])).lines

        assert (found.number, found.subject, found.terms, found.note) == (1, ML, {"per": "0.1"}, "cheaper")
        assert found.effective_at == NEXT_YEAR

    def test_may_come_from_a_spreadsheet(self) -> None:
        text = "\ufeffFeature;Scheme;Amount;Note\r\nml-analysis;fixed; 50 ;a, b\r\n;;;\r\n"

        [found] = read(text).lines

        assert (found.terms, found.note) == ({"amount": "50"}, "a, b")

    def test_that_is_the_example_is_right(self) -> None:
        found = read(EXAMPLE.read_bytes())

        assert found.faults == []
        assert {"api-call", "waf-inspection", "sandbox-run", "ml-analysis"} <= {
            each.subject.feature for each in found.lines
        }

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\xff\xfe",
            b"[]",
            b"{}",
            b"[{]",
            b"[" * 100_000,
            b'[{"scheme": "fixed", "scheme": "fixed"}]',
            HEAD.encode(),
            b"feature,amount\nml-analysis,50",
            b"feature,scheme,scheme\n",
            b"feature,scheme,colour\n",
            b"x" * (pricefile.MOST_BYTES + 1),
            b"scheme\n" + b"fixed\n" * (pricefile.MOST_LINES + 1),
            b'feature,scheme,note\nml-analysis,fixed,"' + b"x" * 200_000,
        ],
    )
    def test_that_is_no_price_list_is_refused(self, data: bytes) -> None:
        with pytest.raises(Unreadable):
            read(data)


class TestALineThatIsWrong:
    @pytest.mark.parametrize(
        ("cells", "says"),
        [
            (",ml-analysis,,fixed,0", "greater than zero"),
            (",ml-analysis,,fixed,-1", "greater than zero"),
            (",ml-analysis,,fixed,NaN", "must be a number"),
            (',ml-analysis,,fixed,"1,5"', "must be a number"),
            (",ml-analysis,,fixed,1e400", "no finer"),
            (",ml-analysis,,fixed,", "amount must be a number"),
            (",ml-analysis,,fixed,50,2", "fixed knows no per"),
            (",ml-analysis,,per_unit,,0.0000000000001", "no finer"),
            (",ml-analysis,,tiered,,,nonsense", "tiers is a list"),
            (',ml-analysis,,tiered,,,"[{""up_to"": null, ""per"": 0}]"', "greater than zero"),
            (",,gpt-6,tokens,,,,3,", "output must be a number"),
            (",,gpt-6,tokens,,,,3,-15", "greater than zero"),
            (",ml-analysis,gpt-6,fixed,1", "one of the two"),
            (",,,fixed,1", "one of the two"),
            (",Ml Analysis,,fixed,1", "small letters"),
            ("EUR,ml-analysis,,fixed,1", "no unit EUR"),
            (",ml-analysis,,free,1", "scheme is one of"),
            (",ml-analysis,,fixed,1,,,,,,,2027-01-01", "with its zone"),
            (",ml-analysis,,fixed,1,,,,,,,soon", "with its zone"),
            (",ml-analysis,,fixed,1,,,,,,,,,more", "more cells than columns"),
            (f",ml-analysis,,fixed,1,,,,,,,,{'x' * 256}", "at most 255"),
            (f",,{'m' * 101},fixed,1", "at most 100"),
            (",,gpt\0,fixed,1", "no NUL"),
        ],
    )
    def test_is_told_by_its_number_with_what_is_wrong(self, cells: str, says: str) -> None:
        found = line(f",waf-inspection,,fixed,2\n{cells}")

        assert len(found.lines) == 1
        [fault] = found.faults
        assert fault.number == 3
        assert says in fault.says

    @pytest.mark.parametrize("item", [1, {"scheme": 5}, {"terms": []}, {"free": True}, {"feature": "\ud800"}])
    def test_may_be_of_json(self, item: Any) -> None:
        if isinstance(item, dict):
            item = {"feature": "ml-analysis", "scheme": "fixed", "terms": {"amount": 1}, **item}

        assert [fault.number for fault in read(json.dumps([item])).faults] == [1]


class TestAComparison:
    def test_tells_new_changed_and_unchanged(self) -> None:
        csv = f"{HEAD},ml-analysis,,per_unit,,50"

        assert states(csv) == [State.NEW]
        assert states(csv, each("40")) == [State.CHANGED]
        assert states(csv, each("50")) == [State.UNCHANGED]
        assert states(csv, each("50"), each("40", version=2)) == [State.CHANGED]

    def test_says_old_and_new(self) -> None:
        text = f"{HEAD},ml-analysis,,fixed,1000,,,,,,,2027-01-01T00:00:00Z"

        [entry] = compare(read(text), {ML: [each("40", version=3)]}, NOW).entries

        assert str(entry) == (
            "changed    ml-analysis in credits: 40 each (v3) → 1,000 a call, from 2027-01-01 00:00 UTC"
        )

    def test_counts_what_begins_later(self) -> None:
        csv = f"{HEAD},ml-analysis,,per_unit,,50,,,,,,2027-01-01T00:00:00Z"

        assert states(csv, each("40"), each("50", since=NEXT_YEAR, version=2)) == [State.UNCHANGED]
        assert states(csv, each("50"), each("60", since=NEXT_YEAR, version=2)) == [State.CHANGED]

    def test_of_two_lines_of_one_subject_follows_time(self) -> None:
        later = ",ml-analysis,,per_unit,,60,,,,,,2027-01-01T00:00:00Z\n"
        now = ",ml-analysis,,per_unit,,50\n"
        back = ",ml-analysis,,per_unit,,50,,,,,,2027-06-01T00:00:00Z\n"

        assert states(HEAD + later + now + back, each("60")) == [State.CHANGED] * 3
        assert states(HEAD + later + now + back) == [State.CHANGED, State.NEW, State.CHANGED]

    def test_tells_two_prices_from_the_same_moment(self) -> None:
        diff = compare(line(",ml-analysis,,fixed,1\n,ml-analysis,,fixed,2"), {}, NOW)

        assert [(fault.number, fault.says) for fault in diff.faults] == [
            (3, "Line 2 prices ml-analysis in credits from the same moment on.")
        ]

    def test_lets_the_past_be_as_it_was_and_no_other(self) -> None:
        csv = f"{HEAD},ml-analysis,,per_unit,,50,,,,,,2026-01-01T00:00:00Z"
        since = datetime(2026, 1, 1, tzinfo=UTC)

        assert states(csv, each("50", since=since), each("60", version=2)) == [State.UNCHANGED]
        [fault] = compare(read(csv), {ML: [each("60", since=since)]}, NOW).faults
        assert "in the past" in fault.says

    def test_withdraws_only_what_is_sold(self) -> None:
        csv = f"{HEAD},ml-analysis,,withdrawn"

        assert states(csv) == [State.UNCHANGED]
        assert states(csv, each("50")) == [State.CHANGED]


class TestAnImport:
    def test_adds_what_differs_and_the_second_time_nothing(self, database: None) -> None:
        price("ml-analysis", "per_unit", per=40)
        file = price_lists.read_price_file(EXAMPLE.read_bytes())

        added = price_lists.import_price_file(file=file, actor="tests")

        assert len(added) == len(file.lines) - 1
        assert Price.objects.get(feature="ml-analysis", unit="credits", version=2).terms == {"per": "50"}
        assert Feature.objects.filter(pk="sandbox-run").exists()
        assert price_lists.import_price_file(file=file, actor="tests") == []

    def test_that_would_do_something_else_than_was_seen_is_refused(self, database: None) -> None:
        file = price_lists.read_price_file(f"{HEAD},ml-analysis,,fixed,50".encode())
        seen = price_lists.compare_price_file(file).digest()
        price("ml-analysis", amount=40)

        with pytest.raises(price_lists.PricesChanged):
            price_lists.import_price_file(file=file, actor="tests", seen=seen)
        assert Price.objects.filter(feature="ml-analysis").count() == 1

    def test_is_whole_or_not_at_all(self, database: None) -> None:
        file = price_lists.read_price_file(f"{HEAD},ml-analysis,,fixed,50\n,api-call,,fixed,0".encode())

        with pytest.raises(refusals.InvalidField, match="Line 3"):
            price_lists.import_price_file(file=file, actor="tests")
        assert not Price.objects.filter(feature="ml-analysis").exists()

    def test_of_five_thousand_lines_is_one_act(self, database: None) -> None:
        text = HEAD + "".join(f",feature-{number},,fixed,{number + 1}\n" for number in range(5000))
        file = price_lists.read_price_file(text.encode())

        assert len(price_lists.import_price_file(file=file, actor="tests")) == 5000
        assert price_lists.compare_price_file(file).changing == []


class TestTheCommand:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "prices.csv"
        path.write_text(f"{HEAD},ml-analysis,,fixed,50\n")
        return path

    def test_prints_the_difference_and_imports(self, database: None, file: Path, capsys: Any) -> None:
        call_command("import_prices", str(file), "--yes")

        said = capsys.readouterr().out
        assert "new        ml-analysis in credits: 50 a call" in said
        assert "1 new, 0 changed, 0 unchanged, 0 wrong" in said
        assert Price.objects.get(feature="ml-analysis").created_by == "import_prices"
        call_command("import_prices", str(file))
        assert "Nothing to do." in capsys.readouterr().out

    def test_writes_nothing_in_a_dry_run(self, database: None, file: Path, capsys: Any) -> None:
        call_command("import_prices", str(file), "--dry-run", "--yes")

        assert "a dry run" in capsys.readouterr().out
        assert not Price.objects.filter(feature="ml-analysis").exists()

    @pytest.mark.parametrize(("answer", "imported"), [("y", True), ("", False), ("no", False)])
    def test_asks_at_a_terminal(
        self, database: None, file: Path, monkeypatch: Any, answer: str, imported: bool
    ) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        monkeypatch.setattr("builtins.input", lambda asked: answer)

        if imported:
            call_command("import_prices", str(file))
        else:
            with pytest.raises(CommandError) as refused:
                call_command("import_prices", str(file))
            assert refused.value.returncode == 2
        assert Price.objects.filter(feature="ml-analysis").exists() == imported

    def test_refuses_where_nobody_can_be_asked(self, database: None, file: Path, monkeypatch: Any) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: False)

        with pytest.raises(CommandError, match="--yes") as refused:
            call_command("import_prices", str(file))
        assert refused.value.returncode == 2
        assert not Price.objects.filter(feature="ml-analysis").exists()

    @pytest.mark.parametrize("content", [f"{HEAD},ml-analysis,,fixed,50\n,api-call,,fixed,-1", "no price list", None])
    def test_refuses_a_file_with_anything_wrong(
        self, database: None, file: Path, capsys: Any, content: str | None
    ) -> None:
        if content is None:
            file.unlink()
        else:
            file.write_text(content)

        with pytest.raises(CommandError) as refused:
            call_command("import_prices", str(file), "--yes")
        assert refused.value.returncode == 1
        assert ("line 3: amount must be greater" in capsys.readouterr().err) == (
            content is not None and "-1" in content
        )
        assert not Price.objects.filter(feature="ml-analysis").exists()
