"""Unbound extensions; ``create_app`` binds them."""

from __future__ import annotations

from flask_bootstrap import Bootstrap5
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect

from app.models.base import Model

db = SQLAlchemy(model_class=Model, session_options={"expire_on_commit": False})
migrate = Migrate(compare_type=True, compare_server_default=True)
csrf = CSRFProtect()
bootstrap = Bootstrap5()

__all__ = ["bootstrap", "csrf", "db", "migrate"]
