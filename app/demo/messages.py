"""The demo's messages: some held to be looked at, some sent by hand, one cancelled; and who wants none. R-2.22-6."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from app.demo.cast import Visitor
from app.demo.stage import Stage
from app.models.contacting import ContactWay, OptOutKind
from app.models.messages import MessageChannel, MessageTemplate

if TYPE_CHECKING:
    from app.demo.script import Script

#: Who writes: she sees the customers of the whole branch, whoever they belong to by then.
WRITER = "service_supervisor"
#: How each was written (a template's code, or words), and what was done with it then.
STORIES: tuple[tuple[str, MessageChannel, str], ...] = (
    ("route", MessageChannel.WECHAT, "mark_sent"),
    ("{称呼}，您咨询的资料已准备好，方便时请回电。{分院} {执行人}", MessageChannel.SMS, ""),
    ("route", MessageChannel.WECHAT, ""),
    ("{称呼}，您好！上次提到的医生本周六在院，需要为您留时间吗？{执行人}", MessageChannel.WECHAT, "mark_sent"),
    ("{称呼}，感谢来电。如有疑问请致电{分院电话}。", MessageChannel.SMS, ""),
    ("{称呼}，您好！您要的报价单请到院后面谈。{执行人}", MessageChannel.SMS, "cancel"),
)
OPT_OUTS: tuple[tuple[ContactWay, OptOutKind, str], ...] = (
    (ContactWay.SMS, OptOutKind.MARKETING, "短信太多，不要再发活动。"),
    (ContactWay.ALL, OptOutKind.MARKETING, "只要治疗相关的通知。"),
)


def write_messages(script: Script, visitors: list[Visitor]) -> None:
    """Tell the stories of a branch's messages, for the customers who came last and left a number."""
    reached = [visitor for visitor in visitors if visitor.phone is not None and visitor.day <= -2]
    latest = sorted(reached, key=lambda visitor: (-visitor.day, visitor.minute, visitor.key))
    for visitor, story in zip(latest, STORIES, strict=False):
        _message(script, visitor, *story)
    for visitor, opted in zip(latest[len(STORIES) :], OPT_OUTS, strict=False):
        _opt_out(script, visitor, *opted)


def _message(script: Script, visitor: Visitor, words: str, channel: MessageChannel, then: str) -> None:
    at, actor = script.calendar.exactly(-1, 10 * 60 + 15), script.house.actors[WRITER]
    key = f"{visitor.key}:message"

    def write(stage: Stage) -> None:
        code = select(MessageTemplate.id).where(MessageTemplate.code == words)
        template_id = stage.session.scalar(code)
        values: dict[str, Any] = {"channel": channel, "look_first": True}
        values |= {"template_id": template_id} if template_id is not None else {"content": words}
        made = stage.act(
            "customer.send_message", by=actor, at=at, key=key, record_id=visitor.customer_id, values=values
        )
        if then:
            stage.act(f"message.{then}", by=actor, at=at, key=key, record_id=made.result.id)

    script.tell(at, write)


def _opt_out(script: Script, visitor: Visitor, channel: ContactWay, kind: OptOutKind, reason: str) -> None:
    at, actor = script.calendar.exactly(-1, 15 * 60 + 40), script.house.actors[WRITER]

    def opt_out(stage: Stage) -> None:
        stage.act(
            "customer.opt_out",
            by=actor,
            at=at,
            key=f"{visitor.key}:opt_out",
            record_id=visitor.customer_id,
            values={"channel": channel, "kind": kind, "reason": reason},
        )

    script.tell(at, opt_out)
