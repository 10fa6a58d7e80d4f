"""What the batteries share: each case list whole by night, and a seeded part of it in the plain run."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.nightly)], ids=["sample", "whole"])
def some(request: pytest.FixtureRequest) -> Callable[[Iterable[Any], int], list[Any]]:
    """Return ``some(cases, most)``: all of them by night, by day a part that differs in nothing but its size."""

    def chosen(cases: Iterable[Any], most: int) -> list[Any]:
        every = list(cases)
        return every if request.param or len(every) <= most else random.Random(20261122).sample(every, most)

    return chosen
