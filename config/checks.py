"""System checks: settings that are each valid but do not go together."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  # Django's name for it

# What config.settings has where nothing is said.
UNSET_RETURN = "https://localhost/"


@register(Tags.compatibility)
def holds_fit(**kwargs: Any) -> list[CheckMessage]:
    """A hold's usual length must not exceed its longest."""
    if settings.HOLD_SECONDS <= settings.HOLD_SECONDS_MAX:
        return []
    return [Error("HOLD_SECONDS exceeds HOLD_SECONDS_MAX.", hint="Lower one or raise the other.", id="florin.E001")]


@register(Tags.security)
def production_is_closed(**kwargs: Any) -> list[CheckMessage]:
    """In production nothing may be shown to strangers, and somebody must be served."""
    if settings.DEVELOPMENT:
        return []
    found: list[CheckMessage] = []
    if settings.DEBUG:
        found.append(Error("DEBUG is on in production.", hint="Unset DEBUG.", id="florin.E002"))
    if not settings.ALLOWED_HOSTS:
        found.append(Error("ALLOWED_HOSTS is empty.", hint="Name the hosts this serves.", id="florin.E003"))
    if "*" in settings.ALLOWED_HOSTS:
        found.append(Error("ALLOWED_HOSTS allows every host.", hint="Name the hosts this serves.", id="florin.E004"))
    if settings.TEST_CLOCK:
        found.append(Error("TEST_CLOCK is on in production.", hint="Unset TEST_CLOCK.", id="florin.E007"))
    return found


@register(Tags.compatibility)
def default_unit_is_a_code(**kwargs: Any) -> list[CheckMessage]:
    """The default unit must look like a unit's code."""
    code = settings.DEFAULT_UNIT
    if code[:1].isalpha() and len(code) <= 20 and code.replace("-", "").replace("_", "").isalnum():
        return []
    return [Error(f"DEFAULT_UNIT {code!r} is no unit's code.", hint="For example credits.", id="florin.E005")]


@register(Tags.compatibility)
def gateway_is_whole(**kwargs: Any) -> list[CheckMessage]:
    """The AI gateway is named with its key and workspace, or not at all."""
    if not settings.PORTKEY_URL or (settings.PORTKEY_API_KEY and settings.PORTKEY_WORKSPACE_SLUG):
        return []
    hint = "Set PORTKEY_API_KEY and PORTKEY_WORKSPACE_SLUG too."
    return [Error("PORTKEY_URL is set, but not all that goes with it.", hint=hint, id="florin.E006")]


@register(Tags.security)
def gateway_is_asked_in_secret(**kwargs: Any) -> list[CheckMessage]:
    """In production the gateway's key should not travel in the clear."""
    if settings.DEVELOPMENT or not settings.PORTKEY_URL.startswith("http:"):
        return []
    return [Warning("PORTKEY_URL is not https: the key can be read on its way.", id="florin.W001")]


@register(Tags.compatibility)
def stripe_is_whole(**kwargs: Any) -> list[CheckMessage]:
    """Stripe is configured with a secret key and a webhook secret, or not at all."""
    key, secrets = settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET
    found: list[CheckMessage] = []
    if bool(key) != bool(secrets):
        hint = "Set STRIPE_WEBHOOK_SECRET too." if key else "Set STRIPE_SECRET_KEY too."
        found.append(Error("Only a part of what Stripe needs is set.", hint=hint, id="florin.E008"))
    if key and not key.startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")):
        hint = "Take the one that begins with sk_ or rk_."
        found.append(Error("STRIPE_SECRET_KEY is no secret key of Stripe's.", hint=hint, id="florin.E009"))
    return found


@register(Tags.security)
def stripe_is_meant(**kwargs: Any) -> list[CheckMessage]:
    """Real money is for production, and the key should not travel in the clear there."""
    live = settings.STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))
    if settings.DEVELOPMENT and live:
        return [Warning("STRIPE_SECRET_KEY is a live key: this machine moves real money.", id="florin.W002")]
    if not settings.DEVELOPMENT and settings.STRIPE_SECRET_KEY and settings.CHECKOUT_RETURN_URL == UNSET_RETURN:
        hint = "Say where customers come back to from the payment page."
        return [Warning("CHECKOUT_RETURN_URL is not set.", hint=hint, id="florin.W004")]
    if not settings.DEVELOPMENT and settings.STRIPE_API_BASE.startswith("http:"):
        return [Warning("STRIPE_API_BASE is not https: the key can be read on its way.", id="florin.W003")]
    return []


@register(Tags.security)
def webhooks_go_out_only(**kwargs: Any) -> list[CheckMessage]:
    """In production no webhook may be sent to this machine: whoever names endpoints could ask our own servers."""
    if settings.DEVELOPMENT or not settings.WEBHOOK_LOOPBACK:
        return []
    return [Error("WEBHOOK_LOOPBACK is on in production.", hint="Unset WEBHOOK_LOOPBACK.", id="florin.E020")]


@register(Tags.security)
def letters_link_in_secret(**kwargs: Any) -> list[CheckMessage]:
    """In production links in letters lead to https."""
    if settings.DEVELOPMENT or settings.PUBLIC_URL.startswith("https:"):
        return []
    return [Warning("PUBLIC_URL is not https.", hint="Mail programs open links as they are.", id="florin.W020")]
