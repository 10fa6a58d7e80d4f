"""Consent by purpose. L03, L13; decision 0027; trust target 46."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from app.errors import InvalidInput, Refusal
from app.models.privacy import ConsentPurpose, ConsentState, ConsentText, CustomerConsent, SignedHow
from app.services.plain import save
from app.services.privacy.consents import FIRST_TEXTS, consented, text_in_force
from app.unit import acting_as

CHINA = ZoneInfo("Asia/Shanghai")
MARKETING = ConsentPurpose.MARKETING


@pytest.fixture(autouse=True)
def somebody():
    with acting_as("house:test"):
        yield


@pytest.fixture
def adult(make_customer, session):
    customer = make_customer()
    customer.birth_year = 1990
    session.commit()
    return customer


def sign(do, by, customer, purpose=MARKETING, **more):
    values = {"customer_id": customer.id, "purpose": purpose, "signed_how": SignedHow.SCREEN, **more}
    return do("customer_consent.sign", by, **values).record


def test_every_purpose_has_its_first_text_in_both_languages(session, at):
    assert set(FIRST_TEXTS) == set(ConsentPurpose)
    for purpose in ConsentPurpose:
        said = text_in_force(session, purpose, at.date())
        assert said is not None
        assert said.text_zh
        assert said.text_en


def test_nothing_signed_is_no_and_one_purpose_is_not_another(do, consultant, adult, session, at):
    assert not consented(session, adult.id, MARKETING, at)
    sign(do, consultant, adult)
    assert consented(session, adult.id, MARKETING, at)
    assert not consented(session, adult.id, ConsentPurpose.TEACHING_PHOTOS, at)
    assert not consented(session, adult.id, MARKETING, at - timedelta(seconds=1))


def test_withdrawn_is_no_from_that_moment_and_yes_before(do, consultant, adult, session, at):
    consent = sign(do, consultant, adult, signed_at=at - timedelta(days=3))
    do("customer_consent.withdraw", consultant, consent, reason="不想再收到信息")
    assert not consented(session, adult.id, MARKETING, at)
    assert consented(session, adult.id, MARKETING, at - timedelta(days=1))
    assert consent.state is ConsentState.WITHDRAWN
    stored = session.connection().exec_driver_sql("select withdrawn_reason from customer_consent").scalar_one()
    assert stored.startswith("gAAAA")


def test_signed_anew_the_earlier_one_stays_on_file(do, consultant, adult, session):
    first, second = sign(do, consultant, adult), sign(do, consultant, adult, scope_note="仅限短信")
    assert (first.state, second.state) == (ConsentState.RENEWED, ConsentState.HOLDS)
    with pytest.raises(InvalidInput):
        sign(do, consultant, adult, signed_at=second.signed_at - timedelta(days=2))


@pytest.mark.parametrize(
    ("age", "guardian", "stands"), [(13, None, False), (17, None, False), (17, "林妈妈", True), (30, None, True)]
)
def test_a_minor_needs_her_guardian(do, consultant, make_customer, session, at, age, guardian, stands):
    """L03: under 18; L13: under 14. Of a birth year alone the younger age counts."""
    customer = make_customer()
    customer.birth_on = at.date().replace(year=at.year - age, month=1, day=1)
    session.commit()
    more = {"guardian_name": guardian, "guardian_relation": "母亲"} if guardian else {}
    if stands:
        assert sign(do, consultant, customer, **more).guardian_name == guardian
    else:
        with pytest.raises(InvalidInput) as said:
            sign(do, consultant, customer, **more)
        assert "guardian_name" in said.value.errors


def test_of_unknown_age_nobody_signs(do, consultant, make_customer):
    with pytest.raises(Refusal):
        sign(do, consultant, make_customer())


def test_over_rest_a_paper_needs_its_sheet(rest, adult):
    call = rest("phone_consultant")
    body = {"customer_id": adult.id, "purpose": "marketing", "signed_how": "paper"}
    assert "evidence_file_id" in call("POST", "customer_consent/sign", body).json["errors"]
    answer = call("POST", "customer_consent/sign", {**body, "signed_how": "screen", "guardian_name": "林妈妈"})
    assert "guardian_relation" in answer.json["errors"]
    assert call("POST", "customer_consent/sign", {**body, "signed_how": "screen"}).status_code == 201


def test_a_text_that_was_signed_is_not_changed(do, consultant, person, adult, session, at):
    affairs = person("medical_affairs")
    sign(do, consultant, adult)
    text = session.scalars(select(ConsentText).where(ConsentText.purpose == MARKETING)).one()
    with pytest.raises(Refusal):
        save(session, ConsentText, {"text_zh": "改了"}, by=affairs, at=at, record_id=text.id)
    values = {"purpose": MARKETING, "text_zh": "新", "text_en": "new", "in_force_on": at.date()}
    with pytest.raises(InvalidInput):
        save(session, ConsentText, {**values, "version": 5}, by=affairs, at=at)
    save(session, ConsentText, {**values, "version": 2}, by=affairs, at=at)
    assert text_in_force(session, MARKETING, at.date()).version == 2
    assert session.scalars(select(CustomerConsent)).one().text_id == text.id


def test_the_form_to_sign_and_the_marks_on_screen(login, adult, do, consultant, session, at):
    adult.birth_on = at.astimezone(CHINA).date().replace(year=1992)
    session.commit()
    client = login("phone_consultant")
    assert (
        "尚未同意营销" in client.get("/anniversaries/list/").text
        or "not agreed" in client.get("/anniversaries/list/").text
    )
    sign(do, consultant, adult)
    assert "not agreed" not in client.get("/anniversaries/list/").text
    guide = login("guide")
    pdf = guide.get(f"/customer/{adult.id}/print/consent_form")
    assert pdf.status_code == 200
    assert pdf.data.startswith(b"%PDF")
    page = guide.get(f"/customer/show/{adult.id}").text
    assert "/customer_consent/show/" in page
    assert "who-looks" in page
