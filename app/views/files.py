"""Files: their list, and how they are sent and read."""

from __future__ import annotations

from flask import Response, jsonify, request
from flask_appbuilder import expose
from flask_appbuilder.api import expose as expose_api
from werkzeug.exceptions import RequestEntityTooLarge

from app.errors import InvalidInput
from app.extensions import db
from app.models.files import FilePurpose, StoredFile
from app.panel.files import file_answer, may_send, receive
from app.panel.house_view import HouseView
from app.panel.interface import HouseInterface
from app.panel.person import me, now
from app.panel.registry import Registrar
from app.panel.rest import HouseApi
from app.services.files import largest_file, too_large
from app.words import _, _l


class StoredFileApi(HouseApi):
    """Files over REST: sent here first, then named by number in the act that uses them."""

    @expose_api("/", methods=["POST"])
    def post(self) -> tuple[Response, int]:
        """Take in ``file`` for a ``purpose`` (multipart); 201 with its number, 422 with a sentence."""
        by = self._require_token()
        try:
            sent, told = request.files.get("file"), request.form.get("purpose", "")
        except RequestEntityTooLarge:
            raise InvalidInput({"file": [too_large(largest_file(db.session(), by, now()))]}) from None
        try:
            purpose = FilePurpose(told)
        except ValueError:
            raise InvalidInput({"purpose": [_("Not a valid choice.")]}) from None
        if not may_send(purpose, by):
            raise InvalidInput({"purpose": [_("Nothing that you may do takes such a file.")]})
        if sent is None or not sent.filename:
            raise InvalidInput({"file": [_("Please choose a file.")]})
        file = receive(sent, purpose, "file", by)
        told_back = {"id": file.id, "name": file.name, "size": file.size_bytes, "media_type": file.media_type}
        return jsonify(told_back), 201

    @expose_api("/<int:pk>/content", methods=["GET"])
    def content(self, pk: int) -> Response:
        """Answer a file's bytes."""
        return file_answer(pk, self._require_token())


class StoredFileView(HouseView):
    """Files that one handed in."""

    datamodel = HouseInterface(StoredFile)
    api = StoredFileApi
    list_columns = ("name", "media_type", "size_bytes", "purpose", "created_at", "employee")
    labels = {"created_at": _l("When")}
    show_sections = (
        (_l("Stored file"), ("name", "media_type", "size_bytes", "purpose", "created_at", "employee", "dropped_at")),
    )
    order_columns = ("created_at",)

    @expose("/<int:pk>/content")
    def content(self, pk: int) -> Response:
        """Answer a file's bytes to who may see its record."""
        return file_answer(pk, me())


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(StoredFileView)
