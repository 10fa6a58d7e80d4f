"""Tokens: ``POST /api/v1/security/login`` and ``/refresh``, through the same doors as the page."""

from __future__ import annotations

from typing import Any

from flask import Response, abort, jsonify
from flask_appbuilder.api import expose
from flask_appbuilder.security.api import SecurityApi as FrameworkSecurityApi
from flask_jwt_extended import create_access_token, create_refresh_token, get_jwt, get_jwt_identity, jwt_required

from app.extensions import db
from app.models.doors import Ended, SessionKind
from app.panel.doors.rates import hold
from app.panel.doors.visit import KEY, visitor
from app.panel.person import act_as, now
from app.panel.rest import json_body
from app.services.doors import enter, sessions
from app.services.guard import crossing
from app.unit import unit_of_work
from app.words import _

KNOWN = {"username", "password", "provider", "refresh", "totp"}


class SecurityApi(FrameworkSecurityApi):
    """The framework's addresses with our doors behind them; a token carries the key of its session."""

    @expose("/login", methods=["POST"])
    @crossing("doors")
    def login(self) -> Any:
        """Answer a token for a name, a password and, where there is a second factor, its code as ``totp``."""
        here = visitor(SessionKind.API)
        hold("login", here.address)
        said = _said()
        entry = enter(
            db.session(), said["username"], said["password"], here, now(), code=said.get("totp"), act_as=act_as
        )
        if entry.begun is None:
            told: dict[str, Any] = {"message": entry.sentence}
            if entry.needs_code:
                told["totp"] = "needed"
            return jsonify(told), 401
        if entry.begun.session.owes is not None:
            with unit_of_work(db.session()) as opened:
                sessions.end(opened, entry.begun.session, Ended.LOGGED_OUT, now())
            sentence = _("Please log in on the page first: %(what)s.", what=entry.begun.session.owes.label)
            return jsonify(message=sentence, owes=entry.begun.session.owes.value), 403
        claims = {KEY: entry.begun.token}
        who = str(entry.user_id)
        answer = {"access_token": create_access_token(identity=who, fresh=True, additional_claims=claims)}
        if said.get("refresh"):
            answer["refresh_token"] = create_refresh_token(identity=who, additional_claims=claims)
        return jsonify(answer)

    @expose("/refresh", methods=["POST"])
    @jwt_required(refresh=True)
    @crossing("doors")
    def refresh(self) -> Response:
        """Answer another token of the same session."""
        claims = {KEY: get_jwt().get(KEY)}
        return jsonify(
            access_token=create_access_token(identity=get_jwt_identity(), fresh=False, additional_claims=claims)
        )


def _said() -> dict[str, Any]:
    """Return what a login says; answers 400 to what is none."""
    said = json_body()
    texts = [said.get(name, "") for name in ("username", "password", "totp")]
    missing = not {"username", "password", "provider"} <= set(said)
    if missing or set(said) - KNOWN or not all(isinstance(text, str) for text in texts):
        abort(400)
    if said["provider"] != "db" or not isinstance(said.get("refresh", False), bool):
        abort(400)
    return said
