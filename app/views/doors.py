"""System → Login sessions: who is in, from where; and the tables of the doors that no screen shows."""

from __future__ import annotations

from app.models.doors import LoginAccount, LoginAttempt, LoginSession, OneTimeCode, PasswordHistory
from app.panel.cards import card
from app.panel.house_view import HouseView, Tab
from app.panel.interface import HouseInterface
from app.panel.registry import Registrar
from app.words import _l


class LoginSessionView(HouseView):
    """Who is in, since when and from where; all of them end by an act on the employee. H.2, L14."""

    datamodel = HouseInterface(LoginSession)
    group, icon = "system", "door-open"
    list_columns = ("employee", "kind", "begun_at", "last_seen_at", "address", "second_factor", "ended_at", "ended_why")
    show_sections = (
        (
            _l("Login session"),
            (
                "employee",
                "branch",
                "kind",
                "begun_at",
                "last_seen_at",
                "address",
                "agent",
                "second_factor",
                "locked_at",
                "ends_at",
                "ended_at",
                "ended_why",
            ),
        ),
    )
    order_columns = ("begun_at", "last_seen_at")
    filters = ("kind", "begun_at")
    quick = (
        Tab("open", _l("Open"), lambda by, now: LoginSession.ended_at.is_(None) & (LoginSession.ends_at > now)),
        Tab("all", _l("All")),
    )


card("login_session", "open", _l("Logged in now"), order=66, needs=(("employee", "can_end_sessions"),))


class LoginAccountView(HouseView):
    """No right of any role leads here."""

    datamodel = HouseInterface(LoginAccount)
    list_columns = ("id",)
    labels = {"id": _l("Login")}


class PasswordHistoryView(HouseView):
    """No right of any role leads here."""

    datamodel = HouseInterface(PasswordHistory)
    list_columns = ("id",)
    labels = {"id": _l("Earlier password")}


class OneTimeCodeView(HouseView):
    """No right of any role leads here."""

    datamodel = HouseInterface(OneTimeCode)
    list_columns = ("id",)
    labels = {"id": _l("One-time code")}


class LoginAttemptView(HouseView):
    """No right of any role leads here."""

    datamodel = HouseInterface(LoginAttempt)
    list_columns = ("id",)
    labels = {"id": _l("Failed login")}


def register(menu: Registrar) -> None:
    """Register what stands in no menu."""
    for view in (LoginAccountView, PasswordHistoryView, OneTimeCodeView, LoginAttemptView):
        menu.page(view)
