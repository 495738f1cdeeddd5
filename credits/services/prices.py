"""The price list: features, prices in versions, and the book of them that charges are worked out with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max, Q
from django.db.models.functions import Now

from credits import refusals, units
from credits.models import Allowance, Feature, Price, PriceScheme
from credits.plan import PriceBook, Reservation, Tariff
from credits.plan.terms import FEATURE_CODE, figures, stored
from credits.services import clock

# So many rows go into one statement, each with its dozen values.
SLICE = 1000
_book: tuple[int, PriceBook] = (0, PriceBook())


@dataclass(frozen=True, slots=True)
class Offer:
    """A price as it is to be: of a feature or a model, in a unit. ``terms`` are the figures of the scheme."""

    unit: str
    scheme: str
    terms: Mapping[str, Any]
    feature: str = ""
    model: str = ""
    effective_at: datetime | None = None
    note: str = ""


def price_book(newest: int) -> PriceBook:
    """Return every price, with ``newest`` the number of the newest that its reader saw.

    Prices are added one writer at a time and never change, so a book is good for as long as no newer price is seen.
    """
    global _book  # noqa: PLW0603  # the process's copy
    if newest != _book[0]:
        _book = (newest, _read_book(newest))
    book = _book[1]
    unpriced = settings.UNPRICED_CHARGE if settings.UNPRICED_USAGE == "quarantine" else None
    return book if book.unpriced == unpriced else PriceBook(book.tariffs, unpriced)


def newest_price() -> int:
    """Return the number of the newest price."""
    return Price.objects.aggregate(newest=Max("pk"))["newest"] or 0


@transaction.atomic
def add_feature(*, code: str, name: str = "", description: str = "") -> Feature:
    """Add a feature to the catalogue; a known one stays as it is. Allowances that were made before do not enable it.

    Raises InvalidField for a code that is none.
    """
    _check_code(code)
    _add_to_catalogue([Feature(code=code, name=name or code, description=description, created_at=Now())])
    return Feature.objects.get(pk=code)


@transaction.atomic
def rename_feature(*, code: str, name: str, description: str) -> None:
    """Change how people read a feature."""
    Feature.objects.filter(pk=code).update(name=name, description=description)


@transaction.atomic
def add_prices(*, offers: Iterable[Offer], actor: str, at: datetime | None = None) -> list[Price]:
    """Add a version of each offered price; all or none. A feature that the catalogue does not know is added to it.

    What was charged before stays charged as it was. ``at`` stands in for the clock.
    Raises InvalidField for terms that do not fit the scheme, a figure that is not positive, or a moment in the past.
    """
    now = lock_price_list(at)
    rows = [_checked(offer, actor, now) for offer in offers]
    known = set(Feature.objects.values_list("pk", flat=True))
    codes = sorted({row.feature for row in rows} - known - {""})
    for code in codes:
        _check_code(code)
    _add_to_catalogue([Feature(code=code, name=code, created_at=now) for code in codes])
    versions = _versions(rows)
    for row in rows:
        subject = (row.unit_id, row.feature, row.model)
        row.version = versions[subject] = versions.get(subject, 0) + 1
    return Price.objects.bulk_create(rows, batch_size=SLICE)


def lock_price_list(at: datetime | None = None) -> datetime:
    """Let nobody else add prices until the transaction ends, and return the time, for which ``at`` may stand in.

    One writer at a time, so that numbers appear in the order of the commits. Readers do not wait.
    """
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE credits_price IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("SELECT coalesce(%s::timestamptz, clock_timestamp())", [at or clock.moved()])
        now: datetime = cursor.fetchone()[0]
    return now


def _check_code(code: str) -> None:
    if not FEATURE_CODE.fullmatch(code):
        raise refusals.InvalidField("feature", "A feature's code has small letters, digits, . _ and -, at most 100.")


def _add_to_catalogue(features: list[Feature]) -> None:
    """Add those that are not known yet, and deny them to every allowance that does not enable them."""
    if not features:
        return
    Feature.objects.bulk_create(features, batch_size=SLICE, ignore_conflicts=True)
    for allowance in Allowance.objects.select_for_update().order_by("pk"):
        known = {*allowance.features, *allowance.denied}
        denied = [each.pk for each in features if each.pk not in known]
        if denied:
            Allowance.objects.filter(pk=allowance.pk).update(denied=[*allowance.denied, *denied])


def _checked(offer: Offer, actor: str, now: datetime) -> Price:
    if bool(offer.feature) == bool(offer.model):
        raise refusals.InvalidField("feature", "Price a feature or a model, one of the two.")
    units.decimal_places(offer.unit)
    if offer.scheme not in PriceScheme.values:
        raise refusals.InvalidField("scheme", f"The scheme is one of {', '.join(PriceScheme.values)}.")
    effective_at = offer.effective_at or now
    if effective_at < now:
        raise refusals.InvalidField("effective_at", "A price cannot take effect in the past.")
    return Price(
        unit_id=offer.unit,
        feature=offer.feature,
        model=offer.model,
        scheme=offer.scheme,
        terms=stored(offer.scheme, offer.terms),
        effective_at=effective_at,
        note=offer.note,
        created_by=actor,
        created_at=now,
    )


def _versions(rows: Iterable[Price]) -> dict[tuple[str, str, str], int]:
    """Return the latest version of each feature or model that the rows price."""
    priced = Q(feature__in={row.feature for row in rows} - {""}) | Q(model__in={row.model for row in rows} - {""})
    found = Price.objects.filter(priced).order_by().values_list("unit_id", "feature", "model")
    return {(unit, feature, model): last for unit, feature, model, last in found.annotate(last=Max("version"))}


def tariff_of(row: Price) -> Tariff:
    """Return a stored price as plans need it."""
    return Tariff(row.pk, row.version, row.scheme, figures(row.scheme, row.terms), row.effective_at)


def pinned_tariff(held: Reservation) -> Tariff | None:
    """Return the price that a hold was placed at, where it was placed for a use."""
    return tariff_of(Price.objects.get(pk=held.charge.price)) if held.charge.price else None


def _read_book(newest: int) -> PriceBook:
    tariffs: dict[tuple[str, str, str], tuple[Tariff, ...]] = {}
    for row in Price.objects.filter(pk__lte=newest).order_by("-effective_at", "-version"):
        key = (row.unit_id, row.feature, row.model)
        tariffs[key] = (*tariffs.get(key, ()), tariff_of(row))
    return PriceBook(tariffs)
