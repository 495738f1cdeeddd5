"""What people, banks and time do, for tests and for the buttons of the dashboard. Ids or objects will do."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from . import catalogue, checkout, invoices, payments, subscriptions
from .errors import ApiError
from .store import DAY, Clock, Obj, Store
from .webhooks import Deliveries

Named = str | Any
MOST_STEPS = 10_000


class Script:
    """The account's two modes and its clock; ``store`` is the test mode."""

    clock: Clock
    store: Store
    live: Store
    deliveries: Deliveries

    def events(self, *kinds: str) -> list[Obj]:
        """Return what happened, oldest first, of these types or all."""
        with self.store.lock:
            rows = [*self.store.all("evt"), *self.live.all("evt")]
        return [copy.deepcopy(each) for each in rows if not kinds or each["type"] in kinds]

    def seen(self, named: Named) -> Obj:
        """Return an object as it is now."""
        with self.store.lock:
            return copy.deepcopy(self._of(named)[1])

    def customer_pays(self, session: Named, card: str = "pm_card_visa", *, later: bool = False) -> Obj:
        """Pay at Checkout. ``later``: by a method that tells only some days after whether it worked."""
        return self._do(session, lambda store, obj: checkout.pay(store, obj, card, later=later))

    def payment_settles(self, session: Named, *, paid: bool = True) -> Obj:
        """Let a payment made ``later`` work, or fail."""
        return self._do(session, lambda store, obj: checkout.settle(store, obj, paid=paid))

    def card_declines(self, session: Named, card: str = "pm_card_chargeDeclined") -> ApiError:
        """Try to pay at Checkout with a card that says no."""
        with self.store.lock:
            store, obj = self._of(session)
            return checkout.decline(store, obj, card)

    def save_card(self, customer: Named, card: str = "pm_card_visa", *, default: bool = True) -> Obj:
        """Attach a card to a customer, as the one to charge unless told otherwise."""

        def save(store: Store, obj: Obj) -> Obj:
            method = catalogue.attach(store, card, obj)
            if default:
                settings = {**obj["invoice_settings"], "default_payment_method": method["id"]}
                store.change(obj, "customer.updated", invoice_settings=settings)
                for sub in store.all("sub", customer=obj["id"]):
                    if sub["status"] not in subscriptions.OVER:
                        store.change(sub, "customer.subscription.updated", default_payment_method=method["id"])
            return method

        return self._do(customer, save)

    def refund(self, charge: Named, amount: int | None = None) -> Obj:
        """Refund in the dashboard, all that is left or an amount."""
        return self._do(charge, lambda store, obj: payments.refund(store, obj, amount, reason="requested_by_customer"))

    def fail_refund(self, refund: Named) -> Obj:
        return self._do(refund, payments.fail_refund)

    def open_dispute(self, charge: Named, amount: int | None = None, *, inquiry: bool = False) -> Obj:
        return self._do(charge, lambda store, obj: payments.open_dispute(store, obj, amount, inquiry=inquiry))

    def escalate_dispute(self, dispute: Named) -> Obj:
        return self._do(dispute, payments.escalate_dispute)

    def submit_evidence(self, dispute: Named) -> Obj:
        return self._do(dispute, payments.submit_evidence)

    def close_dispute(self, dispute: Named, outcome: str) -> Obj:
        """Let the bank decide: ``won`` or ``lost``."""
        if outcome not in ("won", "lost"):
            raise ValueError(outcome)
        return self._do(dispute, lambda store, obj: payments.close_dispute(store, obj, won=outcome == "won"))

    def renew(self, subscription: Named) -> Obj:
        """Put the clock forward to the end of a subscription's period, which begins the next one."""
        with self.store.lock:
            _, sub = self._of(subscription)
            self.advance_to(subscriptions.item_of(sub)["current_period_end"])
            return copy.deepcopy(sub)

    def fail_next_renewal(self, subscription: Named) -> None:
        """Let the first payment of the next period be declined."""
        with self.store.lock:
            store, sub = self._of(subscription)
            store.failing.add(sub["id"])

    def fail_renewal(self, subscription: Named) -> Obj:
        self.fail_next_renewal(subscription)
        return self.renew(subscription)

    def pay_invoice(self, invoice: Named) -> Obj:
        """The customer pays an open invoice by its page."""

        def pay(store: Store, inv: Obj) -> Obj:
            sub = invoices.subscription_of(store, inv)
            subscriptions.collected(store, sub, invoices.pay(store, inv, present=True))
            return inv

        return self._do(invoice, pay)

    def cancel(self, subscription: Named) -> Obj:
        """End a subscription now, in the dashboard."""
        return self._do(subscription, subscriptions.cancel)

    def cancel_at_period_end(self, subscription: Named) -> Obj:
        """Cancel in the portal: it sets ``cancel_at``, not ``cancel_at_period_end``."""
        return self._update(subscription, {"cancel_at": "min_period_end"})

    def keep(self, subscription: Named) -> Obj:
        """Take a cancellation back."""
        return self._update(subscription, {"cancel_at": ""})

    def advance(self, days: float = 0) -> None:
        """Put the clock forward, and let happen what falls due on the way."""
        self.advance_to(self.clock.now() + int(days * DAY))

    def advance_to(self, moment: int) -> None:
        with self.store.lock:
            for _ in range(MOST_STEPS):
                steps = [each for store in (self.store, self.live) for each in self._due(store) if each[0] <= moment]
                if not steps:
                    break
                when, step = min(steps, key=lambda each: each[0])
                self.clock.at_least(when)
                step()
            else:
                raise RuntimeError("The same thing falls due again and again.")
            self.clock.at_least(moment)

    def resend(self, event: Named, copies: int = 1) -> None:
        """Deliver an event again."""
        with self.store.lock:
            _, obj = self._of(event)
        for _ in range(copies):
            self.deliveries.put(obj)

    def _due(self, store: Store) -> list[tuple[int, Callable[[], Any]]]:
        steps = subscriptions.due(store)
        for when, session in checkout.overdue(store):
            steps.append((when, lambda session=session: checkout.expire(store, session)))  # type: ignore[misc]
        return steps

    def _update(self, subscription: Named, params: Obj) -> Obj:
        return self._do(subscription, lambda store, obj: subscriptions.update(store, obj, params))

    def _do(self, named: Named, does: Callable[[Store, Obj], Obj]) -> Obj:
        with self.store.lock:
            store, obj = self._of(named)
            return copy.deepcopy(does(store, obj))

    def _of(self, named: Named) -> tuple[Store, Obj]:
        """Return an object and its mode, by an id or by anything that has one."""
        identity = named if isinstance(named, str) else getattr(named, "id", None) or named["id"]
        for store in (self.store, self.live):
            found = store.named(identity)
            if found is not None:
                return store, found
        raise KeyError(identity)
