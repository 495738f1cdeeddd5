"""Plans: what a request would change, worked out on a copy of the locked account. No database, no clock.

Single requests and batches make the same plans with the same functions, so they cannot disagree.
"""

from credits.plan.clawback import lot_of, take_back
from credits.plan.close import close
from credits.plan.credit import GOODWILL, ON_TERMS, LotTerms, add, adjust, transfer
from credits.plan.pricing import PriceBook, Tariff, Usage
from credits.plan.settle import expire_lots, settle
from credits.plan.spend import capture, charge_more, extend, hold, hold_for_use, release, spend, use
from credits.plan.state import SYSTEM, Actor, Charge, Lot, Memo, Movement, Owner, Posted, Reservation, Sheet
from credits.plan.undo import refund, reverse, take_left

__all__ = [
    "GOODWILL",
    "ON_TERMS",
    "SYSTEM",
    "Actor",
    "Charge",
    "Lot",
    "LotTerms",
    "Memo",
    "Movement",
    "Owner",
    "Posted",
    "PriceBook",
    "Reservation",
    "Sheet",
    "Tariff",
    "Usage",
    "add",
    "adjust",
    "capture",
    "charge_more",
    "close",
    "expire_lots",
    "extend",
    "hold",
    "hold_for_use",
    "lot_of",
    "refund",
    "release",
    "reverse",
    "settle",
    "spend",
    "take_back",
    "take_left",
    "transfer",
    "use",
]
