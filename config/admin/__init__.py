"""The admin of what is not ours, in the admin's looks: users and groups, and the clock's schedule."""

from django.contrib import admin

from config.admin import people, schedule

__all__ = ["people", "schedule"]

admin.site.index_title = "Start"
