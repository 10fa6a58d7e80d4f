"""Sixty files that nobody should send, over screen and REST. White paper L13, H.2; trust target 30.

Nothing leaves the store, no metadata is kept, no answer is an error of ours, the process stays small, and what is given
out is saved and never run.
"""

from __future__ import annotations

import gc
import io
import re
import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import select

from app import filestore
from app.filestore import FileStore
from app.models.files import StoredFile
from app.services.files import MAX_NAME
from tests.panel.test_uploads import ACT, DIALOG
from tests.services.test_files import PDF_FILE, REFUSED, picture, png_of, with_position, zipped

MEGABYTE = 1024 * 1024
MOST_GROWTH = 300 * MEGABYTE
ESCAPED = "yimei-escaped-7f3a"
SECRETS = (b"Telephone", b"GPS", b"<script", b"Secret-camera", b"MZ\x90", b"PK\x03\x04", b"<?php", b"xpacket")
OUTSIDE = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


def with_words() -> bytes:
    words = PngInfo()
    words.add_text("Comment", "Secret-camera <script>alert(1)</script>")
    words.add_itxt("XML:com.adobe.xmp", "<?xpacket begin?>Secret-camera")
    return picture("PNG", pnginfo=words)


def with_comment(kind: str) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Secret-camera"
    exif.get_ifd(0x8825)[2] = (31.0, 13.0, 49.0)
    more = {"comment": b"Secret-camera <?php"} if kind == "JPEG" else {"xmp": b"<?xpacket begin?>Secret-camera"}
    return picture(kind, exif=exif, **more)


def deflated_zeros(megabytes: int) -> bytes:
    """A workbook of one sheet that is a thousand times its size when it is opened."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as parts:
        parts.writestr("xl/workbook.xml", "<workbook/>")
        with parts.open("xl/worksheets/sheet1.xml", "w") as part:
            for _each in range(megabytes):
                part.write(b" " * MEGABYTE)
    return written.getvalue()


def many_parts(count: int) -> bytes:
    return zipped(xl__workbook_xml=b"<workbook/>", **{f"p{number}": b"" for number in range(count)})


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (letter + 1, b"&%c;" % letter * 40) for letter in b"abcdefgh")
    + b"]><workbook>&i;</workbook>"
)
OUTER = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY o SYSTEM "file:///etc/passwd">]><workbook>&o;</workbook>'


def bomb_in_text_chunk() -> bytes:
    """A PNG whose comment unpacks to 100 MB."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    whole = picture("PNG")
    return whole[:33] + chunk(b"zTXt", b"c\0\0" + zlib.compress(b"a" * 100 * MEGABYTE, 9)) + whole[33:]


#: Names, each with a good picture: what is kept of them is a last part, printable and short.
NAMES = [
    f"../../../../tmp/{ESCAPED}.png", f"..\\..\\..\\{ESCAPED}.png", f"/tmp/{ESCAPED}.png", f"C:\\{ESCAPED}.png",
    f"....//....//{ESCAPED}.png", f"%2e%2e%2f%2e%2e%2f{ESCAPED}.png", f"..%c0%af{ESCAPED}.png",
    f"\\\\host\\{ESCAPED}.png", f"a\x00/../{ESCAPED}.png", f"{ESCAPED}.png\x00.jpg", "\u202egnp.exe",
    "a\u2028b.png", "\u200b.png", "x\r\nX-Injected: 1.png", 'a"; filename="b.html', "a';alert(1);'.png",
    "<script>alert(1)</script>.png", "=1+1.png", "CON", "NUL.png", "aux.png", "a:b.png", ".htaccess", "..", ".", " ",
    "....", "a" * 5000 + ".png", "整" * 300 + ".png", "a.png.exe", "a.png ", "~root.png", "${7*7}.png", "{{7*7}}.png",
    "`id`.png", "|id", "-rf.png",
]  # fmt: skip

CONTENTS: dict[str, bytes] = {
    **REFUSED,
    "position of the telephone": with_position(),
    "words in a PNG": with_words(),
    "comment in a JPEG": with_comment("JPEG"),
    "XMP in a WebP": with_comment("WEBP"),
    "script behind a picture": picture("PNG") + b"<script>alert(1)</script>",
    "program behind a picture": picture("JPEG") + b"MZ\x90\x00<?php",
    "archive behind a picture": picture("JPEG") + zipped(a=b"x"),
    "GIF that is a script": b"GIF89a/*<svg/onload=alert(1)>*/=1;",
    "PDF behind a picture": picture("PNG") + PDF_FILE,
    "page behind a PDF": b"<html><script>alert(1)</script>" + PDF_FILE,
    "PDF without its end": PDF_FILE[:-8],
    "12,000 by 12,000": png_of(12_000, 12_000),
    "40,000 by 40,000": png_of(40_000, 40_000),
    "1 by 100,000": png_of(1, 100_000),
    "0 by 0": png_of(0, 0),
    "comment of 100 MB": bomb_in_text_chunk(),
    "cut picture": picture("PNG", (900, 900))[:-60],
    "first bytes alone": b"\x89PNG\r\n\x1a\n",
    "JPEG head alone": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    "RIFF alone": b"RIFF\xff\xff\xff\xffWEBPVP8 ",
    "noise": bytes(range(256)) * 40,
    "one byte": b"\x00",
    "TIFF of telephones": picture("TIFF"),
    "SVG in UTF-16": OUTSIDE.encode("utf-16"),
    "SVG with a mark": b"\xef\xbb\xbf" + OUTSIDE.encode(),
    "too large": b"%PDF-" + b"x" * (10 * MEGABYTE + 10),
}
TABLES: dict[str, bytes] = {
    "sheet of 300 MB": deflated_zeros(300),
    "20,000 parts": many_parts(20_000),
    "laughs": zipped(xl__workbook_xml=LAUGHS),
    "entity outside": zipped(xl__workbook_xml=OUTER),
    "workbook of nothing": zipped(xl__workbook_xml=b""),
    "names that climb": zipped(xl__workbook_xml=b"<workbook/>", **{f"../../{ESCAPED}": b"x"}),
    "text of one line": b"a," * 500_000,
    "text of zeros": b"\x00" * 1000,
    "UTF-16 cut in two": "姓名,手机\n王芳,1".encode("utf-16")[:-1],
    "quotes that never end": b'"' + b"a\n" * 200_000,
    "surrogates": b"\xed\xa0\x80,\xed\xb0\x80\n1,2",
}  # fmt: skip


def in_use(name: str) -> int:
    """Return a figure of this process's memory, in bytes: ``VmRSS`` now, ``VmHWM`` at most since ``forget_peak``."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    assert found is not None
    return int(found[1]) * 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", "ascii")


@pytest.fixture
def own_store(tmp_path, monkeypatch):
    store = FileStore(tmp_path / "far" / "down" / "files")
    monkeypatch.setattr(filestore, "_store", store)
    return store


@pytest.fixture
def guarded(own_store, tmp_path):
    """Everything about a sending is watched: where files come to lie, and how much memory was taken."""
    forget_peak()
    before = in_use("VmRSS")
    here = {path.name for path in Path.cwd().iterdir()}
    yield own_store
    assert in_use("VmHWM") - before < MOST_GROWTH
    lying = [path for path in tmp_path.rglob("*") if path.is_file() and own_store.root not in path.parents]
    assert lying == []
    assert {path.name for path in Path.cwd().iterdir()} <= here
    for name in NAMES:
        for root in (Path("/tmp"), Path("/"), tmp_path, own_store.root.parent, Path.cwd()):
            assert not (root / f"{ESCAPED}.png").exists(), name
    for path in own_store.root.rglob("*"):
        assert not path.is_file() or re.fullmatch(r"[0-9a-f]{32,}", path.name), "the house names what it keeps"


@pytest.fixture
def bearer(app, session):
    def of(username):
        said = {"username": username, "password": "Yimei-demo-2026", "provider": "db"}
        told = app.test_client().post("/api/v1/security/login", json=said)
        return {"Authorization": f"Bearer {told.json['access_token']}"}

    return of


def part(name: str, filename: str, content: bytes) -> bytes:
    """One part of a multipart body, with a file name exactly as it is, however wrong."""
    told = filename.replace("\\", "\\\\").replace('"', '\\"')
    head = f'--xYx\r\nContent-Disposition: form-data; name="{name}"; filename="{told}"\r\n\r\n'
    return head.encode("utf-8", "surrogatepass") + content + b"\r\n"


def body(*parts: bytes, **form: str) -> dict[str, object]:
    said = [f'--xYx\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in form.items()]
    whole = "".join(said).encode() + b"".join(parts) + b"--xYx--\r\n"
    return {"data": whole, "content_type": "multipart/form-data; boundary=xYx"}


def given_out(client, headers, session, pk):
    """Check a kept file: its name, its bytes, and how it is given out."""
    kept = session.get(StoredFile, pk)
    assert 0 < len(kept.name) <= MAX_NAME
    assert not [c for c in kept.name if unicodedata.category(c)[0] == "C" or unicodedata.category(c) in ("Zl", "Zp")]
    assert not {*"/\\\x00\r\n"} & {*kept.name}
    answer = client.get(f"/api/v1/stored_file/{pk}/content", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert re.fullmatch(r"attachment; filename=\"[\w. -]*\"; filename\*=UTF-8''[\w.%~-]+",
                        answer.headers["Content-Disposition"], re.ASCII)  # fmt: skip
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert answer.content_type == kept.media_type
    assert answer.content_type in ("image/png", "image/jpeg", "image/webp", "application/pdf")
    assert "X-Injected" not in answer.headers
    if kept.media_type != "application/pdf":
        assert not [secret for secret in SECRETS if secret in answer.data], kept.name
        with Image.open(io.BytesIO(answer.data)) as opened:
            assert not dict(opened.getexif())
            assert not {"comment", "Comment", "xmp", "exif"} & set(opened.info)


def test_no_name_leaves_the_store(app, session, bearer, guarded, some):
    client, headers = app.test_client(), bearer("phone_consultant")
    for name in some(NAMES, 18):
        answer = client.post(
            "/api/v1/stored_file/", headers=headers, **body(part("file", name, picture()), purpose="evidence")
        )
        assert answer.status_code in (201, 422, 400), (name, answer.status_code)
        if answer.status_code == 201:
            given_out(client, headers, session, answer.json["id"])


def test_no_content_is_kept_with_what_does_not_belong_to_it(app, session, bearer, guarded, some):
    client, headers, taken = app.test_client(), bearer("phone_consultant"), 0
    for name in some(sorted(CONTENTS), 28):
        answer = client.post(
            "/api/v1/stored_file/",
            headers=headers,
            **body(part("file", "照片.jpg", CONTENTS[name]), purpose="evidence"),
        )
        assert answer.status_code in (201, 422), (name, answer.status_code)
        if answer.status_code == 201:
            given_out(client, headers, session, answer.json["id"])
            taken += 1
        else:
            assert answer.json["errors"]["file"], name
    assert taken


def test_the_same_files_through_a_form(login, session, guarded, some):
    """The rest of the form is empty, so that none makes a record; a file that is taken stands in the form."""
    client = login("phone_consultant")
    cases = [("照片.jpg", content) for _name, content in sorted(CONTENTS.items())] + [
        (name, picture()) for name in NAMES
    ]
    for name, content in some(cases, 16):
        sent = body(part("evidence_file_id", name, content), csrf_token=client.token)
        answer = client.post(ACT, headers=DIALOG, **sent)
        assert answer.status_code in (400, 413, 422), (name, content[:20], answer.status_code)
        assert "<script>alert" not in answer.text
        assert "{{7*7}}" in answer.text or "49.png" not in answer.text


@pytest.mark.filterwarnings("ignore:Unclosed file", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_bodies_that_lie_about_their_parts(app, session, bearer, guarded):
    """The parser leaves the files of a body that it refuses to the collector, which is made to run here."""
    client, headers = app.test_client(), bearer("phone_consultant")
    two = [part("file", f"{number}.png", picture()) for number in range(2)]
    many = [part(f"f{number}", "a.png", b"x") for number in range(2000)]
    for parts in (two, many, two[:1] + many[:50], [part("file", "", picture())], [part("", "a.png", picture())]):
        answer = client.post("/api/v1/stored_file/", headers=headers, **body(*parts, purpose="evidence"))
        assert answer.status_code in (201, 400, 413, 422), answer.status_code
    fields = {f"field{number}": "x" for number in range(3000)}
    answer = client.post("/api/v1/stored_file/", headers=headers, **body(two[0], purpose="evidence", **fields))
    assert answer.status_code in (201, 400, 413, 422)
    twice = b'--xYx\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nresult\r\n'
    answer = client.post("/api/v1/stored_file/", headers=headers, **body(twice, two[0], purpose="evidence"))
    assert answer.status_code in (201, 422)
    purposes = set(session.scalars(select(StoredFile.purpose)))
    assert {purpose.value for purpose in purposes} <= {"evidence"}, "no one chooses a purpose by saying it twice"
    gc.collect()


def test_tables_that_blow_up_are_refused_with_a_sentence(app, rest, session, bearer, guarded, some):
    client, headers, call = app.test_client(), bearer("it_manager"), rest("it_manager")
    for name in some(sorted(TABLES), 6):
        for ending in ("xlsx", "csv"):
            sent = body(part("file", f"客户.{ending}", TABLES[name]), purpose="import")
            answer = client.post("/api/v1/stored_file/", headers=headers, **sent)
            assert answer.status_code in (201, 422), (name, answer.status_code)
            if answer.status_code == 201:
                told = call("POST", "import_batch/upload", {"kind": "customers", "file_id": answer.json["id"]})
                assert told.status_code in (201, 409, 422), (name, told.status_code)
                assert "root:" not in told.text
