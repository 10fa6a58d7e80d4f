"""The demo's customers who come again without a slip: to be checked, to buy more, to complain. Triage SOP S3."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from app.demo.cast import Visitor
from app.demo.slips import Chain
from app.demo.visits import Ending, Visiting
from app.models.appointments import SlipState
from app.models.reception import VisitType

if TYPE_CHECKING:
    from app.demo.script import Script

#: Of a hundred who were seen so many come again, some days later, and why.
RETURNING, RETURNS_AFTER = 0.15, 3
RETURN_TYPES = {VisitType.RETURN: 44, VisitType.REPEAT_PURCHASE: 24, VisitType.RECHECK: 24, VisitType.DISPUTE: 8}
#: Who is here without a slip when the demo is loaded.
HERE_NOW = (Ending.WAITS, Ending.IN_ROOM, Ending.WAITS, Ending.WAITS)


def write_returns(script: Script, chains: Sequence[Chain], booked: Sequence[Visitor]) -> None:
    """Some who were seen come again without a slip; a few are here now."""
    seen = [
        (chain.last.appointed, visitor)
        for chain, visitor in zip(chains, booked, strict=True)
        if chain.ending is SlipState.COMPLETED and chain.last.appointed <= -RETURNS_AFTER
    ]
    here = script.chance.sample(seen, min(len(seen), len(HERE_NOW)))
    others = [one for one in seen if one not in here]
    for number, (day, visitor) in enumerate(script.chance.sample(others, round(len(others) * RETURNING))):
        again = min(day + script.chance.randint(RETURNS_AFTER, 20), -1)
        came = script.calendar.exactly(again, script.chance.uniform(9 * 60 + 20, 18 * 60))
        stays = script.chance.uniform(40, 90)
        _again(script, visitor, f"again{number}", came, Ending.SEEN, stays)
    for ending, (_day, visitor) in zip(HERE_NOW, here, strict=False):
        _again(script, visitor, "today", script.lately(ending), ending, 60)


def _again(script: Script, visitor: Visitor, key: str, came: datetime, ending: Ending, stays: float) -> None:
    visit_type = script.chance.choices(list(RETURN_TYPES), list(RETURN_TYPES.values()))[0]
    told = Visiting(script, visitor, f"{visitor.key}:{key}", came, ending, with_slip=False, visit_type=visit_type)
    told.stays = stays
    told.write()
