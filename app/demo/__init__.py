"""The demo: two branches of an aesthetic hospital with two months of work at the appointment desk.

Everything is made from a fixed seed and an anchor day that is stored first, by running the house's own acts with the
instants of the story; the audit's time stays the database's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from app.demo import loading
from app.demo.organisation import PASSWORD
from app.models.audit import DemoState
from config import SettingsRefused

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["PASSWORD", "DemoRefused", "load", "refuse_demo_accounts"]


class DemoRefused(SettingsRefused):
    """Demo data where none may be. The message is for the operator."""


def load(app: Flask, say: Callable[[str], None] = print, *, share: float = 1.0, now: datetime | None = None) -> None:
    """Load the demo into a migrated database, unless it is there: loading twice changes nothing, tomorrow too.

    ``share`` scales the amounts of a first load (0: the branches and their people only); ``now`` is its clock. A load
    that was broken off is continued when it is started again with the same share. Refuses in production.
    """
    if app.config["YIMEI_MODE"] == "production":
        raise DemoRefused("Demo data is not loaded in production: its accounts have a published password.")
    loading.load(app, say, share, now or datetime.now(UTC))


def refuse_demo_accounts(app: Flask) -> None:
    """Raise ``DemoRefused`` if this is production and the database holds the demo."""
    if app.config["YIMEI_MODE"] != "production":
        return
    from app.extensions import db

    with app.app_context():
        if db.session().scalar(select(DemoState.id).limit(1)) is not None:
            raise DemoRefused(
                "This database holds demo data, whose accounts have a published password. "
                "Use a database of its own for production."
            )
