"""The user guide inside the panel: every screen has its help, every link and picture leads somewhere."""

from __future__ import annotations

import html
import io
import re
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from PIL import Image
from sqlalchemy import select

from app.acts import REGISTRY
from app.models.processes import ProcessGuide, ProcessStep
from app.panel.help import NAMES, names_of
from app.services import guidebook
from app.services.access import PAGES
from app.services.processes import known_names

#: Names that are no table, further list, report or act: hand-made pages and forms.
HAND_MADE = {*NAMES.values(), "search", "errors", "guide_book", "login_session"}
#: Of the screens that the pictures show.
WIDTHS = (390, 1280)


def test_every_page_of_the_menu_and_every_act_is_explained_by_the_guide(app):
    pages = set(PAGES) - {"guide_book"}
    assert len(pages) > 40
    assert sorted(name for name in pages if guidebook.section_for([name]) is None) == []
    acts = [f"{act.table}.{act.name}" for act in REGISTRY if not act.by_system]
    assert sorted(name for name in acts if guidebook.section_for(names_of(name)) is None) == []


def test_the_guide_and_the_headings_name_no_screen_that_is_none(app):
    known = known_names() | HAND_MADE
    forms = {f"{table}.{form}" for table in known for form in ("add", "edit")}
    papers = {"customer.print_consent_form"}
    assert sorted(guidebook.explained_names() - known - forms - papers) == []


def test_every_page_opens_and_every_link_in_it_leads_somewhere(login):
    client = login("cashier")
    opened = {}
    for page in guidebook.pages().values():
        url = "/guide/" if page.name == guidebook.FIRST else f"/guide/{page.name}"
        answer = client.get(url)
        assert answer.status_code == 200, url
        opened[url] = answer.text
    assert len(opened) > 15
    broken, pictures = [], set()
    for url, text in opened.items():
        article = text.partition("<article")[2].partition("</article>")[0]
        for target in re.findall(r'<a href="([^"]+)"', article):
            parts = urlsplit(urljoin(url, html.unescape(target)))
            if (
                parts.scheme
                or f'id="{unquote(parts.fragment)}"' in opened.get(parts.path, "")
                or (parts.path in opened and not parts.fragment)
            ):
                continue
            broken.append(f"{url} {target}")
        pictures |= {urljoin(url, source) for source in re.findall(r'<img src="([^"]+)"', article)}
    assert broken == []
    assert len(pictures) > 20
    for path in sorted(pictures):
        with client.get(path) as answer:
            assert answer.status_code == 200, path
            assert (answer.mimetype, answer.headers["Cache-Control"]) == ("image/webp", "private, max-age=86400")
            with Image.open(io.BytesIO(answer.data)) as picture:
                assert picture.width in WIDTHS or path.endswith("/paper.webp"), path


def test_the_help_of_a_screen_stands_above_the_section_that_explains_it(login):
    client = login("phone_supervisor")
    page = client.get("/department_slips/list/").text
    link = re.search(
        r'href="(/guide/[^"]+)" aria-label="本页帮助"|href="(/guide/[^"]+)" aria-label="Help for this screen"', page
    )
    assert link is not None
    url = html.unescape(link[1] or link[2])
    assert url == "/guide/supervisor?screen=department_slips#help"
    article = client.get(url).text.partition("<article")[2]
    box, section = article.index('id="help"'), article.index('id="1-部门预约单"')
    assert box < section
    told = article[box:section]
    assert "主管及以上" in told
    assert "部门负责人" in told
    assert "2.1.2 下预约单" in told
    assert client.get("/guide/?screen=nothing_here").status_code == 200
    assert 'screen=appointment_slip.place#help"' in client.get("/appointment_slip/act/place").text


def test_the_search_finds_all_words_and_takes_any_input(login):
    client = login("guide")
    found = client.get("/guide/search?q=撤销到场").text
    assert "/guide/supervisor#撤销到场" in unquote(found)
    assert client.get("/guide/search").status_code == 200
    for words in ("<script>alert(1)</script>", "%", "'; drop", "😀", " " * 40):
        answer = client.get("/guide/search", query_string={"q": words})
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
    assert client.get("/guide/search", query_string={"q": "长" * 3000}).status_code == 400
    assert client.get("/guide/search?q=%00").status_code == 400


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/guide/nothing", 404),
        ("/guide/README", 404),
        ("/guide/..%2Foperate", 404),
        ("/guide/pictures/..%2F..%2Fconfig.py", 404),
        ("/guide/pictures/nothing.webp", 404),
        ("/guide/pictures/README.md", 404),
        ("/guide/?screen=%3Cb%3E", 400),
        ("/process_guide/flow", 200),
    ],
)
def test_addresses_that_are_none_are_told(login, path, code):
    assert login("guide").get(path).status_code == code


def test_strangers_read_nothing(app, session):
    for path in ("/guide/", "/guide/pictures/workbench.webp", "/process_guide/flow.svg"):
        assert app.test_client().get(path).status_code == 302


def test_an_english_reader_gets_an_overview_and_is_told(login):
    client = login("phone_consultant")
    client.get("/language/en")
    assert "The guide in short" in client.get("/guide/").text
    page = client.get("/guide/consultant").text
    assert "The guide is written in Chinese." in page
    assert re.search(r'<article class="card-y booklet"[^>]* lang="zh-Hans">', page)


def test_raw_html_and_scripts_of_a_page_are_only_text(monkeypatch, tmp_path):
    folder = tmp_path / "guide"
    folder.mkdir()
    source = "# T\n\n<script>x</script> [l](javascript:alert(1))\n\n| a |\n|--:|\n| b |\n"
    (folder / "README.md").write_text(source, "utf-8")
    monkeypatch.setattr(guidebook, "DOCS", tmp_path)
    read = guidebook.pages.__wrapped__()["README"]
    assert "<script" not in "".join(read.pieces)
    assert 'href="javascript' not in "".join(read.pieces)
    assert "style=" not in "".join(read.pieces), "the content policy refuses it"
    monkeypatch.setattr(guidebook, "DOCS", tmp_path / "absent")
    assert guidebook.pages.__wrapped__() == {}


def test_without_the_pages_the_help_says_so_and_still_tells_the_heading(login, monkeypatch):
    monkeypatch.setattr(guidebook, "pages", dict)
    page = login("phone_consultant").get("/guide/?screen=appointment_slip.place").text
    assert "2.1.2 下预约单" in page
    assert "文档" in page or "folder docs" in page


def test_a_heading_is_changed_over_rest_by_those_who_configure_and_by_nobody_else(session, rest):
    heading = session.scalars(select(ProcessGuide).where(ProcessGuide.heading_no == "2.1.2")).one()
    step = session.scalars(select(ProcessStep).where(ProcessStep.guide_id == heading.id)).first()
    call = rest("operations")
    listed = call("GET", "process_guide/?q=(page_size:100)")
    assert listed.status_code == 200
    assert call("PUT", f"process_guide/{heading.id}", {"supervisor": "运营经理"}).status_code == 200
    assert call("PUT", f"process_step/{step.id}", {"explanation": "看今天的"}).status_code == 200
    assert call("PUT", f"process_guide/{heading.id}", {"prev_step": "7.7"}).status_code == 422
    assert call("PUT", f"process_guide/{heading.id}", {"heading_no": "7.7"}).status_code == 422
    assert rest("phone_consultant")("PUT", f"process_guide/{heading.id}", {"remark": "x"}).status_code == 403
