"""The pages of the doors: logging in, the second factor, one's password, one's sessions, the lock of the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import segno
from flask import current_app, flash, jsonify, redirect, render_template, request, session, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.forms import LoginForm_db
from flask_appbuilder.security.views import AuthDBView
from flask_appbuilder.utils.base import get_safe_redirect
from flask_login import current_user, logout_user
from flask_wtf.csrf import generate_csrf
from werkzeug.wrappers import Response

from app.errors import InvalidInput, Refusal
from app.extensions import db
from app.models.doors import Ended, LoginSession
from app.panel.acting import back_sent, is_dialog, put_errors
from app.panel.doors import again, visit
from app.panel.doors.browsers import browser_words
from app.panel.doors.forms import Code, Forgotten, Only, OwnPassword, PasswordAndCode
from app.panel.doors.rates import hold
from app.panel.pages import Cell, ColumnHead, FormPage, Link, Row, TableView
from app.panel.person import act_as, me, now
from app.panel.seeing import end as end_seeing
from app.services.doors import enter, factor, passwords, recovery, sessions
from app.services.doors.entering import branch_of, enter_with_code, owes_now, roles_of, try_password
from app.services.guard import crossing
from app.services.trail import note
from app.unit import unit_of_work
from app.words import _, _n

HALF = "half"
#: How long one may take to type the code after the password was right.
HALF_IS_GOOD = timedelta(minutes=5)


@dataclass(frozen=True)
class MinePage:
    """One's own login: its password, its second factor, its sessions."""

    title: str
    crumbs: list[Link]
    password: str
    factor: str
    has_factor: bool
    codes: str
    form: FormPage | None
    table: TableView
    others: int


@dataclass(frozen=True)
class SetupPage:
    """Setting up a second factor: the picture for the authenticator, and the key for who types it."""

    title: str
    picture: str
    key: str
    form: FormPage | None


class HouseAuthView(AuthDBView):
    """Login through our doors; logout by POST, so that no link or image can end a session."""

    @expose("/login/", methods=["GET", "POST"])
    @crossing("doors")
    def login(self) -> Any:
        """Let somebody in; a page whose session ended asks the same by script and is answered in JSON."""
        kept, after = request.form.get(again.KEPT, ""), get_safe_redirect(request.args.get("next", ""))
        back = after if request.args.get("next") else None
        if current_user.is_authenticated and not is_dialog():
            return redirect(self._get_safe_next_url())
        form = LoginForm_db()
        if not form.validate_on_submit():
            if is_dialog():
                return jsonify(message=_("Please fill this in.")), 422
            return visit.login_page(kept, back, form)
        here = visit.visitor()
        hold("login", here.address)
        entry = enter(db.session(), form.username.data, form.password.data, here, now(), act_as=act_as)
        if entry.needs_code:
            session[HALF] = {
                "user": entry.user_id,
                "name": form.username.data[:64],
                "at": now().timestamp(),
                "next": after,
            }
            if is_dialog():
                return jsonify(code_needed=True)
            return self._second_page(Code(), kept) if kept else redirect(url_for("HouseAuthView.second"))
        if entry.begun is None:
            if is_dialog():
                return jsonify(message=entry.sentence), 422
            flash(entry.sentence, "warning")
            if kept:
                return visit.login_page(kept, back, form), 422
            return redirect(self.appbuilder.get_url_for_login_with(after))
        return self._in(entry.begun, after, kept)

    @expose("/login/second", methods=["GET", "POST"])
    @crossing("doors")
    def second(self) -> Any:
        """Ask for the code of the second factor, after the password was right."""
        half, kept = session.get(HALF), request.form.get(again.KEPT, "")
        if not isinstance(half, dict) or now().timestamp() - half["at"] > HALF_IS_GOOD.total_seconds():
            session.pop(HALF, None)
            if is_dialog():
                return jsonify(message=_("Please log in.")), 422
            flash(_("Please log in."), "info")
            return visit.login_page(kept) if kept else redirect(url_for("HouseAuthView.login"))
        form = Code(request.form if request.method == "POST" else None)
        if request.method == "POST" and form.validate():
            here = visit.visitor()
            hold("code", here.address)
            entry = enter_with_code(
                db.session(), half["user"], half["name"], form.code.data, here, now(), act_as=act_as
            )
            if entry.begun is not None:
                return self._in(entry.begun, half["next"], kept)
            form.refuse("code", entry.sentence)
        if is_dialog():
            return jsonify(message=" ".join(form.errors.get("code", ()))), 422
        return self._second_page(form, kept)

    def _second_page(self, form: Code, kept: str) -> Any:
        page = _door(_("Second factor"), form, url_for("HouseAuthView.second"), _("Log in"))
        page = replace(page, hidden=[(again.KEPT, kept)] if kept else [])
        return _shown(page, refused=bool(form.errors))

    @expose("/logout/", methods=["POST"])
    @crossing("doors")
    def logout(self) -> Response:
        end_seeing(db.session())
        found = visit.session_in_force()
        if found is not None:
            with unit_of_work(db.session()) as opened:
                sessions.end(opened, found, Ended.LOGGED_OUT, now())
                note(opened, "logout", found)
        language = session.get("locale")
        logout_user()
        session.clear()
        if language:
            session["locale"] = language
        return redirect(self.appbuilder.get_url_for_index)

    def _in(self, begun: sessions.Begun, after: str, kept: str = "") -> Any:
        """Go in: a cookie of the new session, and what is to be told of the password's age."""
        visit.begin(begun, self.appbuilder.sm.get_user_by_id(begun.session.user_id))
        if is_dialog():
            owes = begun.session.owes is not None
            return jsonify(whose="" if owes else again.whose(), csrf_token=generate_csrf())
        opened = db.session()
        account = passwords.account_of(opened, begun.session.user_id, now())
        said = passwords.notice(opened, account, begun.session.branch_id, now())
        if said is not None and begun.session.owes is None:
            flash(said, "warning")
        if not kept or begun.session.owes is not None:
            return redirect(after)
        found = again.of(kept, begun.session.user_id)
        # Another person than before is led to her own workbench: the page was not hers.
        return redirect(url_for("HomeView.index")) if found is None else visit.go_on_page(kept, found.path)


class DoorsView(BaseView):
    """What everybody does with her own login."""

    route_base = ""
    default_view = "mine"

    @expose("/forgotten", methods=["GET", "POST"])
    @crossing("doors")
    def forgotten(self) -> Any:
        """Set a new password with a code of the information centre. L14."""
        form = Forgotten(request.form if request.method == "POST" else None)
        page = _door(
            _("Forgotten password"),
            form,
            url_for("DoorsView.forgotten"),
            _("Set the password"),
            say=_("Ask the information centre for a code. It makes sure who you are and tells you the code once."),
            cancel=url_for("HouseAuthView.login"),
        )
        if request.method == "GET":
            return _shown(page)
        here = visit.visitor()
        hold("code", here.address)
        if not form.validate():
            return _shown(page, refused=True)
        try:
            said = form.data
            recovery.redeem(db.session(), said["username"], said["code"], said["password"], here, now(), act_as=act_as)
        except InvalidInput as wrong:
            put_errors(form, wrong)
            return _shown(page, refused=True)
        except Refusal as wrong:
            form.refuse("code", wrong.sentence)
            return _shown(page, refused=True)
        flash(_("The password is set. Please log in with it."), "success")
        return redirect(url_for("HouseAuthView.login"))

    # --- one's own login -----------------------------------------------------------------------------------------

    @expose("/my-login/")
    @crossing("doors")
    def mine(self) -> str:
        """Show one's password's age, second factor and sessions."""
        return _mine(_session())

    @expose("/my-login/password", methods=["GET", "POST"])
    @crossing("doors")
    def password(self) -> Any:
        """Change one's own password; every other session ends. H.2."""
        found = _session()
        form = OwnPassword(request.form if request.method == "POST" else None)
        page = _door(
            _("Change password"),
            form,
            url_for("DoorsView.password"),
            _("Change password"),
            say=_("Please choose a new password first.") if found.owes is not None else "",
            cancel="" if found.owes is not None else url_for("DoorsView.mine"),
        )
        if request.method == "GET":
            return _shown(page)
        if not form.validate():
            return _shown(page, refused=True)
        wrong = _password_wrong(found, form.current.data, "password")
        if wrong is not None:
            form.refuse("current", wrong)
            return _shown(page, refused=True)
        try:
            _change_password(found, form.password.data)
        except InvalidInput as refused:
            put_errors(form, refused)
            return _shown(page, refused=True)
        flash(_("The password is changed. Your other sessions have ended."), "success")
        return redirect(url_for("HomeView.index"))

    @expose("/my-login/end-others", methods=["POST"])
    @crossing("doors")
    def end_others(self) -> Response:
        """End all sessions of one's login but this one."""
        found = _session()
        with unit_of_work(db.session()) as opened:
            ended = sessions.end_all(opened, found.user_id, Ended.BY_OWNER, now(), but=found.id)
        flash(_n("%(num)s session ended.", "%(num)s sessions ended.", ended), "success")
        return redirect(url_for("DoorsView.mine"))

    # --- the second factor ---------------------------------------------------------------------------------------

    @expose("/my-login/second-factor", methods=["GET", "POST"])
    @crossing("doors")
    def second_factor(self) -> Any:
        """Show the picture for the authenticator and take its first code; then the recovery codes, once."""
        found = _session()
        account = passwords.account_of(db.session(), found.user_id, now())
        if account.totp_seed is not None:
            return redirect(url_for("DoorsView.mine"))
        if account.totp_pending is None:
            return _shown(_begin_page(found))
        form = Code(request.form if request.method == "POST" else None)
        if request.method == "POST" and form.validate():
            hold("code", f"user:{found.user_id}")
            try:
                with unit_of_work(db.session()) as opened:
                    codes = factor.confirm_setup(opened, found.user_id, form.code.data, now())
                    found.second_factor = True
                    found.owes = owes_now(opened, found.user_id, now())
                return _codes_page(codes)
            except InvalidInput as wrong:
                put_errors(form, wrong)
            except Refusal as wrong:
                form.refuse("code", wrong.sentence)
        return _setup_page(form, account.totp_pending, found)

    @expose("/my-login/second-factor/begin", methods=["POST"])
    @crossing("doors")
    def begin_second_factor(self) -> Response:
        """Make a seed that waits to be confirmed."""
        found = _session()
        with unit_of_work(db.session()) as opened:
            factor.begin_setup(opened, found.user_id, now())
        return redirect(url_for("DoorsView.second_factor"))

    @expose("/my-login/second-factor/off", methods=["POST"])
    @crossing("doors")
    def second_factor_off(self) -> Any:
        """Take one's own second factor away, with password and code; refused to those who must have one."""
        found = _session()
        form, refused = _proved(found)
        if refused is None:
            opened = db.session()
            roles, branch_id = roles_of(opened, found.user_id), branch_of(opened, found.user_id)
            if factor.is_required(opened, roles, branch_id, now()):
                refused = _("Your roles need a second factor. If you lost the device, ask the information centre.")
        if refused is not None:
            return _mine(found, form, refused), 409
        with unit_of_work(db.session()) as opened:
            factor.take_away(opened, found.user_id, now())
        flash(_("The second factor is taken away."), "success")
        return redirect(url_for("DoorsView.mine"))

    @expose("/my-login/second-factor/codes", methods=["POST"])
    @crossing("doors")
    def recovery_codes(self) -> Any:
        """Make ten new recovery codes in place of the old ones, with password and code; shown once."""
        found = _session()
        form, refused = _proved(found)
        if refused is not None:
            return _mine(found, form, refused), 409
        with unit_of_work(db.session()) as opened:
            codes = factor.new_recovery_codes(opened, found.user_id, now())
        return _codes_page(codes)

    # --- the lock ------------------------------------------------------------------------------------------------

    @expose("/lock", methods=["POST"])
    @crossing("doors")
    def lock(self) -> Any:
        """Lock this session's screen at once."""
        found = _session()
        with unit_of_work(db.session()) as opened:
            sessions.lock(opened, found, now())
        return jsonify(locked=True) if visit.is_fetched() else redirect(back_sent(url_for("HomeView.index")))

    @expose("/unlock", methods=["POST"])
    @crossing("doors")
    def unlock(self) -> Any:
        """Unlock it with the password; a wrong one counts as a failed login. H.2."""
        found = _session()
        hold("unlock", f"user:{found.user_id}")
        back = back_sent(url_for("HomeView.index"))
        form = Only(request.form)
        wrong = (
            _("Please fill this in.") if not form.validate() else _password_wrong(found, form.password.data, "unlock")
        )
        if wrong is not None:
            # A browser may have covered its page before the server heard of it: the password is asked all the same.
            code = visit.LOCKED if sessions.is_locked(found, now()) else 422
            return visit.locked_answer(wrong, back, code)
        with unit_of_work(db.session()) as opened:
            sessions.unlock(opened, found, now())
        if visit.is_fetched():
            return jsonify(locked=False)
        kept = request.form.get(again.KEPT, "")
        waiting = again.of(kept, found.user_id)
        return redirect(back) if waiting is None else visit.go_on_page(kept, waiting.path)

    @expose("/here", methods=["POST"])
    @crossing("doors")
    def here(self) -> Any:
        """Say that somebody is typing; what is done stands in ``visit.guard``."""
        return "", 204


def _session() -> LoginSession:
    """Return the session behind this page; raises ``NotPermitted`` for a stranger."""
    me()
    found = visit.session_in_force()
    if found is None:
        raise Refusal(_("Please log in."))
    return found


def _password_wrong(found: LoginSession, password: str, why: str) -> str | None:
    return try_password(db.session(), found.user_id, password, visit.visitor(), now(), why=why)


def _change_password(found: LoginSession, password: str) -> None:
    """Check and set a new password, end the other sessions, give this one a new key."""
    at = now()
    with unit_of_work(db.session()) as opened:
        passwords.check_password(
            opened,
            password,
            username=current_user.username,
            user_id=found.user_id,
            branch_id=found.branch_id,
            at=at,
        )
        passwords.set_password(opened, found.user_id, password, at=at, by_others=False, branch_id=found.branch_id)
        sessions.end_all(opened, found.user_id, Ended.PASSWORD, at, but=found.id)
        found.owes = owes_now(opened, found.user_id, at)
        visit.renew(found)


def _proved(found: LoginSession) -> tuple[PasswordAndCode, str | None]:
    """Ask for password and code; return the form, and why it is not proved who sits there."""
    form = PasswordAndCode(request.form)
    hold("code", f"user:{found.user_id}")
    if not form.validate():
        return form, _("Password and code are both needed.")
    here, code = visit.visitor(), form.code.data
    return form, try_password(
        db.session(), found.user_id, form.password.data, here, now(), why="second_factor", code=code
    )


# --- what is shown -----------------------------------------------------------------------------------------------


def _door(
    title: str, form: Any, action: str, submit: str, *, say: str = "", cancel: str = "", refusal: str = ""
) -> FormPage:
    names: Sequence[str] = getattr(form, "field_order", [f.name for f in form])
    return FormPage(
        title,
        [],
        form,
        action,
        submit,
        cancel,
        consequence=say,
        refusal=refusal,
        groups=[("", list(names))],
    )


def _shown(page: Any, *, refused: bool = False) -> Any:
    return render_template("pages/doors/form.html", page=page), 422 if refused else 200


def _begin_page(found: LoginSession) -> FormPage:
    return _door(
        _("Second factor"),
        [],
        url_for("DoorsView.begin_second_factor"),
        _("Set up a second factor"),
        say=_(
            "Besides the password you will be asked for a code of six digits that an authenticator on your telephone"
            " shows, anew every half minute. You need such a program; it needs no network."
        ),
        cancel="" if found.owes is not None else url_for("DoorsView.mine"),
    )


def _setup_page(form: Code, seed: str, found: LoginSession) -> Any:
    house = current_app.config["APP_NAME"]
    picture = segno.make(factor.address_of(seed, current_user.username, house), error="m")
    page = SetupPage(
        _("Set up a second factor"),
        picture.svg_data_uri(scale=5, border=4, dark="#000", light="#fff"),
        " ".join(seed[start : start + 4] for start in range(0, len(seed), 4)),
        _door(
            "",
            form,
            url_for("DoorsView.second_factor"),
            _("Confirm"),
            cancel="" if found.owes is not None else url_for("DoorsView.mine"),
        ),
    )
    return render_template("pages/doors/setup.html", page=page), 422 if form.errors else 200


def _codes_page(codes: list[str]) -> str:
    return render_template(
        "pages/doors/codes.html",
        page={"title": _("Recovery codes"), "codes": codes, "on": url_for("HomeView.index")},
    )


def _mine(found: LoginSession, form: PasswordAndCode | None = None, refused: str = "") -> str:
    opened, at = db.session(), now()
    account = passwords.account_of(opened, found.user_id, at)
    left = passwords.days_left(opened, account, found.branch_id, at)
    zone = me().timezone
    changed = account.password_changed_at.astimezone(zone).strftime("%Y-%m-%d")
    has_factor = account.totp_seed is not None
    codes = factor.recovery_codes_left(opened, found.user_id)
    open_ones = sessions.of_user(opened, found.user_id, at)
    page = MinePage(
        title=_("Login and security"),
        crumbs=[],
        password=_("Set on %(day)s, good for %(days)s more days.", day=changed, days=left)
        if left is not None
        else _("Set on %(day)s.", day=changed),
        factor=_("In use since %(day)s.", day=account.totp_since.astimezone(zone).strftime("%Y-%m-%d"))
        if account.totp_since is not None
        else _("Not set up."),
        has_factor=has_factor,
        codes=_n("%(num)s recovery code left.", "%(num)s recovery codes left.", codes),
        form=_door("", form or PasswordAndCode(), "", "", refusal=refused) if has_factor else None,
        table=_sessions_table(open_ones, found),
        others=len(open_ones) - 1,
    )
    return render_template("pages/doors/mine.html", page=page)


def _sessions_table(rows: Sequence[LoginSession], own: LoginSession) -> TableView:
    zone = me().timezone

    def told(row: LoginSession) -> list[Cell]:
        way = _("This session") if row.id == own.id else str(row.kind.label)
        return [
            Cell(way, tone="ok" if row.id == own.id else "mute"),
            Cell(row.begun_at.astimezone(zone).strftime("%m-%d %H:%M")),
            Cell(row.last_seen_at.astimezone(zone).strftime("%m-%d %H:%M")),
            Cell(row.address),
            Cell(browser_words(row.agent)),
        ]

    heads = [_("Way in"), _("Logged in at"), _("Last seen"), _("Network address"), _("Browser")]
    return TableView([ColumnHead("", head) for head in heads], [Row(row.id, "", told(row)) for row in rows])
