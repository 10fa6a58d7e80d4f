"""What every house begins with: a provider that sends nothing and says so, WeChat by hand, and some texts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models.followup import ExecutorKind, FollowupCategory, FollowupRule, RuleMakes
from app.models.messages import (
    MessageCategory,
    MessageChannel,
    MessageProvider,
    MessageTemplate,
    ProviderKind,
    ProviderState,
)
from app.services.followup.triggers import BIRTHDAY, FESTIVAL

PROVIDERS: tuple[tuple[str, MessageChannel, ProviderKind], ...] = (
    ("短信发件箱（不发送）", MessageChannel.SMS, ProviderKind.OUTBOX),
    ("微信（人工发送）", MessageChannel.WECHAT, ProviderKind.BY_HAND),
)
#: code -> (name, channel, category, is it marketing, text). The marketing consent covers wishes at festivals (L13).
TEMPLATES: dict[str, tuple[str, MessageChannel, MessageCategory, bool, str]] = {
    "birthday": (
        "生日祝福",
        MessageChannel.SMS,
        MessageCategory.CARE,
        False,
        "{称呼}，您好！今天是您的生日，{分院}全体同仁祝您生日快乐，平安喜乐！",
    ),
    "festival": (
        "节日祝福",
        MessageChannel.SMS,
        MessageCategory.CARE,
        True,
        "{称呼}，{节日}快乐！{分院}全体同仁祝您和家人幸福安康。不想再收到祝福请告知我们。",
    ),
    "appointment_reminder": (
        "预约提醒短信",
        MessageChannel.SMS,
        MessageCategory.REMINDER,
        False,
        "{称呼}，您已预约{预约日期} {预约时间}到{分院}，地址：{分院地址}。如需改期请致电{分院电话}。",
    ),
    "route": (
        "来院路线",
        MessageChannel.WECHAT,
        MessageCategory.NOTICE,
        False,
        "{称呼}，您好！我是{执行人}。{分院}的地址是{分院地址}，到了请联系我：{分院电话}。",
    ),
}


#: code -> (name, English name, trigger, festival, category, template).
RULES: dict[str, tuple[str, str, str, str | None, str, str]] = {
    "birthday_message": ("生日短信", "Birthday message", BIRTHDAY, None, "birthday_message", "birthday"),
    "spring_festival_message": (
        "春节短信", "Spring Festival message", FESTIVAL, "spring_festival", "birthday_message", "festival"
    ),
    "mid_autumn_message": (
        "中秋短信", "Mid-Autumn message", FESTIVAL, "mid_autumn", "birthday_message", "festival"
    ),
}  # fmt: skip


def add_message_rules(session: Session) -> int:
    """Add the rules that send messages as far as they are absent; return how many. One out of force stays so."""
    session.flush()
    standing = set(session.scalars(select(FollowupRule.code)))
    categories = {code: key for key, code in session.execute(select(FollowupCategory.id, FollowupCategory.code))}
    templates = {code: key for key, code in session.execute(select(MessageTemplate.id, MessageTemplate.code))}
    absent: list[Any] = [
        FollowupRule(
            code=code,
            name=name,
            name_en=name_en,
            trigger=trigger,
            festival=festival,
            offset_days=[0],
            category_id=categories[category],
            executor_kind=ExecutorKind.DEVELOPER,
            makes=RuleMakes.MESSAGE,
            message_template_id=templates[template],
        )
        for code, (name, name_en, trigger, festival, category, template) in RULES.items()
        if code not in standing and category in categories and template in templates
    ]
    session.add_all(absent)
    return len(absent)


def add_first_messages(session: Session) -> int:
    """Add the providers and templates that are absent; return how many. A channel that has a provider gets none."""
    served = set(session.scalars(select(MessageProvider.channel)))
    providers: list[Any] = [
        MessageProvider(name=name, channel=channel, kind=kind, state=ProviderState.ACTIVE)
        for name, channel, kind in PROVIDERS
        if channel not in served
    ]
    standing = set(session.scalars(select(MessageTemplate.code)))
    templates: list[Any] = [
        MessageTemplate(code=code, name=name, channel=channel, category=category, is_marketing=marketing, content=text)
        for code, (name, channel, category, marketing, text) in TEMPLATES.items()
        if code not in standing
    ]
    session.add_all(providers + templates)
    return len(providers) + len(templates)
