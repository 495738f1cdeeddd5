"""The buttons of an account that change its quotas."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django import forms

from credits import refusals
from credits.admin import quota_words, show
from credits.admin.confirmation import digest
from credits.admin.policies import roles_that_may
from credits.admin.previews import Change
from credits.admin.quota_forms import KnownQuotaForm, LimitForm, OverrideForm
from credits.admin.verbs import Verb
from credits.models import Feature, Measure
from credits.models.fields import QUANTITY_PLACES
from credits.plan import Sheet, quotas
from credits.plan.state import QuotaCount, QuotaKey
from credits.services import quotas as services
from credits.services.locks import read_account
from credits.services.once import Once

# A month, the longest window of a quota: what is needed for longer is no exception, and another decides of it.
LONGEST = timedelta(days=31)


class QuotaVerb(Verb):
    """Asks which quota; what was used while somebody looked at the preview does not matter to it."""

    def key(self, data: dict[str, Any]) -> QuotaKey:
        """Return which quota is meant."""
        return QuotaKey(data["feature"], data["period"], data["measure"])

    def form(self, data: Any = None) -> forms.Form:
        counted = {key.feature for key in read_account(self.account.pk).quotas}
        codes = {*Feature.objects.values_list("pk", flat=True), *counted} - {""}
        asked = {name: self.request.GET[name] for name in QuotaKey._fields if name in self.request.GET}
        form_class: Any = self.form_class
        form: forms.Form = form_class(data, features=sorted(codes), initial=asked)
        limit: Any = form.fields["limit"]
        limit.places = self.places if (data or {}).get("measure") == Measure.CREDITS else QUANTITY_PLACES
        return form

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return a digest of every limit, and of when its window began."""
        return digest(
            [
                state.status,
                *sorted(
                    [str(one) for one in (
                        *count.key, count.limit, count.hard, count.override_limit, count.override_until,
                        count.plan_limit, count.plan_hard, count.window_start,
                    )]
                    for count in state.quotas.values()
                ),
            ]
        )  # fmt: skip

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        """Return how the quota would read."""
        count = quotas.ensure(state, self.key(data))
        before = quota_words.told(count, state)
        self.change(state, count, data)
        after = quota_words.told(count, state)
        return [Change(label, before[label], after[label]) for label in after]

    def change(self, sheet: Sheet, count: QuotaCount, data: dict[str, Any]) -> None:
        """Change a working copy as the service changes the quota."""
        raise NotImplementedError

    def read(self, field: Any, data: dict[str, Any]) -> str:
        """Return what was filled into a field, for people."""
        if field.name == "limit":
            return show.EMPTY if data["limit"] is None else show.quantity(data["limit"])
        return super().read(field, data)

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"{self.title}: {quota_words.name(self.key(data))}."


class SetQuota(QuotaVerb):
    path, title, permission = "set-quota", "Set a quota", "change_quota"
    does = "Gives the account a limit of its own, which goes before its plan's. What was used stays counted."
    form_class = LimitForm

    def change(self, sheet: Sheet, count: QuotaCount, data: dict[str, Any]) -> None:
        count.limit, count.hard = data["limit"], data["kind"] == "hard"

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        return services.set_quota(
            once=once, account=self.account.pk, key=self.key(data), limit=data["limit"], hard=data["kind"] == "hard"
        )

    def said(self, done: Any, data: dict[str, Any]) -> str:
        if data["limit"] is None:
            return f"Took away the own limit of {quota_words.name(self.key(data))}."
        return f"Set {quota_words.name(self.key(data))} to {show.quantity(data['limit'])}."


class OverrideQuota(QuotaVerb):
    path, title, permission = "override-quota", "Override a quota", "override_quota"
    does = "Another limit for the time being. It ends by itself; the usual limit holds again then."
    form_class = OverrideForm

    def change(self, sheet: Sheet, count: QuotaCount, data: dict[str, Any]) -> None:
        if data["until"] <= sheet.at:
            raise refusals.InvalidField("until", "The end lies in the past.")
        if data["until"] > sheet.at + LONGEST:
            who = " or ".join(roles_that_may("change_quota")) or "a superuser"
            told = f"An override lasts {LONGEST.days} days at the most. For good, {who} may set the quota."
            raise refusals.InvalidField("until", told)
        count.override_limit, count.override_until, count.override_reason = data["limit"], data["until"], data["note"]

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        return services.override_quota(
            once=once,
            account=self.account.pk,
            key=self.key(data),
            limit=data["limit"],
            until=data["until"],
            reason=f"{data['note']} ({data['ticket']})" if data["ticket"] else data["note"],
        )

    def said(self, done: Any, data: dict[str, Any]) -> str:
        name, until = quota_words.name(self.key(data)), show.utc(data["until"])
        return f"Overrode {name}: {show.quantity(data['limit'])} until {until}."


class KnownQuotaVerb(QuotaVerb):
    """About a quota that the account has."""

    form_class = KnownQuotaForm
    nothing: ClassVar[str] = "The account has no quota."

    def hindrance(self, form: forms.Form) -> str:
        known: Any = form.fields["quota"]
        return "" if any(value for value, _ in known.choices) else self.nothing

    def form(self, data: Any = None) -> forms.Form:
        known = [key for key, count in read_account(self.account.pk).quotas.items() if self.concerns(count)]
        choices = [("|".join(key), quota_words.name(key)) for key in sorted(known)]
        asked = "|".join(self.request.GET.get(name, "") for name in QuotaKey._fields)
        return KnownQuotaForm(data, quotas=choices, initial={"quota": asked})

    def key(self, data: dict[str, Any]) -> QuotaKey:
        """Return which quota is meant."""
        return QuotaKey(*data["quota"].rsplit("|", 2))

    def concerns(self, count: QuotaCount) -> bool:
        """Tell whether there is anything to do with a quota."""
        return True


class ResetQuota(KnownQuotaVerb):
    path, title, permission = "reset-quota", "Reset a quota now", "reset_quota"
    does = "Lets it begin anew within its window: what was used so far counts no more. The limit stays."

    def change(self, sheet: Sheet, count: QuotaCount, data: dict[str, Any]) -> None:
        quotas.reset(sheet, count)

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        return services.reset_quota(once=once, account=self.account.pk, key=self.key(data))

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"Reset {quota_words.name(self.key(data))}."


class EndOverride(KnownQuotaVerb):
    path, title, permission = "end-override", "End an override", "override_quota"
    does = "Lets the usual limit hold again, now."
    nothing = "No quota of the account is overridden."

    def concerns(self, count: QuotaCount) -> bool:
        return count.override_until is not None

    def change(self, sheet: Sheet, count: QuotaCount, data: dict[str, Any]) -> None:
        count.override_limit, count.override_until, count.override_reason = None, None, ""

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        return services.end_override(once=once, account=self.account.pk, key=self.key(data))

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"Ended the override of {quota_words.name(self.key(data))}."


BY_PATH: dict[str, type[Verb]] = {verb.path: verb for verb in (SetQuota, OverrideQuota, ResetQuota, EndOverride)}
