"""Users and groups. Whatever changes what somebody may do is told to the log, with what was before."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from credits.admin import show
from credits.admin.logged import Logged, actor_of, request_id
from credits.admin.lookups import Offered
from credits.services.caps import rename_role
from credits.services.staff import Told, record_act

admin.site.unregister([User, Group])
# Their pages would show secrets.
admin.site.unregister([StaticDevice, TOTPDevice])


def rights_of(row: User | Group | None) -> dict[str, str]:
    """Return what decides what a user, or a group, may do."""
    if row is None:
        return {}
    if isinstance(row, Group):
        return {"Permissions": _names(row.permissions.values_list("codename", flat=True)), "Name": row.name}
    return {
        "Roles": _names(row.groups.values_list("name", flat=True)),
        "Permissions": _names(row.user_permissions.values_list("codename", flat=True)),
        "Active": str(row.is_active),
        "Staff": str(row.is_staff),
        "Superuser": str(row.is_superuser),
    }


def _names(names: Any) -> str:
    return ", ".join(sorted(names)) or "none"


class Rights(Logged):
    """Tells the log which rights were changed, and how."""

    model: Any

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's
        row = self.model.objects.filter(pk=obj.pk).first() if change else None
        form.rights_before = rights_of(row)
        super().save_model(request, obj, form, change)  # type: ignore[misc]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001
        super().save_related(request, form, formsets, change)  # type: ignore[misc]
        before, after = form.rights_before, rights_of(self.model.objects.get(pk=form.instance.pk))
        changed = [name for name in after if before.get(name) != after[name]]
        if not changed:
            return
        if "Name" in changed and before:
            rename_role(before=before["Name"], after=after["Name"])
        told = Told(
            subject=f"{form.instance._meta.verbose_name} {form.instance}".capitalize(),
            before={name: before.get(name, "") for name in changed},
            after={name: after[name] for name in changed},
            request_id=request_id(request),
        )
        what = f"Changed what {form.instance} may do."
        record_act(actor=actor_of(request), action="rights", what=what, told=told)


@admin.register(User)
class UserAdmin(Rights, Offered, DjangoUserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]  # unfold has no types
    """Staff. What somebody may do comes from their groups; the verbs of the ledger are permissions of accounts."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    # When somebody came and was here last is told; nobody sets it.
    fieldsets = (*(DjangoUserAdmin.fieldsets or ())[:-1], ("Time", {"fields": ("signed_in", "joined")}))
    readonly_fields = ("signed_in", "joined")

    signed_in = show.moment_of("last_login", "Last signed in")
    joined = show.moment_of("date_joined", "Since")


@admin.register(Group)
class GroupAdmin(Rights, Offered, DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Sets of permissions, for example support and finance."""
