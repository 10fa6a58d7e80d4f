"""An administrator is made, can be found again, and no failure passes for success."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from flask import Flask

from app.ops import admin
from tests.databases import Addresses, fresh_database

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def database() -> Iterator[Addresses]:
    with fresh_database("admin", copy=True) as made:
        yield made


def create_admin(target: Addresses, name: str, password: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a script would: the password by standard input."""
    environment = os.environ | {"DATABASE_URL": target[0], "DATABASE_OWNER_URL": target[1]}
    return subprocess.run(
        [sys.executable, "-m", "app.ops", "create-admin", "--username", name],
        env=environment, cwd=ROOT, input=f"{password}\n", capture_output=True, text=True, check=False,
    )  # fmt: skip


def administrators(target: Addresses, name: str) -> list[tuple[object, ...]]:
    query = (
        "select u.active, r.name from ab_user u join ab_user_role l on l.user_id = u.id "
        "join ab_role r on r.id = l.role_id where u.username = %s"
    )
    with psycopg.connect(target[0].replace("+psycopg", "")) as connection:
        return connection.execute(query, [name]).fetchall()


def test_an_administrator_is_made_and_stands_in_the_database_once(database: Addresses) -> None:
    done = create_admin(database, "first.admin", "A long enough passphrase")
    assert (done.returncode, done.stdout.strip()) == (0, "The administrator first.admin can log in now.")
    assert administrators(database, "first.admin") == [(True, "admin")]
    again = create_admin(database, "first.admin", "Another long passphrase")
    assert (again.returncode, "is taken" in again.stdout) == (1, True)
    assert administrators(database, "first.admin") == [(True, "admin")]


@pytest.mark.parametrize(
    ("name", "password", "sentence"),
    [
        ("X", "A long enough passphrase", "is no login name"),
        ("a b c", "A long enough passphrase", "is no login name"),
        ("<script>", "A long enough passphrase", "is no login name"),
        (None, "A long enough passphrase", "No login name"),
    ],
)
def test_what_makes_no_account_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str | None, password: str, sentence: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    with pytest.raises(admin.NotCreated, match=sentence):
        admin.asked_for(name)


@pytest.fixture(scope="module")
def house(database: Addresses) -> Iterator[Flask]:
    """The application on that database, in this process."""
    from app import create_app
    from app.extensions import db

    made = create_app(SQLALCHEMY_DATABASE_URI=database[0], DATABASE_OWNER_URL=database[1])
    yield made
    with made.app_context():
        db.engine.dispose()


@pytest.mark.parametrize("password", ["Sh0rt", "", "alllowercase", "Password123!", "second-Admin-77"])
def test_a_password_that_the_settings_do_not_allow_makes_no_account(
    database: Addresses, house: Flask, password: str
) -> None:
    """One check for every door: H.2."""
    with pytest.raises(admin.NotCreated, match="The password is not allowed"):
        admin.create(house, "second", password, None)
    assert administrators(database, "second") == []


def test_a_name_and_a_password_are_read_as_a_script_gives_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("A long enough passphrase\n"))
    assert admin.asked_for(" second.admin ") == ("second.admin", "A long enough passphrase")
