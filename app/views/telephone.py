"""服务工作站 → 预约管理 → 来电列表, and what stands behind it: events, the systems, the extensions. 2.1.1.1."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from flask import Response, abort, jsonify, make_response, render_template, request
from flask_appbuilder import expose
from flask_appbuilder.api import expose as expose_api

from app.actors import Actor
from app.acts import REGISTRY
from app.extensions import db
from app.models.telephone import CallEvent, CallState, Direction, PhoneCall, PhoneExtension, PhoneSystem, RecordingState
from app.panel import acting
from app.panel.bearer import demand_token
from app.panel.cards import Shows, card
from app.panel.describe import may_open_record, record_url, text_of
from app.panel.house_view import HouseView, Sub, Tab
from app.panel.interface import HouseInterface
from app.panel.pages import ActButton, Cell, Link
from app.panel.person import me, now
from app.panel.playing import is_beginning, sound_answer, sound_url
from app.panel.registry import Registrar
from app.panel.rest import HouseApi, json_body
from app.services.scope import in_scope
from app.services.telephone import BODY_SCHEMA, read_events, shown_calls, take_events
from app.services.telephone.recordings import log_listening, log_not_heard
from app.services.telephone.ringing import Caller
from app.unit import unit_of_work
from app.views.appointments import CRUMBS, _on
from app.words import _, _l

#: Of so many of the newest calls a list asks whether one has changed.
NEWEST = 200
POST_EVENTS = ("call_event", "can_post")


@dataclass(frozen=True)
class CallPanel:
    """A call as the panel over every page shows it."""

    key: int
    state: Cell
    number: str
    title: str
    lines: list[str]
    mind: list[str]
    ways: list[ActButton | Link]
    told: str


class CallEventApi(HouseApi):
    """Where a telephone system tells of calls."""

    OPERATIONS = {
        ("", "post"): {
            "name": "call_event.post",
            "summary": _l("Tell of a call: one event, or a list of them"),
            "answers": {200: "Anything"},
            "body": BODY_SCHEMA,
        }
    }

    @expose_api("/", methods=["POST"])
    @expose_api("", methods=["POST"])
    def post(self) -> tuple[Response, int]:
        """Take one event or ``{"events": [...]}``: 200 with what became of each, 422 with what is wrong with which.

        The same event sent again changes nothing and is answered ``known``.
        """
        demand_token("call_event", right=POST_EVENTS)
        by = me()
        if not by.may(*POST_EVENTS):
            abort(403)
        events = read_events(json_body(), at=now())
        taken = take_events(db.session(), events, by=by, at=now())
        told = [
            {
                "call_id": each.event.call_id,
                "kind": each.event.kind.value,
                "status": "taken" if each.is_new else "known",
                "call": each.call,
            }
            for each in taken
        ]
        return jsonify(count=len(told), taken=sum(each.is_new for each in taken), result=told), 200


class CallEventView(HouseView):
    """What telephone systems told, as they told it."""

    datamodel = HouseInterface(CallEvent)
    api = CallEventApi
    list_columns = ("happened_at", "arrived_at", "kind", "call_id", "direction", "extension", "rings")
    show_sections = (
        (
            _l("Event of a call"),
            ("happened_at", "arrived_at", "kind", "call_id", "event_id", "direction", "extension", "rings"),
        ),
    )
    order_columns = ("happened_at", "arrived_at")
    filters = ("kind", "happened_at")

    def _record_rights(self) -> list[str]:
        """Events are posted over REST; nobody types one."""
        return ["can_show", "can_post"]


class PhoneCallApi(HouseApi):
    """Calls over REST, with their recordings."""

    OPERATIONS = {
        ("{pk}/recording", "get"): {
            "name": "phone_call.recording",
            "summary": _l("Recording"),
            "answers": {200: ""},
            "files": ("audio/wav", "audio/mpeg", "audio/ogg", "audio/mp4"),
        }
    }

    @expose_api("/<int:pk>/recording", methods=["GET"])
    def recording(self, pk: int) -> Response:
        """Answer a recording's bytes, whole or in part (Range)."""
        return recording_answer(self.view, pk, self._require("can_listen"))


def recording_answer(view: HouseView, pk: int, by: Actor) -> Response:
    """Answer a call's recording to who may listen to it; each listening is kept, and each that is denied."""
    session = db.session()
    call = view.datamodel.record(session, by, pk, ["recording_file"]) if pk < 2**63 else None
    if call is None:
        if pk < 2**63:
            with unit_of_work(session):
                log_not_heard(session, pk, by=by, at=now())
        abort(404)
    file = call.recording_file
    if file is None or file.dropped_at is not None:
        abort(404)
    answer = sound_answer(file)
    with unit_of_work(session):
        log_listening(session, call, by=by, at=now(), is_start=is_beginning())
    return answer


def sound_cell(call: PhoneCall | None, by: Actor) -> Cell:
    """Return a call's recording as a player, to who may listen; nothing where there is none."""
    if call is None or call.recording_state is not RecordingState.STORED:
        return Cell("")
    if not by.may("phone_call", "can_listen"):
        return Cell(_("Your roles do not include listening to it."))
    return Cell(_("Each listening is kept."), sound=sound_url(call))


class _Calls(HouseView):
    """What every list of calls shares."""

    datamodel = HouseInterface(PhoneCall)
    crumbs = CRUMBS
    live = "phone_call.mark"
    list_columns = (
        "began_at",
        "state",
        "number",
        "customer",
        "employee",
        "ring_count",
        "is_in_time",
        "contact_record",
    )
    subs = {"employee": Sub("extension")}
    show_sections = (
        (
            _l("Telephone call"),
            ("direction", "number", "customer", "employee", "department", "extension", "contact_record"),
        ),
        (
            _l("What became of it"),
            ("ringing_at", "answered_at", "missed_at", "ended_at", "ring_count", "is_in_time"),
        ),
        (_l("Recording"), ("recording", "recording_state", "recording_said")),
        (_l("Dialled"), ("dialled_at", "dial_said", "call_id")),
    )
    labels = {"recording": _l("Recording")}
    order_columns = ("began_at",)
    default_order = "began_at"
    filters = ("state", "direction", "employee_id", "is_in_time", "began_at")
    eager = ("customer.contacts", "employee", "contact_record")
    record_eager = ("department", "recording_file")
    search_through = "customer"
    empty = _l("Calls stand here as soon as a telephone system tells of them.")
    quick = (
        Tab("all", _l("All"), lambda _by, _now: PhoneCall.state != CallState.JOINED),
        Tab("today", _l("Today"), _on(PhoneCall.began_at)),
        Tab(
            "unregistered",
            _l("Not registered"),
            lambda by, now: (
                (PhoneCall.direction == Direction.IN)
                & PhoneCall.contact_record_id.is_(None)
                & PhoneCall.state.in_([CallState.ENDED, CallState.MISSED, CallState.TALKING])
            ),
        ),
        Tab("missed", _l("Missed"), lambda by, now: PhoneCall.state == CallState.MISSED),
    )

    def cell(self, record: Any, name: str, by: Actor, *, plain: bool = False) -> Cell:
        """Show a recording as a player, to who may listen."""
        if name != "recording":
            return super().cell(record, name, by, plain=plain)
        return sound_cell(record, by)


class PhoneCallView(_Calls):
    """Every call that the telephone systems told of, or that was dialled here."""

    api = PhoneCallApi

    def _record_rights(self) -> list[str]:
        return [*super()._record_rights(), "can_listen"]

    @expose("/<int:pk>/recording")
    def recording(self, pk: int) -> Response:
        """Answer a recording's bytes, whole or in part (Range)."""
        return recording_answer(self, pk, self._require("can_listen"))

    @expose("/mark")
    def mark(self) -> Response:
        """Tell by a tag alone whether one of the newest calls changed; lists ask this, then show themselves."""
        by = self._require("can_list")
        newest = (
            in_scope(PhoneCall, by)
            .with_only_columns(PhoneCall.id, PhoneCall.row_version)
            .order_by(PhoneCall.began_at.desc(), PhoneCall.id.desc())
            .limit(NEWEST)
        )
        answer = make_response("|".join(f"{key}.{version}" for key, version in db.session().execute(newest)))
        answer.add_etag()
        return answer.make_conditional(request)

    @expose("/ringing")
    def ringing(self) -> Response:
        """Tell who calls the person of this page just now; 304 while it is as it was."""
        by = self._require("can_list")
        calls = [panel_of(caller, by) for caller in shown_calls(db.session(), by, at=now())]
        answer = make_response(render_template("panel/ringing.html", calls=calls))
        answer.add_etag()
        return answer.make_conditional(request)


def panel_of(caller: Caller, by: Actor) -> CallPanel:
    """Return what the panel shows of a call: the caller's file, or the way to a new one."""
    call = caller.call
    customer = call.customer
    number = call.number_masked or _("Number not shown")
    ways: list[ActButton | Link] = []
    if customer is not None and may_open_record(customer, by):
        ways.append(Link(_("Open the file"), record_url("customer", customer.id), "person-vcard"))
    ways += [acting.button(act, call) for act in _acts_on(call, by)]
    if customer is None and not caller.owner_said and (way := _new_file(call, by)) is not None:
        # One way stands out: the file comes first, the call is registered with it.
        ways = [way, *(replace(each, tone="quiet") if isinstance(each, ActButton) else each for each in ways)]
    lines = [caller.owner_said] if caller.owner_said else []
    if customer is not None:
        owner = customer.owner_consultant or customer.developer
        lines.append(_("Customer of %(owner)s", owner=owner or _("nobody")))
        if caller.slip is not None:
            when = text_of(caller.slip.appointed_at, by)
            lines.append(_("Awaited %(when)s, slip %(slip)s", when=when, slip=caller.slip.slip_no))
    title = str(customer) if customer is not None else _("Number of another's customer") if lines else _("New number")
    return CallPanel(
        key=call.id,
        state=Cell(str(call.state.label), tone=call.state.tone),
        number=number,
        title=title,
        lines=lines,
        mind=caller.mind,
        ways=ways,
        told=_("%(state)s: %(who)s", state=call.state.label, who=title),
    )


def _acts_on(call: PhoneCall, by: Actor) -> list[Any]:
    act = REGISTRY.find("phone_call", "register")
    assert act is not None
    is_possible = by.may(act.table, act.permission) and (act.guard is None or act.guard(call, by) is None)
    return [act] if is_possible else []


def _new_file(call: PhoneCall, by: Actor) -> ActButton | None:
    """Return the way to a temporary file that takes the number of the call, which stays masked."""
    act = REGISTRY.find("customer", "register_temporary")
    if act is None or call.number is None or not by.may(act.table, act.permission):
        return None
    return acting.button(act, source=call)


class IncomingCallsView(_Calls):
    """来电列表, 2.1.1.1 step 1: answered before the second ring, every one registered."""

    canonical = False
    page = "incoming_calls"
    title = _l("Incoming calls")
    quick = (
        Tab("today", _l("Today"), _on(PhoneCall.began_at)),
        Tab(
            "mine",
            _l("My calls"),
            lambda by, now: PhoneCall.employee_id == by.employee_id,
        ),
        *_Calls.quick[2:],
        Tab("all", _l("All")),
    )
    filters = ("state", "employee_id", "is_in_time", "began_at")
    head_acts = ("contact_record.register_call",)

    def conditions(self, by: Actor) -> list[Any]:
        return [PhoneCall.direction == Direction.IN]


class PhoneSystemView(HouseView):
    """Telephone systems: how they are told to dial, from where recordings come."""

    datamodel = HouseInterface(PhoneSystem)
    group, icon = "system", "telephone-forward"
    list_columns = ("name", "state", "method", "address", "recording_hosts", "department", "branch")
    form_columns = (
        "branch_id",
        "name",
        "method",
        "address",
        "headers",
        "body",
        "timeout_seconds",
        "recording_hosts",
        "is_plain_allowed",
        "is_private_allowed",
        "department_id",
    )
    order_columns = ("name",)
    eager = ("department",)


class PhoneExtensionView(HouseView):
    """Extensions and who answers them."""

    datamodel = HouseInterface(PhoneExtension)
    group, icon = "system", "telephone"
    list_columns = ("extension", "employee", "branch", "retired_at")
    form_columns = ("branch_id", "extension", "employee_id", "retired_at")
    order_columns = ("extension",)
    default_order = "extension"
    descending = False


card("incoming_calls", "unregistered", _l("Calls not registered"), shows=Shows.NUMBER, order=5, menu=True)


def register(menu: Registrar) -> None:
    """Register this area's views; the list of calls stands below the menu paths that the white paper names (2.1)."""
    menu.page(IncomingCallsView, group="appointments", icon="telephone-inbound")
    menu.page(PhoneCallView)
    menu.page(CallEventView)
