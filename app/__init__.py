"""Yimei 医美: a business system for aesthetic-medicine hospitals and their branches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask


def create_app(**settings: Any) -> Flask:
    """Make the application: bind extensions, import models, register views; nothing else.

    ``settings`` override what the environment says. Runs no SQL.
    """
    from flask import Flask
    from flask_appbuilder import AppBuilder
    from werkzeug.middleware.proxy_fix import ProxyFix

    import config
    from app import filestore, jobs, keyring, views  # noqa: F401  (jobs declare themselves; the page of jobs shows them)
    from app.extensions import bootstrap, csrf, db, migrate
    from app.models.base import refuse_undeclared
    from app.panel import assets, frame, web
    from app.panel.person import name_for_database, reader_of_request
    from app.services import mail
    from app.services.guard import provide_reader
    from app.unit import provide_actor
    from app.views.home import HomeView

    app = Flask(__name__)
    app.config.from_mapping(config.from_environment())
    app.config.from_mapping(settings)
    keyring.configure(app.config["ENCRYPTION_KEYS"], app.config["HASH_KEY"], config.ring_source())
    filestore.configure(Path(app.config["FILES_FOLDER"]))
    mail.configure(None if app.config["MAIL"] is None else mail.Server(**app.config["MAIL"]), app.config["PUBLIC_URL"])
    db.init_app(app)
    migrate.init_app(app, db)
    csrf.init_app(app)
    bootstrap.init_app(app)
    if proxies := app.config["TRUSTED_PROXIES"]:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]
    provide_actor(name_for_database)
    provide_reader(reader_of_request)
    assets.install(app)
    web.install(app)
    frame.install(app)
    with app.app_context():
        appbuilder = AppBuilder(indexview=HomeView)
        appbuilder.init_app(app, db.session)
        views.register(appbuilder)
        refuse_undeclared()
    return app


def served() -> Flask:
    """Make the application for the web server, with the dictionaries that a first request would wait half a second for.

    The server makes it before its workers fork, so that they share what is loaded here.
    """
    from app.models import findable
    from app.services.doors import passwords

    findable.dictionaries()
    passwords.common_words()
    return create_app()
