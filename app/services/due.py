"""Acts that fall due by themselves: what jobs do to every record whose time has come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from app.actors import house
from app.acts import REGISTRY, Act
from app.errors import Refusal
from app.models.base import models
from app.models.hr import Branch
from app.services.runner import run

#: Which records are due: one condition for all branches, or a function from the branch to its own.
Due = ColumnElement[bool] | Callable[[Branch], ColumnElement[bool]]


def carry_out_due(session: Session, key: str, due: Due, *, job: str, at: datetime) -> int:
    """Run an act such as ``appointment_slip.expire`` on every record that is due; return how many it was done to.

    As the house, under the job's name, branch by branch and in the order in which the house locks; of the records that
    are due, those in a state from which the act starts. What refuses, because somebody was there first, is passed by.
    """
    act = REGISTRY.find(*key.split("."))
    assert act is not None, key
    done = 0
    for branch in session.scalars(select(Branch).order_by(Branch.id)).all():
        by = house(f"job:{job}", branch_id=branch.id, zone=branch.zone)
        for record_id in session.scalars(_due(act, due, branch)).all():
            try:
                with session.begin_nested():
                    run(session, act, by=by, at=at, record_id=record_id, values={})
            except Refusal:
                continue
            done += 1
    return done


def _due(act: Act, due: Due, branch: Branch) -> Select[Any]:
    """Return the ids of a branch's records that are due, in the order of the locks: customer, then document."""
    model: Any = models()[act.table]
    assert model.SCOPE.branch is not None, f"{act.table} belongs to no branch"
    conditions = [getattr(model, model.SCOPE.branch) == branch.id, due(branch) if callable(due) else due]
    if act.moves is not None:
        conditions.append(model.state.in_(list(act.moves)))
    return select(model.id).where(*conditions).order_by(*_first(model), model.id)


def _first(model: Any) -> list[Any]:
    """Return the columns of a table's own by which its records are locked."""
    return [getattr(model, name) for name in model.LOCK_FIRST if "." not in name]
