"""What a view shows and loads unless it says otherwise, and where one that names its group stands in the menu."""

from __future__ import annotations

from app.models.customers import ChannelPartner
from app.models.settings import DictionaryItem
from app.panel.defaults import facts_of, fixed_once_added, loaded_with
from app.panel.house_view import views


def test_a_record_shows_what_its_list_shows_and_what_its_form_asks_besides():
    shown = facts_of(ChannelPartner, ("name", "state", "manager"), ("branch_id", "name", "contract_no", "manager_id"))
    assert shown == ("name", "manager", "branch", "contract_no")


def test_lists_load_the_records_that_their_columns_name():
    assert loaded_with(ChannelPartner, ("name", "manager"), ("branch", "manager")) == ("manager", "branch")


def test_a_row_never_leaves_its_branch():
    assert fixed_once_added(ChannelPartner, ("branch_id", "name"), ("name",)) == ("branch_id", "name")
    assert fixed_once_added(DictionaryItem, ("code", "name"), ("code",)) == ("code",)


def test_a_view_takes_what_it_leaves_out_from_its_columns(app):
    with app.app_context():
        view = views()["channel_partner"]
    assert view.add_only == ("branch_id",)
    assert {"manager", "branch"} <= set(view.eager)
    assert [list(names) for _title, names in view.show_sections] == [["name", "contract_no", "manager", "branch"]]


def test_a_view_that_names_its_group_stands_at_the_groups_end(app):
    groups = {group.name: group for group in app.appbuilder.menu.menu}
    nested = {group.name: group for group in groups["workstation"].childs}
    assert nested["appointments"].childs[-1].name == "appointment_supplement_request"
    named = [page.name for page in groups["system"].childs]
    placed = ["print_job", "background_task", "audit_log", "audit_seal", "audit_prune"]
    assert [name for name in named if name in placed] == placed, "module by module"
    assert named.index("print_job") > named.index("job")
