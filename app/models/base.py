"""What every table shares: column declarations, mixins, types, states, scope.

A column carries its label, hint, sensitivity and search role in ``info`` (``col``); forms, filters, REST and
the catalogue read them from there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from flask_appbuilder import Model
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    Numeric,
    String,
    Text,
    TypeDecorator,
    event,
    func,
    inspect,
)
from sqlalchemy.orm import Mapped, Session, declared_attr, mapped_column

from app.errors import IllegalMove
from app.keyring import InvalidToken, is_sealed, ring
from app.words import _, _l

#: Set on Flask-AppBuilder's metadata before its own tables are declared, so that they are named by it too.
NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
METADATA: MetaData = Model.metadata
METADATA.naming_convention = NAMING


@dataclass(frozen=True)
class Column:
    """What the panel must know of a column. ``sensitive`` values are masked wherever they are shown;
    ``search`` columns answer the list's search box; ``dictionary`` names the dictionary behind a foreign key;
    ``options`` are what a text is chosen from, shown by their label (what else stands is shown as it is); ``right``
    names what seeing it needs: ``salary`` is ``can_see_salary`` on its table."""

    label: object
    hint: object = ""
    sensitive: bool = False
    search: bool = False
    dictionary: str = ""
    multiline: bool = False
    only: str = ""
    options: type[StrEnum] | None = None
    right: str = ""

    @property
    def permission(self) -> str:
        """What seeing this column needs."""
        return f"can_see_{self.right}"


def col(label: object, hint: object = "", **role: Any) -> dict[str, Any]:
    """Return a column's ``info``."""
    return {"col": Column(label, hint, **role)}


def described(attribute: Any) -> Column | None:
    """Return the declaration of a mapped attribute, if it has one."""
    found: Column | None = getattr(attribute, "info", {}).get("col")
    return found


class Instant(TypeDecorator[datetime]):
    """A point in time, ``timestamptz``. Naive values are refused; what is read is aware, UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True
    python_type = datetime

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a naive datetime is no instant")
        return value

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return None if value is None else value.astimezone(UTC)


class Encrypted(TypeDecorator[str]):
    """Text encrypted at rest with the house's key ring; unreadable text says so instead of failing a page."""

    impl = Text
    cache_ok = True
    python_type = str

    def __init__(self, most: int | None = None) -> None:
        super().__init__()
        self.most = most  # characters that a form takes; the token is longer

    def copy(self, **_kw: Any) -> Encrypted:
        return Encrypted(self.most)

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else ring().encrypt(value)

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        if value is None or not is_sealed(value):
            return value
        try:
            return ring().decrypt(value)
        except InvalidToken:
            return _("(cannot be decrypted: a key is missing)")


class EncryptedJson(TypeDecorator[Any]):
    """A JSON value encrypted at rest as a whole: what stands inside is not for SQL. Unreadable ones are empty."""

    impl = Text
    cache_ok = True
    python_type = dict

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else ring().encrypt(json.dumps(value, ensure_ascii=False))

    def process_result_value(self, value: str | None, dialect: Any) -> Any:
        if value is None:
            return None
        try:
            return json.loads(ring().decrypt(value) if is_sealed(value) else value)
        except InvalidToken:
            return {}


#: The two types whose stored form is a token of the key ring.
SEALED_TYPES = (Encrypted, EncryptedJson)


class Choice(TypeDecorator[Any]):
    """A member of a ``StrEnum``, stored as its value; pair it with ``one_of`` for the CHECK constraint."""

    impl = String
    cache_ok = True
    python_type = str

    def __init__(self, options: type[StrEnum]) -> None:
        super().__init__(40)
        self.options = options

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else self.options(value).value

    def process_result_value(self, value: str | None, dialect: Any) -> Any:
        return None if value is None else self.options(value)

    def copy(self, **_kw: Any) -> Choice:
        return Choice(self.options)


def one_of(column: str, options: type[StrEnum]) -> CheckConstraint:
    """Return the CHECK that a text column holds a member's value."""
    values = ", ".join(f"'{member.value}'" for member in options)
    return CheckConstraint(f"{column} IN ({values})", name=f"{column}_known")


class Labelled(StrEnum):
    """An enumeration whose members have a label in the reader's language and, for states, a tone."""

    @property
    def label(self) -> object:
        return type(self).labels()[self]

    @classmethod
    def labels(cls) -> Mapping[Any, object]:
        raise NotImplementedError

    @classmethod
    def tones(cls) -> Mapping[Any, str]:
        """Return member -> one of info, ok, warn, bad, mute; colour never stands alone, the label is there too."""
        return {}

    @property
    def tone(self) -> str:
        return type(self).tones().get(self, "mute")


MONEY = Numeric(12, 2)


class Base(Model):
    """The ancestor of every table of ours."""

    __abstract__ = True
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: Instant(), str: Text()}

    #: How rows are scoped; see ``Scope``. A model that does not say fails at start.
    SCOPE: ClassVar[Scope | None] = None
    #: Columns locked before the row itself, in the house's order: customer, then document, then account; a parent's by
    #: its relationship, such as ``visit.customer_id``.
    LOCK_FIRST: ClassVar[tuple[str, ...]] = ()
    #: Properties that REST tells beside the declared columns.
    ALSO_TOLD: ClassVar[tuple[str, ...]] = ()
    #: Columns and properties that REST tells of one record, but not in lists: too long there.
    TOLD_ALONE: ClassVar[tuple[str, ...]] = ()
    #: Columns that the trail never holds: secrets, signs of life, progress, what is derived from other columns.
    UNTRAILED: ClassVar[tuple[str, ...]] = ()
    #: Rows are never changed nor deleted; ``UNTIL_COMMIT``: the transaction that made one may still complete it.
    APPEND_ONLY: ClassVar[bool] = False
    UNTIL_COMMIT: ClassVar[bool] = False
    #: The trail of it is kept as long as the record: it is, or belongs to, a medical record. White paper H.2.
    TRAIL_WITH_RECORD: ClassVar[bool] = False
    #: The name of the table for people, singular and plural.
    TITLE: ClassVar[object] = ""
    TITLES: ClassVar[object] = ""

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)

    @classmethod
    def offered(cls) -> Any:
        """Return the condition under which forms offer a row for choosing; None: always."""
        return None

    @property
    def option_hint(self) -> str:
        """What tells two rows of the same name apart when one chooses."""
        return ""

    def __str__(self) -> str:
        return f"{self.TITLE} {self.id}"


@dataclass(frozen=True)
class Scope:
    """Where a row belongs. Exactly one way is used, the first that is set:

    ``via``: the many-to-one relationship to the parent that knows; ``shared``: everybody who has the right;
    else ``branch``, ``department`` and ``own`` columns (employee ids), as far as they exist.
    """

    branch: str | None = None
    department: str | None = None
    own: tuple[str, ...] = ()
    via: str | None = None
    shared: bool = False


#: More ways in which rows of a table are one's own: table -> functions (model, employee_id) -> clause.
ALSO_OWN: dict[str, list[Callable[[Any, int], Any]]] = {}


class Recorded:
    """Who wrote it and when, by the database's clock, and the version that guards against lost changes."""

    @declared_attr
    def created_at(cls) -> Mapped[datetime]:
        return mapped_column(Instant, server_default=func.now(), nullable=False)

    @declared_attr
    def created_by_id(cls) -> Mapped[int | None]:
        return mapped_column(ForeignKey("ab_user.id"), index=False)

    @declared_attr
    def updated_at(cls) -> Mapped[datetime]:
        return mapped_column(Instant, server_default=func.now(), onupdate=func.now(), nullable=False)

    @declared_attr
    def updated_by_id(cls) -> Mapped[int | None]:
        return mapped_column(ForeignKey("ab_user.id"), index=False)

    @declared_attr
    def row_version(cls) -> Mapped[int]:
        return mapped_column(Integer, nullable=False, default=1, server_default="1")

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 (SQLAlchemy calls it with the class)
        return {"version_id_col": cls.__dict__.get("row_version") or cls.row_version}


class Branched:
    """Belongs to a branch."""

    @declared_attr
    def branch_id(cls) -> Mapped[int]:
        return mapped_column(
            ForeignKey("branch.id"), index=True, nullable=False, info=col(_l("Branch"), _l("Empty: your own."))
        )


class Stateful:
    """Has a state, which only ``become`` changes: a move that ``MOVES`` does not name raises."""

    MOVES: ClassVar[Mapping[Any, frozenset[Any] | set[Any]]] = {}
    STATES: ClassVar[type[Labelled]]
    state: Any

    def become(self, state: Any) -> None:
        """Move to a state; raises ``IllegalMove`` if the present one does not lead there."""
        if state == self.state:
            return
        if state not in self.MOVES.get(self.state, ()):
            raise IllegalMove(
                _(
                    "%(record)s is %(now)s and cannot become %(then)s.",
                    record=str(self),
                    now=str(self.state.label),
                    then=str(state.label),
                )
            )
        self.state = state


class Retirable:
    """Plain data that is retired, never deleted."""

    @declared_attr
    def retired_at(cls) -> Mapped[datetime | None]:
        return mapped_column(Instant, info=col(_l("Retired since")))


def column_names(model: Any) -> list[str]:
    """Return the names of a table's mapped columns."""
    return [attribute.key for attribute in inspect(model).column_attrs]


def models() -> dict[str, type[Base]]:
    """Return every table of ours by name."""
    found: dict[str, type[Base]] = {}
    for mapper in Base.registry.mappers:
        if issubclass(mapper.class_, Base):
            found[mapper.class_.__tablename__] = mapper.class_
    return found


def refuse_undeclared() -> None:
    """Raise at start if a table does not say whose its rows are, or what people call it."""
    for name, model in models().items():
        if model.SCOPE is None:
            raise RuntimeError(f"table {name} declares no SCOPE")
        if not str(model.TITLE):
            raise RuntimeError(f"table {name} declares no TITLE")


@event.listens_for(Session, "before_flush")
def _record_who(session: Session, _context: Any, _instances: Any) -> None:
    """Write who made or changed a row; house accounts leave it empty."""
    user_id = session.info.get("user_id")
    for made in session.new:
        if isinstance(made, Recorded) and made.created_by_id is None:
            made.created_by_id = made.updated_by_id = user_id
    for changed in session.dirty:
        if isinstance(changed, Recorded) and session.is_modified(changed):
            changed.updated_by_id = user_id
