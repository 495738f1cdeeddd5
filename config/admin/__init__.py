"""The admin of what is not ours, in the admin's looks: users and groups, and the clock's schedule."""

from django.contrib import admin

from config.admin import people, schedule
from credits.moments import EMPTY

__all__ = ["people", "schedule"]

admin.site.index_title = "Start"
admin.site.empty_value_display = EMPTY
