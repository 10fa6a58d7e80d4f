"""A throw-away document with two acts and a line editor, by declaration alone.

Run by test_declared_document in a process of its own, since a declared table is there for the whole process.
Prints nothing and ends with 0 if everything followed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ForeignKey, Numeric, String, create_engine, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.schema import CreateTable

from app.actors import Actor
from app.acts import REGISTRY, Computed, act
from app.fields import HouseForm, Lines, Money, Pick, Whole, Words
from app.models.base import Base, Branched, Choice, Labelled, Recorded, Scope, Stateful, col, one_of
from app.words import _l

# --- the whole declaration ----------------------------------------------------------------------------------------


class TicketState(Labelled):
    OPEN = "open"
    DONE = "done"

    @classmethod
    def labels(cls) -> dict[object, object]:
        return {cls.OPEN: _l("Awaited"), cls.DONE: _l("Done")}


class Ticket(Stateful, Recorded, Branched, Base):
    """Something to be done."""

    __tablename__ = "ticket"
    TITLE, TITLES = _l("Notice"), _l("Notices")
    SCOPE = Scope(branch="branch_id", own=("owner_id",))
    STATES = TicketState
    MOVES = {TicketState.OPEN: {TicketState.DONE}}
    __table_args__ = (one_of("state", TicketState),)
    what: Mapped[str] = mapped_column(String(80), info=col(_l("Content"), search=True))
    owner_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Owner")))
    hours: Mapped[int | None] = mapped_column(info=col(_l("Order")))
    total: Mapped[Decimal | None] = mapped_column(Numeric(12, 2), info=col(_l("Total")))
    state: Mapped[TicketState] = mapped_column(Choice(TicketState), default=TicketState.OPEN, info=col(_l("State")))

    def __str__(self) -> str:
        return self.what


class Writing(HouseForm):
    what = Words(_l("Content"), required=True, most=80)


class Closing(HouseForm):
    hours = Whole(_l("Order"), required=True, least=1, most=99)


class Item(HouseForm):
    customer_id = Pick(_l("Customer"), table="customer", required=True)
    quantity = Whole(_l("Number"), required=True, least=1, most=99, default=1)
    price = Money(_l("Amount"), required=True)
    remark = Words(_l("Note"), most=40)


class Itemising(HouseForm):
    lines = Lines(_l("Rows"), row=Item, required=True, add_by="customer_id", computed={"amount": _l("Total")})


def worth(line: Mapping[str, Any]) -> Decimal | None:
    """What a line comes to; None while its inputs are not complete."""
    if line["price"] is None or line["quantity"] is None or line["customer_id"] is None:
        return None
    amount: Decimal = line["price"] * line["quantity"]
    return amount


def recompute(session: Session, ticket: Ticket, inputs: Mapping[str, Any], by: Actor, at: datetime) -> Computed:
    amounts = [worth(line) for line in inputs["lines"]]
    total = sum((amount for amount in amounts if amount is not None), Decimal("0.00"))
    return Computed([{"amount": amount} for amount in amounts], [(_l("Total"), total)])


@act(Ticket, "itemise", _l("Change"), form=Itemising, moves={TicketState.OPEN: None}, recompute=recompute)
def itemise(session: Session, ticket: Ticket, *, lines: list[dict[str, Any]], by: Actor, at: datetime) -> None:
    ticket.total = sum((worth(line) or Decimal(0) for line in lines), Decimal(0))


@act(Ticket, "write", _l("Open a login"), form=Writing, creates=True, main=True)
def write(session: Session, *, what: str, by: Actor, at: datetime) -> Ticket:
    ticket = Ticket(what=what, owner_id=by.employee_id, branch_id=by.branch_id)
    session.add(ticket)
    return ticket


@act(Ticket, "finish", _l("Complete"), form=Closing, moves={TicketState.OPEN: TicketState.DONE})
def finish(session: Session, ticket: Ticket, *, hours: int, by: Actor, at: datetime) -> None:
    ticket.hours = hours


# --- what must follow ---------------------------------------------------------------------------------------------


def main() -> None:
    """Make the application with this document in it and walk through everything that a declaration gives."""
    import app.views as views
    from app.panel.house_view import HouseView
    from app.panel.interface import HouseInterface

    class TicketView(HouseView):
        datamodel = HouseInterface(Ticket)
        list_columns = ("what", "state", "hours")
        show_sections = ((_l("Notice"), ("what", "hours", "total", "state")),)

    usual = views.audit.register

    def register(menu: object) -> None:
        usual(menu)  # type: ignore[arg-type]
        menu.page(TicketView, group="system", label=_l("Notices"))  # type: ignore[attr-defined]

    views.audit.register = register
    from app import create_app, roles
    from app.demo import load
    from app.panel.security import sync_security

    right = {"ticket": "list show write finish itemise"}
    worker = roles.ROLES["phone_consultant"]
    roles.ROLES["phone_consultant"] = roles.Role(worker.label, worker.code, worker.reach, {**worker.rights, **right})
    made = create_app()
    engine = create_engine(os.environ["DATABASE_OWNER_URL"].replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as owner:
        owner.execute(CreateTable(Ticket.__table__))
        owner.execute(text("grant select, insert, update on ticket to public"))
        owner.execute(text("grant usage on sequence ticket_id_seq to public"))
    load(made, say=lambda _line: None, share=0)
    sync_security(made)
    walk(made)


def walk(made: object) -> None:
    """Permission, button, dialog, plain page, REST, history, catalogue."""
    from tests.panel import declared_lines

    client = made.test_client()  # type: ignore[attr-defined]
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login/").text).group(1)  # type: ignore[union-attr]
    said = {"username": "phone_consultant", "password": "Yimei-demo-2026", "csrf_token": token}
    assert client.post("/login/", data=said).status_code == 302
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/").text).group(1)  # type: ignore[union-attr]
    assert "/ticket/act/write" in client.get("/ticket/list/").text, "the making act's button on the list"
    dialog = client.get("/ticket/act/write", headers={"X-Dialog": "1"}).text
    assert 'name="what"' in dialog, "the dialog asks the form's inputs"
    assert "<html" not in dialog, "the dialog is a fragment"
    assert "<html" in client.get("/ticket/act/write").text, "without JavaScript it is a page"
    sent = client.post("/ticket/act/write", data={"what": "擦镜子", "csrf_token": token})
    assert sent.status_code == 302, sent.text
    page = client.get(sent.location).text
    assert "/act/finish" in page, "the act's button on the record, while its state allows it"
    key = int(re.search(r"/ticket/show/(\d+)", sent.location).group(1))  # type: ignore[union-attr]
    assert client.post(f"/ticket/{key}/act/finish", data={"csrf_token": token}).status_code == 422
    declared_lines.on_screen(client, key, token)

    login = {"username": "phone_consultant", "password": "Yimei-demo-2026", "provider": "db"}
    bearer = client.post("/api/v1/security/login", json=login).json["access_token"]
    headers = {"Authorization": f"Bearer {bearer}"}
    declared_lines.over_rest(client, key, headers)
    refused = client.post(f"/api/v1/ticket/{key}/finish", json={"hours": 0}, headers=headers)
    assert (refused.status_code, list(refused.json["errors"])) == (422, ["hours"])
    done = client.post(f"/api/v1/ticket/{key}/finish", json={"hours": 3}, headers=headers)
    assert (done.status_code, done.json["state"], done.json["hours"], done.json["acts"]) == (200, "done", 3, [])
    again = client.post(f"/api/v1/ticket/{key}/finish", json={"hours": 3}, headers=headers)
    assert again.status_code == 409, "the state forbids it now"
    assert "/act/finish" not in client.get(sent.location).text, "and the button is gone"
    told = client.get("/api/v1/acts", headers=headers).json["result"]
    found = {entry["act"]: entry for entry in told if entry["table"] == "ticket"}
    assert found["finish"]["moves"] == {"open": "done"}
    assert found["finish"]["roles"] == ["phone_consultant"]

    login["username"] = "guide"
    bearer = client.post("/api/v1/security/login", json=login).json["access_token"]
    stranger = client.get("/api/v1/ticket/", headers={"Authorization": f"Bearer {bearer}"})
    assert stranger.status_code == 403, "who has no right is refused"
    history(made, key)
    declared_lines.in_browser(made)
    assert REGISTRY.find("ticket", "finish") is not None


def history(made: object, key: int) -> None:
    """Who, when, which act, with which inputs."""
    from app.extensions import db
    from app.models.audit import ActRun

    with made.app_context():  # type: ignore[attr-defined]
        of_ticket = select(ActRun).where(ActRun.table_name == "ticket", ActRun.record_id == key)
        runs = db.session.scalars(of_ticket.order_by(ActRun.id)).all()
        assert "itemise" in {run.act for run in runs}
        runs = [run for run in runs if run.act != "itemise"]
        told = [(run.act, run.inputs, run.from_state, run.to_state, run.employee_id is not None) for run in runs]
        assert told == [
            ("write", {"what": "擦镜子"}, None, "open", True),
            ("finish", {"hours": 3}, "open", "done", True),
        ], told


if __name__ == "__main__":
    main()
