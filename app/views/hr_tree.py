"""组织 → 部门架构: the tree of a branch's departments as of a day. White paper 4.2.1."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import render_template, request, url_for
from flask_appbuilder import BaseView, expose
from werkzeug.datastructures import MultiDict

from app.actors import Actor, Reach
from app.errors import NotPermitted
from app.extensions import db
from app.fields import Day, Flag, HouseForm, Pick
from app.models.hr import Branch, Department
from app.panel import acting
from app.panel.describe import acts_now, may_open_record, record_url
from app.panel.pages import Cell, Link, Row, TreeNode, TreePage
from app.panel.person import me, now
from app.services.hr import Node, tree_of
from app.services.runner import form_context
from app.services.scope import in_scope
from app.words import _, _l, _n

PAGE = "department_tree"


class Looking(HouseForm):
    """Which branch's tree, as of which day."""

    as_of = Day(_l("As of"))
    closed = Flag(_l("Show closed departments"))


class LookingAround(Looking):
    """The same, for who sees the group."""

    branch_id = Pick(_l("Branch"), table="branch")


class DepartmentTreeView(BaseView):
    """The tree: heads, people, days; acts in each row, dragging for who may move."""

    route_base = "/department"
    default_view = "list"
    class_permission_name = PAGE
    base_permissions = ["can_list"]
    title = _l("Department tree")

    def create_blueprint(self, appbuilder: Any, endpoint: str | None = None, static_folder: str | None = None) -> Any:
        return super().create_blueprint(appbuilder, endpoint or PAGE, static_folder)

    @expose("/tree")
    def list(self) -> Any:
        """Show the tree asked for; without a day, today's."""
        by = me()
        if not by.may(PAGE, "can_list"):
            raise NotPermitted
        form = _form(by)
        stands = form.validate()
        day = (form.as_of.data if stands else None) or _today(by)
        branch = _branch(form.data.get("branch_id") if stands else None, by)
        page = _page(by, form, branch, day, with_closed=bool(stands and form.closed.data))
        return render_template("pages/hr/tree.html", page=page, appbuilder=self.appbuilder), 200 if stands else 422


def _today(by: Actor) -> date:
    return now().astimezone(by.timezone).date()


def _form(by: Actor) -> Any:
    given = MultiDict([pair for pair in request.args.items(multi=True) if pair[0] != "_l_"])
    if not given.get("as_of"):
        given["as_of"] = _today(by).isoformat()
    kind = LookingAround if by.reach(PAGE) is Reach.GROUP else Looking
    return kind(given, meta={"context": form_context(db.session(), by, now=now())})


def _branch(branch_id: int | None, by: Actor) -> Branch | None:
    """Return the branch to show: the one asked for, one's own, or the first there is."""
    wanted = branch_id or by.branch_id
    statement = in_scope(Branch, by).order_by(Branch.code).limit(1)
    if wanted is not None:
        statement = statement.where(Branch.id == wanted)
    elif by.reach(PAGE) is not Reach.GROUP:
        return None
    found: Branch | None = db.session().scalars(statement).one_or_none()
    return found


def _page(by: Actor, form: Any, branch: Branch | None, day: date, *, with_closed: bool) -> TreePage:
    today = _today(by)
    only = None if by.reach(PAGE) >= Reach.BRANCH else by.department_ids
    found = (
        []
        if branch is None
        else tree_of(
            db.session(), branch.id, day=day, today=today, zone=by.timezone, with_closed=with_closed, only=only
        )
    )
    is_now = day == today
    may_move = is_now and by.may("department", "can_move")
    return TreePage(
        title=_("Department tree"),
        crumbs=[Link(_("Organisation"), ""), Link(str(branch) if branch else "", "")],
        form=form,
        action=url_for(f"{PAGE}.list"),
        nodes=[_node(node, by, is_now=is_now) for node in found],
        acts=[],
        intro=_intro(day, is_now=is_now, may_move=may_move),
        add_url=url_for("department.add") if is_now and by.may("department", "can_add") else "",
    )


def _intro(day: date, *, is_now: bool, may_move: bool) -> str:
    if not is_now:
        return _("As it was on %(day)s. Heads are not shown: they are kept as of today.", day=day.isoformat())
    return _("Drag a department onto another, or choose “Move” in its menu.") if may_move else ""


def _node(node: Node, by: Actor, *, is_now: bool) -> TreeNode:
    department = node.department
    acts = [acting.button(act, department) for act in acts_now(department, by)] if is_now else []
    url = record_url("department", department.id) if may_open_record(department, by) else ""
    move = next((act.url for act in acts if act.name == "move"), "")
    return TreeNode(
        row=Row(department.id, url, [Cell(department.name, url=url)], acts, department.name),
        code=department.code,
        facts=[*_head(department, by, is_now=is_now), _people(node, by), *_days(department)],
        closed=_("Closed") if node.is_closed else "",
        move_url=move,
        parts=[_node(part, by, is_now=is_now) for part in node.parts],
    )


def _head(department: Department, by: Actor, *, is_now: bool) -> list[Cell]:
    if not is_now:
        return []
    head = department.head
    if head is None:
        return [Cell(_("no head"))]
    url = record_url("employee", head.id) if may_open_record(head, by) else ""
    return [Cell(_("head: %(name)s", name=head.name), url=url)]


def _people(node: Node, by: Actor) -> Cell:
    text = _n("%(num)s person", "%(num)s people", node.people)
    if node.people_below != node.people:
        text = _("%(own)s (%(all)s with its parts)", own=text, all=node.people_below)
    page = next((page for page in ("employee", "department_people") if by.may(page, "can_list")), "")
    url = url_for(f"{page}.list", tab="active", department_id=node.department.id) if page and node.people else ""
    return Cell(text, url=url)


def _days(department: Department) -> list[Cell]:
    begun, ended = department.valid_from, department.valid_to
    if begun is None and ended is None:
        return []
    return [Cell(f"{begun.isoformat() if begun else '…'} – {ended.isoformat() if ended else '…'}")]
