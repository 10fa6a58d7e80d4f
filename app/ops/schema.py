"""The schema as an operator sees it: migrate it, compare it with the models, grant on it, refuse an unsafe role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import Connection, Engine, create_engine, make_url, pool, text
from sqlalchemy.orm import Session

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
# Names the lock under which one migration runs at a time ("yimei" in ASCII).
MIGRATION_LOCK = 0x79696D6569

# Tables on which the application may do less than read and write. What is not named here is plain data.
RESTRICTED_TABLES: dict[str, tuple[str, ...]] = {
    "alembic_version": ("SELECT",),
    "act_run": ("SELECT", "INSERT", "UPDATE"),  # the transaction that made a row completes it; a trigger sees to that
    "audit_log": ("SELECT",),
    "audit_mark": ("SELECT",),
    "audit_prune": ("SELECT",),
    "audit_seal": ("SELECT",),
    "call_event": ("SELECT", "INSERT"),
    "print_job": ("SELECT", "INSERT"),
    "report_run": ("SELECT", "INSERT"),
    "closing_checklist": ("SELECT", "INSERT"),
    "closing_line": ("SELECT", "INSERT"),
    "inspection_document": ("SELECT", "INSERT"),
    "report_signature": ("SELECT", "INSERT"),
    "shift_handover_visit": ("SELECT", "INSERT"),
    "rotation_turn": ("SELECT", "INSERT"),
    "sensitive_view_log": ("SELECT", "INSERT"),
    "visit_checkpoint": ("SELECT", "INSERT"),
}

# Every table that the role in force owns, or could act as the owner of, outside PostgreSQL's own schemas.
OWNED = text(
    """
    select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and pg_has_role(current_user, c.relowner, 'MEMBER')
    order by 1 limit 3
    """
)


class UnsafeRole(Exception):
    """The application's role could change the schema or pass by its guards."""


def migrate(app: Flask, to: str = "heads") -> None:
    """Bring the schema to a revision (the newest unless said) and grant on it what the application needs.

    Runs as the owner, one migration at a time however many start; raises whatever the migration raises.
    """
    with _owner(app) as owner:
        with owner.begin():
            owner.execute(text("select pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            if not may_create_here(owner):
                raise UnsafeRole("The role of DATABASE_OWNER_URL may not create tables in the schema public.")
        _grant(owner, app)  # default privileges first: what a migration makes is usable within that migration's run
        with app.app_context():
            command.upgrade(_config(app), to)
        _grant(owner, app)


def downgrade(app: Flask, to: str) -> None:
    """Take the schema back to a revision; ``"base"`` empties it."""
    with app.app_context():
        command.downgrade(_config(app), to)


def make_migration(app: Flask, message: str) -> None:
    """Write a new migration from the difference between the models and the migrated database; none if none."""
    with app.app_context():
        command.revision(_config(app, "autogenerate"), message=message, autogenerate=True)


def heads(app: Flask) -> list[str]:
    """Return the newest revisions in the folder; more than one means that two branches were never merged."""
    return sorted(_scripts(app).get_heads())


def applied(app: Flask) -> list[str]:
    """Return the revisions that the database stands at; empty for an empty database."""
    from app.extensions import db

    with app.app_context(), db.engine.connect() as connection:
        return sorted(MigrationContext.configure(connection).get_current_heads())


def is_current(app: Flask) -> bool:
    """Say whether the database stands at the newest revision."""
    return applied(app) == heads(app)


def drift(app: Flask) -> list[str]:
    """Return how the migrated database differs from the models, one line per difference; empty is good."""
    found: list[str] = []

    def compare(_revision: Any, context: MigrationContext) -> list[Any]:
        found.extend(_described(item) for item in compare_metadata(context, context.opts["target_metadata"]))
        return []

    with app.app_context():
        config = _config(app)
        script = ScriptDirectory.from_config(config)
        with EnvironmentContext(config, script, fn=compare):
            script.run_env()
    return found


def grant_sql(role: str, existing: set[str] | None = None) -> list[str]:
    """Return the statements by which the owner lets the application's role work, now and in tables to come.

    ``existing`` names the tables that stand, so that only those of ``RESTRICTED_TABLES`` are touched.
    """
    name = quoted(role)
    data = "SELECT, INSERT, UPDATE, DELETE"
    statements = [
        f"GRANT USAGE ON SCHEMA public TO {name}",
        f"GRANT {data} ON ALL TABLES IN SCHEMA public TO {name}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {name}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {data} ON TABLES TO {name}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {name}",
    ]
    for table, allowed in sorted(RESTRICTED_TABLES.items()):
        if existing is None or table in existing:
            statements.append(f"REVOKE ALL ON {quoted(table)} FROM {name}")
            statements.append(f"GRANT {', '.join(allowed)} ON {quoted(table)} TO {name}")
    return statements


def refuse_unsafe_role(engine: Engine) -> None:
    """Raise ``UnsafeRole`` if the application's role is a superuser or owns a table, itself or by membership."""
    with engine.connect() as connection:
        role, superuser = connection.execute(
            text("select rolname, rolsuper or rolbypassrls from pg_roles where rolname = current_user")
        ).one()
        if superuser:
            raise UnsafeRole(f"The role {role} of DATABASE_URL is a superuser; give the application a plain role.")
        owned = connection.execute(OWNED).scalars().all()
        if owned:
            raise UnsafeRole(
                f"The role {role} of DATABASE_URL owns tables ({', '.join(owned)} …); it must own nothing. "
                "Put the owner into DATABASE_OWNER_URL and a plain role into DATABASE_URL."
            )


def may_create_here(connection: Connection) -> bool:
    """Say whether the role of a connection may create tables in the schema public."""
    return bool(connection.execute(text("select has_schema_privilege('public', 'CREATE')")).scalar())


def quoted(identifier: str) -> str:
    """Quote an SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def application_role(app: Flask) -> str:
    """Return the role name that the application connects with."""
    role = make_url(app.config["SQLALCHEMY_DATABASE_URI"]).username
    if not role:
        raise UnsafeRole("DATABASE_URL names no user; write postgresql://user:password@host/database.")
    return role


@contextmanager
def _owner(app: Flask) -> Iterator[Connection]:
    url = app.config.get("DATABASE_OWNER_URL")
    if not url:
        raise UnsafeRole("DATABASE_OWNER_URL is not set: migrations run as the owner of the tables.")
    engine = create_engine(url, poolclass=pool.NullPool, hide_parameters=True)
    with engine.connect() as connection:
        yield connection


@contextmanager
def owner_session(app: Flask) -> Iterator[Session]:
    """Give a session as the owner of the tables, for what the application's role may not: to be used by operators."""
    with _owner(app) as connection, Session(connection) as session:
        yield session


def _grant(owner: Connection, app: Flask) -> None:
    role = application_role(app)
    if role == make_url(app.config["DATABASE_OWNER_URL"]).username:
        raise UnsafeRole("DATABASE_URL and DATABASE_OWNER_URL name the same role; the application must own nothing.")
    with owner.begin():
        standing = set(owner.execute(text("select tablename from pg_tables where schemaname = 'public'")).scalars())
        for statement in grant_sql(role, standing):
            owner.execute(text(statement))


def _config(app: Flask, *options: str) -> Any:
    """Return Flask-Migrate's configuration; needs an application context. Options are those of its command line."""
    return app.extensions["migrate"].migrate.get_config(str(MIGRATIONS), opts=list(options))


def _scripts(app: Flask) -> ScriptDirectory:
    with app.app_context():
        return ScriptDirectory.from_config(_config(app))


def _described(item: Any) -> str:
    """Describe one difference, a tuple or (for a changed column) a list of tuples."""
    parts = item if isinstance(item, list) else [item]
    return "; ".join(" ".join(_named(word) for word in part if word is not None) for part in parts)


def _named(word: Any) -> str:
    """Name what a difference is about: a table, a column or constraint with its table, or a plain value."""
    table = getattr(word, "table", None)
    name = getattr(word, "name", None)
    if table is not None and name:
        return f"{type(word).__name__} {name} of {table.name}"
    return str(name or word)
