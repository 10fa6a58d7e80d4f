"""Reference data: added where absent, left alone where it stands. White paper REF-1 to REF-3, 1.3, part D."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from app.demo.loading import OPEN_HOUSE
from app.models.customers import SourceChannel
from app.models.followup import FollowupRule
from app.models.hr import Position
from app.models.settings import Dictionary, DictionaryItem, ItemState, NumberRule, Param
from app.roles import ROLES
from app.services.followup import TRIGGERS
from app.services.followup.reference import CATEGORIES
from app.services.reference import (
    BUSINESS_CATEGORIES,
    DICTIONARIES,
    NUMBER_RULES,
    POSITIONS,
    SOURCE_CHANNELS,
    ensure_reference_data,
)
from app.services.settings import GRACE_MINUTES, SETTINGS, item_by_code, value_of
from tests.conftest import ALWAYS_OPEN

TABLES = (Dictionary, DictionaryItem, SourceChannel, NumberRule, Param, Position)
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def counts(session):
    return {model.__tablename__: session.scalar(select(func.count()).select_from(model)) for model in TABLES}


def test_the_second_time_nothing_is_added(session):
    ensure_reference_data(session, NOW)
    before = counts(session)
    added = ensure_reference_data(session, NOW)
    assert set(added.values()) == {0}
    assert counts(session) == before
    assert before["dictionary"] >= 6
    assert before["dictionary_item"] >= sum(map(len, DICTIONARIES.values()))


def test_what_an_administrator_renamed_reordered_or_retired_stays(session):
    ensure_reference_data(session, NOW)
    item = item_by_code(session, "area", "xuhui")
    item.name, item.position, item.state, item.retired_at = "徐汇", 5, ItemState.RETIRED, NOW
    channel = session.scalars(select(SourceChannel).where(SourceChannel.code == "media_tv")).one()
    channel.name, channel.retired_at = "电视台", NOW
    rule = session.scalars(select(NumberRule).where(NumberRule.doc_type == "call")).one()
    rule.prefix, rule.width = "DH", 5
    session.flush()
    ensure_reference_data(session, NOW)
    session.expire_all()
    assert (item.name, item.position, item.state) == ("徐汇", 5, ItemState.RETIRED)
    assert (channel.name, channel.retired_at) == ("电视台", NOW)
    assert (rule.prefix, rule.width) == ("DH", 5)


def test_an_item_that_is_absent_comes_back_alone(session):
    ensure_reference_data(session, NOW)
    session.delete(item_by_code(session, "area", "chongming"))
    session.delete(session.scalars(select(SourceChannel).where(SourceChannel.code == "media_radio")).one())
    session.flush()
    added = ensure_reference_data(session, NOW)
    assert (added["dictionary_item"], added["source_channel"]) == (1, 1)
    assert sum(added.values()) == 2
    assert item_by_code(session, "area", "chongming").name == "崇明区"


def test_a_setting_that_an_administrator_changed_gets_no_second_default(session):
    ensure_reference_data(session, NOW)
    session.add(Param(key=GRACE_MINUTES.key, branch_id=None, value="90", effective_at=NOW))
    session.flush()
    assert ensure_reference_data(session, NOW)["param"] == 0
    assert value_of(session, GRACE_MINUTES, branch_id=None, at=NOW) == 90


def test_every_declared_setting_stands_on_screen_with_its_default(session):
    ensure_reference_data(session, NOW)
    rows = dict(session.execute(select(Param.key, Param.value).where(Param.branch_id.is_(None))).all())
    set_apart = {*ALWAYS_OPEN, *OPEN_HOUSE}  # which the tests and the demo set for themselves
    rows |= {key: SETTINGS[key].default for key in set_apart}
    assert {key: declared.default for key, declared in SETTINGS.items()}.items() <= rows.items()


def test_the_position_of_each_role_bears_its_identifier(session):
    ensure_reference_data(session, NOW)
    assert [code for code, _name, _english in POSITIONS] == list(ROLES)
    rows = session.execute(select(Position.code, Position.default_role)).all()
    assert set(ROLES) <= {code for code, _role in rows}
    assert all(role == code for code, role in rows if code in ROLES)


def test_every_rule_has_a_trigger_and_a_category_in_use(session):
    """REF-8, 1.3."""
    ensure_reference_data(session, NOW)
    for rule in session.scalars(select(FollowupRule)):
        assert rule.trigger in TRIGGERS, rule.code
        assert rule.category.retired_at is None, rule.code


def test_the_lists_are_as_long_as_the_white_paper_says():
    assert len(BUSINESS_CATEGORIES) == 15 + 1  # REF-2, and the calls that nobody answered (R-2.1.1-3)
    # 1.3, REF-3, the wishes of an anniversary (R-1.2-2), and what a doctor must see to (R-2.22-4)
    assert len(CATEGORIES) == 19 + 6 + 1 + 1
    assert len({group for group, *_rest in CATEGORIES[:19]}) == 6
    assert len(SOURCE_CHANNELS) == 8  # REF-2, the roots
    assert sum(map(len, SOURCE_CHANNELS.values())) == 26  # REF-2, the leaves


def test_the_source_channels_are_a_tree_that_knows_referrals_and_partners(session):
    """R-2.1.1-5 reads both marks."""
    ensure_reference_data(session, NOW)
    channels = {channel.code: channel for channel in session.scalars(select(SourceChannel))}
    marked = {code for code, channel in channels.items() if channel.is_referral}
    assert marked == {"referral_customer"}
    market = {root for root, channel in channels.items() if channel.is_market and channel.parent_id is None}
    assert market == {"partner", "market"}
    for (root, *_names), leaves in SOURCE_CHANNELS.items():
        for code, _name, _english in leaves:
            assert channels[code].parent_id == channels[root].id
            assert channels[code].is_market == channels[root].is_market


def test_the_number_rules_have_prefix_date_and_width(session):
    ensure_reference_data(session, NOW)
    rules = {rule.doc_type: (rule.prefix, rule.with_date, rule.width) for rule in session.scalars(select(NumberRule))}
    assert NUMBER_RULES.items() <= rules.items()
    assert rules["customer"] == ("KH", False, 7)
    assert rules["appointment_slip"] == ("YY", True, 4)


@pytest.mark.parametrize("named", [*DICTIONARIES, *(item for items in DICTIONARIES.values() for item in items)])
def test_every_word_has_a_chinese_and_an_english_name(named):
    code, name, name_en = named
    assert code.isascii()
    assert any("一" <= char <= "鿿" for char in name)
    assert name_en.isascii()
