"""The one page of a customer, and what REST tells of her life. White paper 1.2; SM-01."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from app.models.customers import CustomerMergeLog, MergeProof, Sex, Stage


@pytest.fixture
def merged_pair(do, make_customer, make_slip, supervisor, person):
    merged, kept = make_customer(name="林晓雨"), make_customer(name="林小雨")
    make_slip(customer=merged)
    given = {"kept_id": kept.id, "proof": MergeProof.SEEN, "reason": "同一位顾客"}
    log = do("customer.propose_merge", supervisor, merged, **given).result
    do("customer_merge_log.carry_out", person("it_manager"), log)
    return merged, kept, log


def test_the_page_shows_traits_owners_and_what_is_missing(login, do, consultant, make_customer, item):
    customer = make_customer(sex=Sex.FEMALE)
    kind = item("trait_type", "anniversary").id
    given = {"trait_type_id": kind, "value": "结婚纪念日", "stage": Stage.WARD, "month": 5, "month_day": 20}
    do("customer.add_trait", consultant, customer, **given)
    page = login("phone_consultant").get(f"/customer/show/{customer.id}").text
    for part in ("tab-customer_trait", "tab-customer_owner_history", "tab-missing", "结婚纪念日", "05-20"):
        assert part in page, part
    assert "tab-customer_merge_log" not in page


def test_a_number_that_bars_cannot_say_is_shown_without_them(login, make_customer, session):
    """A number taken over from elsewhere may hold signs that Code 128 does not know."""
    customer, client = make_customer(), login("phone_consultant")
    assert 'id="bars"' in client.get(f"/customer/show/{customer.id}").text
    customer.customer_no = "旧档案甲字三号"
    session.commit()
    page = client.get(f"/customer/show/{customer.id}")
    assert page.status_code == 200
    assert 'id="bars"' not in page.text


def test_a_merged_files_page_leads_to_the_kept_one_and_the_kept_ones_explains(login, merged_pair):
    """SM-01: explained afterwards."""
    merged, kept, log = merged_pair
    client = login("branch_head")
    assert f'<a href="/customer/show/{kept.id}">' in client.get(f"/customer/show/{merged.id}").text
    shown = client.get(f"/customer/show/{kept.id}").text
    assert "tab-customer_merge_log" in shown
    assert f"/customer_merge_log/show/{log.id}" in shown
    assert "tab-moved" in client.get(f"/customer_merge_log/show/{log.id}").text


def test_rest_explains_a_merge(rest, merged_pair):
    """SM-01: counts per table and the moved ids."""
    _merged, kept, log = merged_pair
    told = rest("it_manager")("GET", f"customer_merge_log/{log.id}").json["result"]
    assert told["counts"]["appointment_slip.customer_id"] == 1
    assert len(told["moved"]["appointment_slip.customer_id"]) == 1
    assert told["kept_id"] == kept.id


def test_a_merge_by_rest_from_proposal_to_the_end(rest, session, make_customer):
    """SM-01; a file into itself is refused beside the field."""
    merged, kept = make_customer(), make_customer()
    propose = rest("phone_supervisor")
    body = {"kept_id": merged.id, "proof": "said", "reason": "本人确认"}
    refused = propose("POST", f"customer/{merged.id}/propose_merge", body)
    assert refused.status_code == 422
    assert "kept_id" in str(refused.json)
    made = propose("POST", f"customer/{merged.id}/propose_merge", body | {"kept_id": kept.id})
    assert made.status_code == 200, made.json
    log_id = session.scalars(select(CustomerMergeLog.id).where(CustomerMergeLog.merged_id == merged.id)).one()
    assert propose("POST", f"customer_merge_log/{log_id}/carry_out", {}).status_code == 403
    done = rest("it_manager")("POST", f"customer_merge_log/{log_id}/carry_out", {})
    assert (done.status_code, done.json["result"]["id"]) == (200, kept.id)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kept_id": "x"},
        {"kept_id": 2**70, "proof": "seen", "reason": "……"},
        {"kept_id": [], "proof": 3, "reason": {}},
    ],
)
def test_a_malformed_proposal_is_answered_with_sentences(rest, make_customer, body):
    answer = rest("phone_supervisor")("POST", f"customer/{make_customer().id}/propose_merge", body)
    assert answer.status_code == 422


def test_an_act_on_a_customer_is_offered_where_it_can_be_done(login, rest, merged_pair, make_customer):
    merged, _kept, _log = merged_pair
    guide = rest("guide")
    assert "confirm_identity" in guide("GET", f"customer/{make_customer().id}").json["result"]["acts"]
    assert guide("GET", f"customer/{merged.id}").json["result"]["acts"] == []


def test_the_identity_form_begins_with_what_is_known(login, make_customer):
    page = login("guide").get(f"/customer/{make_customer(name='林小雨').id}/act/confirm_identity").text
    assert 'value="林小雨"' in page


def test_a_probable_duplicate_is_named_only_to_who_sees_its_file(login, session, make_customer, colleague):
    """Of a colleague's file one learns that there is one with the same ID number, and no more."""
    mine, hers = make_customer(), make_customer(colleague)
    for customer in (mine, hers):
        customer.id_no = "110105199003077891"
    session.commit()
    page = login("phone_consultant").get(f"/customer/show/{mine.id}").text
    assert "note n-warn" in page
    assert hers.customer_no not in page
    page = login("phone_supervisor").get(f"/customer/show/{mine.id}").text
    assert hers.customer_no in page


def test_the_page_of_anniversaries(login, session, make_customer):
    """R-1.2-2; who may not is refused."""
    customer = make_customer(name="寿星佬")
    tomorrow = datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")).date() + timedelta(days=1)
    customer.birth_on = tomorrow.replace(year=1992)  # a leap year has every day
    session.commit()
    assert "寿星佬" in login("phone_consultant").get("/anniversaries/list/").text
    assert "寿星佬" not in login("phone_consultant_2").get("/anniversaries/list/").text
    assert login("cashier").get("/anniversaries/list/").status_code == 403
