"""Texts of callers, for templates."""

from __future__ import annotations

from django import template

from credits import texts

register = template.Library()
register.filter("apart", texts.apart)
register.filter("one_line", texts.one_line)
