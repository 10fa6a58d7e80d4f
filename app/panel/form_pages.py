"""The form of plain rows: adding and editing what no act does."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_appbuilder import expose
from werkzeug.wrappers import Response

from app.actors import Actor
from app.errors import InvalidInput, KeyReused, OutOfScope, Refusal, Stale
from app.extensions import db
from app.fields import HouseForm
from app.models.base import Base, described
from app.panel import acting
from app.panel.declared_view import DeclaredView
from app.panel.describe import record_url
from app.panel.doors import again
from app.panel.forms import form_for
from app.panel.pages import FormPage, Link
from app.panel.person import now
from app.services.fieldrights import seen
from app.services.plain import save
from app.services.runner import form_context
from app.words import _


class FormPages(DeclaredView):
    """The form page of a view with ``form_columns``."""

    @expose("/add", methods=["GET", "POST"])
    def add(self) -> Any:
        by = self._require_form("can_add")
        return self._form(by, None)

    @expose("/edit/<int:pk>", methods=["GET", "POST"])
    def edit(self, pk: int) -> Any:
        by = self._require_form("can_edit")
        return self._form(by, self.record_in_scope(by, pk))

    def _require_form(self, permission: str) -> Actor:
        if not self.canonical or not self.form_columns:
            abort(404)
        return self._require(permission)

    def form_class(self, *, adding: bool, by: Actor | None = None) -> type[HouseForm]:
        """Return the form of a plain row, as far as ``by`` may know of its columns."""
        columns = [name for name in self.form_columns if adding or name not in self.add_only]
        columns = columns if by is None else [*seen(self.model, columns, by)]
        return form_for(self.model, columns)

    def _form(self, by: Actor, record: Any) -> Any:
        session = db.session()
        form_class = self.form_class(adding=record is None, by=by)
        context = form_context(session, by, now=now(), record=record)
        sent = request.form if request.method == "POST" else None
        form = form_class(sent, data=self._standing(record, form_class), meta={"context": context})
        refusal, anew = "", False
        if request.method == "POST" and not again.sentence():
            try:
                if not form.validate():
                    raise InvalidInput(form.errors)
                saved = save(
                    session,
                    self.model,
                    self.values_of(form, record),
                    by=by,
                    at=now(),
                    record_id=None if record is None else record.id,
                    row_version=acting.row_version_sent(),
                    key=acting.request_key_sent(),
                )
                return self._after_saving(saved, is_new=record is None)
            except InvalidInput as wrong:
                acting.put_errors(form, wrong)
            except Refusal as said:
                refusal, anew = said.sentence, isinstance(said, Stale | KeyReused)
            except OutOfScope:
                abort(404)
        page = self._form_page(form, record, refusal, anew=anew)
        status = 409 if refusal else 422 if form.errors else 200
        return render_template("panel/form.html", page=page, appbuilder=self.appbuilder), status

    def _after_saving(self, saved: Any, *, is_new: bool) -> Response:
        """Go to the record, or on to the next new one."""
        if is_new and request.form.get("then") == "new":
            flash(_("Saved: %(record)s.", record=saved), "success")
            return redirect(url_for(".add"))
        return redirect(record_url(self.datamodel.table, saved.id))

    def _standing(self, record: Any, form_class: type[HouseForm]) -> dict[str, Any]:
        """Return what an edit form begins with; sensitive values stay unseen."""
        if record is None:
            return {}
        names = [name for name in self.form_columns if hasattr(form_class, name)]
        return {name: getattr(record, name) for name in names if not _is_sensitive(self.model, name)}

    def values_of(self, form: HouseForm, record: Any) -> dict[str, Any]:
        """Return the values to save; an empty sensitive input of an edit leaves what stands."""
        return {
            name: value.value if isinstance(value, StrEnum) and self._is_text(name) else value
            for name, value in form.data.items()
            if not (record is not None and value is None and _is_sensitive(self.model, name))
        }

    def _is_text(self, name: str) -> bool:
        """Say whether a column keeps a chosen text as it is."""
        column = described(getattr(self.model, name))
        return column is not None and column.options is not None

    def _form_page(self, form: HouseForm, record: Any, refusal: str, *, anew: bool) -> FormPage:
        title = _("New: %(what)s", what=self.model.TITLE) if record is None else _("Edit: %(what)s", what=record)
        back = url_for(".list") if record is None else record_url(self.datamodel.table, record.id)
        return FormPage(
            title=title,
            crumbs=[Link(self.heading, url_for(".list"))],
            form=form,
            action=request.path,
            submit=_("Save"),
            cancel_url=back,
            refusal=refusal,
            hidden=acting.hidden_inputs(record, anew=anew),
            and_new=record is None,
            before=acting.done_before(acting.request_key_sent()) if anew and request.form.get("request_key") else None,
            again=again.sentence(),
        )


def _is_sensitive(model: type[Base], name: str) -> bool:
    column = described(getattr(model, name))
    return column is not None and column.sensitive
