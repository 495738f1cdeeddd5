"""A refund that is killed at a point of its way: python -m tests.billing.dying_refund POINT PAYMENT."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import django

if __name__ == "__main__":
    django.setup()

from billing.providers import stripe  # models come after the set-up
from billing.services import payments, refunds
from credits.plan import SYSTEM


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(point: str, payment: str) -> None:
    refund, record = stripe.Stripe.refund, payments.record_payment

    def refund_and_die(self: Any, *arguments: Any, **named: Any) -> Any:
        if point == "ordered":
            die()
        made = refund(self, *arguments, **named)
        if point == "refunded":
            die()
        return made

    def record_and_die(facts: Any) -> Any:
        record(facts)
        die()

    stripe.Stripe.refund = refund_and_die  # type: ignore[method-assign]
    vars(refunds)["record_payment"] = record_and_die
    refunds.refund_payment(once=None, payment=payment, amount_minor=500, reason="Killed", actor=SYSTEM)


if __name__ == "__main__":
    main(*sys.argv[1:])
