"""Which addresses of the network a webhook may be sent to: those of the public internet, and no others.

Customers choose where their webhooks go. Without this they could have us knock at our own database, at a cloud's
metadata service, or at a neighbour behind the same firewall.
"""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

import httpx
from django.conf import settings

# Returns every address of a host.
LookUp = Callable[[str, int], list[str]]

MOST_URL = 2000
# What IANA has set apart, and what clouds answer metadata at.
FORBIDDEN = tuple(ip_network(each) for each in (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/3", "168.63.129.16/32",
    # These lie within what is given out; among them are ways to say an IPv4 address in other words.
    "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
))  # fmt: skip
# Of IPv6 only this is given out. So loopback, local, multicast and mapped addresses are all beside it.
GIVEN_OUT = ip_network("2000::/3")


class AddressRefused(Exception):
    """Nothing is sent there. The text says why, for whoever chose the address."""


def allowed(address: str) -> bool:
    """Tell whether a webhook may be sent to an address."""
    found = ip_address(address)
    if found.is_loopback and settings.WEBHOOK_LOOPBACK:
        return True
    if isinstance(found, IPv6Address) and found not in GIVEN_OUT:
        return False
    return not any(found in network for network in FORBIDDEN)


def checked_url(text: str) -> str:
    """Return where webhooks are to go, as it will be asked for. Raises AddressRefused.

    A name is looked up only when something is sent, each time anew: what it leads to today says nothing of tomorrow.
    """
    try:
        url = httpx.URL(text)
        host, port = url.raw_host.decode(), urlsplit(str(url)).port
    except (httpx.InvalidURL, ValueError, UnicodeError):
        raise AddressRefused("This is no address.") from None
    if len(str(url)) > MOST_URL or not text.isprintable() or " " in text:
        raise AddressRefused("This is no address.")
    if url.scheme not in {"https", "http"} or not host or port == 0:
        raise AddressRefused("An address that begins with https:// is required.")
    if url.userinfo or url.fragment:
        raise AddressRefused("An address without a user and without a # is required.")
    literal = _literal(host)
    if literal is not None and not allowed(str(literal)):
        raise AddressRefused("This address is not on the public internet.")
    if host.rstrip(".").endswith("localhost") and not settings.WEBHOOK_LOOPBACK:
        raise AddressRefused("This address is not on the public internet.")
    # Whether it is loopback is looked at when it is connected to.
    if url.scheme == "http" and not settings.WEBHOOK_LOOPBACK:
        raise AddressRefused("An address that begins with https:// is required.")
    return str(url)


def addresses_of(host: str, port: int, *, within: float, look_up: LookUp, secure: bool) -> list[str]:
    """Return where a host may be connected to, within so many seconds. Raises AddressRefused.

    One forbidden address among several forbids all: whoever has it in their zone either errs or tries something. What
    is returned is to be connected to as it is, for the next look-up of the same name may say something else.
    """
    found = _within(within, lambda: look_up(host, port))
    if not found:
        raise AddressRefused("The host has no address.")
    if not all(allowed(each) for each in found):
        raise AddressRefused("The host's address is not on the public internet.")
    if not secure and not all(ip_address(each).is_loopback for each in found):
        raise AddressRefused("Without https nothing leaves this machine.")
    return found


def look_up(host: str, port: int) -> list[str]:
    """Return every address of a host, as this machine resolves it."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _within(seconds: float, look: Callable[[], list[str]]) -> list[str]:
    """Return what a look-up finds. The resolver knows no limit of time, so it is waited for beside it."""
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(look())
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=run, daemon=True).start()
    try:
        answer = answers.get(timeout=max(seconds, 0.001))
    except queue.Empty:
        raise AddressRefused("The host's address could not be looked up in time.") from None
    if isinstance(answer, OSError):
        raise AddressRefused("The host's address could not be looked up.")
    return answer


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None
