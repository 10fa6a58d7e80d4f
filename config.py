"""Settings, read from the environment and checked at start.

Nothing here imports the application. What is missing, malformed or unsafe is refused with a sentence that says
what to do; what a demo or a test needs and nobody gave (a secret, a key ring) is made once and kept in the home.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

HERE = Path(__file__).resolve().parent
MODES = ("production", "demo", "test")
SHORTEST_SECRET = 32
KNOWN_DEFAULTS = ("secret", "changeme", "change-me", "change_me", "default", "yimei", "password", "thisismysecretkey")
DRIVER = "postgresql+psycopg"
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

# What no environment changes: how Flask-AppBuilder is tamed, the languages, the limits.
FIXED: dict[str, Any] = {
    "APP_NAME": "Yimei 医美",
    # Migrations own the schema and `sync-security` owns the permissions: a worker starts without writing either.
    "FAB_CREATE_DB": False,
    "FAB_UPDATE_PERMS": False,
    "FAB_BASE_TEMPLATE": "appbuilder/baselayout.html",
    "FAB_SECURITY_MANAGER_CLASS": "app.panel.security.HouseSecurityManager",
    "FAB_ADD_SECURITY_API": False,
    "FAB_ADD_SECURITY_PERMISSION_VIEW": False,
    "FAB_ADD_SECURITY_VIEW_MENU_VIEW": False,
    "FAB_ADD_SECURITY_PERMISSION_VIEWS_VIEW": False,
    "FAB_ADD_MENU_API": False,
    "FAB_ADD_OPENAPI_VIEWS": False,
    "FAB_API_SWAGGER_UI": False,
    "FAB_API_SHOW_STACKTRACE": False,
    "FAB_ALLOW_GET_UNSAFE_MUTATIONS": False,
    "AUTH_TYPE": 1,  # AUTH_DB: accounts in our own database
    "AUTH_ROLE_ADMIN": "admin",
    "AUTH_ROLE_PUBLIC": "Public",
    "AUTH_USER_REGISTRATION": False,
    # A whole branch may log in from behind one address at nine in the morning; a guesser wants more than this.
    "AUTH_RATE_LIMIT": "60 per 1 minute",
    "RATELIMIT_STORAGE_URI": "yimei+postgresql://",  # app/panel/doors/rates.py: shared by all workers
    # Per person where somebody is logged in, else per address. Generous: a guesser or a runaway script wants more.
    "RATE_LIMITS": {
        "code": "30 per 1 minute",
        "unlock": "20 per 1 minute",
        "reveal": "30 per 1 minute",
        "post": "300 per 1 minute",
        "find": "240 per 1 minute",
        "api_key": "600 per 1 minute",
        "api_key_refused": "30 per 1 minute",
        # A telephone system tells of every call of a branch: fifty events a second are a busy one.
        "call_event": "12000 per 1 minute",
    },
    "BABEL_DEFAULT_LOCALE": "zh",
    "BABEL_DEFAULT_TIMEZONE": "Asia/Shanghai",
    "BABEL_TRANSLATION_DIRECTORIES": str(HERE / "app" / "translations"),
    "LANGUAGES": {"zh": {"flag": "cn", "name": "简体中文"}, "en": {"flag": "gb", "name": "English"}},
    "BOOTSTRAP_SERVE_LOCAL": True,
    "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_SAMESITE": "Lax",
    "PERMANENT_SESSION_LIFETIME": timedelta(hours=12),
    "JWT_REFRESH_TOKEN_EXPIRES": timedelta(hours=12),
    "WTF_CSRF_TIME_LIMIT": None,
    # A note of 10 MB has to reach the form, so that it is answered beside its field and not by a bare 413.
    "MAX_CONTENT_LENGTH": 16 * 1024 * 1024,
    "MAX_FORM_MEMORY_SIZE": 12 * 1024 * 1024,
    # Two hundred lines of a bill, each with a dozen inputs.
    "MAX_FORM_PARTS": 4000,
}

# hide_parameters: the framework logs failing statements, and their parameters would carry password hashes.
# The pool holds the eight threads of one web worker, with room for a request that opens a second connection.
ENGINE_OPTIONS: dict[str, Any] = {
    "hide_parameters": True,
    "pool_pre_ping": True,
    "pool_size": 8,
    "max_overflow": 4,
    "pool_timeout": 15,
    "pool_recycle": 1800,
    "connect_args": {"connect_timeout": 10, "options": "-c timezone=UTC"},
}


class SettingsRefused(Exception):
    """A setting that is missing, malformed or unsafe. The message tells the operator what to do."""


def from_environment(environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the Flask configuration for this environment.

    Raises ``SettingsRefused`` for an unknown mode, a missing or foreign database address, a production secret that
    is absent, short or well known, and a key ring that is absent in production or malformed anywhere.
    """
    mode = mode_of(environ)
    home = home_of(environ)
    secret = secret_key(environ, mode, home)
    encryption, hash_key = _key_ring(environ, mode, home)
    owner_url = environ.get("DATABASE_OWNER_URL", "").strip()
    settings = dict(FIXED)
    settings.update(
        YIMEI_MODE=mode,
        YIMEI_HOME=str(home),
        FILES_FOLDER=str(files_folder(environ)),
        BACKUPS_FOLDER=str(backups_folder(environ)),
        SEAL_FILE=environ.get("YIMEI_SEAL_FILE", "").strip() or str(home / "seals.jsonl"),
        TRAIL_ARCHIVE=environ.get("YIMEI_TRAIL_ARCHIVE", "").strip() or str(home / "trail"),
        SECRET_KEY=secret,
        JWT_SECRET_KEY=secret,
        SQLALCHEMY_DATABASE_URI=database_url(environ.get("DATABASE_URL", ""), "DATABASE_URL"),
        DATABASE_OWNER_URL=database_url(owner_url, "DATABASE_OWNER_URL") if owner_url else None,
        SQLALCHEMY_ENGINE_OPTIONS={**ENGINE_OPTIONS, "connect_args": dict(ENGINE_OPTIONS["connect_args"])},
        ENCRYPTION_KEYS=encryption,
        HASH_KEY=hash_key,
        AUTH_RATE_LIMITED=mode != "test",
        RATELIMIT_ENABLED=mode != "test",
        TRUSTED_PROXIES=_trusted_proxies(environ),
        KNOWN_HOSTS=_known_hosts(environ),
        JWT_ACCESS_TOKEN_EXPIRES=_token_life(environ),
        WORKER_CONCURRENCY=_worker_concurrency(environ),
        MAIL=mail_server(environ),
        PUBLIC_URL=environ.get("YIMEI_PUBLIC_URL", "").strip(),
        **_public_address(environ),
    )
    if mode == "test":
        # One round instead of a million: the tests create hundreds of accounts, and none guards anything.
        settings.update(TESTING=True, FAB_PASSWORD_HASH_METHOD="pbkdf2:sha256:1")
    return settings


def mode_of(environ: Mapping[str, str] = os.environ) -> str:
    """Return production, demo or test; production if nothing is said."""
    mode = environ.get("YIMEI_MODE", "").strip() or "production"
    if mode not in MODES:
        raise SettingsRefused(f"YIMEI_MODE is {mode!r}; it must be one of {', '.join(MODES)}.")
    return mode


def home_of(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder that holds the keys, the embedded database and the archive; it need not exist yet."""
    given = environ.get("YIMEI_HOME", "").strip()
    return Path(given).expanduser().resolve() if given else HERE / "var"


def files_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the files that people hand in."""
    given = environ.get("YIMEI_FILES", "").strip()
    return Path(given).expanduser().resolve() if given else home_of(environ) / "files"


def backups_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the backups: better on another disk than the data."""
    given = environ.get("YIMEI_BACKUPS", "").strip()
    return Path(given).expanduser().resolve() if given else home_of(environ) / "backups"


def backup_key(environ: Mapping[str, str] = os.environ, *, folder: Path | None = None, make: bool = False) -> bytes:
    """Return the 32 bytes that backups are sealed with: YIMEI_BACKUP_KEY, else ``backup.key`` in the home.

    ``folder`` is looked into instead of the home; with ``make`` a missing file is written. Refuses an absent key.
    """
    given = environ.get("YIMEI_BACKUP_KEY", "").strip() if folder is None else ""
    path = (folder or home_of(environ)) / "backup.key"
    if not given and make and not path.exists():
        write_secret(path, new_encryption_key() + "\n")
    if not given and not path.exists():
        raise SettingsRefused(f"No key for backups: set YIMEI_BACKUP_KEY, or put backup.key into {path.parent}.")
    try:
        key = base64.urlsafe_b64decode((given or path.read_text(encoding="ascii").strip()).encode("ascii"))
    except ValueError:
        key = b""
    if len(key) != 32:
        source = "YIMEI_BACKUP_KEY" if given else str(path)
        raise SettingsRefused(f"{source} is no key for backups (32 bytes, URL-safe base64).")
    return key


def database_url(given: str, name: str) -> str:
    """Return an address for SQLAlchemy with psycopg 3; refuses what is absent or no PostgreSQL."""
    given = given.strip()
    if not given:
        raise SettingsRefused(
            f"{name} is not set. Start with `python3 run.py`, which brings its own PostgreSQL, "
            "or set it to postgresql://user:password@host/database."
        )
    scheme, mark, rest = given.partition("://")
    if not mark or scheme not in ("postgresql", DRIVER):
        raise SettingsRefused(f"{name} must begin with postgresql:// or {DRIVER}://; PostgreSQL 15 or newer is needed.")
    return f"{DRIVER}://{rest}"


def secret_key(environ: Mapping[str, str], mode: str, home: Path) -> str:
    """Return the key that signs sessions and tokens; outside production one is made once and kept in the home."""
    given = environ.get("SECRET_KEY", "").strip()
    if given:
        return _checked_secret(given) if mode == "production" else given
    if mode == "production":
        raise SettingsRefused(
            "SECRET_KEY is not set. Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    path = home / "secret_key"
    if not path.exists():
        write_secret(path, secrets.token_urlsafe(48) + "\n")
    return path.read_text(encoding="utf-8").strip()


def make_home(home: Path) -> None:
    """Create the home if it is absent, closed to others.

    Root leaves it passable (not readable): the embedded server runs under an account of its own and lives inside.
    """
    if not home.is_dir():
        home.parent.mkdir(parents=True, exist_ok=True)
        home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, exist_ok=True)


def make_keys(home: Path) -> dict[str, Any]:
    """Return the home's key ring, creating it if absent.

    Losing ``keys.json`` means losing every encrypted contact, so an existing file is never written again.
    """
    path = home / "keys.json"
    if not path.exists():
        fresh = {"encryption": [new_encryption_key()], "hash": secrets.token_hex(32)}
        write_secret(path, json.dumps(fresh, indent=2) + "\n")
    return _read_keys(path)


def new_encryption_key() -> str:
    """Return a fresh Fernet key: 32 random bytes, URL-safe base64."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode("ascii")


def write_secret(path: Path, content: str, *, replace: bool = False) -> None:
    """Write a file that only its owner may read, whole or not at all.

    Without ``replace`` a file that stands already wins, so that two starts at once agree on one secret.
    """
    make_home(path.parent)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(temporary, path)
        else:
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _checked_secret(given: str) -> str:
    if len(given) < SHORTEST_SECRET:
        raise SettingsRefused(f"SECRET_KEY has {len(given)} characters; production needs {SHORTEST_SECRET} or more.")
    plain = given.lower().strip("!.-_ 0123456789")
    repeated = len(set(given)) < 8
    if repeated or any(plain == word or given.lower() == word * (len(given) // len(word)) for word in KNOWN_DEFAULTS):
        raise SettingsRefused("SECRET_KEY is a well-known or repetitive value; make a random one.")
    return given


def _key_ring(environ: Mapping[str, str], mode: str, home: Path) -> tuple[list[str], str]:
    encryption = [key.strip() for key in environ.get("YIMEI_ENCRYPTION_KEYS", "").split(",") if key.strip()]
    hash_key = environ.get("YIMEI_HASH_KEY", "").strip()
    if encryption and hash_key:
        return _checked_ring(encryption, hash_key, "the environment")
    if encryption or hash_key:
        raise SettingsRefused(
            "Set both YIMEI_ENCRYPTION_KEYS and YIMEI_HASH_KEY, or neither: one alone is no key ring."
        )
    path = home / "keys.json"
    if mode == "production" and not path.exists():
        raise SettingsRefused(
            f"No key ring: set YIMEI_ENCRYPTION_KEYS and YIMEI_HASH_KEY, or put keys.json into {home}. "
            "Keys are not invented for a database that may already hold data encrypted with others."
        )
    kept = make_keys(home)
    return _checked_ring(kept["encryption"], kept["hash"], str(path))


def ring_source(environ: Mapping[str, str] = os.environ) -> Callable[[], tuple[list[str], str, object]] | None:
    """Return what tells a running process of changed keys: the home's keys.json. None for keys of the environment,
    which change by a restart."""
    if environ.get("YIMEI_ENCRYPTION_KEYS", "").strip():
        return None
    path = home_of(environ) / "keys.json"

    def read() -> tuple[list[str], str, object]:
        found = path.stat()
        try:
            kept = _read_keys(path)
            return *_checked_ring(kept["encryption"], kept["hash"], str(path)), (found.st_mtime_ns, found.st_ino)
        except SettingsRefused as problem:
            raise ValueError(str(problem)) from problem

    return read if path.exists() else None


def change_keys(home: Path, change: Callable[[list[str]], list[str]]) -> list[str]:
    """Rewrite the encryption keys of the home's key ring, whole or not at all; return them. The hash key stays."""
    path = home / "keys.json"
    kept = _read_keys(path)
    encryption = change(list(kept["encryption"]))
    _checked_ring(encryption, kept["hash"], str(path))
    write_secret(path, json.dumps({"encryption": encryption, "hash": kept["hash"]}, indent=2) + "\n", replace=True)
    return encryption


def _read_keys(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {"encryption": [str(key) for key in kept["encryption"]], "hash": str(kept["hash"])}
    except (ValueError, KeyError, TypeError) as problem:
        raise SettingsRefused(f"{path} is no key ring: it needs the entries encryption (a list) and hash.") from problem


def _checked_ring(encryption: Sequence[str], hash_key: str, source: str) -> tuple[list[str], str]:
    if not encryption:
        raise SettingsRefused(f"The key ring of {source} holds no encryption key.")
    for position, key in enumerate(encryption, start=1):
        try:
            size = len(base64.urlsafe_b64decode(key.encode("ascii")))
        except (ValueError, UnicodeEncodeError):
            size = 0
        if size != 32:
            raise SettingsRefused(
                f"Encryption key {position} of {source} is no Fernet key (32 bytes, URL-safe base64)."
            )
    try:
        long_enough = len(bytes.fromhex(hash_key)) >= 16
    except ValueError:
        long_enough = False
    if not long_enough:
        raise SettingsRefused(f"The hash key of {source} must be hexadecimal, 32 digits or more.")
    return list(encryption), hash_key


def _trusted_proxies(environ: Mapping[str, str]) -> int:
    """Read YIMEI_TRUSTED_PROXIES: how many proxies stand before us, whose word on address and scheme counts."""
    given = environ.get("YIMEI_TRUSTED_PROXIES", "").strip() or "0"
    if given not in ("0", "1", "2", "3"):
        raise SettingsRefused("YIMEI_TRUSTED_PROXIES is the number of proxies before the panel, 0 to 3.")
    return int(given)


def _worker_concurrency(environ: Mapping[str, str]) -> int:
    """Read YIMEI_WORKER_CONCURRENCY: how many background tasks one worker does side by side, 1 to 6.

    Each takes two connections of the pool; who wants more starts more workers.
    """
    given = environ.get("YIMEI_WORKER_CONCURRENCY", "").strip() or "2"
    if given not in ("1", "2", "3", "4", "5", "6"):
        raise SettingsRefused("YIMEI_WORKER_CONCURRENCY is how many tasks a worker does side by side, 1 to 6.")
    return int(given)


def mail_server(environ: Mapping[str, str] = os.environ) -> dict[str, Any] | None:
    """Read YIMEI_SMTP_URL and YIMEI_MAIL_FROM: where mail is handed over, and who it is from; None if neither is set.

    ``smtp://user:password@host:587`` encrypts by STARTTLS, ``smtps://host:465`` from the first byte; in clear only to a
    server on this very machine, and only if the address says ``?tls=none``. User and password are percent-encoded.
    ``YIMEI_SMTP_CA`` is a file of certificates to trust beside the system's.
    """
    given, sender = environ.get("YIMEI_SMTP_URL", "").strip(), environ.get("YIMEI_MAIL_FROM", "").strip()
    if not given and not sender:
        return None
    parts = urlsplit(given)
    try:
        port = parts.port or (465 if parts.scheme == "smtps" else 587)
    except ValueError:
        port = 0
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or not port or parts.query not in ("", "tls=none"):
        raise SettingsRefused("YIMEI_SMTP_URL must look like smtp://user:password@mail.example.com:587 or smtps://….")
    if parts.query and (parts.scheme == "smtps" or parts.hostname not in ("localhost", "127.0.0.1", "::1")):
        raise SettingsRefused("YIMEI_SMTP_URL with ?tls=none sends in clear: only to a server on this very machine.")
    if not re.fullmatch(r"([^<>\r\n]+ )?<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+", sender):
        raise SettingsRefused("YIMEI_MAIL_FROM must be an address, such as Yimei <panel@example.com>.")
    return {
        "host": parts.hostname,
        "port": port,
        "sender": sender,
        "security": "tls" if parts.scheme == "smtps" else ("none" if parts.query else "starttls"),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "ca_file": environ.get("YIMEI_SMTP_CA", "").strip(),
    }


def _known_hosts(environ: Mapping[str, str]) -> list[str]:
    """Return the names under which we answer: loopback, YIMEI_PUBLIC_URL, those of YIMEI_ALLOWED_HOSTS. Any port.

    A request for another name is answered 400: no link, redirect or cached page can be made to name a foreign host.
    """
    given = [name.strip().lower() for name in environ.get("YIMEI_ALLOWED_HOSTS", "").split(",") if name.strip()]
    for name in given:
        if not re.fullmatch(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\]", name):
            raise SettingsRefused(
                f"YIMEI_ALLOWED_HOSTS has {name!r}; it needs names without scheme and port, such as panel.example.com."
            )
    public = urlsplit(environ.get("YIMEI_PUBLIC_URL", "").strip()).hostname
    return list(dict.fromkeys([*LOOPBACK, *([public] if public else []), *given]))


def _token_life(environ: Mapping[str, str]) -> timedelta:
    """Read YIMEI_TOKEN_MINUTES: how long a token of the API lives, 15 to 60 minutes."""
    given = environ.get("YIMEI_TOKEN_MINUTES", "").strip() or "60"
    if not given.isdecimal() or not 15 <= int(given) <= 60:
        raise SettingsRefused("YIMEI_TOKEN_MINUTES is how many minutes a token of the API lives, 15 to 60.")
    return timedelta(minutes=int(given))


def _public_address(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read YIMEI_PUBLIC_URL: over https the cookie travels encrypted only, and redirects stay on that host."""
    given = environ.get("YIMEI_PUBLIC_URL", "").strip()
    if not given:
        return {"SESSION_COOKIE_SECURE": False}
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsRefused("YIMEI_PUBLIC_URL must look like https://panel.example.com.")
    is_secure = parts.scheme == "https"
    return {
        # A browser takes a cookie of this name from this very host alone, over TLS alone.
        **({"SESSION_COOKIE_NAME": "__Host-yimei"} if is_secure else {}),
        "SESSION_COOKIE_SECURE": is_secure,
        "PREFERRED_URL_SCHEME": parts.scheme,
        "FAB_SAFE_REDIRECT_HOSTS": [parts.netloc],
    }
