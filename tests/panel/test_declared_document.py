"""Two acts by declaration alone: button, dialog, REST, permission and history follow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.databases import fresh_database

ROOT = Path(__file__).resolve().parents[2]


def test_a_throw_away_document_gets_everything_from_its_declaration():
    with fresh_database("declared", copy=True) as (app_url, owner_url):
        environment = {**os.environ, "DATABASE_URL": app_url, "DATABASE_OWNER_URL": owner_url, "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(
            [sys.executable, str(ROOT / "tests/panel/declared_document.py")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert ran.returncode == 0, ran.stderr[-4000:]
