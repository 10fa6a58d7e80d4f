"""Documents made from the declarations: ``docs/acts.md``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

ACTS = Path(__file__).resolve().parents[2] / "docs" / "acts.md"


def write(app: Flask) -> list[Path]:
    """Write every generated document; return their paths."""
    from app.panel.catalogue import acts_page

    with app.app_context():
        ACTS.write_text(acts_page(), encoding="utf-8")
    return [ACTS]
