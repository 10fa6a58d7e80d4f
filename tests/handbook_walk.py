"""Walk through what the developer's pages make. Run by test_handbook in a copy of the project into which they were
typed; ends with 0 if a room is added, closed, printed, counted and opened again as the pages say."""

from __future__ import annotations

import html
import os
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, select, text
from sqlalchemy.schema import CreateTable

PASSWORD = "Yimei-demo-2026"


def main() -> None:
    """Make the application with the rooms in it, and walk."""
    from app import create_app
    from app.demo import load
    from app.panel.security import sync_security

    made = create_app()
    create_rooms()
    load(made, say=lambda _line: None, share=0)
    sync_security(made)
    client, call = entered(made)
    key = add(client)
    close(client, key)
    print_sign(call, key)
    report(made, client)
    open_again(made, client, key)


def create_rooms() -> None:
    """Make what the migration would make, with the rights that migrated tables have."""
    from app.models.rooms import Room

    engine = create_engine(os.environ["DATABASE_OWNER_URL"].replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as owner:
        owner.execute(CreateTable(Room.__table__))  # type: ignore[arg-type]
        owner.execute(text("grant select, insert, update on room to public"))
        owner.execute(text("grant usage on sequence room_id_seq to public"))
    engine.dispose()


def entered(made: Flask) -> tuple[FlaskClient, Any]:
    """Return a browser-like client of HR, and a caller of REST with her token."""
    client = made.test_client()
    client.token = token_in(client.get("/login/").text)  # type: ignore[attr-defined]
    said = {"username": "hr", "password": PASSWORD}
    assert client.post("/login/", data={**said, "csrf_token": client.token}).status_code == 302  # type: ignore[attr-defined]
    client.token = token_in(client.get("/").text)  # type: ignore[attr-defined]
    bearer = made.test_client().post("/api/v1/security/login", json={**said, "provider": "db"}).json["access_token"]
    headers = {"Authorization": f"Bearer {bearer}"}
    return client, lambda method, path: made.test_client().open(f"/api/v1/{path}", method=method, headers=headers)


def token_in(page: str) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found is not None
    return found[1]


def sent(client: FlaskClient, path: str, **inputs: str) -> str:
    """Send a form and return the address of the page that follows."""
    answer = client.post(path, data={**inputs, "csrf_token": client.token})  # type: ignore[attr-defined]
    assert answer.status_code == 302, answer.text
    return answer.location


def add(client: FlaskClient) -> int:
    """A table: in the menu, a form to add, a list, a record with its facts."""
    assert 'href="/room/list/"' in client.get("/").text, "the menu entry"
    page = client.get(sent(client, "/room/add", name="咨询室 1")).text
    assert "咨询室 1" in page
    assert client.get("/room/list/?q=咨询").text.count("咨询室 1") >= 1
    found = re.search(r"/room/(\d+)/act/close", page)
    assert found is not None, "the act's button"
    return int(found[1])


def close(client: FlaskClient, key: int) -> None:
    """An act: refuses what has passed, closes, and its reason stands in the history."""
    zone_later = datetime.now(UTC) + timedelta(hours=12)
    wrong = {"closed_until": "2020-01-01T00:00", "reason": "装修", "csrf_token": client.token}  # type: ignore[attr-defined]
    assert client.post(f"/room/{key}/act/close", data=wrong).status_code == 422
    until = zone_later.strftime("%Y-%m-%dT%H:%M")
    page = client.get(sent(client, f"/room/{key}/act/close", closed_until=until, reason="装修")).text
    assert "装修" in page
    assert f"/room/{key}/act/reopen" in page


def print_sign(call: Any, key: int) -> None:
    """A form: printed twice, a PDF each time."""
    for _copy in range(2):
        answer = call("POST", f"room/{key}/print/room_sign")
        assert answer.status_code == 200, answer.text
        assert answer.data.startswith(b"%PDF")


def report(made: Flask, client: FlaskClient) -> None:
    """A report: its page, its figures, and the rows behind one."""
    from app.extensions import db
    from app.models.rooms import Room
    from app.reports.base import REPORTS, Asked
    from app.services.hr import actor_for_user

    assert 'href="/report/rooms_closed/' in client.get("/").text, "the menu entry"
    with made.app_context():
        room = db.session.scalars(select(Room)).one()
        by = actor_for_user(db.session(), room.created_by_id, "hr")
        asked = Asked(day=datetime.now(by.timezone).date(), branch_id=room.branch_id)
        facts = REPORTS["rooms_closed"].gather(db.session(), asked, by, datetime.now(UTC))
        assert [figure.value for figure in facts.figures] == [1, 1, 1]
    page = client.get("/report/rooms_closed/").text
    opened = re.search(r'href="(/report/rooms_closed/rows[^"]+)"', page)
    assert opened is not None, "a figure opens its rows"
    assert "咨询室 1" in client.get(html.unescape(opened[1])).text


def open_again(made: Flask, client: FlaskClient, key: int) -> None:
    """A job: the scheduler's look opens the room when its time is over."""
    from app.jobs.clock import look
    from app.jobs.declared import JOBS

    look(made, JOBS["rooms.reopen"], lambda: datetime.now(UTC))
    assert f"/room/{key}/act/reopen" in client.get(f"/room/show/{key}").text, "not before its time"
    look(made, JOBS["rooms.reopen"], lambda: datetime.now(UTC) + timedelta(days=1))
    assert f"/room/{key}/act/close" in client.get(f"/room/show/{key}").text, "open again"


if __name__ == "__main__":
    main()
