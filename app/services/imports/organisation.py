"""Importing the organisation: departments, positions, employees. White paper 4.2, REF-1."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.hr import Department, DepartmentKind, Employee, Position
from app.models.imports import ImportOf
from app.roles import ROLES
from app.services.imports.kinds import (
    BadRow,
    ImportColumn,
    ImportKind,
    Reference,
    Row,
    Standing,
    import_kind,
    names_in_scope,
    standing_by,
)
from app.services.imports.table import Raw, is_blank, said
from app.services.imports.values import (
    BadCell,
    Known,
    as_text,
    choice,
    code,
    day,
    id_no,
    named,
    phone,
    plain,
    words,
    yes_no,
)
from app.words import _l, in_locale


def role(value: Raw, known: Known) -> str | None:
    """Read a role by its identifier or its name in either language."""
    if is_blank(value):
        return None
    wanted = plain(as_text(value))
    for name, declared in ROLES.items():
        if wanted in {plain(name), plain(in_locale(declared.label, "zh")), plain(in_locale(declared.label, "en"))}:
            return name
    raise BadCell("nobody", what=said(_l("role")))


#: As other systems write them: 业务部门 for 业务.
department_kind = choice(
    DepartmentKind,
    管理部门=DepartmentKind.MANAGEMENT,
    职能部门=DepartmentKind.FUNCTION,
    医管部门=DepartmentKind.MEDICAL_ADMIN,
    业务部门=DepartmentKind.BUSINESS,
    医疗部门=DepartmentKind.MEDICAL,
    医技部门=DepartmentKind.MEDICAL_TECH,
    后勤部门=DepartmentKind.LOGISTICS,
)


@import_kind
class Departments(ImportKind):
    """部门: in any order; a part may stand above what it is part of."""

    name = ImportOf.DEPARTMENTS
    model = Department
    employees = ("head",)
    columns = (
        ImportColumn(
            "code", _l("Code"), code(20), "部门编码 部门代码 部门编号 编号 代码", required=True, example="KF01"
        ),
        ImportColumn(
            "name", _l("Name"), words(80), "部门 部门名称 科室 科室名称 名称", required=True, example="客服一部"
        ),
        ImportColumn(
            "kind", _l("Kind"), department_kind, "部门类型 科室类型 性质 类别", required=True, example="业务部门"
        ),
        ImportColumn(
            "parent",
            _l("Part of"),
            words(80),
            "上级部门 上级 所属部门 上级部门编码 上级编码 parent",
            example="KF",
            note=_l("Code or name, of this file or on file."),
        ),
        ImportColumn(
            "head",
            _l("Head of department"),
            named("employee", _l("employee")),
            "负责人 部门负责人 主管 经理",
            attribute="head_id",
            note=_l("Employee number or full name."),
        ),
        ImportColumn("settles", _l("Settles revenue"), yes_no, "是否核算 核算 独立核算", example="是"),
        ImportColumn("valid_from", _l("Valid from"), day(), "启用日期 生效日期", example="2026-01-01"),
        ImportColumn("valid_to", _l("Valid to"), day(), "停用日期 失效日期"),
    )
    references = (Reference("parent", "parent_id", acyclic=True),)

    def prepare(self, session: Session, by: Actor, at: datetime) -> Known:
        known = super().prepare(session, by, at)
        known.names["department"] = names_in_scope(session, Department, by, "code", "name")
        known.names["employee"] = names_in_scope(session, Employee, by, "employee_no", "name")
        return known

    def judge(self, session: Session, row: Row, known: Known, by: Actor) -> None:
        if row.get("valid_from") and row.get("valid_to") and row.get("valid_to") < row.get("valid_from"):
            raise BadRow("valid_to", "end_before_start")

    def keys(self, row: Row, known: Known) -> list[tuple[str, object]]:
        return [("code", row.get("code"))]

    def standing(self, session: Session, rows: Sequence[Row], known: Known, by: Actor) -> dict[int, Standing]:
        return standing_by(session, Department, "code", rows, "code", by, branch=True)

    def new(self, session: Session, row: Row, number: str | None, known: Known, by: Actor, at: datetime) -> Department:
        return Department(**self.attributes(row, known, by), branch_id=by.branch_id)

    def pins(self, session: Session, by: Actor) -> list[Any]:
        return list(session.scalars(select(Department).where(Department.branch_id == by.branch_id)))


@import_kind
class Positions(ImportKind):
    """岗位."""

    name = ImportOf.POSITIONS
    model = Position
    columns = (
        ImportColumn(
            "code",
            _l("Code"),
            code(40),
            "岗位编码 岗位代码 岗位编号 职位编码 编号 代码",
            required=True,
            example="web_01",
        ),
        ImportColumn(
            "name", _l("Name"), words(80), "岗位 岗位名称 职位 职位名称 职务 名称", required=True, example="网络咨询师"
        ),
        ImportColumn("name_en", _l("English name"), words(80), "英文名 英文名称", example="Web consultant"),
        ImportColumn("default_role", _l("Default role"), role, "默认角色 角色 系统角色", example="web_consultant"),
    )

    def keys(self, row: Row, known: Known) -> list[tuple[str, object]]:
        return [("code", row.get("code"))]

    def standing(self, session: Session, rows: Sequence[Row], known: Known, by: Actor) -> dict[int, Standing]:
        return standing_by(session, Position, "code", rows, "code", by, branch=False)


@import_kind
class Employees(ImportKind):
    """员工: partners and successors may stand anywhere in the file, and may name each other."""

    name = ImportOf.EMPLOYEES
    model = Employee
    columns = (
        ImportColumn(
            "employee_no",
            _l("Employee number"),
            code(20),
            "工号 员工编号 员工号 人员编号",
            required=True,
            example="0117",
        ),
        ImportColumn("name", _l("Full name"), words(60), "姓名 员工姓名 名字 员工", required=True, example="王芳"),
        ImportColumn(
            "department",
            _l("Department"),
            named("department", _l("department")),
            "部门 部门名称 科室 所属部门 部门编码",
            required=True,
            attribute="department_id",
            example="客服一部",
            note=_l("Code or name; it must be on file."),
        ),
        ImportColumn(
            "position",
            _l("Position"),
            named("position", _l("position")),
            "岗位 职位 职务 岗位名称",
            attribute="position_id",
            example="网络咨询师",
        ),
        ImportColumn("hired_on", _l("Hired on"), day(), "入职日期 入职时间 到岗日期", example="2026-01-03"),
        ImportColumn(
            "phone", _l("Telephone"), phone, "手机 手机号 手机号码 电话 联系电话", sensitive=True, example="13900000000"
        ),
        ImportColumn("id_no", _l("ID number"), id_no, "身份证 身份证号 身份证号码 证件号码", sensitive=True),
        ImportColumn(
            "partner",
            _l("Covering colleague"),
            words(60),
            "搭档 代班人 协作人",
            note=_l("Employee number or full name."),
        ),
        ImportColumn(
            "successor",
            _l("Successor"),
            words(60),
            "继任者 接任人 交接人 接替人",
            note=_l("Employee number or full name."),
        ),
    )
    references = (
        Reference("partner", "partner_employee_id", acyclic=False),
        Reference("successor", "successor_employee_id", acyclic=False),
    )

    def prepare(self, session: Session, by: Actor, at: datetime) -> Known:
        known = super().prepare(session, by, at)
        known.names["department"] = names_in_scope(session, Department, by, "code", "name")
        known.names["position"] = names_in_scope(session, Position, by, "code", "name", "name_en", branch=False)
        known.names["employee"] = names_in_scope(session, Employee, by, "employee_no", "name")
        return known

    def keys(self, row: Row, known: Known) -> list[tuple[str, object]]:
        return [("employee_no", row.get("employee_no")), ("id_no", row.get("id_no"))]

    def title(self, row: Row) -> str:
        return f"{row.get('employee_no')} {row.get('name')}"

    def called(self, row: Row) -> tuple[list[object], list[object]]:
        return [row.get("employee_no")], [row.get("name")]

    def standing(self, session: Session, rows: Sequence[Row], known: Known, by: Actor) -> dict[int, Standing]:
        found = self._by_id_no(session, rows, by)
        return {**found, **standing_by(session, Employee, "employee_no", rows, "employee_no", by, branch=False)}

    def _by_id_no(self, session: Session, rows: Sequence[Row], by: Actor) -> dict[int, Standing]:
        """Return colleagues of the branch with the same ID number; it is encrypted, so they are read one by one."""
        wanted = {row.get("id_no"): row.row_no for row in rows if row.get("id_no")}
        if not wanted:
            return {}
        bearing = select(Employee).where(Employee.branch_id == by.branch_id, Employee.id_no.is_not(None))
        return {
            wanted[each.id_no]: Standing(
                "employee", each.id, "id_no", "stands", {"record": f"{each.employee_no} {each.name}"}
            )
            for each in session.scalars(bearing)
            if each.id_no in wanted
        }

    def new(self, session: Session, row: Row, number: str | None, known: Known, by: Actor, at: datetime) -> Employee:
        return Employee(**self.attributes(row, known, by), branch_id=by.branch_id)
