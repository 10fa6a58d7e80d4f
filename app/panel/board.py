"""Boards: lanes of cards that refresh themselves by cheap polling, for rooms where things happen. ui.md, "Board".

A board declares its lanes, reads its rows once, and says by one cheap statement whether anything changed: the answer
to a poll is 304 until it did. Large on a wall (``?wall=1``) it shows initials and numbers, no name, no act, no link;
that much stands there while the screen is locked too. docs/develop/add-a-board.md, decision 0033.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from flask import Response, abort, jsonify, make_response, render_template, request, url_for
from flask import session as cookie
from flask_appbuilder import BaseView
from flask_appbuilder import expose as expose_page
from flask_appbuilder.api import BaseApi, expose
from sqlalchemy import Select

from app.actors import Actor
from app.errors import NotPermitted
from app.extensions import db
from app.panel import acting
from app.panel.bearer import demand_token
from app.panel.describe import acts_now, may_open_record, record_url
from app.panel.doors.visit import WALLS
from app.panel.keys import Key, keys_of
from app.panel.pages import ActButton, BoardAct, BoardCard, BoardLane, BoardNote, BoardPage, Cell, Link
from app.panel.person import me, now
from app.panel.registered import registered
from app.words import _, locale_in_force

#: So many cards of a lane are shown; the others are counted.
MOST_CARDS = 60
#: The header of a poll: the lanes alone are wanted, and nobody need be there.
POLL = "X-Board"


@dataclass(frozen=True)
class Lane:
    """A lane: which of the board's rows stand in it, in which order, and what it says when none does."""

    name: str
    label: object
    holds: Callable[[Any, datetime], bool] = lambda _row, _at: True
    order: Callable[[Any], Any] = lambda _row: 0
    empty: object = ""
    hot: bool = False
    note: str = ""


@dataclass(frozen=True)
class CardFace:
    """What a card shows. ``initials`` and ``number`` stand on a wall in the place of title and lines; part, mark and
    time stand there too, ``why`` does not."""

    title: str
    initials: str
    number: str
    lines: Sequence[str]
    state: Cell
    part: str = ""
    mark: str = ""
    why: Sequence[str] = ()
    seconds: int | None = None


class BoardView(BaseView):
    """Declare lanes, rows, the mark of change and a card; the machinery does the rest."""

    default_view = "list"
    base_permissions = ["can_list"]
    page: ClassVar[str] = ""
    title: ClassVar[object] = ""
    crumbs: ClassVar[Sequence[object]] = ()
    lanes: ClassVar[Sequence[Lane]] = ()
    #: The acts that its cards offer, as far as right, state and guard allow.
    acts: ClassVar[Sequence[str]] = ()
    #: Its own keys, which stand on the sheet behind “?” before those of every board.
    keys: ClassVar[Sequence[Key]] = ()

    def __init__(self) -> None:
        self.route_base, self.class_permission_name = f"/{self.page}", self.page
        super().__init__()
        WALLS.add(f"{self.page}.list")

    def create_blueprint(self, appbuilder: Any, endpoint: str | None = None, static_folder: str | None = None) -> Any:
        return super().create_blueprint(appbuilder, endpoint or self.page, static_folder)

    def rows(self, by: Actor, at: datetime) -> Sequence[Any]:
        """Return the records of all lanes, in scope, with what their cards show; overridden."""
        raise NotImplementedError

    def mark(self, by: Actor, at: datetime) -> Select[Any]:
        """Return the one cheap statement whose row changes whenever a card would; overridden."""
        raise NotImplementedError

    def face(self, record: Any, lane: Lane, by: Actor, at: datetime) -> CardFace:
        """Return what a card shows; overridden."""
        raise NotImplementedError

    # --- what a board may say besides ------------------------------------------------------------------------

    def subject(self, row: Any) -> Any:
        """Return the record that a row of the board is about: the row itself, unless overridden."""
        return row

    def offers(self, row: Any, by: Actor) -> Sequence[BoardAct]:
        """Return what a row's card offers: the board's acts that are possible now, unless overridden."""
        record = self.subject(row)
        return [BoardAct(acting.button(act, record)) for act in acts_now(record, by) if act.name in self.acts]

    def counted(self, rows: Sequence[Any]) -> int:
        """Return the number in a lane's head: its rows, unless overridden."""
        return len(rows)

    def notes(self, by: Actor, at: datetime) -> Sequence[BoardNote]:
        """Return what stands above the lanes; overridden."""
        return []

    def head_acts(self, by: Actor) -> Sequence[ActButton]:
        """Return the acts beside the title; overridden."""
        return []

    def keeps_out(self, by: Actor) -> bool:
        """Say whether a person who has the right may not see it all the same; overridden."""
        return False

    # --- pages -----------------------------------------------------------------------------------------------

    @expose_page("/list/")
    def list(self) -> Any:
        """Show the board; to a poll its lanes alone, or that nothing changed."""
        by = me()
        if not by.may(self.page, "can_list") or self.keeps_out(by):
            raise NotPermitted
        if request.args.get("wall", "1") != "1" or set(request.args) - {"wall", "_l_"}:
            abort(400)
        is_wall, is_poll = "wall" in request.args, POLL in request.headers
        tag = self.tag(by, now(), is_wall=is_wall)
        if is_poll and tag in request.if_none_match and (is_wall or not cookie.get("_flashes")):
            return _tagged(Response(status=304), tag, by)
        page = self._page(by, now(), tag, is_wall=is_wall)
        template = "panel/_lanes.html" if is_poll else "panel/board.html"
        return _tagged(make_response(render_template(template, page=page, bare=is_wall, is_poll=is_poll)), tag, by)

    def tag(self, by: Actor, at: datetime, *, is_wall: bool = False) -> str:
        """Return what stands for all that the board shows this person now: one statement, and the minute."""
        marks = db.session().execute(self.mark(by, at)).one()
        told = [self.page, by.user_id, is_wall, locale_in_force(), f"{at:%Y%m%d%H%M}", sorted(by.roles), *marks]
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]

    def laid_out(self, by: Actor, at: datetime) -> Sequence[tuple[Lane, Sequence[Any]]]:
        """Return each lane with its records, in their order; a record stands in the first lane that holds it."""
        found: dict[str, Any] = {lane.name: [] for lane in self.lanes}
        for record in self.rows(by, at):
            lane = next((lane for lane in self.lanes if lane.holds(record, at)), None)
            if lane is not None:
                found[lane.name].append(record)
        return [(lane, sorted(found[lane.name], key=lane.order)) for lane in self.lanes]

    def _page(self, by: Actor, at: datetime, tag: str, *, is_wall: bool) -> BoardPage:
        return BoardPage(
            title=str(self.title),
            crumbs=[Link(str(crumb), "") for crumb in self.crumbs],
            lanes=[self._lane(lane, rows, by, at, is_wall=is_wall) for lane, rows in self.laid_out(by, at)],
            as_of=_clock(by, at),
            tag=tag,
            url=request.full_path.rstrip("?"),
            is_wall=is_wall,
            other_url=url_for(".list") if is_wall else url_for(".list", wall=1),
            keys=(*self.keys, *keys_of("board")),
            acts=[] if is_wall else [*self.head_acts(by)],
            notes=[] if is_wall else [*self.notes(by, at)],
        )

    def _lane(self, lane: Lane, rows: Sequence[Any], by: Actor, at: datetime, *, is_wall: bool) -> BoardLane:
        return BoardLane(
            lane.name,
            str(lane.label),
            self.counted(rows),
            [self._card(row, lane, by, at, is_wall=is_wall) for row in rows[:MOST_CARDS]],
            str(lane.empty) or _("Nobody here."),
            lane.hot,
            max(0, len(rows) - MOST_CARDS),
            "" if is_wall else lane.note,
        )

    def _card(self, row: Any, lane: Lane, by: Actor, at: datetime, *, is_wall: bool) -> BoardCard:
        face, record = self.face(row, lane, by, at), self.subject(row)
        key = f"{record.__tablename__}-{record.id}"
        if is_wall:
            return BoardCard(
                key, face.initials or "—", "", [face.number], face.state, [], face.part, face.mark, [], face.seconds
            )
        back = urlencode({"back": url_for(".list")})
        url = record_url(record.__tablename__, record.id) if may_open_record(record, by) else ""
        acts = [
            replace(offer, button=replace(offer.button, url=f"{offer.button.url}?{back}"))
            for offer in self.offers(row, by)
        ]
        return BoardCard(
            key, face.title, url, [*face.lines], face.state, acts, face.part, face.mark, [*face.why], face.seconds
        )


def at_once(offer: BoardAct, record: Any = None, **inputs: object) -> BoardAct:
    """Return an offer that is done at once: with these inputs, on the version of the record that the card shows."""
    version = [] if record is None else [("row_version", str(record.row_version))]
    sent = [("request_key", uuid.uuid4().hex), *version, *((name, str(value)) for name, value in inputs.items())]
    return replace(offer, sends=tuple(sent))


def _clock(by: Actor, at: datetime) -> str:
    return f"{at.astimezone(by.timezone):%H:%M:%S}"


def _tagged(response: Response, tag: str, by: Actor) -> Response:
    """Let an answer carry its tag and the clock of the branch; a board is never taken from a store."""
    response.set_etag(tag)
    response.headers["X-As-Of"] = _clock(by, now())
    response.headers["Vary"] = POLL
    return response


# --- REST ----------------------------------------------------------------------------------------------------------


class BoardApi(BaseApi):
    """``GET /api/v1/board/<name>``: the lanes and their cards; 304 to ``If-None-Match`` while nothing changed."""

    resource_name = "board"
    class_permission_name = "board"

    def __init__(self) -> None:
        self.base_permissions: list[str] = []
        super().__init__()

    @expose("/<string:name>", methods=["GET"])
    def get(self, name: str) -> Any:
        """Tell a board as JSON."""
        demand_token()
        by, at = me(), now()
        board = boards().get(name)
        if board is None:
            abort(404)
        if not by.may(name, "can_list") or board.keeps_out(by):
            abort(403)
        tag = board.tag(by, at)
        if tag in request.if_none_match:
            return _tagged(Response(status=304), tag, by)
        lanes = [_lane_json(board, lane, records, by, at) for lane, records in board.laid_out(by, at)]
        return _tagged(jsonify(board=name, title=str(board.title), as_of=at.isoformat(), lanes=lanes), tag, by)


def _lane_json(board: BoardView, lane: Lane, rows: Sequence[Any], by: Actor, at: datetime) -> dict[str, Any]:
    cards = [_card_json(board, lane, row, by, at) for row in rows[:MOST_CARDS]]
    return {"name": lane.name, "label": str(lane.label), "count": board.counted(rows), "cards": cards}


def _card_json(board: BoardView, lane: Lane, row: Any, by: Actor, at: datetime) -> dict[str, Any]:
    """Return a card; ``sends`` are the inputs with which an act does what the card proposes."""
    face, record, offers = board.face(row, lane, by, at), board.subject(row), board.offers(row, by)
    told = {"table": record.__tablename__, "id": record.id, "title": face.title, "number": face.number}
    told |= {"lines": [*face.lines], "state": face.state.text, "acts": [offer.button.name for offer in offers]}
    told |= {"part": face.part, "mark": face.mark, "why": [*face.why], "seconds": face.seconds}
    sends = {offer.button.name: dict(offer.sends) for offer in offers if offer.sends}
    for inputs in sends.values():
        inputs.pop("request_key", None)
    return {**told, "sends": {name: inputs for name, inputs in sends.items() if inputs}}


def boards() -> dict[str, BoardView]:
    """Return the boards of this application by name."""
    return {view.page: view for view in registered(BoardView)}
