"""The one choke point: every read that Flask-AppBuilder or the panel makes goes through the actor's scope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import has_request_context
from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy import Select, false, func, inspect, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.extensions import db
from app.models.base import Base
from app.panel.person import current_actor
from app.services.scope import in_scope, loader, scope_clause

#: Beyond this many rows a list says "more than"; counting them all would cost more than the page.
MOST_COUNTED = 1000


class HouseInterface(SQLAInterface):
    """Scoped by construction: the framework's own entry points and the panel's statements alike.

    Outside a request (jobs, commands) nothing is scoped here: services are told their actor instead.
    """

    def __init__(self, model: type[Base]) -> None:
        super().__init__(model, db.session)

    @property
    def table(self) -> str:
        name: str = self.obj.__tablename__
        return name

    def _scoped(self, query: Any) -> Any:
        if not has_request_context():
            return query
        actor = current_actor()
        if actor is None:
            return query.filter(false())
        clause = scope_clause(self.obj, actor)
        return query if clause is None else query.filter(clause)

    def query_count(self, query: Any, filters: Any = None, select_columns: Any = None) -> Any:
        return super().query_count(self._scoped(query), filters, select_columns)

    def apply_all(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        return super().apply_all(self._scoped(query), *args, **kwargs)

    def _get_base_query(self, query: Any = None, **kwargs: Any) -> Any:
        return super()._get_base_query(query=self._scoped(query), **kwargs)

    def get_related_obj(self, col_name: str, value: Any) -> Any:
        related = inspect(self.obj).relationships[col_name].mapper.class_
        return HouseInterface(related).get(value)

    def add(self, item: Any, raise_exception: bool = False) -> bool:
        """Flush only: the unit of work commits."""
        self.session.add(item)
        self.session.flush()
        return True

    def edit(self, item: Any, raise_exception: bool = False) -> bool:
        """Flush only: the unit of work commits."""
        self.session.flush()
        return True

    def delete(self, item: Any, raise_exception: bool = False) -> bool:
        """Nothing is deleted."""
        raise NotImplementedError("records are voided or retired, never deleted")

    # --- what the panel's own pages read ---------------------------------------------------------------------

    def statement(self, by: Actor, conditions: Sequence[Any] = ()) -> Select[Any]:
        """Return the scoped select of this table under further conditions."""
        return in_scope(self.obj, by).where(*conditions)

    def page(
        self,
        session: Session,
        statement: Select[Any],
        *,
        order: Sequence[Any],
        page: int,
        size: int,
        eager: Sequence[str] = (),
    ) -> list[Any]:
        """Return one page of records with the named relationships loaded, dotted paths included."""
        options = [loader(self.obj, path) for path in eager]
        return list(
            session.scalars(statement.options(*options).order_by(*order).limit(size).offset(page * size)).unique()
        )

    def count(self, session: Session, statement: Select[Any], *, exact: bool = False) -> int:
        """Return how many rows there are; unless ``exact``, at most one more than ``MOST_COUNTED``."""
        rows = statement.with_only_columns(self.obj.id).order_by(None)
        limited = (rows if exact else rows.limit(MOST_COUNTED + 1)).subquery()
        return session.scalar(select(func.count()).select_from(limited)) or 0

    def record(self, session: Session, by: Actor, record_id: int, eager: Sequence[str] = ()) -> Any | None:
        """Return a record in scope, or None."""
        options = [loader(self.obj, path) for path in eager]
        return session.scalars(self.statement(by, [self.obj.id == record_id]).options(*options)).unique().one_or_none()
