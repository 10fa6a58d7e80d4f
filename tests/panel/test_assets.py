"""What browsers keep and what is sent compressed. docs/decisions/0037."""

from __future__ import annotations

import gzip
import re

import pytest

FRAMEWORK_FILES = re.compile(
    r"/appbuilder/|jquery|select2|datepicker|font-?awesome|bootstrap\.bundle|ab\.js|ab_[a-z]+\.js"
)
OWN, FOREIGN = {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "cross-site"}


def files_of(html: str) -> list[str]:
    """Return the addresses of the styles, scripts and pictures that a page names."""
    return [address for _name, address in re.findall(r'<(?:script|link|img)\b[^>]*\b(src|href)="(/[^"]+)"', html)]


def test_every_file_of_a_page_has_its_content_in_its_address(login):
    client = login("phone_supervisor")
    named = {file for path in ("/login/", "/", "/customer/list/") for file in files_of(client.get(path).text)}
    assert len(named) >= 5
    for address in named:
        assert not FRAMEWORK_FILES.search(address), address
        assert re.search(r"/static/-[0-9a-f]{10}/", address), address
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Set-Cookie" not in answer.headers, "what everybody may keep says nothing of one person"
        answer.close()


def test_a_script_is_imported_under_the_same_content(app, client_of_nobody):
    """``import "./act.js"`` of /static/-content/js/app.js leads to /static/-content/js/act.js."""
    page = client_of_nobody.get("/login/").text
    scripts = next(file for file in files_of(page) if file.endswith("js/app.js")).rpartition("/")[0]
    with client_of_nobody.get(f"{scripts}/act.js") as answer:
        assert (answer.status_code, "immutable" in answer.headers["Cache-Control"]) == (200, True)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("/static/css/app.css", 200),
        ("/static/-0000000000/css/app.css", 200),  # of an earlier release: today's file, to be asked for again
        ("/bootstrap/static/-0000000000/css/bootstrap.min.css", 200),
        ("/static/-0000000000/css/none.css", 404),
        ("/static/-/", 404),
        ("/static/-0000000000/../../config.py", 404),
        ("/bootstrap/static/-x/../../../etc/passwd", 404),
    ],
)
def test_other_addresses_are_not_kept(client_of_nobody, address, code):
    with client_of_nobody.get(address) as answer:
        assert answer.status_code == code
        assert "immutable" not in answer.headers["Cache-Control"]
        assert "max-age" not in answer.headers["Cache-Control"]


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip"])
def test_files_are_compressed_for_everybody(client_of_nobody, coding):
    asked = {"Accept-Encoding": coding, **FOREIGN}
    with client_of_nobody.get("/bootstrap/static/css/bootstrap.min.css") as bare:
        plain = bare.data
    with client_of_nobody.get("/bootstrap/static/css/bootstrap.min.css", headers=asked) as answer:
        assert answer.headers["Content-Encoding"] == coding
        assert "Accept-Encoding" in answer.headers["Vary"]
        assert len(answer.data) < len(plain) / 5
        etag = answer.headers["ETag"]
    with client_of_nobody.get(
        "/bootstrap/static/css/bootstrap.min.css", headers={**asked, "If-None-Match": etag}
    ) as again:
        assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    ("headers", "packed"),
    [
        (OWN, True),
        ({"Sec-Fetch-Site": "none"}, True),
        (FOREIGN, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({}, False),
    ],
)
def test_a_page_is_compressed_only_for_who_asked_for_it_herself(login, headers, packed):
    """A foreign page can lead a browser here with words of its own choice; it must not see how well they compress."""
    client = login("phone_supervisor")
    plain = client.get("/customer/list/?q=13900").text
    answer = client.get("/customer/list/?q=13900", headers={"Accept-Encoding": "gzip", **headers})
    assert ("Content-Encoding" in answer.headers) is packed
    told = gzip.decompress(answer.data).decode() if packed else answer.text
    assert (
        re.sub(r'"[\w.-]{60,}"|nonce="[^"]+"|\d\d:\d\d', "", told)[:2000]
        == re.sub(r'"[\w.-]{60,}"|nonce="[^"]+"|\d\d:\d\d', "", plain)[:2000]
    )
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_program_with_its_own_key_is_answered_compressed_and_papers_never(rest, login):
    call = rest("phone_supervisor")
    answer = call("GET", "acts", Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    client = login("it_manager")
    paper = client.get("/import_batch/template/customers", headers={"Accept-Encoding": "gzip", **OWN})
    assert (paper.status_code, "Content-Encoding" in paper.headers) == (200, False)


# --- light and dark ----------------------------------------------------------------------------------------------


def test_each_person_chooses_how_her_pages_look(login):
    client = login("guide")
    assert 'data-bs-theme="light" data-theme="system"' in client.get("/").text
    for theme, shown in (("dark", "dark"), ("light", "light"), ("system", "light")):
        answer = client.post(
            "/theme",
            data={"theme": theme, "csrf_token": client.token},
            headers={"Referer": "http://localhost/notice/list/"},
        )
        assert (answer.status_code, answer.headers["Location"]) == (302, "http://localhost/notice/list/")
        cookie = answer.headers["Set-Cookie"]
        assert ("HttpOnly" in cookie, "SameSite=Lax" in cookie, "Max-Age=31536000" in cookie) == (True, True, True)
        html = client.get("/nothing-here").text
        assert f'data-bs-theme="{shown}" data-theme="{theme}"' in html, "error pages too"
        assert re.search(rf'value="{theme}" aria-pressed="true"', html)
    client.post("/theme", data={"theme": "dark", "csrf_token": client.token})
    client.post("/logout/", data={"csrf_token": client.token})
    assert 'data-theme="system"' in client.get("/login/").text, "who comes next chose nothing"


@pytest.mark.parametrize("theme", ["", "pink", "dark\n", '"><script>'])
def test_a_theme_that_is_none_is_refused(login, theme):
    client = login("guide")
    answer = client.post("/theme", data={"theme": theme, "csrf_token": client.token})
    assert (answer.status_code, "Set-Cookie" in answer.headers and "theme-" in answer.headers["Set-Cookie"]) == (
        400,
        False,
    )


def test_a_forged_cookie_says_nothing(login):
    client = login("guide")
    with client.session_transaction() as cookie:
        name = f"theme-{cookie['_user_id']}"
    client.set_cookie(name, '"><script>')
    assert 'data-theme="system"' in client.get("/").text


def test_nobody_is_led_away_by_choosing(login):
    client = login("guide")
    answer = client.post(
        "/theme", data={"theme": "dark", "csrf_token": client.token}, headers={"Referer": "https://evil.example/"}
    )
    assert answer.headers["Location"] == "/"


@pytest.fixture
def client_of_nobody(app, session):
    return app.test_client()
