"""``GET /api/v1/find?q=``: what the scan box finds, over REST."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request
from flask_appbuilder.api import BaseApi, expose

from app.actors import Actor
from app.extensions import db
from app.panel.bearer import demand_token
from app.panel.describe import acts_now
from app.panel.doors.rates import hold
from app.panel.finding import find_anything, next_act
from app.panel.person import me


class FindApi(BaseApi):
    """What a code, a telephone number, a name or pinyin leads to: table, id, name, and the act that is next."""

    resource_name = "find"
    class_permission_name = "find"

    def __init__(self) -> None:
        self.base_permissions: list[str] = []
        super().__init__()

    @expose("", methods=["GET"])
    @expose("/", methods=["GET"])
    def get_found(self) -> Response:
        demand_token()
        by = me()
        hold("find", f"user:{by.user_id}")
        found = find_anything(db.session(), request.args.get("q", ""), by)
        told = [_told(record, by) for record in found.records]
        return jsonify(count=len(told), result=told, text=found.text, message=found.sentence)


def _told(record: Any, by: Actor) -> dict[str, Any]:
    following = next_act(record, by)
    return {
        "table": record.__tablename__,
        "id": record.id,
        "text": str(record),
        "next": None if following is None else following[0].key,
        "acts": [act.name for act in acts_now(record, by)],
    }
