"""Changing the encryption key while the house runs; what lies in logs. L15; trust 3 of issue 4."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from app import filestore, keyring
from app.extensions import db
from app.filestore import store
from app.models.customers import Customer, CustomerContact
from app.models.privacy import KeyRotation
from app.models.trail import AuditLog
from app.ops.schema import owner_session
from app.services.privacy import rotation
from app.services.privacy.rotation import Keys, needing_older, rotate, sealed_columns
from app.unit import acting_as


@pytest.fixture
def ring(app, tmp_path):
    """The keys of this process, as they were afterwards; and a file store of one's own, whose files nobody misses."""
    keys, hash_key = list(app.config["ENCRYPTION_KEYS"]), app.config["HASH_KEY"]
    usual = store()
    filestore.configure(tmp_path / "files")
    yield keys, hash_key
    filestore.configure(usual.root)
    keyring.configure(keys, hash_key)


def test_every_encrypted_column_is_found_in_the_metadata(app):
    names = {f"{table.name}.{column.name}" for table, column in sealed_columns()}
    assert {"customer.id_no", "customer_contact.value", "contact_record.content", "act_run.inputs"} <= names
    assert len(names) >= 25


def test_killed_in_the_middle_it_goes_on_and_ends_as_one_event(own_world, ring, monkeypatch):
    """A kill leaves what was committed; the next run goes on from there. Everything reads the same before and after."""
    keys, hash_key = ring
    for _each in range(4):
        own_world.customer()
    with own_world.app.app_context(), acting_as("house:rotate-keys"), owner_session(own_world.app) as session:
        file_key = store().put(b"picture")
        before = {one.id: one.value for one in session.scalars(select(CustomerContact))}
        new = Keys(Fernet.generate_key().decode(), keys)
        keyring.configure([new.newest, *keys], hash_key)
        stale = session.execute(text("select id, value from customer_contact order by id limit 1")).one()
        session.rollback()
        monkeypatch.setattr(rotation, "PIECE", 2)

        class Killed(BaseException):
            pass

        calls = 0
        usual = rotation._renew

        def dying(*told):
            nonlocal calls
            calls += 1
            if calls == 8:
                raise Killed
            return usual(*told)

        monkeypatch.setattr(rotation, "_renew", dying)
        with pytest.raises(Killed):
            rotate(session, new, at=lambda: datetime.now(UTC))
        session.rollback()
        begun = session.scalars(select(KeyRotation)).one()
        assert begun.ended_at is None
        assert begun.checkpoint
        done_before = begun.values_done
        assert needing_older(session, new)
        monkeypatch.setattr(rotation, "_renew", usual)
        session.rollback()
        ended = rotate(session, new, at=lambda: datetime.now(UTC))
        assert ended.values_done > done_before
        assert ended.files_done >= 1
        assert needing_older(session, new) == {}
        session.expire_all()
        assert {one.id: one.value for one in session.scalars(select(CustomerContact))} == before
        assert store().get(file_key) == b"picture"
        renewed = session.scalar(
            select(func.count()).where(AuditLog.operation == "update", AuditLog.table_name == "customer_contact")
        )
        assert renewed == 0, "the trail tells of a rotation by one event"
        events = session.scalar(select(func.count()).where(AuditLog.operation == "keys_rotated"))
        assert events == 1
        # The old keys alone open nothing any more; the new one alone opens all.
        keyring.configure([new.newest], hash_key)
        session.expire_all()
        assert {one.id: one.value for one in session.scalars(select(CustomerContact))} == before
        found = text("select value from customer_contact where id = :id")
        fresh = session.execute(found, {"id": stale.id}).scalar_one()
        assert fresh != stale.value
        # A value that changed meanwhile is left to who changed it.
        session.rollback()
        bare = rotation.bare_table("customer_contact", rotation.column("id"), rotation.column("value"))
        assert rotation._renew(session, bare, "value", stale.id, stale.value, new) == 0
        session.rollback()


def test_a_process_that_runs_takes_a_changed_ring_by_itself(ring, monkeypatch):
    keys, hash_key = ring
    told = {"keys": keys, "mark": 1}
    keyring.configure(keys, hash_key, lambda: (told["keys"], hash_key, told["mark"]))
    monkeypatch.setattr(keyring, "LOOKED_EVERY", 0.0)
    new = Fernet.generate_key().decode()
    told.update(keys=[new, *keys], mark=2)
    token = keyring.ring().encrypt("甲")
    assert Fernet(new).decrypt(token.encode()).decode() == "甲"
    told.update(keys=["nonsense"], mark=3)
    assert keyring.ring().decrypt(token) == "甲"


def test_the_command_puts_a_new_key_first_and_drops_the_old_one_only_when_nothing_needs_it(
    own_world, ring, tmp_path, monkeypatch
):
    import json

    from app.ops import keys as command

    keys, hash_key = ring
    own_world.customer()
    (tmp_path / "keys.json").write_text(json.dumps({"encryption": keys, "hash": hash_key}))
    monkeypatch.delenv("YIMEI_ENCRYPTION_KEYS", raising=False)
    keyring.configure(keys, hash_key)

    def take(_seconds):
        kept = json.loads((tmp_path / "keys.json").read_text())["encryption"]
        own_world.app.config["ENCRYPTION_KEYS"] = kept
        keyring.configure(kept, hash_key)

    monkeypatch.setitem(own_world.app.config, "ENCRYPTION_KEYS", keys)
    said: list[str] = []
    command.rotate_keys(own_world.app, tmp_path, say=said.append, pause=take)
    kept = json.loads((tmp_path / "keys.json").read_text())
    assert kept["encryption"][1:] == keys
    assert kept["hash"] == hash_key
    assert "Done" in said[-1]
    with own_world.app.app_context(), acting_as("house:test"):
        other = keyring.KeyRing(keys, hash_key).encrypt("旧")
        spoilt = text("update customer_contact set value = :old where id = (select min(id) from customer_contact)")
        db.session.execute(spoilt, {"old": other})
        db.session.commit()
    with pytest.raises(command.NotRotated):
        command.rotate_keys(own_world.app, tmp_path, say=said.append, drop_old=True)
    own_world.app.config["ENCRYPTION_KEYS"] = kept["encryption"]
    with own_world.app.app_context(), acting_as("house:test"), owner_session(own_world.app) as session:
        now_keys = Keys(kept["encryption"][0], kept["encryption"][1:])
        rotation.start_over(session, now_keys)
        rotate(session, now_keys, at=lambda: datetime.now(UTC))
    command.rotate_keys(own_world.app, tmp_path, say=said.append, drop_old=True)
    assert json.loads((tmp_path / "keys.json").read_text())["encryption"] == kept["encryption"][:1]


def test_nobody_but_the_owner_passes_the_trail_by(own_world):
    """What the rotation may, the application may not, whatever it says of itself."""
    own_world.customer()
    with own_world.app.app_context(), acting_as("house:test"):
        session = own_world.session()
        session.execute(text("select set_config('app.rekey', 'on', true)"))
        session.execute(text("update customer_contact set relation = '本人'"))
        changed = select(func.count()).where(AuditLog.operation == "update", AuditLog.table_name == "customer_contact")
        assert session.scalar(changed) >= 1
        with pytest.raises(ProgrammingError, match="append-only"):
            session.execute(text("update act_run set act = 'other'"))
        session.rollback()


# --- logs ----------------------------------------------------------------------------------------------------------


def test_a_refusal_of_the_database_carries_no_row_into_any_log(app, session, make_customer, caplog):
    """PostgreSQL's DETAIL is the failing row; hide_parameters does not hide it."""
    with acting_as("house:test"):
        customer = make_customer(name="金丝雀日志")
        number = customer.customer_no
        session.commit()
        session.add(Customer(customer_no=number, name="金丝雀日志", branch_id=customer.branch_id))
        with pytest.raises(IntegrityError) as wrong, session.no_autoflush:
            session.flush()
    with caplog.at_level(logging.ERROR):
        try:
            raise RuntimeError("request failed") from wrong.value
        except RuntimeError:
            logging.getLogger("canary").exception("it failed")
    session.rollback()
    assert "金丝雀日志" not in caplog.text
    assert number not in caplog.text
    assert "DETAIL" not in caplog.text
    assert "uq_customer_customer_no" in caplog.text
    assert wrong.value.orig.diag.constraint_name == "uq_customer_customer_no"


def test_the_embedded_server_logs_neither_rows_nor_parameters():
    from app.ops.cluster_settings import CAREFUL

    assert CAREFUL["log_error_verbosity"] == "terse"
    assert CAREFUL["log_parameter_max_length"] == CAREFUL["log_parameter_max_length_on_error"] == "0"
