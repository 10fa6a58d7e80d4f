"""Reference data that every house starts with: dictionaries, source channels, number rules, settings, positions.

White paper REF-1 to REF-3, sections 1.2 and 1.3, part D. Everything is matched by its code and only what is absent is
added; what an administrator renamed, reordered or retired stays as she left it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models.customers import SourceChannel
from app.models.hr import Position
from app.models.settings import Dictionary, DictionaryItem, ItemState, NumberRule, Param
from app.services.customers.requirements import add_requirements
from app.services.customers.traits import TRAIT_TYPES
from app.services.followup.reference import add_categories, add_rules
from app.services.messages import add_first_messages, add_message_rules
from app.services.privacy.consents import add_first_texts
from app.services.processes import ensure_processes
from app.services.settings import SETTINGS
from app.services.triage import add_triage_rules
from app.unit import unit_of_work

#: A code with its Chinese and its English name.
Named = tuple[str, str, str]

#: From when the defaults of the settings are in force: before anything that a house could record.
SINCE = datetime(2000, 1, 1, tzinfo=UTC)

#: REF-2, Call business categories.
BUSINESS_CATEGORIES: tuple[Named, ...] = (
    ("item_enquiry", "项目咨询", "Asking about a treatment"),
    ("price_enquiry", "价格咨询", "Asking about prices"),
    ("booking", "预约到院", "Booking a visit"),
    ("rebooking", "改约/取消", "Changing or cancelling"),
    ("aftercare", "术后咨询", "Question after treatment"),
    ("complaint", "投诉", "Complaint"),
    ("membership", "会员/积分", "Membership and points"),
    ("address", "查询地址", "Asking the way"),
    ("transfer", "找人/转接", "Asking for somebody"),
    ("partnership", "渠道合作", "Offering a partnership"),
    ("job_application", "应聘", "Applying for a job"),
    ("advertising", "广告推销", "Advertising"),
    ("wrong_number", "误拨", "Wrong number"),
    ("silent", "无声", "Nobody spoke"),
    ("missed", "未接来电", "Missed call"),
    ("other", "其他", "Other"),
)

LEAD_QUALITIES: tuple[Named, ...] = (
    ("strong", "有效-意向强", "Valid, strong interest"),
    ("fair", "有效-意向一般", "Valid, some interest"),
    ("weak", "有效-仅了解", "Valid, only asking"),
    ("no_contact", "未留联系方式", "Left no contact"),
    ("repeated", "重复线索", "Known already"),
    ("invalid", "无效", "Invalid"),
)
#: Those of them that are worth a consultant's time: 有效. REF-2.
VALID_LEADS = frozenset({"strong", "fair", "weak"})

#: REF-2, Areas: the districts of the city, then what lies farther off.
AREAS: tuple[Named, ...] = (
    ("huangpu", "黄浦区", "Huangpu"),
    ("xuhui", "徐汇区", "Xuhui"),
    ("changning", "长宁区", "Changning"),
    ("jingan", "静安区", "Jing'an"),
    ("putuo", "普陀区", "Putuo"),
    ("hongkou", "虹口区", "Hongkou"),
    ("yangpu", "杨浦区", "Yangpu"),
    ("minhang", "闵行区", "Minhang"),
    ("baoshan", "宝山区", "Baoshan"),
    ("jiading", "嘉定区", "Jiading"),
    ("pudong", "浦东新区", "Pudong"),
    ("jinshan", "金山区", "Jinshan"),
    ("songjiang", "松江区", "Songjiang"),
    ("qingpu", "青浦区", "Qingpu"),
    ("fengxian", "奉贤区", "Fengxian"),
    ("chongming", "崇明区", "Chongming"),
    ("province", "省内其他", "Elsewhere in the province"),
    ("country", "省外", "Another province"),
    ("abroad", "境外", "Abroad"),
)

APPOINTMENT_ITEMS: tuple[Named, ...] = (
    ("eyes", "眼部", "Eyes"),
    ("nose", "鼻部", "Nose"),
    ("contour", "面部轮廓", "Facial contour"),
    ("breast", "胸部", "Breast"),
    ("liposuction", "吸脂", "Liposuction"),
    ("fat_grafting", "脂肪填充", "Fat grafting"),
    ("anti_ageing", "抗衰", "Anti-ageing"),
    ("injection", "注射", "Injections"),
    ("skin", "皮肤", "Skin"),
    ("hair_removal", "脱毛", "Hair removal"),
    ("hair", "毛发", "Hair"),
    ("dental", "口腔", "Dental"),
    ("intimate", "私密", "Intimate"),
    ("other", "其他", "Other"),
)

#: Why a follow-up ends; [J].
FOLLOWUP_END_REASONS: tuple[Named, ...] = (
    ("came", "已到院", "She came"),
    ("slip", "已预约", "She has an appointment"),
    ("recovered", "恢复良好", "Recovered well"),
    ("not_interested", "无意向", "Not interested"),
    ("elsewhere", "已在别处消费", "Went elsewhere"),
    ("no_contact", "多次联系不上", "Not reached several times"),
    ("wrong_number", "号码错误", "Wrong number"),
    ("opted_out", "客户不愿再被联系", "Does not want to be contacted"),
    ("done", "已完成", "Done"),
    ("other", "其他", "Other"),
)

#: REF-2, Bill void and return reasons.
VOID_REASONS: tuple[Named, ...] = (
    ("wrong_item", "项目错", "Wrong item"),
    ("wrong_price", "价格错", "Wrong price"),
    ("wrong_customer", "客户错", "Wrong customer"),
    ("not_approved", "缺审批", "Not approved"),
    ("changed_mind", "客户改主意", "Customer changed her mind"),
    ("doubled", "重复开单", "Made twice"),
    ("timed_out", "系统超时", "System timed out"),
    ("other", "其他", "Other"),
)

#: REF-2, failure reasons of F1, and those added to them.
FAILURE_REASONS: tuple[Named, ...] = (
    ("price", "价格高", "Too expensive"),
    ("comparing", "对比同行", "Comparing with others"),
    ("thinking", "回去考虑", "Will think it over"),
    ("timing", "需要时间安排", "Has to find the time"),
    ("health", "身体不佳/不合格", "Not well, or not fit for it"),
    ("family", "和家人商量", "Will talk to the family"),
    ("not_offered", "项目不开展", "We do not offer it"),
    ("dissuaded", "期望过高/医生劝退", "Expects too much, doctor advised against it"),
    ("minor", "未成年需监护人", "Under age, needs a guardian"),
    ("no_doctor", "医生不在", "Doctor not there"),
    ("waited_too_long", "候诊久离开", "Left after a long wait"),
    ("other", "其他", "Other"),
)

#: Triage SOP S8, 整理物品: what is done at a desk before it is closed.
CLOSING_LINES: tuple[Named, ...] = (
    ("desk", "整理桌椅", "Desk and chairs tidied"),
    ("papers", "收好客户资料", "Papers with customers' data put away"),
    ("lobby", "大厅设施", "Lobby and its furnishings in order"),
    ("implant_cabinet", "假体柜", "Implant display cabinet locked"),
    ("power", "关闭电脑电源", "Computer and power switched off"),
)

DICTIONARIES: dict[Named, Sequence[Named]] = {
    ("business_category", "业务类别", "Business category"): BUSINESS_CATEGORIES,
    ("lead_quality", "线索质量", "Quality of a lead"): LEAD_QUALITIES,
    ("area", "区域", "Area"): AREAS,
    ("appointment_item", "预约项目", "Appointment item"): APPOINTMENT_ITEMS,
    ("followup_end_reason", "结束回访原因", "Why a follow-up ends"): FOLLOWUP_END_REASONS,
    ("void_reason", "作废/退单原因", "Reason for voiding"): VOID_REASONS,
    ("trait_type", "客户特征类型", "Type of trait"): TRAIT_TYPES,
    ("failure_reason", "未成交原因", "Reason for no deal"): FAILURE_REASONS,
    ("closing_line", "下班整理事项", "Line of the closing checklist"): CLOSING_LINES,
}

#: REF-2, 来源途径: roots and their leaves.
SOURCE_CHANNELS: dict[Named, Sequence[Named]] = {
    ("web", "网络", "Web"): (
        ("web_search", "搜索竞价", "Paid search"),
        ("web_site", "官网", "Own website"),
        ("web_chat", "商务通直访", "Direct web chat"),
        ("web_social", "新媒体(抖音/小红书/微博/视频号)", "Social media (Douyin, Xiaohongshu, Weibo, Channels)"),
        ("web_platform", "医美平台(新氧/更美/美团)", "Beauty platforms (SoYoung, Gengmei, Meituan)"),
        ("web_live", "直播", "Live stream"),
    ),
    ("phone", "电话", "Telephone"): (
        ("phone_400", "400来电", "Call to the 400 number"),
        ("phone_sms", "短信回拨", "Call after a text message"),
    ),
    ("media", "传统媒体", "Traditional media"): (
        ("media_tv", "电视", "Television"),
        ("media_print", "报刊", "Newspapers and magazines"),
        ("media_radio", "电台", "Radio"),
        ("media_outdoor", "户外/电梯", "Outdoor and lifts"),
    ),
    ("partner", "渠道", "Partners"): (
        ("partner_beauty", "美容院", "Beauty parlour"),
        ("partner_hair", "美发/SPA", "Hairdresser and spa"),
        ("partner_alliance", "异业合作", "Business of another trade"),
        ("partner_person", "个人渠道", "Private person"),
    ),
    ("market", "市场部", "Market department"): (
        ("market_event", "活动", "Event"),
        ("market_lecture", "讲座", "Lecture"),
        ("market_street", "地推", "Street promotion"),
    ),
    ("referral", "介绍", "Recommendation"): (
        ("referral_customer", "老顾客介绍", "An old customer"),
        ("referral_staff", "员工介绍", "An employee"),
        ("referral_doctor", "医生介绍", "A doctor"),
        ("referral_head", "院领导朋友", "Friend of the management"),
    ),
    ("natural", "自然", "By herself"): (
        ("natural_passing", "路过/附近", "Passing by, living near"),
        ("natural_dental", "口腔转诊", "Sent on by dentistry"),
        ("natural_again", "二次开发", "Came again"),
    ),
    ("other", "其他", "Other"): (),
}
BY_REFERRAL = frozenset({"referral_customer"})
PARTNER_ROOT = "partner"
MARKET_ROOTS = frozenset({PARTNER_ROOT, "market"})

#: Document type: prefix, with date, width. Numbers carry the branch's code.
NUMBER_RULES: dict[str, tuple[str, bool, int]] = {
    "customer": ("KH", False, 7),
    "call": ("LD", True, 4),
    "chat": ("WL", True, 4),
    "lead": ("QD", True, 4),
    "appointment_slip": ("YY", True, 4),
    "employee": ("YG", False, 5),
    "supplement_request": ("BD", True, 4),
    "followup_plan": ("HF", True, 5),
    "visit": ("DY", True, 4),
    "reception_form": ("JB", True, 4),
    "design_card": ("SJ", False, 6),
    "visit_card": ("JZ", False, 4),
    "inspection_visit": ("JC", True, 3),
}

#: Part D: a position per role; its code is the role's identifier.
POSITIONS: tuple[Named, ...] = (
    ("phone_consultant", "电话咨询师", "Phone consultant"),
    ("web_consultant", "商务通/网络咨询师", "Web consultant"),
    ("channel_specialist", "渠道专员", "Channel specialist"),
    ("phone_supervisor", "电话咨询主管", "Phone supervisor"),
    ("web_supervisor", "商务通主管", "Web supervisor"),
    ("channel_supervisor", "渠道主管", "Channel supervisor"),
    ("department_head", "部门负责人", "Head of department"),
    ("guide", "导诊", "Guide"),
    ("guide_supervisor", "导诊主管", "Guide supervisor"),
    ("triage", "分诊值班", "Triage"),
    ("onsite_consultant", "现场咨询师", "On-site consultant"),
    ("consulting_supervisor", "咨询主管", "Consulting supervisor"),
    ("doctor", "主诊医师", "Doctor"),
    ("doctor_assistant", "医生助理", "Doctor's assistant"),
    ("anaesthetist", "麻醉师", "Anaesthetist"),
    ("theatre_nurse", "手术室护士", "Theatre nurse"),
    ("ward_nurse", "病房护士", "Ward nurse"),
    ("therapist", "皮肤/无创治疗师", "Therapist"),
    ("dentist", "口腔医生", "Dentist"),
    ("examiner", "检验/影像/心电技师", "Examiner"),
    ("cashier", "收银员", "Cashier"),
    ("cashier_supervisor", "收银主管", "Cashier supervisor"),
    ("pharmacist", "药师", "Pharmacist"),
    ("storekeeper", "库管员", "Storekeeper"),
    ("finance", "财务", "Finance"),
    ("finance_manager", "财务经理", "Finance manager"),
    ("hr", "人力资源专员", "Human resources"),
    ("operations", "运营经理", "Operations"),
    ("medical_affairs", "医务科干事", "Medical affairs"),
    ("records_clerk", "病案管理员", "Records clerk"),
    ("member_service", "会员/客服专员", "Member service"),
    ("service_supervisor", "客服主管", "Service supervisor"),
    ("market", "市场专员", "Market"),
    ("it_manager", "信息中心/IT经理", "IT manager"),
    ("branch_head", "分公司负责人", "Branch head"),
    ("hospital_director", "院长", "Hospital director"),
    ("archivist", "档案管理员", "Archivist"),
    ("auditor", "审计/合规", "Auditor"),
    ("inspection_contact", "检查接待联系人", "Contact for inspections"),
    ("telephone", "电话系统(程序)", "Telephone system (program)"),
    ("admin", "系统管理员", "Administrator"),
)


def ensure_reference_data(session: Session, at: datetime) -> dict[str, int]:
    """Add what is absent of the reference data and return how many rows of each table were added.

    Safe to repeat: rows are matched by code (settings by key, group-wide), and no row that stands is changed.
    """
    with unit_of_work(session):
        return {
            "dictionary": _dictionaries(session),
            "dictionary_item": _items(session),
            "source_channel": _source_channels(session),
            "number_rule": _number_rules(session),
            "param": _settings(session),
            "position": _positions(session),
            "field_requirement": add_requirements(session),
            "consent_text": add_first_texts(session, SINCE.date()),
            "message_template": add_first_messages(session),
            "message_rule": add_message_rules(session),
            "process_guide": ensure_processes(session),
            "followup_category": add_categories(session),
            "followup_rule": add_rules(session),
            "triage_rule": add_triage_rules(session),
        }


def _standing(session: Session, column: Any) -> set[str]:
    return set(session.scalars(select(column)))


def _dictionaries(session: Session) -> int:
    standing = _standing(session, Dictionary.code)
    absent = [named for named in DICTIONARIES if named[0] not in standing]
    session.add_all(Dictionary(code=code, name=name, name_en=name_en) for code, name, name_en in absent)
    session.flush()
    return len(absent)


def _items(session: Session) -> int:
    """Add the items that each dictionary lacks, at the place that they have in ours."""
    ids = {code: key for key, code in session.execute(select(Dictionary.id, Dictionary.code))}
    standing = set(session.execute(select(DictionaryItem.dictionary_id, DictionaryItem.code)))
    absent = [
        DictionaryItem(
            dictionary_id=ids[dictionary],
            code=code,
            name=name,
            name_en=name_en,
            position=place * 10,
            state=ItemState.IN_USE,
        )
        for (dictionary, *_names), items in DICTIONARIES.items()
        for place, (code, name, name_en) in enumerate(items, start=1)
        if (ids[dictionary], code) not in standing
    ]
    session.add_all(absent)
    session.flush()
    return len(absent)


def _source_channels(session: Session) -> int:
    """Add absent roots, then absent leaves under the root of the same code."""
    standing = _standing(session, SourceChannel.code)
    roots = [
        SourceChannel(
            code=code, name=name, name_en=name_en, is_market=code in MARKET_ROOTS, is_partner=code == PARTNER_ROOT
        )
        for code, name, name_en in SOURCE_CHANNELS
        if code not in standing
    ]
    session.add_all(roots)
    session.flush()
    ids = {code: key for key, code in session.execute(select(SourceChannel.id, SourceChannel.code))}
    leaves = [
        SourceChannel(
            code=code,
            name=name,
            name_en=name_en,
            parent_id=ids[root],
            is_referral=code in BY_REFERRAL,
            is_market=root in MARKET_ROOTS,
            is_partner=root == PARTNER_ROOT,
        )
        for (root, *_names), below in SOURCE_CHANNELS.items()
        for code, name, name_en in below
        if code not in standing
    ]
    session.add_all(leaves)
    session.flush()
    return len(roots) + len(leaves)


def _number_rules(session: Session) -> int:
    standing = _standing(session, NumberRule.doc_type)
    absent = [
        NumberRule(doc_type=doc_type, prefix=prefix, with_branch=True, with_date=with_date, width=width)
        for doc_type, (prefix, with_date, width) in NUMBER_RULES.items()
        if doc_type not in standing
    ]
    session.add_all(absent)
    session.flush()
    return len(absent)


def _settings(session: Session) -> int:
    """Write down the default of every declared setting that has no group-wide value yet, so that all are on screen."""
    standing = set(session.scalars(select(Param.key).where(Param.branch_id.is_(None))))
    absent = [
        Param(key=key, branch_id=None, value=declared.default, effective_at=SINCE)
        for key, declared in SETTINGS.items()
        if key not in standing
    ]
    session.add_all(absent)
    session.flush()
    return len(absent)


def _positions(session: Session) -> int:
    standing = _standing(session, Position.code)
    absent = [
        Position(code=code, name=name, name_en=name_en, default_role=code)
        for code, name, name_en in POSITIONS
        if code not in standing
    ]
    session.add_all(absent)
    session.flush()
    return len(absent)
