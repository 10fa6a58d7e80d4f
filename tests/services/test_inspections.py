"""Official visits in the open: told, accompanied, documented, put right. Triage SOP S4, SM-31, L24."""

from __future__ import annotations

import ast
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

import app as house
from app.acts import REGISTRY
from app.errors import IllegalMove, InvalidInput, NotPermitted, Refusal
from app.models.audit import Notice
from app.models.inspection import HandedHow, InspectionDocument, InspectionState, InspectionVisit, TaskState
from app.models.reception import ServiceDesk
from app.models.trail import AuditLog
from app.roles import ROLES, rights_of
from app.services.inspection import receiving

I = InspectionState  # noqa: E741
WHO = {
    "agency": "区卫生健康委员会",
    "officers": "王某、李某",
    "certificate_no": "沪卫监 0123",
    "purpose": "日常监督检查",
    "is_seen": True,
}


@pytest.fixture
def here(do: Callable[..., Any], guide: Any) -> InspectionVisit:
    return do("inspection_visit.register", guide, **WHO).record


@pytest.fixture
def contact(person: Callable[..., Any]) -> Any:
    return person("inspection_contact")


def line(**values: Any) -> dict[str, Any]:
    return {"what": "手术登记本", "handed": HandedHow.COPY, "pages": 3, "remark": None} | values


def test_whoever_holds_the_duty_is_told_by_time_authority_and_names(do, guide, here, session, person, at):
    """S4: a role, not names; the reminder of the screen's lock comes at a desk in public, as for any visitor."""
    told = session.scalars(select(Notice).where(Notice.kind == "inspection_here", Notice.record_id == here.id)).all()
    duty = {person(name).employee_id for name in ROLES if ("inspection_visit", "can_accompany") in rights_of(name)}
    assert {notice.employee_id for notice in told} == duty
    assert (here.state, here.notified_at) == (I.NOTIFIED, at)
    assert told[0].facts["officers"] == WHO["officers"]
    desk = ServiceDesk(code="F7", name="一楼前台", branch_id=guide.branch_id, is_public=True)
    session.add(desk)
    session.flush()
    answer = do("inspection_visit.register", guide, **WHO, desk_id=desk.id)
    assert "Ctrl+Alt+L" in answer.notice
    with pytest.raises(InvalidInput):
        do("inspection_visit.register", guide, inputs={**WHO, "is_seen": ""})


def test_where_nobody_holds_the_duty_it_is_said_and_told_later(do, guide, session, monkeypatch):
    holders = receiving.holders_of
    monkeypatch.setattr(receiving, "holders_of", lambda *_a, **_k: [])
    alone = do("inspection_visit.register", guide, **WHO).record
    assert alone.state is I.ARRIVED
    with pytest.raises(Refusal):
        do("inspection_visit.notify", guide, alone)
    monkeypatch.setattr(receiving, "holders_of", holders)
    do("inspection_visit.notify", guide, alone)
    assert alone.state is I.NOTIFIED


#: SM-31: in each state, what may be done and where it leads; everything else is refused.
MOVES = {
    ("accompany", I.NOTIFIED): I.ACCOMPANIED,
    ("document", I.ACCOMPANIED): I.DOCUMENTED,
    ("leave", I.DOCUMENTED): I.LEFT,
    ("rectify", I.LEFT): I.RECTIFYING,
    ("rectify", I.RECTIFYING): I.RECTIFYING,
    ("close", I.LEFT): I.CLOSED,
    ("close", I.RECTIFYING): I.CLOSED,
}
WAY = [
    ("accompany", {}),
    ("document", {"documents": [line()], "signed_by": "王某"}),
    ("leave", {"result": "限期整改"}),
    ("rectify", None),
    ("rectify", None),
    ("close", {}),
]


def test_sm_31_goes_one_way_and_every_other_act_is_refused(do, person, employee, here, session, at):
    """The decision table of SM-31, walked; in each state every act that does not stand in it is an illegal move."""
    boss = person("hospital_director")
    until = (at + timedelta(days=7)).date()
    task = {"what": "补齐登记", "responsible_id": employee("guide_supervisor").id, "due_on": until}
    tasks = []
    for name, values in WAY:
        for other in ("accompany", "document", "leave", "rectify", "close"):
            if (other, here.state) not in MOVES:
                given = next(said for act, said in WAY if act == other)
                with pytest.raises(IllegalMove):
                    do(f"inspection_visit.{other}", boss, here, **(task if given is None else given))
        if name == "close":
            with pytest.raises(Refusal):
                do("inspection_visit.close", boss, here)
            for one in tasks:
                do("inspection_task.mend", person("guide_supervisor"), one, done_note="已补齐")
        before = here.state
        answer = do(f"inspection_visit.{name}", boss, here, **(task if values is None else values))
        if values is None:
            tasks.append(answer.result)
        assert here.state is MOVES[name, before]
    assert [one.state for one in tasks] == [TaskState.DONE] * 2
    assert session.query(Notice).filter_by(kind="inspection_task").count() == 2


def test_the_list_is_a_receipt_that_nobody_changes(do, contact, here, session):
    """What was asked for and handed over is kept for good, the house's owner included; withheld needs its reason."""
    do("inspection_visit.accompany", contact, here)
    wrong = (
        {"signed_by": "王某"},
        {"documents-0-what": "处方", "documents-0-handed": "not_given", "signed_by": "王某"},
    )
    for inputs in wrong:
        with pytest.raises(InvalidInput):
            do("inspection_visit.document", contact, here, inputs=inputs)
    do("inspection_visit.document", contact, here, documents=[line(), line(what="处方")], signed_by="王某")
    listed = session.scalars(select(InspectionDocument).where(InspectionDocument.inspection_id == here.id)).all()
    assert [one.what for one in listed] == ["手术登记本", "处方"]
    assert {one.handed_by_id for one in listed} == {contact.employee_id}
    for change in ("update inspection_document set what = 'x'", "delete from inspection_document"):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(text(change))


def test_who_may(do, guide, contact, person, here, employee, at):
    with pytest.raises(NotPermitted):
        do("inspection_visit.accompany", guide, here)
    with pytest.raises(NotPermitted):
        do("inspection_visit.register", person("phone_consultant"), **WHO)
    with pytest.raises(NotPermitted):
        do("inspection_visit.close", contact, here)
    do("inspection_visit.accompany", contact, here)
    do("inspection_visit.document", contact, here, documents=[], is_nothing_asked=True, signed_by="王某")
    do("inspection_visit.leave", contact, here, result="无问题")
    for wrong in (
        {"responsible_id": employee("cashier").id, "due_on": at.date() + timedelta(days=2)},
        {"responsible_id": employee("guide_supervisor").id, "due_on": at.date() - timedelta(days=2)},
        {"responsible_id": employee("b2_guide_supervisor").id, "due_on": at.date() + timedelta(days=2)},
    ):
        with pytest.raises(InvalidInput):
            do("inspection_visit.rectify", contact, here, what="补齐登记", **wrong)


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


def test_nothing_in_the_house_asks_whether_officers_are_here():
    """L24: no act, right, list, job or lock can hide, delete, alter or shut down for an inspection, because nothing but
    its own three modules knows of one, and its own acts write its own tables alone."""
    root = Path(house.__file__).parent
    own = {"models/inspection.py", "views/inspection.py", "views/__init__.py"}
    knows = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if any(".inspection" in name for name in _imports(path)) or "inspection_visit" in path.read_text("utf-8")
    }
    # Who may, the rule of its numbers, the sentences of its constraints
    allowed = {"roles.py", "services/reference.py", "services/constraints.py"}
    assert {name for name in knows if not name.startswith("services/inspection/")} <= own | allowed, knows
    written = {"visit", "document", "task"}
    for act in REGISTRY:
        if act.table.startswith("inspection_"):
            assert act.table.removeprefix("inspection_") in written
            assert not {"hide", "delete", "purge", "lock", "shut"} & set(act.name.split("_")), act.key


def test_work_and_the_trail_go_on_and_read_the_same_while_officers_are_here(
    rest, login, session, guide, do, make_customer
):
    """The same lists, the same rights and a trail that grows, before and during an inspection; under the lock, too."""
    customer, call = make_customer(), rest("guide")
    lists = ("customer/", "visit/", "appointment_slip/")

    def world() -> list[Any]:
        return [call("GET", address).json["count"] for address in lists] + sorted(guide.rights)

    def trail() -> int:
        return session.scalar(select(func.count()).select_from(AuditLog)) or 0

    before = world()
    made = call("POST", "inspection_visit/register", dict(WHO))
    assert made.status_code == 201, made.text
    assert world() == before
    grown, screen = trail(), login("guide")
    assert screen.post("/lock", data={"csrf_token": screen.token}).status_code == 302
    assert screen.get("/visit/list/").status_code == 423, "the lock covers one screen, and is written down itself"
    assert trail() > grown
    assert world() == before, "and only the screen: whoever is entitled reads on"
    grown = trail()
    visit = do("visit.receive", guide, customer_id=customer.id).record
    do("visit.cancel", guide, visit, reason="有事先走")
    assert trail() > grown
    assert call("POST", "inspection_visit/register", {"agency": ["x"]}).status_code == 422
    assert call("DELETE", f"inspection_visit/{made.json['id']}").status_code in (404, 405)
    assert call("PUT", f"inspection_visit/{made.json['id']}", {"result": "x"}).status_code in (403, 404, 405)
    assert rest("inspection_contact")("POST", f"inspection_visit/{made.json['id']}/accompany", {}).status_code == 200
