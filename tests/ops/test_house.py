"""Opening the house: what is prepared again, what is skipped, and what is refused in a sentence."""

from __future__ import annotations

import argparse
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.ops import cli, house


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stand for an embedded server whose database this code has just prepared."""
    code = tmp_path / "code"
    (code / "app").mkdir(parents=True)
    (code / "app" / "acts.py").write_text("one")
    monkeypatch.setattr(cli, "ROOT", code)
    data = tmp_path / "postgres" / "data"
    data.mkdir(parents=True)
    cluster = SimpleNamespace(data=data, revision=lambda: "abc", code=code)
    house._note(cluster).write_text(house._prepared_state(cluster))  # type: ignore[arg-type]
    return cluster


def test_what_the_same_code_prepared_before_is_not_prepared_again(prepared: SimpleNamespace) -> None:
    assert house._is_prepared(prepared)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", ["edited", "added", "removed", "other database", "note lost"])
def test_anything_else_is_prepared_again(prepared: SimpleNamespace, change: str) -> None:
    module = prepared.code / "app" / "acts.py"
    match change:
        case "edited":
            module.write_text("another")
        case "added":
            (prepared.code / "app" / "wards.py").write_text("")
        case "removed":
            module.unlink()
        case "other database":
            prepared.revision = lambda: ""
        case "note lost":
            house._note(prepared).unlink()  # type: ignore[arg-type]
    assert not house._is_prepared(prepared)  # type: ignore[arg-type]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which something that is not ours listens and answers nothing but 404."""

    class Nothing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Nothing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_taken_port_is_one_sentence(taken: int) -> None:
    with pytest.raises(cli.Refused, match=f"Cannot listen on 127.0.0.1, port {taken} .*--port"):
        house._refuse_taken_port("127.0.0.1", taken)


def test_an_unknown_host_is_one_sentence() -> None:
    with pytest.raises(cli.Refused, match=r"Cannot listen on no-such-host\.invalid"):
        house._refuse_taken_port("no-such-host.invalid", 8080)


def test_a_free_port_is_fine_and_stays_free() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    house._refuse_taken_port("127.0.0.1", port)
    house._refuse_taken_port("127.0.0.1", port)


def test_only_a_login_page_counts_as_open(taken: int) -> None:
    assert not house._answers("127.0.0.1", taken)


def test_the_web_server_and_the_scheduler_never_learn_the_owners_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgresql://owner:secret@h/d")
    assert "DATABASE_OWNER_URL" not in house._childs_environment(with_backups=True)


def test_only_who_makes_backups_can_read_all_and_open_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_BACKUP_URL", "postgresql://backup:secret@h/d")
    monkeypatch.setenv("YIMEI_BACKUP_KEY", "x" * 44)
    arguments = argparse.Namespace(host="127.0.0.1", port=1)
    children = house._children(tmp_path, arguments, with_scheduler=True, with_worker=True)
    for name in ("DATABASE_BACKUP_URL", "YIMEI_BACKUP_KEY"):
        told = {child.name for child in children if name in child.environment}
        assert told == {"scheduler", "archiver"}


@pytest.mark.parametrize("purpose", ["production", "demo"])
def test_production_is_not_served_on_a_database_that_may_forget(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], purpose: str
) -> None:
    found = {"fsync": "on", "synchronous_commit": "off", "data_checksums": "off"}
    monkeypatch.setenv("DATABASE_URL", "postgresql://a@b/c")
    monkeypatch.setattr(house.durability, "look", lambda _address: house.durability.judged(found))
    if purpose == "production":
        with pytest.raises(
            cli.Refused, match=r"not opened\. Switch on synchronous_commit in the database: .* power cut"
        ):
            house._see_to_durability(purpose)
    else:
        house._see_to_durability(purpose)
        assert "Careful: Switch on synchronous_commit" in capsys.readouterr().out


def test_missing_checksums_alone_are_said_and_served(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://a@b/c")
    monkeypatch.setattr(house.durability, "look", lambda _address: house.durability.judged({"data_checksums": "off"}))
    house._see_to_durability("production")
    assert "pg_checksums --enable" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("environment", "fresh", "sentence"),
    [
        ({"YIMEI_MODE": "production"}, False, "published passwords"),
        ({"YIMEI_MODE": "demo", "DATABASE_URL": "postgresql://a@b/c"}, True, "embedded database only"),
    ],
)
def test_a_demo_is_refused_where_it_would_do_harm(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], fresh: bool, sentence: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(cli.Refused, match=sentence):
        cli.demo(argparse.Namespace(fresh=fresh, home=None, host="127.0.0.1", port=1), [])
    assert os.environ["YIMEI_MODE"] == environment["YIMEI_MODE"]


@pytest.mark.parametrize(
    ("with_scheduler", "with_worker", "expected"),
    [(True, True, ["web server", "scheduler", "archiver", "worker"]), (False, True, ["web server", "worker"]),
     (True, False, ["web server", "scheduler", "archiver"]), (False, False, ["web server"])],
)  # fmt: skip
def test_what_runs_beside_the_web_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_scheduler: bool, with_worker: bool, expected: list[str]
) -> None:
    arguments = argparse.Namespace(host="127.0.0.1", port=1)
    children = house._children(tmp_path, arguments, with_scheduler=with_scheduler, with_worker=with_worker)
    assert [child.name for child in children] == expected
    assert [list(child.command)[-1] for child in children[1:]] == expected[1:]
    assert {command for child in children[1:] for command in [list(child.command)[-1]]} <= set(cli.COMMANDS)


def test_demo_and_serve_start_a_worker_unless_told_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(house, "open_house", lambda _arguments, **told: asked.append(told) or 0)
    monkeypatch.setenv("YIMEI_MODE", "demo")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    cli.demo(argparse.Namespace(fresh=False), [])
    for no_worker in (False, True):
        cli.serve(argparse.Namespace(no_scheduler=False, no_worker=no_worker), [])
    assert [told["with_worker"] for told in asked] == [True, True, False]
