"""A demo of one's own: loading commits for real, so it gets a database of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from tests.databases import fresh_database

SMALL = 0.02
BY_DAY = 0.125
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


@dataclass(frozen=True)
class Told:
    """A demo that was told: the application over it, how much of the whole it is, and when it was told."""

    app: Flask
    share: float
    now: datetime


@pytest.fixture(scope="session", params=[pytest.param(1.0, marks=pytest.mark.nightly), BY_DAY], ids=["whole", "part"])
def told(request: pytest.FixtureRequest) -> Iterator[Told]:
    """The demo as it is delivered, by night; by day an eighth of it, with the same story for each of its kinds."""
    from app.demo import load

    share = request.param
    at = datetime.now(UTC) if share == 1.0 else NOON
    with _application("demo") as made:
        load(made, say=lambda _line: None, share=share, now=at)
        yield Told(made, share, at)


@pytest.fixture
def demo_app(told: Told) -> Flask:
    """The application over such a demo."""
    return told.app


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
