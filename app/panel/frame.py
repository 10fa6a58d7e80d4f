"""What stands around every page: menu, person, branch, notices, languages; and the globals of templates."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import Any

from flask import Flask, current_app, g, request, url_for
from flask_login import current_user
from markupsafe import Markup, escape

from app.actors import Actor
from app.extensions import db
from app.panel import cards
from app.panel.describe import local_time
from app.panel.doors.again import whose
from app.panel.doors.visit import session_in_force
from app.panel.help import help_url
from app.panel.pages import Frame, Link, Lock
from app.panel.person import current_actor, now, watcher
from app.panel.theme import theme_in_force, themes
from app.roles import ROLES
from app.services.tasks.own import unread_and_open
from app.words import _, locale_in_force


def frame() -> Frame | None:
    """Return the frame of this request's person, or None for a stranger."""
    by = current_actor()
    if by is None:
        return None
    if "frame" not in g:
        g.frame = _frame(by)
    found: Frame = g.frame
    return found


def _frame(by: Actor) -> Frame:
    session = db.session()
    roles = [str(ROLES[name].label) for name in ROLES if name in by.roles]
    notices, work, answers = unread_and_open(session, by)
    return Frame(
        menu=menu_of(by),
        home=Link(_("Workbench"), url_for("HomeView.index"), "grid-1x2", active=request.endpoint == "HomeView.index"),
        person=by.display_name or _("Account"),
        role=", ".join(roles[:2]),
        branch=by.branch_name or _("All branches"),
        notices=notices,
        notices_url=url_for("notice.list"),
        languages=[
            Link(language["name"], url_for("HomeView.language", locale=code), active=code == locale_in_force())
            for code, language in current_app.config["LANGUAGES"].items()
        ],
        search_url=url_for("HomeView.search"),
        logout_url=url_for("HouseAuthView.logout"),
        password_url=url_for("DoorsView.password"),
        login_url=url_for("DoorsView.mine"),
        username=str(getattr(current_user, "username", "")),
        lock=lock_of_screen(),
        seeing="" if watcher() is None else by.display_name,
        stop_url=url_for("see_as.stop"),
        watermark=f"{by.display_name} {local_time(now(), by)}",
        themes=themes(),
        theme_url=url_for("HomeView.theme"),
        help_url=help_url(),
        here=menu_path(),
        work=work,
        tray_url=url_for("background_task.tray"),
        ringing_url=url_for("phone_call.ringing") if answers and by.may("phone_call", "can_list") else "",
        tasks_url=url_for("background_task.list", tab="mine"),
        files_url=url_for("my_files.list"),
        views_url=url_for("saved_filter.list") if by.employee_id and by.may("saved_filter", "can_list") else "",
    )


def lock_of_screen() -> Lock | None:
    """Return what locks this session's screen; None where there is no session to lock."""
    found = session_in_force()
    if found is None:
        return None
    return Lock(url_for("DoorsView.lock"), url_for("DoorsView.unlock"), url_for("DoorsView.here"), found.lock_after)


def menu_of(by: Actor) -> list[tuple[str, list[Link]]]:
    """Return the menu groups that this person may open: (``Workstation · Appointments``, links with what waits)."""
    groups: list[tuple[str, list[Link]]] = []
    g.waiting = cards.waiting(db.session(), by, now())
    for top in current_app.appbuilder.menu.get_list():  # type: ignore[attr-defined]
        straight = [item for item in top.childs if not item.childs and item.name != "-"]
        for inner in (item for item in top.childs if item.childs):
            _add_group(groups, by, f"{top.label} · {inner.label}", inner.childs)
        _add_group(groups, by, str(top.label), straight)
    return groups


def menu_path() -> list[str]:
    """Return the labels of the menu groups above this page, from the outermost in; none if no entry leads here."""
    for top in current_app.appbuilder.menu.get_list():  # type: ignore[attr-defined]
        for item in top.childs:
            if not item.childs and _is_here(item):
                return [str(top.label)]
            if any(_is_here(inner) for inner in item.childs):
                return [str(top.label), str(item.label)]
    return []


def _add_group(groups: list[tuple[str, list[Link]]], by: Actor, title: str, items: Any) -> None:
    links = [_entry(item) for item in items if by.may(item.name, "menu_access")]
    if links:
        groups.append((title, links))


def _entry(item: Any) -> Link:
    count, hot = g.waiting.get(item.name, (0, False))
    return Link(str(item.label), item.get_url(), item.icon, active=_is_here(item), count=count or None, hot=hot)


def _is_here(item: Any) -> bool:
    endpoint = getattr(item.baseview, "endpoint", None)
    return endpoint is not None and (request.endpoint or "").partition(".")[0] == endpoint


# --- icons -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _symbols() -> dict[str, tuple[str, str]]:
    """Return the icons of Bootstrap-Flask's own sprite: name -> (view box, shapes)."""
    sprite = files("flask_bootstrap").joinpath("static/bootstrap5/icons/bootstrap-icons.svg").read_text()
    found = {}
    for attributes, inner in re.findall(r"<symbol([^>]*)>(.*?)</symbol>", sprite, re.DOTALL):
        name = re.search(r'id="([^"]+)"', attributes)
        box = re.search(r'viewBox="([^"]+)"', attributes)
        if name and box:
            found[name.group(1)] = (box.group(1), inner.strip())
    return found


def icon(name: str, label: str = "") -> Markup:
    """Return one icon inline: a few hundred bytes where the sprite would be 231 KB."""
    return _drawn(name, Markup('role="img" aria-label="%s"') % escape(label) if label else Markup('aria-hidden="true"'))


@lru_cache(maxsize=512)
def _drawn(name: str, said: Markup) -> Markup:
    """Return an icon with its words; kept, since a list shows a hundred of them."""
    symbols = _symbols()
    box, shapes = symbols.get(name) or symbols["dot"]
    return Markup('<svg class="bi" viewBox="%s" %s>%s</svg>') % (Markup(box), said, Markup(shapes))  # noqa: S704


def pick_url(field: Any) -> str:
    """Return where a remote select asks for its options."""
    return url_for(f"{field.table}.options")


def install(app: Flask) -> None:
    """Give templates what they may call."""
    app.jinja_env.globals.update(icon=icon, pick_url=pick_url, whose=whose, csp_nonce=lambda: g.get("csp_nonce", ""))

    @app.after_request
    def _count_anew(response: Any) -> Any:
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            cards.forget_of_request()
        return response

    @app.context_processor
    def _around() -> dict[str, Any]:
        return {
            "frame": frame,
            "html_lang": "en" if locale_in_force() == "en" else "zh-Hans",
            "app_name": app.config["APP_NAME"],
            "theme": theme_in_force(),
        }
