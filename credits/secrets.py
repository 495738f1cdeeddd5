"""What must not be read by people who read logs and errors."""

from __future__ import annotations

import re

from django.conf import settings

# The user part of an address, a value behind a telling name, and what API keys look like, of ours beyond the prefix.
SECRETS = re.compile(
    r"(?<=://)[^/@\s]*(?=@)"
    r"|(?<![a-z])(?:password|passwd|pwd|secret|token|authorization|api[-_ ]?key)['\"]?\s*[:=]\s*(?:bearer\s+)?\S+"
    r"|\b(?:flr_\w{8}|sk|rk|pk|whsec)_[\w+/=-]+",
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """Return a text with everything in it that is, or looks like, a secret left out."""
    for secret in (settings.SECRET_KEY, str(settings.DATABASES["default"]["PASSWORD"])):
        text = text.replace(secret, "…") if secret else text
    return SECRETS.sub("…", text)
