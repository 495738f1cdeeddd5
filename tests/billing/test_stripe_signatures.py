"""Whether a webhook is believed: bad, old, future and rotated signatures."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import refusals
from billing.providers.stripe import verify
from billing.providers.stripe_events import read_event
from tests.billing.conftest import NOW, START
from tests.fakes.stripe import FakeStripe, signature

EVENT = {"id": "evt_1", "object": "event", "type": "charge.refunded", "text": "ü"}
BODY = json.dumps(EVENT, indent=2).encode()
OLD, NEW = "whsec_old", "whsec_new"


def test_a_signed_event_is_believed() -> None:
    assert verify(BODY, signature(BODY, [NEW], START), [NEW], NOW) == EVENT


def test_what_the_fake_sends_is_read(fake: FakeStripe) -> None:
    fake.webhooks("http://127.0.0.1:1/", NEW)
    with fake.lock:
        fake.store.emit("charge.refunded", {"id": "ch_1", "object": "charge"})
    (delivery,) = fake.deliveries.take()
    body = json.dumps(delivery.event).encode()

    event = read_event(verify(body, signature(body, [NEW], START), [NEW], NOW))

    assert (event.type, event.object_id, event.object_type) == ("charge.refunded", "ch_1", "charge")
    assert (event.created, event.livemode, event.payload) == (NOW, False, delivery.event)


@pytest.mark.parametrize(
    ("signed", "known"), [([NEW], [OLD, NEW]), ([OLD], [NEW, OLD]), ([OLD, NEW], [NEW]), ([OLD, NEW], [OLD])]
)
def test_while_a_secret_is_rotated_either_will_do(signed: list[str], known: list[str]) -> None:
    assert verify(BODY, signature(BODY, signed, START), known, NOW) == EVENT


@pytest.mark.parametrize("known", [[OLD], [], [""], ["whsec_other", "whsec_NEW"]])
def test_another_secret_is_not_believed(known: list[str]) -> None:
    with pytest.raises(refusals.BadSignature):
        verify(BODY, signature(BODY, [NEW], START), known, NOW)


@pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
def test_five_minutes_either_way_are_allowed(seconds: int) -> None:
    assert verify(BODY, signature(BODY, [NEW], START + seconds), [NEW], NOW) == EVENT


@pytest.mark.parametrize("seconds", [-86_400, -301, 301, 86_400])
def test_more_is_not_in_the_past_nor_in_the_future(seconds: int) -> None:
    with pytest.raises(refusals.StaleSignature):
        verify(BODY, signature(BODY, [NEW], START + seconds), [NEW], NOW)


def test_fractions_of_a_second_count() -> None:
    header = signature(BODY, [NEW], START)
    with pytest.raises(refusals.StaleSignature):
        verify(BODY, header, [NEW], NOW + timedelta(seconds=300, microseconds=1))


def test_a_second_time_beside_the_signed_one_changes_nothing() -> None:
    old = START - 1000
    for header in (f"t={START},{signature(BODY, [NEW], old)}", f"{signature(BODY, [NEW], old)},t={START}"):
        with pytest.raises(refusals.BadSignature):
            verify(BODY, header, [NEW], NOW)


def test_a_changed_body_is_not_believed() -> None:
    with pytest.raises(refusals.BadSignature):
        verify(BODY.replace(b"evt_1", b"evt_2"), signature(BODY, [NEW], START), [NEW], NOW)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b'{"object": "charge"}', b"{", b"\xff"])
def test_a_signed_body_that_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(refusals.BadSignature):
        verify(body, signature(body, [NEW], START), [NEW], NOW)


@pytest.mark.parametrize(
    "header",
    ["", "t", "t=", "v1=", "t=1", f"t={START}", f"t={START},v0=00", f"t={START},v1=ü", "t=x,v1=0", "t=²,v1="],
)
def test_a_header_of_another_kind_is_refused(header: str) -> None:
    with pytest.raises(refusals.BadSignature):
        verify(BODY, header, [NEW], NOW)


@given(header=st.text(alphabet="tv01=,x-ü ²", max_size=30), body=st.binary(max_size=30))
def test_nothing_else_is_ever_raised(header: str, body: bytes) -> None:
    with pytest.raises(refusals.BadSignature):
        verify(body, header, [NEW], NOW)
