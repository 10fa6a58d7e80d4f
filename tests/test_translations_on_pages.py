"""Two languages, each complete: on the pages as they are served to people of several roles."""

from __future__ import annotations

import base64
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import timedelta
from html.parser import HTMLParser
from itertools import groupby
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import String, inspect, select
from sqlalchemy.orm import Session

from app.actors import house
from app.models.appointments import Answered
from app.models.audit import ActRun, JobHeartbeat, JobRun, SensitiveViewLog
from app.models.base import Encrypted, models
from app.models.customers import ChannelPartner, ContactKind, Sex, SourceChannel
from app.models.followup import FollowupCategory, FollowupRule
from app.models.hr import Department, Position
from app.models.settings import Dictionary, DictionaryItem, Effect, RoleOverride
from app.reports.base import REPORTS, Asked
from app.reports.runs import make
from app.services.jobs import JOBS
from tests.pages import one_of_each, pages_of
from tests.test_translations import LATIN, QUOTED

HAN = re.compile(r"[\u3400-\u9fff]+")

# --- what a person perceives ---------------------------------------------------------------------------------------

VOID_TAGS = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
UNSEEN = {"script", "style", "code", "kbd"}
PERCEIVED = {"title", "aria-label", "aria-roledescription", "aria-valuetext", "placeholder", "alt", "aria-description"}
#: What scripts say later, and what style sheets write beside a value.
SAID_LATER = ("data-t-", "data-label", "data-say", "data-title")
#: Where rows of the database may stand in their own words; everywhere else is the house's own text.
OF_DATA = {"td", "dd", "h1", "title", "ol", "option", "textarea"}


def posts(form: dict[str, str]) -> bool:
    return form.get("method", "").lower() == "post"


class Reading(HTMLParser):
    """Collects (text, tags around it) of a page: text nodes and the attributes that people see or hear."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.around: list[tuple[str, dict[str, str]]] = []
        self.read: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.demanding: set[str] = set()  # where forms are posted that have something required in them
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in VOID_TAGS:
            self.around.append((tag, given))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if "required" in given:
            self.demanding |= {form.get("action", "") for name, form in self.around if name == "form" and posts(form)}
        for name, value in given.items():
            is_caption = name == "value" and tag == "input" and given.get("type") in ("submit", "button", "reset")
            if name in PERCEIVED or name.startswith(SAID_LATER) or is_caption:
                self._add(value, tag)
        if given.get("src", "").startswith("data:image/svg+xml;base64,"):
            self.handle_picture(given["src"].partition(",")[2])

    def handle_picture(self, encoded: str) -> None:
        for words in re.findall(r"<text[^>]*>([^<]+)<", base64.b64decode(encoded).decode()):
            self._add(words, "text")

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID_TAGS:
            return
        while self.around and self.around.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tags = {tag for tag, _given in self.around}
        spoken = not any("/language/" in given.get("href", "") for _tag, given in self.around)
        initial = any(given.get("class") == "avatar" for _tag, given in self.around)
        if data.strip() and spoken and not initial and not tags & UNSEEN:
            self._add(data)

    def _add(self, text: str, tag: str = "") -> None:
        if any("lang" in given for name, given in self.around if name != "html"):
            return  # one language, and it says so
        self.read.append((" ".join(text.split()), (*(name for name, _given in self.around), tag)))


#: Numbers, codes, times, masks, addresses: alike in both languages.
CODES = re.compile(
    r"\S*\*{2,}\S*|\S+@\d+(\.\d+){3}|\b[0-9a-f]{12}\b|https?://\S+|[A-Z]{1,4}\d{2,}(-\d+)*|R?-?\d+(\.\d+)+(-\d+)?|RPT-\d+|[A-Z]\d\d(-\d)?|\d{4}-\d\d-\d\d(T[\d:+]+)?"
)
BRAND = re.compile(r"Yimei 医美|^美$")
#: What a Chinese reader reads in Latin letters too; the rest is what settings are written in.
ON_CHINESE_PAGES = LATIN | {"Yimei", "spring", "festival", "all", "named", "nobody", "everybody"}
#: How the browser of the tests calls itself, in the list of one's sessions.
ON_CHINESE_PAGES |= {"Werkzeug"}
#: Under whose name the tests write what the house writes.
ON_CHINESE_PAGES |= {"test"}


def latin_words(reading: Reading, data: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the Latin words of a Chinese page that are neither codes nor rows of the database, and their place."""
    for text, around in reading.read:
        if text in JOBS:
            continue  # a job is called by its words; its name stands beneath them for those who read logs
        bare = CODES.sub("", QUOTED.sub("", text))
        if set(around) & OF_DATA:
            if text in data:
                continue
            bare = " ".join(part for part in re.split(r"[\s:·,，：]+", bare) if part not in data)
        words = set(re.findall(r"[A-Za-z]{2,}", bare)) - ON_CHINESE_PAGES
        if words:
            yield " > ".join(around[-3:]), f"{text!r}: {sorted(words)}"


def han_words(reading: Reading, data: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the Chinese of an English page that is no row of the database, and its place."""
    longest_first = sorted(filter(HAN.search, data), key=len, reverse=True)
    for text, around in reading.read:
        bare = CODES.sub("", BRAND.sub("", text))
        if not HAN.search(bare):
            continue
        for known in longest_first:
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
        kind = pattern_of(url)
        if kinds[kind] >= (MOST_ALIKE if "/N" in kind else 1) or FILES.search(url):
            continue
        kinds[kind] += 1
        answer = client.get(url, follow_redirects=True)
        assert answer.status_code < 500, f"{url}: {answer.status_code}"
        if answer.mimetype != "text/html":
            continue  # a file to download
        yield url, answer.text
        page = Reading(answer.text)
        if kinds[kind] == 1:
            yield from sent_empty(client, url, page)
        for link in page.links:
            if link.startswith("/") and link not in seen:
                seen.add(link)
                waiting.append(link)


def sent_empty(client: FlaskClient, url: str, page: Reading) -> Iterator[tuple[str, str]]:
    """Send the forms that demand something with nothing in them, and read what they say."""
    for action in sorted(page.demanding):
        answer = client.post(action or url, data={"csrf_token": client.token})  # type: ignore[attr-defined]
        assert answer.status_code in (200, 302, 409, 422), f"{action or url}: {answer.status_code}"
        if answer.status_code != 302:  # what a redirect says nobody reads
            yield f"POST {action or url}", answer.text


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
        yield url, answer.text
    answer = client.post("/my-login/password", data={"password": "a", "csrf_token": "old"})
    assert answer.status_code == 400
    yield "POST with an old token", answer.text


@pytest.fixture
def world(
    session: Session, do: Callable[..., Any], person: Callable[[str], Any], item: Any, employee: Any, phone: Any,
    at: Any, make_customer: Any, make_slip: Any, slip_times: Any,
) -> Session:  # fmt: skip
    """Something of everything: contacts of each channel, slips of each state, notices, plans, job runs, a report."""
    consultant, supervisor, guide = person("phone_consultant"), person("phone_supervisor"), person("guide")
    category = item("business_category").id
    call = {"caller_no": phone(), "business_category_id": category, "content": "咨询双眼皮", "ring_count": 2}
    do("contact_record.register_call", consultant, **call)
    do(
        "contact_record.register_call",
        consultant,
        caller_no=phone(),
        business_category_id=category,
        missed=Answered.MISSED,
    )
    do("contact_record.register_chat", person("web_consultant"), business_category_id=category, chat_text="你好")
    new_roles = {"roles": ["guide", "triage"]}
    do("employee.give_roles", person("it_manager"), employee("guide"), inputs=new_roles)
    branch_id = person("channel_specialist").branch_id
    partner = session.scalars(
        select(ChannelPartner).where(ChannelPartner.branch_id == branch_id, ChannelPartner.state == "active")
    ).first()
    do(
        "contact_record.register_lead",
        person("channel_specialist"),
        business_category_id=category,
        channel_partner_id=partner.id,
    )
    customer = make_customer(alias="林小姐", sex=Sex.FEMALE, age=26)
    do("customer.add_contact", consultant, customer, kind=ContactKind.WECHAT, value="linxiaoyu8", relation="本人")
    do("customer_contact.reveal", consultant, customer.contacts[0], reason="回访")
    for desk in ("phone_consultant", "web_consultant", "channel_specialist"):
        make_slip(person(desk))
    make_slip(preferred_consultant_id=person("onsite_consultant").employee_id)
    do("appointment_slip.redo", consultant, make_slip(), **slip_times)
    do(
        "appointment_slip.redo",
        supervisor,
        make_slip(),
        owner_id=person("phone_consultant_2").employee_id,
        **slip_times,
    )
    do("appointment_slip.void", supervisor, make_slip(), reason="下月再约")
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
            if (
                isinstance(column.type, String | Encrypted)
                and column.name not in machine
                and not column.name.endswith("_hash")
            ):
                found.update(text for text in world.scalars(select(column).distinct()) if text)
    return found


#: Tables whose rows have a name in each language, and where both are kept.
TWO_NAMES = (Dictionary, DictionaryItem, SourceChannel, Position, FollowupCategory, FollowupRule)
#: The white paper's headings are kept in its own words.
KEEPING_NAMES = (*(f"/{model.__tablename__}/" for model in TWO_NAMES), "/process_guide/", "/process_step/")


@pytest.fixture
def own_names(world: Session) -> dict[str, set[str]]:
    """For each language the names that only belong on its pages: rows with two names show the reader's."""
    departments = set(world.scalars(select(Department.name)))
    return {
        language: {name for model in TWO_NAMES for name in world.scalars(select(getattr(model, column)))} - departments
        for language, column in (("zh", "name"), ("en", "name_en"))
    }


def wrong_words(
    client: FlaskClient,
    words_of: Callable[[Reading, set[str]], Iterator[tuple[str, str]]],
    data: set[str],
    not_here: set[str],
) -> str:
    """Walk every page and return a line for each word of the other language, with where it was first found."""
    pages = [*walk(client, ["/", "/notice/list/", "/my-login/password"]), *refusals(client)]
    assert len(pages) > PAGES_AT_LEAST
    assert any(url.startswith("POST /") for url, _html in pages), "at least the password form was sent empty"
    wrong: dict[tuple[str, str], str] = {}
    for url, html in pages:
        allowed = data if url.removeprefix("POST ").startswith(KEEPING_NAMES) else data - not_here
        wrong.update(dict.fromkeys(words_of(Reading(html), allowed), url))
    return "\n".join(f"{url}  {place}  {text}" for (place, text), url in sorted(wrong.items(), key=lambda one: one[1]))


#: Whose links are followed by day; everybody's by night. Every page itself is read by day: see below.
BY_DAY = {"phone_supervisor"}


def each_role(*roles: str) -> list[Any]:
    return [role if role in BY_DAY else pytest.param(role, marks=pytest.mark.nightly) for role in roles]


def stock_templates(app: Flask) -> set[str]:
    """Return the templates of the framework itself that were rendered so far."""
    used = {str(template.filename) for template in app.jinja_env.cache.values()}  # type: ignore[union-attr]
    assert any("panel/list.html" in name for name in used), "the templates that were used are known"
    return {name for name in used if "/flask_appbuilder/" in name}


@pytest.mark.slow
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_of_the_panel_is_in_the_readers_language(
    app: Flask, session: Session, login: Any, data: set[str], own_names: dict[str, set[str]], language: str
) -> None:
    """The pages are those that axe looks at (tests/pages.py), each as the person who sees most of it: a page that no
    link leads to is read too. In English, one of each kind."""
    pages = pages_of(app, session)
    words_of, other = (latin_words, "en") if language == "zh" else (han_words, "zh")
    chosen = pages if language == "zh" else one_of_each(pages)
    wrong: dict[tuple[str, str], str] = {}
    read = 0
    for person, hers in groupby(sorted(chosen, key=lambda page: page.person), key=lambda page: page.person):
        client = login(person) if person else app.test_client()
        client.get(f"/language/{language}")
        for page in hers:
            answer = client.get(page.address, follow_redirects=True)
            assert answer.status_code < 500, (person, page.address)
            if answer.mimetype != "text/html":
                continue
            read += 1
            assert "/appbuilder/" not in answer.text, f"{page.address} names a file of the framework's"
            allowed = data if page.address.startswith(KEEPING_NAMES) else data - own_names[other]
            wrong.update(dict.fromkeys(words_of(Reading(answer.text), allowed), f"{person} {page.address}"))
    assert read > 100
    assert stock_templates(app) == set(), "rendered, though said to be overridden or out of reach in test_templates.py"
    assert not wrong, "\n".join(f"{url}  {place}  {text}" for (place, text), url in sorted(wrong.items()))


@pytest.mark.slow
@pytest.mark.parametrize("role", each_role(*ROLES))
def test_no_page_in_chinese_shows_an_untranslated_word(
    login: Any, data: set[str], own_names: dict[str, set[str]], role: str
) -> None:
    wrong = wrong_words(login(role), latin_words, data, own_names["en"])
    assert not wrong, wrong


@pytest.mark.slow
@pytest.mark.parametrize("role", each_role("phone_consultant", "phone_supervisor", "operations", "admin"))
def test_no_page_in_english_shows_chinese_but_data(
    login: Any, data: set[str], own_names: dict[str, set[str]], role: str
) -> None:
    client = login(role)
    assert client.get("/language/en").status_code == 302
    wrong = wrong_words(client, han_words, data, own_names["zh"])
    assert not wrong, wrong


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
    told = [text for text, _around in Reading(english).read]
    assert "Login name, password or code is wrong." in told, told
    assert list(han_words(Reading(english), set())) == []


def test_the_menu_says_what_the_white_paper_says(login: Any, world: Session) -> None:
    """White paper 2.1: 服务工作站→预约管理→…; 2.1.4: →回访管理→…."""
    html = login("phone_supervisor").get("/").text
    side = Reading(html.partition('<nav class="side"')[2].partition("</nav>")[0])
    told = [text for text, _around in side.read if HAN.search(text)]
    wanted = "服务工作站 · 预约管理 电话预约 个人预约单查询 部门预约单查询 重下预约单"
    assert " ".join(told).count(wanted) == 1, told
    assert " ".join(told).count("服务工作站 · 回访管理 临时计划回访 部门临时计划回访") == 1, told
