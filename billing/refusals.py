"""Every reason for which billing refuses, and what the refused caller is told. None of them moves a credit.

Answers tell nothing of the gateway's address, key or own words; what an operator needs to know is in the log.
"""

from __future__ import annotations

from credits.refusals import Refusal


class CostUnknown(Refusal):
    """The gateway knows no cost of the trace: none was logged yet, or all of it was free. Ask again in a moment."""

    status, code, title, stored = 404, "cost_not_found", "There is no cost for this trace.", False


class GatewayFailure(Refusal):
    """The gateway could not tell the cost. Nothing was charged; send the same request again."""

    status, code, title, stored = 502, "gateway_failed", "The AI gateway could not be asked.", False


class GatewayMissing(GatewayFailure):
    """No gateway is configured. An operator sets PORTKEY_URL and what goes with it."""

    code, title = "gateway_missing", "No AI gateway is configured."


class GatewayUnreachable(GatewayFailure):
    """The gateway did not answer in time, or only with errors of its own. Send the same request again later."""

    code, title = "gateway_unreachable", "The AI gateway is unreachable."


class GatewayAvoided(GatewayUnreachable):
    """The gateway failed time and again and is left alone for a while: ``retry_after`` says how many seconds."""


class GatewayRefused(GatewayFailure):
    """The gateway turned the question down: key, workspace or address are wrong. An operator mends the settings."""

    code, title = "gateway_refused", "The AI gateway refused to tell."


class GatewayNonsense(GatewayFailure):
    """The gateway's answer cannot be what the trace cost, and charging less would be a guess. An operator looks."""

    code, title = "gateway_nonsense", "The AI gateway gave no sense."
