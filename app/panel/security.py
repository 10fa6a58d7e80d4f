"""Flask-AppBuilder's security manager, cured; and the synchronisation of rights from ``app/roles.py``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from flask import Flask, g, jsonify
from flask_appbuilder.security.sqla.manager import SecurityManager
from flask_login import LoginManager
from sqlalchemy import Table, delete, insert, select, tuple_
from sqlalchemy.orm import Session

from app.acts import REGISTRY
from app.extensions import db
from app.models.base import METADATA
from app.models.doors import SessionKind
from app.models.settings import Effect, RoleOverride
from app.panel.doors.again_pages import AgainView
from app.panel.doors.api import SecurityApi
from app.panel.doors.pages import DoorsView, HouseAuthView
from app.panel.doors.visit import KEY, limit_writes, load_cookie_user, mark_seen, session_in_force, user_behind
from app.panel.person import act_as, current_actor
from app.reports.base import PAPERS, REPORTS
from app.roles import ROLES, rights_of
from app.services.customers import fill_id_hashes
from app.services.fieldrights import field_rights
from app.services.imports import KINDS
from app.services.reference import ensure_reference_data
from app.unit import acting_as
from app.words import _

#: Pages that everybody who is logged in may use.
FOR_EVERYBODY = frozenset({"HomeView", "LocaleView", "HouseAuthView", "DoorsView", "AgainView"})
Pair = tuple[str, str]


class HouseSecurityManager(SecurityManager):
    """Rights from one query per request; the database told who acts; no stock user or role views."""

    authdbview = HouseAuthView
    security_api = SecurityApi

    def register_views(self) -> None:
        """Register the token login and the pages of the doors; accounts are acts on employees."""
        self.appbuilder.add_api(self.security_api)
        self.auth_view = self.authdbview()
        self.appbuilder.add_view_no_menu(self.auth_view)
        self.appbuilder.add_view_no_menu(DoorsView())
        self.appbuilder.add_view_no_menu(AgainView())

    def create_login_manager(self, app: Flask) -> LoginManager:
        """Let the cookie open what its session on the server allows, and nothing by itself."""
        manager = super().create_login_manager(app)
        manager.user_loader(load_cookie_user)
        return manager

    def has_access(self, permission_name: str, view_name: str) -> bool:
        actor = current_actor()
        if actor is None:
            return False
        return view_name in FOR_EVERYBODY or actor.may(view_name, permission_name)

    def is_item_public(self, permission_name: str, view_name: str) -> bool:
        return False

    def create_jwt_manager(self, app: Flask) -> Any:
        """Answer a missing, spent or forged token in the contract's shape."""
        manager = super().create_jwt_manager(app)

        def refuse(*_told: Any) -> Any:
            response = jsonify(message=_("Please log in: a valid token is missing."))
            response.status_code = 401
            return response

        for loader in (
            manager.unauthorized_loader,
            manager.invalid_token_loader,
            manager.expired_token_loader,
            manager.revoked_token_loader,
            manager.user_lookup_error_loader,
            manager.needs_fresh_token_loader,
        ):
            loader(refuse)
        return manager

    def load_user_jwt(self, _jwt_header: Any, jwt_data: Any) -> Any:
        """Return the login behind a token whose session is open; name it to the database, and hold its POSTs."""
        user = user_behind(jwt_data["sub"], jwt_data.get(KEY), SessionKind.API)
        if user is not None:
            g.user = g.token_user = user
            g.pop("actor", None)
            act_as(f"user:{user.id}")
            limit_writes(f"user:{user.id}")
            mark_seen(session_in_force())
        return user

    def auth_user_db(self, username: str, password: str) -> None:
        """Let nobody in by the framework's own way, which counts nothing and locks nothing: ``services.doors`` does."""

    def create_db(self) -> None:
        """Leave the schema to migrations and the roles to ``sync_security``."""


def known_rights(app: Flask) -> set[Pair]:
    """Return every (view, permission) pair that the panel asks for."""
    pairs: set[Pair] = set()
    for view in app.appbuilder.baseviews:  # type: ignore[attr-defined]
        pairs |= {(view.class_permission_name, name) for name in view.base_permissions or ()}
    pairs |= {(act.table, act.permission) for act in REGISTRY if not act.by_system}
    pairs |= {(paper.table, paper.permission) for paper in PAPERS.values()}
    pairs |= {(report.right, f"can_{name}") for report in REPORTS.values() for name in ("list", "run", "export")}
    pairs |= {kind.right for kind in KINDS.values()}
    pairs |= field_rights()
    pairs |= {(name, "menu_access") for name in app.appbuilder.menu.get_flat_name_list()}  # type: ignore[attr-defined]
    return {(view, name) for view, name in pairs if view not in FOR_EVERYBODY}


def menu_rights(app: Flask, rights: Iterable[Pair]) -> set[Pair]:
    """Return the menu entries that follow from rights: an entry from its page, a group from its entries."""
    held, granted = set(rights), set()

    def walk(items: Any) -> bool:
        shown = False
        for item in items:
            if item.childs:
                visible = walk(item.childs)
            else:
                page = getattr(item.baseview, "class_permission_name", None)
                visible = (page, "can_list") in held
            if visible:
                granted.add((item.name, "menu_access"))
            shown = shown or visible
        return shown

    walk(app.appbuilder.menu.get_list())  # type: ignore[attr-defined]
    return granted


def wanted_rights(app: Flask, session: Session) -> dict[str, set[Pair]]:
    """Return each role's pairs: as declared, changed by the overrides in force, with the menus that follow."""
    known = known_rights(app)
    wanted: dict[str, set[Pair]] = {}
    overrides = session.scalars(select(RoleOverride).where(RoleOverride.retired_at.is_(None))).all()
    for name in ROLES:
        declared = rights_of(name)
        unknown = declared - known
        if unknown:
            raise RuntimeError(f"role {name} names rights that nothing asks for: {sorted(unknown)}")
        for override in (change for change in overrides if change.role == name):
            pair = (override.table_name, override.permission)
            (declared.add if override.effect is Effect.GRANT else declared.discard)(pair)
        wanted[name] = (declared & known) | menu_rights(app, declared)
    return wanted


def sync_security(app: Flask) -> None:
    """Write the rights of ``app/roles.py`` and the overrides into Flask-AppBuilder's tables, and what of the
    reference data is absent; safe to repeat.

    Roles that an administrator made under names of her own are left alone.
    """
    with app.app_context(), acting_as("house:sync-security"):
        session = db.session()
        ensure_reference_data(session, datetime.now(UTC))
        fill_id_hashes(session)
        wanted = wanted_rights(app, session)
        pairs = _ensure_pairs(session, known_rights(app).union(*wanted.values()))
        roles = _ensure_names(session, METADATA.tables["ab_role"], {*wanted, "Public"})
        grants = METADATA.tables["ab_permission_view_role"]
        asked = {(roles[name], pairs[pair]) for name, held in wanted.items() for pair in held}
        _write_grants(session, grants, {roles[name] for name in wanted}, asked)
        session.commit()


def _write_grants(session: Session, grants: Table, roles: set[int], asked: set[tuple[int, int]]) -> None:
    """Write which role has which right: what differs alone, so that the trail tells of changes and of nothing else."""
    columns = (grants.c.role_id, grants.c.permission_view_id)
    standing = {(role, right) for role, right in session.execute(select(*columns).where(grants.c.role_id.in_(roles)))}
    if gone := standing - asked:
        session.execute(delete(grants).where(tuple_(*columns).in_(sorted(gone))))
    if new := asked - standing:
        session.execute(insert(grants), [{"role_id": role, "permission_view_id": right} for role, right in sorted(new)])


def _ensure_names(session: Session, table: Table, names: Iterable[str]) -> dict[str, int]:
    """Return name -> id of a table with a unique name, adding what is absent."""
    standing = {name: key for key, name in session.execute(select(table.c.id, table.c.name))}
    absent = sorted(set(names) - set(standing))
    if absent:
        added = session.execute(insert(table).returning(table.c.id, table.c.name), [{"name": name} for name in absent])
        standing.update({name: key for key, name in added})
    return standing


def _ensure_pairs(session: Session, pairs: Iterable[Pair]) -> dict[Pair, int]:
    wanted = sorted(set(pairs))
    views = _ensure_names(session, METADATA.tables["ab_view_menu"], {view for view, _name in wanted})
    names = _ensure_names(session, METADATA.tables["ab_permission"], {name for _view, name in wanted})
    table = METADATA.tables["ab_permission_view"]
    standing = {
        (view_id, name_id): key
        for key, view_id, name_id in session.execute(select(table.c.id, table.c.view_menu_id, table.c.permission_id))
    }
    for view, name in wanted:
        if (views[view], names[name]) not in standing:
            key = session.execute(
                insert(table).values(view_menu_id=views[view], permission_id=names[name]).returning(table.c.id)
            ).scalar_one()
            standing[views[view], names[name]] = key
    return {(view, name): standing[views[view], names[name]] for view, name in wanted}


def security_fingerprint(app: Flask) -> str:
    """Return a hash of everything that ``sync_security`` would write, overrides apart."""
    told = {
        "roles": {name: sorted(rights_of(name)) for name in ROLES},
        "known": sorted(known_rights(app)),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
