"""What the tables need beside their columns: the hash of a transaction, storage settings, and the first units."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import migrations
from django.db.migrations.state import StateApps

# The bytes a transaction's hash covers: every column but the hash. jsonb writes equal values equally.
TRANSACTION_BYTES = """
CREATE FUNCTION credits_transaction_bytes(
    id uuid, account_id uuid, sequence bigint, kind text, amount numeric, balance_before numeric,
    balance_after numeric, debt numeric, counterparty text, draws jsonb, parent_id uuid, hold_id uuid,
    price_id bigint, quantity numeric, usage jsonb, day date,
    recorded_at timestamptz, feature text, description text, reason text, reference_type text, reference_id text,
    metadata jsonb, actor_kind text, actor_id text, actor_name text, request_id text
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT convert_to(jsonb_build_array(
        id, account_id, sequence, kind, amount, balance_before, balance_after, debt, counterparty, draws, parent_id,
        hold_id, price_id, quantity, usage, day, extract(epoch FROM recorded_at), feature,
        description, reason, reference_type, reference_id, metadata,
        actor_kind, actor_id, actor_name, request_id
    )::text, 'UTF8')
$$
"""
LINK = """
CREATE FUNCTION credits_link(before bytea, row_bytes bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT sha256(before || row_bytes) $$
"""
# As a window aggregate it links the rows of one INSERT, however many, each to the one before on its account.
CHAIN = """
CREATE FUNCTION credits_chain_step(state bytea, head bytea, row_bytes bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT sha256(coalesce(state, head) || row_bytes) $$;
CREATE AGGREGATE credits_chain(head bytea, row_bytes bytea) (SFUNC = credits_chain_step, STYPE = bytea)
"""
# A statement sees what was committed when it began. A VOLATILE function looks anew each time it is called, so what it
# returns to a statement that has just got a lock is what the lock protects.
LOOK_ANEW = """
CREATE FUNCTION credits_open_lots(account uuid) RETURNS SETOF credits_grant LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN QUERY SELECT * FROM credits_grant g WHERE g.account_id = account AND g.is_open;
END $$;
CREATE FUNCTION credits_quotas(account uuid) RETURNS SETOF credits_quota LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN QUERY SELECT * FROM credits_quota q WHERE q.account_id = account;
END $$;
CREATE FUNCTION credits_answers(account uuid, wanted_owner text, wanted_key text)
RETURNS SETOF credits_idempotencyrecord LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN QUERY SELECT * FROM credits_idempotencyrecord r WHERE r.owner = wanted_owner AND r.key = wanted_key;
END $$
"""
# Room on each page for the new version of a row, so that an update of unindexed columns stays there (HOT).
STORAGE = """
ALTER TABLE credits_account SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE credits_grant SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE credits_hold SET (fillfactor = 80);
ALTER TABLE credits_quota SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02)
"""
PLAIN_STORAGE = """
ALTER TABLE credits_account RESET (fillfactor, autovacuum_vacuum_scale_factor);
ALTER TABLE credits_grant RESET (fillfactor, autovacuum_vacuum_scale_factor);
ALTER TABLE credits_hold RESET (fillfactor);
ALTER TABLE credits_quota RESET (fillfactor, autovacuum_vacuum_scale_factor)
"""


def add_units(apps: StateApps, schema_editor: Any) -> None:
    """Add the two units that the predecessors' callers use."""
    unit = apps.get_model("credits", "Unit")
    unit.objects.get_or_create(code="credits", defaults={"name": "Credits", "decimal_places": 0})
    unit.objects.get_or_create(code="USD", defaults={"name": "US dollars", "decimal_places": 6})


def add_prices(apps: StateApps, schema_editor: Any) -> None:
    """Add what dialect D's callers are charged from the first day: 35 credits for each dollar that an AI trace cost."""
    begin = datetime(2000, 1, 1, tzinfo=UTC)
    apps.get_model("credits", "Feature").objects.get_or_create(
        code="ai-tokens", defaults={"name": "AI tokens, by their cost in US dollars", "created_at": begin}
    )
    price = apps.get_model("credits", "Price").objects
    if not price.filter(feature="ai-tokens").exists():
        price.create(
            unit_id="credits",
            feature="ai-tokens",
            version=1,
            scheme="per_unit",
            terms={"per": "35"},
            effective_at=begin,
            created_by="Florin",
            created_at=begin,
        )


class Migration(migrations.Migration):
    dependencies = [("credits", "0001_initial")]

    operations = [
        migrations.RunSQL(TRANSACTION_BYTES, "DROP FUNCTION credits_transaction_bytes"),
        migrations.RunSQL(LINK, "DROP FUNCTION credits_link"),
        migrations.RunSQL(CHAIN, "DROP AGGREGATE credits_chain(bytea, bytea); DROP FUNCTION credits_chain_step"),
        migrations.RunSQL(
            LOOK_ANEW,
            "DROP FUNCTION credits_open_lots(uuid); DROP FUNCTION credits_quotas(uuid);"
            " DROP FUNCTION credits_answers(uuid, text, text)",
        ),
        migrations.RunSQL(STORAGE, PLAIN_STORAGE),
        migrations.RunPython(add_units, migrations.RunPython.noop),
        migrations.RunPython(add_prices, migrations.RunPython.noop),
    ]
