"""What the events of a call say together, whatever order they arrived in. No database: events in, facts out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.models.telephone import CallState, Direction, EventKind

#: Who is believed first where several events say the same thing.
BY_TIME = tuple(EventKind)
WHO_ANSWERED = (EventKind.ANSWERED, EventKind.RINGING, EventKind.MISSED, EventKind.ENDED, EventKind.RECORDING)
MOST_RINGS = 99


@dataclass(frozen=True)
class Told:
    """One event as the telephone system told it; what it did not say is None."""

    kind: EventKind
    call_id: str
    happened_at: datetime
    direction: Direction | None = None
    number: str | None = None
    extension: str | None = None
    rings: int | None = None
    recording_url: str | None = None
    key: str | None = None
    event_id: str | None = None


@dataclass(frozen=True)
class CallFacts:
    """What is known of a call. ``ring_count`` counts the ring during which it was answered or given up."""

    direction: Direction
    state: CallState
    number: str | None
    extension: str | None
    began_at: datetime
    ringing_at: datetime | None
    answered_at: datetime | None
    missed_at: datetime | None
    ended_at: datetime | None
    ring_count: int | None
    is_in_time: bool | None
    recording_url: str | None


def fold(events: Iterable[Told], *, ring_seconds: int, before_ring: int = 2) -> CallFacts:
    """Return what the events of one call say together; at least one is needed, at most one of each kind counts.

    An answer outweighs a call given up: another extension took it. A call that ended without an answer was missed,
    whether or not the system says so. In time is answered before the ring of that number.
    """
    told = {event.kind: event for event in events}
    at = {kind: event.happened_at for kind, event in told.items()}
    direction = _first(told, BY_TIME, lambda event: event.direction) or Direction.IN
    answered_at = at.get(EventKind.ANSWERED)
    ended_at = at.get(EventKind.ENDED)
    given_up_at = None if answered_at is not None else at.get(EventKind.MISSED, ended_at)
    rings = _rings(told, at.get(EventKind.RINGING), answered_at or given_up_at, ring_seconds)
    is_counted = direction is Direction.IN and answered_at is not None and rings is not None
    return CallFacts(
        direction=direction,
        state=_state(direction, answered_at, given_up_at, ended_at),
        number=_first(told, BY_TIME, lambda event: event.number),
        extension=_first(told, WHO_ANSWERED, lambda event: event.extension),
        began_at=min(at.values()),
        ringing_at=at.get(EventKind.RINGING),
        answered_at=answered_at,
        missed_at=given_up_at,
        ended_at=ended_at,
        ring_count=rings,
        is_in_time=rings < before_ring if is_counted and rings is not None else None,
        recording_url=_first(told, (EventKind.RECORDING, EventKind.ENDED), lambda event: event.recording_url),
    )


def _first(told: dict[EventKind, Told], order: Iterable[EventKind], say: Callable[[Told], Any]) -> Any:
    said = (say(told[kind]) for kind in order if kind in told)
    return next((value for value in said if value is not None), None)


def _state(
    direction: Direction, answered_at: datetime | None, given_up_at: datetime | None, ended_at: datetime | None
) -> CallState:
    if answered_at is not None:
        return CallState.TALKING if ended_at is None else CallState.ENDED
    if given_up_at is None:
        return CallState.RINGING
    return CallState.MISSED if direction is Direction.IN else CallState.UNREACHED


def _rings(
    told: dict[EventKind, Told], rang_at: datetime | None, over_at: datetime | None, ring_seconds: int
) -> int | None:
    """Return how often it rang: as the system counted, else measured by the clock, a cycle of so many seconds each."""
    if over_at is None:
        return None
    counted: int | None = _first(
        told, (EventKind.ANSWERED, EventKind.MISSED, EventKind.ENDED), lambda event: event.rings
    )
    if counted is not None or rang_at is None:
        return counted
    waited = max(over_at - rang_at, timedelta())
    return min(int(waited.total_seconds() // ring_seconds) + 1, MOST_RINGS)
