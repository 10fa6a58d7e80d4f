"""Make an administrator's account, and be sure that it was made."""

from __future__ import annotations

import getpass
import os
import re
import sys
from datetime import UTC, datetime

from flask import Flask

from app.errors import InvalidInput
from app.unit import acting_as, unit_of_work
from app.words import force_locale

LOGIN_NAME = re.compile(r"[a-z][a-z0-9_.-]{2,63}")


class NotCreated(Exception):
    """The account was not made; the message says why."""


def asked_for(username: str | None) -> tuple[str, str]:
    """Return login name and password, asked where they were not given.

    They come from the argument, YIMEI_ADMIN_USERNAME and YIMEI_ADMIN_PASSWORD, the keyboard, or (the password) one
    line of standard input. Refuses a malformed name.
    """
    username = (username or os.environ.get("YIMEI_ADMIN_USERNAME") or _asked("Login name: ")).strip()
    if not LOGIN_NAME.fullmatch(username):
        raise NotCreated(f"{username!r} is no login name: 3 to 64 of a-z, 0-9, _ . - and a letter first.")
    password = os.environ.get("YIMEI_ADMIN_PASSWORD") or _asked_password()
    return username, password


def create(app: Flask, username: str, password: str, email: str | None) -> str:
    """Make an account with the administrator's role and return a sentence about it.

    Refuses a taken name or address, a missing role and a password that the settings do not allow. Reads the account
    back, since the framework answers a failed write with nothing but False.
    """
    with app.app_context(), acting_as("house:create-admin"):
        _add(app, username, email or f"{username}@localhost.localdomain", password)
    return f"The administrator {username} can log in now."


def _add(app: Flask, username: str, email: str, password: str) -> None:
    from app.extensions import db
    from app.services.doors import passwords

    manager = app.appbuilder.sm  # type: ignore[attr-defined]
    role = manager.find_role(app.config["AUTH_ROLE_ADMIN"])
    if role is None:
        raise NotCreated("The role of administrators is not there yet; run `python3 run.py sync-security` first.")
    if manager.find_user(username=username) is not None:
        raise NotCreated(f"The login name {username} is taken.")
    if manager.find_user(email=email) is not None:
        raise NotCreated(f"The mail address {email} belongs to another account.")
    session, at = db.session(), datetime.now(UTC)
    try:
        with force_locale("en"):
            passwords.check_password(session, password, username=username, at=at)
    except InvalidInput as weak:
        raise NotCreated(f"The password is not allowed. {' '.join(weak.errors['password'])}") from weak
    made = manager.add_user(username, username, "admin", email, role, password=password)
    standing = manager.find_user(username=username) if made else None
    if standing is None or role not in standing.roles:
        raise NotCreated("The database refused the account; its log says why.")
    with unit_of_work(session):
        passwords.remember(session, standing.id, standing.password, at=at, by_others=False)


def _asked(question: str) -> str:
    if not sys.stdin.isatty():
        raise NotCreated("No login name: give --username or YIMEI_ADMIN_USERNAME.")
    return input(question)


def _asked_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise NotCreated("The two passwords differ.")
    return password
