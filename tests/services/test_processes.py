"""作业流程: the white paper's headings as reference data; what people changed stays. `process_guide`, part I."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select

from app.errors import InvalidInput, NotPermitted, OutOfScope
from app.models.processes import ProcessGuide, ProcessRemark, ProcessStep
from app.services.plain import save
from app.services.processes import coming_headings, ensure_processes, explained, flow, headings
from app.services.processes.keeping import SHAPE

#: The rows of part I by chapter; those of chapter 2 and 3 alone are sixty and forty.
ROWS = {"1": 3, "2": 57, "3": 29, "4": 9, "5": 10, "6": 7, "S": 8}


def guide_of(session, number):
    return session.scalars(select(ProcessGuide).where(ProcessGuide.heading_no == number)).one()


def test_every_numbered_heading_stands_with_what_the_white_paper_says(session):
    told = {heading.no: heading for heading in headings()}
    assert len(told) == len(headings()), "no number twice"
    for chapter, least in ROWS.items():
        assert sum(number.startswith(chapter) for number in told) >= least, chapter
    for number, heading in told.items():
        assert SHAPE.fullmatch(number), number
        above = number.rpartition(".")[0] or ("S" if number[0] == "S" else number)
        assert above in told, f"{number} hangs in the air"
        assert set(heading.previous.split()) <= set(told), number
        assert not re.search(r"[\u3400-\u9fff][,;:?!.(]", heading.title + heading.remark), number
    assert session.scalar(select(func.count()).select_from(ProcessGuide)) == len(told)
    void = guide_of(session, "2.1.3.1")
    assert (void.executor, void.manager, void.supervisor) == ("主管及以上", "部门负责人", None)
    assert void.involved_groups == "电话咨询组、商务通咨询组、渠道部"
    assert [step.step for step in void.steps] == ["部门预约单清单", "作废预约单"]
    assert void.steps[1].module == "服务工作站→预约管理→部门预约单查询"
    assert guide_of(session, "2.2.1").supervisor == "运营管理部运营经理"


def test_what_somebody_changed_stays_and_the_rest_follows_the_delivered_text(session, person, at):
    mine = guide_of(session, "2.1.1.1")
    save(session, ProcessGuide, {"manager": "电话中心主任"}, by=person("operations"), at=at, record_id=mine.id)
    session.info.pop("user_id")  # from here on the house writes
    other = guide_of(session, "2.1.1.2")
    other.manager = None
    extra = ProcessStep(guide_id=other.id, position=990, step="旧的一步")
    session.add(extra)
    session.flush()
    session.expire_all()
    assert ensure_processes(session) == 0
    assert mine.manager == "电话中心主任"
    assert other.manager == "商务通主管"
    assert extra.retired_at is not None, "a delivered step that is no more"


def test_a_screen_finds_its_heading_with_what_comes_before_and_after(session, person):
    by = person("phone_supervisor")
    told = explained(session, ["appointment_slip.place", "appointment_slip"], by)
    assert told is not None
    assert told.guide.heading_no == "2.1.2"
    assert [one.heading_no for one in told.before] == ["2.1.1.1", "2.1.1.2", "2.1.1.3"]
    assert {"2.1.3.1", "2.1.3.2", "2.1.4"} <= {one.heading_no for one in told.after}
    by_table = explained(session, ["appointment_slip.nothing", "appointment_slip"], by)
    assert by_table is not None
    assert by_table.guide.heading_no == "2.1.3"
    assert explained(session, ["no_such", "appointment_sli"], by) is None, "names are whole words"


def test_headings_whose_software_is_still_to_come_say_so(session, person):
    coming = coming_headings(session, person("guide"))
    assert {"2.8", "2.18", "3.2.4", "3", "2.21", "2.21.6"} <= coming
    assert not {"2.22", "2.22.4", "1.2", "2", "2.1.2", "2.1.3.3", "4.2.1", "4.2", "2.2"} & coming
    assert [guide.heading_no for guide, _is_coming in flow(session, person("guide"))][:2] == ["2.1", "2.2"]


def test_a_branch_adds_its_own_remark_which_others_do_not_read(session, person, at):
    number = guide_of(session, "2.1.2")
    save(
        session, ProcessRemark, {"guide_id": number.id, "remark": "本院最晚提前两小时"}, by=person("operations"), at=at
    )
    mine = explained(session, ["appointment_slip.place"], person("phone_consultant"))
    theirs = explained(session, ["appointment_slip.place"], person("b2_phone_consultant"))
    assert [one.remark for one in mine.remarks] == ["本院最晚提前两小时"]
    assert theirs.remarks == []
    remark = mine.remarks[0]
    with pytest.raises(NotPermitted):
        save(session, ProcessRemark, {"remark": "改"}, by=person("guide"), at=at, record_id=remark.id)
    with pytest.raises(OutOfScope):
        save(session, ProcessRemark, {"remark": "改"}, by=person("b2_operations"), at=at, record_id=remark.id)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"heading_no": "二", "title": "一", "title_en": "x"}, "heading_no"),
        ({"heading_no": "9.1'", "title": "一", "title_en": "x"}, "heading_no"),
        ({"heading_no": "9.1", "title": "一", "title_en": "x", "prev_step": "2.1 9.9"}, "prev_step"),
        ({"heading_no": "9.1", "title": "一", "title_en": "x", "prev_step": "9.1"}, "prev_step"),
    ],
)
def test_a_heading_is_numbered_and_follows_others(session, admin, at, values, field):
    with pytest.raises(InvalidInput) as wrong:
        save(session, ProcessGuide, values, by=admin, at=at)
    assert field in wrong.value.errors
