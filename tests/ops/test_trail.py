"""The trail in the database: every table has it, nobody passes by it, and what was touched afterwards is found.

White paper L05, L14, H.2. Rows are read back from the database: the framework hides refused writes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import flask_appbuilder.security.sqla.models  # noqa: F401 - its tables are trailed as ours are
import psycopg
import pytest
from psycopg import Connection, errors
from sqlalchemy import create_engine, pool, text
from sqlalchemy.orm import Session

from app.models.base import METADATA
from app.models.trail import append_only, trailed
from app.ops import schema
from app.services import seals, trail_archive, trail_pruning
from app.unit import acting_as, unit_of_work
from tests.databases import fresh_database

MAKE = "insert into param (key, value, effective_at) select 'made.' || n, 'v' || n, now() from generate_series(1, %s) n"


@dataclass
class World:
    """A database of one's own, reached as the application and as the owner, who stands for a superuser here."""

    application: str
    owner: str

    def connect(self, *, as_owner: bool = False, actor: str = "house:test") -> Connection[Any]:
        made = psycopg.connect((self.owner if as_owner else self.application).replace("+psycopg", ""))
        made.execute("select set_config('app.actor', %s, false)", (actor,))
        made.commit()
        return made

    def run(self, statement: str, *values: Any, as_owner: bool = False) -> list[Any]:
        with self.connect(as_owner=as_owner) as connection:
            done = connection.execute(statement, values)  # type: ignore[arg-type]
            return done.fetchall() if done.description else []

    def session(self, *, as_owner: bool = False) -> Session:
        return Session(create_engine(self.owner if as_owner else self.application, poolclass=pool.NullPool))

    def seal(self) -> int:
        """Seal all that is committed: the first look sets the mark, the second seals up to it."""
        count = 0
        for _time in range(2):
            with acting_as("house:job:trail.seal"), self.session() as session, unit_of_work(session):
                count += seals.seal(session)
        return count

    def tell(self, path: Path) -> int:
        with self.session() as session:
            return seals.tell_heads(session, path)

    def faults(self, path: Path, archives: Path | None = None) -> list[str]:
        with self.session() as session:
            return seals.verify(session, path, archives or path.parent).faults

    def last(self) -> int:
        found: int = self.run("select coalesce(max(id), 0) from audit_log")[0][0]
        return found

    def since(self, last: int) -> list[Any]:
        columns = "operation, table_name, record_id, actor, before, after"
        return self.run(f"select {columns} from audit_log where id > %s order by id", last)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with fresh_database("trail", copy=True) as (application, owner):
        yield World(application, owner)


@pytest.fixture
def copy() -> Iterator[World]:
    """A database to be spoilt."""
    with fresh_database("tampered", copy=True) as (application, owner):
        yield World(application, owner)


# --- every table -------------------------------------------------------------------------------------------------


def test_every_table_has_its_triggers_with_the_declared_exclusions(world: World) -> None:
    with world.session() as session:
        assert seals.trigger_faults(session) == []
    counters = {"rate_limit"}  # unlogged, forgotten in a crash
    assert set(METADATA.tables) - set(trailed()) == {"audit_log", "audit_seal", "audit_prune"} | counters
    for table, excluded in trailed().items():
        assert set(excluded) <= set(METADATA.tables[table].columns.keys()), table


def test_a_table_without_its_triggers_is_seen(copy: World) -> None:
    copy.run("drop trigger trail_change on customer", as_owner=True)
    copy.run("alter table ab_user disable trigger trail_row", as_owner=True)
    copy.run("alter table act_run enable trigger keep_row", as_owner=True)  # as a restore of data alone leaves it
    copy.run("drop trigger trail_row on number_counter", as_owner=True)
    copy.run(
        "create trigger trail_row after insert or delete on number_counter for each row execute function audit_row()",
        as_owner=True,
    )
    copy.run(
        "create or replace function audit_kept() returns trigger language plpgsql as 'begin return new; end'",
        as_owner=True,
    )
    with copy.session() as session:
        said = "\n".join(seals.trigger_faults(session))
    assert "table customer: the trigger trail_change is missing" in said
    assert "table ab_user: the trigger trail_row is disabled" in said
    assert "table act_run: the trigger keep_row is disabled" in said
    assert "table number_counter: the trigger trail_row is not as declared" in said
    assert "function audit_kept: it was changed" in said
    assert len(said.splitlines()) == 5


def test_no_secret_column_of_the_framework_is_in_the_trail(world: World) -> None:
    kept = {
        name
        for (name,) in world.run("select distinct jsonb_object_keys(after) from audit_log where table_name like 'ab%%'")
    }
    assert kept
    assert not kept & {"password", "key_hash", "lookup_hash", "registration_hash"}


# --- what is written ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_owner", [False, True])
@pytest.mark.parametrize("actor", ["", None])
def test_a_write_without_an_actor_is_refused_and_nothing_is_written(
    world: World, as_owner: bool, actor: str | None
) -> None:
    before = world.run("select count(*) from param")
    with psycopg.connect((world.owner if as_owner else world.application).replace("+psycopg", "")) as connection:
        if actor is not None:
            connection.execute("select set_config('app.actor', %s, false)", (actor,))
        with pytest.raises(errors.InsufficientPrivilege, match="a write to param without an actor"):
            connection.execute("insert into param (key, value, effective_at) values ('k', 'v', now())")
    assert world.run("select count(*) from param") == before


def test_an_insert_keeps_the_row_an_update_what_changed_a_delete_what_was(world: World) -> None:
    last = world.last()
    with world.connect(actor="user:7") as connection:
        connection.execute(
            "insert into number_counter (rule_id, branch_code, period, last) "
            "select min(id), '99', 'p', 1 from number_rule"
        )
        connection.execute("update number_counter set period = 'q', last = 5 where branch_code = '99'")
        connection.execute("update number_counter set last = 6 where branch_code = '99'")
        connection.execute("update number_counter set period = period where branch_code = '99'")
        connection.execute("delete from number_counter where branch_code = '99'")
    rows = world.since(last)
    assert [row[0] for row in rows] == ["insert", "update", "delete"], "no row for a sign of life, none for nothing"
    key, (_op, table, _id, actor, before, after) = rows[0][2], rows[0]
    assert (table, actor, before) == ("number_counter", "user:7", None)
    assert (after["period"], after["id"]) == ("p", key)
    assert "last" not in after, "a declared exclusion"
    assert rows[1][4:] == ({"period": "p"}, {"period": "q"})
    assert (rows[2][4]["period"], rows[2][5]) == ("q", None)


def test_bulk_and_raw_writes_are_each_in_the_trail(world: World) -> None:
    last = world.last()
    world.run(MAKE, 30)
    world.run("update param set value = value || '!' where key like 'made.%%'")
    world.run("truncate demo_state", as_owner=True)
    said = [(row[0], row[1]) for row in world.since(last)]
    assert said == [("insert", "param")] * 30 + [("update", "param")] * 30 + [("truncate", "demo_state")]


def test_an_update_of_nothing_needs_no_actor_and_writes_nothing(world: World) -> None:
    """The framework's answer to an unknown user name is such an update of the first user. tried.md, point 4."""
    last = world.last()
    with psycopg.connect(world.application.replace("+psycopg", "")) as connection:
        connection.execute("update branch set name = name")
        connection.execute("update ab_role set name = name")
    assert world.since(last) == []


def test_tables_without_a_number_keep_whole_rows(copy: World) -> None:
    copy.run("create table pair (a int, b int, note text, primary key (a, b))", as_owner=True)
    copy.run("create trigger t after insert or delete on pair for each row execute function audit_row()", as_owner=True)
    copy.run("create trigger u after update on pair for each row execute function audit_row()", as_owner=True)
    last = copy.last()
    copy.run("insert into pair values (1, 2, 'x')")
    copy.run("update pair set note = 'y'")
    whole = {"a": 1, "b": 2, "note": "x"}
    assert [row[2:] for row in copy.since(last)] == [
        (None, "house:test", None, whole),
        (None, "house:test", whole, {**whole, "note": "y"}),
    ]


def test_no_function_of_the_trail_can_be_turned_on_other_tables(world: World) -> None:
    """A schema of one's own first in the path does not catch what the owner's functions write."""
    last = world.last()
    with world.connect() as connection:
        connection.execute("create temp table audit_log (like public.audit_log)")
        connection.execute("insert into param (key, value, effective_at) values ('path', 'v', now())")
    assert [row[0] for row in world.since(last)] == ["insert"]


# --- append-only -------------------------------------------------------------------------------------------------

ATTACKS = (
    "update {table} set id = id + 1000000",
    "delete from {table}",
    "truncate {table}",
    "alter table {table} disable trigger all",
    "drop trigger keep_row on {table}",
    "drop table {table}",
    "alter table {table} add column x int",
    "set session_replication_role = replica",
    "create or replace function audit_kept() returns trigger language plpgsql as 'begin return new; end'",
    "create rule r as on insert to {table} do instead nothing",
    "copy {table} from program 'id'",
    "alter table {table} owner to current_user",
)


#: A visit that was scanned and whose turn was called: what the ledger of turns needs to hold a row.
A_TURN = """
insert into department (branch_id, code, name, kind) select id, 'D', 'D', 'business' from branch where code =
'98';
insert into position (code, name) values ('p98', 'p');
insert into employee (branch_id, employee_no, name, state, department_id, position_id) select d.branch_id,
'E98', 'n', 'active', d.id, p.id from department d, position p where d.code = 'D' and p.code = 'p98';
insert into customer (branch_id, customer_no, name, state) select id, 'C98', 'n', 'temporary' from branch where
code = '98';
insert into visit (branch_id, visit_no, customer_id, visit_type, state, arrived_at) select branch_id, 'V98', id,
'first', 'registered', now() from customer where customer_no = 'C98';
insert into service_desk (branch_id, code, name) select id, 'Q', 'q' from branch where code = '98';
insert into visit_checkpoint (visit_id, desk_id, scanned_at) select v.id, d.id, now() from visit v, service_desk
d where v.visit_no = 'V98' and d.branch_id = v.branch_id;
insert into rotation_line (branch_id, name, kind) select id, 'l', 'consultant' from branch where code = '98';
insert into triage_assignment (branch_id, visit_id, line_id, assignee_id, method, state, called_at,
answer_by_at, rule) select v.branch_id, v.id, l.id, e.id, 'supervisor', 'calling', now(), now(), 'r' from visit
v, rotation_line l, employee e where v.visit_no = 'V98' and l.branch_id = v.branch_id and e.employee_no = 'E98';
insert into rotation_turn (branch_id, line_id, number, day_on, occurred_at, visit_id, assignment_id,
employee_id, kind, consumes, rule) select branch_id, line_id, 1, current_date, now(), visit_id, id, assignee_id,
'supervisor', false, 'r' from triage_assignment where rule = 'r'
"""


@pytest.fixture(scope="module")
def kept_rows(world: World) -> None:
    """A row in every append-only table."""
    world.run("insert into branch (code, name, zone) values ('98', 'B', 'Asia/Shanghai')", as_owner=True)
    with world.connect() as connection:
        connection.execute(
            "insert into act_run (actor, request_key, table_name, act, inputs, inputs_hash, occurred_at) "
            "values ('house:test', 'k', 'branch', 'x', '', 'h', now())"
        )
        connection.execute("update act_run set record_id = 5 where request_key = 'k'")
        connection.execute(
            "insert into sensitive_view_log (actor, table_name, record_id, field, reason) "
            "values ('a', 'branch', 1, 'f', 'r')"
        )
        connection.execute(
            "insert into report_run (report, branch_id, business_on, parameters, facts, made_at, made_by) "
            "select 'r', id, '2026-11-22', '{}', '{}', now(), 'a' from branch where code = '98'"
        )
        connection.execute(
            "insert into print_job (table_name, record_id, record_name, paper, copy_no, pages, actor, printed_at, "
            "locale) "
            "values ('branch', 1, 'n', 'p', 1, 1, 'a', now(), 'zh')"
        )
        connection.execute(
            "insert into call_event (branch_id, call_id, kind, happened_at, payload) "
            "select id, 'c', 'ringing', now(), '' from branch where code = '98'"
        )
        for statement in A_TURN.split(";"):
            connection.execute(statement)  # type: ignore[arg-type]
    world.seal()


@pytest.mark.usefixtures("kept_rows")
@pytest.mark.parametrize(
    "table",
    [
        "act_run",
        "audit_log",
        "audit_prune",
        "audit_seal",
        "call_event",
        "print_job",
        "report_run",
        "rotation_turn",
        "sensitive_view_log",
        "visit_checkpoint",
    ],
)
def test_the_twelve_attacks_of_the_application_are_refused(world: World, table: str) -> None:
    """Target 15: neither update, delete, truncate nor disable, whatever the application's role tries."""
    assert table in append_only()
    before = world.run(f"select * from {table} order by id")
    assert before or table == "audit_prune"
    refused = []
    for attack in ATTACKS:
        with world.connect() as connection, pytest.raises((errors.InsufficientPrivilege, errors.RaiseException)):
            connection.execute(attack.format(table=table))  # type: ignore[arg-type]
        refused.append(attack)
    assert len(refused) == 12
    assert [row for row in world.run(f"select * from {table} order by id") if row in before] == before


@pytest.mark.usefixtures("kept_rows")
def test_the_application_forges_no_entry_and_no_seal(world: World) -> None:
    for forged in (
        "insert into audit_log (actor, request, address, operation, transaction_id) values ('x', '', '', 'login', 1)",
        "insert into audit_seal select * from audit_seal",
        "insert into audit_prune values (1, 1, 0, '', '', '', now())",
        "update audit_mark set upto_id = 0",
        "select audit_prune_segment(1, '{1}', 'a', 'd')",
        "select setval('audit_log_id_seq', 1)",
        "select audit_event('update', 'customer', 1, '{}')",
        "select audit_event('prune', 'audit_seal', 1, '{}')",
    ):
        with world.connect() as connection, pytest.raises(errors.InsufficientPrivilege):
            connection.execute(forged)  # type: ignore[arg-type]


#: How the trigger of a table that keeps its rows is switched, and what it does.
KEEPS = """select tgenabled, proname from pg_trigger join pg_proc on pg_proc.oid = tgfoid
where tgrelid = %s::regclass and tgname = 'keep_row'"""


@pytest.mark.usefixtures("kept_rows")
@pytest.mark.parametrize("table", sorted(append_only()))
def test_the_owner_too_is_refused_by_mistake(world: World, table: str) -> None:
    for mistake in ("update {table} set id = id where id >= 0", "delete from {table}", "truncate {table} cascade"):
        if "truncate" not in mistake and not world.run(f"select from {table} limit 1"):
            [(switched, kept_by)] = world.run(KEEPS, table)
            assert (switched, kept_by.startswith("audit_kept")) == ("A", True), "it holds no row yet"
            continue
        with world.connect(as_owner=True) as connection, pytest.raises(errors.InsufficientPrivilege, match="append-o"):
            connection.execute(mistake.format(table=table))  # type: ignore[arg-type]


@pytest.mark.usefixtures("kept_rows")
def test_an_entry_of_the_history_is_completed_by_its_own_transaction_only(world: World) -> None:
    assert world.run("select record_id from act_run where request_key = 'k'") == [(5,)], "in the same transaction"
    with world.connect() as connection, pytest.raises(errors.InsufficientPrivilege, match="append-only"):
        connection.execute("update act_run set record_id = 6 where request_key = 'k'")


def test_what_the_application_may_do_is_what_the_models_say() -> None:
    for table, until_commit in append_only().items():
        told = schema.RESTRICTED_TABLES[table]
        assert set(told) <= ({"SELECT", "INSERT", "UPDATE"} if until_commit else {"SELECT", "INSERT"}), table


# --- the chain ---------------------------------------------------------------------------------------------------


def test_the_chain_seals_every_entry_in_segments_of_a_thousand(copy: World, tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    copy.run(MAKE, 2500)
    assert copy.seal() >= 2500
    sizes = [size for (size,) in copy.run("select entries from audit_seal where id > 0 order by id")]
    assert max(sizes) == 1000
    assert copy.tell(path) == len(sizes)
    assert copy.tell(path) == 0, "each seal is told once"
    assert copy.faults(path) == []
    assert copy.seal() == 0, "the job's own signs of life are not sealed for their own sake"
    with path.open("a") as torn:
        torn.write('{"chain": "cut o')
    copy.run(MAKE.replace("made.", "more."), 3)
    copy.seal()
    copy.tell(path)
    assert copy.faults(path) == []
    assert len([*seals.heads(path)]) == copy.run("select max(id) from audit_seal")[0][0]


def test_an_entry_that_commits_late_is_sealed_too(copy: World, tmp_path: Path) -> None:
    """A transaction holds a number, others commit higher ones: nothing above it is sealed before it is over."""
    copy.seal()
    with copy.connect() as slow:
        slow.execute("insert into param (key, value, effective_at) values ('slow', 'v', now())")
        copy.run(MAKE, 10)
        highest = copy.last()
        assert copy.seal() == 0
        assert copy.run("select max(to_id) from audit_seal")[0][0] < highest
    copy.seal()
    ids = [key for (key,) in copy.run("select id from audit_log where table_name = 'param' and after->>'key' = 'slow'")]
    sealed = copy.run("select from_id, to_id from audit_seal where id > 0")
    assert any(first <= ids[0] <= last for first, last in sealed)
    path = tmp_path / "heads"
    copy.tell(path)
    assert copy.faults(path) == []


def test_without_waiting_a_late_entry_would_break_the_chain(copy: World, tmp_path: Path) -> None:
    """The control: sealed up to the highest committed number, as one naively would, the late entry is a fault."""
    copy.seal()
    with copy.connect() as slow:
        slow.execute("insert into param (key, value, effective_at) values ('slow', 'v', now())")
        copy.run(MAKE, 10)
        copy.run("update audit_mark set upto_id = (select max(id) from audit_log), writing = '{}'", as_owner=True)
        assert copy.seal() >= 10
    path = tmp_path / "heads"
    copy.tell(path)
    assert any("entries stand where" in fault for fault in copy.faults(path))


FIELDS = {
    "at": "at + interval '1 microsecond'",
    "actor": "actor || '0'",
    "request": "request || ' '",
    "address": "'10.0.0.1' || address",
    "table_name": "coalesce(table_name, '') || 'x'",
    "record_id": "coalesce(record_id, 0) + 1",
    "operation": "operation || 's'",
    "before": "coalesce(before, 'null')",
    "after": "coalesce(after, '{}') || '{\"forged\": 1}'",
    "transaction_id": "transaction_id + 1",
}


def tampered(world: World, path: Path, times: int, seed: int) -> None:
    """Edit, delete, swap and insert as a superuser would, each time in a transaction that is undone; all is found."""
    chance = random.Random(seed)
    entries = [
        row
        for (row,) in world.run("select id from audit_log where id <= (select max(to_id) from audit_seal) order by id")
    ]
    segments = world.run("select id, from_id, to_id from audit_seal where id > 0 order by id")
    session = world.session(as_owner=True)
    for time in range(times):
        key, other = chance.sample(entries, 2)
        kind = ("edit", "edit", "edit", "delete", "swap")[time % 5]
        session.execute(text("alter table audit_log disable trigger all"))
        if kind == "edit":
            field = [*FIELDS][chance.randrange(len(FIELDS))]
            session.execute(
                text(f"update audit_log set {field} = {FIELDS[field]} where id = :key".replace(": 1", r"\: 1")),
                {"key": key},
            )
        elif kind == "delete":
            session.execute(text("delete from audit_log where id = :key"), {"key": key})
        else:
            session.execute(text("update audit_log set id = -1 where id = :key"), {"key": key})
            session.execute(text("update audit_log set id = :key where id = :other"), {"key": key, "other": other})
            session.execute(text("update audit_log set id = :other where id = -1"), {"other": other})
        session.execute(text("alter table audit_log enable trigger all"))
        touched = {key, other} if kind == "swap" else {key}
        named = {number for number, first, last in segments if any(first <= each <= last for each in touched)}
        faults = [fault for fault in seals.verify(session, path, path.parent).faults if fault.startswith("segment")]
        assert {int(fault.split()[1]) for fault in faults} == named, (kind, key, faults)
        session.rollback()
    session.close()


def test_what_a_superuser_touches_is_found_and_its_segment_named(copy: World, tmp_path: Path) -> None:
    """Target 17, the essence of it: 20 edits, deletes and swaps."""
    path = tmp_path / "heads.jsonl"
    assert set(FIELDS) | {"id"} == set(METADATA.tables["audit_log"].columns.keys()), "no column escapes the seal"
    copy.run(MAKE, 3000)
    copy.seal()
    copy.tell(path)
    tampered(copy, path, 20, seed=7)
    assert copy.faults(path) == []


@pytest.mark.nightly
def test_two_hundred_edits_of_a_superuser_are_found(copy: World, tmp_path: Path) -> None:
    """Target 17."""
    path = tmp_path / "heads.jsonl"
    copy.run(MAKE, 5000)
    copy.seal()
    copy.tell(path)
    tampered(copy, path, 200, seed=17)


SPOILT = (
    (
        (
            "insert into audit_log (id, actor, request, address, operation, transaction_id) "
            "values (-5, 'x', '', '', 'login', 1)"
        ),
        "before the first segment",
    ),
    ("delete from audit_seal where id = (select max(id) from audit_seal)", "gone from the chain"),
    ("delete from audit_seal where id = 2", "does not follow"),
    ("update audit_seal set digest = repeat('0', 64) where id = 2", "the link itself was changed"),
    ("update audit_seal set sealed_at = sealed_at + interval '1 day' where id = 1", "the link itself was changed"),
    ("update audit_seal set hash = repeat('0', 64) where id = 0", "not bound to the link before it"),
    ("delete from audit_seal where id = 0", "the links before it are missing"),
    (
        (
            "insert into audit_prune select id, entries, 0, digest, 'a', 'd', sealed_at + interval '7 months' "
            "from audit_seal where id = 2"
        ),
        "no entry of the trail tells of that",
    ),
)


def test_a_chain_that_was_touched_is_no_chain(copy: World, tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    copy.run(MAKE, 3000)
    copy.seal()
    copy.tell(path)
    for forgery, said in SPOILT:
        session = copy.session(as_owner=True)
        for table in ("audit_log", "audit_seal", "audit_prune"):
            session.execute(text(f"alter table {table} disable trigger all"))
        session.execute(text(forgery))
        faults = seals.verify(session, path, tmp_path).faults
        assert any(said in fault for fault in faults), (forgery, faults)
        session.rollback()
        session.close()
    path.rename(tmp_path / "elsewhere")
    assert any("no file of heads" in fault for fault in copy.faults(path))
    path.write_text((tmp_path / "elsewhere").read_text().replace('"chain": "', '"chain": "0'))
    assert any("another chain" in fault for fault in copy.faults(path))


# --- retention ---------------------------------------------------------------------------------------------------


def aged(world: World, months: int) -> None:
    """Let all entries and seals be older, as if time had passed: seals are made anew over the older entries."""
    with world.connect(as_owner=True) as connection:
        for table in ("audit_log", "audit_seal"):
            connection.execute(f"alter table {table} disable trigger all")  # type: ignore[arg-type]
        connection.execute(f"update audit_log set at = at - interval '{months} months'")  # type: ignore[arg-type]
        connection.execute("delete from audit_seal where id > 0")
        for table, trigger in (
            ("audit_log", "keep_row"),
            ("audit_log", "keep_table"),
            ("audit_seal", "keep_row"),
            ("audit_seal", "keep_table"),
        ):
            connection.execute(f"alter table {table} enable always trigger {trigger}")  # type: ignore[arg-type]
    world.seal()
    with world.connect(as_owner=True) as connection:
        connection.execute("alter table audit_seal disable trigger all")
        for number, previous in connection.execute(
            "select id, id - 1 from audit_seal where id > 0 order by id"
        ).fetchall():
            connection.execute(
                f"update audit_seal s set sealed_at = s.sealed_at - interval '{months} months', previous_hash = p.hash "  # type: ignore[arg-type]
                "from audit_seal p where s.id = %s and p.id = %s",
                (number, previous),
            )
            connection.execute(
                "update audit_seal set hash = encode(sha256(convert_to(concat_ws('|', previous_hash, id, "
                "from_id, to_id, entries, "
                "digest, (extract(epoch from sealed_at) * 1000000)::bigint), 'UTF8')), 'hex') where id = %s",
                (number,),
            )
        for trigger in ("keep_row", "keep_table"):
            connection.execute(f"alter table audit_seal enable always trigger {trigger}")  # type: ignore[arg-type]


def pruned(world: World, folder: Path) -> list[trail_pruning.Pruned]:
    with acting_as("house:prune-trail"), world.session(as_owner=True) as session:
        return [*trail_pruning.prune(session, folder, at=datetime.now(UTC))]


@pytest.mark.usefixtures("app")
def test_what_is_past_its_retention_moves_into_an_archive_and_its_seals_stay(copy: World, tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    copy.run(MAKE, 1500)
    copy.run("select audit_event('reveal', 'customer', 4, '{}')")
    aged(copy, 40)
    copy.run(MAKE.replace("made.", "young."), 5)
    copy.seal()
    copy.tell(path)
    assert copy.faults(path) == []
    before, links = copy.last(), copy.run("select count(*) from audit_seal")
    entries = copy.run("select count(*) from audit_log where at < now() - interval '36 months'")[0][0]
    done = pruned(copy, tmp_path)
    assert sum(each.entries for each in done) == entries - 1 > 1500
    left = copy.run("select operation from audit_log where id <= %s and at < now() - interval '36 months'", before)
    assert left == [("reveal",)], "a look at personal data is kept as long as the record"
    assert copy.run("select count(*) from audit_seal") == links
    assert (
        copy.run("select count(*) from audit_log where operation = 'prune' and actor = 'house:prune-trail'")[0][0] > 0
    )
    assert pruned(copy, tmp_path) == []
    copy.seal()
    copy.tell(path)
    assert copy.faults(path) == []
    archive = tmp_path / done[0].archive
    assert b"made.1" not in archive.read_bytes(), "sealed with the house's keys"
    assert trail_archive.digest_of(archive) == copy.run("select archive_digest from audit_prune limit 1")[0][0]
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-1] + b"x")
    assert any("the archive file" in fault for fault in copy.faults(path))
    archive.write_bytes(whole)
    copy.run("alter table audit_log disable trigger all", as_owner=True)
    copy.run("delete from audit_log where operation = 'reveal'", as_owner=True)
    assert any("kept when the rest was archived" in fault for fault in copy.faults(path))


@pytest.mark.usefixtures("app")
def test_nothing_younger_than_six_months_can_be_pruned(copy: World, tmp_path: Path) -> None:
    """White paper H.2: six months online, refused by the setting's range, the command and the database."""
    assert trail_pruning.KEEP_MONTHS.least == 6
    assert trail_pruning.KEEP_MONTHS.default == "36"
    copy.run(MAKE, 10)
    aged(copy, 5)
    assert pruned(copy, tmp_path) == []
    for attack in (
        "select audit_prune_segment(1, array(select id from audit_log), 'a', 'd')",
        "select set_config('app.pruning', 'yes', false); delete from audit_log",
    ):
        with (
            copy.connect(as_owner=True) as connection,
            pytest.raises(errors.InsufficientPrivilege, match="younger than six months"),
        ):
            connection.execute(attack)  # type: ignore[arg-type]
    with copy.connect(as_owner=True) as connection, pytest.raises(errors.InsufficientPrivilege, match="append-only"):
        connection.execute("delete from audit_log")
