"""What billing's operations may answer besides what every operation may."""

from __future__ import annotations

from typing import Any

FAILED = "502"
DESCRIPTION = "The AI gateway is not to be had or gives no sense; nothing was charged."


def add_gateway_answers(result: dict[str, Any], generator: Any, **kwargs: Any) -> dict[str, Any]:
    """Add to the operations that ask the gateway that it may fail. A spectacular post-processing hook."""
    body = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            if "Dialect D" in operation.get("tags", ()):
                operation["responses"].setdefault(FAILED, {"description": DESCRIPTION, "content": body})
    return result
