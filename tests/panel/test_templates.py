"""The skin: what the templates may say, that they stand alone, and what they make of a page's plain data.

No database and no application of ours: the pages are rendered by a bare Flask from invented data, so that a
template's defect is not hidden behind a view's.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, render_template
from flask_bootstrap import Bootstrap5
from flask_wtf import CSRFProtect, FlaskForm
from jinja2 import meta, nodes
from markupsafe import Markup
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Form, PasswordField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from app.panel.pages import (
    ActButton,
    Card,
    Cell,
    ColumnHead,
    ErrorPage,
    Fact,
    FilterControl,
    FormPage,
    Frame,
    HistoryLine,
    HomePage,
    JobLine,
    JobsPage,
    Link,
    ListPage,
    Pager,
    PaperButton,
    RecordPage,
    RelatedTab,
    ReportPage,
    Row,
    Section,
    ShownPage,
    TableView,
)

APP = Path(__file__).resolve().parents[2] / "app"
TEMPLATES = APP / "templates"
STATIC = APP / "static"
FRAMEWORK = Path(str(files("flask_appbuilder"))) / "templates"

# --- Flask-AppBuilder's templates: ours, or out of reach ---------------------------------------------------------

#: Overridden by a template of ours at the same path.
OVERRIDDEN = {
    "appbuilder/base.html",
    "appbuilder/baselayout.html",
    "appbuilder/flash.html",
    "appbuilder/general/confirm.html",
    "appbuilder/general/model/edit.html",
    "appbuilder/general/security/login_db.html",
    "appbuilder/general/widgets/form.html",
    "appbuilder/index.html",
    "appbuilder/init.html",
    "appbuilder/navbar.html",
    "appbuilder/navbar_menu.html",
    "appbuilder/navbar_right.html",
}

PARTS = "only included by templates that we override, and ours do not include it"
STOCK_LISTS = "stock ModelView pages; no business view inherits them, accounts are acts on employees"
WIDGETS = "a widget that no view of ours names"
OTHER_LOGINS = "AUTH_TYPE is the database"
NO_REGISTRATION = "AUTH_USER_REGISTRATION is off"
CHARTS = "needs a script from another server; our charts are drawn on the server"

#: Never rendered, and why.
OUT_OF_REACH = {
    "appbuilder/_formhelpers.html": PARTS,
    "appbuilder/baselib.html": PARTS,
    "appbuilder/footer.html": PARTS,
    "appbuilder/general/alert.html": PARTS,
    "appbuilder/general/lib.html": PARTS,
    "appbuilder/general/charts/chart.html": CHARTS,
    "appbuilder/general/charts/chart_time.html": CHARTS,
    "appbuilder/general/charts/jsonchart.html": CHARTS,
    "appbuilder/general/widgets/chart.html": CHARTS,
    "appbuilder/general/widgets/direct_chart.html": CHARTS,
    "appbuilder/general/widgets/multiple_chart.html": CHARTS,
    "appbuilder/general/model/add.html": STOCK_LISTS,
    "appbuilder/general/model/edit_cascade.html": STOCK_LISTS,
    "appbuilder/general/model/left_master_detail.html": STOCK_LISTS,
    "appbuilder/general/model/list.html": STOCK_LISTS,
    "appbuilder/general/model/multiple_views.html": STOCK_LISTS,
    "appbuilder/general/model/search.html": STOCK_LISTS,
    "appbuilder/general/model/show.html": STOCK_LISTS,
    "appbuilder/general/model/show_cascade.html": STOCK_LISTS,
    "appbuilder/general/widgets/base_list.html": STOCK_LISTS,
    "appbuilder/general/widgets/list.html": STOCK_LISTS,
    "appbuilder/general/widgets/search.html": STOCK_LISTS,
    "appbuilder/general/widgets/show.html": STOCK_LISTS,
    "appbuilder/general/widgets/roles/list.html": STOCK_LISTS,
    "appbuilder/general/widgets/roles/show.html": STOCK_LISTS,
    "appbuilder/general/widgets/form_horizontal.html": WIDGETS,
    "appbuilder/general/widgets/form_inline.html": WIDGETS,
    "appbuilder/general/widgets/form_vertical.html": WIDGETS,
    "appbuilder/general/widgets/group_form_list.html": WIDGETS,
    "appbuilder/general/widgets/list_block.html": WIDGETS,
    "appbuilder/general/widgets/list_carousel.html": WIDGETS,
    "appbuilder/general/widgets/list_item.html": WIDGETS,
    "appbuilder/general/widgets/list_link.html": WIDGETS,
    "appbuilder/general/widgets/list_master.html": WIDGETS,
    "appbuilder/general/widgets/list_thumbnail.html": WIDGETS,
    "appbuilder/general/widgets/show_block.html": WIDGETS,
    "appbuilder/general/widgets/show_vertical.html": WIDGETS,
    "appbuilder/general/security/login_ldap.html": OTHER_LOGINS,
    "appbuilder/general/security/login_oauth.html": OTHER_LOGINS,
    "appbuilder/general/security/login_saml.html": OTHER_LOGINS,
    "appbuilder/general/security/activation.html": NO_REGISTRATION,
    "appbuilder/general/security/register_mail.html": NO_REGISTRATION,
    "appbuilder/general/security/register_oauth.html": NO_REGISTRATION,
    "appbuilder/swagger/swagger.html": "FAB_API_SWAGGER_UI is off",
}


def names_under(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.html")}


def test_every_template_of_the_framework_is_overridden_or_known_to_be_out_of_reach() -> None:
    theirs = names_under(FRAMEWORK)
    assert theirs, "the framework's templates have moved"
    assert theirs - OVERRIDDEN - set(OUT_OF_REACH) == set(), "new with this release: override it, or say why not"
    assert (OVERRIDDEN | set(OUT_OF_REACH)) - theirs == set(), "gone with this release: strike it off"
    assert set(OUT_OF_REACH) & OVERRIDDEN == set()


def test_what_is_said_to_be_overridden_is_there() -> None:
    assert OVERRIDDEN - names_under(TEMPLATES) == set()
    assert set(OUT_OF_REACH) & names_under(TEMPLATES) == set()


# --- the sources -------------------------------------------------------------------------------------------------

OURS = sorted(name for name in names_under(TEMPLATES) if not name.startswith("print/"))
SCRIPTS = sorted((STATIC / "js").glob("*.js"))
STYLES = sorted((STATIC / "css").glob("*.css"))


def source(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", OURS)
def test_a_template_compiles_and_refers_only_to_templates_of_ours(app: Flask, name: str) -> None:
    app.jinja_env.get_template(name)
    named = meta.find_referenced_templates(app.jinja_env.parse(source(name)))
    # None stands for `extends base_template`, which the framework names.
    assert {other for other in named if other is not None} <= names_under(TEMPLATES)


@pytest.mark.parametrize("name", OURS)
def test_a_template_has_no_inline_script_handler_or_style(name: str) -> None:
    text = source(name)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"<script(?![^>]*nonce=)", text)
    assert not re.search(r"\son[a-z]+\s*=", text)
    assert not re.search(r"\sstyle\s*=|<style", text)
    assert not re.search(r"https?://|src=\"//", text)


#: Proper names and keys, the same in every language.
SAME_EVERYWHERE = {"Ctrl", "Enter", "F2", "Yimei", "美"}


@pytest.mark.parametrize("name", OURS)
def test_every_visible_word_goes_through_the_translation(name: str) -> None:
    text = re.sub(r"\{#.*?#\}", " ", source(name), flags=re.DOTALL)
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "·", text, flags=re.DOTALL)
    for attribute in re.findall(r'(?:aria-label|title|placeholder|alt|data-t-[a-z-]+)="([^"]*)"', text):
        assert not re.search(r"[A-Za-z一-鿿]{2,}", attribute), attribute
    words = re.findall(r"[A-Za-z一-鿿][\w一-鿿]*", re.sub(r"<[^>]*>", " ", text))
    assert set(words) - SAME_EVERYWHERE == set()


@pytest.mark.parametrize("path", [*SCRIPTS, *STYLES], ids=lambda path: path.name)
def test_scripts_and_styles_ask_nothing_from_other_servers(path: Path) -> None:
    assert not re.search(r"https?://|@import|url\(\s*['\"]?//", path.read_text(encoding="utf-8"))


def test_scripts_import_only_what_is_there() -> None:
    for path in SCRIPTS:
        for target in re.findall(r'(?:from|import)\s+"(\./[^"]+)"', path.read_text(encoding="utf-8")):
            assert (path.parent / target).is_file(), f"{path.name} imports {target}"


def test_every_sentence_that_a_script_asks_for_is_written_into_the_page() -> None:
    asked = {word for path in SCRIPTS for word in re.findall(r'\bword\("(\w+)"\)', path.read_text(encoding="utf-8"))}
    attributes = re.findall(r"\bdata-t-([a-z-]+)=", source("appbuilder/init.html"))
    given = {re.sub(r"-(\w)", lambda found: found.group(1).upper(), name) for name in attributes}
    assert asked == given


#: Words inside icon(…) that choose an icon and are none.
TONES = {"ok", "warn", "bad"}


def test_every_icon_that_a_template_names_is_in_the_sprite(app: Flask) -> None:
    sprite = (Path(str(files("flask_bootstrap"))) / "static/bootstrap5/icons/bootstrap-icons.svg").read_text()
    known = set(re.findall(r'\bid="([^"]+)"', sprite))
    named = {
        const.value
        for name in OURS
        for call in app.jinja_env.parse(source(name)).find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name == "icon"
        for const in [*call.args, *(inner for argument in call.args for inner in argument.find_all(nodes.Const))]
        if isinstance(const, nodes.Const) and isinstance(const.value, str)
    }
    assert "three-dots" in named
    assert named - TONES - known == set()


def test_what_a_first_visit_loads_of_ours_is_small() -> None:
    """What a browser really loads, Bootstrap with it, is added up in tests/e2e/test_first_paint.py."""
    ours = sum(len(gzip.compress(path.read_bytes())) for path in [*SCRIPTS, *STYLES])
    assert ours < 60_000


# --- colours -----------------------------------------------------------------------------------------------------

TOKENS = (STATIC / "css" / "tokens.css").read_text(encoding="utf-8")


def tokens_of(theme: str) -> dict[str, str]:
    light = dict(re.findall(r"(--y-[\w-]+):\s*(#[0-9a-fA-F]{3,6})\b", TOKENS.split("[data-bs-theme=dark]")[0]))
    dark = dict(re.findall(r"(--y-[\w-]+):\s*(#[0-9a-fA-F]{3,6})\b", TOKENS.split("[data-bs-theme=dark]")[1]))
    return light if theme == "light" else {**light, **dark}


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(c * 2 for c in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


TEXT_ON_GROUND = [
    *((ink, ground) for ink in ("ink", "ink-2", "ink-3") for ground in ("card", "page", "hover")),
    ("accent-strong", "card"), ("accent-strong", "page"), ("accent-strong", "accent-soft"), ("on-accent", "accent"),
    ("on-accent", "accent-strong"), ("on-danger", "danger"), ("on-danger", "danger-strong"), ("ink-3", "accent-soft"),
    *((tone, ground) for tone in ("ok", "warn", "bad", "info", "mute") for ground in (f"{tone}-soft", "card")),
]  # fmt: skip


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT_ON_GROUND, ids=lambda value: value)
def test_text_stands_out_from_its_ground(theme: str, ink: str, ground: str) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    colours = tokens_of(theme)
    assert contrast(colours[f"--y-{ink}"], colours[f"--y-{ground}"]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_edge_of_a_control_stands_out(theme: str) -> None:
    """WCAG 2.2, 1.4.11: at least 3 to 1."""
    colours = tokens_of(theme)
    assert contrast(colours["--y-field"], colours["--y-card"]) >= 3
    assert contrast(colours["--y-accent"], colours["--y-card"]) >= 3


def test_every_token_that_is_used_is_defined() -> None:
    defined = set(re.findall(r"(--y-[\w-]+)\s*:", TOKENS))
    used = {name for path in STYLES for name in re.findall(r"var\((--y-[\w-]+)", path.read_text(encoding="utf-8"))}
    assert used <= defined
    assert defined - used == set(), "a token that nothing uses"


def test_colours_come_from_the_tokens_alone() -> None:
    css = (STATIC / "css" / "app.css").read_text(encoding="utf-8")
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(", css) == []


# --- pages made of invented data ---------------------------------------------------------------------------------


@pytest.fixture
def app() -> Flask:
    """Return a bare Flask that knows what the panel gives its templates, and nothing else."""
    bare = Flask("skin", template_folder=str(TEMPLATES), static_folder=str(STATIC))
    bare.config.update(
        SECRET_KEY="x" * 32,
        BOOTSTRAP_SERVE_LOCAL=True,
        APP_NAME="Yimei 医美",
        LANGUAGES={"zh": {"name": "简体中文"}, "en": {"name": "English"}},
    )
    Bootstrap5(bare)
    CSRFProtect(bare)
    bare.add_url_rule("/", "HomeView.index", lambda: "")
    bare.add_url_rule("/language/<locale>", "HomeView.language", lambda locale: locale)
    bare.add_url_rule("/forgotten", "DoorsView.forgotten", lambda: "")

    def said(sentence: str, **values: Any) -> str:
        return sentence % values if values else sentence

    bare.jinja_env.globals.update(
        _=said,
        gettext=said,
        icon=lambda name, label="": Markup('<svg class="bi" aria-hidden="true"></svg>'),
        csp_nonce=lambda: "n0nce",
        pick_url=lambda field: f"/{field.table}/options",
    )
    bare.context_processor(lambda: {"frame": lambda: FRAME, "html_lang": "zh-Hans"})
    return bare


FRAME = Frame(
    menu=[("Service · Appointments", [Link("Telephone", "/phone", "telephone", active=True, count=3, hot=True)])],
    home=Link("Workbench", "/", "grid-1x2"),
    person="陈静",
    role="Supervisor",
    branch="徐汇",
    notices=9,
    notices_url="/notices",
    languages=[Link("中文", "/language/zh", active=True), Link("English", "/language/en")],
    search_url="/search",
    logout_url="/logout",
    password_url="/password",
)


@pytest.fixture
def show(app: Flask) -> Iterator[Callable[..., str]]:
    with app.test_request_context("/"):
        yield lambda name, page, **more: render_template(name, page=page, **more)


VOID = ActButton("void", "Void", "/slip/1/void", "x-circle", "danger")
REDO = ActButton("redo", "Redo", "/slip/1/redo", "arrow-repeat")
ARRIVE = ActButton("arrive", "Arrive", "/slip/1/arrive", "box-arrow-in-right", "accent")


STATES = [("void", "Void"), ("pending", "Awaited")]


def list_page(rows: int = 25) -> ListPage:
    heads = [ColumnHead(f"c{n}", f"Column {n}", f"?oc=c{n}", "desc" if n == 0 else "") for n in range(9)]
    body = [
        Row(
            n,
            f"/slip/{n}",
            [
                Cell(f"YY20261122-{n:04d}"),
                Cell("林小雨", sub="139****4821"),
                Cell("Awaited", tone="info"),
                *(Cell("双眼皮") for _n in range(5)),
                Cell("1200.00", number=True),
            ],
            [VOID, REDO, ARRIVE],
            f"YY20261122-{n:04d}",
        )
        for n in range(rows)
    ]
    return ListPage(
        title="Slips",
        crumbs=[Link("Service", "")],
        tabs=[Link("Today", "?tab=today", active=True, count=0), Link("Mine", "?tab=mine")],
        search="林",
        search_hint="Number or name",
        filters=[
            FilterControl("state", "State", "choice", "void", STATES, "State: Void", "?clear"),
            FilterControl("owner", "Owner", "choice", "", [(str(n), f"Person {n}") for n in range(30)]),
            FilterControl("at", "When", "days", "", [("today", "today")], span=("2026-11-22", "")),
        ],
        keep=[("tab", "today")],
        table=TableView(heads, body, "Nobody is expected today."),
        pager=Pager("more than 1,000 rows", 1, 25, "", "?page=2", [Link("25", "#", active=True), Link("50", "?n=50")]),
        acts=[replace(ARRIVE, name="place", label="Place")],
        exports=[Link("CSV", "/csv"), Link("Excel", "/xlsx")],
    )


def record_page() -> RecordPage:
    table = TableView([ColumnHead("no", "Number")], [Row(1, "/slip/1", [Cell("YY1")])])
    return RecordPage(
        title="YY1",
        crumbs=[],
        subtitle="林小雨",
        state=Cell("Awaited", tone="info"),
        acts=[ARRIVE, REDO, VOID],
        papers=[PaperButton("Slip", "/slip/1/print/slip", "printer", "k1")],
        sections=[Section("Appointment", [Fact("When", Cell("2026-11-23 10:00")), Fact("Remark", Cell(""))])],
        tabs=[
            RelatedTab("chain", "Chain", table, 1, "/all"),
            RelatedTab("calls", "Calls", TableView([], [], "None."), 0),
        ],
        history=[HistoryLine("Placed", "陈静", "09:12", [("Owner", "赵蕾 → 王敏")], Link("YY0", "/slip/0"))],
        edit_url="/slip/1/edit",
        banners=[("warn", "It is late.")],
    )


class Pick(StringField):
    """Stands for the house's remote select: the macro goes by the name of the class."""

    table = "customer"
    record: Any = None


class Ask(Form):
    customer_id = Pick("Customer", [InputRequired("Who?")])
    name = StringField("Name", description="As on the card", render_kw={"data-lookup": "/lookup"})
    talk = TextAreaField("Talk", [InputRequired("Please fill this in.")])
    channel = SelectField("Channel", choices=[SelectChoice("1", "Telephone"), SelectChoice("2", "Web")])
    items = SelectMultipleField("Items", choices=[SelectChoice("7", "Eyelid"), SelectChoice("8", "Nose")])
    urgent = BooleanField("Urgent")


def form_page(form: Form, **more: Any) -> FormPage:
    page = FormPage("Place", [], form, "/slip/place", "Place", "/slips", hidden=[("request_key", "k1")])
    return replace(page, **more)


def refused_form() -> Form:
    form = Ask(MultiDict([("customer_id", "?林"), ("name", '<b>"x"</b>'), ("items", "8"), ("channel", "2")]))
    form.customer_id.errors = ()
    assert not form.validate()
    form.customer_id.errors = ["Not a valid choice."]
    return form


def every_page() -> dict[str, Any]:
    line = Row(1, "/plan/1", [Cell("Due", tone="warn"), Cell("林小雨"), Cell("Reminder")], [REDO])
    table = TableView(
        [ColumnHead("c", "Channel"), ColumnHead("n", "Calls")], [Row(1, "", [Cell("Phone"), Cell("3", number=True)])]
    )
    return {
        "panel/list.html": list_page(),
        "panel/record.html": record_page(),
        "panel/form.html": form_page(refused_form(), refusal="Somebody was faster."),
        "panel/shown.html": ShownPage("Number", "Shown once.", "139 1234 4821", "/slip/1"),
        "panel/home.html": HomePage(
            title="Workbench",
            greeting="Good morning",
            cards=[Card("Calls", "126", "", "/calls"), Card("Answered", "93%")],
            lists=[Card("Waiting", "1", "", "/waiting", [line]), Card("Late")],
            acts=[ARRIVE],
        ),
        "panel/report.html": ReportPage(
            title="Daily",
            crumbs=[],
            form=Ask(),
            action="/report",
            figures=[Cell("126", sub="Calls")],
            chart_uri="data:image/svg+xml,x",
            chart_alt="Calls by hour",
            tables=[("By channel", table)],
            exports=[Link("PDF", "/pdf")],
            runs=[line],
            stored="As stored.",
        ),
        "panel/jobs.html": JobsPage(
            title="Jobs",
            crumbs=[],
            jobs=[
                JobLine(
                    "Slips lapse",
                    "appointments.expire",
                    Cell("In order", tone="ok"),
                    [Fact("Last run", Cell("10:00", "/run", sub="took 0.1 s")), Fact("Error", Cell("x", wide=True))],
                    [("job", "appointments.expire"), ("request_key", "k")],
                ),
                JobLine("Daily reports", "reports.daily", Cell("Failing", tone="bad"), []),
            ],
            run_url="/job/run_now",
            runs_url="/job_run",
            schedulers=table,
        ),
        "panel/error.html": ErrorPage(404, "Not found", "There is nothing here.", "abc123", [Link("Home", "/")]),
    }


class Reader(HTMLParser):
    """Collects tags, checks that they are closed in order, and that ids are unique and references lead somewhere."""

    VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)
        if self.open:
            self.wrong.append(f"never closed: {self.open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if len(dict(attrs)) != len(attrs):
            self.wrong.append(f"an attribute twice in {self.get_starttag_text()}")
        if tag not in self.VOID and not (self.get_starttag_text() or "").endswith("/>"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID or (self.open and self.open[-1] == tag and self.open.pop()):
            return
        self.wrong.append(f"</{tag}> closes {self.open[-1:]} at {self.getpos()}")

    def all(self, attribute: str) -> list[str]:
        return [found for _tag, attrs in self.tags if (found := attrs.get(attribute)) is not None]


@pytest.mark.parametrize("name", sorted(every_page()))
def test_a_page_is_well_formed_and_its_references_lead_somewhere(show: Callable[..., str], name: str) -> None:
    page = Reader(show(name, every_page()[name]))
    assert page.wrong == []
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    for attribute in ("for", "aria-labelledby", "aria-describedby", "popovertarget", "aria-controls"):
        for value in page.all(attribute):
            assert set(value.split()) <= set(ids), f"{attribute}={value}"
    assert ("html", {"lang": "zh-Hans", "data-bs-theme": "light", "data-theme": "system"}) in page.tags
    assert [tag for tag, _attrs in page.tags].count("h1") == 1
    assert [tag for tag, _attrs in page.tags].count("main") == 1
    assert "Undefined" not in show(name, every_page()[name])


@pytest.mark.parametrize("name", sorted(every_page()))
def test_a_page_answers_a_strict_content_policy(show: Callable[..., str], name: str) -> None:
    for tag, attrs in Reader(show(name, every_page()[name])).tags:
        assert tag != "style"
        assert "style" not in attrs
        assert not [attribute for attribute in attrs if attribute.startswith("on")]
        if tag == "script":
            assert attrs.get("nonce") == "n0nce"
            assert (attrs.get("src") or "").startswith("/static/")


def test_a_list_of_25_rows_is_under_100_kilobytes(show: Callable[..., str]) -> None:
    # The test's icons are empty; a real one has about 500 bytes.
    html = show("panel/list.html", list_page(25))
    assert len(html.encode()) + html.count("<svg") * 500 < 100_000


def test_a_list_links_its_first_cells_offers_acts_and_keeps_its_filters(show: Callable[..., str]) -> None:
    html = show("panel/list.html", list_page(2))
    page = Reader(html)
    links = [attrs for tag, attrs in page.tags if tag == "a"]
    assert [a["href"] for a in links if a.get("href") in ("/slip/0", "/slip/1")] == ["/slip/0", "/slip/1"]
    assert [a["data-act"] for a in links if a.get("data-act")] == ["place", *["void", "redo", "arrive"] * 2]
    assert ("input", {"type": "hidden", "name": "tab", "value": "today"}) in page.tags
    assert any(
        tag == "input" and a.get("name") == "state" and a.get("value") == "void" and "checked" in a
        for tag, a in page.tags
    )
    assert any(tag == "th" and a.get("aria-sort") == "descending" for tag, a in page.tags)
    assert "State: Void" in html
    assert 'href="?clear"' in html


def test_an_empty_list_says_so_and_offers_the_first_act(show: Callable[..., str]) -> None:
    html = show("panel/list.html", list_page(0))
    assert "Nobody is expected today." in html
    assert html.count('data-act="place"') == 2
    assert "<table" not in html


def test_a_record_puts_the_dangerous_act_first_and_the_next_one_last(show: Callable[..., str]) -> None:
    acts = Reader(show("panel/record.html", record_page())).all("data-act")
    assert acts == ["void", "redo", "arrive"]


def test_a_refused_form_keeps_what_was_typed_and_says_beside_each_field_what_is_wrong(show: Callable[..., str]) -> None:
    html = show("panel/form.html", form_page(refused_form(), refusal="Somebody was faster."))
    page = Reader(html)
    by_id = {attrs["id"]: attrs for _tag, attrs in page.tags if attrs.get("id")}
    assert "Somebody was faster." in html
    assert by_id["name"]["value"] == '<b>"x"</b>'
    assert '<b>"x"</b>' not in html
    assert by_id["customer_id"]["value"] == "?林"
    assert by_id["customer_id"]["aria-invalid"] == "true"
    assert by_id["talk"]["aria-describedby"] == "talk-err"
    assert by_id["name"]["aria-describedby"] == "name-help name-hint"
    assert {"#customer_id", "#talk"} <= set(page.all("href"))
    assert any(a.get("name") == "items" and a.get("value") == "8" and "checked" in a for _tag, a in page.tags)
    assert any(a.get("data-text") == "林" for _tag, a in page.tags)
    assert ("input", {"type": "hidden", "name": "request_key", "value": "k1"}) in page.tags
    assert "csrf_token" in page.all("name")
    assert "novalidate" in next(
        attrs for tag, attrs in page.tags if tag == "form" and attrs.get("action") == "/slip/place"
    )


def test_no_field_is_lost_that_the_groups_forgot(show: Callable[..., str]) -> None:
    html = show("panel/form.html", form_page(Ask(), groups=[("Who", ["customer_id", "nobody"]), ("Empty", [])]))
    assert {"customer_id", "name", "talk", "channel", "items", "urgent"} <= set(Reader(html).all("name"))
    assert "Empty" not in html


@pytest.mark.parametrize("name", ["panel/dialog.html", "panel/shown_dialog.html"])
def test_a_dialog_is_a_fragment_with_a_title_and_a_way_out(show: Callable[..., str], name: str) -> None:
    page = form_page(refused_form()) if name == "panel/dialog.html" else every_page()["panel/shown.html"]
    html = show(name, page)
    assert not re.match(r"\s*<(!doctype|html)", html, re.IGNORECASE)
    reader = Reader(html)
    assert reader.wrong == []
    assert "act-title" in reader.all("id")
    assert any("data-close" in attrs for _tag, attrs in reader.tags)


def test_a_dangerous_act_has_a_dangerous_button(show: Callable[..., str]) -> None:
    assert "btn-danger" in show("panel/dialog.html", form_page(Ask(), tone="danger"))
    assert "btn-danger" not in show("panel/dialog.html", form_page(Ask()))


@pytest.mark.parametrize(("code", "framed"), [(403, True), (404, True), (500, False), (503, False)])
def test_an_error_page_asks_for_the_frame_only_while_the_frame_can_be_trusted(
    app: Flask, code: int, framed: bool
) -> None:
    asked = []

    def frame() -> Frame:
        asked.append(code)
        return FRAME

    with app.test_request_context("/"):
        html = render_template("panel/error.html", page=ErrorPage(code, "T", "S", "abc123", []), frame=frame)
    assert bool(asked) is framed
    assert 'class="frame"' in html if framed else 'class="alone"' in html
    assert "abc123" in html


def test_a_stranger_sees_no_menu(app: Flask) -> None:
    with app.test_request_context("/"):
        html = render_template("panel/error.html", page=every_page()["panel/error.html"], frame=lambda: None)
    assert "<nav" not in html
    assert "/logout" not in html


def test_logging_out_is_a_post_with_a_token(show: Callable[..., str]) -> None:
    html = show("panel/error.html", every_page()["panel/error.html"])
    form = re.search(r'<form action="/logout" method="post">.*?</form>', html, re.DOTALL)
    assert form is not None
    assert 'name="csrf_token"' in form.group(0)


def test_the_login_page_keeps_the_name_and_never_the_password(app: Flask) -> None:
    class Login(FlaskForm):
        username = StringField("User")
        password = PasswordField("Password")

    with app.test_request_context("/login", method="POST", data={"username": "phone", "password": "s3cret"}):
        html = render_template("appbuilder/general/security/login_db.html", form=Login(), frame=lambda: None)
    assert 'value="phone"' in html
    assert "s3cret" not in html
    assert 'autocomplete="current-password"' in html
    assert {"/language/zh", "/language/en"} <= set(Reader(html).all("href"))
