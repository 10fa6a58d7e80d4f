"""Two languages, each complete: in the catalogue, in the sources, and on the pages as they are served."""

from __future__ import annotations

import ast
import base64
import io
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from babel.messages.catalog import Catalog
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import String, inspect, select
from sqlalchemy.orm import Session

from app.actors import house
from app.models.appointments import Answered
from app.models.audit import ActRun, JobHeartbeat, JobRun, SensitiveViewLog
from app.models.base import models
from app.models.customers import ChannelPartner, ContactKind, Sex
from app.models.settings import Effect, RoleOverride
from app.reports.base import REPORTS, Asked
from app.reports.runs import make

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "app/translations/zh/LC_MESSAGES/messages.po"
HAN = re.compile(r"[\u3400-\u9fff]+")

# --- the catalogue -----------------------------------------------------------------------------------------------

#: What a Chinese reader reads in Latin letters too.
LATIN = {"QQ", "IT", "VIP", "JSON", "XLSX", "CSV", "PDF", "yes", "no"}
#: Commands and examples.
QUOTED = re.compile(r"run\.py [a-z-]+|\d{4}-\d\d-\d\dT[\d:+]+")
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Every string of the sources, extracted anew as babel.cfg says."""
    out = tmp_path_factory.mktemp("words") / "messages.pot"
    options = ["-q", "extract", "-F", str(ROOT / "babel.cfg"), "-k", "_l", "-k", "_n:1,2", "-o", str(out)]
    CommandLineInterface().run(["pybabel", *options, str(ROOT / "app")])
    with out.open("rb") as file:
        return read_po(file)


@pytest.fixture(scope="module")
def chinese() -> Catalog:
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="zh")


def said(message: Any) -> list[str]:
    """Return a message's Chinese, each plural form of it."""
    return [message.string] if isinstance(message.string, str) else list(message.string)


def asked(message: Any) -> list[str]:
    return [message.id] if isinstance(message.id, str) else list(message.id)


def entries(catalogue: Catalog) -> list[Any]:
    return [message for message in catalogue if message.id]


def test_every_string_of_the_sources_has_its_chinese(source: Catalog, chinese: Catalog) -> None:
    assert len(source) > 300, "the extraction finds the sources"
    known = {str(message.id): message for message in entries(chinese)}
    lacking = [m.id for m in entries(source) if str(m.id) not in known or not all(said(known[str(m.id)]))]
    assert lacking == [], "babel.cfg says how to bring the catalogue up to date"
    assert [message.id for message in entries(chinese) if message.fuzzy] == []


def test_the_catalogue_keeps_nothing_that_is_gone(source: Catalog, chinese: Catalog) -> None:
    wanted = {str(message.id) for message in entries(source)}
    assert [message.id for message in entries(chinese) if str(message.id) not in wanted] == []
    assert list(chinese.obsolete) == []


def test_the_chinese_fills_in_what_the_english_fills_in(chinese: Catalog) -> None:
    for message in entries(chinese):
        names = {name for text in asked(message) for name in PLACEHOLDER.findall(text)}
        for text in said(message):
            assert Counter(PLACEHOLDER.findall(text)) == Counter(names), message.id
            if names:
                assert text % dict.fromkeys(names, "…"), message.id


def test_the_chinese_holds_no_english_word(chinese: Catalog) -> None:
    for message in entries(chinese):
        for text in said(message):
            bare = QUOTED.sub("", PLACEHOLDER.sub("", text))
            assert set(re.findall(r"[A-Za-z]{2,}", bare)) <= LATIN, message.id


def test_chinese_sentences_are_punctuated_in_chinese(chinese: Catalog) -> None:
    for message in entries(chinese):
        for text in said(message):
            assert not re.search(r"[\u3400-\u9fff)s][,;:?!]|[\u3400-\u9fff]\.(\s|$)", text), text
            ends = [part.rstrip()[-1:] in ".?" for part in asked(message)]
            if all(ends) and len(text) > 12:
                assert text[-1] in "。？）”", text


def test_the_compiled_catalogue_is_the_one_of_the_text(chinese: Catalog) -> None:
    fresh = io.BytesIO()
    write_mo(fresh, chinese)
    compiled = CATALOGUE.with_suffix(".mo").read_bytes()
    assert fresh.getvalue() == compiled, "run: pybabel compile -d app/translations -l zh"


#: Sentences that people read are handed to these; a bare literal in one of them would stay English.
TELLERS = {"Refusal", "IllegalMove", "KeyReused", "Stale", "InvalidInput", "StopValidation", "ValidationError", "flash"}
#: So are these named arguments.
NAMED = {"label", "title", "intro", "consequence", "description", "help", "empty", "notice"}


def bare_literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of literals that reach a reader without passing through the translation."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        handed = list(call.args) if name in TELLERS else []
        handed += [keyword.value for keyword in call.keywords if keyword.arg in NAMED]
        for argument in handed:
            values = argument.values if isinstance(argument, ast.Dict) else [argument]
            for value in values:
                parts = value.elts if isinstance(value, ast.List) else [value]
                for part in parts:
                    if isinstance(part, ast.Constant) and isinstance(part.value, str) and re.search("[A-Za-z]{2}", part.value):
                        yield part.lineno, part.value


@pytest.mark.parametrize("floor", ["models", "services", "reports", "panel", "views"])
def test_no_sentence_goes_round_the_translation(floor: str) -> None:
    found = []
    for path in sorted((ROOT / "app" / floor).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [f"{path.name}:{line} {text}" for line, text in bare_literals(tree)]
    assert [line for line in found if not line.endswith((" success", " info", " danger"))] == []


# --- the pages: what a person perceives --------------------------------------------------------------------------

VOID_TAGS = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
UNSEEN = {"script", "style"}
PERCEIVED = {"title", "aria-label", "placeholder", "alt", "aria-description"}
#: Where rows of the database may stand in their own words; everywhere else is the house's own text.
OF_DATA = {"td", "dd", "h1", "title", "ol", "option", "textarea"}


class Reading(HTMLParser):
    """Collects (text, tags around it) of a page: text nodes and the attributes that people see or hear."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.around: list[tuple[str, dict[str, str]]] = []
        self.read: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.forms: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in VOID_TAGS:
            self.around.append((tag, given))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "form" and given.get("method", "").lower() == "post":
            self.forms.append(given.get("action", ""))
        for name, value in given.items():
            if name in PERCEIVED or name.startswith("data-t-") or (name == "value" and self._is_button(tag, given)):
                self._add(value, tag)
        if given.get("src", "").startswith("data:image/svg+xml;base64,"):
            self.handle_picture(given["src"].partition(",")[2])

    @staticmethod
    def _is_button(tag: str, given: dict[str, str]) -> bool:
        return tag == "button" or (tag == "input" and given.get("type") in ("submit", "button", "reset"))

    def handle_picture(self, encoded: str) -> None:
        for words in re.findall(r"<text[^>]*>([^<]+)<", base64.b64decode(encoded).decode()):
            self._add(words, "text")

    def handle_endtag(self, tag: str) -> None:
        while self.around and self.around.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tags = {tag for tag, _given in self.around}
        spoken = not any("/language/" in given.get("href", "") for _tag, given in self.around)
        initial = any(given.get("class") == "avatar" for _tag, given in self.around)
        if data.strip() and spoken and not initial and not tags & UNSEEN:
            self._add(data)

    def _add(self, text: str, tag: str = "") -> None:
        self.read.append((" ".join(text.split()), (*(name for name, _given in self.around), tag)))


#: Numbers, codes, times, masks, addresses: alike in both languages.
CODES = re.compile(
    r"\S*\*{2,}\S*|\b[0-9a-f]{12}\b|https?://\S+|[A-Z]{1,4}\d{2,}(-\d+)*|R?-?\d+(\.\d+)+(-\d+)?|RPT-\d+|[A-Z]\d\d(-\d)?|\d{4}-\d\d-\d\d(T[\d:+]+)?"
)
BRAND = re.compile(r"Yimei 医美|^美$")
#: Latin words of Chinese pages: file formats, a key, a protocol.
ON_CHINESE_PAGES = LATIN | {"Yimei"}


def latin_words(reading: Reading, data: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the Latin words of a Chinese page that are neither codes nor rows of the database, and their place."""
    for text, around in reading.read:
        bare = CODES.sub("", QUOTED.sub("", text))
        if set(around) & OF_DATA:
            if text in data:
                continue
            bare = " ".join(part for part in re.split(r"[\s:·,，：]+", bare) if part not in data)
        words = set(re.findall(r"[A-Za-z]{2,}", bare)) - ON_CHINESE_PAGES
        if words:
            yield " > ".join(around[-3:]), f"{text!r}: {sorted(words)}"


def han_words(reading: Reading, data: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the Chinese of an English page that is no row of the database, and its place."""
    for text, around in reading.read:
        bare = BRAND.sub("", text)
        if not HAN.search(bare):
            continue
        for known in data:
            bare = bare.replace(known, "")
        if HAN.search(bare):
            yield " > ".join(around[-3:]), text


# --- the crawl ---------------------------------------------------------------------------------------------------

ROLES = [
    "phone_consultant",
    "web_consultant",
    "channel_specialist",
    "phone_supervisor",
    "guide",
    "onsite_consultant",
    "hr",
    "operations",
    "branch_head",
    "auditor",
    "it_manager",
    "admin",
]
FILES = re.compile(r"/(print|export|stored/\d+/\w+|static|appbuilder/static|logout|language)(/|$)|format=|download=")
MOST_ALIKE = 3  # pages of one pattern: records differ in state, so more than one of each
PAGES_AT_LEAST = 8


def pattern_of(url: str) -> str:
    """Return what kind of page an address leads to: numbers dropped, and of the query only tab and source kept."""
    parts = urlsplit(url)
    kept = [value.partition(":")[0] for name, value in parse_qsl(parts.query) if name in ("tab", "source")]
    return re.sub(r"\d+", "N", parts.path) + "?" + ",".join(kept)


def walk(client: FlaskClient, start: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (address, HTML) of every page that links lead to, each kind a few times; forms are also sent empty."""
    waiting, seen, kinds = deque(start), set(start), Counter[str]()
    while waiting:
        url = waiting.popleft()
        if (kinds[pattern_of(url)] >= MOST_ALIKE) or FILES.search(url):
            continue
        kinds[pattern_of(url)] += 1
        answer = client.get(url, follow_redirects=True)
        assert answer.status_code < 500, f"{url}: {answer.status_code}"
        (open("/tmp/403.txt","a").write(url+"\n") if answer.status_code==403 else 0); yield url, answer.text
        page = Reading(answer.text)
        yield from sent_empty(client, url, answer.text)
        for link in page.links:
            if link.startswith("/") and link not in seen:
                seen.add(link)
                waiting.append(link)


def sent_empty(client: FlaskClient, url: str, html: str) -> Iterator[tuple[str, str]]:
    """Send a form that demands something with nothing in it, and read what it says."""
    main = html.partition("<main")[2]
    if '<form' in main and 'method="post"' in main and re.search(r"<(input|select|textarea)[^>]* required", main):
        answer = client.post(url, data={"csrf_token": client.token})  # type: ignore[attr-defined]
        assert answer.status_code in (200, 302, 409, 422), f"{url}: {answer.status_code}"
        yield f"POST {url}", answer.text


def refusals(client: FlaskClient) -> Iterator[tuple[str, str]]:
    """Yield error pages: 400, 403 or 404, 404, 405, a form too old."""
    for url, codes in {
        "/customer/list/?junk=1": {400, 403},
        "/param/list/": {200, 403},
        "/customer/show/999999999": {403, 404},
        "/nowhere": {404},
        "/logout/": {405},
    }.items():
        answer = client.get(url)
        assert answer.status_code in codes, f"{url}: {answer.status_code}"
        (open("/tmp/403.txt","a").write(url+"\n") if answer.status_code==403 else 0); yield url, answer.text
    answer = client.post("/resetmypassword/form", data={"password": "a", "csrf_token": "old"})
    assert answer.status_code == 400
    yield "POST with an old token", answer.text


@pytest.fixture
def world(
    session: Session, do: Callable[..., Any], person: Callable[[str], Any], item: Any, employee: Any, phone: Any,
    at: Any, make_customer: Any, make_slip: Any, slip_times: Any,
) -> Session:  # fmt: skip
    """Something of everything: contacts of each channel, slips of each state, notices, plans, runs of jobs and reports."""
    consultant, supervisor, guide = person("phone_consultant"), person("phone_supervisor"), person("guide")
    category = item("business_category").id
    call = {"caller_no": phone(), "business_category_id": category, "content": "咨询双眼皮", "ring_count": 2}
    do("contact_record.register_call", consultant, **call)
    do("contact_record.register_call", consultant, caller_no=phone(), business_category_id=category, missed=Answered.MISSED)
    do("contact_record.register_chat", person("web_consultant"), business_category_id=category, chat_text="你好")
    new_roles = {"roles": ["guide", "triage"]}
    do("employee.give_roles", person("it_manager"), employee("guide"), inputs=new_roles)
    branch_id = person("channel_specialist").branch_id
    partner = session.scalars(
        select(ChannelPartner).where(ChannelPartner.branch_id == branch_id, ChannelPartner.state == "active")
    ).first()
    do("contact_record.register_lead", person("channel_specialist"), business_category_id=category, channel_partner_id=partner.id)
    customer = make_customer(alias="林小姐", sex=Sex.FEMALE, age=26)
    do("customer.add_contact", consultant, customer, kind=ContactKind.WECHAT, value="linxiaoyu8", relation="本人")
    do("customer_contact.reveal", consultant, customer.contacts[0], reason="回访")
    for desk in ("phone_consultant", "web_consultant", "channel_specialist"):
        make_slip(person(desk))
    make_slip(preferred_consultant_id=person("onsite_consultant").employee_id)
    do("appointment_slip.redo", consultant, make_slip(), **slip_times)
    do("appointment_slip.redo", supervisor, make_slip(), owner_id=person("phone_consultant_2").employee_id, **slip_times)
    do("appointment_slip.void", supervisor, make_slip(), reason="客户改主意")
    do("appointment_slip.arrive", guide, make_slip())
    came = make_slip()
    do("appointment_slip.arrive", guide, came, when=at + timedelta(days=3))
    do("appointment_slip.complete", person("guide_supervisor"), came)
    by = house("job:appointments.expire", branch_id=branch_id, zone="Asia/Shanghai")
    do("appointment_slip.expire", by, make_slip())
    session.add(JobRun(job="appointments.expire", slot="1", started_at=at, ended_at=at, host="host-1"))
    session.add(JobHeartbeat(host="host-1", pid=1, beat_at=at))
    session.add(RoleOverride(role="guide", table_name="customer", permission="can_edit", effect=Effect.GRANT))
    daily = REPORTS["appointment_daily"]
    asked_for = Asked(day=at.astimezone(supervisor.timezone).date(), branch_id=branch_id)
    make(session, daily, asked_for, by=supervisor, at=at)
    session.commit()
    return session


@pytest.fixture
def data(world: Session, app: Flask) -> set[str]:
    """Every word that stands in the database: names, and the identifiers that office pages show."""
    found: set[str] = set()
    for model in models().values():
        machine = {"table_name", "act", "field"} if model in (ActRun, SensitiveViewLog) else set()
        for column in inspect(model).columns:
            if isinstance(column.type, String) and column.name not in machine and not column.name.endswith("_hash"):
                found.update(text for text in world.scalars(select(column).distinct()) if text)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_no_page_in_chinese_shows_an_untranslated_word(login: Any, data: set[str], role: str) -> None:
    client = login(role)
    pages = [*walk(client, ["/", "/notice/list/", "/resetmypassword/form"]), *refusals(client)]
    assert len(pages) > PAGES_AT_LEAST
    wrong = {found: url for url, html in pages for found in latin_words(Reading(html), data)}
    assert not wrong, report(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_no_page_in_english_shows_chinese_but_data(login: Any, data: set[str], role: str) -> None:
    client = login(role)
    assert client.get("/language/en").status_code == 302
    known = sorted((text for text in data if HAN.search(text)), key=len, reverse=True)
    pages = [*walk(client, ["/", "/notice/list/", "/resetmypassword/form"]), *refusals(client)]
    assert len(pages) > PAGES_AT_LEAST
    wrong = {found: url for url, html in pages for found in han_words(Reading(html), known)}
    assert not wrong, report(wrong)


def test_the_login_page_speaks_both_languages(app: Flask, session: Session) -> None:
    client = app.test_client()
    pages = [client.get("/login/").text, client.get("/login/?next=/customer/list/").text]
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', pages[0])
    assert token is not None
    wrong_login = {"username": "nobody", "password": "nothing", "csrf_token": token.group(1)}
    pages += [client.post("/login/", data={"csrf_token": token.group(1)}).text]
    pages += [client.post("/login/", data=wrong_login, follow_redirects=True).text]
    assert [found for html in pages for found in latin_words(Reading(html), set())] == []
    client.get("/language/en")
    english = client.post("/login/", data=wrong_login, follow_redirects=True).text
    assert "Invalid login" in english
    assert list(han_words(Reading(english), [])) == []


def test_the_menu_says_what_the_white_paper_says(login: Any, world: Session) -> None:
    """White paper 2.1: 服务工作站→预约管理→…; 2.1.4: →回访管理→…."""
    html = login("phone_supervisor").get("/").text
    side = Reading(html.partition('<nav class="side"')[2].partition("</nav>")[0])
    told = [text for text, _around in side.read if HAN.search(text)]
    wanted = "服务工作站 · 预约管理 电话预约 个人预约单查询 部门预约单查询 重下预约单"
    assert " ".join(told).count(wanted) == 1, told
    assert " ".join(told).count("服务工作站 · 回访管理 临时计划回访 部门临时计划回访") == 1, told


def report(wrong: dict[tuple[str, str], str]) -> str:
    return "\n".join(f"{url}  {place}  {text}" for (place, text), url in sorted(wrong.items(), key=lambda one: one[1]))
