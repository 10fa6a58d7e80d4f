"""The categories of 1.3 and REF-3 in their groups, and the rules of REF-8 that have their triggers by now."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models.followup import CategoryGroup, ExecutorKind, FollowupCategory, FollowupRule
from app.services.followup.triggers import ABNORMAL, ANNIVERSARY, BIRTHDAY, MISSED_CALL, NO_DEAL, SLIP_DUE, SLIP_LAPSED

_ADVICE, _PROSPECT, _BEFORE = CategoryGroup.ADVICE, CategoryGroup.PROSPECT, CategoryGroup.BEFORE_SURGERY
_AFTER, _SALE, _CARE = CategoryGroup.AFTER_SURGERY, CategoryGroup.AFTER_SALE, CategoryGroup.CARE

#: Group, code, Chinese and English name, what it supports, whether it is marketing. 1.3; after them those of REF-3.
CATEGORIES: tuple[tuple[CategoryGroup, str, str, str, str, bool], ...] = (
    (_ADVICE, "product_advice", "产品咨询", "Product advice", "客户需求跟进、推荐产品", True),
    (_ADVICE, "answering", "解答疑问", "Answering questions", "回复顾客之前提出的疑问、担心问题等", False),
    (_PROSPECT, "reminder", "预约提醒", "Appointment reminder", "到院前一天提醒", False),
    (_PROSPECT, "lapsed_slip", "预约客户", "Lapsed appointment", "到期的预约回访，并进行新的预约", False),
    (_PROSPECT, "missed_call", "来电回复", "Return of a missed call", "客户来电未接回复", False),
    (_BEFORE, "before_surgery", "术前沟通", "Talk before surgery", "手术或治疗前一天告知注意事项", False),
    (_BEFORE, "surgery_booking", "手术预约", "Surgery booking", "确认手术预约或变更日期", False),
    (_BEFORE, "treatment_booking", "治疗预约", "Treatment booking", "确认治疗预约或变更日期", False),
    (_AFTER, "recovery", "术后恢复指导", "Guidance during recovery", "遵医嘱主动护理、提醒", False),
    (_AFTER, "comfort", "心理疏导", "Comfort", "安抚、疏导", False),
    (_AFTER, "stitches", "提醒拆线", "Reminder: stitches", "拆线前提醒、预约拆线日期", False),
    (_SALE, "wellness", "养生知识", "Wellness advice", "宣导美容保养、营养知识", True),
    (_SALE, "news", "美容资讯", "News of beauty care", "告知美容动态、观念、知识", True),
    (_SALE, "review", "提醒复查", "Reminder: check-up", "定期复查的提前提醒", False),
    (_SALE, "cosmetics", "代购化妆品", "Buying cosmetics for her", "客户附加服务", False),
    (_CARE, "birthday", "祝贺生日", "Birthday wishes", "顾客生日自动回访", False),
    (_CARE, "birthday_message", "生日短信", "Birthday message", "生日与节日短信", True),
    (_CARE, "event", "活动告知", "Event notice", "医院、会员活动提前告知", True),
    (_CARE, "member_service", "会员服务", "Services to members", "会员积分、商家等附加服务", True),
    (_PROSPECT, "not_visited", "未上门回访", "Did not visit", "", False),
    (_PROSPECT, "no_deal", "未成交回访", "Visited, no deal", "", False),
    (_SALE, "satisfaction", "满意度回访", "Satisfaction", "", False),
    (_SALE, "arrears", "欠款提醒", "Reminder: arrears", "", False),
    (_SALE, "course", "疗程提醒", "Reminder: course", "", False),
    (_SALE, "stored_value", "储值到期提醒", "Reminder: stored value ends", "", False),
    (_CARE, "anniversary", "纪念日祝福", "Anniversary wishes", "", False),
    (_AFTER, "abnormal", "异常处理", "Abnormal report", "异常情况由医生当日处理", False),
)

_OCCASION, _DEVELOPER, _CONSULTANT = ExecutorKind.OCCASION, ExecutorKind.DEVELOPER, ExecutorKind.CONSULTANT
#: Code, Chinese and English name, trigger, days, category, executor, purpose. REF-8; the numbers [J] are rows to edit.
RULES: tuple[tuple[str, str, str, str, tuple[int, ...], str, ExecutorKind, str], ...] = (
    ("missed_call", "来电未接", "Missed call", MISSED_CALL, (0,), "missed_call", _OCCASION, "回复未接来电"),
    ("slip_due", "预约提醒", "Appointment reminder", SLIP_DUE, (-1,), "reminder", _OCCASION, "提醒明日到院"),
    ("slip_lapsed", "预约过期", "Lapsed appointment", SLIP_LAPSED, (0, 3, 7), "lapsed_slip", _OCCASION, "重新预约"),
    ("no_deal", "未成交", "No deal", NO_DEAL, (1, 3, 7, 30), "no_deal", _CONSULTANT, "跟进未成交原因"),
    ("birthday", "生日", "Birthday", BIRTHDAY, (0,), "birthday", _DEVELOPER, "祝贺生日"),
    ("anniversary", "纪念日关怀", "Anniversary", ANNIVERSARY, (0,), "anniversary", _DEVELOPER, "纪念日祝福"),
    ("abnormal", "异常上报", "Abnormal report", ABNORMAL, (0,), "abnormal", _OCCASION, "异常情况，当日处理"),
)


def add_categories(session: Session) -> int:
    """Add the categories that are missing; return how many."""
    return _add(
        session,
        FollowupCategory,
        [
            {
                "code": code,
                "name": name,
                "name_en": name_en,
                "category_group": group,
                "supports": supports or None,
                "is_marketing": is_marketing,
                "position": place * 10,
            }
            for place, (group, code, name, name_en, supports, is_marketing) in enumerate(CATEGORIES, start=1)
        ],
    )


def add_rules(session: Session) -> int:
    """Add the rules that are missing; return how many. One that was taken out of force stays so."""
    ids = {code: key for key, code in session.execute(select(FollowupCategory.id, FollowupCategory.code))}
    return _add(
        session,
        FollowupRule,
        [
            {
                "code": code,
                "name": name,
                "name_en": name_en,
                "trigger": trigger,
                "offset_days": list(days),
                "category_id": ids[category],
                "executor_kind": kind,
                "purpose_template": purpose,
            }
            for code, name, name_en, trigger, days, category, kind, purpose in RULES
        ],
    )


def _add(session: Session, model: Any, rows: list[dict[str, Any]]) -> int:
    standing = set(session.scalars(select(model.code)))
    absent = [model(**row) for row in rows if row["code"] not in standing]
    session.add_all(absent)
    session.flush()
    return len(absent)
