"""Notices in the reader's language."""

from __future__ import annotations

from app.models.audit import Notice
from app.services.notices import sentence


def test_a_notice_of_a_kind_that_is_not_known_is_told_by_its_kind():
    """A later version may have left it; the list of notices opens all the same."""
    assert sentence(Notice(kind="of_tomorrow", facts={"by": "王芳"})) == "of_tomorrow"
    assert "王芳" in sentence(Notice(kind="login_opened", facts={"by": "王芳"}))
