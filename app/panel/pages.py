"""What a page shows: plain frozen data that the machinery gathers and the templates lay out.

Templates get nothing else: no record, no session, no rule. Texts are already in the reader's language, times in
her branch's zone, sensitive values masked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from app.panel.keys import Key


@dataclass(frozen=True)
class Link:
    """A place to go. ``icon`` is a Bootstrap icon's name."""

    label: str
    url: str
    icon: str = ""
    active: bool = False
    count: int | None = None
    hot: bool = False


@dataclass(frozen=True)
class ActButton:
    """An act possible now. Opens ``url`` as a dialog, or as a plain page without JavaScript."""

    name: str
    label: str
    url: str
    icon: str = "lightning"
    tone: str = "quiet"


@dataclass(frozen=True)
class PaperButton:
    """A form to print: POST to ``url`` counts a copy, once per ``key``; GET shows a preview."""

    label: str
    url: str
    icon: str
    key: str


@dataclass(frozen=True)
class Bar:
    """A bar: ``done`` of ``total``; None for work whose extent is not known."""

    done: int | None
    total: int


@dataclass(frozen=True)
class Cell:
    """A shown value. ``tone`` makes it a state badge; ``sub`` is a second, quieter line; ``bar`` stands under it;
    ``picture`` is the address of a picture that a record's page shows beneath, ``sound`` of what it plays: then
    ``then`` stands in its place."""

    text: str
    url: str = ""
    sub: str = ""
    tone: str = ""
    number: bool = False
    wide: bool = False
    bar: Bar | None = None
    picture: str = ""
    sound: str = ""
    then: Cell | None = None


@dataclass(frozen=True)
class ColumnHead:
    """A column of a list. ``sort_url`` is empty if it cannot be sorted; ``direction`` is "", "asc" or "desc"."""

    name: str
    label: str
    sort_url: str = ""
    direction: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a list: its record's address, its cells in the order of the columns, its acts; ``first`` is the one of
    them that stands in the row itself. A ``selectable`` one can be chosen for an act on several."""

    key: int
    url: str
    cells: list[Cell]
    acts: list[ActButton] = field(default_factory=list)
    title: str = ""
    selectable: bool = False
    edit_url: str = ""
    first: ActButton | None = None


@dataclass(frozen=True)
class FilterControl:
    """One filter of the bar. ``kind``: choice (``options``), days (periods, or a ``span`` from and to), text. ``chip``
    says it in words when it is set, ``clear_url`` takes it away."""

    name: str
    label: str
    kind: str
    value: str = ""
    options: list[tuple[str, str]] = field(default_factory=list)
    chip: str = ""
    clear_url: str = ""
    span: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Pager:
    """Where we are in a list. ``total_text`` is a sentence such as "1,024 rows" or "more than 1,000 rows";
    ``page`` counts from one."""

    total_text: str
    page: int
    page_size: int
    previous_url: str = ""
    next_url: str = ""
    sizes: list[Link] = field(default_factory=list)


@dataclass(frozen=True)
class TableView:
    """Heads and rows, for lists and for the tabs of a record."""

    heads: list[ColumnHead]
    rows: list[Row]
    empty: str = ""


@dataclass(frozen=True)
class ListPage:
    """A list. ``views`` keep what is shown under a name, or change what is kept; ``columns`` lets one choose them;
    ``clear_url`` takes all words and filters away; ``ways`` lead on from an empty table."""

    title: str
    crumbs: list[Link]
    tabs: list[Link]
    search: str | None
    search_hint: str
    filters: list[FilterControl]
    keep: list[tuple[str, str]]
    table: TableView
    pager: Pager
    acts: list[ActButton]
    add_url: str = ""
    exports: list[Link] = field(default_factory=list)
    intro: str = ""
    papers: list[ActButton] = field(default_factory=list)
    selection: Selection | None = None
    back: Link | None = None
    views: list[ActButton] = field(default_factory=list)
    columns: ActButton | None = None
    clear_url: str = ""
    ways: list[Link] = field(default_factory=list)
    keys: tuple[Key, ...] = ()
    live: str = ""


@dataclass(frozen=True)
class Fact:
    label: str
    cell: Cell


@dataclass(frozen=True)
class Section:
    title: str
    facts: list[Fact]


@dataclass(frozen=True)
class RelatedTab:
    key: str
    label: str
    table: TableView
    count: int
    more_url: str = ""


@dataclass(frozen=True)
class Change:
    """A changed value in words."""

    label: str
    before: str
    after: str


@dataclass(frozen=True)
class HistoryLine:
    """One entry of the history: what, who, when, with which inputs, and what changed by it."""

    label: str
    who: str
    when: str
    details: list[tuple[str, str]] = field(default_factory=list)
    link: Link | None = None
    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True)
class Progress:
    """How far long work is. ``state_url`` is asked again while it runs; ``refresh_url`` is for a page without script;
    ``result`` is the file that it left; ``opens``: a browser shows it, in a tab of its own."""

    state: str
    bar: Bar | None
    count: str
    said: str
    state_url: str = ""
    refresh_url: str = ""
    result: Link | None = None
    opens: bool = False


@dataclass(frozen=True)
class Barcode:
    """A number as bars: the address of its picture, which is ``modules`` wide."""

    text: str
    url: str
    modules: int


@dataclass(frozen=True)
class WorkLine:
    """A piece of one's own long work in the tray. ``told`` says how it ended; empty while it is open."""

    key: int
    title: str
    url: str
    state: Cell
    bar: Bar | None
    count: str
    said: str
    told: str = ""
    result: Link | None = None
    cancel: ActButton | None = None


@dataclass(frozen=True)
class Tray:
    """One's own long work; ``bell`` is what the bell says of ``notices``."""

    lines: list[WorkLine]
    open_count: int
    notices: int
    bell: str


@dataclass(frozen=True)
class RecordPage:
    title: str
    crumbs: list[Link]
    subtitle: str
    state: Cell | None
    acts: list[ActButton]
    papers: list[PaperButton]
    sections: list[Section]
    tabs: list[RelatedTab]
    history: list[HistoryLine]
    edit_url: str = ""
    older_url: str = ""
    banners: list[tuple[str, str]] = field(default_factory=list)
    progress: Progress | None = None
    barcode: Barcode | None = None


@dataclass(frozen=True)
class FormFact:
    """What a form tells of its record beforehand: how many of what, ``url`` shows them; or a value, perhaps with a
    sound. ``error``: why the form was refused because of it."""

    label: str
    url: str = ""
    count: int | None = None
    cell: Cell | None = None
    error: str = ""


@dataclass(frozen=True)
class FormPage:
    """A form: of an act (in a dialog or as a page) or of a plain record.

    ``form`` is a bound WTForms form; ``refusal`` a sentence that concerns the whole; ``hidden`` (name, value)
    pairs to send along; ``groups`` the fields in titled groups; ``facts`` what it tells of its record beforehand;
    ``warnings`` what to think over before it is sent again; ``again`` why it stands there filled although nobody
    refused it; ``before`` what the same form led to earlier; ``and_new`` offers to go on with the next new record;
    ``recompute`` is asked what the lines of the form come to; ``look`` is what stands of each row of a selection, of
    which those that are ``selectable`` are ticked.
    """

    title: str
    crumbs: list[Link]
    form: Any
    action: str
    submit: str
    cancel_url: str
    tone: str = "accent"
    consequence: str = ""
    refusal: str = ""
    hidden: list[tuple[str, str]] = field(default_factory=list)
    groups: list[tuple[str, list[str]]] = field(default_factory=list)
    facts: list[FormFact] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    again: str = ""
    before: Link | None = None
    and_new: bool = False
    recompute: str = ""
    look: TableView | None = None


@dataclass(frozen=True)
class ManyRow:
    """What became of one row of a selection: its record, and the sentence; ``made`` leads to what the act made."""

    record: Link
    ok: bool
    sentence: str = ""
    made: Link | None = None


@dataclass(frozen=True)
class ManyPage:
    """What became of a selection, what was refused first."""

    title: str
    done_text: str
    refused_text: str
    rows: list[ManyRow]
    back_url: str


@dataclass(frozen=True)
class Selection:
    """What may be done on the selected rows of a list. ``acts`` lead to forms that take the rows as ``id``, and so do
    ``papers``, which print any row."""

    acts: list[ActButton]
    back: str
    papers: list[ActButton] = field(default_factory=list)


@dataclass(frozen=True)
class ShownPage:
    """The answer of an act that shows a value once."""

    title: str
    sentence: str
    shown: str
    back_url: str


@dataclass(frozen=True)
class Card:
    """A card of the workbench: a number or a short list. ``trend`` is a line through a week's numbers, ``trend_alt``
    says them; ``hot``: it presses."""

    label: str
    number: str = ""
    note: str = ""
    url: str = ""
    rows: list[Row] = field(default_factory=list)
    trend: str = ""
    trend_alt: str = ""
    hot: bool = False


@dataclass(frozen=True)
class FunnelCard:
    """How many of what began came how far: a table whose numbers open their rows."""

    label: str
    note: str
    url: str
    table: TableView


@dataclass(frozen=True)
class HomePage:
    title: str
    greeting: str
    cards: list[Card]
    lists: list[Card]
    acts: list[ActButton]
    day: str = ""
    pages: list[tuple[str, list[Link]]] = field(default_factory=list)
    funnels: list[FunnelCard] = field(default_factory=list)


@dataclass(frozen=True)
class FoundGroup:
    """What was found of one kind, each row with the act that is next."""

    label: str
    rows: list[Row]
    more_url: str = ""


@dataclass(frozen=True)
class FoundPage:
    """What a scan or a search led to where it is not one record; ``sentence`` says that nothing answers."""

    title: str
    text: str
    groups: list[FoundGroup]
    sentence: str = ""
    acts: list[ActButton] = field(default_factory=list)


@dataclass(frozen=True)
class ReportPage:
    """A report on screen: its parameters, its figures, chart and tables, its files, its past runs.

    ``keep_url`` takes a POST of ``keep_inputs`` that makes the report now and keeps it; ``now_url`` leads from a
    stored run to the same day as it is now, whose figures open.
    """

    title: str
    crumbs: list[Link]
    form: Any
    action: str
    figures: list[Cell]
    chart_uri: str
    chart_alt: str
    tables: list[tuple[str, TableView]]
    exports: list[Link]
    runs: list[Row]
    stored: str = ""
    now_url: str = ""
    acts: list[ActButton] = field(default_factory=list)
    hidden: list[tuple[str, str]] = field(default_factory=list)
    keep_url: str = ""
    keep_inputs: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class TreeNode:
    """A department in the tree: who leads it, how many work in it, from when to when, and its parts.

    ``move_url`` opens the dialog that moves it; empty if this person or its state forbids that.
    """

    row: Row
    code: str
    facts: list[Cell]
    closed: str = ""
    move_url: str = ""
    parts: list[TreeNode] = field(default_factory=list)


@dataclass(frozen=True)
class TreePage:
    """The tree of a branch's departments as of a day."""

    title: str
    crumbs: list[Link]
    form: Any
    action: str
    nodes: list[TreeNode]
    acts: list[ActButton]
    intro: str = ""
    add_url: str = ""


@dataclass(frozen=True)
class JobLine:
    """A job on its page; ``inputs`` (name, value) pairs to send when it is run now."""

    label: str
    name: str
    state: Cell
    facts: list[Fact]
    inputs: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class JobsPage:
    """The house's jobs and the schedulers that run them; ``run_url`` is empty for who only reads."""

    title: str
    crumbs: list[Link]
    jobs: list[JobLine]
    run_url: str
    runs_url: str
    schedulers: TableView


@dataclass(frozen=True)
class ErrorPage:
    code: int
    title: str
    sentence: str
    request_id: str
    ways: list[Link]


#: So many acts stand on a card of a board.
MOST_SHOWN = 2


@dataclass(frozen=True)
class BoardAct:
    """What a card offers. ``key`` does it while the card has the focus, a digit wherever one is on the board.

    ``sends``: it is done at once, with these inputs; None: its dialog opens. ``tucked``: it stands in the card's menu.
    """

    button: ActButton
    key: str = ""
    sends: tuple[tuple[str, str], ...] | None = None
    tucked: bool = False


@dataclass(frozen=True)
class BoardCard:
    """A card: what, how it stands and since when, what can be done next. ``key`` tells it from all others.

    ``part`` is the heading of its part of the lane, ``mark`` what sets it apart, ``why`` sentences on demand,
    ``seconds`` how long its state lasts, which runs on.
    """

    key: str
    title: str
    url: str
    lines: list[str]
    state: Cell
    acts: list[BoardAct]
    part: str = ""
    mark: str = ""
    why: list[str] = field(default_factory=list)
    seconds: int | None = None

    @property
    def shown(self) -> list[BoardAct]:
        """The acts that stand on the card itself; the others are in its menu."""
        return [act for act in self.acts if not act.tucked][:MOST_SHOWN]

    @property
    def tucked(self) -> list[BoardAct]:
        return [act for act in self.acts if act not in self.shown]


@dataclass(frozen=True)
class BoardLane:
    """A lane: so many in all, of which the first ones are ``cards``; ``hot`` ones want to be looked at.

    ``more``: how many are not shown.
    """

    name: str
    label: str
    count: int
    cards: list[BoardCard]
    empty: str
    hot: bool = False
    more: int = 0
    note: str = ""

    @property
    def parts(self) -> list[tuple[str, list[BoardCard]]]:
        """The cards under their headings, in their order."""
        return [(name, [*cards]) for name, cards in groupby(self.cards, key=lambda card: card.part)]


@dataclass(frozen=True)
class BoardNote:
    """A sentence above the lanes, with a place to go."""

    tone: str
    sentence: str
    link: Link | None = None


@dataclass(frozen=True)
class BoardPage:
    """A board as of a moment. ``tag`` stands for all that it shows; ``other_url`` is the same for a wall, or back."""

    title: str
    crumbs: list[Link]
    lanes: list[BoardLane]
    as_of: str
    tag: str
    url: str
    is_wall: bool
    other_url: str
    keys: tuple[Key, ...] = ()
    acts: list[ActButton] = field(default_factory=list)
    notes: list[BoardNote] = field(default_factory=list)


@dataclass(frozen=True)
class DeskRow:
    """A row of the working list: whom, what about, when, why there. ``put_url`` takes another time for it, at its
    ``clock``; ``version`` is that of the row."""

    key: int
    url: str
    title: str
    sub: str
    when: str
    why: Cell
    put_url: str = ""
    clock: str = ""
    version: int = 0
    kept: bool = False
    current: bool = False


@dataclass(frozen=True)
class DeskPerson:
    """Whom one calls: her numbers each with its acts, what to mind, what is known of her by type, what was before."""

    name: Link
    subtitle: str
    contacts: list[tuple[Cell, list[ActButton]]]
    facts: list[Fact]
    mind: list[str]
    traits: list[tuple[str, list[str]]]
    history: list[HistoryLine]
    acts: list[ActButton]


@dataclass(frozen=True)
class DeskPlan:
    """The call itself: what it is for, what speaks against it just now, its acts, and the form that carries it out."""

    key: int
    title: Link
    badges: list[Cell]
    facts: list[Fact]
    notes: list[tuple[str, str]]
    acts: list[ActButton]
    form: FormPage | None
    person: DeskPerson | None


@dataclass(frozen=True)
class DeskLater:
    """A day to which a call is put off with one key: ``at`` for the call that is open."""

    key: str
    label: str
    day: str
    at: str = ""


@dataclass(frozen=True)
class DeskPage:
    """A list that is worked from top to bottom, its open call beside it. ``url`` is its own address, ``due_at`` the
    instant at which a promised call moves to the top; ``put`` what the form that puts the open call off sends."""

    title: str
    crumbs: list[Link]
    url: str
    total_text: str
    rows: list[DeskRow] = field(default_factory=list)
    more_url: str = ""
    plan: DeskPlan | None = None
    later: list[DeskLater] = field(default_factory=list)
    put_url: str = ""
    put: list[tuple[str, str]] = field(default_factory=list)
    due_at: str = ""
    is_part: bool = False
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Lock:
    """What locks a screen: where that is said, where the password unlocks it, where one says that somebody is there;
    and the seconds without a touch after which it locks itself."""

    lock_url: str
    unlock_url: str
    here_url: str
    after: int


@dataclass(frozen=True)
class Theme:
    """A look of the pages that can be chosen; ``chosen`` is the one in force."""

    name: str
    label: str
    icon: str
    chosen: bool = False


@dataclass(frozen=True)
class Frame:
    """What stands around every page: menu, person, branch, notices, languages. ``work`` is how much long work of the
    person is open; ``tray_url`` tells of it."""

    menu: list[tuple[str, list[Link]]]
    home: Link
    person: str
    role: str
    branch: str
    notices: int
    notices_url: str
    languages: list[Link]
    search_url: str
    logout_url: str
    password_url: str
    login_url: str = ""
    username: str = ""
    lock: Lock | None = None
    seeing: str = ""
    stop_url: str = ""
    watermark: str = ""
    themes: list[Theme] = field(default_factory=list)
    theme_url: str = ""
    help_url: str = ""
    here: list[str] = field(default_factory=list)
    work: int = 0
    tray_url: str = ""
    ringing_url: str = ""
    tasks_url: str = ""
    files_url: str = ""
    views_url: str = ""
