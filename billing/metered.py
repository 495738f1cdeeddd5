"""High-volume usage from the bus: thousands of uses at a time, each judged in its turn as if it had come alone.

A message is one use, or ``items`` of them, as ``POST /api/v1/usage/batch`` takes them; ``merchant_id`` may stand for
``account``, and an ``amount`` for a price. What is refused becomes a dead letter, and is answered where the message
says where to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction
from rest_framework.exceptions import ValidationError

from billing.services import letters
from billing.services.letters import Letter, Malformed, in_words
from credits import queries
from credits.amounts import read_object, say_json
from credits.api.batch_requests import ITEMS
from credits.api.use_requests import usage as use_of
from credits.plan import Actor, Memo, Owner
from credits.refusals import Refusal
from credits.services.batch import MOST_ITEMS, Item, Verb, post_batch

USAGE = "evt.usage.recorded"
METER = Actor("system", name="usage")
# What a use refers to that names nothing of its own: the message that it came in.
MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a message: which it is, as it came, and what it asks for or why it cannot."""

    id: str
    row: Any
    asked: dict[str, Any] | Refusal


def read_uses(message_id: str, body: bytes) -> list[Use]:
    """Return the uses of a message. One that cannot be meant keeps its place, with the reason."""
    try:
        said = read_object(body)
    except ValueError as error:
        return [Use(message_id, body.decode(errors="replace"), Malformed(str(error)))]
    rows = said.get("items")
    if not isinstance(rows, list):
        return [Use(message_id, said, _asked(said))]
    if len(rows) > MOST_ITEMS:
        return [Use(message_id, said, Malformed(f"A message has at most {MOST_ITEMS} items."))]
    return [Use(f"{message_id}#{index}", row, _asked(row)) for index, row in enumerate(rows)]


@transaction.atomic
def record_uses(uses: Sequence[Use], *, again: bool = False) -> list[tuple[Use, Refusal]]:
    """Charge every use in one transaction, and keep the refused ones as dead letters. Returns those.

    What is a dead letter already was judged before, and is not judged anew but ``again``.
    """
    judged = set() if again else letters.kept(USAGE, [each.id for each in uses])
    fresh = [each for each in uses if each.id not in judged]
    named = {each.asked["account"] for each in fresh if isinstance(each.asked, dict) and "unit" not in each.asked}
    # Worked out once for each owner: an account's id is a hash.
    meant = {name: owner.account for name, owner in queries.owners_of(named).items()}
    outcomes = post_batch(items=[_item(each, meant) for each in fresh])
    refused = [(use, each) for use, each in zip(fresh, outcomes, strict=True) if isinstance(each, Refusal)]
    if not again:
        letters.keep_letters(Letter(USAGE, use.id, _text(use.row), each.code, each.detail) for use, each in refused)
    return refused


def apply_again(message_id: str, body: bytes) -> None:
    """Charge a use that is a dead letter. Raises the Refusal that it meets."""
    for _, refusal in record_uses(read_uses(message_id, body), again=True):
        raise refusal


def told(use: Use, refusal: Refusal) -> bytes:
    """Return what the publisher of a refused use is answered."""
    return say_json({"id": use.id, "item": use.row, "problem": refusal.told()})


def _asked(row: Any) -> dict[str, Any] | Refusal:
    if not isinstance(row, dict):
        return Malformed("Each item is an object.")
    if "merchant_id" in row:
        row = {"account": row["merchant_id"], **row}
    verb = Verb.DEBIT if "amount" in row else Verb.USAGE
    try:
        return {**ITEMS[verb].read(row), "verb": verb}
    except ValidationError as error:
        return Malformed(in_words(error.detail))


def _item(use: Use, meant: dict[str, UUID]) -> Item | Refusal:
    asked = use.asked
    if isinstance(asked, Refusal):
        return asked
    account = Owner(asked["account"], asked["unit"]).account if "unit" in asked else meant[asked["account"]]
    memo = Memo(
        METER,
        feature=asked.get("feature", ""),
        description=asked.get("description", ""),
        reference_type=asked.get("reference_type", ""),
        reference_id=asked.get("reference_id", ""),
        metadata=asked.get("metadata") or {},
    )
    if not memo.reference_id:
        memo = replace(memo, reference_type=MESSAGE, reference_id=use.id[:255])
    verb: Verb = asked["verb"]
    usage = use_of(asked) if verb is Verb.USAGE else None
    return Item(verb, memo, amount=asked.get("amount"), usage=usage, account=account)


def _text(row: Any) -> bytes:
    return row.encode(errors="replace") if isinstance(row, str) else say_json(row)
