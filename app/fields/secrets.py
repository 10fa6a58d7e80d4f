"""Which inputs are nobody else's business: kept masked or not at all, and never written down to be done later."""

from __future__ import annotations

from typing import Any

from wtforms import FieldList, Form, FormField


def is_secret(field: Any) -> bool:
    """Say whether an unbound field takes a secret, such as a password, of which the history keeps nothing."""
    return bool(getattr(field.field_class, "SECRET", False))


def is_sensitive(field: Any) -> bool:
    """Say whether an unbound field takes a telephone number or the like, which the history keeps masked."""
    return bool(field.kwargs.get("sensitive") or getattr(field.field_class, "SENSITIVE", False))


def has_secrets(form: type[Form]) -> bool:
    """Say whether a form asks anything that is secret or sensitive, in its lines as well."""
    return any(_tells(getattr(form, name)) for name in dir(form) if hasattr(getattr(form, name), "field_class"))


def _tells(field: Any) -> bool:
    if "row" in field.kwargs:
        return has_secrets(field.kwargs["row"])
    if issubclass(field.field_class, FieldList | FormField):
        inner = field.args[0]
        return has_secrets(inner) if isinstance(inner, type) else _tells(inner)
    return is_secret(field) or is_sensitive(field)
