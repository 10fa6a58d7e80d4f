"""帮助 → 使用手册: the pages of docs/guide inside the panel, their search, and the heading that a screen belongs to."""

from __future__ import annotations

import re
from typing import Any

from flask import abort, render_template, request, send_from_directory, url_for
from flask_appbuilder import BaseView, expose

from app.actors import Actor
from app.extensions import db
from app.panel.describe import record_url
from app.panel.help import names_of
from app.panel.listing import MAX_QUERY
from app.panel.pages import Link
from app.panel.person import me
from app.panel.registry import Registrar
from app.services import guidebook
from app.services.processes import Explained, explained
from app.words import _, _l, locale_in_force

#: Pictures change with the product only; a browser asks again after a day.
KEPT_SECONDS = 86_400
SCREEN = re.compile(r"[\w.]{1,120}")


class GuideView(BaseView):
    """使用手册: readable for everybody who is logged in, whatever her roles."""

    route_base = "/guide"
    class_permission_name = "guide_book"
    default_view = "page"
    base_permissions = ["can_list"]
    title = _l("User guide")

    @expose("/")
    @expose("/<string:name>")
    def page(self, name: str = "") -> str:
        """Show a page of the guide; ``screen`` names the screen that asked, which its heading then stands before."""
        by = me()
        if name == guidebook.FIRST:
            abort(404)
        first = guidebook.ENGLISH if locale_in_force() == "en" and "screen" not in request.args else guidebook.FIRST
        shown = guidebook.pages().get(name or first)
        if shown is None and (name or guidebook.pages()):
            abort(404)
        screen = _screen_asked()
        section = guidebook.section_for(names_of(screen)) if screen else None
        return self._shown(
            "pages/guide/page.html",
            name,
            shown=shown,
            screen=screen,
            at=section.anchor if section is not None and shown is not None and section.page == shown.name else "",
            process=_process(screen, by) if screen else None,
            is_english=shown is not None and shown.name == guidebook.ENGLISH,
        )

    @expose("/search")
    def search(self) -> str:
        """Show the sections that hold the words asked for."""
        me()
        words = request.args.get("q", "").strip()
        if len(words) > MAX_QUERY or any(ord(char) < 32 for char in words):
            abort(400)
        return self._shown("pages/guide/search.html", "", words=words, found=guidebook.search(words))

    @expose("/pictures/<string:name>")
    def picture(self, name: str) -> Any:
        """Answer a picture of the guide; the browser keeps it for a day."""
        me()
        if not guidebook.PICTURE.fullmatch(name):
            abort(404)
        answer = send_from_directory(guidebook.DOCS / "pictures", name, max_age=KEPT_SECONDS)
        answer.headers["Cache-Control"] = f"private, max-age={KEPT_SECONDS}"
        return answer

    def _shown(self, template: str, here: str, **told: Any) -> str:
        links = [
            Link(page.title, _page_url(page.name), active=page.name == (here or guidebook.FIRST))
            for page in guidebook.contents()
        ]
        return render_template(
            template,
            title=str(self.title),
            crumbs=[Link(_("Guide and help"), ""), Link(str(self.title), _page_url(guidebook.FIRST))],
            contents=links,
            page_url=_page_url,
            appbuilder=self.appbuilder,
            **told,
        )


def _page_url(name: str, anchor: str = "") -> str:
    where = {} if name == guidebook.FIRST else {"name": name}
    return url_for("GuideView.page", _anchor=anchor or None, **where)


def _screen_asked() -> str:
    screen = request.args.get("screen", "")
    if screen and not SCREEN.fullmatch(screen):
        abort(400)
    return screen


def _process(screen: str, by: Actor) -> dict[str, Any] | None:
    """Return what the heading says that the screen belongs to, for people who may read headings."""
    if not by.may("process_guide", "can_show"):
        return None
    told = explained(db.session(), names_of(screen), by)
    return None if told is None else _told(told)


def _told(told: Explained) -> dict[str, Any]:
    guide = told.guide
    said = [
        (_("Groups involved"), guide.involved_groups),
        (_("Executor"), guide.executor),
        (_("Manager"), guide.manager),
        (_("Supervisor"), guide.supervisor),
    ]
    near = [(_("Previous steps"), told.before), (_("Next steps"), told.after)]
    return {
        "link": Link(str(guide), record_url("process_guide", guide.id)),
        "facts": [(label, text) for label, text in said if text],
        "near": [
            (label, [Link(str(one), record_url("process_guide", one.id)) for one in guides])
            for label, guides in near
            if guides
        ],
        "steps": [(step.step, step.explanation or "", step.module or "") for step in told.steps],
        "remarks": [text for text in (guide.remark, *(one.remark for one in told.remarks)) if text],
        "is_stated": guide.is_stated,
        "is_coming": told.is_coming,
    }


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(GuideView, group="help", label=_l("User guide"), icon="book-half")
