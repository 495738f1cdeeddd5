"""What the database refuses by itself, whoever asks; and what the audit finds when its guards were off."""

from __future__ import annotations

from decimal import Decimal
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, models, transaction

from credits import checks
from credits import models as nouns
from credits.models import Account, Grant, Hold, TaskRun, Transaction
from credits.services import bulk, corrections
from tests.books import audit
from tests.factories import TESTER, give, hold, memo, spend


def run(sql: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)


@pytest.fixture
def history(alice: Account) -> Account:
    give(alice, 50)
    spent = spend(alice, 30)
    corrections.refund_transaction(transaction=spent.id, amount=Decimal(5), memo=memo())
    hold(alice, 10)
    return alice


class TestTheDatabaseRefuses:
    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE credits_transaction SET amount = amount + 1",
            "UPDATE credits_transaction SET description = 'x'",
            "DELETE FROM credits_transaction",
            "TRUNCATE credits_transaction CASCADE",
            "TRUNCATE credits_grant CASCADE",
            "TRUNCATE credits_hold CASCADE",
            "TRUNCATE credits_account CASCADE",
            "DELETE FROM credits_grant",
            "DELETE FROM credits_hold",
            "DELETE FROM credits_account",
            "UPDATE credits_account SET external_id = 'x'",
            "UPDATE credits_account SET balance = -1",
            "UPDATE credits_account SET held = balance + 1",
            "UPDATE credits_account SET held = -1",
            "UPDATE credits_grant SET remaining = amount + 1",
            "UPDATE credits_grant SET held = remaining + 1",
            "UPDATE credits_grant SET is_open = NOT is_open",
            "UPDATE credits_grant SET amount = amount + 1",
            "UPDATE credits_hold SET captured = amount + 1",
            "UPDATE credits_hold SET amount = amount + 1",
            "UPDATE credits_hold SET abandonment_charge = 1",
            "UPDATE credits_grant SET expires_at = now()",
            "UPDATE credits_grant SET paid_minor = 1",
            "UPDATE credits_grant SET priority = 1",
            "UPDATE credits_unit SET decimal_places = 3",
        ],
    )
    def test_a_write_past_the_services(self, history: Account, sql: str) -> None:
        with pytest.raises(DatabaseError):
            run(sql)

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE credits_bulkline SET amount = 1000 WHERE status = 'ready'",
            "UPDATE credits_bulkline SET account_id = NULL",
            "UPDATE credits_bulkline SET external_id = 'x'",
            "UPDATE credits_bulkline SET note = 'x'",
            "UPDATE credits_bulkline SET status = 'ready' WHERE status = 'bad'",
            "DELETE FROM credits_bulkline",
            "TRUNCATE credits_bulkline",
            "INSERT INTO credits_bulkline (bulk_id, number, external_id, amount, note, status, error)"
            " SELECT id, 9, 'x', 1, '', 'ready', '' FROM credits_bulkadjustment",
            "UPDATE credits_bulkadjustment SET reason = 'other'",
            "UPDATE credits_bulkadjustment SET actor_id = '9'",
            "UPDATE credits_bulkadjustment SET total_added = 0",
            "DELETE FROM credits_bulkadjustment",
            "TRUNCATE credits_bulkadjustment CASCADE",
        ],
    )
    def test_a_change_of_a_bulk_that_was_confirmed(self, alice: Account, sql: str) -> None:
        lines = [bulk.Asked(1, alice.external_id, "5"), bulk.Asked(2, "nobody", "5")]
        made = bulk.check_bulk(file_name="x.csv", unit="credits", lines=lines, why=bulk.Why(TESTER, "goodwill"))
        bulk.confirm_bulk(bulk=made.pk, actor=TESTER)

        with pytest.raises(DatabaseError):
            run(sql)

    @pytest.mark.parametrize("status", ["done", "discarded"])
    def test_a_bulk_that_ended_begins_again(self, alice: Account, status: str) -> None:
        lines = [bulk.Asked(1, alice.external_id, "5")]
        made = bulk.check_bulk(file_name="x.csv", unit="credits", lines=lines, why=bulk.Why(TESTER, "goodwill"))
        if status == "done":
            bulk.confirm_bulk(bulk=made.pk, actor=TESTER)
            bulk.apply_running_bulks()
        else:
            bulk.discard_bulk(bulk=made.pk)

        with pytest.raises(DatabaseError):
            run("UPDATE credits_bulkadjustment SET status = 'running'")

    def test_a_second_transaction_of_a_number(self, history: Account) -> None:
        columns = [str(field.column) for field in Transaction._meta.fields if field.column != "id"]
        names = ", ".join(columns)

        with pytest.raises(DatabaseError, match="transaction_sequence"):
            run(f"INSERT INTO credits_transaction (id, {names}) SELECT %s, {names} FROM credits_transaction LIMIT 1",
                uuid4())  # fmt: skip

    def test_every_foreign_key_of_the_ledger_is_protected(self) -> None:
        keys = [
            field
            for noun in (Account, Transaction, Grant, Hold)
            for field in noun._meta.get_fields()
            if isinstance(field, models.ForeignKey)
        ]

        assert keys
        assert {field.remote_field.on_delete for field in keys} == {models.PROTECT}

    def test_no_amount_is_a_float(self) -> None:
        fields = [field for name in nouns.__all__ if hasattr(getattr(nouns, name), "_meta")
                  for field in getattr(nouns, name)._meta.get_fields()]  # fmt: skip

        assert not [field for field in fields if isinstance(field, models.FloatField)]


class TestTheAuditFinds:
    """Each tampering runs with triggers off, as someone with the database's password could."""

    @pytest.mark.parametrize(
        ("check", "sql"),
        [
            ("hash chain", "UPDATE credits_transaction SET description = 'nothing happened' WHERE sequence = 2"),
            ("hash chain", "UPDATE credits_transaction SET metadata = '{\"a\": 1}' WHERE sequence = 1"),
            ("hash chain", "UPDATE credits_transaction SET actor_name = 'someone' WHERE sequence = 3"),
            ("balances", "UPDATE credits_transaction SET amount = amount + 1, balance_after = balance_after + 1"
                         " WHERE sequence = 4"),
            ("sequences", "DELETE FROM credits_transaction WHERE sequence = 2"),
            ("heads", "DELETE FROM credits_transaction WHERE sequence = 4"),
            ("heads", "UPDATE credits_account SET balance = balance + 1"),
            ("covered", "UPDATE credits_account SET balance = balance + 1"),
            ("balances", "UPDATE credits_account SET debt = 1"),
            ("lots", "UPDATE credits_grant SET remaining = remaining - 1 WHERE opening_sequence = 1"),
            ("lots", "INSERT INTO credits_grant SELECT gen_random_uuid(), amount, amount, 0, true, category, priority,"
                     " expires_at, transferable, paid_currency, paid_minor, source, opening_sequence, created_at,"
                     " account_id, origin_id FROM credits_grant LIMIT 1"),
            ("holds", "UPDATE credits_account SET held = held - 1"),
            ("holds", "UPDATE credits_hold SET status = 'released', closed_at = now()"),
            ("holds", "UPDATE credits_hold SET captured = 1"),
            ("terms", "UPDATE credits_grant SET amount = amount + 1 WHERE opening_sequence = 1"),
            ("terms", "UPDATE credits_account SET next_due_at = NULL"),
            ("owners", "DELETE FROM credits_account"),
            ("owners", "UPDATE credits_hold SET status = 'released', closed_at = now()"),
            ("transfers", "UPDATE credits_transaction SET kind = 'transfer' WHERE sequence = 3"),
            ("sum zero", "UPDATE credits_account SET balance = balance + 1, overdraft_limit = 5"),
            ("events", "DELETE FROM credits_event WHERE payload ->> 'sequence' = '2'"),
            ("events", "DELETE FROM credits_event WHERE (payload ->> 'sequence')::int = (SELECT max(sequence)"
                       " FROM credits_account)"),
            ("refunds", "UPDATE credits_transaction SET amount = 50, balance_after = balance_before + 50"
                        " WHERE kind = 'refund'"),
        ],
    )  # fmt: skip
    def test_a_row_changed_behind_its_back(self, history: Account, check: str, sql: str) -> None:
        with transaction.atomic():
            run("SET LOCAL session_replication_role = replica")
            run(sql)

            found = audit()

            transaction.set_rollback(True)
        assert check in found
        assert audit() == {}


class TestTheCommand:
    def test_prints_a_line_for_each_check(self, committed: None, history: Account) -> None:
        printed = StringIO()

        call_command("audit_books", stdout=printed)

        assert len(printed.getvalue().splitlines()) == len(checks.CHECKS)
        assert all(line.startswith("ok ") for line in printed.getvalue().splitlines())
        assert TaskRun.objects.get(job="audit_books").done == 0

    def test_exits_1_and_names_the_offender(self, committed: None, history: Account) -> None:
        printed = StringIO()
        run("UPDATE credits_account SET debt = 1")

        with pytest.raises(SystemExit) as stopped:
            call_command("audit_books", stdout=printed)

        run("UPDATE credits_account SET debt = 0")
        assert stopped.value.code == 1
        assert "FAILED  balances" in printed.getvalue()
        assert "account alice@example.com: balance 125" in printed.getvalue()
        kept = TaskRun.objects.get(job="audit_books")
        assert (kept.kind, kept.done > 0) == ("command", True)
        assert "balance 125" in kept.detail
