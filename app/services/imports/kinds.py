"""What can be imported: each kind declares its columns, what makes two rows the same, and how a row becomes a record.

A kind never goes around a rule: its records pass the checks that screens pass (``services.plain``), its numbers and
references those of the area that owns them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import InvalidInput, Refusal
from app.models.base import Base
from app.models.imports import ImportOf
from app.models.settings import Dictionary, DictionaryItem, ItemState
from app.services.imports.reading import normal_header
from app.services.imports.values import Known, Reader, index_names
from app.services.scope import in_scope
from app.words import _, force_locale


@dataclass(frozen=True)
class ImportColumn:
    """A field that a file's column may fill. ``aliases`` are headers that mean it, separated by blanks; ``attribute``
    is the record's column where it is not ``field``. ``example`` and ``note`` stand in the template."""

    field: str
    label: object
    read: Reader
    aliases: str = ""
    required: bool = False
    sensitive: bool = False
    attribute: str = ""
    example: str = ""
    note: object = ""


@dataclass(frozen=True)
class Reference:
    """A column that names another row of the file or a record on file. ``acyclic``: a ring of them makes no sense."""

    field: str
    attribute: str
    acyclic: bool


@dataclass
class Row:
    """A row as read: values by field. ``links`` are its references once resolved."""

    row_no: int
    values: dict[str, Any]
    refused: bool = False

    def get(self, name: str) -> Any:
        return self.values.get(name)


class BadRow(Exception):
    """A row that a rule refuses; ``field`` names the column that caused it, if one did."""

    def __init__(self, field: str | None, rule: str, **facts: Any) -> None:
        super().__init__(rule)
        self.field, self.rule, self.facts = field, rule, facts


@dataclass(frozen=True)
class Standing:
    """The record that a row would double. ``may_fill``: the reader sees it, so it may be filled in."""

    table: str
    record_id: int
    field: str
    rule: str = "stands"
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    may_fill: bool = True


class ImportKind:
    """One kind of import; subclasses fill in what is theirs."""

    name: ClassVar[ImportOf]
    model: ClassVar[type[Base]]
    columns: ClassVar[tuple[ImportColumn, ...]]
    references: ClassVar[tuple[Reference, ...]] = ()
    #: The columns that name an employee on file; references to employees are found by their model.
    employees: ClassVar[tuple[str, ...]] = ()
    #: The document type whose numbers the records get, where they have one.
    numbers: ClassVar[str] = ""

    @property
    def right(self) -> tuple[str, str]:
        """The right that importing needs: ``import`` on the table."""
        return self.model.__tablename__, "can_import"

    def column(self, name: str) -> ImportColumn:
        return next(column for column in self.columns if column.field == name)

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(column.field for column in self.columns)

    def aliases(self) -> dict[str, str]:
        """Return plain header -> field: the aliases, the field's name, its label in both languages."""
        found: dict[str, str] = {}
        for column in self.columns:
            labels = []
            for locale in ("zh", "en"):
                with force_locale(locale):
                    labels.append(str(column.label))
            for word in (*column.aliases.split(), column.field, *labels):
                found.setdefault(normal_header(word), column.field)
        return found

    # --- before the rows ---------------------------------------------------------------------------------------

    def prepare(self, session: Session, by: Actor, at: datetime) -> Known:
        """Return what the cells are read against."""
        return Known(zone=by.timezone, now=at)

    # --- one row -----------------------------------------------------------------------------------------------

    def judge(self, session: Session, row: Row, known: Known, by: Actor) -> None:
        """Raise ``BadRow`` for what a row says as a whole."""

    def keys(self, row: Row, known: Known) -> list[tuple[str, object]]:
        """Return (field, value) of what no two rows may share."""
        return []

    def title(self, row: Row) -> str:
        """Return how a row is called beside its duplicate."""
        return str(row.get("name") or row.get("code") or "")

    def called(self, row: Row) -> tuple[list[object], list[object]]:
        """Return by which codes, then by which names other rows may refer to a row."""
        return [row.get("code")], [row.get("name")]

    # --- rows against what stands ------------------------------------------------------------------------------

    def lock(self, session: Session, rows: Sequence[Row], known: Known, by: Actor) -> None:
        """Serialise with whoever registers the same at this moment."""
        lock_all(session, [f"import:{self.model.__tablename__}"])

    def standing(self, session: Session, rows: Sequence[Row], known: Known, by: Actor) -> dict[int, Standing]:
        """Return the records that rows would double, by row number."""
        return {}

    def remarks(
        self, session: Session, rows: Sequence[Row], known: Known, by: Actor
    ) -> list[tuple[int, str, str, dict[str, Any]]]:
        """Return (row number, field, rule, facts) of what a reader should know and nothing refuses."""
        return []

    def on_file(self, session: Session, names: Iterable[str], known: Known, by: Actor) -> dict[str, int]:
        """Return plain name -> id of records that references may name, in scope."""
        return known.names.get(self.model.__tablename__, {})

    # --- writing -----------------------------------------------------------------------------------------------

    def attributes(self, row: Row, known: Known, by: Actor) -> dict[str, Any]:
        """Return the record's columns that a row fills; references are set afterwards."""
        linked = {reference.field for reference in self.references}
        return {
            column.attribute or column.field: row.get(column.field)
            for column in self.columns
            if column.field not in linked and row.get(column.field) is not None
        }

    def new(self, session: Session, row: Row, number: str | None, known: Known, by: Actor, at: datetime) -> Any:
        """Return a record made of a row, not added to the session yet."""
        return self.model(**self.attributes(row, known, by))

    def beside(self, record: Any, by: Actor) -> list[Any]:
        """Return what is written beside a new record."""
        return []

    def fill(self, session: Session, record: Any, row: Row, known: Known, by: Actor, at: datetime) -> list[str]:
        """Fill in what is empty in a record; return the names of the columns filled."""
        filled = []
        for name, value in self.attributes(row, known, by).items():
            if getattr(record, name) is None:
                setattr(record, name, value)
                filled.append(name)
        return filled

    def pins(self, session: Session, by: Actor) -> list[Any]:
        """Return rows that a step's checks read again and again, to be held in memory while it lasts."""
        return []


def lock_all(session: Session, words: Iterable[str]) -> None:
    """Take transaction locks on words, in one order, so that two who import never wait for each other in a ring."""
    digests = sorted(set(words))
    if digests:
        session.execute(
            text(
                "select count(pg_advisory_xact_lock(hashtextextended(word, 0)))"
                " from (select word from unnest(cast(:words as text[])) as word order by word) as ordered"
            ),
            {"words": digests},
        )


def judged(check: Callable[[], None], field_of: Callable[[str], str | None]) -> None:
    """Run a rule of the house and turn what it refuses into ``BadRow``, said in both languages."""
    wrong: dict[str, str] = {}
    place: str | None = None
    for locale in ("zh", "en"):
        with force_locale(locale):
            try:
                check()
            except InvalidInput as refused:
                name = next(iter(refused.errors))
                place, wrong[locale] = field_of(name), " ".join(refused.errors[name])
            except Refusal as refused:
                place, wrong[locale] = field_of(refused.field or ""), refused.sentence
            else:
                return
    raise BadRow(place, "said", **wrong)


def names_in_scope(
    session: Session, model: type[Base], by: Actor, *columns: str, branch: bool = True
) -> dict[str, int]:
    """Return plain name -> id of the records that forms offer, of one's own branch."""
    chosen: Any = model
    statement = in_scope(model, by)
    offered = chosen.offered()
    if offered is not None:
        statement = statement.where(offered)
    if branch:
        statement = statement.where(chosen.branch_id == by.branch_id)
    found = session.execute(statement.with_only_columns(chosen.id, *(getattr(chosen, name) for name in columns)))
    return index_names((row[0], row[1:]) for row in found)


def know_items(session: Session, known: Known, *dictionaries: str) -> None:
    """Prepare the items in use of some dictionaries, and the dictionaries' names."""
    known.more["dictionaries"] = {}
    for dictionary in session.scalars(select(Dictionary).where(Dictionary.code.in_(dictionaries))):
        known.more["dictionaries"][dictionary.code] = {"zh": dictionary.name, "en": dictionary.name_en}
        items = session.scalars(
            select(DictionaryItem)
            .where(DictionaryItem.dictionary_id == dictionary.id, DictionaryItem.state == ItemState.IN_USE)
            .order_by(DictionaryItem.position)
        ).all()
        known.names[f"dictionary:{dictionary.code}"] = index_names(
            (each.id, (each.code, each.name, each.name_en)) for each in items
        )
        known.more[f"codes:{dictionary.code}"] = {each.code: each.id for each in items}


def standing_by(
    session: Session, model: type[Base], column: str, rows: Sequence[Row], field_name: str, by: Actor, *, branch: bool
) -> dict[int, Standing]:
    """Return the records that bear a row's code, by row number; those out of scope are not named."""
    chosen: Any = model
    wanted = {str(row.get(field_name)): row.row_no for row in rows if row.get(field_name)}
    statement = select(chosen.id, getattr(chosen, column)).where(getattr(chosen, column).in_(sorted(wanted)))
    if branch:
        statement = statement.where(chosen.branch_id == by.branch_id)
    pairs = session.execute(statement).all()
    seen = {
        record.id: str(record)
        for record in session.scalars(in_scope(model, by).where(chosen.id.in_([key for key, _code in pairs])))
    }
    table = model.__tablename__
    return {
        wanted[code]: Standing(table, key, field_name, "stands", {"record": f"{code} {seen[key]}"})
        if key in seen
        else Standing(table, key, field_name, "stands_apart", may_fill=False)
        for key, code in pairs
    }


KINDS: dict[ImportOf, ImportKind] = {}


def import_kind(kind: type[ImportKind]) -> type[ImportKind]:
    """Declare a kind of import."""
    KINDS[kind.name] = kind()
    return kind


def kind_of(name: ImportOf, by: Actor) -> ImportKind:
    """Return a kind that this person may import; refuses others."""
    kind = KINDS[name]
    if not by.may(*kind.right):
        raise Refusal(_("You may not import %(what)s.", what=name.label), field="kind")
    return kind
