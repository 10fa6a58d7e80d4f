"""Notices: what happened to one's work while one looked elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.models.audit import Notice
from app.words import _, _l

#: The sentence of each kind; facts fill it when it is read, in the reader's language.
KINDS: dict[str, object] = {
    "slip_handed_over": _l("%(by)s handed your slip %(old)s of %(customer)s to %(owner)s (now %(new)s)."),
    "slip_received": _l("%(by)s handed you the slip %(new)s of %(customer)s."),
    "slip_arrived": _l("%(customer)s has arrived (slip %(slip)s)."),
    "arrival_undone": _l("%(by)s took back the arrival of %(customer)s (slip %(slip)s): %(reason)s"),
    "slip_voided": _l("%(by)s voided your slip %(slip)s of %(customer)s: %(reason)s"),
    "handover_received": _l("%(leaver)s has left: %(count)s records are yours now (%(by)s)."),
    "supplement_waits": _l("%(by)s asks for a supplementary slip for %(customer)s (%(request)s). Please decide."),
    "supplement_approved": _l(
        "%(by)s approved the supplementary slip for %(customer)s (%(request)s); the IT manager makes the slip."
    ),
    "supplement_rejected": _l("%(by)s rejected the supplementary slip for %(customer)s (%(request)s): %(reason)s"),
    "supplement_executed": _l("%(by)s made the supplementary slip %(slip)s of %(customer)s (%(request)s)."),
    "supplement_took": _l(
        "By the supplementary slip %(request)s, %(customer)s is now a customer of %(owner)s and no longer yours."
    ),
    "slip_expired": _l("The slip %(slip)s of %(customer)s has lapsed."),
    "customer_given_away": _l("%(by)s handed your customer %(customer)s to %(owner)s: %(reason)s"),
    "customer_received": _l("%(by)s handed you the customer %(customer)s: %(reason)s"),
    "customer_merged": _l("The file %(merged)s was merged into %(kept)s of %(customer)s."),
    "merge_rejected": _l("%(by)s rejected the merge of %(merged)s into %(kept)s: %(reason)s"),
    "login_opened": _l("%(by)s opened a login for you."),
    "roles_changed": _l("%(by)s changed the roles of your login."),
    "password_reset": _l("%(by)s set a new password for your login. If you did not ask for it, tell an administrator."),
    "reset_code_handed_out": _l(
        "%(by)s handed out a code for a new password of your login. If you did not ask for it, tell an administrator."
    ),
    "second_factor_reset": _l(
        "%(by)s took the second factor of your login away. If you did not ask for it, tell an administrator."
    ),
    "sessions_ended": _l("%(by)s ended all sessions of your login."),
    "task_done": _l("Finished in the background: %(task_kind)s."),
    "backup_late": _l("No good backup since %(last)s. Please see under jobs why."),
    "changes_late": _l("Changes have not been copied into the backups since %(until)s. Please look after it."),
    "disk_nearly_full": _l("The disk is nearly full: %(free)s GB are left. A full disk stops the database."),
    "task_failed": _l("Failed in the background: %(task_kind)s. Open it to see why."),
}

#: Facts that are kept as a code and become words when they are read: fact -> function (code) to words.
FACT_WORDS: dict[str, Callable[[str], str]] = {}


def tell(session: Session, employee_id: int | None, kind: str, record: Any, **facts: str) -> None:
    """Leave a notice for an employee about a record; nobody is told nothing."""
    if employee_id is None:
        return
    if kind not in KINDS:
        raise ValueError(f"unknown notice {kind}")
    session.add(
        Notice(employee_id=employee_id, kind=kind, facts=facts, table_name=record.__tablename__, record_id=record.id)
    )


def sentence(notice: Notice) -> str:
    """Return a notice in the reader's language; one of a kind that this version does not know by its kind alone."""
    if notice.kind not in KINDS:
        return notice.kind
    facts = {name: FACT_WORDS[name](fact) if name in FACT_WORDS else fact for name, fact in notice.facts.items()}
    return str(KINDS[notice.kind]) % facts


def unread_count(session: Session, employee_id: int) -> int:
    """Return how many notices of an employee are unread."""
    return session.scalar(select(func.count()).where(Notice.employee_id == employee_id, Notice.read_at.is_(None))) or 0


def _unread(notice: Notice, by: Actor) -> object | None:
    return _("This notice is read already.") if notice.read_at is not None else None


@act(Notice, "mark_read", _l("Mark as read"), guard=_unread, icon="check2", many=True)
def mark_read(session: Session, notice: Notice, *, by: Actor, at: datetime) -> None:
    """Mark a notice of one's own as read."""
    notice.read_at = at


def mark_all_read(session: Session, employee_id: int, at: datetime) -> None:
    """Mark every notice of an employee as read."""
    session.execute(
        update(Notice).where(Notice.employee_id == employee_id, Notice.read_at.is_(None)).values(read_at=at)
    )
