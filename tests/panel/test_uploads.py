"""Files through forms, pages and REST: kept when another input is wrong, given out only through their record."""

from __future__ import annotations

import gc
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from app import filestore
from app.filestore import FileStore
from app.models.appointments import AppointmentSupplementRequest
from app.models.audit import SensitiveViewLog
from app.models.files import StoredFile
from tests.services.test_files import PDF_FILE, REFUSED, picture

ACT = "/appointment_supplement_request/act/submit"
DIALOG = {"X-Dialog": "1"}


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    store = FileStore(tmp_path / "files")
    monkeypatch.setattr(filestore, "_store", store)
    return store


@pytest.fixture
def said(make_customer):
    """What a complete form says, but for its file."""
    then = datetime.now(UTC) - timedelta(hours=2)
    return {
        "customer_id": str(make_customer().id),
        "claimed_arrived_at": _wall(then),
        "intention": "A",
        "channel": "phone",
        "evidence_kinds": ["chat_record"],
        "reason": "忙时漏下",
    }


def _wall(instant: datetime) -> str:
    """An instant as the branch's clock shows it in a form."""
    return (instant + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M")


def file(content: bytes, name: str = "聊天记录.png"):
    return (io.BytesIO(content), name)


def post(client, said, *, dialog=True, **more):
    data = {**said, "csrf_token": client.token, **more}
    return client.post(ACT, data=data, headers=DIALOG if dialog else {}, content_type="multipart/form-data")


def encoded(content: bytes, **form: str) -> dict[str, object]:
    """A large form as one body; the test client would leave its own temporary file open."""
    parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in form.items()]
    head = '--x\r\nContent-Disposition: form-data; name="{}"; filename="a.pdf"\r\nContent-Type: application/pdf\r\n\r\n'
    name = "file" if "purpose" in form else "evidence_file_id"
    body = "".join([*parts, head.format(name)]).encode() + content + b"\r\n--x--\r\n"
    return {"data": body, "content_type": "multipart/form-data; boundary=x"}


def kept_file(page: str) -> int:
    found = re.search(r'type="hidden" name="evidence_file_id" value="(\d+)"', page)
    assert found is not None, page
    return int(found.group(1))


def count(session, model=AppointmentSupplementRequest):
    return session.scalar(select(func.count()).select_from(model))


# --- through a form ----------------------------------------------------------------------------------------------


def test_the_form_asks_for_a_file_and_is_sent_as_multipart(login):
    client = login("phone_consultant")
    for headers in ({}, DIALOG):
        page = client.get(ACT, headers=headers).text
        assert 'enctype="multipart/form-data"' in page
        assert re.search(r'<input[^>]*type="file"[^>]*name="evidence_file_id"[^>]*accept="image/jpeg', page)
        assert 'data-most="10485760"' in page


@pytest.mark.parametrize("dialog", [True, False])
def test_a_form_with_its_file_is_taken(dialog, login, said, session):
    """As a dialog and as a plain page without JavaScript."""
    client = login("phone_consultant")
    answer = post(client, said, dialog=dialog, evidence_file_id=file(picture()))
    assert answer.status_code == (200 if dialog else 302), answer.text
    request = session.scalars(select(AppointmentSupplementRequest)).one()
    assert request.evidence_file.name == "聊天记录.png"
    page = client.get(f"/appointment_supplement_request/show/{request.id}").text
    assert f'href="/stored_file/{request.evidence_file_id}/content"' in page
    assert f'src="/stored_file/{request.evidence_file_id}/content?inline=1"' in page
    assert "聊天记录.png" in page


def test_a_form_refused_for_another_input_keeps_its_file(login, said, session):
    client = login("phone_consultant")
    refused = post(client, said | {"reason": ""}, evidence_file_id=file(picture()))
    assert refused.status_code == 422
    assert "聊天记录.png" in refused.text
    kept = kept_file(refused.text)
    taken = post(client, said, evidence_file_id=[str(kept), file(b"", "")])
    assert taken.status_code == 200, taken.text
    assert session.scalars(select(AppointmentSupplementRequest.evidence_file_id)).one() == kept
    assert count(session, StoredFile) == 1


def test_a_form_refused_by_a_rule_keeps_its_file_too(login, said, session, make_slip, do, guide):
    slip = make_slip()
    do("appointment_slip.arrive", guide, slip)
    client = login("phone_consultant")
    now = _wall(datetime.now(UTC) - timedelta(minutes=1))
    said = said | {"customer_id": str(slip.customer_id), "claimed_arrived_at": now}
    refused = post(client, said, evidence_file_id=file(picture()))
    assert refused.status_code == 409
    assert slip.slip_no in refused.text
    assert kept_file(refused.text)


def test_another_file_takes_the_place_of_the_kept_one(login, said, session):
    client = login("phone_consultant")
    kept = kept_file(post(client, said | {"reason": ""}, evidence_file_id=file(picture())).text)
    taken = post(client, said, evidence_file_id=[str(kept), file(PDF_FILE, "记录.pdf")])
    assert taken.status_code == 200, taken.text
    assert session.scalars(select(AppointmentSupplementRequest)).one().evidence_file.name == "记录.pdf"


@pytest.mark.parametrize("name", ["program", "svg", "gif", "html", "truncated jpeg", "bomb of 12,000 by 12,000"])
def test_a_program_named_jpg_is_refused_with_a_sentence_and_nothing_is_lost(name, login, said, session):
    client = login("phone_consultant")
    refused = post(client, said, evidence_file_id=file(REFUSED[name], "照片.jpg"))
    assert refused.status_code == 422
    sentence = re.search(r'id="evidence_file_id-err">.*?<span>(.*?)</span>', refused.text, re.DOTALL)
    assert sentence is not None
    assert len(sentence.group(1)) > 6
    for value in (said["customer_id"], said["claimed_arrived_at"], said["reason"]):
        assert value in refused.text
    assert (count(session), count(session, StoredFile)) == (0, 0)


def test_a_refused_file_leaves_the_one_sent_before_it(login, said):
    client = login("phone_consultant")
    kept = kept_file(post(client, said | {"reason": ""}, evidence_file_id=file(picture())).text)
    refused = post(client, said, evidence_file_id=[str(kept), file(REFUSED["program"], "x.jpg")])
    assert refused.status_code == 422
    assert kept_file(refused.text) == kept


def test_an_empty_file_and_one_above_the_limit_are_refused(login, said):
    client = login("phone_consultant")
    said = {**said, "evidence_kinds": "chat_record", "csrf_token": client.token}
    for content in (b"", b"%PDF-" + b"x" * (10 * 1024 * 1024 + 10)):
        refused = client.post(ACT, headers=DIALOG, **encoded(content, **said))
        assert refused.status_code == 422
        assert "evidence_file_id-err" in refused.text


def test_a_body_beyond_every_limit_is_answered_and_not_cut_off(login, said, session):
    client = login("phone_consultant")
    much = encoded(b"%PDF-" + b"x" * (17 * 1024 * 1024), csrf_token=client.token)
    dialog = client.post(ACT, headers=DIALOG, **much)
    assert (dialog.status_code, dialog.content_type) == (413, "application/json")
    plain = client.post(ACT, **much)
    assert plain.status_code == 413
    assert "<html" in plain.text
    assert count(session, StoredFile) == 0


def test_a_second_click_sends_the_file_twice_and_makes_one_request(login, said, session):
    client = login("phone_consultant")
    for _click in range(2):
        answer = post(client, said, request_key="clicked-twice", evidence_file_id=file(picture()))
        assert answer.status_code == 200, answer.text
    assert (count(session), count(session, StoredFile)) == (1, 2)


@pytest.mark.parametrize("given", ["0", "-1", "abc", "9" * 30, "1e3", "²", "\x00", " 1"])
def test_a_forged_number_is_no_file(given, login, said):
    client = login("phone_consultant")
    refused = post(client, said, evidence_file_id=given)
    assert refused.status_code == 422
    assert "evidence_file_id-err" in refused.text


def test_without_the_token_of_the_page_no_file_is_taken(login, said, session):
    client = login("phone_consultant")
    answer = client.post(ACT, data={**said, "evidence_file_id": file(picture())}, content_type="multipart/form-data")
    assert answer.status_code == 400
    assert count(session, StoredFile) == 0


def test_who_may_not_ask_sends_no_file_either(login, said, session):
    answer = post(login("guide"), said, evidence_file_id=file(picture()))
    assert answer.status_code == 403
    assert count(session, StoredFile) == 0


CUT_OFF = b'--x\r\nContent-Disposition: form-data; name="evidence_file_id"; filename="a"\r\n\r\n'


@pytest.mark.filterwarnings("ignore:Unclosed file", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("body", [b"", b"--x", CUT_OFF, b"\xff" * 100])
def test_a_broken_multipart_body_breaks_nothing(body, login):
    """The parser leaves the file of a body that is cut off to the collector, which is made to run here."""
    client = login("phone_consultant")
    headers = {**DIALOG, "X-CSRFToken": client.token}
    answer = client.post(ACT, data=body, headers=headers, content_type="multipart/form-data; boundary=x")
    assert answer.status_code in (400, 422)
    del answer
    gc.collect()


# --- reading -----------------------------------------------------------------------------------------------------


@pytest.fixture
def request_of(login, said, session):
    """A request with evidence, asked for on screen."""

    def make(content=None, name="聊天记录.png"):
        answer = post(login("phone_consultant"), said, evidence_file_id=file(content or picture(), name))
        assert answer.status_code == 200, answer.text
        return session.scalars(select(AppointmentSupplementRequest)).one()

    return make


def test_a_file_is_saved_under_its_name_and_never_run(request_of, login):
    pk = request_of().evidence_file_id
    answer = login("branch_head").get(f"/stored_file/{pk}/content")
    assert answer.status_code == 200
    assert answer.content_type == "image/png"
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"____.png\"; filename*=UTF-8''%E8%81%8A%E5%A4%A9%E8%AE%B0%E5%BD%95.png"
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_a_picture_may_be_shown_and_a_pdf_only_saved(request_of, login, session):
    request = request_of()
    head = login("branch_head")
    shown = head.get(f"/stored_file/{request.evidence_file_id}/content?inline=1")
    assert shown.headers["Content-Disposition"].startswith("inline;")
    request.evidence_file.media_type = "application/pdf"
    session.commit()
    saved = head.get(f"/stored_file/{request.evidence_file_id}/content?inline=1")
    assert saved.headers["Content-Disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    ("username", "status"),
    [
        ("phone_consultant", 200), ("phone_supervisor", 200), ("branch_head", 200), ("it_manager", 200),
        ("department_head", 200), ("phone_consultant_2", 404), ("web_supervisor", 404), ("guide", 404),
        ("b2_branch_head", 404), ("hr", 404), ("admin", 404),
    ],
)  # fmt: skip
def test_a_file_is_read_by_those_who_see_its_request(username, status, request_of, login, rest):
    pk = request_of().evidence_file_id
    assert login(username).get(f"/stored_file/{pk}/content").status_code == status
    assert rest(username)("GET", f"stored_file/{pk}/content").status_code == status


def test_a_stranger_logs_in_first_and_a_cookie_is_no_token(request_of, app, login):
    pk = request_of().evidence_file_id
    assert app.test_client().get(f"/stored_file/{pk}/content").status_code == 302
    assert app.test_client().get(f"/api/v1/stored_file/{pk}/content").status_code == 401
    assert login("branch_head").get(f"/api/v1/stored_file/{pk}/content").status_code == 401


def test_each_reading_of_anothers_evidence_is_written_down(request_of, login, session, employee):
    request = request_of()
    for username in ("phone_consultant", "branch_head"):
        assert login(username).get(f"/stored_file/{request.evidence_file_id}/content").status_code == 200
    looks = session.scalars(select(SensitiveViewLog).where(SensitiveViewLog.field == "evidence_file")).all()
    assert [(look.employee_id, look.record_id) for look in looks] == [(employee("branch_head").id, request.id)]


def test_a_file_that_is_gone_from_the_disk_is_not_found(request_of, login, own_store, caplog):
    pk = request_of().evidence_file_id
    for path in own_store.root.rglob("*"):
        if path.is_file():
            path.unlink()
    assert login("branch_head").get(f"/stored_file/{pk}/content").status_code == 404
    assert str(pk) in caplog.text


@pytest.mark.parametrize("pk", [0, 10**6, 2**63, 10**30])
def test_a_number_without_a_file_is_not_found(pk, login, rest):
    assert login("branch_head").get(f"/stored_file/{pk}/content").status_code == 404
    assert rest("branch_head")("GET", f"stored_file/{pk}/content").status_code == 404


def test_the_history_names_the_file(request_of, login):
    request = request_of()
    page = login("branch_head").get(f"/appointment_supplement_request/show/{request.id}").text
    assert "聊天记录.png" in page[page.index('class="card-y story"') :]


# --- over REST ---------------------------------------------------------------------------------------------------


@pytest.fixture
def token(app, session):
    def of(username):
        said = {"username": username, "password": "Yimei-demo-2026", "provider": "db"}
        told = app.test_client().post("/api/v1/security/login", json=said)
        return {"Authorization": f"Bearer {told.json['access_token']}"}

    return of


@pytest.fixture
def upload(app, token):
    def send(username, content=None, name="a.png", **form):
        form.setdefault("purpose", "evidence")
        data = {**form, **({"file": file(content, name)} if content is not None else {})}
        return app.test_client().post(
            "/api/v1/stored_file/", data=data, headers=token(username), content_type="multipart/form-data"
        )

    return send


def test_from_the_file_to_the_slip_by_three_peoples_tokens(upload, rest, make_customer, session):
    """2.1.3.3 over REST alone."""
    sent = upload("phone_consultant", picture(), "聊天.png")
    assert sent.status_code == 201
    assert {*sent.json} == {"id", "name", "size", "media_type"}
    assert (sent.json["name"], sent.json["media_type"]) == ("聊天.png", "image/png")
    table = "appointment_supplement_request"
    body = {
        "customer_id": make_customer().id,
        "claimed_arrived_at": (datetime.now(UTC) - timedelta(hours=3)).isoformat(),
        "intention": "B", "channel": "phone", "evidence_kinds": ["chat_record", "other"],
        "evidence_file_id": sent.json["id"], "reason": "忙时漏下",
    }  # fmt: skip
    consultant, head, it = rest("phone_consultant"), rest("branch_head"), rest("it_manager")
    made = consultant("POST", f"{table}/submit", body)
    assert made.status_code == 201, made.text
    pk = made.json["id"]
    assert (made.json["state"], made.json["acts"], made.json["evidence_kinds"]) == (
        "submitted", ["withdraw"], ["chat_record", "other"],
    )  # fmt: skip
    assert it("GET", f"{table}/{pk}").json["result"]["acts"] == []
    assert it("POST", f"{table}/{pk}/execute").status_code == 409
    assert consultant("POST", f"{table}/{pk}/approve", {}).status_code == 403
    assert head("GET", f"{table}/{pk}").json["result"]["acts"] == ["approve", "reject"]
    assert head("POST", f"{table}/{pk}/approve", {"decision_note": "属实"}).status_code == 200
    assert head("POST", f"{table}/{pk}/execute").status_code == 403
    done = it("POST", f"{table}/{pk}/execute", Idempotency_Key="once")
    assert (done.status_code, done.json["state"]) == (200, "executed")
    assert (done.json["result"]["is_supplement"], done.json["result"]["state"]) == (True, "arrived")
    again = it("POST", f"{table}/{pk}/execute", Idempotency_Key="once")
    assert (again.json["replayed"], again.json["result"]["id"]) == (True, done.json["result"]["id"])


def test_a_file_that_is_refused_over_rest_gets_its_sentence(upload, session):
    for content in (REFUSED["program"], REFUSED["gif"], b""):
        answer = upload("phone_consultant", content, "照片.jpg")
        assert answer.status_code == 422
        assert len(answer.json["errors"]["file"][0]) > 4
    assert count(session, StoredFile) == 0


@pytest.mark.parametrize("size", [10 * 1024 * 1024 + 1, 17 * 1024 * 1024])
def test_a_file_above_the_limit_is_422_over_rest(size, app, token):
    body = encoded(b"%PDF-" + b"x" * (size - 5), purpose="evidence")
    answer = app.test_client().post("/api/v1/stored_file/", headers=token("phone_consultant"), **body)
    assert (answer.status_code, [*answer.json["errors"]]) == (422, ["file"])
    assert "10 MB" in answer.json["errors"]["file"][0]


@pytest.mark.parametrize(
    ("form", "content", "field"),
    [({}, None, "file"), ({"purpose": "result"}, b"x", "purpose"), ({"purpose": ""}, b"x", "purpose"),
     ({"purpose": "evil"}, b"x", "purpose")],
)  # fmt: skip
def test_what_is_missing_or_of_no_use_is_named(form, content, field, upload):
    answer = upload("phone_consultant", content, **form)
    assert (answer.status_code, [*answer.json["errors"]]) == (422, [field])


def test_who_can_use_no_file_sends_none(upload, session):
    for username in ("market", "hr", "cashier"):
        assert upload(username, picture()).status_code == 422
    assert count(session, StoredFile) == 0


def test_a_file_over_rest_needs_a_token(app, login):
    for client in (app.test_client(), login("phone_consultant")):
        data = {"file": file(picture()), "purpose": "evidence"}
        answer = client.post("/api/v1/stored_file/", data=data, content_type="multipart/form-data")
        assert answer.status_code == 401


def test_the_catalogue_names_the_file_input(rest):
    acts = rest("phone_consultant")("GET", "acts").json["result"]
    submit = next(act for act in acts if (act["table"], act["act"]) == ("appointment_supplement_request", "submit"))
    told = next(each for each in submit["inputs"] if each["name"] == "evidence_file_id")
    assert (told["kind"], told["purpose"]) == ("file", "evidence")
    assert submit["roles"] == [
        "phone_consultant", "web_consultant", "channel_specialist", "phone_supervisor", "web_supervisor",
        "channel_supervisor", "department_head", "consulting_supervisor",
    ]  # fmt: skip


# --- the workbench and the list ----------------------------------------------------------------------------------


def test_the_workbench_shows_whose_turn_it_is(request_of, login, do, person, session):
    request = request_of()
    assert request.request_no in login("branch_head").get("/").text
    assert request.request_no not in login("it_manager").get("/").text
    do("appointment_supplement_request.approve", person("branch_head"), request, decision_note=None)
    session.commit()
    assert request.request_no not in login("branch_head").get("/").text
    assert request.request_no in login("it_manager").get("/").text


@pytest.mark.parametrize(
    ("username", "tab", "there"),
    [
        ("phone_consultant", "mine", True), ("phone_consultant", "approval", True), ("phone_consultant", "done", False),
        ("phone_consultant_2", "all", False), ("phone_supervisor", "all", True), ("web_supervisor", "all", False),
        ("branch_head", "waiting", True), ("it_manager", "waiting", False), ("it_manager", "approval", True),
        ("b2_branch_head", "all", False),
    ],
)  # fmt: skip
def test_the_tabs_of_the_list(username, tab, there, request_of, login):
    request = request_of()
    page = login(username).get(f"/appointment_supplement_request/list/?tab={tab}").text
    assert (request.request_no in page) is there


def test_who_has_no_part_in_it_has_no_list(login):
    for username in ("guide", "cashier", "hr", "doctor"):
        assert login(username).get("/appointment_supplement_request/list/").status_code == 403
