"""The price list: added to by a form or a file, after a preview, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from credits.models import Feature, Price
from tests.admin.conftest import Desk, confirmation, text
from tests.factories import price
from tests.threads import at_once

HEAD = "feature,model,scheme,amount,per,input,output,effective_at,note\n"
NEW = {"unit": "credits", "feature": "ml-analysis", "scheme": "fixed", "amount": "60"}


@pytest.fixture
def erin(database: None) -> Desk:
    """Looks after prices."""
    return Desk("erin", "view_price", "view_feature", "add_feature", "change_feature", "add_price", "import_prices")


def upload(desk: Desk, content: str | bytes) -> Any:
    data = content if isinstance(content, bytes) else content.encode()
    return desk.post("credits/price/import/", file=SimpleUploadedFile("prices.csv", data))


def confirm(desk: Desk, preview: Any) -> Any:
    """Press the button of an import's preview, which carries the file."""
    kept = preview.context["form"].data["kept"]
    return desk.post("credits/price/import/", kept=kept, confirmation=confirmation(preview))


def versions(subject: str = "ml-analysis") -> list[dict[str, str]]:
    rows = Price.objects.filter(feature=subject) | Price.objects.filter(model=subject)
    return list(rows.order_by("version").values_list("terms", flat=True))


class TestANewPrice:
    def test_is_shown_beside_the_old_one_and_added_on_confirmation(self, erin: Desk) -> None:
        price("ml-analysis", "per_unit", per=50)

        preview = erin.post("credits/price/new/", **NEW)
        [change] = preview.context["changes"]
        assert (change.label, change.before, change.after) == (
            "ml-analysis in credits",
            "50 each (v1)",
            "60 a call",
        )
        assert versions() == [{"per": "50"}]

        answer = erin.post("credits/price/new/", **NEW, confirmation=confirmation(preview))
        assert answer.url == "/admin/credits/price/"
        assert versions() == [{"per": "50"}, {"amount": "60"}]
        assert Price.objects.latest("pk").created_by == "erin"
        assert LogEntry.objects.get().get_change_message() == "New price."

    @pytest.mark.parametrize(
        ("fields", "terms"),
        [
            ({"scheme": "per_unit", "per": "0.5", "amount": "7"}, {"per": "0.5"}),
            (
                {"scheme": "tiered", "tiers": "1000: 2\n\nabove: 1\n"},
                {"tiers": [{"up_to": "1000", "per": "2"}, {"up_to": None, "per": "1"}]},
            ),
            (
                {"scheme": "tokens", "input": "3", "output": "15", "feature": "", "model": "gpt-6"},
                {"input": "3", "output": "15"},
            ),
        ],
    )
    def test_has_the_figures_of_its_scheme(self, erin: Desk, fields: dict[str, str], terms: Any) -> None:
        price("ml-analysis", amount=1)
        asked = {**NEW, **fields}

        preview = erin.post("credits/price/new/", **asked)
        erin.post("credits/price/new/", **asked, confirmation=confirmation(preview))

        assert versions(asked.get("model") or "ml-analysis")[-1] == terms

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ({"amount": "0"}, "greater than zero"),
            ({"amount": "-3"}, "greater than zero"),
            *(({"amount": odd}, "Write plain digits") for odd in ("many", "1e3", "1_0", "１０")),  # meant
            ({"amount": ""}, "must be a number"),
            ({"amount": "50"}, "its price already"),
            ({"feature": ""}, "one of the two"),
            ({"model": "gpt-6"}, "one of the two"),
            ({"feature": "unheard-of"}, "Select a valid choice"),
            ({"effective_at": "2020-01-01T00:00"}, "in the past"),
            ({"effective_at": "12/11/2126 10:00"}, "Enter a valid date and time"),
            ({"scheme": "tiered", "tiers": "nonsense"}, "Write each tier"),
            ({"scheme": "tiered", "tiers": "above: 0"}, "greater than zero"),
        ],
    )
    def test_that_cannot_be_meant_is_refused_on_the_form(self, erin: Desk, fields: dict[str, str], says: str) -> None:
        price("ml-analysis", amount=50)

        page = erin.post("credits/price/new/", **{**NEW, **fields})

        assert says in text(page)
        assert "confirmation" not in text(page)
        assert len(versions()) == 1

    def test_begins_when_it_is_said_to(self, erin: Desk) -> None:
        price("ml-analysis", amount=50)
        begins = (timezone.now() + timedelta(days=9)).strftime("%Y-%m-%dT%H:%M")

        preview = erin.post("credits/price/new/", **NEW, effective_at=begins)
        erin.post("credits/price/new/", **NEW, effective_at=begins, confirmation=confirmation(preview))

        page = erin.get("credits/price/?state=later")
        [row] = page.context["cl"].result_list
        assert row.terms == {"amount": "60"}
        [now] = erin.get("credits/price/?state=now&feature__exact=ml-analysis").context["cl"].result_list
        assert now.until == row.effective_at


class TestAnImport:
    CSV = f"{HEAD},gpt-6,tokens,,,3,15\nml-analysis,,fixed,60\nwaf-inspection,,fixed,2\n"

    def test_is_shown_line_by_line_and_written_on_confirmation(self, erin: Desk) -> None:
        price("ml-analysis", amount=50)
        price("waf-inspection", amount=2)

        preview = upload(erin, self.CSV)
        for words in ("1 new, 1 changed, 1 unchanged, 0 wrong", "50 a call (v1)", "60 a call", "3 in, 15 out"):
            assert words in text(preview)
        assert Price.objects.filter(created_by="erin").count() == 0

        answer = confirm(erin, preview)
        assert answer.url == "/admin/credits/price/"
        assert "Added 2 prices." in text(erin.get("credits/price/"))
        assert versions()[-1] == {"amount": "60"}
        assert LogEntry.objects.count() == 2

    def test_of_json_is_the_same(self, erin: Desk) -> None:
        preview = upload(erin, '[{"feature": "ml-analysis", "scheme": "fixed", "terms": {"amount": 60}}]')
        confirm(erin, preview)

        assert versions() == [{"amount": "60"}]

    def test_with_a_line_that_is_wrong_cannot_be_confirmed(self, erin: Desk) -> None:
        preview = upload(erin, f"{self.CSV}api-call,,fixed,0\napi-call,,free,1\n")

        assert [fault.number for fault in preview.context["diff"].faults] == [5, 6]
        assert "greater than zero" in text(preview)
        assert 'name="confirm"' not in text(preview)
        assert "Line 5" in text(confirm(erin, preview))
        assert versions() == []

    def test_without_changes_has_nothing_to_confirm(self, erin: Desk) -> None:
        price("ml-analysis", amount=60)

        preview = upload(erin, f"{HEAD}ml-analysis,,fixed,60")

        assert "nothing to import" in text(preview)
        assert 'name="confirm"' not in text(preview)

    def test_is_shown_again_where_prices_changed_meanwhile(self, erin: Desk) -> None:
        preview = upload(erin, self.CSV)
        price("ml-analysis", amount=40)

        page = confirm(erin, preview)

        assert "have changed since" in text(page)
        assert versions() == [{"amount": "40"}]
        confirm(erin, page)
        assert versions() == [{"amount": "40"}, {"amount": "60"}]

    def test_confirmed_twice_is_done_once(self, erin: Desk) -> None:
        preview = upload(erin, self.CSV)
        confirm(erin, preview)

        again = confirm(erin, preview)

        assert "Nothing was done twice" in text(erin.client.get(again.url))
        assert versions() == [{"amount": "60"}]

    def test_confirmed_at_the_same_moment_is_done_once(self, committed: None) -> None:
        desk = Desk("erin", superuser=True)
        preview = upload(desk, self.CSV)

        answers = at_once([lambda: confirm(desk, preview)] * 4)

        assert [getattr(answer, "status_code", answer) for answer in answers] == [302] * 4
        assert versions() == [{"amount": "60"}]

    def test_may_have_five_thousand_lines(self, erin: Desk) -> None:
        preview = upload(erin, HEAD + "".join(f",model-{number},fixed,{number + 1}\n" for number in range(5000)))
        assert "5,000 new" in text(preview)

        assert confirm(erin, preview).status_code == 302
        assert Price.objects.filter(created_by="erin").count() == 5000

    @pytest.mark.parametrize("content", [b"", b"\xff", b"no price list", b"[]", b"x" * (1024 * 1024 + 1)])
    def test_of_what_is_no_price_list_is_refused(self, erin: Desk, content: bytes) -> None:
        page = upload(erin, content)

        assert page.context["form"].errors["file"]
        assert "confirmation" not in text(page)

    @pytest.mark.parametrize("kept", ["", "forged"])
    def test_needs_a_file_that_was_uploaded_here(self, erin: Desk, kept: str) -> None:
        page = erin.post("credits/price/import/", kept=kept)

        assert page.context["form"].errors
        assert "confirmation" not in text(page)

    def test_of_another_file_than_was_previewed_is_previewed(self, erin: Desk) -> None:
        signed = confirmation(upload(erin, self.CSV))
        other = upload(erin, f"{HEAD}ml-analysis,,fixed,1")

        page = erin.post("credits/price/import/", kept=other.context["form"].data["kept"], confirmation=signed)

        assert page.status_code == 200
        assert versions() == []


class TestAFeature:
    def test_is_added_and_renamed_and_never_recoded(self, erin: Desk) -> None:
        erin.post("credits/feature/add/", code="scan", name="Scan", description="")
        erin.post("credits/feature/scan/change/", code="other", name="Deep scan", description="All ports")

        found = Feature.objects.filter(name="Deep scan").values_list("pk", "description")
        assert list(found) == [("scan", "All ports")]

    @pytest.mark.parametrize("code", ["Scan", "a b", "", "ai-tokens", "x" * 101])
    def test_that_cannot_be_meant_is_refused(self, erin: Desk, code: str) -> None:
        assert erin.post("credits/feature/add/", code=code, name="N", description="").status_code == 200
        assert Feature.objects.count() == 1
