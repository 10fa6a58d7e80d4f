"""A demo of one's own: loading commits for real, so it gets a database of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from tests.databases import fresh_database

SMALL = 0.02
NOON = datetime(2026, 3, 18, 4, 0, tzinfo=UTC)  # a Wednesday, twelve o'clock in the branches


@contextmanager
def _application(label: str, **settings: Any) -> Iterator[Flask]:
    from app import create_app
    from app.extensions import db

    with fresh_database(label, copy=True) as (app_url, owner_url):
        made = create_app(SQLALCHEMY_DATABASE_URI=app_url, DATABASE_OWNER_URL=owner_url, **settings)
        try:
            yield made
        finally:
            with made.app_context():
                db.engine.dispose()


@pytest.fixture
def empty_app() -> Iterator[Flask]:
    """An application over a migrated database with roles, without the demo."""
    with _application("empty") as made:
        yield made


@pytest.fixture(scope="session")
def demo_app() -> Iterator[Flask]:
    """An application over the whole demo, loaded once."""
    from app.demo import load

    with _application("demo") as made:
        load(made, say=lambda _line: None)
        yield made


@pytest.fixture(scope="session")
def small_app() -> Iterator[Flask]:
    """An application over a small demo, to be read only."""
    from app.demo import load

    with _application("small") as made:
        load(made, say=lambda _line: None, share=SMALL, now=NOON)
        yield made


@pytest.fixture
def census() -> Callable[[Flask], dict[str, int]]:
    """Count the rows of every table of an application."""
    from app.extensions import db
    from app.models.base import METADATA

    def count(app: Flask) -> dict[str, int]:
        with app.app_context():
            session = db.session()
            return {
                table.name: session.scalar(select(func.count()).select_from(table)) or 0
                for table in METADATA.sorted_tables
            }

    return count


@pytest.fixture
def rows() -> Callable[..., list[Any]]:
    """Ask the database of an application."""
    from app.extensions import db

    def ask(app: Flask, statement: str, **values: Any) -> list[Any]:
        with app.app_context():
            return list(db.session().execute(text(statement), values))

    return ask
