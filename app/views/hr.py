"""Organisation: branches, departments, positions, employees."""

from __future__ import annotations

from app.models.hr import Branch, Department, Employee, Position
from app.panel.house_view import HouseView, Related
from app.panel.interface import HouseInterface
from app.panel.registry import Registrar
from app.words import _l


class BranchView(HouseView):
    """分院."""

    datamodel = HouseInterface(Branch)
    list_columns = ("code", "name", "phone", "address", "zone")
    show_sections = ((_l("Branch"), ("code", "name", "phone", "address", "licence_no", "surgical_level_max", "zone")),)
    form_columns = ("code", "name", "phone", "address", "licence_no", "surgical_level_max", "zone")
    add_only = ("code",)
    order_columns = ("code", "name")
    default_order = "code"
    descending = False
    related = (Related("department", "branch_id", _l("Departments"), ("code", "name", "kind", "head"), ("head",)),)


class DepartmentView(HouseView):
    """部门, REF-1."""

    datamodel = HouseInterface(Department)
    add_only = ("branch_id",)
    list_columns = ("code", "name", "kind", "parent", "head", "branch", "settles")
    show_sections = (
        (
            _l("Department"),
            ("code", "name", "kind", "branch", "parent", "head", "settles", "valid_from", "valid_to", "retired_at"),
        ),
    )
    form_columns = (
        "branch_id",
        "code",
        "name",
        "kind",
        "parent_id",
        "head_id",
        "settles",
        "valid_from",
        "valid_to",
        "retired_at",
    )
    order_columns = ("code", "name")
    default_order = "code"
    descending = False
    filters = ("kind",)
    eager = ("parent", "head", "branch")
    related = (
        Related("department", "parent_id", _l("Parts"), ("code", "name", "head"), ("head",)),
        Related(
            "employee",
            "department_id",
            _l("Employees"),
            ("employee_no", "name", "position", "state"),
            ("position", "department"),
        ),
    )


class PositionView(HouseView):
    """岗位."""

    datamodel = HouseInterface(Position)
    list_columns = ("code", "name", "name_en", "default_role")
    show_sections = ((_l("Position"), ("code", "name", "name_en", "default_role", "retired_at")),)
    form_columns = ("code", "name", "name_en", "default_role", "retired_at")
    order_columns = ("code", "name")
    default_order = "code"
    descending = False
    related = (
        Related(
            "employee", "position_id", _l("Employees"), ("employee_no", "name", "department", "state"), ("department",)
        ),
    )


class EmployeeView(HouseView):
    """员工."""

    datamodel = HouseInterface(Employee)
    list_columns = ("employee_no", "name", "department", "position", "state", "partner", "successor")
    show_sections = (
        (
            _l("Employee"),
            ("employee_no", "name", "branch", "department", "position", "hired_on", "left_at", "phone", "id_no"),
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
    order_columns = ("employee_no", "name")
    filters = ("state", "department_id")
    eager = ("department", "position", "partner", "successor")
    record_eager = ("branch",)


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(BranchView, group="organisation", label=_l("Branches"), icon="building")
    menu.page(DepartmentView, group="organisation", label=_l("Departments"), icon="diagram-3")
    menu.page(PositionView, group="organisation", label=_l("Positions"), icon="briefcase")
    menu.page(EmployeeView, group="organisation", label=_l("Employees"), icon="people")
