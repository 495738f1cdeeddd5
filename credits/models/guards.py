"""What the database refuses, whoever asks."""

import pgtrigger

# Each row of the ledger outlives its use: accounts, lots and holds are emptied and closed, never deleted.
KEEP = pgtrigger.Protect(name="keep", operation=pgtrigger.Delete)
APPEND_ONLY = pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
NO_TRUNCATE = pgtrigger.Trigger(
    name="no_truncate",
    when=pgtrigger.Before,
    operation=pgtrigger.Truncate,
    level=pgtrigger.Statement,
    func="RAISE EXCEPTION 'florin: Cannot truncate % table', TG_TABLE_NAME;",
)
