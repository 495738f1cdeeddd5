"""Price files, held against the price list and imported into it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from credits import pricefile, pricelist, refusals
from credits.models import Price, Unit
from credits.pricefile import PriceFile, Subject
from credits.pricelist import Diff, Known
from credits.services.once import Once, money
from credits.services.prices import Offer, add_prices, lock_price_list


class PricesChanged(refusals.Refusal):
    code, title, stored = "prices_changed", "The price list has changed.", False


def read_price_file(data: bytes) -> PriceFile:
    """Read a price list, CSV or JSON, and judge each line of it. Raises Unreadable."""
    units = set(Unit.objects.values_list("pk", flat=True))
    return pricefile.read(data, units=units, default_unit=settings.DEFAULT_UNIT)


def compare_price_file(file: PriceFile, *, at: datetime | None = None) -> Diff:
    """Tell what importing a file would change. Writes nothing."""
    return pricelist.compare(file, _known(line.subject for line in file.lines), at or timezone.now())


@money
def import_price_file(
    once: Once | None, /, *, file: PriceFile, actor: str, seen: str | None = None, at: datetime | None = None
) -> list[Price]:
    """Add a version of every price that a file has otherwise than the price list; all or none.

    ``seen`` is the digest of the comparison that was agreed to. A file without changes adds nothing.
    Raises InvalidField for a file with a line that is wrong, PricesChanged where importing it would change something
    else than was seen, Busy.
    """
    now = lock_price_list(at)
    if once is not None:
        once.check(once.find())
    diff = compare_price_file(file, at=now)
    if seen not in {None, diff.digest()}:
        raise PricesChanged("Prices have changed since the file was compared with them. Compare it again.")
    if diff.faults:
        raise refusals.InvalidField("file", f"Line {diff.faults[0].number}: {diff.faults[0].says}")
    offers = [
        Offer(
            unit=line.subject.unit,
            scheme=line.scheme,
            terms=line.terms,
            feature=line.subject.feature,
            model=line.subject.model,
            effective_at=line.effective_at,
            note=line.note,
        )
        for line in diff.changing
    ]
    added = add_prices(offers=offers, actor=actor, at=now)
    if once is not None:
        once.record(once.answer_to(added))
    return added


def _known(subjects: Iterable[Subject]) -> dict[Subject, list[Known]]:
    """Return every price there is of what is asked about."""
    asked = set(subjects)
    priced = Q(feature__in={each.feature for each in asked} - {""}) | Q(model__in={each.model for each in asked} - {""})
    found: dict[Subject, list[Known]] = {}
    for row in Price.objects.filter(priced):
        known = Known(row.scheme, row.terms, row.effective_at, row.version)
        found.setdefault(Subject(row.unit_id, row.feature, row.model), []).append(known)
    return found
