"""The white paper's headings as the house delivers them: the TOML files of ``headings/``, in their order."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True)
class Heading:
    """A heading's text. ``steps`` are (step, explanation, module); ``previous`` is parted by blanks."""

    no: str
    title: str
    en: str
    groups: str = ""
    executor: str = ""
    manager: str = ""
    supervisor: str = ""
    previous: str = ""
    explains: tuple[str, ...] = ()
    steps: tuple[tuple[str, str, str], ...] = ()
    remark: str = ""
    stated: bool = False


@lru_cache(maxsize=1)
def headings() -> tuple[Heading, ...]:
    """Return every heading that the house delivers, in the order of the white paper, the SOP last."""
    found: list[Heading] = []
    for path in sorted(files(__package__).joinpath("headings").iterdir(), key=lambda path: path.name):
        if path.name.endswith(".toml"):
            found += [_read(told) for told in tomllib.loads(path.read_text("utf-8"))["heading"]]
    return tuple(found)


def _read(told: dict[str, object]) -> Heading:
    """Return one heading; a key that is none is a mistake of ours and raises."""
    lists = {
        name: tuple(tuple(part) if isinstance(part, list) else part for part in value)
        for name, value in told.items()
        if isinstance(value, list)
    }
    return Heading(**{**told, **lists})  # type: ignore[arg-type]
