"""What billing's operations may answer besides what every operation may."""

from __future__ import annotations

from typing import Any

FAILED = "502"
DESCRIPTIONS = {
    "Dialect D": "The AI gateway is not to be had or gives no sense; nothing was charged.",
    "Buying": "The payment provider is not to be had; the same request again is done once.",
}
ASKS = {"post"}


def add_gateway_answers(result: dict[str, Any], generator: Any, **kwargs: Any) -> dict[str, Any]:
    """Add to the operations that ask somebody outside that this may fail. A spectacular post-processing hook."""
    body = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in result["paths"].values():
        for verb, operation in operations.items():
            said = DESCRIPTIONS.get(next(iter(operation.get("tags", ())), ""))
            if said and verb in ASKS:
                operation["responses"].setdefault(FAILED, {"description": said, "content": body})
    return result
