"""What bytes are, whatever their name says; pictures written anew, without what stood beside the picture."""

from __future__ import annotations

import io
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile, ImageOps

from app.words import _

#: A picture of this size takes about 160 MB while it is open; one is opened at a time.
MOST_PIXELS = 40_000_000
MOST_SIDE = 30_000
_one_at_a_time = threading.Lock()

#: Media type -> how Pillow calls it. A telephone's JPEG with a second picture behind it is called MPO.
PICTURES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
FORMATS = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
PDF = "application/pdf"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv"
#: What browsers play by themselves; the first bytes say which it is.
AUDIO = ("audio/wav", "audio/mpeg", "audio/ogg", "audio/mp4")

ENDINGS = {
    "image/jpeg": (".jpg", ".jpeg"),
    "image/png": (".png",),
    "image/webp": (".webp",),
    PDF: (".pdf",),
    XLSX: (".xlsx",),
    CSV: (".csv", ".txt"),
    "audio/wav": (".wav",),
    "audio/mpeg": (".mp3",),
    "audio/ogg": (".ogg", ".oga", ".opus"),
    "audio/mp4": (".m4a", ".mp4"),
}


class Damaged(Exception):
    """A file of a type that is taken which cannot be opened; its text is a sentence."""


def kind_of(content: bytes) -> str | None:
    """Return the media type that the bytes show, or None if they are nothing that the house takes."""
    if content.startswith(b"%PDF-"):
        return PDF
    if (audio := audio_kind(content)) is not None:
        return audio
    picture = _picture_kind(content)
    if picture is not None:
        return picture
    if content.startswith(b"PK\x03\x04"):
        return XLSX if _is_workbook(content) else None
    return CSV if looks_like_text(content) else None


def audio_kind(head: bytes) -> str | None:
    """Return the media type of a recording by its first bytes, or None if it is none that browsers play."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "audio/wav"
    if head[:4] == b"OggS":
        return "audio/ogg"
    if head[4:8] == b"ftyp" and head[8:11] in (b"M4A", b"mp4", b"iso", b"M4B"):
        return "audio/mp4"
    # A frame of MPEG audio: eleven bits set, a version, layer, bit rate and sampling rate that there are.
    is_frame = len(head) > 3 and head[0] == 0xFF and head[1] & 0xE6 in (0xE2, 0xE4) and head[2] & 0xF0 != 0xF0
    if head[:3] == b"ID3" or (is_frame and head[1] & 0x18 != 0x08 and head[2] & 0x0C != 0x0C):
        return "audio/mpeg"
    return None


def named_as(name: str, kind: str) -> str:
    """Return a file's name with the ending of what it is: nobody saves a picture as ``x.exe``."""
    endings = ENDINGS.get(kind, ())
    return name if not endings or name.lower().endswith(endings) else f"{name}{endings[0]}"


def looks_like_text(content: bytes) -> bool:
    """Say whether bytes may be a table in text, in whatever encoding: no zero byte, no program, no markup."""
    head = content[:4096]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if b"\x00" in content[:65536] or head.startswith((b"MZ", b"\x7fELF", b"#!", b"\xd0\xcf\x11\xe0")):
        return False
    return not head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<", b"{\\rtf"))


def no_table(content: bytes) -> str:
    """Return why bytes are no table that is taken, and what to do: the files that people send instead."""
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        if "EncryptedPackage".encode("utf-16-le") in content:
            return _("This workbook is protected by a password. Please save it without one.")
        return _("This is a file of an old Office program (.xls, .doc). Please save it as .xlsx.")
    if content.startswith(b"PK"):
        return _no_workbook(content)
    if content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(b"<"):
        return _("This is a web page with the ending of a table. Please open it and save it as .xlsx.")
    return _("Please send a table as XLSX or CSV; this file is neither.")


def _no_workbook(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            names = parts.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return _("This workbook is damaged or was not sent whole. Please save it anew and try again.")
    if "word/document.xml" in names:
        return _("This is a Word document. Please copy its table into a spreadsheet and save it as .xlsx.")
    if any(name.endswith(".iwa") or name == "Index.zip" for name in names):
        return _("This is a Numbers document. Please export it as Excel or CSV.")
    if "xl/workbook.bin" in names or "content.xml" in names:
        return _("This is a spreadsheet of another kind (.xlsb, .ods). Please save it as .xlsx.")
    return _("Please send a table as XLSX or CSV; this file is neither.")


def refuse_broken_pdf(content: bytes) -> None:
    """Raise ``Damaged`` for a PDF without its end. What it holds is not judged: it is only ever saved, never shown."""
    if not re.search(rb"%%EOF\s*[^\n]{0,200}\s*$", content[-4096:]):
        raise Damaged(_("This PDF is damaged: its end is missing."))


def written_anew(content: bytes) -> bytes:
    """Return the picture alone, upright: no position, no camera, no words, nothing behind its end.

    Raises ``Damaged`` for one that cannot be opened whole, or has more points than are taken.
    """
    try:
        with _alone_and_strict(), Image.open(io.BytesIO(content), formats=list(PICTURES.values())) as picture:
            if picture.width * picture.height > MOST_PIXELS or max(picture.size) > MOST_SIDE:
                raise Damaged(_("This picture has too many points; please send a smaller one."))
            return _saved(picture)
    except Damaged:
        raise
    except Exception as wrong:
        raise Damaged(_("This picture is damaged and cannot be opened.")) from wrong


@contextmanager
def _alone_and_strict() -> Iterator[None]:
    """Open one picture at a time, and none that is cut short: the library that prints switches that check off."""
    with _one_at_a_time:
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def _saved(picture: Image.Image) -> bytes:
    kind = PICTURES[FORMATS[picture.format or ""]]
    picture.load()
    ImageOps.exif_transpose(picture, in_place=True)
    seen_through = picture.info.get("transparency")
    picture.info = {} if seen_through is None or kind != "PNG" else {"transparency": seen_through}
    if kind == "JPEG" and picture.mode not in ("RGB", "L"):
        picture = picture.convert("RGB")
    written = io.BytesIO()
    picture.save(written, kind, exif=b"", **({} if kind == "PNG" else {"quality": 90}))
    return written.getvalue()


def _picture_kind(content: bytes) -> str | None:
    try:
        with Image.open(io.BytesIO(content), formats=list(PICTURES.values())) as picture:
            return FORMATS.get(picture.format or "")
    except Image.DecompressionBombError:
        # Large, but a picture: ``written_anew`` says what is wrong with it.
        return next((kind for kind, mark in _MARKS.items() if content.startswith(mark)), None)
    except Exception:  # noqa: BLE001 (as above; what is no picture may still be something else)
        return None


_MARKS = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG", "image/webp": b"RIFF"}


def _is_workbook(content: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            return "xl/workbook.xml" in parts.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError):
        return False
