"""Plans: what a request would change, worked out on a copy of the locked account. No database, no clock.

Single requests and batches make the same plans with the same functions, so they cannot disagree.
"""

from credits.plan.credit import GOODWILL, ON_TERMS, LotTerms, add, adjust, transfer
from credits.plan.settle import expire_lots, settle
from credits.plan.spend import capture, extend, hold, release, spend
from credits.plan.state import SYSTEM, Actor, Lot, Memo, Movement, Owner, Posted, Reservation, Sheet
from credits.plan.undo import refund, reverse

__all__ = [
    "GOODWILL",
    "ON_TERMS",
    "SYSTEM",
    "Actor",
    "Lot",
    "LotTerms",
    "Memo",
    "Movement",
    "Owner",
    "Posted",
    "Reservation",
    "Sheet",
    "add",
    "adjust",
    "capture",
    "expire_lots",
    "extend",
    "hold",
    "refund",
    "release",
    "reverse",
    "settle",
    "spend",
    "transfer",
]
