"""A telephone system for tests: an HTTP server on this machine that answers as told and keeps what it was asked."""

from __future__ import annotations

import io
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def tone(seconds: float = 0.2) -> bytes:
    """Return a small recording (WAV, 8 kHz)."""
    out = io.BytesIO()
    with wave.open(out, "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(1)
        made.setframerate(8000)
        made.writeframes(bytes(128 + (place % 40) for place in range(int(8000 * seconds))))
    return out.getvalue()


@dataclass
class System:
    """What it answers with (``status``; None: never) and what it was asked: (method, path, headers, body)."""

    port: int = 0
    status: int | None = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def telephone_system() -> Iterator[System]:
    """Listen on this machine until the end."""
    told = System()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            told.asked.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
            if told.status is None:
                told.closing.wait(20)
                return
            self.send_response(told.status)
            for name, value in {"Content-Length": str(len(told.body)), **told.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(told.body)
            except OSError:
                return

        do_GET = do_POST = do_PUT = _answer  # noqa: N815 - as the library calls them

        def log_message(self, *_told: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        told.closing.set()
        server.shutdown()
        thread.join(5)
        server.server_close()
