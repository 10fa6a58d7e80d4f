"""The doors: locks after failures, second factors, what is owed first, sessions, the lock of the screen. H.2, L14."""

from __future__ import annotations

import re
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import select, text, update

from app.models.base import METADATA
from app.models.doors import LoginAccount, LoginAttempt, LoginSession, OneTimeCode
from app.models.settings import Param
from app.services.doors import passwords
from app.unit import acting_as
from tests.conftest import PASSWORD, token_of
from tests.panel.test_login import events, page_token

NEW = "Another-2026-x"


@pytest.fixture
def do(session, do):
    """Run an act as its person, of whom the trail is told as it is in a request."""

    def perform(key, by, *record, **values):
        session.commit()
        with acting_as(by.name):
            done = do(key, by, *record, **values)
        session.commit()
        return done

    return perform


@pytest.fixture
def setting(session, at):
    """Put a setting in force for the group."""

    def put(key, value):
        session.add(Param(key=key, value=value, effective_at=at - timedelta(seconds=1)))
        session.flush()

    return put


@pytest.fixture
def token_login(app, session):
    """Ask for a token: ``token_login("guide", password="…", totp="…")``."""

    def ask(username, password=PASSWORD, **more):
        body = {"username": username, "password": password, "provider": "db", **more}
        return app.test_client().post("/api/v1/security/login", json=body)

    return ask


@pytest.fixture
def page_login(app, session):
    """Log in on the page; returns the client and the page that follows."""

    def ask(username, password=PASSWORD):
        client = app.test_client()
        said = {"username": username, "password": password, "csrf_token": page_token(client)}
        answer = client.post("/login/", data=said)
        client.token = token_of(app, client)
        return client, answer

    return ask


def send(client, path, **inputs):
    return client.post(path, data={**inputs, "csrf_token": client.token})


def user_id(session, username):
    user = METADATA.tables["ab_user"]
    return session.scalar(select(user.c.id).where(user.c.username == username))


def moved(session, back, **columns):
    """Let time pass for the newest session: move its instants into the past."""
    newest = session.scalars(select(LoginSession).order_by(LoginSession.id.desc())).first()
    for name in columns or {"last_seen_at": None}:
        setattr(newest, name, getattr(newest, name) - back)
    session.commit()
    return newest


# --- a sign of life ----------------------------------------------------------------------------------------------


def test_who_is_there_for_more_than_a_minute_is_seen_again(session, page_login):
    """Every page after the first minute writes a sign of life, outside any act."""
    client, _answer = page_login("guide")
    before = moved(session, timedelta(minutes=2)).last_seen_at
    assert client.get("/").status_code == 200
    session.expire_all()
    newest = session.scalars(select(LoginSession).order_by(LoginSession.id.desc())).first()
    assert newest.last_seen_at - before >= timedelta(minutes=2)
    moved(session, timedelta(minutes=2))
    assert send(client, "/here").status_code == 204


# --- failures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("username", ["guide", "no_such_name"])
def test_five_failures_lock_a_name_whether_it_exists_or_not(session, token_login, page_login, username):
    """H.2: 5 failures, 15 minutes; on the page and over REST by one count, with the same sentences."""
    said = [token_login(username, "wrong").json["message"] for _try in range(4)]
    assert set(said) == {"登录名、密码或验证码不对。"} or len(set(said)) == 1
    client, answer = page_login(username, "wrong")
    assert "15" in client.get(answer.location).text, "the fifth says that the name is locked, and for how long"
    refused = token_login(username, PASSWORD)
    assert refused.status_code == 401
    assert "15" in refused.json["message"], "the right password too"
    kinds = [kind for kind, _actor, _after in events(session, "login_failed", "locked_out")]
    assert kinds == ["login_failed"] * 5 + ["locked_out", "login_failed"]
    for attempt in session.scalars(select(LoginAttempt).where(LoginAttempt.locked_until.is_not(None))):
        attempt.locked_until -= timedelta(minutes=15)
    session.commit()
    assert token_login(username).status_code == (200 if username == "guide" else 401), "the time is over"


def test_capitals_and_blanks_do_not_make_another_name(session, token_login):
    for name in ("guide", "GUIDE", " guide", "Guide ", "guide"):
        assert token_login(name, "wrong").status_code == 401
    assert token_login("guide").status_code == 401


def test_a_right_password_forgets_the_failures_before_it(session, token_login):
    for _round in range(3):
        for _try in range(4):
            token_login("guide", "wrong")
        assert token_login("guide").status_code == 200


def test_an_address_is_locked_after_more(session, token_login, setting):
    setting("login.address_failures", "6")
    for number in range(6):
        assert token_login(f"name_{number}", "wrong").status_code == 401
    assert "15" in token_login("guide").json["message"]


def test_known_and_unknown_names_cost_the_same_comparisons(session, token_login, monkeypatch, do, admin, employee):
    """One comparison of a hash each: wrong, unknown, closed, locked, and what no database can hold."""
    compared = []
    real = passwords.check_password_hash
    passwords.nobodys_hash()
    monkeypatch.setattr(passwords, "check_password_hash", lambda *said: compared.append(1) or real(*said))
    do("employee.close_login", admin, employee("guide"))
    counts = {}
    for name in ("phone_consultant", "nobody_knows", "guide", "a\x00b", "\ud800"):
        before = len(compared)
        assert token_login(name, "wrong").status_code == 401
        counts[name] = len(compared) - before
    for _try in range(6):
        before = len(compared)
        token_login("nobody_knows", "wrong")
    counts["locked"] = len(compared) - before
    assert set(counts.values()) == {1}, counts


def test_the_information_centre_unlocks(session, token_login, do, person, employee):
    for _try in range(5):
        token_login("guide", "wrong")
    assert token_login("guide").status_code == 401
    do("employee.unlock_login", person("it_manager"), employee("guide"), reason="来电")
    assert token_login("guide").status_code == 200


def test_a_malformed_login_is_400(app, session):
    for body in ({}, {"username": 1, "password": "x", "provider": "db"}, {"username": "a", "password": "b"}):
        assert app.test_client().post("/api/v1/security/login", json=body).status_code == 400
    wrong = {"username": "a", "password": "b", "provider": "db", "admin": True}
    assert app.test_client().post("/api/v1/security/login", json=wrong).status_code == 400
    wrong = {"username": "a", "password": "b", "provider": "ldap"}
    assert app.test_client().post("/api/v1/security/login", json=wrong).status_code == 400


# --- the second factor -------------------------------------------------------------------------------------------


def set_up(client, session, username):
    """Set up a second factor on its pages; return the authenticator and the recovery codes."""
    assert send(client, "/my-login/second-factor/begin").status_code == 302
    page = client.get("/my-login/second-factor").text
    assert 'src="data:image/svg+xml' in page, "the picture is in the page, nothing is fetched for it"
    seed = session.scalar(select(LoginAccount.totp_pending).where(LoginAccount.user_id == user_id(session, username)))
    assert seed in page.replace(" ", ""), "the key can be typed"
    device = pyotp.TOTP(seed)
    assert send(client, "/my-login/second-factor", code="000000").status_code == 422
    shown = send(client, "/my-login/second-factor", code=device.now())
    codes = re.findall(r"<li>([0-9A-Z]{5}-[0-9A-Z]{5})</li>", shown.text)
    assert len(set(codes)) == 10
    return device, codes


def later(session, username):
    """Forget the step that was taken, as if half a minute had passed."""
    session.execute(
        update(LoginAccount).where(LoginAccount.user_id == user_id(session, username)).values(totp_last_step=None)
    )


def test_a_second_factor_is_asked_for_on_the_page_and_over_rest(session, login, page_login, token_login):
    device, codes = set_up(login("guide"), session, "guide")
    client, answer = page_login("guide")
    assert answer.location == "/login/second"
    assert client.get("/customer/list/").status_code == 302, "the password alone opens nothing"
    assert send(client, "/login/second", code=device.now()).status_code == 422, "the code of the set-up is spent"
    later(session, "guide")
    assert send(client, "/login/second", code=device.now()).status_code == 302
    assert client.get("/").status_code == 200

    asked = token_login("guide")
    assert (asked.status_code, asked.json["totp"]) == (401, "needed")
    assert token_login("guide", totp=device.now()).status_code == 401, "a code is good once"
    assert token_login("guide", totp=codes[0].lower().replace("-", " ")).status_code == 200, "a recovery code, typed"
    assert token_login("guide", totp=codes[0]).status_code == 401, "a recovery code is good once"
    assert codes[1] not in str(session.execute(select(OneTimeCode.code_hash)).all())


def test_a_code_is_good_half_a_minute_before_and_after_and_no_more(session, login, at):
    from app.services.doors import factor

    device, _codes = set_up(login("guide"), session, "guide")
    account = session.scalars(select(LoginAccount).where(LoginAccount.user_id == user_id(session, "guide"))).one()
    for skew, good in ((-60, False), (60, False), (-30, True), (0, True), (30, True), (0, False)):
        if skew == -60 or skew == -30:
            later(session, "guide")
        assert factor.accept(session, account, device.at(at, counter_offset=skew // 30), at) is good, skew


def test_wrong_codes_lock_like_wrong_passwords_and_a_right_password_forgives_none(session, login, token_login):
    device, _codes = set_up(login("guide"), session, "guide")
    later(session, "guide")
    for _try in range(5):
        assert token_login("guide").json["totp"] == "needed"
        token_login("guide", totp="123456")
    assert "15" in token_login("guide", totp=device.now()).json["message"]


def test_unlocking_gives_no_further_tries_at_the_codes(session, login, token_login, do, person, employee):
    """Who knows a password and lets herself be unlocked again and again does not guess the second factor."""
    device, _codes = set_up(login("guide"), session, "guide")
    later(session, "guide")
    for _try in range(5):
        token_login("guide", totp="123456")
    do("employee.unlock_login", person("it_manager"), employee("guide"), reason="来电")
    assert token_login("guide").json["totp"] == "needed", "her password is looked at again"
    assert "15" in token_login("guide", totp=device.now()).json["message"]


def test_the_trail_names_a_try_without_what_no_screen_shows(session, token_login):
    token_login("gui\nde\u202e\x1b[2J", "wrong")
    told = session.scalar(text("select actor from audit_log where operation = 'login_failed' order by id desc limit 1"))
    assert told.startswith("login:guide[2j@"), told


def test_a_second_factor_is_taken_away_with_password_and_code(session, login, token_login):
    client = login("guide")
    device, codes = set_up(client, session, "guide")
    later(session, "guide")
    assert send(client, "/my-login/second-factor/off", password="wrong", code=device.now()).status_code == 409
    assert send(client, "/my-login/second-factor/off", password=PASSWORD, code="12").status_code == 409
    fresh = send(client, "/my-login/second-factor/codes", password=PASSWORD, code=codes[0])
    assert fresh.status_code == 200
    assert codes[1] not in fresh.text
    assert send(client, "/my-login/second-factor/off", password=PASSWORD, code=codes[1]).status_code == 409, "replaced"
    later(session, "guide")
    assert send(client, "/my-login/second-factor/off", password=PASSWORD, code=device.now()).status_code == 302
    assert token_login("guide").status_code == 200


def test_who_must_have_one_and_has_not_sets_it_up_first(session, setting, login, page_login, token_login):
    """H.2: R23-R24, R32-R34 and administrators."""
    setting("login.second_factor", "named")
    assert page_login("guide")[0].get("/").status_code == 200, "others need none"
    client, _answer = page_login("it_manager")
    for path in ("/", "/employee/list/", "/my-login/", "/my-login/password"):
        assert client.get(path).location == "/my-login/second-factor"
    assert client.get("/employee/list/", headers={"X-Dialog": "1"}).status_code == 403
    assert send(client, "/param/act/set_value").location == "/my-login/second-factor"
    refused = token_login("it_manager")
    assert (refused.status_code, refused.json["owes"]) == (403, "second_factor")
    device, _codes = set_up(client, session, "it_manager")
    assert client.get("/").status_code == 200
    later(session, "it_manager")
    said = send(client, "/my-login/second-factor/off", password=PASSWORD, code=device.now())
    assert said.status_code == 409, "who must have one keeps it"


def test_the_information_centre_takes_a_lost_factor_away(session, login, do, person, employee, token_login):
    client = login("guide")
    set_up(client, session, "guide")
    do("employee.reset_second_factor", person("it_manager"), employee("guide"), checked="当面")
    assert client.get("/").status_code == 302, "its sessions end"
    assert token_login("guide").status_code == 200


def test_nobody_but_an_administrator_helps_who_approves(session, do, person, employee, admin):
    from app.errors import Refusal

    for act in ("hand_out_code", "reset_second_factor"):
        with pytest.raises(Refusal, match=r".+"):
            do(f"employee.{act}", person("it_manager"), employee("branch_head"), checked="当面")
        with pytest.raises(Refusal):
            do(f"employee.{act}", person("it_manager"), employee("it_manager"), checked="自己")
    assert do("employee.hand_out_code", admin, employee("branch_head"), checked="当面").shown


# --- passwords that are owed -------------------------------------------------------------------------------------


def test_a_password_given_by_somebody_else_is_replaced_first(
    session, setting, do, person, employee, page_login, token_login
):
    setting("password.change_first", "yes")
    do("employee.reset_password", person("it_manager"), employee("guide"), password=NEW)
    assert (token_login("guide", NEW).status_code, token_login("guide", NEW).json["owes"]) == (403, "password")
    client, _answer = page_login("guide", NEW)
    assert client.get("/customer/list/").location == "/my-login/password"
    assert client.get("/my-login/second-factor").location == "/my-login/password"
    same = send(client, "/my-login/password", current=NEW, password=NEW, again=NEW)
    assert same.status_code == 422, "the same again is no new one"
    own = "Quite-mine-77"
    assert send(client, "/my-login/password", current=NEW, password=own, again=own).status_code == 302
    assert client.get("/customer/list/").status_code == 200
    assert token_login("guide", own).status_code == 200


def test_a_password_runs_out_and_says_so_before(session, setting, at, page_login):
    """H.2: at most 90 days; told from seven days before."""
    setting("password.days", "90")
    account = select(LoginAccount).where(LoginAccount.user_id == user_id(session, "guide"))
    session.scalars(account).one().password_changed_at = at - timedelta(days=86)
    client, _answer = page_login("guide")
    assert " 4 " in client.get("/").text
    session.scalars(account).one().password_changed_at = at - timedelta(days=90)
    client, _answer = page_login("guide")
    assert client.get("/").location == "/my-login/password"


# --- sessions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cause", ["reset_password", "give_roles", "close_login", "leave", "end_sessions"])
def test_what_takes_the_right_away_ends_screens_and_tokens_at_once(cause, login, rest, do, admin, employee):
    client, call = login("guide"), rest("guide")
    assert (client.get("/").status_code, call("GET", "appointment_slip/").status_code) == (200, 200)
    values = {
        "reset_password": {"password": NEW},
        "give_roles": {"roles": ["triage"]},
        "leave": {"reason": "离职"},
        "end_sessions": {"reason": "丢失手机"},
    }.get(cause, {})
    do(f"employee.{cause}", admin, employee("guide"), **values)
    assert (client.get("/").status_code, call("GET", "appointment_slip/").status_code) == (302, 401)


def test_one_sees_one_s_sessions_and_ends_the_others(login, rest):
    mine, other, call = login("guide"), login("guide"), rest("guide")
    page = mine.get("/my-login/").text
    assert page.count("127.0.0.1") >= 3
    assert send(mine, "/my-login/end-others").status_code == 302
    assert (mine.get("/").status_code, other.get("/").status_code) == (200, 302)
    assert call("GET", "appointment_slip/").status_code == 401


def test_a_token_dies_with_its_session_and_so_does_its_refresh(app, session, token_login, at):
    told = token_login("guide", refresh=True).json
    client = app.test_client()
    refresh = {"Authorization": f"Bearer {told['refresh_token']}"}
    fresh = client.post("/api/v1/security/refresh", headers=refresh)
    assert fresh.status_code == 200
    bearer = {"Authorization": f"Bearer {fresh.json['access_token']}"}
    assert client.get("/api/v1/appointment_slip/", headers=bearer).status_code == 200
    moved(session, timedelta(hours=12), ends_at=None)
    assert client.get("/api/v1/appointment_slip/", headers=bearer).status_code == 401
    assert client.post("/api/v1/security/refresh", headers=refresh).status_code == 401


def test_an_idle_screen_is_locked_then_logged_out_by_the_server(session, login):
    """H.2: idle screen lock after 10 minutes; the session ends after two hours without a sign of life."""
    client = login("guide")
    moved(session, timedelta(minutes=9))
    assert client.get("/").status_code == 200, "a sign of life"
    moved(session, timedelta(minutes=10, seconds=1))
    locked = client.get("/customer/list/")
    assert locked.status_code == 423
    assert client.get("/").status_code == 423, "asking does not unlock"
    assert send(client, "/unlock", password=PASSWORD, back="/customer/list/").location == "/customer/list/"
    assert client.get("/customer/list/").status_code == 200
    moved(session, timedelta(minutes=120))
    assert client.get("/").status_code == 302


def test_public_desks_are_locked_sooner_and_no_session_lasts_for_ever(session, login, employee):
    employee("guide").department.public_desk = True
    session.flush()
    client = login("guide")
    moved(session, timedelta(minutes=3, seconds=1))
    assert client.get("/").status_code == 423
    client = login("phone_consultant")
    moved(session, timedelta(hours=12), ends_at=None)
    answer = client.get("/")
    assert answer.status_code == 302
    assert answer.location.startswith("/login/")


def test_a_sign_of_life_is_written_once_a_minute(session, login, statements):
    client = login("guide")
    with statements() as told:
        client.get("/my-login/")
        client.get("/my-login/")
    assert [each for each in told if each.startswith("UPDATE login_session")] == []
    moved(session, timedelta(minutes=2))
    with statements() as told:
        client.get("/my-login/")
        client.get("/my-login/")
    assert len([each for each in told if each.startswith("UPDATE login_session")]) == 1


# --- the lock ----------------------------------------------------------------------------------------------------


def test_a_locked_screen_shows_nothing_until_the_password_is_typed(session, login, make_customer):
    customer = make_customer(name="赵隐藏")
    client = login("phone_consultant")
    address = f"/customer/show/{customer.id}"
    assert "赵隐藏" in client.get(address).text
    assert send(client, "/lock").status_code == 302
    for path in (address, "/", "/customer/list/", "/notice/list/", "/no/such/page", "/my-login/"):
        answer = client.get(path)
        assert (answer.status_code, "赵隐藏" in answer.text) == (423, False), path
    fetched = client.get("/customer/options?q=赵", headers={"Accept": "application/json"})
    assert (fetched.status_code, fetched.json["locked"]) == (423, True)
    assert send(client, "/customer/act/register_temporary", name="x").status_code == 423
    assert send(client, "/here").status_code == 423, "a sign of life does not unlock"
    wrong = client.post("/unlock", data={"password": "no", "csrf_token": client.token}, headers={"X-Dialog": "1"})
    assert (wrong.status_code, wrong.json["message"] != "") == (423, True)
    assert events(session, "login_failed")[-1][2]["why"] == "unlock"
    assert send(client, "/unlock", password="no").status_code == 423
    assert send(client, "/unlock").status_code == 423
    right = {"password": PASSWORD, "csrf_token": client.token}
    assert client.post("/unlock", data=right, headers={"X-Dialog": "1"}).json == {"locked": False}
    assert "赵隐藏" in client.get(address).text
    assert [kind for kind, _actor, _after in events(session, "lock", "unlock")] == ["lock", "unlock"]


def test_who_is_not_the_one_logs_out_of_a_locked_screen_and_nothing_leads_elsewhere(session, login):
    client = login("guide")
    send(client, "/lock")
    assert send(client, "/unlock", password=PASSWORD, back="//evil.example/").location == "/"
    send(client, "/lock")
    assert send(client, "/logout/").status_code == 302
    assert client.get("/").status_code == 302


def test_strangers_neither_lock_nor_unlock(app, session):
    client = app.test_client()
    client.token = page_token(client)
    for path in ("/lock", "/unlock", "/here", "/my-login/end-others", "/my-login/password"):
        answer = send(client, path, password=PASSWORD)
        assert (answer.status_code, answer.location.partition("?")[0]) == (302, "/login/"), path


# --- a forgotten password ----------------------------------------------------------------------------------------


@pytest.fixture
def forgotten(app, session):
    def ask(username, code, password=NEW, again=None):
        client = app.test_client()
        said = {"username": username, "code": code, "password": password, "again": again or password}
        return client.post("/forgotten", data={**said, "csrf_token": page_token(client, "/forgotten")})

    return ask


def refusal(answer):
    assert answer.status_code == 422
    return re.search(r'id="code-err">(.*?)</div>', answer.text, re.DOTALL).group(1)


def test_a_code_of_the_information_centre_sets_a_new_password_once(
    session, do, person, employee, forgotten, token_login, login
):
    client = login("guide")
    it = person("it_manager")
    old = do("employee.hand_out_code", it, employee("guide"), checked="当面核对工牌").shown
    code = do("employee.hand_out_code", it, employee("guide"), checked="当面核对工牌").shown
    assert re.fullmatch(r"[2-9A-Z]{5}-[2-9A-Z]{5}", code)
    assert forgotten("guide", old).status_code == 422, "only the newest"
    assert forgotten("guide", code, "short").status_code == 422
    assert forgotten("guide", code, PASSWORD).status_code == 422, "the present one is no new one; the code stays"
    assert forgotten("phone_consultant", code).status_code == 422, "another's"
    assert forgotten("guide", code.lower()).status_code == 302
    assert client.get("/").status_code == 302, "every session has ended"
    assert token_login("guide", NEW).status_code == 200
    assert forgotten("guide", code, "Third-one-2026").status_code == 422, "used"


def test_codes_run_out_by_time_and_by_tries_and_unknown_names_are_answered_alike(
    session, do, person, employee, forgotten, setting
):
    setting("login.failures", "20")
    it = person("it_manager")
    code = do("employee.hand_out_code", it, employee("guide"), checked="当面").shown
    for each in session.scalars(select(OneTimeCode).where(OneTimeCode.spent_at.is_(None))):
        each.expires_at -= timedelta(minutes=30)
    session.commit()
    late = refusal(forgotten("guide", code))
    code = do("employee.hand_out_code", it, employee("guide"), checked="当面").shown
    said = {refusal(forgotten("guide", "AAAAA-BBBBB")) for _try in range(5)}
    said |= {refusal(forgotten("guide", code)), refusal(forgotten("nobody_here", code)), late}
    assert len(said) == 1, "one sentence for old, wrong, dead and unknown"


def test_many_wrong_codes_lock_any_name(session, forgotten):
    for _try in range(5):
        forgotten("nobody_here", "AAAAA-BBBBB")
    assert "15" in refusal(forgotten("nobody_here", "AAAAA-BBBBB"))


# --- passwords ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("Sh0rt-1x", "length"),
        ("a" * 129 + "A1-", "length"),
        ("alllowercase1", "classes"),
        ("ONLYCAPITALS1", "classes"),
        ("my-guide-Pw-77", "login name"),
        ("Password123!", "common"),
        ("P@ssw0rd2026", "common"),
        ("Qwertyuiop1!", "common"),
        ("Yimei-20261122", "the house's own name"),
        ("1qaz2WSX3edc", "a walk over the keys"),
        ("Another-2026-x", ""),
        ("Regen 上海 77 x", ""),
    ],
)
def test_what_a_password_must_be(session, at, password, why):
    """H.2: 10 characters, 3 of 4 classes, not common; and the login name not in it."""
    from app.errors import InvalidInput

    if why:
        with pytest.raises(InvalidInput):
            passwords.check_password(session, password, username="guide", at=at)
    else:
        passwords.check_password(session, password, username="guide", at=at)


def test_the_last_five_passwords_do_not_come_back(session, do, person, employee):
    """H.2: not last 5."""
    from app.errors import InvalidInput

    it, guide = person("it_manager"), employee("guide")
    row = [f"Row-of-words-{number}x" for number in range(6)]
    for password in row:
        do("employee.reset_password", it, guide, password=password)
    for password in row[1:]:
        with pytest.raises(InvalidInput):
            do("employee.reset_password", it, guide, password=password)
    do("employee.reset_password", it, guide, password=row[0])
