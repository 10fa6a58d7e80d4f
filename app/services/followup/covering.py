"""Somebody stands in for a colleague's follow-ups, from a day to a day. White paper 2.22, 4.2.2."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.errors import InvalidInput
from app.fields import Day, HouseForm, Pick, Words
from app.models.followup import FollowupCover, FollowupPlan
from app.models.followup.plans import AHEAD
from app.models.hr import Branch, Employee
from app.services.hr import own_branch, unseen, working
from app.services.notices import KINDS, tell
from app.words import _, _l

KINDS["followup_cover"] = _l("You stand in for %(absent)s from %(since)s until %(until)s (%(by)s).")
sees_plans = unseen("followup_plan", _l("Follow-up plans to be done"))


class Arranging(HouseForm):
    """Who stands in for whom, and when."""

    absent_id = Pick(_l("Absent"), table="employee", description=_l("Empty: yourself."))
    cover_id = Pick(_l("Covered by"), table="employee", required=True)
    from_on = Day(_l("From"), required=True)
    until_on = Day(_l("Last day"), required=True)
    reason = Words(_l("Reason"), most=500)

    def check(self) -> None:
        """The last day is not before the first."""
        first, last = self.from_on.data, self.until_on.data
        if first is not None and last is not None and last < first:
            self.refuse("until_on", _("The last day is before the first."))


@act(
    FollowupCover,
    "arrange",
    _l("Arrange a cover"),
    form=Arranging,
    creates=True,
    main=True,
    icon="people",
    starts_from={"employee": {"absent_id": "id"}},
    consequence=_l("Plans of these days stand in both lists; afterwards they are hers alone again."),
)
def arrange(
    session: Session,
    *,
    cover_id: int,
    from_on: date,
    until_on: date,
    absent_id: int | None = None,
    reason: str | None = None,
    by: Actor,
    at: datetime,
) -> FollowupCover:
    """Let a colleague stand in; refuses days that are over, oneself, who cannot see plans, and a second cover."""
    branch = own_branch(session, by)
    absent_key = absent_id if absent_id is not None else by.employee_id
    if absent_key is None:
        raise InvalidInput({"absent_id": [_("Please say who is away.")]})
    absent = working(session, absent_key, branch.id, "absent_id")
    cover = working(session, cover_id, branch.id, "cover_id")
    if absent.id == cover.id:
        raise InvalidInput({"cover_id": [_("Somebody else, please.")]})
    if until_on < at.astimezone(ZoneInfo(branch.zone)).date():
        raise InvalidInput({"until_on": [_("This day has passed.")]})
    blind = sees_plans(session, cover, ())
    if blind is not None:
        raise InvalidInput({"cover_id": [blind]})
    _refuse_second(session, absent, from_on, until_on)
    _refuse_absent_cover(session, cover, from_on, until_on)
    made = FollowupCover(
        branch_id=branch.id,
        absent_id=absent.id,
        cover_id=cover.id,
        department_id=absent.department_id,
        from_on=from_on,
        until_on=until_on,
        reason=reason,
    )
    session.add(made)
    session.flush()
    _put(session, made, cover.id)
    facts = {"absent": absent.name, "since": from_on.isoformat(), "until": until_on.isoformat(), "by": by.display_name}
    tell(session, cover.id, "followup_cover", made, **facts)
    return made


def _absence(session: Session, who: Employee, from_on: date, until_on: date) -> FollowupCover | None:
    """Return a cover of somebody's own absence that touches some days, if there is one."""
    return session.scalars(
        select(FollowupCover)
        .where(FollowupCover.absent_id == who.id, FollowupCover.ended_at.is_(None))
        .where(FollowupCover.from_on <= until_on, FollowupCover.until_on >= from_on)
        .limit(1)
    ).first()


def _refuse_second(session: Session, absent: Employee, from_on: date, until_on: date) -> None:
    """Two covers at once would each think that the other calls. The absent one's file is locked by the caller."""
    other = _absence(session, absent, from_on, until_on)
    if other is not None:
        raise InvalidInput({"from_on": [_("Somebody covers these days already: %(cover)s.", cover=other)]})


def _refuse_absent_cover(session: Session, cover: Employee, from_on: date, until_on: date) -> None:
    """Who is away herself covers nobody: the plans would wait in the hands of two who are not there."""
    away = _absence(session, cover, from_on, until_on)
    if away is not None:
        raise InvalidInput({"cover_id": [_("She is away herself: %(cover)s.", cover=away)]})


def _put(session: Session, cover: FollowupCover, cover_id: int | None) -> None:
    """Put the open plans of the covered days into the cover's hands too, or take them out again."""
    zone = ZoneInfo(session.get_one(Branch, cover.branch_id).zone)
    first = datetime.combine(cover.from_on, time.min, zone)
    after = datetime.combine(cover.until_on + timedelta(days=1), time.min, zone)
    plans = (
        select(FollowupPlan)
        .where(FollowupPlan.executor_id == cover.absent_id, FollowupPlan.state.in_(AHEAD))
        .where(FollowupPlan.planned_at < after)
    )
    if cover_id is None:
        plans = plans.where(FollowupPlan.cover_id == cover.cover_id)
    else:
        plans = plans.where(FollowupPlan.planned_at >= first)
    for plan in session.scalars(
        plans.order_by(FollowupPlan.id).with_for_update().execution_options(populate_existing=True)
    ):
        plan.cover_id = cover_id


def _is_over(cover: FollowupCover, by: Actor) -> object | None:
    return _("This cover has ended.") if cover.ended_at is not None else None


@act(FollowupCover, "end", _l("End the cover"), guard=_is_over, icon="person-check")
def end(session: Session, cover: FollowupCover, *, by: Actor, at: datetime) -> None:
    """End a cover, before its last day if she is back: what is still open is hers alone again."""
    cover.ended_at = at
    _put(session, cover, None)
