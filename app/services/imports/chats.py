"""Importing web chats that another system kept. White paper 2.1.1.2; R-2.1.1-1, -2."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, tuple_
from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.appointments import Channel, ContactRecord
from app.models.customers import ContactKind, Customer, CustomerContact, FileState, contact_hash, mask
from app.models.hr import Employee
from app.models.imports import ImportOf
from app.services.imports.customers import WAYS
from app.services.imports.kinds import (
    ImportColumn,
    ImportKind,
    Row,
    Standing,
    import_kind,
    know_items,
    names_in_scope,
)
from app.services.imports.values import Known, code, instant, item, named, phone, words
from app.services.scope import in_scope
from app.words import _l


@import_kind
class Chats(ImportKind):
    """商务通 exports: web-chat records, as ``register_chat`` writes them. White paper 2.1.1.2, R-2.1.1-1."""

    name = ImportOf.CHATS
    model = ContactRecord
    numbers = "chat"
    employees = ("consultant",)
    columns = (
        ImportColumn(
            "contacted_at",
            _l("When"),
            instant,
            "时间 对话时间 开始时间 访问时间 咨询时间 接入时间 日期",
            required=True,
            example="2026-01-03 14:30",
        ),
        ImportColumn(
            "visitor", _l("Visitor"), words(60), "客户名称 访客名称 访客 名称 姓名 客户", example="访客 10086"
        ),
        ImportColumn(
            "category",
            _l("Business category"),
            item("business_category"),
            "业务类别 咨询类型 对话类型 分类",
            attribute="business_category_id",
            example="项目咨询",
            note=_l("Empty: asking about a treatment."),
        ),
        ImportColumn(
            "landing_page", _l("Landing page"), words(400), "来源网址 着陆页 访问来源 来源网站 初次访问网址 落地页 url"
        ),
        ImportColumn("keyword", _l("Keyword"), words(120), "关键词 搜索词 搜索关键词", example="双眼皮"),
        ImportColumn("chat_text", _l("Chat"), words(20000, multiline=True), "对话内容 聊天记录 聊天内容 对话记录 内容"),
        ImportColumn(
            "consultant",
            _l("Consultant"),
            named("employee", _l("employee")),
            "客服 客服名称 咨询师 接待客服 初始接待客服",
            attribute="consultant_id",
            note=_l("Employee number or full name."),
        ),
        ImportColumn("area", _l("Area"), words(60), "地区 访客地区 区域 ip地区"),
        ImportColumn("phone", _l("Telephone"), phone, "手机 手机号 电话 联系方式", sensitive=True),
        ImportColumn("wechat", _l("WeChat"), words(60), "微信 微信号", sensitive=True),
        ImportColumn("chat_id", _l("Chat identifier"), code(80), "对话编号 对话id 编号 永久身份 会话id"),
        ImportColumn(
            "quality",
            _l("Quality of the lead"),
            item("lead_quality"),
            "线索质量 有效性 客户质量",
            attribute="lead_quality_id",
        ),
    )

    def prepare(self, session: Session, by: Actor, at: datetime) -> Known:
        known = super().prepare(session, by, at)
        know_items(session, known, "business_category", "lead_quality")
        known.names["employee"] = names_in_scope(session, Employee, by, "employee_no", "name")
        placed = select(Employee.id, Employee.department_id).where(Employee.branch_id == by.branch_id)
        known.more["department_of"] = {row[0]: row[1] for row in session.execute(placed)}
        return known

    def keys(self, row: Row, known: Known) -> list[tuple[str, object]]:
        return [("chat_id", row.get("chat_id"))] if row.get("chat_id") else [("contacted_at", _same(row.values))]

    def title(self, row: Row) -> str:
        return " ".join(part for part in (row.get("visitor"), mask(ContactKind.PHONE, row.get("phone"))) if part)

    def called(self, row: Row) -> tuple[list[object], list[object]]:
        return [], []

    def standing(self, session: Session, rows: Sequence[Row], known: Known, by: Actor) -> dict[int, Standing]:
        """Return the chats that stand: by the chat's own identifier, else by moment, page and words."""
        record = ContactRecord
        named_rows = {row.get("chat_id"): row.row_no for row in rows if row.get("chat_id")}
        others = {_same(row.values): row.row_no for row in rows if not row.get("chat_id")}
        moments = sorted({row.get("contacted_at") for row in rows if not row.get("chat_id")})
        columns = (
            record.id,
            record.record_no,
            record.chat_id,
            record.contacted_at,
            record.landing_page,
            record.chat_text,
        )
        standing = select(*columns).where(
            record.branch_id == by.branch_id,
            record.channel == Channel.WEB_CHAT,
            or_(record.chat_id.in_(sorted(named_rows)), record.contacted_at.in_(moments)),
        )
        found: dict[int, Standing] = {}
        for key, number, chat_id, *same in session.execute(standing):
            told = dict(zip(("contacted_at", "landing_page", "chat_text"), same, strict=True))
            row_no = named_rows.get(chat_id) or (None if chat_id else others.get(_same(told)))
            if row_no is not None:
                field = "chat_id" if chat_id else "contacted_at"
                found[row_no] = Standing("contact_record", key, field, "stands", {"record": number})
        visible = set(
            session.scalars(
                in_scope(ContactRecord, by)
                .where(record.id.in_([each.record_id for each in found.values()]))
                .with_only_columns(record.id)
            )
        )
        return {
            row_no: each
            if each.record_id in visible
            else Standing(each.table, each.record_id, each.field, "stands_apart", may_fill=False)
            for row_no, each in found.items()
        }

    def remarks(
        self, session: Session, rows: Sequence[Row], known: Known, by: Actor
    ) -> list[tuple[int, str, str, dict[str, Any]]]:
        """A chat record has no place for a WeChat account: it links the customer who has it, or is left out."""
        accounts = {contact_hash(ContactKind.WECHAT, row.get("wechat")): row for row in rows if row.get("wechat")}
        holding = select(CustomerContact.value_hash).where(
            CustomerContact.kind == ContactKind.WECHAT,
            CustomerContact.value_hash.in_(sorted(accounts)),
            CustomerContact.customer_id.in_(
                in_scope(Customer, by).where(Customer.state != FileState.MERGED).with_only_columns(Customer.id)
            ),
        )
        on_file = set(session.scalars(holding)) if accounts else set()
        return [
            (row.row_no, "wechat", "wechat_nobody", {}) for digest, row in accounts.items() if digest not in on_file
        ]

    def attributes(self, row: Row, known: Known, by: Actor) -> dict[str, Any]:
        told = super().attributes(row, known, by)
        for name in ("visitor", "area", "phone", "wechat"):
            told.pop(name, None)
        about = " · ".join(part for part in (row.get("visitor"), row.get("area")) if part)
        if about:
            told["content"] = about
        if row.get("phone"):
            told["caller_no"] = row.get("phone")
            told["caller_hash"] = contact_hash(ContactKind.PHONE, row.get("phone"))
        return told

    def new(
        self, session: Session, row: Row, number: str | None, known: Known, by: Actor, at: datetime
    ) -> ContactRecord:
        told = self.attributes(row, known, by)
        told.setdefault("business_category_id", known.more["codes:business_category"].get("item_enquiry"))
        consultant = told.get("consultant_id")
        return ContactRecord(
            **told,
            record_no=number,
            channel=Channel.WEB_CHAT,
            branch_id=by.branch_id,
            department_id=known.more["department_of"].get(consultant) if consultant else by.department_id,
            customer_id=self._customer(session, row, by),
        )

    def _customer(self, session: Session, row: Row, by: Actor) -> int | None:
        """Return the customer in scope whose number or account was left in the chat. R-2.1.1-2."""
        left = {(WAYS[name], contact_hash(WAYS[name], row.get(name))) for name in ("phone", "wechat") if row.get(name)}
        if not left:
            return None
        holding = (
            in_scope(Customer, by)
            .join(CustomerContact, CustomerContact.customer_id == Customer.id)
            .where(tuple_(CustomerContact.kind, CustomerContact.value_hash).in_(sorted(left)))
            .where(Customer.state != FileState.MERGED)  # a doubled contact stays behind; the kept file has it too
            .with_only_columns(Customer.id)
            .order_by(Customer.id)
            .limit(1)
        )
        found: int | None = session.scalar(holding)
        return found


def _same(told: dict[str, Any]) -> str:
    """Return what makes two chats without an identifier the same."""
    parts = (told.get("contacted_at"), told.get("landing_page"), told.get("chat_text"))
    return hashlib.sha256(repr([str(part) for part in parts]).encode()).hexdigest()
