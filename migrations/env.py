"""How Alembic reaches the database: as the owner, under the actor ``house:migrate``, one transaction per migration."""

from __future__ import annotations

from typing import Any

from alembic import context
from alembic.autogenerate import renderers
from alembic.operations.ops import CreateTableOp, MigrateOperation
from flask import current_app
from sqlalchemy import Connection, create_engine, pool, text
from sqlalchemy.types import TypeDecorator

from app.extensions import db
from app.models.trail import trailed

# Tables that stand in the database and not among our models, made by plain SQL in a migration.
# A name belongs here only with the migration that makes it.
# The queue of background work is procrastinate's own: 20261122_0431.
# The mark up to which the trail may be sealed: 20261122_0449.
UNMODELLED_TABLES: tuple[str, ...] = (
    "audit_mark",
    "procrastinate_events",
    "procrastinate_jobs",
    "procrastinate_periodic_defers",
    "procrastinate_workers",
)


def include_object(_item: Any, name: str | None, type_: str, reflected: bool, compare_to: Any) -> bool:
    """Say whether autogenerate and the drift check look at an object."""
    return not (type_ == "table" and reflected and compare_to is None and name in UNMODELLED_TABLES)


def render_item(type_: str, item: Any, autogen_context: Any) -> str | bool:
    """Render our own column types as what the database stores, so that no migration imports the application."""
    if type_ == "type" and isinstance(item, TypeDecorator) and type(item).__module__.startswith("app."):
        impl = item.impl_instance
        if type(impl).__module__.startswith("sqlalchemy.dialects.postgresql"):
            autogen_context.imports.add("from sqlalchemy.dialects import postgresql")
            return f"postgresql.{impl!r}"
        return f"sa.{impl!r}"
    return False


class AuditedOp(MigrateOperation):
    """``audited(table, …)``: the trail of a new table."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.excluded = trailed().get(table, ())


@renderers.dispatch_for(AuditedOp)
def render_audited(autogen_context: Any, item: AuditedOp) -> str:
    """Render the call, and its import."""
    autogen_context.imports.add("from migrations.trail import audited")
    return f"audited({', '.join(repr(name) for name in (item.table, *item.excluded))})"


def complete(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """Give each new table its trail; write no file where autogenerate found nothing to do."""
    for directive in directives:
        operations = directive.upgrade_ops.ops
        made = [item.table_name for item in operations if isinstance(item, CreateTableOp)]
        operations.extend(AuditedOp(name) for name in made if name in trailed())
    if directives and getattr(context.config.cmd_opts, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
        directives[:] = []
        print("The models and the migrations agree; nothing was written.")


def migrate(connection: Connection) -> None:
    """Run the migrations that Alembic asked for over an open connection."""
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        compare_type=True,
        compare_server_default=True,
        include_object=include_object,
        render_item=render_item,
        process_revision_directives=complete,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def owner_connection() -> Connection:
    """Open a connection of the owner's role and tell it who acts."""
    url = current_app.config.get("DATABASE_OWNER_URL")
    if not url:
        raise RuntimeError("DATABASE_OWNER_URL is not set: migrations run as the owner of the tables.")
    connection = create_engine(url, poolclass=pool.NullPool, hide_parameters=True).connect()
    connection.execute(text("select set_config('app.actor', 'house:migrate', false)"))
    connection.commit()
    return connection


if context.is_offline_mode():
    raise RuntimeError("Migrations run against a database; there is no offline mode.")

with owner_connection() as opened:
    migrate(opened)
