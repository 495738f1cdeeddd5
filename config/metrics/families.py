"""How a figure that was read is told to Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

Samples = Mapping[Any, Any]  # from the labels' values, a tuple


def gauge(name: str, says: str, samples: Samples | float, labels: Sequence[str] = ()) -> Metric:
    """Return what goes up and down."""
    return _filled(GaugeMetricFamily(name, says, labels=labels), samples)


def counter(name: str, says: str, samples: Samples | float, labels: Sequence[str] = ()) -> Metric:
    """Return what only grows. Prometheus appends ``_total`` to the name."""
    return _filled(CounterMetricFamily(name, says, labels=labels), samples)


def rows(sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
    """Return what a query selects."""
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        return list(cursor.fetchall())


def _filled(family: Any, samples: Samples | float) -> Metric:
    for labels, value in samples.items() if isinstance(samples, Mapping) else [((), samples)]:
        family.add_metric([str(label) for label in labels], float(value))
    return family  # type: ignore[no-any-return]
