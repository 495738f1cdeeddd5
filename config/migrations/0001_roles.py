"""The roles of the support desk, as groups."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.migrations.state import StateApps

from config.roles import CAPPED, CAPPED_IN_MONEY, CAPS, ROLES


def add_roles(apps: StateApps, schema_editor: Any) -> None:
    """Make the groups and give them what they may do.

    Django makes permissions only once everything has been migrated, so they are made here first.
    """
    alias = schema_editor.connection.alias
    for label in sorted({name.split(".")[0] for may in ROLES.values() for name in may}):
        app = apps.get_app_config(label)
        app.models_module = True  # type: ignore[assignment]  # only whether there is one is asked
        create_permissions(app, verbosity=0, using=alias, apps=apps)
    permissions = apps.get_model("auth", "Permission").objects.using(alias).select_related("content_type")
    known = {f"{one.content_type.app_label}.{one.codename}": one for one in permissions}
    for role, may in ROLES.items():
        group, _ = apps.get_model("auth", "Group").objects.using(alias).get_or_create(name=role)
        group.permissions.set([known[name] for name in sorted(may)])
    units = set(apps.get_model("credits", "Unit").objects.using(alias).values_list("pk", flat=True))
    caps = apps.get_model("credits", "StaffCap").objects.using(alias)
    for role, by_unit in CAPS.items():
        for unit in sorted(units & by_unit.keys()):
            at_once, a_day, approves = by_unit[unit]
            for action in (*CAPPED, *(CAPPED_IN_MONEY if unit == "USD" else ())):
                caps.create(
                    role=role, action=action, unit_id=unit, per_action=at_once, per_day=a_day, per_approval=approves
                )


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("credits", "0002_books"),
        ("subscriptions", "0001_initial"),
        ("billing", "0001_initial"),
    ]

    operations = [migrations.RunPython(add_roles, migrations.RunPython.noop)]
