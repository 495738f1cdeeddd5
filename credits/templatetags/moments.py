"""Moments, for templates."""

from __future__ import annotations

from django import template

from credits import moments

register = template.Library()
register.filter("in_zone", moments.in_zone)
register.filter("moment", moments.moment_tag)
