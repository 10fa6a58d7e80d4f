"""Administrators write the rules that make plans: trigger, days, category, executor, words. REF-8, R-2.22-1."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.errors import InvalidInput, Refusal
from app.fields import Choose, HouseForm, OneOf, Pick, Wholes, Words
from app.models.followup import ExecutorKind, FollowupCategory, FollowupPlan, FollowupRule, RuleMakes
from app.roles import ROLES
from app.services.followup.triggers import FESTIVAL, TRIGGERS
from app.services.lunar import FESTIVALS
from app.services.placeholders import PLAN_TEXT, Hint, wrong_in
from app.words import _, _l

EARLIEST, LATEST = -60, 1100
CODE = re.compile(r"[a-z][a-z0-9_]{1,39}")


class _Rule(HouseForm):
    """What a rule says."""

    name = Words(_l("Chinese name"), required=True, most=80)
    name_en = Words(_l("English name"), required=True, most=80)
    trigger = OneOf(_l("Trigger"), required=True, offers=lambda: [(one.code, one.label) for one in TRIGGERS.values()])
    offset_days = Wholes(
        _l("Days from the trigger"),
        least=EARLIEST,
        most=LATEST,
        required=True,
        description=_l("Several with commas; the day itself is 0, the day before −1."),
    )
    category_id = Pick(_l("Category"), table="followup_category", required=True)
    executor_kind = Choose(_l("Carried out by"), options=ExecutorKind, required=True)
    executor_role = OneOf(_l("Role"), offers=lambda: [(code, role.label) for code, role in ROLES.items()])
    branch_id = Pick(_l("Branch"), table="branch", description=_l("Empty: the whole group."))
    purpose_template = Words(_l("Purpose"), most=400, description=Hint(PLAN_TEXT))
    content_template = Words(_l("Content"), most=2000, multiline=True, description=Hint(PLAN_TEXT))
    makes = Choose(_l("It makes"), options=RuleMakes, description=_l("Empty: a plan."))
    message_template_id = Pick(_l("Message template"), table="message_template")
    festival = OneOf(
        _l("Festival"),
        offers=lambda: [(one.code, one.label) for one in FESTIVALS.values()],
        description=_l("For the trigger of festivals; empty: every one."),
    )

    def check(self) -> None:
        """A role where the rule names one, a template where it makes messages, and only there; sound texts."""
        for name in ("purpose_template", "content_template"):
            for wrong in wrong_in(PLAN_TEXT, self[name].data or ""):
                self.refuse(name, wrong.sentence)
        makes_message = self.makes.data is RuleMakes.MESSAGE
        if makes_message and self.message_template_id.data is None:
            self.refuse("message_template_id", _("Please choose the template."))
        if not makes_message and self.message_template_id.data is not None:
            self.refuse("message_template_id", _("Only if the rule makes messages."))
        is_festival = self.trigger.data == FESTIVAL
        if self.festival.data is not None and not is_festival:
            self.refuse("festival", _("Only with the trigger of festivals."))
        if is_festival and not makes_message:
            self.refuse("makes", _("At a festival rules send messages: nobody calls all customers on one day."))
        names_role = self.executor_kind.data is ExecutorKind.ROLE
        if names_role and self.executor_role.data is None:
            self.refuse("executor_role", _("Please choose the role."))
        if not names_role and self.executor_role.data is not None:
            self.refuse("executor_role", _("Only if a role carries it out."))


class NewRule(_Rule):
    """A rule of one's own."""

    code = Words(_l("Code"), required=True, most=40, description=_l("Small letters, digits and _; it never changes."))


@act(FollowupRule, "write", _l("New rule"), form=NewRule, creates=True, main=True, icon="magic")
def write(session: Session, *, code: str, by: Actor, at: datetime, **said: Any) -> FollowupRule:
    """Add a rule; it makes plans of what occurs from now on. REF-8."""
    if not CODE.fullmatch(code):
        raise InvalidInput({"code": [_("Small letters, digits and _, please, beginning with a letter.")]})
    if session.scalar(select(FollowupRule.id).where(FollowupRule.code == code)) is not None:
        raise InvalidInput({"code": [_("There is a rule of this code already.")]})
    rule = FollowupRule(code=code, **_said(said))
    session.add(rule)
    session.flush()
    return rule


@act(
    FollowupRule,
    "change",
    _l("Change"),
    form=_Rule,
    icon="pencil",
    prefill=(
        "name",
        "name_en",
        "trigger",
        "offset_days",
        "category_id",
        "executor_kind",
        "executor_role",
        "branch_id",
        "purpose_template",
        "content_template",
        "makes",
        "message_template_id",
        "festival",
    ),
    consequence=_l("Plans that stand already stay as they are."),
)
def change(session: Session, rule: FollowupRule, *, by: Actor, at: datetime, **said: Any) -> None:
    """Change a rule; what it made stays. Refuses another trigger once it has made plans of its own. REF-8."""
    made = select(FollowupPlan.id).where(FollowupPlan.rule_id == rule.id).limit(1)
    if said["trigger"] != rule.trigger and session.scalar(made) is not None:
        raise InvalidInput(
            {"trigger": [_("This rule has made plans. Please take it out of force and write a new one.")]}
        )
    for name, value in _said(said).items():
        setattr(rule, name, value)


def _said(said: dict[str, Any]) -> dict[str, Any]:
    """Return what a rule says; unless it says otherwise it makes plans."""
    return said | {"makes": said.get("makes") or RuleMakes.PLAN}


def _out(row: FollowupRule | FollowupCategory, by: Actor) -> object | None:
    return _("It is out of use already.") if row.retired_at is not None else None


def _in(row: FollowupRule | FollowupCategory, by: Actor) -> object | None:
    return _("It is in use.") if row.retired_at is None else None


@act(FollowupRule, "retire", _l("Take out of force"), guard=_out, icon="pause-circle")
def retire(session: Session, rule: FollowupRule, *, by: Actor, at: datetime) -> None:
    """Let a rule make no more plans; what it made stays. The rule for abnormal reports stays in force (R-2.22-4)."""
    if rule.code == "abnormal":
        raise Refusal(_("Something abnormal always reaches a doctor; this rule stays in force."))
    rule.retired_at = at


@act(FollowupRule, "restore", _l("Put in force"), guard=_in, icon="play-circle")
def restore(session: Session, rule: FollowupRule, *, by: Actor, at: datetime) -> None:
    """Let a rule make plans again, of what occurs from now on."""
    rule.retired_at = None


@act(FollowupCategory, "retire", _l("Take out of use"), guard=_out, icon="archive")
def retire_category(session: Session, category: FollowupCategory, *, by: Actor, at: datetime) -> None:
    """Offer a category no longer; refuses one that a rule in force uses."""
    used = select(FollowupRule.name).where(FollowupRule.category_id == category.id, FollowupRule.retired_at.is_(None))
    rule = session.scalars(used.limit(1)).first()
    if rule is not None:
        raise Refusal(_("The rule “%(rule)s” uses this category.", rule=rule))
    category.retired_at = at


@act(FollowupCategory, "restore", _l("Use again"), guard=_in, icon="arrow-counterclockwise")
def restore_category(session: Session, category: FollowupCategory, *, by: Actor, at: datetime) -> None:
    """Offer a category again."""
    category.retired_at = None
