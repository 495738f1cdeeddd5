"""Errors to Sentry, traces to OpenTelemetry: each only where a setting names where to."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from credits.secrets import without_secrets


def start() -> None:
    """Begin to send what the settings ask for. Without them nothing is sent, and nothing is loaded."""
    if settings.SENTRY_DSN:
        _send_errors()
    if settings.OTEL_ENDPOINT:
        _send_traces()


def _send_errors() -> None:
    import sentry_sdk  # noqa: PLC0415  # loads much, for those who asked for it

    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        environment=settings.ENVIRONMENT,
        release=str(settings.SPECTACULAR_SETTINGS["VERSION"]),
        # Bodies hold amounts and people, local variables hold keys: neither is sent.
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
        before_send=lambda event, hint: _cleaned(event),
    )


def _send_traces() -> None:
    from opentelemetry import trace  # noqa: PLC0415  # the same
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.instrumentation.django import DjangoInstrumentor  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": "florin"}))
    exporter = OTLPSpanExporter(endpoint=f"{settings.OTEL_ENDPOINT.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument()


def _cleaned(told: Any) -> Any:
    """Return what is told of an error with every text in it cleaned of secrets, and without the caller's key."""
    if isinstance(told, dict):
        return {key: _cleaned(value) for key, value in told.items() if str(key).lower() not in HEADERS}
    if isinstance(told, list):
        return [_cleaned(value) for value in told]
    return without_secrets(told) if isinstance(told, str) else told


HEADERS = {"authorization", "x-api-key", "cookie", "stripe-signature", "x-csrftoken"}
