"""How the OpenAPI schema is described: one decorator for each operation, and what every operation may answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

F = TypeVar("F", bound=Callable[..., Any])

PROBLEMS = {
    "400": "The request is not valid; `errors` names each field.",
    "401": "No key, or one that is not valid.",
    "402": "Not enough credits: `needed`, `available`, `held`, `short`, lots about to expire, the `cheapest_pack`.",
    "403": "The key lacks the scope.",
    "404": "There is no such account, hold or transaction.",
    "405": "The method is not allowed here.",
    "409": "The state forbids it, or another request is changing the account (then with Retry-After).",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "Understood and impossible; or the Idempotency-Key came with another request before.",
    "429": "Too many requests; see Retry-After.",
    "503": "The database is not to be had just now; nothing was done.",
}
READING = {"400", "401", "403", "404", "405", "429", "503"}
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Any text of your own, 1 to 255 characters. The same key and body again get the same answer.",
)
UNIT = OpenApiParameter(
    "unit", str, description="Which of the owner's accounts, where it has several. By default the service's unit."
)
ACCOUNT = "alice@example.com"


class Schema(AutoSchema):
    """Marks what DRF cannot tell."""

    global_params = [
        OpenApiParameter("X-Request-ID", str, OpenApiParameter.HEADER, description="Echoed; kept with what is moved.")
    ]

    def get_override_parameters(self) -> Any:
        """Add the headers that every operation knows."""
        return self.global_params


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Both ways to send an API key."""

    target_class = "credits.api.authentication.ApiKeyAuthentication"
    name = ["bearer", "apiKey"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        """Return the two definitions."""
        return [{"type": "http", "scheme": "bearer"}, {"type": "apiKey", "in": "header", "name": "X-API-Key"}]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """Return that either will do. In one dictionary they would both be required."""
        return [{name: []} for name in self.name]


def describe(
    summary: str,
    *,
    tag: str,
    answer: Any,
    status: int = 200,
    request: Any = None,
    example: Any,
    asked: Any = None,
    parameters: list[Any] | None = None,
    writes: bool = False,
    **more: Any,
) -> Callable[[F], F]:
    """Describe an operation: what it is asked and what it answers, each with an example."""
    examples = [OpenApiExample("Answer", value=example, response_only=True, status_codes=[str(status)])]
    if asked is not None:
        examples.append(OpenApiExample("Request", value=asked, request_only=True))
    return extend_schema(
        summary=summary,
        tags=[tag],
        request=request,
        responses={status: OpenApiResponse(answer, description=summary)},
        examples=examples,
        parameters=[*(parameters or []), *([IDEMPOTENCY_KEY] if writes else [])],
        **more,
    )


def add_common_answers(result: dict[str, Any], generator: Any, **kwargs: Any) -> dict[str, Any]:
    """Add to every operation the problems it may answer. A spectacular post-processing hook."""
    result["components"]["schemas"]["Problem"] = {
        "type": "object",
        "description": "RFC 9457 problem details. Refusals carry more members, each named for what it is.",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string"},
            "errors": {"type": "object", "additionalProperties": True},
        },
        "required": ["type", "title", "status", "detail", "code"],
        "additionalProperties": True,
    }
    body = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in result["paths"].values():
        for method, operation in operations.items():
            if not operation.get("security"):
                continue
            for status, description in PROBLEMS.items():
                if method == "get" and status not in READING:
                    continue
                operation["responses"].setdefault(status, {"description": description, "content": body})
    return result
