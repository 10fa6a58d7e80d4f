"""Scan anything: what a code, a number or a name leads to, for whom, and what is next."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from app.models.customers import Customer
from app.models.settings import NumberRule
from app.panel.codes import Code, bare_of, cleaned, spellings
from app.panel.finding import coded, find_anything, next_act
from app.panel.house_view import views

#: As printed; typed in a hurry; in full width; spoken with spaces; with what scanners put before and after it.
WAYS = ("{0}", "{1}", " {2} ", "{3}", "{4}", "]C1{0}", "\x02{1}\r\n", "\u200e{0}\u200f", "{5}")


def written(number: str) -> list[str]:
    bare = number.replace("-", "")
    wide = "".join(chr(ord(char) + 0xFEE0) for char in bare)
    return [way.format(number, bare, number.lower(), wide, " ".join(bare), number.replace("-", "–")) for way in WAYS]


def test_a_code_is_read_however_it_came():
    for text in written("YY01-20261122-0018"):
        assert bare_of(text) == "YY01202611220018", text
        assert "YY01-20261122-0018" in spellings(bare_of(text)), text
    assert "KH01-0000002" in spellings("KH010000002")
    for text in ("", "林小雨", "a'b", "😀", "--", "1" * 41):
        assert bare_of(text) == "", text
    assert len(cleaned("x" * 100_000)) <= 10_000


def test_every_kind_of_number_opens_its_record_for_who_may_and_is_unknown_to_others(
    login, make_slip, session, employee, rest
):
    slip = make_slip()
    client = login("phone_consultant")
    for text in written(slip.slip_no):
        assert client.get("/search", query_string={"q": text}).location == f"/appointment_slip/show/{slip.id}", text
    hers = client.get("/search", query_string={"q": slip.customer.customer_no.lower()})
    assert hers.location == f"/customer/show/{slip.customer_id}"
    other = login("b2_phone_consultant")
    told = other.get("/search", query_string={"q": slip.slip_no})
    nobody = other.get("/search", query_string={"q": "YY01-20200101-9999"})
    assert told.status_code == nobody.status_code == 200
    assert f'value="{slip.slip_no}"' in told.text, "the text stays in the box"
    assert told.text.count('role="status"') == nobody.text.count('role="status"') > 0
    assert f"/appointment_slip/show/{slip.id}" not in told.text
    someone = employee("guide")
    found = rest("hr")("GET", f"find?q={someone.employee_no.lower()}").json
    assert [(each["table"], each["id"]) for each in found["result"]] == [("employee", someone.id)]
    assert rest("guide")("GET", f"find?q={someone.employee_no}").json["count"] == 0, "who may not open it finds nothing"


def test_every_table_with_a_number_of_a_rule_and_every_printed_barcode_is_declared(session):
    declared = {(view.datamodel.table, code.column) for view, code in coded()}
    ruled = {"customer": "customer", "call": "contact_record", "chat": "contact_record", "lead": "contact_record"}
    ruled |= {"appointment_slip": "appointment_slip", "employee": "employee", "followup_plan": "followup_plan"}
    ruled["supplement_request"] = "appointment_supplement_request"
    ruled |= {"visit": "visit", "reception_form": "reception_form", "inspection_visit": "inspection_visit"}
    ruled |= {"design_card": "customer_card", "visit_card": "customer_card"}
    for rule in session.query(NumberRule).all():
        assert ruled[rule.doc_type] in {table for table, _column in declared}, rule.doc_type
    columns = {column for _table, column in declared}
    prints = Path(__file__).resolve().parents[2] / "app" / "templates" / "print"
    printed = {
        name for page in prints.rglob("*.html") for name in re.findall(r"barcode\(\w+\.(\w+)\)", page.read_text())
    }
    assert printed, "the slip at least"
    assert printed <= columns


def test_what_is_next_depends_on_who_asks(make_slip, consultant, guide, supervisor):
    slip = make_slip()
    keys = [following[0].name for by in (consultant, guide, supervisor) if (following := next_act(slip, by))]
    assert keys == ["redo", "arrive", "redo"]
    found = next_act(slip.customer, consultant)
    assert found is not None
    assert (found[0].key, found[1]) == ("appointment_slip.place", True)


def test_several_are_shown_by_kind_with_the_next_act_as_a_dialog(login, make_customer):
    first, second = make_customer(name="欧阳逢春"), make_customer(name="欧阳逢春")
    text = login("phone_consultant").get("/search", query_string={"q": "欧阳逢春"}).text
    for customer in (first, second):
        assert f"/customer/show/{customer.id}" in text
        assert f"/appointment_slip/act/place?source=customer:{customer.id}" in text.replace("%3A", ":")
    assert "/customer/list/?q=" in text


def test_a_telephone_name_pinyin_and_initials_find_over_rest_as_in_the_box(rest, make_customer):
    customer = make_customer(name="欧阳逢秋", phone="13911118825")
    call = rest("phone_consultant")
    for words in ("13911118825", "欧阳逢秋", "ouyangfengqiu", "oyfq", customer.customer_no):
        answer = call("GET", f"find?q={words}")
        assert [each["id"] for each in answer.json["result"]] == [customer.id], words
        assert answer.json["result"][0]["next"] == "appointment_slip.place"
    assert rest("guide")("GET", "find?q=13900000000").json["message"]


def test_an_unknown_telephone_offers_a_file_to_who_may_open_one(login):
    page = login("phone_consultant").get("/search?q=13700099999").text
    assert "/customer/act/register_temporary?phone=13700099999" in page
    dialog = login("phone_consultant").get("/customer/act/register_temporary?phone=13700099999")
    assert 'value="13700099999"' in dialog.text
    assert "register_temporary" not in login("guide").get("/search?q=13700099999").text


#: What nobody means and anybody may send.
JUNK = (
    *("", " ", "😀", "x" * 10_000, "9" * 10_000, "\u202eabc", "\x00", "' or 1=1 --", "%", "_", "[]", "*", "\\", "]C1"),
    *("１２３４", "\ufdfa" * 40, "-" * 30, "ß" * 41),
)


def test_no_input_breaks_it(login, rest):
    client, call = login("phone_supervisor"), rest("phone_supervisor")
    for text in JUNK:
        assert client.get("/search", query_string={"q": text}).status_code in (200, 302), text[:20]
        assert call("GET", f"find?q={quote(text)}").status_code == 200, text[:20]


def test_a_later_table_needs_one_line_and_a_misread_code_is_not_asked_for(session, make_customer, consultant):
    customer = make_customer(name="卡片试验")
    view = views()["customer"]
    asked: list[str] = []

    def check(bare: str) -> bool:
        asked.append(bare)
        return bare.endswith("7")

    session.get(Customer, customer.id).alias = "CARD887"
    session.flush()
    kept = view.codes
    try:
        type(view).codes = (Code("alias", ruled=False, check=check),)
        assert find_anything(session, "card-88 7", consultant).records == [customer]
        assert find_anything(session, "CARD88-8", consultant).records == []
    finally:
        type(view).codes = kept
    assert asked == ["CARD887", "CARD888"]
