"""Rows of somebody else in every table, made from the declarations alone, so that a new table is covered by itself.

Every text of such a row bears a word that no one but its owner may ever see.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Date, Integer, Numeric, String, Time, func, inspect, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.base import METADATA, Base, Choice, Encrypted, EncryptedJson, Instant, models
from app.models.hr import Employee
from app.panel.security import known_rights
from app.services.scope import in_scope

#: Tables whose rows cannot be made without their flow; what the flow makes is tested with the flow.
NOT_MADE = {"customer_merge_log"}
#: Columns that a guess would break: left to their default.
LEFT_OUT = {"customer.search_terms", "customer.merged_into_id", "customer.referrer_customer_id", "customer.birth_year"}
#: A rule's plan has an occasion, a person's has none.
LEFT_OUT |= {"followup_plan.occasion", "followup_plan.trigger"}


#: What a column needs that no declaration says: a value, or the table of a row to point to.
NOW = datetime.now(UTC)
GIVEN: dict[str, Any] = {
    "api_key.expires_at": NOW + timedelta(days=1),
    "api_key.rights": ["customer.list"],
    "service_desk.code": "CANARY",
    "reception_form_run.count": 1,
    "reception_form_run.first_no": "CANARY1",
    "reception_form_run.last_no": "CANARY2",
    "rotation_turn.kind": "normal",
    "rotation_turn.seat_id": "rotation_seat",
    "rotation_turn.consumes": True,
    "rotation_turn.number": 1,
    "rotation_turn.office_order": 1,
    "appointment_supplement_request.evidence_kinds": ["other"],
    "appointment_supplement_request.contact_record_id": "contact_record",
    "report_subscription.weekdays": ["1"],
    "followup_plan.customer_id": "customer",
    "phone_call.customer_id": "customer",
    "phone_system.timeout_seconds": 5,
    "phone_system.state": "retired",
    "followup_plan.submitter_id": "employee",
    "followup_cover.cover_id": "employee",
    "shift_handover.to_id": "employee",
}
PLAIN: dict[type[Any], Any] = {Boolean: False, Date: date(2026, 11, 1), Time: time(9), Integer: 1, Numeric: Decimal(1)}


@dataclass
class Canaries:
    """What was made: the rows by table, and the word that stands in all their texts, before a small letter."""

    word: str
    rows: dict[str, int] = field(default_factory=dict)
    #: What stands in a text instead of the word, by the column's name and its length, if it has one.
    text: Callable[[str, int | None], str] | None = None

    def unseen_by(self, session: Session, by: Actor) -> dict[str, int]:
        """Return the rows that an actor's scope leaves out, asked of ``in_scope`` alone."""
        hidden = {}
        for table, key in self.rows.items():
            model = models()[table]
            if session.scalar(in_scope(model, by).with_only_columns(model.id).where(model.id == key)) is None:
                hidden[table] = key
        return hidden

    def leaks_in(self, text: str, seen: Iterable[str] = ()) -> bool:
        """Say whether a text tells of one of these rows; what was searched for stands there by itself.

        Rows of the tables ``seen`` may be told of: a list's filter names the departments that one may see.
        """
        for table in seen:
            text = re.sub(rf"{self.word}{table}(?!_)", "", text)
        return re.search(rf"{self.word}[a-z]", text) is not None


def scoped_models() -> dict[str, type[Base]]:
    """Return the tables of the house whose rows belong to somebody, parents before children."""
    order = {table.name: place for place, table in enumerate(METADATA.sorted_tables)}
    found = {
        name: model
        for name, model in models().items()
        if model.SCOPE is not None and not model.SCOPE.shared and model.__module__.startswith("app.")
    }
    return dict(sorted(found.items(), key=lambda pair: order[pair[0]]))


def make_canaries(
    session: Session,
    owner: Employee,
    word: str,
    *,
    of: Mapping[str, type[Base]] | None = None,
    text: Callable[[str, int | None], str] | None = None,
) -> Canaries:
    """Make a row of an employee's in every scoped table, or in those named, that can be made without its flow.

    A login has one row in some tables: there hers that stands is the canary.
    """
    made = Canaries(word, text=text)
    hers = {"branch": owner.branch_id, "department": owner.department_id, "employee": owner.id}
    hers["ab_user"] = owner.user_id or 0
    for name, model in (of or scoped_models()).items():
        if name in NOT_MADE:
            continue
        # First with a word in every text that it may bear, then with what it must have alone.
        for everything in (True, False):
            row = _row(session, model, made, hers, everything)
            if row is not None:
                made.rows[name] = row
                break
        else:
            standing = _standing(session, model, hers["ab_user"])
            if standing is not None:
                made.rows[name] = standing
    return made


def _standing(session: Session, model: Any, user_id: int) -> int | None:
    """Return the one row that a login has in a table where it can have no second one."""
    column = model.__table__.columns.get("user_id")
    return None if column is None or not column.unique else session.scalar(select(model.id).where(column == user_id))


def _row(session: Session, model: type[Base], made: Canaries, hers: dict[str, int], everything: bool) -> int | None:
    values: dict[str, Any] = {}
    scope: Any = model.SCOPE
    belongs = {scope.branch, scope.department, *scope.own[:1]}
    for attribute in inspect(model).column_attrs:
        column, named = attribute.columns[0], f"{model.__tablename__}.{attribute.key}"
        if not hasattr(column, "nullable") or column.primary_key or named in LEFT_OUT:
            continue
        has_default = column.default is not None or column.server_default is not None
        wanted = attribute.key in belongs or named in GIVEN or (everything and _is_text(column)) or not column.nullable
        if wanted and not (has_default and attribute.key not in belongs and named not in GIVEN):
            values[attribute.key] = _value(session, named, column, made, hers)
    try:
        with session.begin_nested():
            record: Any = model(**values)
            session.add(record)
            session.flush()
    except (DBAPIError, ValueError, TypeError, AttributeError):
        return None
    key: int = record.id
    return key


def _is_text(column: Any) -> bool:
    return not column.foreign_keys and isinstance(column.type, Encrypted | String) and not column.unique


def _value(session: Session, named: str, column: Any, made: Canaries, hers: dict[str, int]) -> Any:
    given, kind = GIVEN.get(named), column.type
    if given is not None:
        return made.rows.get(given) if isinstance(given, str) and given in METADATA.tables else given
    if column.foreign_keys:
        target = next(iter(column.foreign_keys)).column.table.name
        known = {**made.rows, **hers}
        return known[target] if target in known else session.scalar(select(func.min(METADATA.tables[target].c.id)))
    if isinstance(kind, Choice):
        return next(iter(kind.options))
    if isinstance(kind, Instant):
        return NOW
    if isinstance(kind, JSONB | ARRAY):
        return {} if isinstance(kind, JSONB) else []
    for sort, value in PLAIN.items():
        if isinstance(kind, sort):
            return value
    if made.text is not None:
        said = made.text(named, getattr(kind, "length", None))
        return {"reason": said} if isinstance(kind, EncryptedJson) else said
    return f"{made.word}{named.replace('.', '')}"[: getattr(kind, "length", None) or 200]


def grant_everything(app: Any, session: Session, role: str) -> None:
    """Give a role every right there is, so that only the scope stands between its people and a row."""
    tables = {name: METADATA.tables[f"ab_{name}"] for name in ("role", "permission", "view_menu", "permission_view")}
    grants = METADATA.tables["ab_permission_view_role"]
    pair = tables["permission_view"]
    role_id = session.scalar(select(tables["role"].c.id).where(tables["role"].c.name == role))
    held = set(session.scalars(select(grants.c.permission_view_id).where(grants.c.role_id == role_id)))
    wanted = known_rights(app)
    rows = session.execute(
        select(pair.c.id, tables["view_menu"].c.name, tables["permission"].c.name)
        .join(tables["view_menu"], tables["view_menu"].c.id == pair.c.view_menu_id)
        .join(tables["permission"], tables["permission"].c.id == pair.c.permission_id)
    )
    absent = [key for key, view, name in rows if (view, name) in wanted and key not in held and name != "menu_access"]
    if absent:
        session.execute(grants.insert(), [{"permission_view_id": key, "role_id": role_id} for key in absent])
    session.commit()
