"""A person's own lists: which columns she sees, which filters she kept, whether they still fit. Decision 0033."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from flask import g, request, url_for
from sqlalchemy import inspect
from werkzeug.exceptions import HTTPException

from app.actors import Actor
from app.acts import REGISTRY
from app.errors import InvalidInput
from app.extensions import db
from app.panel.describe import record_url
from app.panel.pages import ActButton, Link
from app.panel.registered import lists
from app.services.fieldrights import seen
from app.services.lists import Preferences, preferences_of, provide_lists
from app.words import _

if TYPE_CHECKING:
    from app.panel.list_pages import ListPages

#: What an address may bear that is no part of what the list is asked for.
NOT_KEPT = {"page", "_l_", "all"}
#: So many saved views are offered to be replaced by what is shown; each costs a line of the menu.
MOST_REPLACED = 6


def preferences(view: ListPages, by: Actor) -> Preferences:
    """Return how a person likes this list; asked of the database once per request."""
    kept: dict[str, Preferences] = g.setdefault("list_preferences", {})
    if view.endpoint not in kept:
        kept[view.endpoint] = preferences_of(db.session(), view.endpoint, by)
    return kept[view.endpoint]


def kept_query(given: Mapping[str, str]) -> str:
    """Return a query string as it is kept and compared: by name, without the page and what says nothing."""
    return urlencode(sorted((name, text) for name, text in given.items() if name not in NOT_KEPT and text != ""))


def fits(view: ListPages, query: str, by: Actor) -> bool:
    """Say whether a list still knows all that a query string asks for. Runs no SQL."""
    try:
        view.rows_asked(by, view.asked(dict(parse_qsl(query))))
    except HTTPException:
        return False
    return True


# --- columns -------------------------------------------------------------------------------------------------------


def offered_columns(view: ListPages, by: Actor) -> list[str]:
    """Return the columns that this person may choose from, the list's own first.

    Further ones are those of the record's page that the rows bring along: a column, or a record that is pointed to.
    What is worked out or gathered for one record stays there.
    """
    names = [*view.list_columns]
    if by.may(view.datamodel.table, "can_show"):
        mapper = inspect(view.model)
        single = {name for name, relation in mapper.relationships.items() if not relation.uselist}
        loadable = single | {attribute.key for attribute in mapper.column_attrs}
        facts = [name for _title, section in view.record_view.show_sections for name in section]
        names += [name for name in facts if name in loadable and name not in view.computed]
    return [*seen(view.model, dict.fromkeys(names), by)]


def shown_columns(view: ListPages, by: Actor) -> list[str]:
    """Return the columns that this person sees: her own choice as far as it still stands, else the house's."""
    chosen = preferences(view, by).columns
    if not chosen:
        return [*seen(view.model, view.list_columns, by)]
    offered = offered_columns(view, by)
    return [*dict.fromkeys([*offered[:1], *(name for name in chosen if name in offered)])]


class PanelLists:
    """What the house's acts must know of the lists: the panel has them."""

    def checked(self, page: str, query: str, by: Actor) -> str:
        """Return a query string as it is kept; raises ``InvalidInput``."""
        view = _view(page, by)
        given = dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True))
        kept = kept_query(given)
        if not fits(view, kept, by):
            raise InvalidInput({"query": [_("This list does not know all that is asked for here.")]})
        return kept

    def offered(self, page: str, by: Actor) -> list[tuple[str, str]]:
        """Return (name, label) of the columns that may be chosen; raises ``InvalidInput``."""
        view = _view(page, by)
        return [(name, view.label(name)) for name in offered_columns(view, by)]

    def shown(self, page: str, by: Actor) -> list[str]:
        """Return the names of the columns that are shown now."""
        return shown_columns(_view(page, by), by)


provide_lists(PanelLists())


def _view(page: str, by: Actor) -> ListPages:
    """Return a list that this person may see; raises ``InvalidInput``."""
    view = lists().get(page)
    if view is not None and by.may(view.class_permission_name, "can_list"):
        return view
    raise InvalidInput({"page": [_("There is no such list, or it is not for you to see.")]})


def page_title(page: str) -> str:
    """Return what people call a list; its name in addresses if there is none of it any more."""
    view = lists().get(page)
    return page if view is None else view.heading


# --- on the page ---------------------------------------------------------------------------------------------------


def house_url(view: ListPages) -> str:
    """Return the address of the list as the house has it, whatever a person lets it open with."""
    return url_for(".list", tab=view.quick[0].name) if view.quick else url_for(".list", all=1)


def saved_tabs(view: ListPages, by: Actor) -> list[Link]:
    """Return a person's saved views as tabs; one that no longer fits leads to its own page, which says so."""
    saved = preferences(view, by).saved
    now_asked = kept_query(request.args)
    tabs = [] if view.quick or not saved else [Link(_("All"), house_url(view), active=not now_asked)]
    for each in saved:
        if fits(view, each.query, by):
            url = f"{url_for('.list')}?{each.query}"
            tabs.append(Link(each.name, url, "bookmark", active=each.query == now_asked))
        else:
            words = _("%(name)s (no longer fits)", name=each.name)
            tabs.append(Link(words, record_url("saved_filter", each.id), "bookmark-x"))
    return tabs


def saved_acts(view: ListPages, by: Actor) -> list[ActButton]:
    """Return what can be done with views just now: keep what is shown, or change the one that is shown."""
    query = kept_query(request.args)
    if by.employee_id is None or not query:
        return []
    saved = preferences(view, by).saved
    shown = next((each for each in saved if each.query == query), None)
    back = request.full_path.rstrip("?")
    if shown is None:
        buttons = [_button("save", by, page=view.endpoint, query=query, back=back)]
        for each in saved[-MOST_REPLACED:]:
            words = _("Replace “%(name)s” by what is shown", name=each.name)
            buttons.append(_button("replace", by, each.id, words, query=query, back=back))
    else:
        turn = "no_default" if shown.is_default else "make_default"
        buttons = [_button(name, by, shown.id, back=back) for name in ("rename", turn)]
        buttons.append(_button("retire", by, shown.id, back=house_url(view)))
    return [button for button in buttons if button is not None]


def _button(name: str, by: Actor, pk: int = 0, label: str = "", **query: Any) -> ActButton | None:
    act = REGISTRY.find("saved_filter", name)
    if act is None or not by.may(act.table, act.permission):
        return None
    where = url_for("saved_filter.act_on", pk=pk, name=name, **query) if pk else ""
    url = where or url_for("saved_filter.act_making", name=name, **query)
    return ActButton(name, label or str(act.label), url, act.icon, act.tone)


def columns_act(view: ListPages, by: Actor) -> ActButton | None:
    """Return the button that lets a person choose her columns."""
    act = REGISTRY.find("list_columns", "choose")
    if act is None or by.employee_id is None or not by.may(act.table, act.permission):
        return None
    back = request.full_path.rstrip("?")
    url = url_for("list_columns.act_making", name="choose", page=view.endpoint, back=back)
    return ActButton(act.name, str(act.label), url, act.icon, act.tone)
