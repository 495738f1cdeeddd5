"""Texts of callers, for templates."""

from __future__ import annotations

from django import template
from django.template.defaultfilters import stringfilter

from credits import texts

register = template.Library()
register.filter("apart", texts.apart)
register.filter("one_line", stringfilter(texts.one_line))
# What is HTML already stays it.
register.filter("unturned", stringfilter(texts.unturned), is_safe=True)
