"""API keys, as those who keep the logins see them."""

from __future__ import annotations

from app.models.api_keys import ApiKey
from app.panel.house_view import HouseView, Tab
from app.panel.interface import HouseInterface
from app.words import _l, listed


class ApiKeyView(HouseView):
    """Keys of programs: whose rights, which of them, until when, when last used. White paper H, L14."""

    datamodel = HouseInterface(ApiKey)
    group = "system"
    icon = "key"
    list_columns = ("name", "prefix", "employee", "expires_at", "last_used_at", "revoked_at")
    eager = ("employee",)
    labels = {"roles_text": _l("Only what these roles may"), "rights_text": _l("Only these rights")}
    computed = {
        "roles_text": lambda key: listed(key.roles) or "—",
        "rights_text": lambda key: " ".join(key.rights) or "—",
    }
    show_sections = (
        (_l("API key"), ("name", "prefix", "employee", "issued_at", "expires_at", "revoked_at", "last_used_at")),
        (_l("What it may"), ("roles_text", "rights_text")),
    )
    filters = ("expires_at",)
    quick = (
        Tab("open", _l("Open"), lambda _by, now: ApiKey.revoked_at.is_(None) & (ApiKey.expires_at > now)),
        Tab("all", _l("All")),
    )
