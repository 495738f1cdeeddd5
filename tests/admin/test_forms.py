"""What staff's forms take: amounts and days, each written one way."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django import forms

from billing.admin.endpoint_forms import RotationForm
from billing.admin.shelf_forms import PackForm
from credits.admin.forms import AmountField, DayField, KeyForm, MomentField, WholeField
from credits.admin.more_verbs import ExtendForm
from credits.models import Account
from tests.admin.conftest import Desk, text

ODD = [
    "12/11/2026",
    "11.10.2026",
    "2026/12/11",
    "２０２６-12-11",
    "20261211",
    "2026-12-11T10",
    "2026-13-01",
    "2026-02-30",
]


@pytest.mark.parametrize("odd", [*ODD, "2026-12-11T10:00"])
def test_a_day_is_written_one_way(odd: str) -> None:
    with pytest.raises(forms.ValidationError, match="as in 2026-12-31"):
        DayField().clean(odd)
    assert DayField().clean(" 2026-12-11 ") == date(2026, 12, 11)


@pytest.mark.parametrize("odd", ["٣", "３", "1_000", "1,000", "1e3", "3.0"])
def test_a_whole_number_is_written_one_way(odd: str) -> None:
    with pytest.raises(forms.ValidationError, match="whole number"):
        WholeField().clean(odd)
    assert WholeField().clean(" 30 ") == 30


def test_each_whole_number_of_the_desk_is() -> None:
    for form in (KeyForm, ExtendForm, PackForm, RotationForm):
        fields = [field for field in form.base_fields.values() if isinstance(field, forms.IntegerField)]
        whole = [field for field in fields if not isinstance(field, forms.DecimalField)]
        assert whole
        assert all(isinstance(field, WholeField) for field in whole), form


@pytest.mark.parametrize(
    "odd", [*ODD, "12/11/2026 10:00", "2026-12-11T25:00", "2026-12-11T10:00Z", "2026-12-11T１０:00"]
)
def test_a_moment_is_written_one_way(odd: str) -> None:
    with pytest.raises(forms.ValidationError, match="as in 2026-12-31T18:30"):
        MomentField().clean(odd)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("2026-12-11", datetime(2026, 12, 11, tzinfo=UTC)),
        ("2026-12-11T10:00", datetime(2026, 12, 11, 10, tzinfo=UTC)),
        ("2026-12-11T10:00:09", datetime(2026, 12, 11, 10, 0, 9, tzinfo=UTC)),
    ],
)
def test_a_moment_is_what_a_picker_sends(sent: str, meant: datetime) -> None:
    assert MomentField().clean(sent) == meant


@pytest.mark.parametrize("odd", ["1_0", "1e3", "１０", "1,000", "1.000", "0x1", "NaN", "٣"])  # meant
def test_an_amount_is_written_one_way(odd: str) -> None:
    with pytest.raises(forms.ValidationError):
        AmountField(places=2).clean(odd)
    assert AmountField(places=2).clean("1.50") == Decimal("1.5")


def test_a_list_of_other_days_than_were_meant_is_not_shown(dave: Desk, alice: Account) -> None:
    for day in ("11/10/2026", "２０２６-12-11", "2026-02-30"):
        answer = dave.get(f"credits/transaction/?recorded_at_to={day}")

        assert "is no day. Enter a valid date" in text(answer), day
        assert list(answer.context["cl"].result_list) == []


def test_the_timeline_says_that_a_day_is_none(dave: Desk, alice: Account) -> None:
    assert "From: Enter a valid date" in text(dave.get(f"credits/account/{alice.pk}/change/?since=11/10/2026"))
