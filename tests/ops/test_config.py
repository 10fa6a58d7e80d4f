"""What the settings refuse, what they make once, and what they never invent."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

import config
from app.keyring import KeyRing

SECRET = "k3Jx-9vQzL0wT7rYp2Nc5Hb8Gd1Fs4Ma6Xu"
KEY, OTHER_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()
HASH = "00112233445566778899aabbccddeeff"
COMPLETE = {
    "YIMEI_MODE": "production",
    "SECRET_KEY": SECRET,
    "DATABASE_URL": "postgresql://app:pw@db/yimei",
    "YIMEI_ENCRYPTION_KEYS": KEY,
    "YIMEI_HASH_KEY": HASH,
}


def settings(home: Path, **changes: str | None) -> dict[str, object]:
    """Read the settings from a complete production environment with changes; None takes a variable away."""
    environ = {**COMPLETE, "YIMEI_HOME": str(home)}
    for name, value in changes.items():
        environ.pop(name, None)
        if value is not None:
            environ[name] = value
    return config.from_environment(environ)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"YIMEI_MODE": "staging"}, "must be one of production, demo, test"),
        ({"SECRET_KEY": None}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "   "}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "s" * 31}, "has 31 characters"),
        ({"SECRET_KEY": "s" * 40}, "well-known or repetitive"),
        ({"SECRET_KEY": "changeme" * 5}, "well-known or repetitive"),
        ({"SECRET_KEY": "default-" + "0" * 32}, "well-known or repetitive"),
        ({"DATABASE_URL": None}, "DATABASE_URL is not set"),
        ({"DATABASE_URL": "sqlite:///x.db"}, "DATABASE_URL must begin with postgresql://"),
        ({"DATABASE_URL": "postgresql+psycopg2://a@b/c"}, "DATABASE_URL must begin with postgresql://"),
        ({"DATABASE_URL": "db:5432/yimei"}, "DATABASE_URL must begin with postgresql://"),
        ({"DATABASE_OWNER_URL": "mysql://a@b/c"}, "DATABASE_OWNER_URL must begin with postgresql://"),
        ({"YIMEI_HASH_KEY": None}, "Set both"),
        ({"YIMEI_ENCRYPTION_KEYS": None}, "Set both"),
        ({"YIMEI_ENCRYPTION_KEYS": None, "YIMEI_HASH_KEY": None}, "Keys are not invented"),
        ({"YIMEI_ENCRYPTION_KEYS": f"{KEY},short"}, "Encryption key 2 of the environment"),
        ({"YIMEI_ENCRYPTION_KEYS": "钥匙"}, "Encryption key 1 of the environment"),
        ({"YIMEI_HASH_KEY": "xyz"}, "must be hexadecimal"),
        ({"YIMEI_HASH_KEY": "00ff"}, "32 digits or more"),
        ({"YIMEI_PUBLIC_URL": "panel.example.com"}, "YIMEI_PUBLIC_URL must look like"),
    ],
)
def test_production_refuses_what_is_missing_malformed_or_unsafe(
    tmp_path: Path, changes: dict[str, str | None], sentence: str
) -> None:
    with pytest.raises(config.SettingsRefused, match=sentence):
        settings(tmp_path, **changes)


def test_a_refused_production_start_leaves_no_file_behind(tmp_path: Path) -> None:
    with pytest.raises(config.SettingsRefused):
        settings(tmp_path / "home", YIMEI_ENCRYPTION_KEYS=None, YIMEI_HASH_KEY=None)
    assert not (tmp_path / "home").exists()


def test_production_is_the_mode_when_none_is_said(tmp_path: Path) -> None:
    assert settings(tmp_path, YIMEI_MODE=None)["YIMEI_MODE"] == "production"


@pytest.mark.parametrize("given", ["postgresql://a:p%40@h:1/d?x=y", "postgresql+psycopg://a:p%40@h:1/d?x=y"])
def test_both_spellings_of_the_address_reach_psycopg_unharmed(tmp_path: Path, given: str) -> None:
    made = settings(tmp_path, DATABASE_URL=given)
    assert made["SQLALCHEMY_DATABASE_URI"] == "postgresql+psycopg://a:p%40@h:1/d?x=y"


@pytest.mark.parametrize("mode", ["demo", "test"])
def test_a_demo_makes_its_secrets_once_and_keeps_them_to_itself(tmp_path: Path, mode: str) -> None:
    home = tmp_path / "home"
    without = {"YIMEI_MODE": mode, "SECRET_KEY": None, "YIMEI_ENCRYPTION_KEYS": None, "YIMEI_HASH_KEY": None}
    first, second = settings(home, **without), settings(home, **without)
    assert first == second
    assert len(str(first["SECRET_KEY"])) >= config.SHORTEST_SECRET
    assert first["JWT_SECRET_KEY"] == first["SECRET_KEY"]
    for name in ("secret_key", "keys.json"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) & 0o066 == 0
    assert sorted(path.name for path in home.iterdir()) == ["keys.json", "secret_key"]


def test_the_invented_key_ring_is_one_that_the_house_can_use(tmp_path: Path) -> None:
    kept = config.make_keys(tmp_path)
    ring = KeyRing(kept["encryption"], kept["hash"])
    assert ring.decrypt(ring.encrypt("13800138000")) == "13800138000"


def test_a_key_file_that_stands_is_never_written_again(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"encryption": [KEY, OTHER_KEY], "hash": HASH}), encoding="utf-8")
    made = settings(tmp_path, YIMEI_ENCRYPTION_KEYS=None, YIMEI_HASH_KEY=None)
    assert (made["ENCRYPTION_KEYS"], made["HASH_KEY"]) == ([KEY, OTHER_KEY], HASH)
    assert config.make_keys(tmp_path) == {"encryption": [KEY, OTHER_KEY], "hash": HASH}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"encryption": []}', '{"encryption": [], "hash": "00"}', "null"])
def test_a_damaged_key_file_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(config.SettingsRefused, match="key ring"):
        settings(tmp_path, YIMEI_MODE="demo", YIMEI_ENCRYPTION_KEYS=None, YIMEI_HASH_KEY=None)
    assert path.read_text(encoding="utf-8") == content


def test_keys_of_the_environment_go_before_those_of_the_file(tmp_path: Path) -> None:
    config.make_keys(tmp_path)
    assert settings(tmp_path, YIMEI_ENCRYPTION_KEYS=f" {OTHER_KEY} , {KEY} ")["ENCRYPTION_KEYS"] == [OTHER_KEY, KEY]


def test_only_tests_hash_passwords_cheaply(tmp_path: Path) -> None:
    hashed = {mode: settings(tmp_path, YIMEI_MODE=mode).get("FAB_PASSWORD_HASH_METHOD") for mode in config.MODES}
    assert hashed == {"production": None, "demo": None, "test": "pbkdf2:sha256:1"}


@pytest.mark.parametrize(("address", "secure"), [("https://his.example.com", True), ("http://10.0.0.5:8080", False)])
def test_a_public_address_fixes_the_cookie_and_where_redirects_may_lead(
    tmp_path: Path, address: str, secure: bool
) -> None:
    made = settings(tmp_path, YIMEI_PUBLIC_URL=address)
    assert made["SESSION_COOKIE_SECURE"] is secure
    assert made["FAB_SAFE_REDIRECT_HOSTS"] == [address.partition("://")[2]]


def test_a_ten_megabyte_note_passes_the_framework_so_that_its_form_can_refuse_it() -> None:
    assert 10 * 1024 * 1024 < config.FIXED["MAX_FORM_MEMORY_SIZE"] < config.FIXED["MAX_CONTENT_LENGTH"]


@pytest.mark.parametrize(("given", "expected"), [("", 0), ("0", 0), ("1", 1), ("3", 3)])
def test_the_number_of_trusted_proxies_is_read(tmp_path: Path, given: str, expected: int) -> None:
    environment = {"YIMEI_MODE": "demo", "YIMEI_HOME": str(tmp_path), "DATABASE_URL": "postgresql://a@b/c"}
    assert config.from_environment({**environment, "YIMEI_TRUSTED_PROXIES": given})["TRUSTED_PROXIES"] == expected


@pytest.mark.parametrize("given", ["-1", "4", "all", "１"])
def test_a_number_of_proxies_that_is_none_is_refused(tmp_path: Path, given: str) -> None:
    environment = {"YIMEI_MODE": "demo", "YIMEI_HOME": str(tmp_path), "DATABASE_URL": "postgresql://a@b/c"}
    with pytest.raises(config.SettingsRefused, match="YIMEI_TRUSTED_PROXIES"):
        config.from_environment({**environment, "YIMEI_TRUSTED_PROXIES": given})


@pytest.mark.parametrize(("given", "expected"), [("", 2), ("1", 1), ("6", 6)])
def test_how_much_a_worker_does_at_once_is_read(tmp_path: Path, given: str, expected: int) -> None:
    environment = {"YIMEI_MODE": "demo", "YIMEI_HOME": str(tmp_path), "DATABASE_URL": "postgresql://a@b/c"}
    assert config.from_environment({**environment, "YIMEI_WORKER_CONCURRENCY": given})["WORKER_CONCURRENCY"] == expected


@pytest.mark.parametrize("given", ["0", "7", "many", "２"])
def test_a_worker_that_would_do_too_much_at_once_is_refused(tmp_path: Path, given: str) -> None:
    environment = {"YIMEI_MODE": "demo", "YIMEI_HOME": str(tmp_path), "DATABASE_URL": "postgresql://a@b/c"}
    with pytest.raises(config.SettingsRefused, match="YIMEI_WORKER_CONCURRENCY"):
        config.from_environment({**environment, "YIMEI_WORKER_CONCURRENCY": given})
