"""The roles of the embedded server: who owns, who only works, and nobody else."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import sql

ADMIN, OWNER, APPLICATION, BACKUP, DATABASE = "postgres", "yimei_owner", "yimei_app", "yimei_backup", "yimei"


def see_to_roles(
    admin: psycopg.Connection[tuple[object, ...]], passwords: Mapping[str, str], *, may_create_databases: bool
) -> None:
    """Make what is missing of the three roles and the database, and set the passwords to those that are kept.

    ``passwords`` has the entries ``owner``, ``app`` and ``backup``. Only the tests' owner may make databases of its
    own; only the role for backups may copy the server's files, and it writes nothing.
    """
    standing = {row[0] for row in admin.execute("select rolname from pg_roles")}
    for role, key in ((OWNER, "owner"), (APPLICATION, "app"), (BACKUP, "backup")):
        verb = sql.SQL("ALTER" if role in standing else "CREATE")
        creates = sql.SQL("CREATEDB" if may_create_databases and role == OWNER else "NOCREATEDB")
        copies = sql.SQL("REPLICATION" if role == BACKUP else "NOREPLICATION")
        statement = sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEROLE {} {} PASSWORD {}")
        admin.execute(statement.format(verb, sql.Identifier(role), creates, copies, sql.Literal(passwords[key])))
    name, owner, application, backup = map(sql.Identifier, (DATABASE, OWNER, APPLICATION, BACKUP))
    admin.execute(sql.SQL("GRANT pg_read_all_data TO {}").format(backup))
    if admin.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone() is None:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    admin.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(name, application))
    admin.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, backup))
