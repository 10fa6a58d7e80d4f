"""How a person likes her lists: filters kept under a name, chosen columns. ui.md, "List"; decision 0033.

What a list may be asked for is known above, where the lists are: it is handed in by ``provide_lists``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ARRAY, String, cast, false, literal, null, select, union_all
from sqlalchemy.orm import Session
from wtforms.widgets import HiddenInput

from app.actors import Actor
from app.acts import act
from app.errors import InvalidInput, Refusal
from app.fields import Flag, HouseForm, Ordered, Words
from app.models.lists import MOST_QUERY, ListColumns, SavedFilter
from app.services.scope import narrowed
from app.words import _, _l

#: So many views of one list stand as tabs; nobody finds anything among more.
MOST_SAVED = 20


class Lists(Protocol):
    """What the panel knows of its lists."""

    def checked(self, page: str, query: str, by: Actor) -> str:
        """Return a list's query string as it is kept; raises ``InvalidInput`` for what the list does not know."""

    def offered(self, page: str, by: Actor) -> list[tuple[str, str]]:
        """Return (name, label) of the columns that a person may choose, the one that always leads first; raises
        ``InvalidInput`` if the list is not for her."""

    def shown(self, page: str, by: Actor) -> list[str]:
        """Return the names of the columns that the list shows her now."""


_lists: list[Lists] = []


def provide_lists(lists: Lists) -> None:
    """Install what knows the lists."""
    _lists[:] = [lists]


@dataclass(frozen=True)
class Saved:
    """A saved filter as its list needs it."""

    id: int
    name: str
    query: str
    is_default: bool


@dataclass(frozen=True)
class Preferences:
    """How one person likes one list. No ``columns``: as the house has them."""

    saved: Sequence[Saved] = ()
    columns: Sequence[str] = ()

    @property
    def default(self) -> Saved | None:
        return next((saved for saved in self.saved if saved.is_default), None)


def preferences_of(session: Session, page: str, by: Actor) -> Preferences:
    """Return how a person likes a list; one statement, none for who has no file."""
    if by.employee_id is None:
        return Preferences()
    columns: Any = select(
        null().label("id"),
        literal("").label("name"),
        literal("").label("query"),
        false().label("is_default"),
        ListColumns.columns.label("columns"),
    ).where(ListColumns.employee_id == by.employee_id, ListColumns.page == page)
    saved: Any = select(
        SavedFilter.id,
        SavedFilter.name,
        SavedFilter.query,
        SavedFilter.is_default,
        cast(null(), ARRAY(String)),
    ).where(SavedFilter.employee_id == by.employee_id, SavedFilter.page == page, SavedFilter.retired_at.is_(None))
    both = union_all(narrowed(saved, SavedFilter, by), narrowed(columns, ListColumns, by)).order_by("id")
    rows = session.execute(both).all()
    return Preferences(
        saved=tuple(Saved(row.id, row.name, row.query, row.is_default) for row in rows if row.id is not None),
        columns=tuple(next((row[4] for row in rows if row.id is None), ())),
    )


# --- filters under a name ------------------------------------------------------------------------------------------


class Naming(HouseForm):
    """What a saved view is called."""

    name = Words(_l("Name"), required=True, most=40)


class Saving(Naming):
    """A list's filters under a name."""

    is_default = Flag(_l("Open this list with it"))
    page = Words(_l("List"), required=True, most=80, widget=HiddenInput())
    query = Words(_l("What it asks for"), required=True, most=MOST_QUERY, widget=HiddenInput())


class Replacing(HouseForm):
    """What a saved view asks for from now on."""

    query = Words(_l("What it asks for"), required=True, most=MOST_QUERY, widget=HiddenInput())


def _mine(session: Session, page: str, employee_id: int, *, apart_from: int = 0) -> list[SavedFilter]:
    return list(
        session.scalars(
            select(SavedFilter)
            .where(SavedFilter.employee_id == employee_id, SavedFilter.page == page, SavedFilter.retired_at.is_(None))
            .where(SavedFilter.id != apart_from)
            .order_by(SavedFilter.id)
            .with_for_update()
        )
    )


def _owner(by: Actor) -> int:
    if by.employee_id is None:
        raise Refusal(_("Only who has an employee file can keep this."))
    return by.employee_id


def _refuse_taken(name: str, others: Sequence[SavedFilter]) -> None:
    if any(other.name == name for other in others):
        raise InvalidInput({"name": [_("You have a view of this name on this list already.")]})


def _no_default(session: Session, others: Sequence[SavedFilter]) -> None:
    """Only one opens with its list: the index says so too, so the earlier one steps back first."""
    for other in others:
        other.is_default = False
    session.flush()


@act(
    SavedFilter,
    "save",
    _l("Save as a view"),
    form=Saving,
    creates=True,
    icon="bookmark-plus",
    from_address=("page", "query"),
    consequence=_l("Words, filters, order and page size of this list stand as a tab of your own; relative days go on."),
)
def save_filter(
    session: Session, *, name: str, page: str, query: str, is_default: bool, by: Actor, at: datetime
) -> SavedFilter:
    """Keep what a list was asked for under a name.

    Refuses a list that is not hers, a query that it does not know, a name that she has there, and too many of them.
    """
    kept = _lists[0].checked(page, query, by)
    if not kept:
        raise InvalidInput({"query": [_("Nothing is filtered or ordered here yet.")]})
    others = _mine(session, page, _owner(by))
    _refuse_taken(name, others)
    if len(others) >= MOST_SAVED:
        raise Refusal(_("At most %(num)s views of one list, please; remove one first.", num=MOST_SAVED))
    if is_default:
        _no_default(session, others)
    made = SavedFilter(name=name, page=page, query=kept, is_default=is_default, employee_id=_owner(by))
    session.add(made)
    return made


def _is_retired(saved: SavedFilter, by: Actor) -> object | None:
    return _("This view was removed.") if saved.retired_at is not None else None


def _is_default(saved: SavedFilter, by: Actor) -> object | None:
    return _is_retired(saved, by) or (_("The list opens with it already.") if saved.is_default else None)


def _is_no_default(saved: SavedFilter, by: Actor) -> object | None:
    return _is_retired(saved, by) or (None if saved.is_default else _("The list does not open with it."))


@act(SavedFilter, "rename", _l("Rename"), form=Naming, prefill=("name",), guard=_is_retired, icon="pencil")
def rename(session: Session, saved: SavedFilter, *, name: str, by: Actor, at: datetime) -> None:
    """Call a saved view otherwise."""
    _refuse_taken(name, _mine(session, saved.page, saved.employee_id, apart_from=saved.id))
    saved.name = name


@act(
    SavedFilter,
    "replace",
    _l("Replace by what is shown"),
    form=Replacing,
    guard=_is_retired,
    icon="arrow-repeat",
    from_address=("query",),
    prefill=("query",),
    consequence=_l("The view keeps its name and asks for what the list shows now."),
)
def replace(session: Session, saved: SavedFilter, *, query: str, by: Actor, at: datetime) -> None:
    """Let a saved view ask for something else."""
    kept = _lists[0].checked(saved.page, query, by)
    if not kept:
        raise InvalidInput({"query": [_("Nothing is filtered or ordered here yet.")]})
    saved.query = kept


@act(
    SavedFilter,
    "make_default",
    _l("Open the list with it"),
    guard=_is_default,
    icon="house",
    consequence=_l("When you open the list from the menu, this view comes first."),
)
def make_default(session: Session, saved: SavedFilter, *, by: Actor, at: datetime) -> None:
    """Let a list open with this view; another one steps back."""
    _no_default(session, _mine(session, saved.page, saved.employee_id, apart_from=saved.id))
    saved.is_default = True


@act(SavedFilter, "no_default", _l("No longer open the list with it"), guard=_is_no_default, icon="house-slash")
def no_default(session: Session, saved: SavedFilter, *, by: Actor, at: datetime) -> None:
    """Let the list open as the house has it."""
    saved.is_default = False


@act(SavedFilter, "retire", _l("Remove"), guard=_is_retired, icon="trash", tone="danger", many=True)
def retire(session: Session, saved: SavedFilter, *, by: Actor, at: datetime) -> None:
    """Take a view away from its list; its row stays."""
    saved.retired_at, saved.is_default = at, False


# --- columns -------------------------------------------------------------------------------------------------------


def _offered(form: Any) -> list[tuple[str, str]]:
    """Return what the form's list offers; nothing while it names none that there is."""
    if not form.page.data:
        return []
    try:
        return _lists[0].offered(form.page.data, form.context.actor)
    except InvalidInput:
        return []


def _shown(form: Any) -> list[str]:
    return _lists[0].shown(form.page.data, form.context.actor) if _offered(form) else []


class Choosing(HouseForm):
    """Which columns, in which order."""

    page = Words(_l("List"), required=True, most=80, widget=HiddenInput())
    columns = Ordered(_l("Columns"), offers=_offered, begins=_shown)


@act(
    ListColumns,
    "choose",
    _l("Choose columns"),
    form=Choosing,
    creates=True,
    icon="layout-three-columns",
    from_address=("page",),
    consequence=_l("Only for you, and for what you export from this list. The first column stays."),
)
def choose(session: Session, *, page: str, columns: list[str], by: Actor, at: datetime) -> ListColumns:
    """Keep which columns a list shows to a person; none at all: as the house has them.

    Refuses columns that the list does not offer her. The leading column always stands.
    """
    offered = _lists[0].offered(page, by)
    names = [name for name, _label in offered]
    if not set(columns) <= set(names):
        raise InvalidInput({"columns": [_("Not a valid choice.")]})
    wanted = list(dict.fromkeys([names[0], *columns])) if columns else []
    found = session.scalars(
        select(ListColumns).where(ListColumns.employee_id == _owner(by), ListColumns.page == page).with_for_update()
    ).one_or_none()
    if found is None:
        found = ListColumns(page=page, columns=wanted, employee_id=_owner(by))
        session.add(found)
    found.columns = wanted
    return found


def _is_house(chosen: ListColumns, by: Actor) -> object | None:
    return None if chosen.columns else _("These are the columns of the house already.")


@act(ListColumns, "reset", _l("As the house has them"), guard=_is_house, icon="arrow-counterclockwise")
def reset(session: Session, chosen: ListColumns, *, by: Actor, at: datetime) -> None:
    """Show the columns of the house again."""
    chosen.columns = []
