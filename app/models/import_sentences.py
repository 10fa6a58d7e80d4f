"""What a check says of a cell or a row: kept as a key with facts, read as a sentence in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.words import _, _l, locale_in_force

#: The sentence of each rule; facts fill it when it is read.
SENTENCES: dict[str, object] = {
    # what the file is like
    "formula": _l("This cell holds a formula. Please paste its value."),
    "merged": _l("This cell is part of the merged cells %(range)s. Please unmerge them and fill in every row."),
    "error_cell": _l("This cell holds an error of the spreadsheet."),
    "ragged_more": _l("This row has %(cells)s cells, but there are %(heads)s headers. Is a separator in a text?"),
    "ragged_fewer": _l("This row has %(cells)s cells, but there are %(heads)s headers; the rest was read as empty."),
    # what a value is like
    "required": _l("This is required and empty."),
    "too_long": _l("At most %(most)s characters, please; this has %(length)s."),
    "not_text": _l("This text contains characters that cannot be stored."),
    "not_phone": _l("This is not a telephone number. Mobile: 11 digits; landline: area code and number."),
    "digits_lost": _l("The spreadsheet has cut this number's digits. Please type it again in a column of texts."),
    "zero_lost": _l("A leading zero seems to be lost. Please type %(number)s in a column of texts."),
    "code_number": _l("This was a number in the spreadsheet; leading zeros are lost if it had any."),
    "not_day": _l("This is not a day, such as 2026-01-03, 2026/1/3 or 2026年1月3日."),
    "not_instant": _l("This is not a date and time, such as 2026-01-03 14:30."),
    "future": _l("This lies in the future."),
    "not_whole": _l("A whole number from %(least)s to %(most)s, please."),
    "not_choice": _l("This is none of: %(choices)s."),
    "not_yes_no": _l("Yes or no, please."),
    "not_id_no": _l("An ID number has 18 characters, and its last one checks the others; this one does not fit."),
    # what a value names
    "not_item": _l("The dictionary “%(dictionary)s” has no item of this name that is in use."),
    "nobody": _l("There is no %(what)s of this name or number in your branch."),
    "several": _l("There are several of this name; please write the number or code instead."),
    "left": _l("%(who)s no longer works here."),
    "not_your_department": _l("This colleague is not in your department."),
    # what a row says as a whole
    "no_name": _l("A name or an alias, please."),
    "no_way": _l("One way to reach her, please: telephone, WeChat or QQ."),
    "said": _l("%(sentence)s"),
    "end_before_start": _l("The end cannot lie before the beginning."),
    "twice_in_file": _l("The same %(what)s stands in row %(row)s already."),
    "stands": _l("This stands already: %(record)s."),
    "known_number": _l("%(sentence)s"),
    "stands_apart": _l("This stands already, outside of what you see."),
    "wechat_nobody": _l("Nobody with this account is on file yet, so the record is linked to no customer."),
    # what rows say of each other
    "refers_nobody": _l("“%(name)s” is neither in this file nor on file."),
    "refers_several": _l("“%(name)s” is the name of several; please write the number or code instead."),
    "refers_self": _l("This row refers to itself."),
    "ring": _l("%(count)s rows refer to each other in a ring, this one to row %(row)s. Please break the ring."),
    "refers_refused": _l("This row refers to row %(row)s, which is refused."),
    "link_left": _l("The record was made without this reference: %(sentence)s"),
    "unreadable": _l("%(sentence)s"),
}


def sentence_of(rule: str, facts: Mapping[str, Any]) -> str:
    """Return a finding in the reader's language. ``zh`` and ``en`` among the facts are one sentence in both."""
    if rule not in SENTENCES:
        return _("Please look at this again.")
    told = dict(facts)
    if "zh" in told:
        told["sentence"] = told[locale_in_force()]
    for name in ("what", "choices", "dictionary"):
        if isinstance(told.get(name), dict):
            told[name] = told[name][locale_in_force()]
    return str(SENTENCES[rule]) % told
