"""System → Rights: the matrix of roles, what one person may do, whose roles break a rule, and seeing as another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import abort, redirect, render_template, request, url_for
from flask_appbuilder import BaseView, expose
from sqlalchemy import or_
from sqlalchemy.orm import Session, joinedload
from werkzeug.datastructures import MultiDict

from app.actors import Actor
from app.errors import NotPermitted, OutOfScope
from app.extensions import db
from app.fields import Choose, HouseForm, Words
from app.models.hr import Employee, EmployeeState
from app.models.privacy import FileFormat
from app.panel import exporting
from app.panel.describe import may_open_record, record_url
from app.panel.pages import Cell, ColumnHead, Link, RelatedTab, ReportPage, Row, TableView
from app.panel.person import SEE_AS, me, now
from app.panel.registry import Registrar
from app.panel.report_view import source_of
from app.panel.seeing import begin, end
from app.reports.access import cell_words, conflict_facts, functions_of, matrix_facts
from app.reports.facts import ReportFacts
from app.roles import ROLES, RoleName
from app.services.access import Area, area_of, function_words, reach_words, role_words, roles_of_people, standing
from app.services.guard import crossing
from app.services.hr import actor_for_user, rights_of_user
from app.services.privacy.exports import SOURCES, Wanted
from app.services.runner import form_context
from app.services.scope import find, in_scope
from app.words import _, _l, locale_in_force

MOST_PEOPLE = 50
CRUMBS = (_l("System"),)


class MatrixFilter(HouseForm):
    """Which part of the matrix."""

    area = Choose(_l("Part of the system"), options=Area)
    role = Choose(_l("Role"), options=RoleName)


class PeopleFilter(HouseForm):
    """Whom."""

    q = Words(_l("Name or employee number"), most=60)


class _RightsPage(BaseView):
    """What the pages of rights share: a right of their own, a form in the address, files."""

    default_view = "list"
    icon = ""

    def create_blueprint(self, appbuilder: Any, endpoint: str | None = None, static_folder: str | None = None) -> Any:
        return super().create_blueprint(appbuilder, endpoint or self.class_permission_name, static_folder)

    def _require(self, permission: str = "can_list") -> Actor:
        by = me()
        if not by.may(self.class_permission_name, permission):
            raise NotPermitted
        return by

    def _shown(self, title: object, tables: list[tuple[str, TableView]], **more: Any) -> str:
        page = ReportPage(
            title=str(title),
            crumbs=[Link(str(crumb), "") for crumb in CRUMBS],
            form=more.pop("form", None),
            action=request.path,
            figures=[],
            chart_uri="",
            chart_alt="",
            tables=tables,
            exports=more.pop("exports", []),
            runs=[],
        )
        return render_template("pages/access/rights.html", page=page, appbuilder=self.appbuilder, **more)

    def _form(self, kind: type[HouseForm], by: Actor) -> Any:
        given = MultiDict([pair for pair in request.args.items(multi=True) if pair[0] != "_l_"])
        form = kind(given, meta={"context": form_context(db.session(), by, now=now())})
        if not form.validate():
            abort(400)
        return form

    def _files(self, by: Actor, **kept: Any) -> list[Link]:
        if not by.may(self.class_permission_name, "can_export"):
            return []
        given = {name: value for name, value in kept.items() if value}
        return [
            Link(name.upper(), url_for(".export", file_format=name, **given), "download") for name in ("xlsx", "csv")
        ]

    def _export(self, file_format: str, **parameters: Any) -> Any:
        """Ask why, then make the file."""
        exporting.require(self.class_permission_name, self.class_permission_name, me())
        if file_format not in ("xlsx", "csv"):
            abort(404)
        given = {name: value for name, value in parameters.items() if value}
        return exporting.answer(
            exporting.ReportExport,
            lambda form: Wanted(
                self.class_permission_name,
                self.class_permission_name,
                self.title,
                given,
                FileFormat(file_format),
                form.reason.data,
            ),
            title=str(self.title),
            back=url_for(".list", **given),
        )


class MatrixView(_RightsPage):
    """角色 × 功能 × 范围."""

    route_base = "/rights/matrix"
    class_permission_name = "role_matrix"
    base_permissions = ["can_list", "can_export"]
    title = _l("Roles, functions and reach")

    @expose("/")
    def list(self) -> str:
        """Show what each role may do in an area, and how far; what an administrator changed bears a star."""
        by = self._require()
        form = self._form(MatrixFilter, by)
        area = form.area.data or (None if form.role.data else next(iter(Area)))
        roles = [form.role.data.value] if form.role.data else [*ROLES]
        current = standing(db.session())
        # One leading column, which stays in sight while the roles pass beside it.
        heads = [ColumnHead("function", _("Function"))]
        heads += [ColumnHead(name, str(ROLES[name].label)) for name in roles]
        rows = []
        for index, pair in enumerate(functions_of(current, area)):
            what, function = function_words(pair)
            cells = [Cell(str(function), sub=str(what))]
            for name in roles:
                tone = "warn" if current.is_changed(name, pair) else ""
                cells.append(Cell(cell_words(current, name, pair), tone=tone))
            rows.append(Row(index, "", cells))
        title = str(area.label) if area is not None else role_words(roles)
        kept = {"area": form.area.data and form.area.data.value, "role": form.role.data and form.role.data.value}
        return self._shown(
            self.title,
            [(title, TableView(heads, rows, empty=_("Nothing here yet.")))],
            form=form,
            exports=self._files(by, **kept),
            said=_("A star marks what an administrator changed: a right given or withdrawn, or another reach."),
        )

    @expose("/export/<string:file_format>", methods=["GET", "POST"])
    def export(self, file_format: str) -> Any:
        """Make a file of the matrix; without a filter, whole."""
        form = self._form(MatrixFilter, me())
        kept = {"area": form.area.data and form.area.data.value, "role": form.role.data and form.role.data.value}
        return self._export(file_format, **kept)


class PeopleView(_RightsPage):
    """What one person may do, and by which role."""

    route_base = "/rights/people"
    class_permission_name = "employee_rights"
    base_permissions = ["can_list"]
    title = _l("What people may do")

    @expose("/")
    def list(self) -> str:
        """List the people with a login, with their roles."""
        by = self._require()
        form = self._form(PeopleFilter, by)
        statement = in_scope(Employee, by).where(Employee.user_id.is_not(None), Employee.state == EmployeeState.ACTIVE)
        if form.q.data:
            ways = (Employee.name, Employee.employee_no)
            statement = statement.where(or_(*(way.icontains(form.q.data, autoescape=True) for way in ways)))
        load = (joinedload(Employee.department), joinedload(Employee.branch))
        people = db.session().scalars(statement.options(*load).order_by(Employee.employee_no).limit(MOST_PEOPLE)).all()
        roles = roles_of_people(db.session(), people)
        heads = [
            ColumnHead("name", _("Employee")),
            ColumnHead("department", _("Department")),
            ColumnHead("branch", _("Branch")),
            ColumnHead("roles", _("Roles")),
        ]
        rows = [
            Row(
                person.id,
                url_for(".show", pk=person.id),
                [
                    Cell(f"{person.employee_no} {person.name}", url=url_for(".show", pk=person.id)),
                    Cell(str(person.department)),
                    Cell(str(person.branch)),
                    Cell(role_words(roles.get(person.user_id or 0, ()))),
                ],
            )
            for person in people
        ]
        table = TableView(heads, rows, empty=_("Nothing answers this."))
        said = _("The first %(count)s are shown; please search.", count=MOST_PEOPLE) if len(rows) == MOST_PEOPLE else ""
        return self._shown(self.title, [(str(self.title), table)], form=form, said=said)

    @expose("/<int:pk>")
    def show(self, pk: int) -> str:
        """Show what a person may do, how far, and which role gives it."""
        by = self._require()
        person = _person(pk, by)
        return self._shown(
            _("What may %(who)s do?", who=person),
            [(role_words(sorted(actor_of(person).roles)), rights_table(person))],
            see_url=url_for("see_as.begin", pk=pk) if by.may(*SEE_AS) and person.id != by.employee_id else "",
            record_url=record_url("employee", pk) if may_open_record(person, by) else "",
        )


def _person(pk: int, by: Actor) -> Employee:
    person = find(db.session(), "employee", pk, by) if 0 < pk < 2**63 else None
    if person is None or person.user_id is None:
        raise OutOfScope
    found: Employee = person
    return found


def actor_of(person: Employee) -> Actor:
    """Return the actor that a person's login is."""
    assert person.user_id is not None
    with crossing("actor"):
        return actor_for_user(db.session(), person.user_id)


def rights_table(person: Employee) -> TableView:
    """Return what a person may do: area, function, reach, and the roles that give it."""
    assert person.user_id is not None
    session, actor = db.session(), actor_of(person)
    rights = {pair for pair in rights_of_user(session, person.user_id).rights if pair[1] != "menu_access"}
    held = {name: pairs for name, pairs in standing(session).rights.items() if name in actor.roles}
    heads = [
        ColumnHead(name, label)
        for name, label in (
            ("area", _("Part of the system")),
            ("table", _("Of what")),
            ("function", _("Function")),
            ("reach", _("Reaches")),
            ("roles", _("By the role")),
        )
    ]
    rows = [
        Row(
            index,
            "",
            [
                Cell(str(area_of(pair[0]).label)),
                *(Cell(str(words)) for words in function_words(pair)),
                Cell(reach_words(actor.reach(pair[0]))),
                Cell(role_words(name for name in sorted(held) if pair in held[name])),
            ],
        )
        for index, pair in enumerate(sorted(rights, key=lambda pair: ([*Area].index(area_of(pair[0])), pair)))
    ]
    return TableView(heads, rows, empty=_("Nothing here yet."))


def rights_tab(person: Employee, by: Actor) -> list[RelatedTab]:
    """Return the tab of her page that says what an employee may do, for who may know."""
    if person.user_id is None or not by.may(PeopleView.class_permission_name, "can_list"):
        return []
    table = rights_table(person)
    return [
        RelatedTab(
            "rights", _("May do"), table, len(table.rows), more_url=url_for("employee_rights.show", pk=person.id)
        )
    ]


class ConflictsView(_RightsPage):
    """People whose roles together break a rule of the segregation of duties."""

    route_base = "/rights/conflicts"
    class_permission_name = "role_conflicts"
    base_permissions = ["can_list", "can_export"]
    title = _l("Conflicting duties")

    @expose("/")
    def list(self) -> str:
        """Name the person, the rule, the two rights and the roles that they come from."""
        by = self._require()
        (table,) = conflict_facts(db.session(), by, now()).tables
        locale = locale_in_force()
        heads = [ColumnHead(f"{column.name}", column.label.in_(locale)) for column in table.columns]
        rows = [Row(index, "", [Cell(str(text)) for text in line]) for index, line in enumerate(table.rows)]
        shown = TableView(heads, rows, empty=_("Nobody's roles break a rule."))
        return self._shown(self.title, [(str(self.title), shown)], exports=self._files(by))

    @expose("/export/<string:file_format>", methods=["GET", "POST"])
    def export(self, file_format: str) -> Any:
        """Make a file of the same."""
        return self._export(file_format)


class SeeAsView(BaseView):
    """以他人身份查看: begin and stop. R36."""

    route_base = "/see-as"
    class_permission_name = "employee"
    base_permissions = ["can_see_as"]

    def create_blueprint(self, appbuilder: Any, endpoint: str | None = None, static_folder: str | None = None) -> Any:
        return super().create_blueprint(appbuilder, endpoint or "see_as", static_folder)

    @expose("/<int:pk>", methods=["POST"])
    def begin(self, pk: int) -> Any:
        """See as an employee from here on."""
        by = me()
        if not by.may(*SEE_AS):
            raise NotPermitted
        begin(db.session(), _person(pk, by), by)
        return redirect(url_for("HomeView.index"))

    @expose("/stop", methods=["POST"])
    def stop(self) -> Any:
        """See as oneself again."""
        end(db.session())
        return redirect(url_for("HomeView.index"))


def _matrix_asked(session: Session, parameters: Mapping[str, Any], by: Actor, at: datetime) -> tuple[ReportFacts, str]:
    area = Area(parameters["area"]) if parameters.get("area") else None
    roles = [parameters["role"]] if parameters.get("role") else [*ROLES]
    return matrix_facts(standing(session), area, roles, by, at), "role_matrix"


def _conflicts_asked(
    session: Session, parameters: Mapping[str, Any], by: Actor, at: datetime
) -> tuple[ReportFacts, str]:
    return conflict_facts(session, by, at), "role_conflicts"


# What roles may do is nobody's data: its rows count towards no limit.
SOURCES[MatrixView.class_permission_name] = replace(source_of(_matrix_asked), count=lambda *_asked: 0)
SOURCES[ConflictsView.class_permission_name] = source_of(_conflicts_asked)


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(MatrixView, group="system", label=MatrixView.title, icon="grid-3x3")
    menu.page(PeopleView, group="system", label=PeopleView.title, icon="person-check")
    menu.page(ConflictsView, group="system", label=ConflictsView.title, icon="exclamation-diamond")
    menu.page(SeeAsView)
