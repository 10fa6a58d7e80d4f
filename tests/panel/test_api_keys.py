"""API keys: a person's rights, narrowed; shown once, dead at once. Issue 4, section 4; white paper H, L14."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from app.errors import InvalidInput, Refusal
from app.models.api_keys import ApiKey
from app.models.files import FilePurpose
from app.roles import ACCOUNTS
from app.services.api_keys import narrowed, never_acts
from app.services.files import keep, readable

SEEING = {("employee", "can_list"), ("employee", "can_show")}


@pytest.fixture
def issue(do, person, employee, at):
    """Issue a key as an administrator; returns the key's text and its row."""

    def make(username="phone_consultant", by="admin", days=30, **values):
        values = {"roles": [], "rights": None, **values}
        done = do(
            "api_key.issue",
            person(by),
            name="接口",
            employee_id=employee(username).id,
            expires_on=(at + timedelta(days=days)).date(),
            **values,
        )
        return done.shown, done.record

    return make


@pytest.fixture
def call(app, session):
    """Call REST with a key."""
    client = app.test_client()

    def go(key, method, path, body=None):
        return client.open(f"/api/v1/{path}", method=method, json=body, headers={"Authorization": f"Bearer {key}"})

    return go


def test_a_key_narrows_its_holders_rights(issue, call, make_customer, session):
    make_customer()
    key, row = issue(rights="customer.list customer.edit param.list")
    assert call(key, "GET", "customer/").json["count"] >= 1
    assert call(key, "GET", "appointment_slip/").status_code == 403, "the holder may, the key does not name it"
    assert call(key, "GET", "param/").status_code == 403, "the key names it, the holder may not"
    session.expire_all()
    assert session.get(ApiKey, row.id).last_used_at is not None


def test_roles_narrow_as_well_and_take_the_roles_themselves_along(issue, person):
    _key, row = issue("branch_head", roles=["guide"])
    holder = person("branch_head")
    cut = narrowed(holder, row)
    assert cut.rights <= holder.rights
    assert cut.roles == frozenset()
    assert cut.name == f"{holder.name} key:{row.id}"


def test_a_key_never_makes_keys_or_logins(issue, call, employee):
    key, _row = issue("admin", roles=["admin"])
    assert call(key, "GET", "api_key/").status_code == 403
    assert call(key, "GET", "employee/").status_code == 200
    told = call(key, "POST", f"employee/{employee('guide').id}/reset_password", {"password": "Another-pass-2026"})
    assert told.status_code == 403


def test_what_it_writes_names_person_and_key(issue, call, session, phone):
    key, row = issue(rights="customer.register_temporary customer.list customer.show")
    made = call(key, "POST", "customer/register_temporary", {"name": "林小雨", "phone": phone()})
    assert made.status_code == 201, made.text
    user_id = session.scalar(select(ApiKey).where(ApiKey.id == row.id)).employee.user_id
    actor = session.scalar(text("select actor from act_run where table_name = 'customer' order by id desc limit 1"))
    assert actor == f"user:{user_id} key:{row.id}"


@pytest.mark.parametrize("end", ["revoked", "expired", "closed", "left", "unknown", "malformed", "other"])
def test_a_key_that_ended_is_refused_at_once_and_noted(end, issue, call, do, admin, employee, session, at):
    key, row = issue(rights="customer.list")
    assert call(key, "GET", "customer/").status_code == 200
    if end == "revoked":
        do("api_key.revoke", admin, row)
    elif end == "expired":
        row.issued_at, row.expires_at = at - timedelta(days=2), at - timedelta(days=1)
        session.commit()
    elif end == "closed":
        do("employee.close_login", admin, employee("phone_consultant"))
    elif end == "left":
        session.execute(text("update employee set state = 'left' where id = :id"), {"id": row.employee_id})
        session.commit()
    elif end == "other":
        key = key[:-2] + ("aa" if not key.endswith("aa") else "bb")
    else:
        key = {"unknown": "yk_abcdefgh_" + "x" * 43, "malformed": "yk_\u00ff'; drop"}[end]
    assert call(key, "GET", "customer/").status_code == 401
    noted = session.execute(
        text("select actor, after from audit_log where operation = 'api_key_refused' order by id desc limit 1")
    ).one()
    assert noted.actor.startswith("api_key@")
    assert key not in str(noted.after)


def test_it_is_shown_once_and_stored_as_a_hash(issue, session, rest):
    key, row = issue(rights="customer.list")
    stored = session.execute(
        text("select to_jsonb(k)::text from api_key k where id = :id"), {"id": row.id}
    ).scalar_one()
    assert key not in stored
    assert key[12:] not in stored
    told = rest("admin")("GET", f"api_key/{row.id}")
    assert told.status_code == 200
    assert row.key_hash not in told.text
    assert key not in told.text


def test_who_issues_could_have_set_the_password(issue):
    """R-2.1.3-5: the information centre lends no approver's name, nor an administrator's."""
    issue("phone_consultant", by="it_manager", rights="customer.list")
    for above in ("branch_head", "admin"):
        with pytest.raises(Refusal):
            issue(above, by="it_manager", rights="customer.list")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "roles"),
        ({"rights": "nothing.list"}, "rights"),
        ({"rights": "customer"}, "rights"),
        ({"rights": "customer.list", "days": 400}, "expires_on"),
        ({"rights": "customer.list", "days": -2}, "expires_on"),
    ],
)
def test_a_key_without_bounds_is_not_issued(values, field, issue):
    with pytest.raises(InvalidInput) as wrong:
        issue(**values)
    assert set(wrong.value.errors) == {field}


def test_guessing_is_limited(database):
    from app import create_app
    from app.extensions import db

    app = create_app(SQLALCHEMY_DATABASE_URI=database[0], RATELIMIT_ENABLED=True)
    with app.app_context():
        app.appbuilder.sm.limiter.limiter.storage.reset()
    client = app.test_client()
    keys = [f"Bearer yk_abcdefgh_{number:043}" for number in range(32)]
    codes = [client.get("/api/v1/customer/", headers={"Authorization": key}).status_code for key in keys]
    assert codes[:30] == [401] * 30
    assert codes[30:] == [429] * 2
    with app.app_context():
        app.appbuilder.sm.limiter.limiter.storage.reset()
        db.session.remove()
        db.engine.dispose()


def test_a_key_opens_no_page_and_a_cookie_no_rest(issue, app, login):
    key, _row = issue(rights="customer.list")
    page = app.test_client().get("/customer/list/", headers={"Authorization": f"Bearer {key}"})
    assert page.status_code == 302
    assert login("admin").get("/api/v1/customer/").status_code == 401


def test_a_closed_login_takes_its_tokens_along(rest, do, admin, employee):
    call = rest("phone_consultant")
    assert call("GET", "customer/").status_code == 200
    do("employee.close_login", admin, employee("phone_consultant"))
    assert call("GET", "customer/").status_code == 401


def test_no_key_keeps_logins_rights_or_guards(issue, call, person, employee):
    """Every act on accounts is a person's: one that is new, too; so are reaches of roles and what guards the system."""
    _key, row = issue("admin", roles=["admin"])
    cut = narrowed(person("admin"), row)
    account_acts = {("employee", f"can_{name}") for name in ACCOUNTS["employee"].split()} - SEEING
    assert account_acts <= never_acts()
    assert not cut.rights & account_acts
    assert not {table for table, _right in cut.rights} & {"api_key", "role_override", "role_reach"}
    key, _row = issue("admin", rights="param.set_value employee.unlock_login role_reach.add")
    assert call(key, "POST", "param/set_value", {"key": "password.length", "value": "8"}).status_code == 409
    assert call(key, "POST", "param/set_value", {"key": "appointments.grace_minutes", "value": "30"}).status_code == 201
    assert call(key, "POST", f"employee/{employee('guide').id}/unlock_login", {"reason": "来电"}).status_code == 403
    assert (
        call(key, "POST", "role_reach/", {"role": "guide", "table_name": "customer", "reach": "group"}).status_code
        == 403
    )


def test_a_key_reads_its_persons_files_only_with_the_right_on_their_record(issue, make_slip, person, session, at):
    mine, slip = person("phone_consultant"), make_slip()

    def kept_as(purpose, subject=None):
        return keep(session, b"x", "a.pdf", "application/pdf", purpose=purpose, by=mine, at=at, subject=subject)

    kept = kept_as(FilePurpose.EVIDENCE, ("appointment_slip", slip.id))
    loose, held = kept_as(FilePurpose.EVIDENCE), kept_as(FilePurpose.RESULT, ("appointment_slip", slip.id))
    blind, seeing = (narrowed(mine, issue(rights=right)[1]) for right in ("customer.list", "appointment_slip.show"))
    assert readable(session, kept.id, mine) is kept
    assert readable(session, kept.id, blind) is None
    assert readable(session, kept.id, seeing) is kept
    assert readable(session, loose.id, blind) is loose, "what the program has just sent and no record has"
    assert readable(session, held.id, mine) is held
    assert readable(session, held.id, seeing) is None, "nobody has said what right its content wants"


def test_a_closed_login_takes_its_keys_along_for_good(issue, call, do, admin, employee):
    key, _row = issue(rights="customer.list")
    do("employee.close_login", admin, employee("phone_consultant"))
    do("employee.reopen_login", admin, employee("phone_consultant"))
    assert call(key, "GET", "customer/").status_code == 401
