"""How the house says no: each refusal carries a sentence that its reader understands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

LONGEST_LINE = 2000


class Refusal(Exception):
    """An act that a rule forbids just now. Answered 409, shown beside what caused it.

    ``field`` names the input that caused it, where there is one. ``aftermath`` writes, in a transaction of its
    own, what must be kept although the act is undone: that somebody was told whose a number is.
    """

    def __init__(
        self, sentence: object, *, field: str | None = None, aftermath: Callable[[Any], None] | None = None
    ) -> None:
        super().__init__(str(sentence))
        self.sentence = str(sentence)
        self.field = field
        self.aftermath = aftermath


class IllegalMove(Refusal):
    """A state that does not lead where the act wants to go."""


class KeyReused(Refusal):
    """A request key that already stands for other inputs."""


class Stale(Refusal):
    """A record that somebody else changed since it was read."""


class Warned(Refusal):
    """An act that no rule forbids, but that its doer should think over. ``warnings`` are the sentences; who sends
    ``token`` along has read them, and the act is done. Answered 409."""

    def __init__(self, warnings: Sequence[str], token: str) -> None:
        super().__init__(" ".join(warnings))
        self.warnings = list(warnings)
        self.token = token


class InvalidInput(Exception):
    """Inputs that are missing or malformed. Answered 422; ``errors`` maps field to sentences.

    ``aftermath`` as of a ``Refusal``.
    """

    aftermath: Callable[[Any], None] | None = None

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__("; ".join(f"{name}: {' '.join(said)}" for name, said in errors.items()))
        self.errors = {name: [str(sentence) for sentence in said] for name, said in errors.items()}


class NotPermitted(Exception):
    """A person whose roles do not include this. Answered 403."""


class OutOfScope(Exception):
    """A record that is absent, or that this person may not know of: the two look the same. Answered 404."""


def first_line(wrong: BaseException) -> str:
    """Return what people may read of a fault: its kind and its first line; no parameters, no row, no stack."""
    said = str(getattr(wrong, "orig", None) or wrong)  # the database's own words, if it was the database
    return f"{type(wrong).__name__}: {said.splitlines()[0] if said else ''}"[:LONGEST_LINE]
