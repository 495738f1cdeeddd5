"""Secrets that must be read again, kept so that whoever reads the database cannot: sealed with a key of the settings.

Webhooks are signed with them, so a digest would not do. The first of WEBHOOK_SECRETS_KEY seals, any of them opens.
"""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

PURPOSE = b"florin: secrets of webhook endpoints"


class Unreadable(Exception):
    """None of the keys opens it: it was sealed with one that is not in WEBHOOK_SECRETS_KEY any more."""


def seal(secret: str) -> str:
    """Return a secret as it is kept."""
    return _box().encrypt(secret.encode()).decode()


def unseal(kept: str) -> str:
    """Return a secret. Raises Unreadable."""
    try:
        return _box().decrypt(kept.encode()).decode()
    except InvalidToken:
        raise Unreadable("A signing secret cannot be opened: look at WEBHOOK_SECRETS_KEY.") from None


def _box() -> MultiFernet:
    return MultiFernet([Fernet(_key(each)) for each in settings.WEBHOOK_SECRETS_KEY or [settings.SECRET_KEY]])


def _key(text: str) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(text.encode())
    return base64.urlsafe_b64encode(derived)
