"""The press room: nothing is fetched, nothing escapes, what runs away is ended. Targets 31 and 32."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pypdfium2
import pytest

from app import words
from app.errors import Refusal
from app.reports import rendering
from app.reports.rendering import TemplateRefused, TooLarge, bind_pages, plain, render_user_template

SVG = "http://www.w3.org/2000/svg"
SECRET = "TOP-SECRET-4711"


@pytest.fixture(autouse=True)
def _english(app: Any) -> Iterator[None]:
    with app.test_request_context(), words.force_locale("en"):
        yield


def words_of(pdf: bytes) -> str:
    with pypdfium2.PdfDocument(pdf) as document:
        return "".join(page.get_textpage().get_text_range() for page in document)


def bodies(address: str) -> list[str]:
    """Ways in which a page can ask for something that lies at an address."""
    host = address.split("//")[-1]
    return [
        f'<img src="{address}">',
        f'<img srcset="{address} 2x" src="{address}">',
        f'<picture><source srcset="{address}"><img src="{address}"></picture>',
        f'<input type="image" src="{address}">',
        f'<link rel="stylesheet" href="{address}">',
        f'<style>@import "{address}";</style>',
        f"<style>@import url({address});</style>",
        f"<style>@font-face{{font-family:x;src:url({address})}} p{{font-family:x}}</style><p>x",
        f"<style>body{{background:url({address})}}</style>",
        f"<style>li{{list-style-image:url({address})}}</style><ul><li>x</ul>",
        f"<style>p::before{{content:url({address})}}</style><p>x",
        f"<style>p{{border-image-source:url({address})}}</style><p>x",
        f"<style>@page{{background:url({address})}}</style><p>x",
        f"<style>@page{{@top-left{{content:url({address})}}}}</style><p>x",
        f"<style>p{{mask:url({address});cursor:url({address}),auto}}</style><p>x",
        f'<p style="background-image:url({address})">x',
        f'<object data="{address}">x</object>',
        f'<embed src="{address}">',
        f'<iframe src="{address}"></iframe>',
        f'<svg><image href="{address}"/></svg>',
        f'<svg xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="{address}"/></svg>',
        f'<svg><use href="{address}#a"/></svg>',
        f'<svg><rect fill="url({address}#a)" width="9" height="9"/></svg>',
        f'<svg><style>@import "{address}";</style></svg>',
        f'<svg><foreignObject><img src="{address}"></foreignObject></svg>',
        f'<link rel="attachment" href="{address}">',
        f'<a rel="attachment" href="{address}">x</a>',
        f'<base href="{address}/"><img src="x.png">',
        f'<meta http-equiv="refresh" content="0;url={address}">',
        f'<script src="{address}"></script>',
        f'<video poster="{address}" src="{address}"></video>',
        f'<audio src="{address}"></audio>',
        f'<body background="{address}">',
        f'<table background="{address}"><tr><td>x</table>',
        f'<link rel="icon" href="{address}"><link rel="prefetch" href="{address}">',
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "{address}">]><p>&e;',
        f'<img src="//{host}">',
        f'<img src="data:image/svg+xml,<svg xmlns=%22{SVG}%22><image href=%22{address}%22/></svg>">',
        f"<link rel=stylesheet href='data:text/css,@import%20\"{address}\";'>",
        f'<img src="URL:{address}"><img src="jar:{address}!/x">',
    ]


def test_forty_payloads_reach_neither_net_nor_disk(eavesdropper: tuple[str, list[str]], tmp_path: Path) -> None:
    """Target 31: 0 hits, 0 leaks, each payload with an address of the net and one of a file."""
    address, asked = eavesdropper
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    assert len(bodies("x")) == 40
    for target in (f"{address}/hit", f"file://{secret}", str(secret)):
        for body in bodies(target):
            pdf = bind_pages([f"<html><body>{body}<p>end"], []).pdf
            assert pdf.startswith(b"%PDF")
            assert b"EmbeddedFile" not in pdf, body
            assert SECRET not in words_of(pdf), body
    assert asked == []


def test_the_trap_itself_works(eavesdropper: tuple[str, list[str]], tmp_path: Path) -> None:
    """Without our fetcher the same pages do ask: the test above can fail."""
    from weasyprint import HTML

    address, asked = eavesdropper
    (tmp_path / "secret.txt").write_text(SECRET)
    HTML(string="".join(bodies(f"{address}/hit")[:10])).write_pdf()
    assert asked


def test_a_runaway_document_is_ended_and_the_house_goes_on() -> None:
    """Target 31: stopped within 12 seconds; the next document is printed."""
    page = "<table>" + ("<tr>" + "<td>x" * 50) * 3000
    start = time.monotonic()
    with pytest.raises(TooLarge, match="too large to print"):
        bind_pages([page], [])
    assert 1 < time.monotonic() - start <= 12
    assert "after" in words_of(bind_pages(["<p>after"], []).pdf)


def test_a_picture_bomb_costs_us_nothing() -> None:
    picture, start = png(8_000, 8_000), time.monotonic()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(TooLarge):
        bind_pages([f'<img src="{picture}">'], [])
    assert time.monotonic() - start <= 13
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024, "kilobytes of ours"
    assert bind_pages(["<p>after"], []).pages == (1,)


def png(width: int, height: int) -> str:
    """Return a small file of a large picture, as a data address."""
    import base64
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress((b"\x00" + b"\x00" * (width * 3)) * height, 9)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    whole = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(whole).decode()


def test_a_page_over_the_size_is_not_even_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "LARGEST_PAGE", 1000)
    monkeypatch.setattr(rendering._children, "asked", None)
    with pytest.raises(TooLarge):
        bind_pages(["x" * 1001], [])


def test_a_child_that_was_killed_is_replaced() -> None:
    bind_pages(["<p>x"], [])
    for child in rendering._children.idle:
        child.process.kill()
        child.process.wait()
    assert bind_pages(["<p>x"], []).pages == (1,)


def test_a_caller_that_breaks_off_leaves_no_half_answer() -> None:
    def stop() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        bind_pages(["<p>1", "<p>2"], [], laid=stop)
    assert "fresh" in words_of(bind_pages(["<p>fresh"], []).pdf)


def test_there_are_never_more_children_than_allowed() -> None:
    seen: list[int] = []

    def look() -> None:
        seen.append(rendering.MOST_CHILDREN - rendering._children.places._value)  # type: ignore[attr-defined]

    with ThreadPoolExecutor(6) as pool:
        pdfs = list(pool.map(lambda number: bind_pages([f"<p>page{number}"], [], laid=look).pdf, range(12)))
    assert max(seen) <= rendering.MOST_CHILDREN
    assert len(rendering._children.idle) <= rendering.MOST_CHILDREN
    assert all(f"page{number}" in words_of(pdf) for number, pdf in enumerate(pdfs))


def test_who_waits_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "LONGEST_WAIT", 0.05)
    job = {"kind": "fill", "template": "x", "facts": {}}
    with rendering._children.asked(job) as one, rendering._children.asked(job) as two:
        with pytest.raises(Refusal, match="busy"):
            bind_pages(["<p>x"], [])
        assert [child.hear(9) for child in (one, two)] == [{"filled": "x"}] * 2


def test_the_child_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment names neither database nor key, and no file of the house is open in it."""
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.setenv("DATABASE_URL", SECRET)
    child = rendering._Child().wait()
    try:
        told = Path(f"/proc/{child.process.pid}/environ").read_bytes().decode()
        names = {line.partition("=")[0] for line in told.split("\0") if line}
        assert names <= {*rendering.KNOWN_TO_CHILD, "LANG", "MALLOC_ARENA_MAX", "LC_CTYPE"}
        assert SECRET not in told
        opened = [os.readlink(link) for link in Path(f"/proc/{child.process.pid}/fd").iterdir()]
        assert len([name for name in opened if name.startswith("socket:")]) == 1, opened
    finally:
        child.end()


PARENT = """
import os, sys, threading, time
sys.path.insert(0, os.getcwd())
from app.reports import rendering
child = rendering._Child().wait()
if sys.argv[1] == "busy":
    page = "<table>" + ("<tr>" + "<td>x" * 50) * 3000
    child.ask({"kind": "set", "pages": [page], "styles": [], "title": "", "copies": ""})
print(child.process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_no_orphan_outlives_its_parent(state: str) -> None:
    """A parent that is killed outright takes its child along, in the middle of a job too."""
    with subprocess.Popen([sys.executable, "-c", PARENT, state], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, 0)
        parent.kill()
    assert gone_within(5, pid)


def gone_within(seconds: float, pid: int) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


# --- templates that people edit --------------------------------------------------------------------------------------


def test_a_message_is_filled_with_its_facts() -> None:
    facts = {"name": "林小雨", "slips": [{"no": "YY01", "price": Decimal("7800.00")}], "day": date(2026, 11, 23)}
    said = render_user_template("{{ name }}：{% for s in slips %}{{ s.no }} {{ s.price }}{% endfor %} {{ day }}", facts)
    assert said == "林小雨：YY01 7800.00 2026-11-23"


def test_only_plain_facts_are_taken() -> None:
    for thing in (object(), SimpleNamespace(a=1), len, b"x", {1, 2}, Path("/")):
        with pytest.raises(TypeError):
            render_user_template("x", {"thing": thing})
    assert plain({"a": (1, None, date(2026, 1, 2))}) == {"a": [1, None, "2026-01-02"]}


ROOTS = ["''", "[]", "{}", "1", "n", "l", "d", "x.__class__"]
LEAPS = [
    "{{ %s.__class__.__mro__[1].__subclasses__() }}",
    "{{ %s.__class__.__base__.__subclasses__() }}",
    "{{ (%s|attr('__class__')).__mro__ }}",
    "{{ %s.__init__.__globals__['os'].popen('id').read() }}",
    "{{ %s['__class__']['__mro__'] }}",
]
PAYLOADS = [leap % root for root in ROOTS for leap in LEAPS] + [
    "{{ self.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ joiner.__init__.__globals__.os }}",
    "{{ namespace.__init__.__globals__.os }}",
    "{{ get_flashed_messages.__globals__.__builtins__.open('/etc/passwd').read() }}",
    "{{ request.application.__globals__ }}",
    "{{ config.items() }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os }}",
    "{% extends '/etc/passwd' %}",
    "{{ '{0.__class__.__init__.__globals__}'.format(n) }}",
    "{{ '%c' % 1 }}{{ n.format.__func__ }}",
    "{{ l.append(1) }}",
    "{{ d.update({'a': 1}) }}",
    "{{ d.clear() }}",
    "{% set n.a = 1 %}",
    "{{ url_for.__globals__ }}",
    "{{ ''.join.__self__.__class__.__mro__ }}",
    "{{ (n|map(attribute='__class__')|list) }}",
    "{{ [n]|map(attribute='__class__.__mro__')|list }}",
    "{{ [n]|groupby('__class__') }}",
]
BOMBS = [
    "{% for a in 'x' * 9999 %}{% for b in 'x' * 9999 %}{% for c in 'x' * 9999 %}{% endfor %}{% endfor %}{% endfor %}",
    "{{ 'x' * 10 ** 10 }}",
    "{% for a in 'x' * 9999 %}{{ 'x' * 9999 }}{% endfor %}",
    "{{ 9 ** (9 ** 9) }}",
    "{{ 'x'.center(10 ** 9) }}",
    "{{ '%0999999999d' % 1 }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
]


def test_no_payload_leaves_the_sandbox() -> None:
    """Target 32: more than fifty attempts; each is refused or gives nothing but words."""
    assert len(PAYLOADS) >= 50
    for payload in PAYLOADS:
        try:
            said = render_user_template(payload, {"n": "name", "l": [1], "d": {"k": "v"}})
        except TemplateRefused:
            continue
        assert not any(word in said for word in ("<class", "<type", "root:", "uid=", "built-in", "globals", "Popen")), (
            payload,
            said,
        )


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_template_that_does_not_end_is_ended(bomb: str) -> None:
    """Target 32: stopped within three seconds."""
    render_user_template("warm", {})
    start = time.monotonic()
    with pytest.raises(TemplateRefused):
        render_user_template(bomb, {})
    assert time.monotonic() - start <= 3.5, "three seconds, and what the test takes"


def test_a_malformed_template_is_refused_in_a_sentence() -> None:
    with pytest.raises(TemplateRefused, match="cannot be filled in"):
        render_user_template("{{ name", {})
    with pytest.raises(TemplateRefused, match="'name' is undefined"):
        render_user_template("{{ name }}", {})
    with pytest.raises(TemplateRefused, match="too long"):
        render_user_template("x" * (rendering.LARGEST_TEMPLATE + 1), {})


def test_what_goes_over_the_wire_is_data() -> None:
    """No pickle: what a child sends back can at worst be wrong words."""
    source = Path(rendering.__file__).read_text() + rendering.CHILD.read_text()
    assert "pickle" not in source
    assert json.dumps(plain({"a": 1}))
