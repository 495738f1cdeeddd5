"""An auto top-up that is killed at a point of its way: python -m tests.billing.dying_topup POINT."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import django

if __name__ == "__main__":
    django.setup()

from billing.providers import stripe  # models come after the set-up
from billing.services import payments, topups


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(point: str) -> None:
    charge, record = stripe.Stripe.charge_off_session, payments.record_payment

    def charge_and_die(self: Any, **named: Any) -> Any:
        if point == "begun":
            die()
        made = charge(self, **named)
        if point == "charged":
            die()
        return made

    def record_and_die(facts: Any) -> Any:
        record(facts)
        die()

    stripe.Stripe.charge_off_session = charge_and_die  # type: ignore[method-assign]
    vars(topups)["record_payment"] = record_and_die
    topups.top_up_due()


if __name__ == "__main__":
    main(*sys.argv[1:])
