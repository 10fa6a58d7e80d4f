"""One's own long work from every page: the tray, one's files and their expiry, large files part by part."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from app import filestore
from app.actors import house
from app.errors import Refusal
from app.filestore import IN_PARTS, PART_BYTES, FileMissing, FileStore, store
from app.models.files import FilePurpose, StoredFile
from app.models.tasks import BackgroundTask, TaskState
from app.services import files
from app.services.files import content_of, keep, keep_written, writing
from app.services.privacy.exports import AT_ONCE_ROWS, MOST_IN_FILE
from app.services.tasks import TASKS, enqueue, task
from app.services.tasks.results import drop_old_results
from app.services.tasks.run import TaskRun
from app.unit import acting_as, unit_of_work
from tests.panel.test_exports import ask, limit, newest

KIND = "test.own"


@pytest.fixture(autouse=True)
def somebody():
    with acting_as("house:test"):
        yield


@pytest.fixture
def asked(session, consultant, at):
    task(KIND, "Own work")(lambda run: run.result("名单.csv", "text/csv", b"a"))
    with unit_of_work(session):
        made = enqueue(session, KIND, {}, by=consultant, at=at, total=40)
    yield made
    del TASKS[KIND]


def test_the_tray_is_there_while_one_s_own_work_runs_and_only_then(login, asked, work_off, statements, at):
    client, other = login("phone_consultant"), login("phone_supervisor")
    assert "data-tray" not in other.get("/customer/list/").text, "nobody else's work, and nothing to poll"
    page = client.get("/customer/list/").text
    assert re.search(r'data-tray="/background_task/tray" data-open="1"', page)
    assert "/background_task/list/?tab=mine" in page, "links for who has no script"
    client.get("/background_task/tray")
    with statements() as bare:
        client.get("/here-is-nothing")
    with statements() as sent:
        told = client.get("/background_task/tray")
    of_tray = [each for each in sent if "background_task" in each]
    assert len(of_tray) == 1
    assert len(sent) <= len(bare) + 1
    assert 'data-open="1"' in told.text
    assert f"/background_task/{asked.id}/act/cancel" in told.text
    assert "<html" not in told.text
    again = client.get("/background_task/tray", headers={"If-None-Match": told.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    work_off(at)
    over = client.get("/background_task/tray", headers={"If-None-Match": told.headers["ETag"]})
    assert over.status_code == 200
    assert 'data-open="0"' in over.text
    assert "data-tray" not in client.get("/customer/list/").text


def test_what_was_made_lies_in_my_files_until_it_expires(login, asked, work_off, session, at):
    (done,) = work_off(at)
    file = done.result_file
    assert file.expires_at == at + timedelta(days=30)
    client = login("phone_consultant")
    page = client.get("/my_files/list/").text
    assert "名单.csv" in page, re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page))[-900:]
    assert f'href="/stored_file/{file.id}/content"' in page
    assert "Own work" in page
    assert "名单.csv" not in login("phone_supervisor").get("/my_files/list/?tab=all").text
    evidence = keep(session, b"x", "聊天.png", "image/png", purpose=FilePurpose.EVIDENCE, by=house("test"), at=at)
    evidence.expires_at = at
    session.commit()
    assert drop_old_results(session, at=file.expires_at - timedelta(seconds=1)) == 0
    assert drop_old_results(session, at=file.expires_at) == 1
    session.commit()
    session.expire_all()
    assert evidence.dropped_at is None, "evidence has the retention of its record"
    assert "名单.csv" not in client.get("/my_files/list/").text
    gone = client.get("/my_files/list/?tab=gone").text
    assert "名单.csv" in gone
    assert f"/stored_file/{file.id}/content" not in gone
    assert client.get(f"/stored_file/{file.id}/content").status_code == 404


# --- large files -------------------------------------------------------------------------------------------------


@pytest.fixture
def own_store(tmp_path, monkeypatch):
    made = FileStore(tmp_path / "files")
    monkeypatch.setattr(filestore, "_store", made)
    return made


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES])
def test_a_file_in_parts_comes_back_whole_and_sealed(own_store, size):
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with own_store.writing() as out:
        for start in range(0, len(content), 700_000):
            out.write(content[start : start + 700_000])
    sealed = own_store.sealed(out.written.key)
    assert sealed.startswith(IN_PARTS)
    assert content[:200] not in sealed or len(content) < 200
    assert own_store.get(out.written.key) == content
    assert out.written.size == len(content)
    assert max(map(len, own_store.parts(out.written.key))) <= PART_BYTES


def test_parts_cannot_be_left_out_moved_or_taken_from_elsewhere(own_store):
    keys = []
    for letter in (b"a", b"b"):
        with own_store.writing() as out:
            out.write(letter * (2 * PART_BYTES + 5))
        keys.append(out.written.key)
    first, second = (own_store.sealed(key).removeprefix(IN_PARTS).splitlines(keepends=True) for key in keys)
    for wrong in (first[:-1], first[1:], [first[1], first[0], first[2]], [*first[:2], second[2]], [*first, first[2]]):
        own_store.replace(keys[0], IN_PARTS + b"".join(wrong))
        with pytest.raises(FileMissing):
            own_store.get(keys[0])
    own_store.replace(keys[0], IN_PARTS + b"".join(first))
    assert own_store.get(keys[0])[:1] == b"a"


def test_nothing_is_left_of_a_file_that_was_broken_off_or_whose_writer_is_gone(own_store, monkeypatch):
    with pytest.raises(TypeError), own_store.writing() as out:
        out.write(PART_BYTES + 1.5)
    assert [*own_store.root.glob("??/*")] == []
    monkeypatch.setattr(filestore, "JUST_BEGUN", -1.0)
    with own_store.writing() as out:
        out.write(b"x")
        dead = next(own_store.root.glob("??/*.making")).with_name("0" * 32 + ".making")
        dead.write_bytes(b"left")
        assert own_store.drop_abandoned() == 1, "the one that nobody holds"
    assert own_store.get(out.written.key) == b"x"


def test_a_full_disk_is_said_in_a_sentence_and_leaves_nothing(
    own_store, monkeypatch, login, make_customer, session, at, work_off
):
    limit(session, at, AT_ONCE_ROWS, 0)
    make_customer()
    client = login("phone_supervisor")
    ask(client, "/customer/export", file_format="xlsx")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.filestore.os.fsync", full)
    [failed] = work_off()
    assert failed.state is TaskState.FAILED
    assert failed.error
    assert "No space" not in failed.error
    assert [*own_store.root.glob("??/*")] == []
    assert failed.error in client.get(f"/export_request/show/{newest(session).id}").text
    with pytest.raises(Refusal), writing() as out:
        out.write(b"x")


def test_an_export_tells_how_far_it_is_and_leaves_nothing_when_it_is_cancelled(
    own_store, monkeypatch, login, make_customer, session, at, work_off
):
    limit(session, at, AT_ONCE_ROWS, 0)
    make_customer()
    make_customer()
    client = login("phone_supervisor")
    ask(client, "/customer/export", file_format="xlsx")
    asked = session.scalars(select(BackgroundTask).order_by(BackgroundTask.id.desc())).first()
    assert asked.total_count == 2
    monkeypatch.setattr("app.panel.exporting.AT_A_TIME", 1)
    monkeypatch.setattr("app.services.tasks.run.LEAST_BETWEEN", 0)
    seen = []
    told = TaskRun.progress

    def progress(self, done=None, total=None, said=None):
        seen.append((done, total))
        if done == 1:
            wish = f"update background_task set cancel_requested_at = now() where id = {asked.id}"
            session.connection().exec_driver_sql(wish)
        told(self, done, total, said)

    monkeypatch.setattr(TaskRun, "progress", progress)
    [ended] = work_off()
    assert (ended.state, seen) == (TaskState.CANCELLED, [(0, 2), (1, 2)])
    assert [*own_store.root.glob("??/*")] == []
    assert session.scalars(select(StoredFile).where(StoredFile.purpose == FilePurpose.RESULT)).all() == []


def test_more_rows_than_one_file_holds_are_refused(login, make_customer, session, at):
    limit(session, at, MOST_IN_FILE, 100)
    assert MOST_IN_FILE.default == "200000"
    make_customer()
    client = login("phone_supervisor")
    session.execute(
        text(
            "insert into customer (customer_no, name, state, branch_id, developer_id, search_terms, created_at,"
            " updated_at, row_version)"
            " select 'BIG' || n, '林', 'temporary', branch_id, developer_id, '{}', now(), now(), 1"
            " from customer, generate_series(1, 100) n where customer.id = (select max(id) from customer)"
        )
    )
    session.commit()
    answer = ask(client, "/customer/export", file_format="csv")
    assert answer.status_code == 409
    assert "100" in answer.text


def test_a_large_file_is_sent_with_its_length_part_by_part(login, person, session, at):
    by = person("phone_consultant")
    with writing() as out:
        out.write(b"y" * (2 * PART_BYTES + 7))
    file = keep_written(session, out.written, "a.csv", "text/csv", purpose=FilePurpose.RESULT, by=by, at=at)
    session.commit()
    answer = login("phone_consultant").get(f"/stored_file/{file.id}/content")
    assert answer.headers["Content-Length"] == str(2 * PART_BYTES + 7)
    assert answer.data == b"y" * (2 * PART_BYTES + 7)
    assert len([*files.parts_of(file)]) == 3
    assert content_of(file) == answer.data
    assert store().root.exists()
