"""A home for servers of the tests: short, and passable for the account that root runs a server under."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def home() -> Iterator[Path]:
    """Give a home folder outside pytest's own tree, which root keeps closed to everybody."""
    place = Path(tempfile.mkdtemp(prefix="yimei-home-", dir="/tmp"))
    place.chmod(0o711)
    yield place
    shutil.rmtree(place)
