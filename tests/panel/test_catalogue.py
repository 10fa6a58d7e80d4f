"""The catalogue of acts: over REST, and as a document that stays true."""

from __future__ import annotations

from app.acts import REGISTRY
from app.ops.documents import ACTS
from app.panel.catalogue import acts_page


def test_the_document_of_acts_is_what_the_declarations_say(app):
    with app.app_context():
        assert ACTS.read_text(encoding="utf-8") == acts_page(), "run `python3 run.py docs`"


def test_every_act_stands_in_the_catalogue_with_states_inputs_and_roles(rest):
    told = rest("phone_consultant")("GET", "acts").json
    acts = {(entry["table"], entry["act"]): entry for entry in told["result"]}
    assert set(acts) == {(act.table, act.name) for act in REGISTRY}
    void = acts["appointment_slip", "void"]
    assert void["moves"] == {"pending": "voided", "expired": "voided"}
    assert [(told["name"], told["required"]) for told in void["inputs"]] == [("reason", True)]
    assert "phone_supervisor" in void["roles"]
    assert "phone_consultant" not in void["roles"]
    assert acts["appointment_slip", "expire"]["by_system"]


def test_the_catalogue_speaks_the_reader_s_language(app, rest):
    call = rest("phone_consultant")
    labels = {
        locale: next(
            entry["label"]
            for entry in call("GET", f"acts?_l_={locale}").json["result"]
            if (entry["table"], entry["act"]) == ("appointment_slip", "place")
        )
        for locale in ("zh", "en")
    }
    assert labels == {"zh": "下预约单", "en": "Place an appointment slip"}
