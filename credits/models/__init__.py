"""The nouns of the ledger.

A Unit says what is counted. An Account holds one owner's balance in one unit. A Transaction is one movement of it,
written once and never changed. A Grant is a lot: credits that came in together and share an expiry and a price paid. A
Hold reserves part of an account until it is captured or released. An ApiKey lets a caller in; an IdempotencyRecord
remembers what it was answered. A TaskRun is what one of the
clock's jobs did, a ClockOffset how far a test has moved the clock.

The one invariant: an account's balance is the sum of its transactions, and what its lots still hold, less what it is
overdrawn. ``credits.checks`` states it, and its relatives, as queries.

Only ``credits.services`` writes here; the database refuses the rest where it can.
"""

from credits.models.accounts import Account, AccountStatus
from credits.models.clock import ClockOffset
from credits.models.grants import Grant, GrantCategory
from credits.models.holds import Hold, HoldStatus
from credits.models.idempotency import IdempotencyRecord
from credits.models.keys import ApiKey, Scope
from credits.models.runs import RunBy, TaskRun
from credits.models.transactions import Counterparty, Transaction, TransactionKind
from credits.models.units import Unit

__all__ = [
    "Account",
    "AccountStatus",
    "ApiKey",
    "ClockOffset",
    "Counterparty",
    "Grant",
    "GrantCategory",
    "Hold",
    "HoldStatus",
    "IdempotencyRecord",
    "RunBy",
    "Scope",
    "TaskRun",
    "Transaction",
    "TransactionKind",
    "Unit",
]
