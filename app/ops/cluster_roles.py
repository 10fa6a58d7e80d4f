"""The roles of the embedded server: who owns, who only works, and nobody else."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import sql

ADMIN, OWNER, APPLICATION, DATABASE = "postgres", "yimei_owner", "yimei_app", "yimei"


def see_to_roles(
    admin: psycopg.Connection[tuple[object, ...]], passwords: Mapping[str, str], *, may_create_databases: bool
) -> None:
    """Make what is missing of the two roles and the database, and set the passwords to those that are kept.

    ``passwords`` has the entries ``owner`` and ``app``. Only the tests' owner may make databases of its own.
    """
    standing = {row[0] for row in admin.execute("select rolname from pg_roles")}
    for role, key in ((OWNER, "owner"), (APPLICATION, "app")):
        verb = sql.SQL("ALTER" if role in standing else "CREATE")
        creates = sql.SQL("CREATEDB" if may_create_databases and role == OWNER else "NOCREATEDB")
        statement = sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEROLE {} PASSWORD {}")
        admin.execute(statement.format(verb, sql.Identifier(role), creates, sql.Literal(passwords[key])))
    name, owner, application = map(sql.Identifier, (DATABASE, OWNER, APPLICATION))
    if admin.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone() is None:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    admin.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(name, application))
