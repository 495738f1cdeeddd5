"""Units: added and renamed, their code and step never changed."""

from __future__ import annotations

from django.contrib.admin.models import LogEntry

from credits.models import Unit
from tests.admin.conftest import Desk


def test_a_unit_is_added(dave: Desk) -> None:
    answer = dave.post("credits/unit/add/", code="pages", name="Pages", decimal_places="0")

    assert answer.status_code == 302
    assert Unit.objects.get(pk="pages").name == "Pages"
    assert LogEntry.objects.get().object_id == "pages"


def test_a_unit_that_cannot_be_meant_is_refused(dave: Desk) -> None:
    for code, places in (("1st", "0"), ("USD", "2"), ("fine", "7")):
        answer = dave.post("credits/unit/add/", code=code, name="N", decimal_places=places)
        assert answer.status_code == 200
    assert set(Unit.objects.values_list("pk", flat=True)) == {"credits", "USD"}


def test_only_its_name_changes(dave: Desk) -> None:
    dave.post("credits/unit/USD/change/", code="EUR", name="Dollars", decimal_places="2")

    assert list(Unit.objects.filter(pk="USD").values_list("name", "decimal_places")) == [("Dollars", 6)]
    assert not Unit.objects.filter(pk="EUR").exists()


def test_it_is_never_deleted(dave: Desk) -> None:
    assert dave.post("credits/unit/USD/delete/", post="yes").status_code == 403
