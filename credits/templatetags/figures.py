"""Figures, for templates."""

from __future__ import annotations

from decimal import Decimal

from django import template

from credits.amounts import grouped

register = template.Library()


@register.filter("grouped")
def grouped_count(count: int) -> str:
    """Return a count for people: 50,000."""
    return grouped(Decimal(count))
