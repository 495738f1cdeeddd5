"""Use that had no price, rated by the price there is now: one by one, or all of it."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.db.models import Count, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from credits.admin import show
from credits.admin.acts import Act
from credits.admin.confirmation import Confirmation, digest
from credits.admin.previews import Change, changes, picture
from credits.admin.refundable import left_to_refund
from credits.models import Price, UnpricedStatus, UnpricedUsage
from credits.plan import Usage, expire_lots
from credits.pricefile import Subject
from credits.pricelist import in_words
from credits.services.locks import lock_account, read_account
from credits.services.once import Once
from credits.services.prices import newest_price, price_book
from credits.services.usage import AlreadyRated, plan_rating, rate_everything, rate_unpriced

# Each takes some milliseconds, and somebody waits for the page.
MOST_AT_ONCE = 1000


class Rate(Act):
    path, title, permission = "rate", "Rate the use", "rate_unpricedusage"
    does = "Makes the provisional charge right by the price there is now: charges what is missing, or gives back."
    form_class = forms.Form
    asks = False

    def __init__(self, admin: Any, request: HttpRequest, object_id: str) -> None:
        super().__init__(admin, request)
        row = admin.get_object(request, object_id)
        if row is None:
            raise Http404("There is no such usage.")
        self.row: UnpricedUsage = row

    @property
    def subject(self) -> UnpricedUsage:
        """The use."""
        return self.row

    @property
    def home(self) -> str:
        """The page of the use."""
        return show.page_of(UnpricedUsage, self.row.pk)

    def page(self, step: str, **context: Any) -> HttpResponse:
        """Render a step, under the name of the account."""
        return super().page(step, account=self.row.account, **context)

    def look(self, data: dict[str, Any]) -> Any:
        """Return the account as it is."""
        return read_account(self.row.account_id)

    def hold(self, once: Once, data: dict[str, Any]) -> Any:
        """Return the account, locked."""
        return lock_account(self.row.account_id, once=once, at=None)

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return a digest of the account's status, what is left of the charge, and which prices there are.

        What else the account uses meanwhile does not matter to it: what it cannot pay is owed.
        """
        left = left_to_refund(state, [self.row.transaction]).get(self.row.transaction_id)
        return digest([state.status, left, state.newest_price])

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        """Return what would change, from the same plan that the service makes."""
        if self.row.status != UnpricedStatus.OPEN:
            raise AlreadyRated("It was rated before.")
        before, unit = picture(state), self.row.account.unit_id
        rating = plan_rating(state, self.row, self.actor)
        expire_lots(state)
        price = Price.objects.get(pk=rating.tariff.id)
        charged = -self.row.transaction.amount
        # Owed credits are no part of a movement's amount, so its own debt is added.
        more = rating.correction.debt - rating.correction.amount if rating.correction else charged * 0
        difference = {1: "charged", -1: "refunded", 0: "unchanged"}[(more > 0) - (more < 0)]
        return [
            Change("Price", "None", f"{in_words(price.scheme, price.terms)} (v{price.version})"),
            Change(
                f"Charge for {show.used(self.row.transaction.usage, self.row.transaction.feature)}",
                show.amount(charged, unit),
                show.amount(charged + more, unit),
                f"{show.amount(abs(more), unit)} {difference}" if more else difference,
            ),
            *changes(before, picture(state), unit),
        ]

    def act(self, once: Once, data: dict[str, Any]) -> UnpricedUsage:
        done: UnpricedUsage = rate_unpriced(once=once, unpriced=self.row.pk, actor=self.actor)
        return done

    def record(self, done: Any, data: dict[str, Any]) -> None:
        """Log it with the use."""
        self.admin.log_change(self.request, self.row, self.said(done, data))

    def said(self, done: Any, data: dict[str, Any]) -> str:
        words = {
            UnpricedStatus.RATED: f"Rated at {done.price}.",
            UnpricedStatus.WAIVED: "It was refunded before, so nothing is charged.",
        }
        return words[UnpricedStatus(done.status)]


class RateAll(Act):
    """Each use is rated once, in a transaction of its own, so pressing twice does no more than once."""

    path, title, permission = "rate-all", "Rate everything that has a price now", "rate_unpricedusage"
    does = f"The oldest first, {MOST_AT_ONCE:,} at a time. What an account cannot pay is owed."
    form_class = forms.Form
    asks = False
    templates: ClassVar[dict[str, str]] = {**Act.templates, "preview": "admin/credits/unpricedusage/rate_all.html"}

    def look(self, data: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what waits, by what it waits for."""
        book, now = price_book(newest_price()), timezone.now()
        rows = UnpricedUsage.objects.filter(status=UnpricedStatus.OPEN).order_by()
        found = rows.values_list("account__unit_id", "feature", "model")
        waiting = []
        for unit, feature, model, count, moved in found.annotate(Count("pk"), Sum("transaction__amount")):
            tariff = book.in_force(unit, Usage(feature=feature, model=model), now)
            waiting.append(
                {
                    "subject": str(Subject(unit, feature, model)),
                    "count": f"{count:,}",
                    "charged": show.amount(-moved, unit),
                    "price": f"v{tariff.version}" if tariff else "",
                }
            )
        return sorted(waiting, key=lambda row: (not row["price"], row["subject"]))

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return nothing: what came to wait since the preview is rated too."""
        return ""

    def foreseen(self, state: Any, data: dict[str, Any]) -> dict[str, Any]:
        """Return what waits."""
        return {"waiting": state, "nothing": not any(row["price"] for row in state)}

    def confirmed(self, given: Confirmation, data: dict[str, Any]) -> tuple[int, int]:
        """Rate it, without a transaction around all of it."""
        return rate_everything(actor=self.actor, most=MOST_AT_ONCE)

    def said(self, done: Any, data: dict[str, Any]) -> str:
        left = UnpricedUsage.objects.filter(status=UnpricedStatus.OPEN).count()
        return f"Rated {done[0]:,}; {left:,} still wait."
