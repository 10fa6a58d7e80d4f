"""Files taken in, kept and given out: what is refused, what is written anew, who may read, what is swept away."""

from __future__ import annotations

import io
import os
import resource
import struct
import zipfile
import zlib
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import select

from app import filestore
from app.errors import InvalidInput
from app.filestore import FileMissing, FileStore
from app.models.audit import SensitiveViewLog
from app.models.files import FilePurpose, StoredFile
from app.services.files import (
    attach,
    clean_name,
    content_of,
    digests_of,
    log_reading,
    readable,
    sent_file,
    sweep,
    take_in,
)
from app.services.filetypes import CSV, XLSX, kind_of, named_as

PDF_FILE = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB", **more: object) -> bytes:
    written = io.BytesIO()
    Image.new(mode, size, 90 if mode == "L" else None).save(written, kind, **more)
    return written.getvalue()


def with_position() -> bytes:
    """A JPEG as a telephone writes it: turned, with the place and the maker."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Telephone"
    exif.get_ifd(0x8825)[2] = (31.0, 13.0, 49.0)
    return picture("JPEG", exif=exif)


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it is so large and holds one colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compress((b"\x00" + b"\x00" * ((width + 7) // 8)) * height, 9)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def zipped(**files: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as parts:
        for name, content in files.items():
            parts.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return written.getvalue()


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    """A store of this test's own."""
    store = FileStore(tmp_path / "files")
    monkeypatch.setattr(filestore, "_store", store)
    return store


@pytest.fixture
def send(session, consultant, at):
    def take(content, name="a.png", *, by=None, purpose=FilePurpose.EVIDENCE, when=None):
        return take_in(
            session, content, name, purpose=purpose, field="evidence_file_id", by=by or consultant, at=when or at
        )

    return take


REFUSED = {
    "empty": b"",
    "program": b"MZ\x90\x00" + b"\x00" * 400,
    "elf": b"\x7fELF" + b"\x00" * 100,
    "script": b"#!/bin/sh\nrm -rf /\n",
    "php": b"<?php system($_GET['c']); ?>",
    "html": b"<html><script>alert(1)</script></html>",
    "html behind blanks": b"\n\n  <!DOCTYPE html><body onload=alert(1)>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "svg with a head": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "zip": zipped(a=b"x"),
    "jar": zipped(**{"META-INF__MANIFEST.MF": b"Main-Class: X"}),
    "table": b"name,phone\nLin,13800000000\n",
    "workbook": zipped(xl__workbook_xml=b"<workbook/>"),
    "old office": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 500,
    "rtf": b"{\\rtf1 hello}",
    "gif": picture("GIF", mode="P"),
    "bmp": picture("BMP"),
    "tiff": picture("TIFF"),
    "ico": picture("ICO", size=(16, 16)),
    "postscript": b"%!PS-Adobe-3.0\n",
    "pdf behind html": b"<html>" + PDF_FILE,
    "pdf without its end": PDF_FILE[:40],
    "head of a jpeg alone": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    "head of a png alone": b"\x89PNG\r\n\x1a\n",
    "truncated jpeg": picture("JPEG", (600, 600))[:1500],
    "truncated png": picture("PNG", (600, 600))[:-60],
    "truncated webp": picture("WEBP", (600, 600))[:60],
    "bomb of 12,000 by 12,000": png_of(12_000, 12_000),
    "bomb of 20,000 by 20,000": png_of(20_000, 20_000),
    "one long line": png_of(31_000, 10),
    "nothing but zeros": b"\x00" * 5000,
    "heic": b"\x00\x00\x00\x18ftypheic" + b"\x00" * 200,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_sound_picture_or_pdf_is_refused_whatever_its_name_says(name, send, session, own_store):
    for called in ("picture.jpg", "scan.pdf"):
        with pytest.raises(InvalidInput) as refused:
            send(REFUSED[name], called)
        assert [*refused.value.errors] == ["evidence_file_id"]
        assert len(refused.value.errors["evidence_file_id"][0]) > 4, "a sentence"
    assert session.scalars(select(StoredFile)).all() == []
    assert not own_store.root.exists(), "nothing reached the disk"


def test_a_bomb_takes_no_memory(send):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("bomb of 12,000 by 12,000", "bomb of 20,000 by 20,000"):
        with pytest.raises(InvalidInput):
            send(REFUSED[name])
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 100, f"{grown} MB"


def test_the_largest_picture_stays_below_three_hundred_megabytes(send):
    large = picture("JPEG", (8000, 5000), mode="CMYK", quality=30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    send(large, "wand.jpg")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 320, f"{grown} MB"


def test_a_file_above_the_limit_is_refused_with_the_limit(send, do, admin):
    with pytest.raises(InvalidInput, match="10 MB"):
        send(PDF_FILE + b"x" * (10 * 1024 * 1024))
    do("param.set_value", admin, key="files.largest_mb", branch_id=None, value="1", effective_at=None, reason=None)
    with pytest.raises(InvalidInput, match="1 MB"):
        send(PDF_FILE + b"x" * (1024 * 1024))


def test_a_picture_loses_its_place_and_its_maker_and_stands_upright(send):
    sent = with_position()
    assert Image.open(io.BytesIO(sent)).getexif().get_ifd(0x8825), "the picture sent says where it was taken"
    kept = content_of(send(sent, "IMG_1.JPG"))
    opened = Image.open(io.BytesIO(kept))
    assert dict(opened.getexif()) == {}
    assert opened.size == (30, 40), "turned as it was held"
    assert b"Telephone" not in kept
    assert b"Exif" not in kept


def test_words_beside_a_picture_and_behind_its_end_are_gone(send):
    said = PngInfo()
    said.add_text("Comment", "13800000000")
    said.add_itxt("XML:com.adobe.xmp", "<x>secret</x>")
    png = content_of(send(picture("PNG", pnginfo=said) + b"<script>alert(1)</script>"))
    jpeg = content_of(send(picture("JPEG", comment=b"secret", icc_profile=b"secret") + b"<?php secret ?>", "a.jpg"))
    webp = content_of(send(picture("WEBP", xmp=b"<x>secret</x>") + b"secret", "a.webp"))
    for content in (png, jpeg, webp):
        assert not any(word in content for word in (b"13800000000", b"secret", b"script", b"php"))


MODES = {"PNG": ("P", "LA", "RGBA", "1", "I;16"), "JPEG": ("L", "CMYK"), "WEBP": ("RGBA", "RGB")}


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind, modes in MODES.items() for mode in modes])
def test_pictures_of_every_mode_are_kept(kind, mode, send):
    kept = content_of(send(picture(kind, mode=mode), "a"))
    opened = Image.open(io.BytesIO(kept))
    assert (opened.format, opened.size) == (kind, (40, 30))


def test_a_pdf_is_kept_as_it_is_scripts_and_all(send):
    scripted = PDF_FILE.replace(b"/Catalog", b"/Catalog /OpenAction << /S /JavaScript /JS (app.alert(1)) >>")
    encrypted = PDF_FILE.replace(b"/Root 1 0 R", b"/Root 1 0 R /Encrypt 2 0 R")
    for content in (PDF_FILE, scripted, encrypted):
        file = send(content, "scan.pdf")
        assert (content_of(file), file.media_type) == (content, "application/pdf")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("聊天 1.png", "聊天 1.png"),
        ("../../etc/passwd", "passwd.png"),
        ("..\\..\\windows\\a.png", "a.png"),
        ("/absolute/b.png", "b.png"),
        ("a\x00b\n\r\t.png", "ab.png"),
        ("x.exe", "x.exe.png"),
        ("a\u2028b\u2029.png", "ab.png"),
        ("picture\u202egnp.exe", "picturegnp.exe.png"),
        ("", "file.png"),
        (". . .", "file.png"),
        ("A.PNG", "A.PNG"),
        ("\ud800.png", "png.png"),
    ],
)
def test_a_name_is_only_ever_a_name(name, kept, send, own_store):
    file = send(picture(), name)
    assert file.name == kept
    assert [path.name for path in own_store.root.rglob("*") if path.is_file()] == [file.file_key]


def test_a_name_of_any_length_fits(send):
    assert len(send(picture(), "长" * 5000 + ".png").name) <= 200
    assert clean_name("x" * 500).startswith("xxx")
    assert named_as("list", "text/csv") == "list.csv"


def test_what_lies_on_disk_is_sealed_and_closed_to_others(send, own_store):
    file = send(PDF_FILE, "scan.pdf")
    path = next(path for path in own_store.root.rglob("*") if path.is_file())
    assert b"PDF" not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    fresh = FileStore(own_store.root / "home" / "files")
    fresh.put(b"x")
    assert fresh.root.stat().st_mode & 0o777 == 0o700
    assert file.digest not in path.name
    path.write_bytes(b"somebody wrote here")
    with pytest.raises(FileMissing):
        content_of(file)


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "a" * 31, "A" * 32, "a" * 33, "a" * 32 + "\n"])
def test_the_store_opens_nothing_but_its_own_keys(key, own_store):
    with pytest.raises(FileMissing):
        own_store.get(key)


def test_tables_are_taken_for_imports_and_pictures_are_not(send):
    tables = {b"a,b\n1,2\n": CSV, "姓名,电话\n".encode("gb18030"): CSV, zipped(xl__workbook_xml=b"<workbook/>"): XLSX}
    for content, kind in tables.items():
        assert send(content, "list", purpose=FilePurpose.IMPORT).media_type == kind
    with pytest.raises(InvalidInput):
        send(picture(), purpose=FilePurpose.IMPORT)
    assert kind_of(b"\xff\xfea\x00") == "text/csv", "UTF-16"


# --- whose they are ----------------------------------------------------------------------------------------------


def test_a_file_is_given_to_one_record_and_only_by_its_sender(send, session, consultant, colleague):
    file = send(picture())
    assert sent_file(session, file.id, colleague) is None
    with pytest.raises(InvalidInput, match=r"again|重新"):
        attach(session, file.id, "appointment_slip", 1, field="evidence_file_id", by=colleague)
    attach(session, file.id, "appointment_slip", 1, field="evidence_file_id", by=consultant)
    assert sent_file(session, file.id, consultant) is None
    for key in (file.id, 2**60):
        with pytest.raises(InvalidInput):
            attach(session, key, "appointment_slip", 2, field="evidence_file_id", by=consultant)


def test_a_file_is_read_by_its_sender_and_by_who_may_open_its_record(
    send, session, make_slip, consultant, colleague, supervisor, person, at
):
    file, slip = send(picture()), make_slip()
    assert readable(session, file.id, consultant) is file
    assert readable(session, file.id, supervisor) is None, "it belongs to no record yet"
    attach(session, file.id, "appointment_slip", slip.id, field="evidence_file_id", by=consultant)
    assert readable(session, file.id, supervisor) is file
    for stranger in (colleague, person("b2_phone_supervisor"), person("cashier"), person("it_manager")):
        assert readable(session, file.id, stranger) is None, stranger.display_name
    file.dropped_at = at
    assert readable(session, file.id, consultant) is None


def test_reading_anothers_evidence_is_written_down(send, session, make_slip, consultant, supervisor, at):
    file, slip = send(picture()), make_slip()
    attach(session, file.id, "appointment_slip", slip.id, field="evidence_file_id", by=consultant)
    log_reading(session, file, by=consultant, at=at)
    log_reading(session, file, by=supervisor, at=at)
    session.flush()
    looks = session.scalars(select(SensitiveViewLog).where(SensitiveViewLog.field == "evidence_file")).all()
    assert [(look.employee_id, look.table_name, look.record_id) for look in looks] == [
        (supervisor.employee_id, "appointment_slip", slip.id)
    ]


def test_two_files_of_the_same_content_count_as_one(send, session):
    first, second, other = send(picture()), send(picture(), "b.png"), send(picture(size=(9, 9)))
    assert digests_of(session, [str(first.id)]) == digests_of(session, [str(second.id)])
    assert digests_of(session, [str(first.id)]) != digests_of(session, [str(other.id)])
    assert digests_of(session, ["", "x", "²", "9" * 40, "-1"]) == []


# --- sweeping ----------------------------------------------------------------------------------------------------


def _age(path: Path, hours: float) -> None:
    then = path.stat().st_mtime - hours * 3600
    os.utime(path, (then, then))


def _on_disk(store: FileStore) -> set[str]:
    return {path.name for path in store.root.rglob("*") if path.is_file()}


def test_a_file_that_nothing_used_is_dropped_and_then_leaves_the_disk(send, session, own_store, consultant, at):
    old, new, used = send(picture(), when=at - timedelta(hours=25)), send(picture()), send(picture())
    attach(session, used.id, "appointment_slip", 1, field="evidence_file_id", by=consultant)
    used.created_at = at - timedelta(days=90)
    orphan = own_store.put(b"no row")
    for path in own_store.root.rglob("*"):
        if path.is_file() and path.name != new.file_key:
            _age(path, 25)
    assert sweep(session, at=at) == (1, 1)
    assert (old.dropped_at, new.dropped_at, used.dropped_at) == (at, None, None)
    assert _on_disk(own_store) == {old.file_key, new.file_key, used.file_key}
    assert orphan not in _on_disk(own_store)
    assert sweep(session, at=at + timedelta(hours=6)) == (0, 1)
    assert _on_disk(own_store) == {new.file_key, used.file_key}
    with pytest.raises(InvalidInput):
        attach(session, old.id, "appointment_slip", 1, field="evidence_file_id", by=consultant)


def test_a_file_half_written_in_a_crash_goes_too(session, own_store, at):
    key = own_store.put(b"x")
    part = own_store.root / key[:2] / f"{'a' * 32}.part"
    part.write_bytes(b"half")
    _age(part, 30)
    sweep(session, at=at)
    assert not part.exists()
    assert key in _on_disk(own_store), "a new one stays: its row may be on its way"


def test_how_long_an_unused_file_is_kept_is_a_setting(send, session, do, admin, at):
    file = send(picture(), when=at - timedelta(hours=30))
    do("param.set_value", admin, key="files.unused_hours", branch_id=None, value="48", effective_at=None, reason=None)
    assert sweep(session, at=at)[0] == 0
    assert sweep(session, at=at + timedelta(hours=19))[0] == 1
    assert file.dropped_at is not None
