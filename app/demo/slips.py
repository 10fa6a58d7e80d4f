"""The plan of the demo's slips: on which day each was placed, redone and for, and how its chain ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from app.demo.calendar import Calendar
from app.models.appointments import SlipState

EARLIEST = -60
LATEST = 14
#: The longest lead of a last slip, and the most days that one redoing adds before it.
LEAD, REDOING = 6, 6

#: How the chains end, in parts of a hundred. Redone slips come on top.
ENDINGS: dict[SlipState, int] = {
    SlipState.COMPLETED: 56,
    SlipState.PENDING: 18,
    SlipState.EXPIRED: 14,
    SlipState.VOIDED: 8,
    SlipState.ARRIVED: 4,
}
REDONE_SHARE = 0.12


@dataclass
class Leg:
    """One slip: placed and due on these days. ``lapses``: it runs out before it is redone, voided or arrives."""

    placed: int
    appointed: int
    lapses: bool = False


@dataclass
class Chain:
    """A slip with what it was redone into; all but the last leg are replaced."""

    number: int
    legs: list[Leg]
    ending: SlipState

    @property
    def last(self) -> Leg:
        return self.legs[-1]


def shared_out(total: int, weights: Sequence[int]) -> list[int]:
    """Return whole parts of a total in these proportions, none of them empty while there is enough."""
    if total < len(weights):
        return [1] * total + [0] * (len(weights) - total)
    whole = sum(weights)
    parts = [max(1, total * weight // whole) for weight in weights]
    parts[0] += total - sum(parts)
    return parts


def plan_chains(random: Random, calendar: Calendar, rows: int) -> list[Chain]:
    """Return chains that together have exactly this many slips, the one placed first in front."""
    redone = max(1, round(rows * REDONE_SHARE)) if rows > 2 else 0
    twice = redone // 10
    count = rows - redone
    endings = [
        ending
        for ending, part in zip(ENDINGS, shared_out(count, list(ENDINGS.values())), strict=True)
        for _each in range(part)
    ]
    random.shuffle(endings)
    redos = [2] * twice + [1] * (redone - 2 * twice)
    redos += [0] * (count - len(redos))
    random.shuffle(redos)
    chains: list[Chain] = []
    here = 0
    for number, (ending, times) in enumerate(zip(endings, redos, strict=True)):
        here += ending is SlipState.ARRIVED
        earliest = EARLIEST + (LEAD + REDOING * times if times else 1)
        appointed = _day(random, calendar, ending, earliest, here)
        chains.append(Chain(number, _legs(random, ending, appointed, times), ending))
    chains.sort(key=lambda chain: (chain.legs[0].placed, chain.number))
    return chains


def _legs(random: Random, ending: SlipState, appointed: int, redos: int) -> list[Leg]:
    """Return a chain's legs, planned backwards from the day for which the last one is."""
    lead = random.choice((1, 1, 2, 2, 3, 3, 4, 5, LEAD))
    if ending is SlipState.PENDING and appointed > 0:
        placed = 0 if random.random() < 0.06 else -lead
    else:
        placed = max(min(appointed - lead, -2 if ending is SlipState.VOIDED else -1), EARLIEST)
    late = ending is SlipState.COMPLETED and appointed <= -2 and random.random() < 0.05
    void_late = ending is SlipState.VOIDED and appointed <= -2 and random.random() < 0.3
    legs = [Leg(placed, appointed, lapses=ending is SlipState.EXPIRED or late or void_late)]
    for _time in range(redos):
        redone_on = legs[0].placed
        if random.random() < 0.3:
            due = redone_on - random.randint(1, 2)
            legs.insert(0, Leg(due - random.randint(1, 4), due, lapses=True))
        else:
            legs.insert(0, Leg(redone_on - random.randint(1, 4), redone_on + random.randint(1, 3)))
    return legs


def _day(random: Random, calendar: Calendar, ending: SlipState, earliest: int, here: int) -> int:
    """Return the day for which a chain's last slip is, more often a weekend. Of those who came and were not seen, by
    their number ``here``, half are here today; the others went away on some day."""
    if ending is SlipState.ARRIVED:
        return 0 if here % 2 == 0 else Random(here).randint(earliest, -1)
    if ending is SlipState.PENDING:
        return min(random.randint(0, LATEST), random.randint(0, LATEST))
    latest = 3 if ending is SlipState.VOIDED else -1
    day = random.randint(earliest, latest)
    if not calendar.weekend(day) and random.random() < 0.35:
        day = random.randint(earliest, latest)
    return day
