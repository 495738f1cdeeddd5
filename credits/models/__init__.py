"""The nouns of the ledger.

A Unit says what is counted. An Account holds one owner's balance in one unit. A Transaction is one movement of it,
written once and never changed. A Grant is a lot: credits that came in together and share an expiry and a price paid. A
Hold reserves part of an account until it is captured or released. A Price says what a Feature or an AI model costs; an
Allowance which features an account may use and how much; a Quota counts it. An Allotment brings credits each period.
DayTotal sums transactions for statistics, KindTotal for operators, Overview all of it for the front page. A
BulkAdjustment is what staff asked for line by line. A StaffAct is what one of them did, a StaffCap how much a role
may do alone, an ApprovalRequest what waits for a second person. An ApiKey lets a caller in; an IdempotencyRecord
remembers what it was answered. An Event is what the world is to hear, the EventHorizon up to which one nothing can
appear any more. A TaskRun is what one of the clock's jobs did, a ClockOffset how far a test has moved the clock.

The one invariant: an account's balance is the sum of its transactions, and what its lots still hold, less what it is
overdrawn. ``credits.checks`` states it, and its relatives, as queries.

Only ``credits.services`` writes here; the database refuses the rest where it can.
"""

from credits.models.accounts import Account, AccountStatus, Weekday
from credits.models.allotments import Allotment
from credits.models.bulk import BulkAdjustment, BulkLine, BulkStatus, LineStatus
from credits.models.clock import ClockOffset
from credits.models.events import Event, EventHorizon, EventType
from credits.models.families import FAMILIES, Family
from credits.models.grants import Grant, GrantCategory
from credits.models.holds import Hold, HoldStatus
from credits.models.idempotency import IdempotencyRecord
from credits.models.keys import ApiKey, Scope
from credits.models.prices import Feature, Price, PriceScheme, UnpricedStatus, UnpricedUsage
from credits.models.quotas import Allowance, Measure, Quota, QuotaPeriod, QuotaWindow
from credits.models.runs import RunBy, TaskRun
from credits.models.staff import ApprovalRequest, ApprovalStatus, CappedAction, StaffAct, StaffCap
from credits.models.totals import DayTotal, KindTotal, Overview, TotalsMark
from credits.models.transactions import Counterparty, Transaction, TransactionKind
from credits.models.units import Unit

__all__ = [
    "FAMILIES",
    "Account",
    "AccountStatus",
    "Allotment",
    "Allowance",
    "ApiKey",
    "ApprovalRequest",
    "ApprovalStatus",
    "BulkAdjustment",
    "BulkLine",
    "BulkStatus",
    "CappedAction",
    "ClockOffset",
    "Counterparty",
    "DayTotal",
    "Event",
    "EventHorizon",
    "EventType",
    "Family",
    "Feature",
    "Grant",
    "GrantCategory",
    "Hold",
    "HoldStatus",
    "IdempotencyRecord",
    "KindTotal",
    "LineStatus",
    "Measure",
    "Overview",
    "Price",
    "PriceScheme",
    "Quota",
    "QuotaPeriod",
    "QuotaWindow",
    "RunBy",
    "Scope",
    "StaffAct",
    "StaffCap",
    "TaskRun",
    "TotalsMark",
    "Transaction",
    "TransactionKind",
    "Unit",
    "UnpricedStatus",
    "UnpricedUsage",
    "Weekday",
]
