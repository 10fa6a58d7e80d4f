"""Organisation: branches, departments, positions, employees, hand-overs. White paper 4.2."""

from __future__ import annotations

from typing import Any

from app.actors import Actor
from app.extensions import db
from app.models.hr import (
    Branch,
    Department,
    DepartmentMove,
    Employee,
    EmployeeState,
    HandoverBatch,
    Position,
    PositionDepartment,
    PostChange,
)
from app.panel.cards import card
from app.panel.codes import Code
from app.panel.describe import OPENS, may_open
from app.panel.house_view import HouseView, Related, Tab, views
from app.panel.interface import HouseInterface
from app.panel.pages import RelatedTab, TableView
from app.panel.recording import table_of
from app.panel.registry import Registrar
from app.services.hr import HOLDINGS
from app.services.hr.leaving import left_open
from app.views.access import rights_tab
from app.views.hr_tree import DepartmentTreeView
from app.words import _, _l

CRUMBS = (_l("Organisation"),)
#: How many rows of each kind a hand-over shows; all of them are counted.
SHOWN = 50


def _hers(department_id: int, by: Actor, table: str) -> bool:
    """Whoever lists a table opens all of it that she sees; a head only what lies in her departments. R05."""
    return by.is_house or by.may(table, "can_list") or department_id in by.department_ids


OPENS["employee"] = lambda employee, by: employee.id == by.employee_id or _hers(employee.department_id, by, "employee")
OPENS["department"] = lambda department, by: _hers(department.id, by, "department")


class BranchView(HouseView):
    """分院."""

    datamodel = HouseInterface(Branch)
    codes = (Code("code", ruled=False),)
    list_columns = ("code", "name", "phone", "address", "zone")
    show_sections = ((_l("Branch"), ("code", "name", "phone", "address", "licence_no", "surgical_level_max", "zone")),)
    form_columns = ("code", "name", "phone", "address", "licence_no", "surgical_level_max", "zone")
    add_only = ("code",)
    order_columns = ("code", "name")
    default_order = "code"
    descending = False
    related = (Related("department", "branch_id", _l("Departments"), ("code", "name", "kind", "head"), ("head",)),)


class DepartmentView(HouseView):
    """部门, REF-1. What it is part of, its head and its end are acts."""

    datamodel = HouseInterface(Department)
    codes = (Code("code", ruled=False),)
    crumbs = CRUMBS
    list_columns = ("code", "name", "kind", "parent", "head", "branch", "settles", "valid_from", "valid_to")
    show_sections = (
        (
            _l("Department"),
            (
                "code",
                "name",
                "kind",
                "branch",
                "parent",
                "head",
                "settles",
                "public_desk",
                "valid_from",
                "valid_to",
                "retired_at",
            ),
        ),
    )
    form_columns = ("branch_id", "code", "name", "kind", "parent_id", "settles", "public_desk", "valid_from")
    add_only = ("branch_id", "parent_id")
    order_columns = ("code", "name")
    default_order = "code"
    descending = False
    filters = ("kind",)
    quick = (
        Tab("open", _l("Open"), lambda by, now: Department.retired_at.is_(None)),
        Tab(
            "headless",
            _l("Without a head"),
            lambda by, now: Department.retired_at.is_(None) & Department.head_id.is_(None),
        ),
        Tab("all", _l("All")),
    )
    related = (
        Related("department", "parent_id", _l("Parts"), ("code", "name", "head"), ("head",)),
        Related(
            "employee",
            "department_id",
            _l("Employees"),
            ("employee_no", "name", "position", "state"),
            ("position", "department"),
        ),
        Related(
            "position_department",
            "department_id",
            _l("Posts"),
            ("position", "headcount", "holders", "retired_at"),
            ("department", "position"),
        ),
        Related(
            "department_move",
            "department_id",
            _l("Moves"),
            ("moved_on", "from_parent", "to_parent", "reason"),
            ("department", "from_parent", "to_parent"),
        ),
    )


class DepartmentMoveView(HouseView):
    """Where departments were, and until when."""

    datamodel = HouseInterface(DepartmentMove)
    list_columns = ("department", "moved_on", "from_parent", "to_parent", "reason")
    order_columns = ("moved_on",)


class PositionView(HouseView):
    """岗位."""

    datamodel = HouseInterface(Position)
    codes = (Code("code", ruled=False),)
    crumbs = CRUMBS
    list_columns = ("code", "name", "name_en", "default_role")
    form_columns = ("code", "name", "name_en", "default_role", "retired_at")
    order_columns = ("code", "name")
    default_order = "code"
    descending = False
    related = (
        Related(
            "employee", "position_id", _l("Employees"), ("employee_no", "name", "department", "state"), ("department",)
        ),
        Related(
            "position_department",
            "position_id",
            _l("Departments with this post"),
            ("department", "headcount", "holders", "retired_at"),
            ("department", "position"),
        ),
    )


class PositionDepartmentView(HouseView):
    """部门岗位: which posts a department has, how many are planned, how many hold them."""

    datamodel = HouseInterface(PositionDepartment)
    crumbs = CRUMBS
    list_columns = ("department", "position", "headcount", "holders", "retired_at")
    labels = {"holders": _l("People in this post")}
    form_columns = ("headcount",)
    order_columns = ("headcount",)
    filters = ("department_id", "position_id")

    def _record_rights(self) -> list[str]:
        """A department's posts are added by its act; the form changes the headcount."""
        return ["can_show", "can_edit"]


def _login_text(employee: Any) -> str:
    """Return whether a person can log in, for a list."""
    return {None: _("none"), True: _("open"), False: _("closed")}[employee.login_open]


class _EmployeeList(HouseView):
    """What lists of people share."""

    datamodel = HouseInterface(Employee)
    crumbs = CRUMBS
    list_columns = ("employee_no", "name", "department", "position", "state", "login", "hired_on", "successor")
    labels = {"login": _l("Login")}
    computed = {"login": _login_text}
    order_columns = ("employee_no", "name", "hired_on")
    default_order = "employee_no"
    descending = False
    filters = ("state", "department_id", "position_id", "hired_on")
    quick = (
        Tab("all", _l("All")),
        Tab("active", _l("Employed"), lambda by, now: Employee.state == EmployeeState.ACTIVE),
        Tab(
            "no_login",
            _l("Without a login"),
            lambda by, now: (Employee.state == EmployeeState.ACTIVE) & Employee.user_id.is_(None),
        ),
        Tab("left", _l("Has left"), lambda by, now: Employee.state == EmployeeState.LEFT),
    )
    eager = ("department", "position", "successor", "login_open")


class EmployeeView(_EmployeeList):
    """员工. Hiring, changes of post and leaving are acts; the form keeps the rest of the file."""

    codes = (Code("employee_no", ruled=False),)

    show_sections = (
        (
            _l("Employee"),
            (
                "employee_no",
                "name",
                "branch",
                "department",
                "position",
                "hired_on",
                "left_at",
                "phone",
                "id_no",
                "login",
            ),
        ),
        (_l("Cover"), ("partner", "successor")),
    )
    form_columns = (
        "branch_id",
        "employee_no",
        "name",
        "department_id",
        "position_id",
        "hired_on",
        "phone",
        "id_no",
        "partner_employee_id",
        "successor_employee_id",
    )
    add_only = ("branch_id", "department_id", "position_id")
    offers_new = False
    record_eager = ("branch", "login_open")
    related = (
        Related(
            "post_change",
            "employee_id",
            _l("Changes of post"),
            ("changed_on", "from_department", "from_position", "to_department", "to_position", "reason"),
            ("employee", "from_department", "from_position", "to_department", "to_position"),
        ),
        Related(
            "handover_batch",
            "from_employee_id",
            _l("Hand-overs"),
            ("from_employee", "left_on", "to_employee", "total", "done_at"),
            ("from_employee", "to_employee"),
        ),
    )

    def extra_tabs(self, record: Any, by: Actor) -> list[RelatedTab]:
        """Say what she may do, to who may know."""
        return rights_tab(record, by)


class DepartmentPeopleView(_EmployeeList):
    """部门人员: who works in one's departments. R05."""

    canonical = False
    page = "department_people"
    title = _l("People of my departments")

    def conditions(self, by: Actor) -> list[Any]:
        return [Employee.department_id.in_(sorted(by.department_ids))]


class PostChangeView(HouseView):
    """Where people were, and until when."""

    datamodel = HouseInterface(PostChange)
    list_columns = (
        "employee",
        "changed_on",
        "from_department",
        "from_position",
        "to_department",
        "to_position",
        "reason",
    )
    order_columns = ("changed_on",)


class HandoverBatchView(HouseView):
    """离职交接: what one who left held, and who has it now. 4.2.2."""

    datamodel = HouseInterface(HandoverBatch)
    crumbs = CRUMBS
    list_columns = ("from_employee", "left_on", "to_employee", "department", "total", "done_at", "done_by")
    labels = {"total": _l("Records handed over")}
    show_sections = (
        (
            _l("Hand-over"),
            ("from_employee", "left_on", "to_employee", "department", "done_at", "done_by", "total", "reason"),
        ),
    )
    order_columns = ("left_on", "done_at")
    filters = ("left_on",)

    def banners(self, record: Any, by: Actor) -> list[tuple[str, str]]:
        """Say what went to nobody."""
        rest = left_open(record)
        return [("warn", rest)] if rest else []

    def extra_tabs(self, record: Any, by: Actor) -> list[RelatedTab]:
        """Return one tab per kind of record: those in scope of who looks, all of them counted."""
        return [
            _handed_over(holding.name, str(holding.label), holding.table, record, by)
            for holding in HOLDINGS
            if record.counts.get(holding.name)
        ]


def _handed_over(name: str, label: str, table: str, batch: HandoverBatch, by: Actor) -> RelatedTab:
    view = views()[table]
    count = batch.counts[name]
    if not may_open(table, by):
        return RelatedTab(name, label, TableView([], [], empty=_("These records are not for you to see.")), count)
    statement = view.datamodel.statement(by, [view.model.id.in_(batch.items[name][:SHOWN])])
    rows = view.datamodel.page(
        db.session(), statement, order=[view.model.id.asc()], page=0, size=SHOWN, eager=view.eager
    )
    shown = table_of(view, rows, by, tuple(view.list_columns[:5]))
    return RelatedTab(
        name, label, TableView(shown.heads, shown.rows, empty=_("These records are not for you to see.")), count
    )


card("employee", "active", _l("Employed"), order=60, needs=(("employee", "can_hire"),))
card("employee", "no_login", _l("Without a login"), order=62, needs=(("employee", "can_open_login"),))
card("department", "headless", _l("Departments without a head"), order=64, needs=(("department", "can_name_head"),))


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(BranchView, group="organisation", label=_l("Branches"), icon="building")
    menu.page(DepartmentTreeView, group="organisation", label=_l("Department tree"), icon="diagram-3")
    menu.page(DepartmentView, group="organisation", label=_l("Departments"), icon="list-nested")
    menu.page(PositionView, group="organisation", label=_l("Positions"), icon="briefcase")
    menu.page(EmployeeView, group="organisation", label=_l("Employees"), icon="people")
    menu.page(
        DepartmentPeopleView, group="organisation", label=_l("People of my departments"), icon="person-lines-fill"
    )
    menu.page(HandoverBatchView, group="organisation", label=_l("Hand-overs"), icon="box-arrow-right")
    menu.page(PositionDepartmentView)
    menu.page(DepartmentMoveView)
    menu.page(PostChangeView)
