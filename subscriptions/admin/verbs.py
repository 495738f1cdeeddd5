"""The buttons of an account that change its plan.

A subscription that a provider keeps is changed there, outside of transactions, and here as it then says.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from credits.admin import desk, show
from credits.admin.confirmation import Confirmation, digest
from credits.admin.forms import TICKET, note
from credits.admin.previews import Change
from credits.admin.verbs import Verb
from credits.models import Account, CappedAction
from credits.plan import Owner, Sheet
from credits.plan.state import ZERO
from credits.refusals import Refusal
from credits.services.caps import Weight
from credits.services.locks import read_account
from credits.services.once import Once
from subscriptions import providers, refusals
from subscriptions.admin.foretold import tell
from subscriptions.models import Plan, PlanVersion, Subscription
from subscriptions.queries import (
    Preview,
    default_version,
    newest_version,
    offered_versions,
    preview_change,
    standing,
)
from subscriptions.rules import Step
from subscriptions.services import subscriptions as services
from subscriptions.services.by_account import cancel_of, go_to_plan
from subscriptions.services.rows import live_row
from subscriptions.services.subscriptions import beginning
from subscriptions.services.writing import Cause

NOTHING_TO_RESUME = "Nothing was canceled, scheduled or paused."
WHEN = [("period_end", "With the running period"), ("now", "Now")]


class WhyForm(forms.Form):
    note = note("Why", most=180, help_text="Kept in the subscription's history.", required=True)
    ticket = forms.CharField(max_length=64, required=False, help_text=TICKET, widget=UnfoldAdminTextInputWidget)


class CancelForm(WhyForm):
    when = forms.ChoiceField(choices=WHEN, widget=UnfoldAdminSelectWidget)
    field_order = ("when", "note", "ticket")


class PlanForm(WhyForm):
    plan = forms.ChoiceField(
        help_text="To a higher plan at once; to a lower one with the next period.", widget=UnfoldAdminSelectWidget
    )
    field_order = ("plan", "note", "ticket")

    def __init__(self, *args: Any, plans: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plan: Any = self.fields["plan"]
        plan.choices = [("", "Choose a plan"), *plans]


class PlanVerb(Verb):
    """Changes the account's subscription. What was used meanwhile does not matter to it."""

    permission = "subscriptions.manage_subscription"

    @property
    def row(self) -> Subscription:
        """The account's live subscription. Raises UnknownSubscription."""
        row = live_row(self.account.pk)
        if row is None:
            raise refusals.UnknownSubscription("The account has no subscription.")
        return row

    def cause(self, data: dict[str, Any]) -> Cause:
        """Return who does it and why, as the history will keep it."""
        ticket = f" ({data['ticket']})" if data["ticket"] else ""
        return Cause(self.actor, data["note"] + ticket, self.request.META.get("florin.request_id", ""))

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        row = live_row(self.account.pk)
        return digest([state.status, str(row and (row.pk, row.status, row.updated_at))])

    def confirmed(self, given: Confirmation, data: dict[str, Any]) -> Any:
        """Do it here; or at the provider that keeps the subscription, where nothing may be locked meanwhile."""
        row = live_row(self.account.pk)
        keeper = providers.collector_of(row) if row else None
        if row is None or keeper is None:
            return super().confirmed(given, data)
        once = given.once()
        once.check(once.find())
        if self.figures(self.look(data), data) != given.seen:
            return None
        self.changes = self.told(data)
        providers.through(once, lambda: self.ask_keeper(keeper, row, data))
        self.record(row, data)
        return row

    def cost(self, row: Subscription, version: PlanVersion | None, *, at_once: bool) -> providers.Cost | None:
        """Return what the provider that keeps a subscription asks for a change; None where none does."""
        keeper = providers.collector_of(row)
        return keeper.cost(subscription=row, version=version, at_once=at_once) if keeper else None

    def ask_keeper(self, keeper: providers.Collector, row: Subscription, data: dict[str, Any]) -> None:
        """Do it at the provider's."""
        raise NotImplementedError


class ChangePlan(PlanVerb):
    path, title = "change-plan", "Change the plan"
    does = "Puts the account on another plan: a higher one at once, a lower one with the next period."
    form_class = PlanForm
    # The credits that it brings for nothing, once they are worked out.
    brings: Decimal | None = None

    def form(self, data: Any = None) -> forms.Form:
        versions = offered_versions().filter(unit=self.unit).order_by("plan__rank")
        return PlanForm(data, plans=[(row.plan_id, f"{row.plan.name} ({row})") for row in versions])

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        row, after = standing(state).subscription, newest_version(data["plan"])
        if row is None:
            return tell(state, beginning(state, data["plan"]), default_version(self.unit), after, state.at, None)
        told = self.preview_of(row, data)
        cost = self.cost(row, None if after.plan.is_default else after, at_once=_is_up(row, after))
        return _told(state, told, cost)

    def preview_of(self, row: Subscription, data: dict[str, Any]) -> Preview:
        """Return what it makes of a subscription. Raises what the rules refuse."""
        after = newest_version(data["plan"])
        if after.plan_id == row.plan_version.plan_id:
            raise refusals.SamePlan(f"The account is on {after.plan_id} already.")
        verb = "upgrade" if _is_up(row, after) else "downgrade"
        return preview_change(subscription=row.pk, verb=verb, plan=data["plan"])

    def weight(self, data: dict[str, Any]) -> Weight | None:
        """Weigh the credits that it brings at once, or a month where those are more, where nobody collects their price.

        Worked out once, before they are there; not where it is refused, or was done before.
        """
        if self.brings is None:
            with suppress(Refusal):
                self.brings = self.free_credits(data)
        return Weight(self.path, self.unit, self.brings) if self.brings else None

    def free_credits(self, data: dict[str, Any]) -> Decimal:
        """Return how many credits it brings at once, or in a month, that nobody collects the price of."""
        sheet = read_account(self.account.pk)
        row = standing(sheet).subscription
        if row is None:
            return _heaviest(beginning(sheet, data["plan"]))
        if providers.collector_of(row):
            return ZERO
        step = self.preview_of(row, data).step
        return _heaviest(step) if _is_up(row, newest_version(data["plan"])) else step.credits_now

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        row = live_row(self.account.pk)
        if self.approver is not None:
            self.weight(data)
        if self.brings is None or (row is not None and providers.collector_of(row) is not None):
            raise refusals.NotNow("The subscription has changed meanwhile: ask anew.")
        owner = Owner(self.account.external_id, self.unit)
        return go_to_plan(once=once, owner=owner, plan=data["plan"], cause=self.cause(data))

    def ask_keeper(self, keeper: providers.Collector, row: Subscription, data: dict[str, Any]) -> None:
        after, cause = newest_version(data["plan"]), self.cause(data)
        if after.plan.is_default:
            keeper.cancel(subscription=row, at_period_end=True, cause=cause)
        elif _is_up(row, after):
            keeper.change(subscription=row, version=after, cause=cause)
        else:
            keeper.change_later(subscription=row, version=after, cause=cause)

    def said(self, done: Any, data: dict[str, Any]) -> str:
        plan, row = Plan.objects.get(pk=data["plan"]), live_row(self.account.pk)
        if row is not None and _is_to_go_to(row, plan):
            return f"Changes to {plan.name} on {show.utc(row.current_period_end)}."
        return f"The plan is changed to {plan.name}."


class OfRunningPlan(PlanVerb):
    """Asks for a plan that runs."""

    def hindrance(self, form: forms.Form) -> str:
        return "" if live_row(self.account.pk) else "The account is on the default plan: no plan of its own runs."


class CancelPlan(OfRunningPlan):
    path, title = "cancel-plan", "Cancel the plan"
    does = "Ends the subscription. Credits that were granted stay until they expire."
    form_class = CancelForm

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        row, at_once = self.row, data["when"] == "now"
        told = preview_change(subscription=row.pk, verb="cancel", at_once=at_once)
        return _told(state, told, self.cost(row, None, at_once=at_once))

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        at_end = data["when"] != "now"
        return cancel_of(once=once, account=self.account.pk, cause=self.cause(data), at_period_end=at_end)

    def ask_keeper(self, keeper: providers.Collector, row: Subscription, data: dict[str, Any]) -> None:
        keeper.cancel(subscription=row, at_period_end=data["when"] != "now", cause=self.cause(data))

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"Canceled the plan {'now' if data['when'] == 'now' else 'with the running period'}."


class ResumePlan(OfRunningPlan):
    path, title = "resume-plan", "Resume the plan"
    does = "Takes a cancellation or a scheduled change back, or lets a paused subscription go on."
    form_class = WhyForm

    def hindrance(self, form: forms.Form) -> str:
        return super().hindrance(form) or ("" if _resumable(self.row) else NOTHING_TO_RESUME)

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        row = self.row
        if not _resumable(row):
            raise refusals.NothingToResume(NOTHING_TO_RESUME)
        coming = "Ends with the period" if row.cancel_at_period_end else str(row.next_version or "Paused")
        return [Change("What comes next", coming, f"Renews on {row.plan_version}")]

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        return services.resume(once=once, subscription=self.row.pk, cause=self.cause(data))

    def ask_keeper(self, keeper: providers.Collector, row: Subscription, data: dict[str, Any]) -> None:
        keeper.resume(subscription=row, cause=self.cause(data))

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return "The plan goes on."


def _resumable(row: Subscription) -> bool:
    return bool(row.cancel_at_period_end or row.next_version_id or row.paused_at)


def _is_up(row: Subscription, after: PlanVersion) -> bool:
    return after.plan.rank >= row.plan_version.plan.rank


def _is_to_go_to(row: Subscription, plan: Plan) -> bool:
    """Tell whether it changes to a plan with its next period."""
    after = row.next_version
    return row.cancel_at_period_end if plan.is_default else after is not None and after.plan_id == plan.pk


def _heaviest(step: Step) -> Decimal:
    """Return the credits of a step: at once, or of each month that follows. At a month's end few come at once."""
    return max(step.credits_now, step.state.terms.monthly)


def _told(sheet: Sheet, told: Preview, cost: providers.Cost | None) -> list[Change]:
    return tell(sheet, told.step, told.before, told.after, told.effective_at, cost)


desk.register(
    desk.Button(ChangePlan, "swap_vert", "Plan"),
    desk.Button(CancelPlan, "cancel", "Plan"),
    desk.Button(ResumePlan, "resume", "Plan"),
    desk.Approvable(CappedAction.CHANGE_PLAN.value, ChangePlan, Account, lambda row: str(row.account_id)),
)
