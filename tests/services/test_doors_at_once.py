"""The doors under pressure: many at once on a database of their own, each in a transaction that commits. H.2."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pyotp
import pytest
from limits import parse
from limits.strategies import FixedWindowRateLimiter

from app.models.doors import LoginAttempt, SessionKind
from app.panel.doors.rates import PostgresStorage
from app.services.doors import enter, factor, passwords
from app.services.doors.entering import Visitor
from app.unit import acting_as, unit_of_work

THREADS = 16
HERE = Visitor("10.0.0.7", "test", SessionKind.API)


def at_once(world, work):
    """Do something in sixteen threads that begin together; return what each said."""
    barrier = Barrier(THREADS)

    def one(number):
        with world.app.app_context(), acting_as("login:test@10.0.0.7"):
            session = world.session()
            barrier.wait()
            try:
                return work(session, number)
            finally:
                session.rollback()

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(one, range(THREADS)))


@pytest.mark.slow
def test_of_sixteen_at_once_five_passwords_are_looked_at_and_a_code_opens_once(own_world, monkeypatch):
    at = datetime.now(UTC)
    looked = []
    real = passwords.is_right
    monkeypatch.setattr(passwords, "is_right", lambda known, sent: looked.append(known) or real(known, sent))
    said = at_once(own_world, lambda session, _n: enter(session, "guide", "wrong", HERE, at).sentence)
    assert sum("登录名" in each or "Login name" in each for each in said) == 4
    assert len(looked) == THREADS, "the same work for each, allowed or not"
    assert own_world.count(LoginAttempt, LoginAttempt.locked_until > at, LoginAttempt.failures == THREADS) == 1

    with own_world.app.app_context(), acting_as("house:test"):
        session = own_world.session()
        right = enter(session, "guide", "Yimei-demo-2026", HERE, at)
        assert right.begun is None, "locked for the right password too"
        after = enter(session, "guide", "Yimei-demo-2026", HERE, at + timedelta(minutes=15))
        assert after.begun is not None, "and open again after fifteen minutes"
        user_id = after.user_id
        with unit_of_work(session):
            device = pyotp.TOTP(factor.begin_setup(session, user_id, at))
            factor.confirm_setup(session, user_id, device.at(at - timedelta(seconds=30)), at)

    def take(session, _number):
        with unit_of_work(session):
            return factor.accept(session, passwords.account_of(session, user_id, at), device.at(at), at)

    assert sum(at_once(own_world, take)) == 1, "sixteen who send the same code: one comes in"


@pytest.mark.slow
def test_counts_of_two_workers_are_one(own_world):
    """Two application objects, one table: sixteen hits at once against a limit of ten let ten through."""
    from app import create_app
    from app.extensions import db

    other = create_app(SQLALCHEMY_DATABASE_URI=own_world.app.config["SQLALCHEMY_DATABASE_URI"])
    limit = parse("10 per 1 hour")

    def hit(number):
        app = (own_world.app, other)[number % 2]
        with app.app_context():
            return FixedWindowRateLimiter(PostgresStorage()).hit(limit, "test", "somebody")

    with ThreadPoolExecutor(THREADS) as threads:
        assert sum(threads.map(hit, range(THREADS))) == 10
    with other.app_context():
        db.engine.dispose()
