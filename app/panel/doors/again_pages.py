"""What pages ask when they fear that their session is over, or that what they sent was done already."""

from __future__ import annotations

from typing import Any

from flask import abort, jsonify
from flask_appbuilder import BaseView, expose
from flask_wtf.csrf import generate_csrf

from app.panel.acting import done_before
from app.panel.doors.again import whose
from app.panel.person import current_actor, me
from app.services.runner import MAX_KEY


class AgainView(BaseView):
    """Asked by js/again.js and js/guard.js; without script nobody comes here."""

    route_base = "/again"
    default_view = "who"

    @expose("/who")
    def who(self) -> Any:
        """Tell whose session this is, if anybody's, and a token for forms."""
        return jsonify(whose=whose() if current_actor() is not None else "", csrf_token=generate_csrf())

    @expose("/sent/<string:key>")
    def sent(self, key: str) -> Any:
        """Tell whether a form of this person's was carried out already, and what it made."""
        me()
        if len(key) > MAX_KEY:
            abort(404)
        found = done_before(key)
        if found is None:
            return jsonify(done=False)
        return jsonify(done=True, text=found.label, url=found.url)
