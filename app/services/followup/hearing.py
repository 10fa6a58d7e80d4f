"""The recording of a call and who reviews it: heard, not heard yet, or none there. White paper 2.22.4; R-2.22-3.

Nobody ticks that she heard it: the book of looks says whether she listened to the recording of the call that belongs
to the carrying out, after it was carried out. Decision 0040.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, joinedload

from app.actors import Actor
from app.models.audit import Way
from app.models.base import Labelled
from app.models.followup import FollowupExecution, FollowupPlan
from app.models.telephone import PhoneCall, RecordingState
from app.services.looks import last_looks
from app.services.scope import in_scope
from app.words import _l


class Heard(Labelled):
    """How it stands between a person and the recording of a call."""

    HEARD = "heard"
    NOT_YET = "not_yet"
    COMING = "coming"
    NONE = "none"
    KEPT_FROM = "kept_from"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.HEARD: _l("Heard"),
            cls.NOT_YET: _l("Not heard yet"),
            cls.COMING: _l("The recording is on its way"),
            cls.NONE: _l("There is no recording"),
            cls.KEPT_FROM: _l("The recording is not for you to hear"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.HEARD: "ok", cls.NOT_YET: "warn", cls.COMING: "info"}


@dataclass(frozen=True)
class Hearing:
    """The last carrying out of a plan and its recording; ``call`` is one that this person may play."""

    execution: FollowupExecution
    heard: Heard
    call: PhoneCall | None = None


def last_execution(session: Session, plan: FollowupPlan) -> FollowupExecution:
    """Return the newest carrying out of a plan."""
    return _last(session, [plan])[plan.id]


def hearing_of(session: Session, plan: FollowupPlan, by: Actor) -> Hearing:
    """Return whether this person has heard what a plan was carried out with."""
    return hearings_of(session, [plan], by)[plan.id]


def hearings_of(session: Session, plans: Sequence[FollowupPlan], by: Actor) -> dict[int, Hearing]:
    """Return by plan what this person has heard of its last carrying out, in three statements for all of them.

    Plans that were never carried out are left out.
    """
    last = _last(session, plans)
    kept = {each.phone_call.id for each in last.values() if each.phone_call is not None and _is_kept(each.phone_call)}
    reached: set[int] = set()
    if kept and by.may("phone_call", "can_listen"):
        seen = in_scope(PhoneCall, by).with_only_columns(PhoneCall.id).where(PhoneCall.id.in_(sorted(kept)))
        reached = set(session.scalars(seen))
    calls = {each.phone_call_id for each in last.values() if each.phone_call_id is not None}
    listened = last_looks(session, Way.LISTEN, "phone_call", calls, by)
    told = {}
    for plan_id, execution in last.items():
        call = execution.phone_call
        at = listened.get(call.id) if call is not None else None
        is_heard = at is not None and at >= execution.executed_at
        plays = call if call is not None and call.id in reached else None
        told[plan_id] = Hearing(execution, _heard(call, is_heard=is_heard, is_reached=plays is not None), plays)
    return told


def _heard(call: PhoneCall | None, *, is_heard: bool, is_reached: bool) -> Heard:
    """Say how it stands: what was heard stays heard, also when the recording's time is over."""
    if is_heard:
        return Heard.HEARD
    if call is None or not _is_kept(call):
        is_coming = call is not None and call.recording_state is RecordingState.WAITING
        return Heard.COMING if is_coming else Heard.NONE
    return Heard.NOT_YET if is_reached else Heard.KEPT_FROM


def _is_kept(call: PhoneCall) -> bool:
    file = call.recording_file
    return call.recording_state is RecordingState.STORED and file is not None and file.dropped_at is None


def _last(session: Session, plans: Sequence[FollowupPlan]) -> dict[int, FollowupExecution]:
    newest = (
        select(FollowupExecution)
        .where(FollowupExecution.plan_id.in_(sorted(plan.id for plan in plans)))
        .ext(distinct_on(FollowupExecution.plan_id))
        .order_by(FollowupExecution.plan_id, FollowupExecution.id.desc())
        .options(joinedload(FollowupExecution.phone_call).joinedload(PhoneCall.recording_file))
    )
    return {execution.plan_id: execution for execution in session.scalars(newest)}
