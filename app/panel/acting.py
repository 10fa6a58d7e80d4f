"""Acts on screen: the button, the dialog or the plain page, the answer. REST answers in ``rest.py``."""

from __future__ import annotations

import re
import uuid
from typing import Any
from urllib.parse import urlencode

from flask import abort, flash, jsonify, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from app.actors import Actor
from app.acts import REGISTRY, Act
from app.errors import InvalidInput, KeyReused, NotPermitted, OutOfScope, Refusal, Stale, Warned
from app.extensions import db
from app.fields import HouseForm, is_sensitive
from app.keyring import ring
from app.models.audit import ActRun
from app.models.base import models
from app.panel import lines
from app.panel.describe import acts_now, may_open, record_url
from app.panel.doors import again
from app.panel.files import inputs_with_files
from app.panel.pages import ActButton, FormPage, Link, ShownPage
from app.panel.person import me, now
from app.panel.telling import facts_told
from app.services.guard import crossing
from app.services.runner import MAX_KEY, Answer, form_context, prefilled, run
from app.services.scope import find
from app.words import _

#: An address of this house: a path, and no other host behind two slashes.
BACK = re.compile(r"/(?![/\\])[\x21-\x7e]*")
#: What a sent form carries for the machinery; the act's own inputs are the rest. So the same form sent anew with the
#: token of another session is still the same.
NOT_INPUTS = frozenset(
    {"csrf_token", "request_key", "row_version", "warned", "id", "looked", "back", again.WHOSE, again.KEPT}
)


def button(act: Act, record: Any = None, source: Any = None) -> ActButton:
    """Return an act's button: on its record, or making a record, prefilled from ``source``."""
    if record is not None:
        url = url_for(f"{act.table}.act_on", pk=record.id, name=act.name)
    elif source is not None:
        url = url_for(f"{act.table}.act_making", name=act.name, source=f"{source.__tablename__}:{source.id}")
    else:
        url = url_for(f"{act.table}.act_making", name=act.name)
    return ActButton(act.name, str(act.label), url, act.icon, act.tone)


def buttons_of(record: Any, by: Actor) -> list[ActButton]:
    """Return the buttons of a record's page: its acts possible now, then those that start from it."""
    own = [button(act, record) for act in acts_now(record, by)]
    starting = [
        button(act, source=record)
        for act in REGISTRY.starting_from(record.__tablename__)
        if by.may(act.table, act.permission)
    ]
    return own + starting


def hidden_inputs(record: Any, *, anew: bool = False) -> list[tuple[str, str]]:
    """Return the inputs that guard a form: its request key, and the version of the record that it shows.

    ``anew``: the sender has read that the record changed, or that her key was used; her next try starts from now.
    """
    sent = {} if anew else request.form
    hidden = [("request_key", sent.get("request_key") or uuid.uuid4().hex)]
    version = getattr(record, "row_version", None)
    if version is not None:
        hidden.append(("row_version", sent.get("row_version") or str(version)))
    return hidden


def request_key_sent() -> str:
    """Return the request key of a sent form, or a new one."""
    key = request.form.get("request_key", "")
    if len(key) > MAX_KEY or not key.isprintable():
        abort(400)
    return key or uuid.uuid4().hex


def ids_sent(name: str = "id") -> list[int]:
    """Return the ids of the selected rows, each once, in their order; answers 400 to what is none."""
    texts = request.values.getlist(name)
    if any(not text.isascii() or not text.isdigit() or len(text) > 18 for text in texts):
        abort(400)
    return list(dict.fromkeys(int(text) for text in texts))


def back_sent(otherwise: str) -> str:
    """Return the page where rows were selected or a button pressed, if it is an address of ours."""
    back = request.values.get("back", "")
    return back if BACK.fullmatch(back) else otherwise


def row_version_sent() -> int | None:
    """Return the version of the record that the sender looked at."""
    text = request.form.get("row_version", "")
    if text and (not text.isascii() or not text.isdigit() or len(text) > 9):
        abort(400)
    return int(text) if text else None


def own_inputs(sent: Any) -> MultiDict[str, Any]:
    """Return what a sent form holds without what the machinery sent along."""
    return MultiDict((name, value) for name, value in sent.items(multi=True) if name not in NOT_INPUTS)


def done_before(key: str) -> Link | None:
    """Return what this person's form with a request key has led to; None if it was not carried out."""
    by = me()
    with crossing("own_request"):
        earlier = db.session().scalars(select(ActRun).where(ActRun.actor == by.name, ActRun.request_key == key)).first()
    if earlier is None:
        return None
    made = (earlier.result_table or earlier.table_name, earlier.result_id or earlier.record_id)
    for table, record_id in (made, (earlier.table_name, earlier.record_id)):
        record = find(db.session(), table, record_id, by) if record_id is not None and may_open(table, by) else None
        if record is not None:
            return Link(_("This was done already: %(record)s", record=record), record_url(table, record.id))
    return Link(_("This was done already."), "")


def put_errors(form: Any, wrong: InvalidInput) -> None:
    """Put sentences beside their fields; what belongs to none stands above the form."""
    for name, sentences in wrong.errors.items():
        field = form.place(name) if isinstance(form, HouseForm) else form._fields.get(name)
        if field is not None:
            field.errors = list(sentences)
        else:
            form.form_errors.extend(sentences)


def answer(act: Act, record: Any) -> Any:
    """Show an act's form, or run it; the same address serves the dialog and the plain page."""
    by = me()
    if not by.may(act.table, act.permission):
        abort(403)
    if request.method == "GET" or again.sentence():
        refusal = _refusal_now(act, record, by)
        sent = None if request.method == "GET" else own_inputs(request.form)
        return _show(act, record, _form(act, record, by, sent), refusal), 409 if refusal else 200
    inputs, refused = inputs_with_files(act.form, by)
    inputs = own_inputs(inputs)
    form = _form(act, record, by, inputs)
    if lines.changed(form, inputs):
        return _show(act, record, form)
    if refused is not None:
        form.validate()
        put_errors(form, refused)
        return _show(act, record, form), 422
    try:
        done = run(
            db.session(),
            act,
            by=by,
            at=now(),
            record_id=None if record is None else record.id,
            inputs=inputs,
            key=request_key_sent(),
            row_version=row_version_sent(),
            warned=request.form.get("warned"),
        )
    except InvalidInput as wrong:
        form.validate()
        put_errors(form, wrong)
        return _show(act, record, form), 422
    except Warned as said:
        form.validate()
        return _show(act, record, form, warned=said), 409
    except Refusal as said:
        if said.field and said.field in form:
            form.validate()
            form[said.field].errors = [said.sentence]
            return _show(act, record, form), 409
        before = done_before(request_key_sent()) if isinstance(said, KeyReused) else None
        anew = isinstance(said, Stale | KeyReused)
        return _show(act, record, form, said.sentence, anew=anew, before=before, beside=said.field or ""), 409
    except OutOfScope:
        abort(404)
    except NotPermitted:
        abort(403)
    return _done(act, done, by)


def recompute(act: Act, record: Any) -> Any:
    """Answer what the lines of an act's form come to so far; nothing is changed."""
    by = me()
    if not by.may(act.table, act.permission):
        abort(403)
    if act.recompute is None:
        abort(404)
    return lines.answer(act, record, _form(act, record, by, own_inputs(request.form)), by)


def lines_url(act: Act, record: Any) -> str:
    """Return where a form asks what its lines come to; "" where nothing is computed."""
    if act.recompute is None:
        return ""
    if record is None:
        return url_for(f"{act.table}.recompute_making", name=act.name)
    return url_for(f"{act.table}.recompute_on", pk=record.id, name=act.name)


def _refusal_now(act: Act, record: Any, by: Actor) -> str:
    """Return why an act cannot be done, if its state or guard forbids it; its form is shown all the same."""
    if record is None:
        return ""
    if not act.starts_in(getattr(record, "state", None)):
        state = str(record.state.label)
        return _(
            "%(record)s is: %(state)s. “%(act)s” is no longer possible.", record=record, state=state, act=act.label
        )
    said = act.guard(record, by) if act.guard is not None else None
    return "" if said is None else str(said)


def _form(act: Act, record: Any, by: Actor, sent: Any) -> Any:
    begins = prefilled(act, record) if record is not None else _from_source(act, by)
    begins = {**begins, **_from_address(act)}
    if by.watcher_id is not None:  # a person's own number or address is shown to herself alone
        begins = {name: value for name, value in begins.items() if not is_sensitive(getattr(act.form, name))}
    return act.form(sent, data=begins, meta={"context": form_context(db.session(), by, now=now(), record=record)})


def _from_source(act: Act, by: Actor) -> dict[str, Any]:
    """Return what a making act begins with when it starts from another record."""
    source = request.args.get("source", "")
    if not source:
        return {}
    table, _colon, key = source.partition(":")
    if table not in act.starts_from or not key.isascii() or not key.isdigit() or len(key) > 18:
        abort(400)
    record = find(db.session(), table, int(key), by)
    if record is None:
        abort(404)
    return {name: getattr(record, column) for name, column in act.starts_from[table].items()}


def _from_address(act: Act) -> dict[str, Any]:
    """Return the ids, numbers and words that the address fills in beforehand; the form still asks."""
    given = {name: request.args[name] for name in act.from_address if name in request.args}
    return {name: _addressed(name, text) for name, text in given.items()}


def _addressed(name: str, text: str) -> Any:
    if not name.endswith("_id"):
        return text
    if text and (not text.isascii() or not text.isdigit() or len(text) > 18):
        abort(400)
    return int(text) if text else None


def _show(
    act: Act,
    record: Any,
    form: Any,
    refusal: str = "",
    *,
    anew: bool = False,
    warned: Warned | None = None,
    before: Link | None = None,
    beside: str = "",
) -> str:
    action = request.full_path if request.args else request.path
    page = _page(act, record, form, action, refusal, anew=anew, warned=warned, before=before, beside=beside)
    if is_in_place():
        return render_template("panel/here.html", page=_placed(page))
    return render_template("panel/dialog.html" if is_dialog() else "panel/form.html", page=page, act=act)


def page_here(act: Act, record: Any, back: str) -> FormPage:
    """Return an act's form on a record, to stand in the record's own page; js/here.js sends it without leaving."""
    by = me()
    action = f"{button(act, record).url}?{urlencode({'back': back})}"
    return _placed(_page(act, record, _form(act, record, by, None), action, _refusal_now(act, record, by)))


def _placed(page: FormPage) -> FormPage:
    """Let the form's controls have names of their own in the page, beside those of a dialog that opens over it."""
    for field in page.form:
        field.id = f"here-{field.id}"
    return page


def _page(
    act: Act,
    record: Any,
    form: Any,
    action: str,
    refusal: str = "",
    *,
    anew: bool = False,
    warned: Warned | None = None,
    before: Link | None = None,
    beside: str = "",
) -> FormPage:
    model = models()[act.table]
    by = me()
    crumbs = [Link(str(model.TITLES), url_for(f"{act.table}.list") if by.may(act.table, "can_list") else "")]
    if record is not None:
        crumbs.append(Link(str(record), record_url(act.table, record.id) if may_open(act.table, by) else ""))
    lines.tell_computed(act, record, form, by)
    return FormPage(
        title=f"{act.label} {record}" if record is not None else str(act.label),
        crumbs=crumbs,
        form=form,
        action=action,
        submit=str(act.label) if warned is None else _("%(act)s anyway", act=act.label),
        cancel_url=back_sent("") or next((c.url for c in reversed(crumbs) if c.url), url_for("HomeView.index")),
        tone="danger" if act.tone == "danger" else "accent",
        consequence=str(act.consequence),
        refusal=refusal or " ".join(str(error) for error in form.form_errors),
        hidden=hidden_inputs(record, anew=anew) + ([] if warned is None else [("warned", warned.token)]),
        warnings=[] if warned is None else warned.warnings,
        facts=facts_told(act, record, by, {beside: refusal} if beside else {}),
        before=before,
        again=again.sentence(),
        recompute=lines_url(act, record),
        groups=[(str(title), [*names]) for title, names in getattr(act.form, "GROUPS", ())],
    )


def is_in_place() -> bool:
    """Say whether the form stands in a page that goes on, and not in a dialog over it."""
    return is_dialog() and request.headers.get("X-Place") == "here"


def is_dialog() -> bool:
    return request.headers.get("X-Dialog") == "1"


def _done(act: Act, done: Answer, by: Actor) -> Response | str:
    made = done.result if done.result is not None else done.record
    back = _after(act, done, made, by)
    if done.shown is not None:
        page = ShownPage(str(act.label), done.notice or "", done.shown, back)
        if is_dialog():
            return jsonify(redirect=None, open=None, shown_html=render_template("panel/shown_dialog.html", page=page))
        return render_template("panel/shown.html", page=page)
    flash(_("%(act)s: %(record)s.", act=act.label, record=made if made is not None else ""), "success")
    if done.replayed:
        flash(_("Done before; nothing happened this time."), "info")
    if done.notice:
        flash(done.notice, "info")
    paper = _paper_url(act, done)
    if is_dialog():
        # The paper is printed with a key that follows from the act's own: an answer that comes twice prints once.
        key = ring().digest("print", request_key_sent())
        return jsonify(redirect=back, open=paper, open_key=key, shown_html=None)
    return redirect(back)


def _paper_url(act: Act, done: Answer) -> str | None:
    """Return where the form is printed that an act opens: of its own record, or of the one that it names."""
    if not done.paper:
        return None
    *other, name = done.paper.split("/")
    table, pk = other or (act.table, done.record.id)
    return url_for(f"{table}.print_paper", pk=pk, name=name)


def _after(act: Act, done: Answer, made: Any, by: Actor) -> str:
    """Return where to go after an act: back to the page whose button said so, to what the act made, if one may see it,
    else to the list."""
    if back := back_sent(""):
        return back
    for target in (made, done.record):
        if target is None or not may_open(target.__tablename__, by):
            continue
        if find(db.session(), target.__tablename__, target.id, by) is not None:
            return record_url(target.__tablename__, target.id)
    return url_for(f"{act.table}.list") if by.may(act.table, "can_list") else "/"
