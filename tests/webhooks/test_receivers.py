"""Receivers that misbehave, and addresses that nobody may have us ask: real servers, real sockets."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import transaction

from billing.providers import addresses, receivers
from billing.providers.addresses import AddressRefused, allowed, checked_url
from tests.fakes.receiver import Drip, Drop, Flood, Hang, Receiver, Reply

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOK_LOOPBACK, settings.WEBHOOK_TIMEOUT_SECONDS = True, 1
    with Receiver() as receiver:
        yield receiver


def send(url: str, **more: Any) -> receivers.Outcome:
    return receivers.send(url, b'{"a":1}', {"webhook-id": "evt_1"}, **more)


class TestAnAnswer:
    def test_of_success_is_a_delivery(self, receiver: Receiver) -> None:
        receiver.next(Reply(202, "schön\0gut".encode()))

        outcome = send(receiver.url + "?for=me")

        assert (outcome.delivered, outcome.status, outcome.error, outcome.excerpt) == (True, 202, "", "schöngut")
        came = receiver.received[0]
        assert (came.path, came.body, came.id) == ("/hook?for=me", b'{"a":1}', "evt_1")
        assert came.headers["content-type"] == "application/json"
        assert came.headers["host"] == f"127.0.0.1:{receiver.port}"

    @pytest.mark.parametrize("status", [400, 404, 410, 500, 503])
    def test_of_anything_else_is_none(self, receiver: Receiver, status: int) -> None:
        receiver.next(Reply(status, b"no", {"Retry-After": "7"}))

        outcome = send(receiver.url)

        assert (outcome.delivered, outcome.status, outcome.excerpt) == (False, status, "no")
        assert (outcome.gone, outcome.retry_after) == (status == 410, 7.0)
        assert outcome.error == f"It answered {status}."

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_that_leads_elsewhere_is_not_followed(self, receiver: Receiver, status: int) -> None:
        receiver.next(Reply(status, b"", {"Location": "http://169.254.169.254/latest/meta-data/"}))

        outcome = send(receiver.url)

        assert not outcome.delivered
        assert outcome.error == f"It answered {status}: redirects are not followed."
        assert len(receiver.received) == 1

    @pytest.mark.parametrize("step", [Flood(), Flood(told=False)])
    def test_of_a_gigabyte_is_not_read(self, receiver: Receiver, step: Flood) -> None:
        receiver.next(step)

        outcome = send(receiver.url)

        assert outcome.delivered
        assert len(outcome.excerpt) == receivers.MOST_KEPT
        # What was read, and what the kernels between had room for.
        assert receiver.written < 64 * 1024 * 1024

    def test_that_stops_after_its_status_has_been_given(self, receiver: Receiver) -> None:
        receiver.next(Hang(headers_first=True))

        assert send(receiver.url).delivered


class TestNoAnswer:
    @pytest.mark.parametrize("step", [Hang(), Drip()])
    def test_in_time_is_a_failure(self, receiver: Receiver, step: Hang | Drip) -> None:
        receiver.next(step)

        outcome = send(receiver.url)

        assert (outcome.delivered, outcome.status) == (False, 0)
        assert "No answer within 1 s" in outcome.error

    def test_at_all_is_a_failure(self, receiver: Receiver) -> None:
        receiver.next(Drop())
        assert "No answer" in send(receiver.url).error

        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            outcome = send(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert outcome.error == "No answer: ConnectError."

    def test_from_a_resolver_is_waited_for_in_vain_only_so_long(self, receiver: Receiver) -> None:
        never = threading.Event()

        outcome = send("http://receiver.test/", look_up=lambda *_: [str(never.wait(20))])

        never.set()
        assert outcome.error == "The host's address could not be looked up in time."


class TestAName:
    def test_that_leads_to_a_private_address_is_refused(self, receiver: Receiver) -> None:
        outcome = send("https://receiver.test/", look_up=lambda *_: ["169.254.169.254"])

        assert outcome.error == "The host's address is not on the public internet."

    def test_that_leads_to_several_is_refused_for_one(self, receiver: Receiver) -> None:
        outcome = send("https://receiver.test/", look_up=lambda *_: ["93.184.215.14", "10.0.0.1"])

        assert outcome.error == "The host's address is not on the public internet."

    def test_is_looked_up_once_and_that_very_address_is_connected_to(self, receiver: Receiver) -> None:
        """DNS rebinding: whoever answers the look-up says something else the second time."""
        answers = iter([["127.0.0.1"], ["127.0.0.99"]])
        with Receiver(address="127.0.0.99", port=receiver.port) as inside:
            outcome = send(f"http://receiver.test:{receiver.port}/", look_up=lambda *_: next(answers))

            assert outcome.delivered
            assert (len(receiver.received), len(inside.received)) == (1, 0)
            assert receiver.received[0].headers["host"] == f"receiver.test:{receiver.port}"
        assert next(answers) == ["127.0.0.99"]

    def test_that_was_public_and_is_not_any_more_is_refused_then(self, receiver: Receiver, settings: Any) -> None:
        settings.WEBHOOK_LOOPBACK = False
        url = checked_url(f"https://receiver.test:{receiver.port}/")

        outcome = send(url, look_up=lambda *_: ["127.0.0.1"])

        assert outcome.error == "The host's address is not on the public internet."
        assert receiver.received == []

    def test_with_an_address_that_is_dead_is_tried_at_the_next(self, receiver: Receiver) -> None:
        outcome = send(f"http://receiver.test:{receiver.port}/", look_up=lambda *_: ["127.0.0.98", "127.0.0.1"])

        assert outcome.delivered

    def test_of_no_address_is_a_failure(self, receiver: Receiver) -> None:
        assert send("https://nowhere.invalid/").error == "The host's address could not be looked up."


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "100.127.255.255", "100.100.100.200", "192.0.0.192", "198.18.0.1"),
        *("224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1"),
        *("::", "::1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::10.0.0.1", "fe80::1", "fe80::1%1", "fc00::1"),
        *("fd00:ec2::254", "ff02::1", "64:ff9b::a00:1", "2002:a00:1::", "2001::1", "2001:db8::1", "fec0::1"),
    ],
)
def test_what_is_not_public_is_refused(settings: Any, address: str) -> None:
    settings.WEBHOOK_LOOPBACK = False
    assert not allowed(address)

    literal = f"[{address.split('%', maxsplit=1)[0]}]" if ":" in address else address
    with pytest.raises(AddressRefused):
        checked_url(f"https://{literal}/hook")
    settings.WEBHOOK_LOOPBACK = True
    assert allowed(address) is ip_address(address).is_loopback


@pytest.mark.parametrize("address", ["8.8.8.8", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"])
def test_what_is_public_is_not(settings: Any, address: str) -> None:
    settings.WEBHOOK_LOOPBACK = False

    assert allowed(address)


@pytest.mark.parametrize(
    "url",
    [
        *("http://hooks.example/", "ftp://hooks.example/", "//hooks.example/", "hooks.example", "", "https://"),
        *("https://user:pw@hooks.example/", "https://hooks.example/#a", "https://hooks.example/a b", "https://h:0/"),
        *("https://h:99999/", "https://localhost/", "https://a.localhost./", f"https://hooks.example/{'a' * 2000}"),
        *("https://[::1", "https://127.0.0.1:5432/", "javascript:alert(1)", "https://\u0001/"),
    ],
)
def test_an_address_that_is_none_is_refused_at_once(settings: Any, url: str) -> None:
    settings.WEBHOOK_LOOPBACK = False

    with pytest.raises(AddressRefused):
        checked_url(url)


@pytest.mark.parametrize("number", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1"])
def test_a_number_that_the_resolver_takes_for_loopback_is_judged_as_that(settings: Any, number: str) -> None:
    settings.WEBHOOK_LOOPBACK = False

    outcome = send(f"https://{number}/")

    assert outcome.error in {"The host's address is not on the public internet.", "This is no address."}


def test_nothing_is_sent_inside_a_transaction(receiver: Receiver) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a database transaction"):
        send(receiver.url)


def test_no_proxy_of_the_environment_is_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)

        assert send(receiver.url).delivered
        assert proxy.received == []


class TestEncryption:
    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        """A certificate of receiver.test, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver.test")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("receiver.test")]), critical=False)
            .sign(key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file = tmp_path / "receiver.pem"
        file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
        return file

    @pytest.fixture
    def encrypted(self, certificate: Path, settings: Any) -> Iterator[Receiver]:
        settings.WEBHOOK_LOOPBACK, settings.WEBHOOK_TIMEOUT_SECONDS = True, 5
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        with Receiver(tls=tls) as receiver:
            yield receiver

    def test_is_with_the_host_s_name_though_an_address_is_connected_to(
        self, encrypted: Receiver, certificate: Path
    ) -> None:
        trust = ssl.create_default_context(cafile=certificate)
        look_up: addresses.LookUp = lambda *_: ["127.0.0.1"]  # noqa: E731

        assert send(f"https://receiver.test:{encrypted.port}/", look_up=look_up, trust=trust).delivered
        other = send(f"https://other.test:{encrypted.port}/", look_up=look_up, trust=trust)
        unknown = send(f"https://receiver.test:{encrypted.port}/", look_up=look_up)

        assert "its certificate is not valid (Hostname mismatch" in other.error
        assert "its certificate is not valid (self-signed certificate" in unknown.error
        assert len(encrypted.received) == 1
