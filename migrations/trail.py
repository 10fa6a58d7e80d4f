"""What a migration says of a table's trail: who changes a row is written down; some rows never change.

The functions behind these triggers stand in 20261122_0449; what a migration calls here must keep its meaning.
"""

from __future__ import annotations

from alembic import op


def audited(table: str, *excluded: str) -> None:
    """Write every change of a table's rows into ``audit_log``, without the ``excluded`` columns.

    ``make-migration`` adds the call to each new table; the columns are the model's ``UNTRAILED``.
    """
    told = ", ".join(_literal(name) for name in excluded)
    for name, when in (
        ("trail_row", "INSERT OR DELETE ON {table} FOR EACH ROW"),
        ("trail_change", "UPDATE ON {table} FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)"),
        ("trail_truncate", "TRUNCATE ON {table} FOR EACH STATEMENT"),
    ):
        op.execute(f"DROP TRIGGER IF EXISTS {name} ON {_name(table)}")
        what = when.format(table=_name(table))
        op.execute(f"CREATE TRIGGER {name} AFTER {what} EXECUTE FUNCTION audit_row({told})")
        op.execute(f"ALTER TABLE {_name(table)} ENABLE ALWAYS TRIGGER {name}")


def append_only(table: str, *, until_commit: bool = False, guard: str = "audit_kept") -> None:
    """Refuse to change, delete or truncate a table's rows, to its owner too.

    ``until_commit``: the transaction that inserted a row may still complete it.
    """
    told = "'until commit'" if until_commit else ""
    for name, when in (
        ("keep_row", "UPDATE OR DELETE ON {table} FOR EACH ROW"),
        ("keep_table", "TRUNCATE ON {table} FOR EACH STATEMENT"),
    ):
        op.execute(f"DROP TRIGGER IF EXISTS {name} ON {_name(table)}")
        what = when.format(table=_name(table))
        op.execute(f"CREATE TRIGGER {name} BEFORE {what} EXECUTE FUNCTION {guard}({told})")
        op.execute(f"ALTER TABLE {_name(table)} ENABLE ALWAYS TRIGGER {name}")


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
