"""Importing customers and web chats that another system kept. White paper 1.2, 2.1.1; R-2.1.1-1, -2, -5."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor, Reach
from app.fields import normal_phone
from app.models.customers import (
    BirthCalendar,
    ChannelPartner,
    ContactKind,
    Customer,
    CustomerContact,
    CustomerOwnerHistory,
    FileState,
    OwnerRole,
    OwnerRule,
    Sex,
    SourceChannel,
    contact_hash,
    mask,
)
from app.models.hr import Employee
from app.models.imports import ImportOf
from app.services.customers import log_look_up, refuse_referrer_of_partner, whose_number
from app.services.imports.kinds import (
    BadRow,
    ImportColumn,
    ImportKind,
    Reference,
    Row,
    Standing,
    import_kind,
    judged,
    know_items,
    lock_all,
    names_in_scope,
)
from app.services.imports.values import (
    SEVERAL,
    Known,
    choice,
    code,
    day,
    id_no,
    instant,
    item,
    named,
    phone,
    plain,
    whole,
    words,
)
from app.services.scope import in_scope
from app.services.settings import NUMBER_UNIQUE, value_of
from app.words import _l, force_locale

WAYS = {"phone": ContactKind.PHONE, "wechat": ContactKind.WECHAT, "qq": ContactKind.QQ}


def contacts_of(row: Row) -> dict[ContactKind, str]:
    return {kind: row.get(name) for name, kind in WAYS.items() if row.get(name)}


@import_kind
class Customers(ImportKind):
    """Existing customers: temporary files, which become formal as every other (R-1.2-1)."""

    name = ImportOf.CUSTOMERS
    model = Customer
    numbers = "customer"
    employees = ("developer",)
    columns = (
        ImportColumn(
            "name", _l("Full name"), words(60), "姓名 客户姓名 顾客姓名 客户名称 名字 客户 顾客", example="林小雨"
        ),
        ImportColumn("alias", _l("Alias"), words(60), "昵称 称呼 网名 别名"),
        ImportColumn(
            "phone",
            _l("Telephone"),
            phone,
            "手机 手机号 手机号码 电话 电话号码 联系电话 联系方式 mobile tel",
            sensitive=True,
            example="13900000000",
            note=_l("Format the column as text, so that no digit is lost. One of telephone, WeChat, QQ is required."),
        ),
        ImportColumn("wechat", _l("WeChat"), words(60), "微信 微信号", sensitive=True),
        ImportColumn("qq", _l("QQ"), code(20), "qq号 qq号码", sensitive=True),
        ImportColumn(
            "sex",
            _l("Sex"),
            choice(Sex, f=Sex.FEMALE, m=Sex.MALE, 女士=Sex.FEMALE, 先生=Sex.MALE),
            "性别 gender",
            example="女",
        ),
        ImportColumn("birth_on", _l("Date of birth"), day(past=True), "生日 出生日期 出生年月日", example="1996-05-12"),
        ImportColumn("birth_year", _l("Year of birth"), whole(1900, 2100), "出生年份 出生年"),
        ImportColumn(
            "birth_calendar",
            _l("Birthday celebrated"),
            choice(
                BirthCalendar,
                农历=BirthCalendar.LUNAR,
                阴历=BirthCalendar.LUNAR,
                公历=BirthCalendar.SOLAR,
                阳历=BirthCalendar.SOLAR,
            ),
            "生日历法 过生日 农历生日 公历农历",
        ),
        ImportColumn("age", _l("Age"), whole(0, 120), "年龄"),
        ImportColumn("id_no", _l("ID number"), id_no, "身份证 身份证号 身份证号码 证件号码", sensitive=True),
        ImportColumn("occupation", _l("Occupation"), words(60), "职业"),
        ImportColumn("area", _l("Area"), item("area"), "区域 地区 所在区域", attribute="area_id", example="黄浦区"),
        ImportColumn("address", _l("Address"), words(200), "地址 联系地址 住址"),
        ImportColumn(
            "source",
            _l("Source channel"),
            named("source_channel", _l("source channel")),
            "来源 来源途径 客户来源 渠道来源 来源渠道",
            attribute="source_channel_id",
        ),
        ImportColumn(
            "partner",
            _l("Channel partner"),
            named("channel_partner", _l("channel partner")),
            "渠道 渠道名称 合作渠道",
            attribute="channel_partner_id",
        ),
        ImportColumn(
            "referrer",
            _l("Referred by"),
            words(60),
            "介绍人 推荐人 老顾客 老客户 转介绍人",
            sensitive=True,
            note=_l("File number, telephone or full name; of this file or on file."),
        ),
        ImportColumn(
            "developer",
            _l("Developed by"),
            named("employee", _l("employee")),
            "开发人 归属人 归属 咨询师 网络咨询师 所属人",
            attribute="developer_id",
            note=_l("Employee number or full name."),
        ),
        ImportColumn(
            "developed_at", _l("Developed since"), instant, "建档时间 建档日期 登记日期 登记时间 录入时间 创建时间"
        ),
        ImportColumn(
            "followup_note", _l("Mind when calling"), words(500, multiline=True), "备注 回访注意 注意事项 说明"
        ),
    )
    references = (Reference("referrer", "referrer_customer_id", acyclic=True),)

    def prepare(self, session: Session, by: Actor, at: datetime) -> Known:
        known = super().prepare(session, by, at)
        know_items(session, known, "area")
        known.names["source_channel"] = names_in_scope(
            session, SourceChannel, by, "code", "name", "name_en", branch=False
        )
        known.names["channel_partner"] = names_in_scope(session, ChannelPartner, by, "name")
        known.names["employee"] = names_in_scope(session, Employee, by, "employee_no", "name")
        placed = select(Employee.id, Employee.department_id).where(Employee.branch_id == by.branch_id)
        known.more["department_of"] = {row[0]: row[1] for row in session.execute(placed)}
        known.more["pins"] = self.pins(session, by)
        known.more["unique"] = value_of(session, NUMBER_UNIQUE, branch_id=by.branch_id, at=at)
        return known

    def pins(self, session: Session, by: Actor) -> list[Any]:
        return [*session.scalars(select(SourceChannel)), *session.scalars(in_scope(ChannelPartner, by))]

    def judge(self, session: Session, row: Row, known: Known, by: Actor) -> None:
        """R-2.1.1-5, and what a temporary file must have: a name or alias and one way to reach her."""
        if not (row.get("name") or row.get("alias")):
            raise BadRow("name", "no_name")
        if not contacts_of(row):
            raise BadRow("phone", "no_way")
        if not _may_give_to(row.get("developer"), known, by):
            raise BadRow("developer", "not_your_department")
        if row.get("source") is None and row.get("partner") is None:
            return
        places = {"channel_partner_id": "partner", "source_channel_id": "source", "referrer_customer_id": "referrer"}
        judged(
            lambda: refuse_referrer_of_partner(
                session,
                channel_partner_id=row.get("partner"),
                referrer_id=0 if row.get("referrer") else None,
                source_id=row.get("source"),
            ),
            places.get,
        )

    def keys(self, row: Row, known: Known) -> list[tuple[str, object]]:
        if not known.more["unique"]:
            return []
        return [(name, str(row.get(name)).lower()) for name in WAYS if row.get(name)]

    def title(self, row: Row) -> str:
        number = next((mask(kind, value) for kind, value in contacts_of(row).items()), "")
        return f"{row.get('name') or row.get('alias') or ''} {number}".strip()

    def called(self, row: Row) -> tuple[list[object], list[object]]:
        return [row.get("phone")], [row.get("name")]

    def lock(self, session: Session, rows: Sequence[Row], known: Known, by: Actor) -> None:
        """Take the locks that a registration at the desk takes, one per number."""
        lock_all(session, (contact_hash(kind, value) for row in rows for kind, value in contacts_of(row).items()))

    def standing(self, session: Session, rows: Sequence[Row], known: Known, by: Actor) -> dict[int, Standing]:
        """Return whose the numbers are, in whatever branch. R-2.1.1-2; a setting lets families share one."""
        if not known.more["unique"]:
            return {}
        wanted = {
            (kind, contact_hash(kind, value)): (row, name, value)
            for row in rows
            for name, kind in WAYS.items()
            if (value := row.get(name))
        }
        bearing = (
            select(CustomerContact.kind, CustomerContact.value_hash, CustomerContact.customer_id)
            .join(Customer, Customer.id == CustomerContact.customer_id)
            .where(CustomerContact.value_hash.in_(sorted({digest for _kind, digest in wanted})))
            .where(Customer.state != FileState.MERGED)  # a doubled contact stays behind; the kept file has it too
            .order_by(CustomerContact.customer_id, CustomerContact.id)
        )
        hits = [hit for hit in session.execute(bearing) if (hit[0], hit[1]) in wanted]
        seen = self._seen(session, {hit[2] for hit in hits}, by)
        found: dict[int, Standing] = {}
        for kind, digest, customer_id in hits:
            row, name, value = wanted[kind, digest]
            if row.row_no not in found:
                found[row.row_no] = self._one(session, kind, value, customer_id, name, seen, known, by)
        return found

    def _seen(self, session: Session, keys: set[int], by: Actor) -> dict[int, str]:
        statement = in_scope(Customer, by).where(Customer.id.in_(sorted(keys)))
        statement = statement.outerjoin(Employee, Employee.id == Customer.developer_id)
        columns = statement.with_only_columns(
            Customer.id, Customer.customer_no, Customer.name, Customer.alias, Employee.name
        )
        return {
            row[0]: " · ".join(part for part in (f"{row[1]} {row[2] or row[3] or ''}".strip(), row[4]) if part)
            for row in session.execute(columns)
        }

    def _one(
        self,
        session: Session,
        kind: ContactKind,
        value: str,
        customer_id: int,
        name: str,
        seen: dict[int, str],
        known: Known,
        by: Actor,
    ) -> Standing:
        if customer_id in seen:
            return Standing("customer", customer_id, name, "stands", {"record": seen[customer_id]})
        owner = whose_number(session, kind, value)
        if owner is None:
            return Standing("customer", customer_id, name, "stands_apart", may_fill=False)
        if known.more.get("logs"):
            log_look_up(session, owner, by)
        sentences = {}
        for locale in ("zh", "en"):
            with force_locale(locale):
                sentences[locale] = owner.sentence(by)
        return Standing("customer", customer_id, name, "known_number", sentences, may_fill=False)

    def on_file(self, session: Session, names: Iterable[str], known: Known, by: Actor) -> dict[str, int]:
        """Find customers in scope by file number, telephone or whole name."""
        wanted = sorted(set(names))
        found: dict[str, int] = {}
        by_hash = {contact_hash(ContactKind.PHONE, number): name for name in wanted if (number := normal_phone(name))}
        visible = in_scope(Customer, by).with_only_columns(Customer.id, Customer.customer_no, Customer.name)
        visible = visible.where(Customer.state.in_([FileState.TEMPORARY, FileState.FORMAL]))
        for key, _number, name in session.execute(visible.where(Customer.name.in_(wanted))):
            found[plain(name)] = key if plain(name) not in found else SEVERAL
        for key, number, _name in session.execute(
            visible.where(Customer.customer_no.in_([name.upper() for name in wanted]))
        ):
            found[plain(number)] = key
        unmerged = in_scope(Customer, by).where(Customer.state != FileState.MERGED)
        holding = (
            select(CustomerContact.value_hash, CustomerContact.customer_id)
            .where(
                CustomerContact.kind == ContactKind.PHONE,
                CustomerContact.value_hash.in_(sorted(by_hash)),
                CustomerContact.customer_id.in_(unmerged.with_only_columns(Customer.id)),
            )
            .order_by(CustomerContact.customer_id.desc())  # where families share a number, the oldest file is meant
        )
        for digest, key in session.execute(holding):
            found[plain(by_hash[digest])] = key
        return found

    def attributes(self, row: Row, known: Known, by: Actor) -> dict[str, Any]:
        told = super().attributes(row, known, by)
        for name in (*WAYS, "age", "developer_id", "developed_at"):
            told.pop(name, None)
        if row.get("age") is not None and "birth_year" not in told and "birth_on" not in told:
            told["birth_year"] = known.today.year - row.get("age")
        return told

    def new(self, session: Session, row: Row, number: str | None, known: Known, by: Actor, at: datetime) -> Customer:
        customer = Customer(
            **self.attributes(row, known, by),
            branch_id=by.branch_id,
            customer_no=number,
            state=FileState.TEMPORARY,
            contacts=[_contact(kind, value) for kind, value in contacts_of(row).items()],
        )
        if row.get("developer") is not None:
            customer.developer_id = row.get("developer")
            customer.developed_at = row.get("developed_at") or at
            customer.developer_rule = OwnerRule.IMPORTED
        return customer

    def beside(self, record: Customer, by: Actor) -> list[Any]:
        """Return the change of owner that goes with a customer who has one. Part B, customer_owner_history."""
        if record.developer_id is None:
            return []
        return [
            CustomerOwnerHistory(
                customer=record,
                role=OwnerRole.DEVELOPER,
                to_employee_id=record.developer_id,
                rule=record.developer_rule,
                given_at=record.developed_at,
                given_by_id=by.employee_id,
            )
        ]

    def fill(self, session: Session, record: Customer, row: Row, known: Known, by: Actor, at: datetime) -> list[str]:
        """Fill in what is empty, and ways to reach her of a kind that she has not; never her owner."""
        filled = super().fill(session, record, row, known, by, at)
        has = {contact.kind for contact in record.contacts}
        for kind, value in contacts_of(row).items():
            if kind not in has and whose_number(session, kind, value) is None:
                record.contacts.append(_contact(kind, value))
                filled.append(kind.value)
        return filled


def _may_give_to(employee_id: int | None, known: Known, by: Actor) -> bool:
    """Say whether a file may name its owner: a supervisor gives within her departments, who sees the branch within
    the branch, as when a customer is handed over. Part D, R04."""
    if employee_id is None or by.is_house or by.reach("customer") >= Reach.BRANCH:
        return True
    if by.reach("customer") is Reach.DEPARTMENT:
        return known.more["department_of"].get(employee_id) in by.department_ids
    return employee_id == by.employee_id


def _contact(kind: ContactKind, value: str) -> CustomerContact:
    return CustomerContact(kind=kind, value=value, value_hash=contact_hash(kind, value), value_tail=value[-4:])
