"""Why: how a call, a skip or a turn came about, as sentences in the reader's language, and the rows it rests on.

Nothing here says what was asked about: whoever may see the call may read it (R-S2-9). White paper 2.3; decision 0041.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.models.hr import Branch
from app.models.triage import RotationTurn, RuleCode, TriageAssignment, TurnKind
from app.services.guard import crossing
from app.services.scope import loader
from app.services.triage.sentences import RULES, told
from app.words import _

#: What a page shows of a row of the ledger.
EAGER = ("employee", "visit", "line", "by")


def why_called(assignment: TriageAssignment) -> list[str]:
    """Return why somebody was called: the chain of rules, then the rule that decided, as the SOP has it."""
    code = next((code for code in RuleCode if code.value == assignment.rule), None)
    return [*told(assignment.why), *([f"{code.value}: {RULES[code]}"] if code in RULES else [])]


def what_became(session: Session, assignment: TriageAssignment) -> list[str]:
    """Return what became of a call, in the order in which it happened."""
    zone = ZoneInfo(session.get_one(Branch, assignment.branch_id).zone)

    def clock(moment: datetime) -> str:
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"

    name, said = assignment.assignee.name, []
    said.append(_("%(name)s was called at %(time)s.", name=name, time=clock(assignment.called_at)))
    if assignment.skipped_at is not None:
        said += _why_skipped(assignment, clock(assignment.skipped_at))
    if assignment.accepted_at is not None:
        said.append(_("%(name)s accepted at %(time)s.", name=name, time=clock(assignment.accepted_at)))
    if assignment.entered_at is not None:
        said.append(_("The customer was brought in at %(time)s.", time=clock(assignment.entered_at)))
    if assignment.ended_at is not None and assignment.reason:
        state, time = assignment.state.label, clock(assignment.ended_at)
        said.append(_("%(state)s at %(time)s: %(reason)s", state=state, time=time, reason=assignment.reason))
    return said


def _why_skipped(assignment: TriageAssignment, when: str) -> list[str]:
    """R-S2-10: at the limit, by itself; before it, by somebody, with a reason."""
    name, rule = assignment.assignee.name, f"{RuleCode.SKIP.value}: {RULES[RuleCode.SKIP]}"
    if assignment.skip_reason:
        return [_("%(name)s was skipped at %(time)s: %(why)s", name=name, time=when, why=assignment.skip_reason), rule]
    return [_("%(name)s did not answer until %(time)s, and the turn passed on by itself.", name=name, time=when), rule]


def why_assignment(session: Session, assignment: TriageAssignment) -> list[str]:
    """Return the whole answer about a call: why she, and what became of it."""
    return [*why_called(assignment), *what_became(session, assignment)]


def why_turn(session: Session, turn: RotationTurn) -> list[str]:
    """Return why a row stands in the ledger, and whether it moves the turn."""
    assignment, name = turn.assignment, turn.employee.name
    if turn.kind is TurnKind.SKIPPED and turn.rule == RuleCode.SKIP:
        said = what_became(session, assignment)
    elif turn.kind is TurnKind.SKIPPED:
        visit = turn.visit.visit_no
        said = [
            _(
                "The turn of %(name)s came round for the visit %(visit)s, which she had not answered.",
                name=name,
                visit=visit,
            )
        ]
    elif turn.kind is TurnKind.RETURNED:
        said = [_("%(name)s was given the turn back: %(reason)s", name=name, reason=turn.reason or "")]
    else:
        said = why_called(assignment)
    moves = _("This row takes the turn of its office.") if turn.consumes else _("This row takes no turn.")
    return [*said, moves]


def rests_on(session: Session, assignment: TriageAssignment) -> Sequence[RotationTurn]:
    """Return the rows of the ledger that bear on a call, the oldest first: the last normal turn before it, what was
    written about its visit in its line, turns owed to its seat and made up, and its own."""
    turn = RotationTurn
    with crossing("triage"):
        first = session.scalar(select(func.min(turn.number)).where(turn.assignment_id == assignment.id))
        before = select(func.max(turn.number)).where(
            turn.line_id == assignment.line_id, turn.consumes, turn.number < (first or 0)
        )
        kinds = [TurnKind.RETURNED, TurnKind.MAKEUP]
        owed = (turn.seat_id == assignment.seat_id) & turn.kind.in_(kinds) & (turn.number <= (first or 0))
        bears = [turn.number == before.scalar_subquery(), turn.visit_id == assignment.visit_id]
        if assignment.seat_id is not None and assignment.method is TurnKind.MAKEUP:
            bears.append(owed)
        statement = select(turn).where(turn.line_id == assignment.line_id, or_(*bears)).order_by(turn.number)
        return session.scalars(statement.options(*(loader(turn, path) for path in EAGER))).all()


def why_json(session: Session, assignment: TriageAssignment) -> dict[str, Any]:
    """Return the answer for REST: sentences, the codes of the rules asked, the numbers of the rows in the ledger."""
    return {
        "sentences": why_assignment(session, assignment),
        "rules": list(dict.fromkeys(link["rule"] for link in assignment.why)),
        "rows": [
            {"id": row.id, "number": row.number, "kind": row.kind.value, "visit_id": row.visit_id,
             "employee_id": row.employee_id, "office_order": row.office_order, "rule": row.rule}
            for row in rests_on(session, assignment)
        ],
    }  # fmt: skip
