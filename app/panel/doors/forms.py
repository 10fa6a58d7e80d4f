"""The forms at the doors. They are made without a person's context: strangers fill some of them in."""

from __future__ import annotations

from app.fields import HouseForm, Words
from app.services.accounts import Password
from app.words import _, _l


class NewPasswordTwice(HouseForm):
    """A new password, typed twice so that a slip of the finger shows."""

    password = Password(_l("New password"), render_kw={"autocomplete": "new-password"})
    again = Password(_l("Once more"), description="", render_kw={"autocomplete": "new-password"})

    def check(self) -> None:
        if self.password.data != self.again.data:
            self.refuse("again", _("The two passwords differ."))


class OwnPassword(NewPasswordTwice):
    """One's present password and a new one."""

    current = Password(_l("Present password"), description="", render_kw={"autocomplete": "current-password"})
    field_order = ("current", "password", "again")


class Forgotten(NewPasswordTwice):
    """A login name, the code that the information centre handed out, and a new password."""

    username = Words(_l("Login name"), required=True, most=64, render_kw={"autocomplete": "username"})
    code = Words(_l("Code"), required=True, most=40, description=_l("Ten signs; the information centre hands it out."))
    field_order = ("username", "code", "password", "again")


class Code(HouseForm):
    """A code of the second factor."""

    code = Words(
        _l("Code"),
        required=True,
        most=40,
        description=_l("Six digits from your authenticator, or one of your recovery codes."),
        render_kw={"autocomplete": "one-time-code", "inputmode": "text"},
    )


class PasswordAndCode(Code):
    """What takes a second factor away or makes new recovery codes."""

    password = Password(_l("Password"), description="", render_kw={"autocomplete": "current-password"})
    field_order = ("password", "code")


class Only(HouseForm):
    """One's password alone."""

    password = Password(_l("Password"), description="", render_kw={"autocomplete": "current-password"})
