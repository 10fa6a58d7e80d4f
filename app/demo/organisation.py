"""The demo's two branches: departments of REF-1, one employee per role, seconds at the desks, partners, logins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from faker import Faker
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.security import generate_password_hash

from app.actors import Actor, house
from app.acts import REGISTRY
from app.demo.desks import Reception, found_reception
from app.models.customers import ChannelPartner
from app.models.hr import Branch, Department, DepartmentKind, Employee, Position
from app.models.telephone import PhoneExtension, PhoneSystem
from app.services.accounts import add_account
from app.services.hr import actor_for_employee
from app.services.plain import save
from app.services.reference import POSITIONS
from app.services.runner import run

PASSWORD = "Yimei-demo-2026"
ZONE = "Asia/Shanghai"

BRANCHES: tuple[dict[str, Any], ...] = (
    {
        "code": "01",
        "name": "徐汇分院",
        "phone": "021-60000001",
        "address": "上海市徐汇区肇嘉浜路1000号",
        "surgical_level_max": 4,
    },
    {
        "code": "02",
        "name": "浦东分院",
        "phone": "021-60000002",
        "address": "上海市浦东新区世纪大道2000号",
        "surgical_level_max": 2,
    },
)

K = DepartmentKind
#: REF-1: code, name, kind, settles, and the department that it is part of. The desks stand under the department whose
#: head manages their supervisors (R05), so that her reach covers them.
DEPARTMENTS: tuple[tuple[str, str, DepartmentKind, bool, str | None], ...] = (
    ("D01", "总经办/院办", K.MANAGEMENT, False, None),
    ("D02", "运营管理部", K.FUNCTION, False, None),
    ("D03", "财务部", K.FUNCTION, False, None),
    ("D03-1", "收费处", K.FUNCTION, False, "D03"),
    ("D04", "人力资源部", K.FUNCTION, False, None),
    ("D05", "管理部信息中心", K.FUNCTION, False, None),
    ("D06", "医务科", K.MEDICAL_ADMIN, False, None),
    ("D06-1", "病案室", K.MEDICAL_ADMIN, False, "D06"),
    ("D06-2", "拍照室", K.MEDICAL_ADMIN, False, "D06"),
    ("D07", "护理部", K.MEDICAL_ADMIN, False, None),
    ("D11", "市场部", K.BUSINESS, False, None),
    ("D08", "电话咨询组", K.BUSINESS, False, "D11"),
    ("D09", "商务通(网络)咨询组", K.BUSINESS, False, "D11"),
    ("D10", "渠道部", K.BUSINESS, False, "D11"),
    ("D12", "客服部", K.BUSINESS, False, None),
    ("D12-1", "前台组", K.BUSINESS, False, "D12"),
    ("D12-2", "导诊组", K.BUSINESS, False, "D12"),
    ("D12-3", "分诊组", K.BUSINESS, False, "D12"),
    ("D12-4", "会员组", K.BUSINESS, False, "D12"),
    ("D13", "现场咨询部", K.BUSINESS, True, None),
    ("D14", "整形中心", K.MEDICAL, True, None),
    ("D14-1", "整形门诊", K.MEDICAL, True, "D14"),
    ("D14-2", "手术室", K.MEDICAL, True, "D14"),
    ("D14-3", "住院部", K.MEDICAL, True, "D14"),
    ("D14-4", "VIP病区", K.MEDICAL, True, "D14"),
    ("D15", "皮肤中心", K.MEDICAL, True, None),
    ("D16", "无创中心", K.MEDICAL, True, None),
    ("D17", "口腔中心", K.MEDICAL, True, None),
    ("D18", "检验科/影像/心电", K.MEDICAL_TECH, True, None),
    ("D19", "麻醉科", K.MEDICAL_TECH, True, None),
    ("D20", "药房", K.MEDICAL_TECH, True, None),
    ("D21", "库房", K.LOGISTICS, False, None),
    ("D21-1", "假体库", K.LOGISTICS, False, "D21"),
    ("D22", "后勤保障部", K.LOGISTICS, False, None),
)

#: In which department each role works.
PLACES: dict[str, str] = {
    "phone_consultant": "D08",
    "phone_supervisor": "D08",
    "web_consultant": "D09",
    "web_supervisor": "D09",
    "channel_specialist": "D10",
    "channel_supervisor": "D10",
    "department_head": "D11",
    "market": "D11",
    "guide": "D12-2",
    "guide_supervisor": "D12-2",
    "triage": "D12-3",
    "member_service": "D12-4",
    "service_supervisor": "D12",
    "onsite_consultant": "D13",
    "consulting_supervisor": "D13",
    "doctor": "D14",
    "doctor_assistant": "D14-1",
    "theatre_nurse": "D14-2",
    "ward_nurse": "D14-3",
    "therapist": "D15",
    "dentist": "D17",
    "examiner": "D18",
    "anaesthetist": "D19",
    "pharmacist": "D20",
    "storekeeper": "D21",
    "cashier": "D03-1",
    "cashier_supervisor": "D03-1",
    "finance": "D03",
    "finance_manager": "D03",
    "hr": "D04",
    "it_manager": "D05",
    "inspection_contact": "D01",
    "telephone": "D05",
    "admin": "D05",
    "operations": "D02",
    "medical_affairs": "D06",
    "records_clerk": "D06-1",
    "branch_head": "D01",
    "hospital_director": "D01",
    "archivist": "D01",
    "auditor": "D01",
}
HEADS: dict[str, str] = {
    "D01": "branch_head",
    "D02": "operations",
    "D03": "finance_manager",
    "D03-1": "cashier_supervisor",
    "D04": "hr",
    "D05": "it_manager",
    "D06": "medical_affairs",
    "D07": "theatre_nurse",
    "D08": "phone_supervisor",
    "D09": "web_supervisor",
    "D10": "channel_supervisor",
    "D11": "department_head",
    "D12": "service_supervisor",
    "D12-2": "guide_supervisor",
    "D13": "consulting_supervisor",
    "D14": "doctor",
    "D15": "therapist",
    "D17": "dentist",
    "D19": "anaesthetist",
    "D20": "pharmacist",
    "D21": "storekeeper",
}
#: The desks with a second consultant, each the other's partner, the supervisor successor to both.
SECONDS: dict[str, str] = {
    "phone_consultant": "phone_supervisor",
    "web_consultant": "web_supervisor",
    "channel_specialist": "channel_supervisor",
    "onsite_consultant": "consulting_supervisor",
}
#: More who sit in the rotation lines: the login, her role, her partner, who succeeds her.
MORE: tuple[tuple[str, str, str, str], ...] = (
    ("onsite_consultant_3", "onsite_consultant", "onsite_consultant_4", "consulting_supervisor"),
    ("onsite_consultant_4", "onsite_consultant", "onsite_consultant_3", "consulting_supervisor"),
    ("doctor_2", "doctor", "doctor_3", "doctor"),
    ("doctor_3", "doctor", "doctor_2", "doctor"),
)

#: The extensions of each branch and who answers them; the telephone system of the demo tells of calls and dials none.
EXTENSIONS: dict[str, str] = {
    "8000": "phone_supervisor",
    "8001": "phone_consultant",
    "8002": "phone_consultant_2",
    "8011": "web_consultant",
    "8021": "channel_specialist",
}

DESK_DEPARTMENTS = frozenset({"D08", "D09", "D10"})

#: Name of a channel partner, and the source channel that its customers bear.
PARTNERS: dict[str, tuple[tuple[str, str], ...]] = {
    "01": (
        ("悦容美容院", "partner_beauty"),
        ("丽人坊美容会所", "partner_beauty"),
        ("纤姿美体中心", "partner_beauty"),
        ("沐丝造型", "partner_hair"),
        ("静好SPA馆", "partner_hair"),
        ("燃动健身俱乐部", "partner_alliance"),
        ("花嫁婚纱摄影", "partner_alliance"),
        ("周岚(个人渠道)", "partner_person"),
    ),
    "02": (
        ("世纪佳颜美容院", "partner_beauty"),
        ("陆家嘴美肌馆", "partner_beauty"),
        ("伊人SPA", "partner_hair"),
        ("尚艺美发沙龙", "partner_hair"),
        ("悦跑健身", "partner_alliance"),
        ("金桥月子会所", "partner_alliance"),
        ("锦绣旗袍定制", "partner_alliance"),
        ("何晓芸(个人渠道)", "partner_person"),
    ),
}
#: One partner per branch whose contract is over.
ENDED_PARTNER = 2


@dataclass(frozen=True)
class Partner:
    """A channel partner that still sends customers."""

    id: int
    source: str


@dataclass
class House:
    """A branch with its people: what the desk's story needs to know. ``actors`` go by login without ``b2_``.

    ``keep`` holds the rows that the desk's acts ask for, so that the session finds them without a statement.
    """

    branch: Branch
    actors: dict[str, Actor] = field(default_factory=dict)
    departments: dict[str, int] = field(default_factory=dict)
    partners: list[Partner] = field(default_factory=list)
    reception: Reception = field(default_factory=Reception)
    keep: list[Any] = field(default_factory=list)

    def employee(self, login: str) -> int:
        """Return the employee id behind a login."""
        found = self.actors[login].employee_id
        assert found is not None
        return found


def logins() -> Iterator[tuple[str, str]]:
    """Yield (login without the branch's prefix, role): one per role, the seconds at the desks, more in the lines."""
    for role, _name, _english in POSITIONS:
        yield role, role
        if role in SECONDS:
            yield f"{role}_2", role
    for login, role, _partner, _successor in MORE:
        yield login, role


def role_of(login: str) -> str:
    """Return the role behind a login: ``web_consultant`` for ``web_consultant_2``."""
    return re.sub(r"_\d$", "", login)


def found_house(
    session: Session, number: int, anchor: date, at: datetime, password_hash: str, *, with_reception: bool = True
) -> House:
    """Found a branch with everything in it, or return it as it stands. ``number`` counts from 0."""
    given = BRANCHES[number]
    by = house("demo", zone=ZONE)
    branch = session.scalars(select(Branch).where(Branch.code == given["code"])).one_or_none()
    branch = branch or save(session, Branch, given, by=by, at=at, key=f"branch:{given['code']}")
    founding = _Founding(session, branch, house("demo", branch_id=branch.id, zone=ZONE), at)
    departments = founding.departments()
    people = founding.people(departments, anchor, number, password_hash)
    founding.ranks(people, departments)
    founding.telephones(people, departments)
    reception = found_reception(founding, departments, people) if with_reception else Reception()
    desks = [person for login, person in people.items() if PLACES[role_of(login)] in DESK_DEPARTMENTS]
    actors = {login: actor_for_employee(session, person) for login, person in people.items()}
    partners = founding.partners(people, actors["channel_supervisor"])
    return House(
        branch,
        actors,
        {code: department.id for code, department in departments.items()},
        [Partner(partner.id, source) for partner, source in partners],
        reception,
        keep=[*desks, *(partner for partner, _source in partners)],
    )


def hashed_password(method: str) -> str:
    """Return the hash of the demo's password; made once, it is the same for every account."""
    return generate_password_hash(PASSWORD, method)


@dataclass(frozen=True)
class _Founding:
    """Saves the rows of a branch under keys of their own, so that a second founding finds the first."""

    session: Session
    branch: Branch
    by: Actor
    at: datetime

    def save(self, model: Any, key: str, values: Mapping[str, Any], record_id: int | None = None) -> Any:
        return save(
            self.session, model, values, by=self.by, at=self.at, record_id=record_id, key=f"{self.branch.code}:{key}"
        )

    def departments(self) -> dict[str, Department]:
        made: dict[str, Department] = {}
        for code, name, kind, settles, parent in DEPARTMENTS:
            values = {
                "code": code,
                "name": name,
                "kind": kind,
                "settles": settles,
                "parent_id": made[parent].id if parent else None,
            }
            made[code] = self.save(Department, f"department:{code}", values)
        return made

    def people(
        self, departments: Mapping[str, Department], anchor: date, number: int, password_hash: str
    ) -> dict[str, Employee]:
        """Employ one person per login and open it."""
        fake = Faker("zh_CN")
        fake.seed_instance(1000 + number)
        random = Random(2000 + number)
        positions = {position.code: position.id for position in self.session.scalars(select(Position))}
        people: dict[str, Employee] = {}
        for count, (login, role) in enumerate(logins(), start=1):
            man = random.random() < 0.22
            values = {
                "employee_no": f"E{self.branch.code}{count:03d}",
                "name": fake.unique.name_male() if man else fake.unique.name_female(),
                "phone": fake.unique.phone_number(),
                "department_id": departments[PLACES[role]].id,
                "position_id": positions[role],
                "hired_on": anchor - timedelta(days=random.randint(120, 2600)),
            }
            person = self.save(Employee, f"employee:{login}", values)
            if person.user_id is None:
                username = login if number == 0 else f"b{number + 1}_{login}"
                person.user_id = add_account(
                    self.session, username, password_hash, person.name, [role], by=self.by, at=self.at
                )
            people[login] = person
        self.session.flush()
        return people

    def ranks(self, people: Mapping[str, Employee], departments: Mapping[str, Department]) -> None:
        """Name the heads of departments, and at the desks who covers for whom and who succeeds."""
        for code, role in HEADS.items():
            self.save(Department, f"head:{code}", {"head_id": people[role].id}, departments[code].id)
        seconds = [
            (login, other, supervisor)
            for role, supervisor in SECONDS.items()
            for login, other in ((role, f"{role}_2"), (f"{role}_2", role))
        ]
        for login, other, successor in [*seconds, *((login, other, heir) for login, _role, other, heir in MORE)]:
            values = {"partner_employee_id": people[other].id, "successor_employee_id": people[successor].id}
            self.save(Employee, f"partner:{login}", values, people[login].id)

    def telephones(self, people: Mapping[str, Employee], departments: Mapping[str, Department]) -> None:
        """Enter the branch's telephone system and who answers which extension."""
        values = {"name": "电话系统", "department_id": departments["D08"].id}
        self.save(PhoneSystem, "phone_system", values)
        for extension, login in EXTENSIONS.items():
            told = {"extension": extension, "employee_id": people[login].id}
            self.save(PhoneExtension, f"extension:{extension}", told)

    def partners(self, people: Mapping[str, Employee], supervisor: Actor) -> list[tuple[ChannelPartner, str]]:
        """Make the channel partners; return those that still send customers, with their source channel."""
        made: list[tuple[ChannelPartner, str]] = []
        act_end = REGISTRY.find("channel_partner", "end")
        assert act_end is not None
        for count, (name, source) in enumerate(PARTNERS[self.branch.code]):
            manager = people["channel_specialist" if count % 2 == 0 else "channel_specialist_2"]
            contract = f"QDHT-{self.branch.code}-{count + 1:03d}"
            values = {"name": name, "contract_no": contract, "manager_id": manager.id}
            partner = self.save(ChannelPartner, f"partner_of:{count}", values)
            if count == ENDED_PARTNER:
                run(
                    self.session,
                    act_end,
                    by=supervisor,
                    at=self.at,
                    record_id=partner.id,
                    values={"reason": "合同到期，双方不再续签"},
                    key=f"demo:end:{count}",
                )
            else:
                made.append((partner, source))
        return made
