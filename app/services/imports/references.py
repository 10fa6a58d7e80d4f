"""Rows that refer to rows, in any order: found by code, then by name; rings told; all in linear time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from app.actors import Actor
from app.services.imports.kinds import Reference, Row
from app.services.imports.values import SEVERAL, plain

if TYPE_CHECKING:
    from app.services.imports.checking import Examination


def resolve(session: Session, exam: Examination, by: Actor) -> None:
    """Resolve every reference of every row; refuse those that lead nowhere, to several, into a ring, or to a row
    that is refused itself."""
    by_code, by_name = _index(exam)
    for reference in exam.kind.references:
        _resolve_one(session, exam, reference, by_code, by_name, by)
        if reference.acyclic:
            _refuse_rings(exam, reference)
    _refuse_followers(exam)
    exam.links = [link for link in exam.links if not link_row(exam, link.row_no).refused]


def link_row(exam: Examination, row_no: int) -> Row:
    rows: dict[int, Row] = exam.known.more["rows"]
    return rows[row_no]


def _index(exam: Examination) -> tuple[dict[str, int], dict[str, int]]:
    """Return code -> row and name -> row; a name of several rows leads to SEVERAL."""
    exam.known.more["rows"] = {row.row_no: row for row in exam.rows}
    by_code: dict[str, int] = {}
    by_name: dict[str, int] = {}
    for row in exam.rows:
        codes, names = exam.kind.called(row)
        for code in filter(None, codes):
            by_code.setdefault(plain(code), row.row_no)
        for name in filter(None, names):
            by_name[plain(name)] = row.row_no if by_name.get(plain(name), row.row_no) == row.row_no else SEVERAL
    return by_code, by_name


def _resolve_one(
    session: Session,
    exam: Examination,
    reference: Reference,
    by_code: dict[str, int],
    by_name: dict[str, int],
    by: Actor,
) -> None:
    from app.services.imports.checking import Link, pieces

    bearing = [row for row in exam.good if row.get(reference.field)]
    for piece in pieces(bearing):
        on_file = exam.kind.on_file(session, [str(row.get(reference.field)) for row in piece], exam.known, by)
        for row in piece:
            name = str(row.get(reference.field))
            to_row, to_id = _where(plain(name), by_code, by_name, on_file)
            if to_row == row.row_no:
                exam.refuse(row, reference.field, "refers_self", name)
            elif SEVERAL in (to_row, to_id):
                exam.refuse(row, reference.field, "refers_several", name, name=exam.shown(reference.field, name))
            elif to_row is None and to_id is None:
                exam.refuse(row, reference.field, "refers_nobody", name, name=exam.shown(reference.field, name))
            else:
                exam.links.append(Link(row.row_no, reference, to_row, to_id))


def _where(
    name: str, by_code: dict[str, int], by_name: dict[str, int], on_file: dict[str, int]
) -> tuple[int | None, int | None]:
    """Return the row or the record that a name means: a code of the file, a record on file, a name of the file."""
    if name in by_code:
        return by_code[name], None
    if name in by_name and by_name[name] != SEVERAL and name not in on_file:
        return by_name[name], None
    if name in on_file:
        return None, on_file[name]
    return by_name.get(name), None


def _refuse_rings(exam: Examination, reference: Reference) -> None:
    """Refuse each row on a ring. Every row has at most one reference of a kind, so one walk colours them all."""
    leads = {link.row_no: link.to_row for link in exam.links if link.reference is reference and link.to_row is not None}
    seen: dict[int, int] = {}
    for start in leads:
        path: list[int] = []
        here: int | None = start
        while here is not None and here in leads and here not in seen:
            seen[here] = start
            path.append(here)
            here = leads[here]
        if here is not None and here in leads and seen.get(here) == start and here in path:
            ring = path[path.index(here) :]
            for row_no in ring:
                row = link_row(exam, row_no)
                exam.refuse(row, reference.field, "ring", row.get(reference.field), count=len(ring), row=leads[row_no])


def _refuse_followers(exam: Examination) -> None:
    """Refuse the rows that refer, over however many others, to a refused one."""
    followers: dict[int, list[tuple[int, Reference]]] = {}
    for link in exam.links:
        if link.to_row is not None:
            followers.setdefault(link.to_row, []).append((link.row_no, link.reference))
    waiting = [row.row_no for row in exam.rows if row.refused]
    while waiting:
        refused = waiting.pop()
        for row_no, reference in followers.get(refused, []):
            row = link_row(exam, row_no)
            if not row.refused:
                exam.refuse(row, reference.field, "refers_refused", row.get(reference.field), row=refused)
                waiting.append(row_no)
