"""Carrying an import out: step by step, each row once, by the rules that screens follow.

A step is one transaction: it locks the batch, asks again which records stand, makes the others, writes down what
became of each row, and moves the batch on. Whoever carries it out next begins where the last step ended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from app.actors import Actor
from app.keyring import ring
from app.models.audit import ActRun
from app.models.base import described
from app.models.hr import Branch, Employee, EmployeeState
from app.models.imports import ImportBatch, ImportFinding, ImportRow, OnDuplicate, RowAction, Weight
from app.services.constraints import sentence_for
from app.services.imports.checking import Examination, Found, Link, keep_findings
from app.services.imports.kinds import BadRow, Row, Standing, judged
from app.services.plain import check_record
from app.services.runner import stored
from app.services.scope import in_scope
from app.services.settings import next_numbers
from app.words import force_locale

STEP = 200


def carry_rows(session: Session, batch: ImportBatch, exam: Examination, *, by: Actor, at: datetime) -> int:
    """Do the next rows of a batch that the caller has locked; return how many, 0 when all are done."""
    rows = exam.rows[batch.rows_done : batch.rows_done + STEP]
    if rows:
        _Step(session, batch, exam, by, at).do(rows)
        batch.rows_done += len(rows)
    return len(rows)


def carry_links(session: Session, batch: ImportBatch, exam: Examination, *, by: Actor, at: datetime) -> int:
    """Set the next references between rows that all stand by now; return how many, 0 when all are done."""
    links = exam.links[batch.links_done : batch.links_done + STEP]
    if links:
        _Step(session, batch, exam, by, at).link(links)
        batch.links_done += len(links)
    return len(links)


class _Step:
    """One transaction's worth of rows."""

    def __init__(self, session: Session, batch: ImportBatch, exam: Examination, by: Actor, at: datetime) -> None:
        self.session, self.batch, self.exam, self.by, self.at = session, batch, exam, by, at
        self.kind, self.known = exam.kind, exam.known
        self.pins = self.kind.pins(session, by)  # held so that checks find them in memory
        self.outcomes: dict[int, tuple[RowAction, int | None]] = {}
        self.history: list[tuple[Row, Any, str, list[str]]] = []
        self.found: list[Found] = []

    def do(self, rows: Sequence[Row]) -> None:
        good = [row for row in rows if not row.refused]
        leaving = self._naming_leavers(good)
        self.kind.lock(self.session, good, self.known, self.by)
        standing = self.kind.standing(self.session, good, self.known, self.by)
        choices = self._choices(list(standing))
        for row in rows:
            if row.refused:
                self.outcomes[row.row_no] = (RowAction.REFUSED, None)
            elif row.row_no in standing:
                choice = choices.get(row.row_no) or self.batch.on_duplicate
                self._meet(row, standing[row.row_no], choice, leaving.get(row.row_no))
            elif row.row_no in leaving:
                self._leave_out(row, leaving[row.row_no])
        self._make([row for row in good if row.row_no not in standing and row.row_no not in leaving])
        self._write_down()

    def _choices(self, row_nos: list[int]) -> dict[int, OnDuplicate | None]:
        chosen = select(ImportFinding.row_no, ImportFinding.choice).where(
            ImportFinding.batch_id == self.batch.id,
            ImportFinding.round == self.batch.round,
            ImportFinding.weight == Weight.DUPLICATE,
            ImportFinding.row_no.in_(row_nos),
        )
        return {row[0]: row[1] for row in self.session.execute(chosen)} if row_nos else {}

    def _naming_leavers(self, rows: Sequence[Row]) -> dict[int, BadRow]:
        """Return what refuses the rows that name a colleague who has left since they were read."""
        named = {(row.row_no, name): row.get(name) for row in rows for name in self.kind.employees if row.get(name)}
        if self.kind.model is Employee:
            numbers = {row.row_no for row in rows}
            named |= {
                (link.row_no, link.reference.field): link.to_id
                for link in self.exam.links
                if link.to_id is not None and link.row_no in numbers
            }
        gone = self._hold_named(set(named.values()))
        return {row_no: BadRow(name, "left", who=gone[key]) for (row_no, name), key in named.items() if key in gone}

    def _hold_named(self, ids: set[int]) -> dict[int, str]:
        """Keep colleagues as they are until the step ends; return the names of those who have left by now."""
        if not ids:
            return {}
        statement = select(Employee.id, Employee.name, Employee.state).where(Employee.id.in_(sorted(ids)))
        held = self.session.execute(statement.order_by(Employee.id).with_for_update(read=True, key_share=True))
        return {key: name for key, name, state in held if state is not EmployeeState.ACTIVE}

    # --- rows whose record stands --------------------------------------------------------------------------------

    def _meet(self, row: Row, standing: Standing, choice: OnDuplicate, leaving: BadRow | None) -> None:
        """Skip, fill in or leave out a row whose record stands."""
        if choice is OnDuplicate.REFUSE:
            self.outcomes[row.row_no] = (RowAction.REFUSED, None)
        elif choice is OnDuplicate.SKIP or not standing.may_fill:
            self.outcomes[row.row_no] = (RowAction.SKIPPED, standing.record_id if standing.may_fill else None)
        elif leaving is not None:
            self._leave_out(row, leaving)
        else:
            self._fill(row, standing.record_id)

    def _fill(self, row: Row, record_id: int) -> None:
        model: Any = self.kind.model
        statement = in_scope(model, self.by).where(model.id == record_id).with_for_update(of=model)
        record = self.session.scalars(statement.execution_options(populate_existing=True)).one_or_none()
        if record is None:
            self.outcomes[row.row_no] = (RowAction.SKIPPED, None)
            return
        try:
            with self.session.begin_nested():
                filled = self.kind.fill(self.session, record, row, self.known, self.by, self.at)
                judged(lambda: check_record(self.session, record, self.by), self._place)
                self.session.flush()
        except (BadRow, IntegrityError, DataError) as wrong:
            self._leave_out(row, wrong)
            return
        self.outcomes[row.row_no] = (RowAction.UPDATED if filled else RowAction.SKIPPED, record_id)
        if filled:
            self.history.append((row, record, "import_fill", filled))

    # --- new records ---------------------------------------------------------------------------------------------

    def _make(self, rows: Sequence[Row]) -> None:
        """Make records of rows; if the schema refuses one of them, find it by making them one by one."""
        try:
            with self.session.begin_nested():
                made = self._add(rows)
        except (IntegrityError, DataError):
            made = {}
            for row in rows:
                try:
                    with self.session.begin_nested():
                        made.update(self._add([row]))
                except (IntegrityError, DataError) as wrong:
                    self._leave_out(row, wrong)
        for row in rows:
            if row.row_no in made:
                self.outcomes[row.row_no] = (RowAction.MADE, made[row.row_no].id)
                self.history.append((row, made[row.row_no], "import", []))

    def _add(self, rows: Sequence[Row]) -> dict[int, Any]:
        numbers = self._numbers(rows)
        made: dict[int, Any] = {}
        with self.session.no_autoflush:
            for row in rows:
                record = self.kind.new(self.session, row, numbers.get(row.row_no), self.known, self.by, self.at)
                try:
                    judged(lambda record=record: check_record(self.session, record, self.by), self._place)  # type: ignore[misc]
                except BadRow as wrong:
                    self._leave_out(row, wrong)
                    continue
                self.session.add_all([record, *self.kind.beside(record, self.by)])
                made[row.row_no] = record
        self.session.flush()
        return made

    def _numbers(self, rows: Sequence[Row]) -> dict[int, str]:
        """Return a number for each row, in blocks: the counter moves once, or once for each day of contact."""
        if not self.kind.numbers or not rows:
            return {}
        by_day: dict[Any, list[Row]] = defaultdict(list)
        for row in rows:
            day = row.get("contacted_at")
            by_day[None if day is None else day.astimezone(self.by.timezone).date()].append(row)
        branch = self.session.get_one(Branch, self.by.branch_id)
        numbers: dict[int, str] = {}
        for _day, those in sorted(by_day.items(), key=lambda pair: str(pair[0])):
            block = next_numbers(
                self.session,
                self.kind.numbers,
                len(those),
                branch=branch,
                at=those[0].get("contacted_at") or self.at,
                zone=self.by.timezone,
            )
            numbers.update(zip((row.row_no for row in those), block, strict=True))
        return numbers

    def _place(self, attribute: str) -> str | None:
        """Return the column of the file that fills a record's column."""
        for column in self.kind.columns:
            if attribute in (column.attribute, column.field):
                return column.field
        return next((each.field for each in self.kind.references if each.attribute == attribute), None)

    def _leave_out(self, row: Row, wrong: Exception) -> None:
        self.outcomes[row.row_no] = (RowAction.REFUSED, None)
        self.found.append(self._finding(row.row_no, wrong, Weight.REFUSED))

    def _finding(self, row_no: int, wrong: Exception, weight: Weight) -> Found:
        if isinstance(wrong, BadRow):
            return Found(row_no, wrong.field, wrong.rule, wrong.facts, weight)
        if isinstance(wrong, IntegrityError):
            return Found(row_no, None, "said", _both(lambda: sentence_for(wrong)), weight)
        return Found(row_no, None, "not_text", {}, weight)

    # --- references ----------------------------------------------------------------------------------------------

    def link(self, links: Sequence[Link]) -> None:
        """Set references; one that a rule forbids by now stays away, and a finding says so."""
        numbers = {link.row_no for link in links} | {link.to_row for link in links if link.to_row is not None}
        lines = select(ImportRow.row_no, ImportRow.action, ImportRow.record_id).where(
            ImportRow.batch_id == self.batch.id, ImportRow.row_no.in_(sorted(numbers))
        )
        became = {row_no: (action, key) for row_no, action, key in self.session.execute(lines)}
        wanted = [link for link in links if became[link.row_no][0] in (RowAction.MADE, RowAction.UPDATED)]
        model: Any = self.kind.model
        keys = sorted({key for link in wanted if (key := became[link.row_no][1]) is not None})
        statement = in_scope(model, self.by).where(model.id.in_(keys)).order_by(model.id).with_for_update(of=model)
        on_file = {link.to_id for link in wanted if link.to_id is not None}
        gone = self._hold_named(on_file) if model is Employee else {}
        records = {record.id: record for record in self.session.scalars(statement)}
        for link in wanted:
            target = link.to_id if link.to_row is None else became[link.to_row][1]
            record = records.get(became[link.row_no][1] or 0)
            if record is None or getattr(record, link.reference.attribute) is not None:
                continue
            if target in gone:
                self.found.append(
                    Found(link.row_no, link.reference.field, "left", {"who": gone[target]}, Weight.WARNING)
                )
                continue
            self._set(link, record, target)
        keep_findings(self.session, self.batch, self.exam, self.found)

    def _set(self, link: Link, record: Any, target: int | None) -> None:
        if target is None:
            self.found.append(
                Found(link.row_no, link.reference.field, "refers_refused", {"row": link.to_row}, Weight.WARNING)
            )
            return
        try:
            with self.session.begin_nested():
                setattr(record, link.reference.attribute, target)
                judged(lambda: check_record(self.session, record, self.by), self._place)
                self.session.flush()
        except BadRow as wrong:
            told = {**wrong.facts} if "zh" in wrong.facts else {"zh": "", "en": ""}
            self.found.append(Found(link.row_no, link.reference.field, "link_left", told, Weight.WARNING))
        except (IntegrityError, DataError) as wrong:
            found = self._finding(link.row_no, wrong, Weight.WARNING)
            self.found.append(Found(link.row_no, link.reference.field, "link_left", found.facts, Weight.WARNING))

    # --- what became of them -------------------------------------------------------------------------------------

    def _write_down(self) -> None:
        """Keep what became of each row, the history of each record, and the counts."""
        table = self.kind.model.__tablename__
        lines = [
            {
                "batch_id": self.batch.id,
                "row_no": row_no,
                "action": action,
                "table_name": table if key is not None else None,
                "record_id": key,
            }
            for row_no, (action, key) in self.outcomes.items()
        ]
        if lines:
            self.session.execute(insert(ImportRow), lines)
        entries = [self._entry(*each) for each in self.history]
        if entries:
            self.session.execute(insert(ActRun), entries)
        keep_findings(self.session, self.batch, self.exam, self.found)
        actions = [action for action, _key in self.outcomes.values()]
        self.batch.rows_made += actions.count(RowAction.MADE)
        self.batch.rows_updated += actions.count(RowAction.UPDATED)
        self.batch.rows_skipped += actions.count(RowAction.SKIPPED)
        self.batch.rows_left_out += actions.count(RowAction.REFUSED)

    def _entry(self, row: Row, record: Any, act: str, filled: list[str]) -> dict[str, Any]:
        """Return the history entry of a record; a row has one for ever, so that it is never written twice."""
        model = self.kind.model
        attributes = self.kind.attributes(row, self.known, self.by)
        kept = {}
        for name in filled or attributes:
            column = described(getattr(model, name, None))
            if column is not None and name in attributes:
                kept[name] = "***" if column.sensitive else stored(attributes[name])
        return {
            "actor": self.by.name,
            "request_key": f"import:{self.batch.id}:{row.row_no}",
            "table_name": model.__tablename__,
            "record_id": record.id,
            "act": act,
            "inputs": kept,
            "inputs_hash": ring().digest("inputs", f"import:{self.batch.id}:{row.row_no}"),
            "result_table": "import_batch",
            "result_id": self.batch.id,
            "employee_id": self.by.employee_id,
            "branch_id": self.by.branch_id,
            "occurred_at": self.at,
        }


def _both(sentence: Any) -> dict[str, str]:
    found = {}
    for locale in ("zh", "en"):
        with force_locale(locale):
            found[locale] = str(sentence())
    return found
