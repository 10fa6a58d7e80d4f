"""The acts of an import: hand in, read differently, say what the columns are, check, carry out, cancel."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, object_session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import InvalidInput, Refusal
from app.fields import Choose, Columns, Flag, HouseForm, Upload, Whole, Words
from app.keyring import ring
from app.models.files import FilePurpose
from app.models.imports import (
    ImportBatch,
    ImportFinding,
    ImportOf,
    ImportState,
    OnDuplicate,
    Weight,
)
from app.models.tasks import OPEN_STATES
from app.services.files import CONTENT_RIGHTS, attach, sent_file
from app.services.hr import own_branch
from app.services.imports.headings import missing_columns, read_head, remember
from app.services.imports.kinds import KINDS, ImportKind, kind_of
from app.services.imports.reading_csv import DELIMITERS, ENCODINGS
from app.services.imports.table import Asked
from app.services.tasks import enqueue
from app.words import _, _l

CHECK, CARRY = "imports.check", "imports.carry_out"


class NewImport(HouseForm):
    """Which rows, in which file."""

    kind = Choose(_l("What"), options=ImportOf, required=True)
    file_id = Upload(
        _l("File to import"),
        purpose="import",
        required=True,
        description=_l("A table as XLSX or CSV; templates stand on the page."),
    )


@act(
    ImportBatch,
    "upload",
    _l("Import a file"),
    form=NewImport,
    creates=True,
    main=True,
    icon="file-earmark-arrow-up",
    tone="accent",
    consequence=_l("Nothing is changed yet: the file is checked first."),
)
def upload(session: Session, *, kind: ImportOf, file_id: int, by: Actor, at: datetime) -> Outcome:
    """Take a file in for an import into one's own branch; refuses one that cannot be read or came in before."""
    declared = kind_of(kind, by)
    branch = own_branch(session, by)
    batch = ImportBatch(kind=kind, branch_id=branch.id, employee_id=by.employee_id, state=ImportState.UPLOADED)
    with session.no_autoflush:
        file = sent_file(session, file_id, by)
        if file is None or file.purpose is not FilePurpose.IMPORT:
            raise InvalidInput({"file_id": [_("Please choose the file again.")]})
        _refuse_known_file(session, batch, file.digest, by)
        batch.file_id, batch.file_name, batch.digest, batch.file = file.id, file.name, file.digest, file
        read_head(session, batch, declared, Asked(), None, by, field="file_id")
    session.add(batch)
    session.flush()
    attach(session, file_id, "import_batch", batch.id, field="file_id", by=by)
    return Outcome(result=batch, notice=_next_step(batch, declared))


def may_read_rows(_session: Session, batch: ImportBatch, by: Actor) -> bool:
    """Say whether a person who sees an import may read the file and its rows: who handed it in, or may import these."""
    return _may_read(batch, by)


def _may_read(batch: Any, by: Actor) -> bool:
    return batch.employee_id == by.employee_id or by.may(*KINDS[batch.kind].right)


CONTENT_RIGHTS[ImportBatch.__tablename__] = may_read_rows


def told_columns(batch: Any, by: Actor) -> list[dict[str, Any]]:
    """Return the columns of a file; their examples, which are rows of it, only for who may read the file."""
    if _may_read(batch, by):
        return list(batch.columns)
    return [{**line, "examples": []} for line in batch.columns]


def _refuse_known_file(session: Session, batch: ImportBatch, digest: str, by: Actor) -> None:
    earlier = session.scalars(
        select(ImportBatch).where(
            ImportBatch.branch_id == batch.branch_id,
            ImportBatch.kind == batch.kind,
            ImportBatch.digest == digest,
            ImportBatch.state != ImportState.CANCELLED,
        )
    ).first()
    if earlier is not None:
        when = earlier.created_at.astimezone(by.timezone).strftime("%Y-%m-%d %H:%M")
        if earlier.state is ImportState.DONE:
            told = _(
                "%(who)s handed in this very file on %(when)s, and it is imported.",
                who=earlier.employee.name,
                when=when,
            )
            raise Refusal(told, field="file_id")
        raise Refusal(
            _(
                "%(who)s handed in this very file on %(when)s (%(state)s). "
                "Cancel that import first, or change the file.",
                who=earlier.employee.name,
                when=when,
                state=earlier.state.label,
            ),
            field="file_id",
        )


def _next_step(batch: ImportBatch, kind: ImportKind) -> str:
    missing = missing_columns(batch, kind)
    if missing:
        return _("Please say which columns are: %(columns)s.", columns=", ".join(missing))
    return _("The columns were recognised. Please look at them, then check the file.")


class Differently(HouseForm):
    """How to read the file, where the house guessed wrong."""

    sheet = Words(_l("Sheet"), most=80, description=_l("Empty: the first that is not empty."))
    encoding = Words(
        _l("Encoding"), most=20, description=_l("utf-8, gb18030, big5 or utf-16; empty: as the house finds.")
    )
    delimiter = Words(
        _l("Separator"), most=4, description=_l("One of , ; | ， or the word tab; empty: as the house finds.")
    )
    header_row = Whole(_l("Row of the headers"), least=1, most=1000, description=_l("Empty: as the house finds."))

    def check(self) -> None:
        if self.encoding.data and self.encoding.data.lower() not in ENCODINGS:
            self.refuse("encoding", _("One of: %(choices)s, please.", choices=", ".join(ENCODINGS)))
        if self.delimiter.data and self.delimiter.data != "tab" and self.delimiter.data not in DELIMITERS:
            self.refuse("delimiter", _("One of: %(choices)s, please.", choices=", ; | ， tab"))


@act(
    ImportBatch,
    "read_again",
    _l("Read it differently"),
    form=Differently,
    moves={
        ImportState.UPLOADED: None,
        ImportState.CHECKED: ImportState.UPLOADED,
        ImportState.FAILED: ImportState.UPLOADED,
    },
    prefill=("sheet", "encoding", "header_row"),
    icon="file-earmark-break",
    consequence=_l("The columns are recognised anew; the file has to be checked again."),
)
def read_again(
    session: Session,
    batch: ImportBatch,
    *,
    sheet: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    header_row: int | None = None,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Read a file by another sheet, encoding, separator or header row; refuses what does not fit."""
    kind = kind_of(batch.kind, by)
    is_text = batch.sheet is None
    wanted = {"tab": "\t"}.get(delimiter or "", delimiter)
    asked = Asked(None if is_text else sheet, encoding.lower() if encoding and is_text else None, wanted)
    read_head(session, batch, kind, asked, header_row, by, field="encoding" if is_text else "sheet")
    return Outcome(notice=_next_step(batch, kind))


def _offers(batch: Any) -> list[tuple[str, str]]:
    columns = KINDS[batch.kind].columns
    return [("", _("— not read —")), *((c.field, f"{c.label} *" if c.required else str(c.label)) for c in columns)]


class Mapping(HouseForm):
    """Which column of the file is which field, and what to do with rows that cannot simply be made."""

    columns = Columns(_l("Columns"), lines=told_columns, offers=_offers)
    on_duplicate = Choose(_l("Rows that stand already"), options=OnDuplicate, required=True)
    all_or_nothing = Flag(
        _l("Nothing if the check refuses a row"),
        description=_l(
            "Import nothing as long as the check refuses any row, or a row that stands already is to be refused. "
            "A row refused only while it is written is left out and told."
        ),
    )


@act(
    ImportBatch,
    "map",
    _l("Say what the columns are"),
    form=Mapping,
    moves={
        ImportState.UPLOADED: None,
        ImportState.CHECKED: ImportState.UPLOADED,
        ImportState.FAILED: ImportState.UPLOADED,
    },
    prefill=("columns", "on_duplicate", "all_or_nothing"),
    icon="table",
)
def map_columns(
    session: Session,
    batch: ImportBatch,
    *,
    columns: list[str],
    on_duplicate: OnDuplicate,
    all_or_nothing: bool,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Say what each column of the file is; remembered for the branch's next file with the same headers."""
    kind = kind_of(batch.kind, by)
    batch.columns = [{**line, "field": field} for line, field in zip(batch.columns, columns, strict=True)]
    batch.on_duplicate, batch.all_or_nothing, batch.fingerprint = on_duplicate, all_or_nothing, None
    missing = missing_columns(batch, kind)
    if missing:
        raise InvalidInput({"columns": [_("Please say which columns are: %(columns)s.", columns=", ".join(missing))]})
    remember(session, batch, by=by, at=at)
    return Outcome()


def fingerprint_of(batch: ImportBatch) -> str:
    """Return what file, reading, columns and options amount to: a check holds for the very same."""
    parts = [batch.digest, batch.sheet, batch.encoding, batch.delimiter, batch.header_row]
    return ring().digest(
        "import",
        repr([*parts, [line["field"] for line in batch.columns], batch.on_duplicate.value, batch.all_or_nothing]),
    )


@act(
    ImportBatch,
    "check",
    _l("Check"),
    moves={
        ImportState.UPLOADED: ImportState.CHECKING,
        ImportState.CHECKED: ImportState.CHECKING,
        ImportState.FAILED: ImportState.CHECKING,
    },
    icon="clipboard-check",
    tone="accent",
    consequence=_l("A dry run in the background: it names each refused cell and changes nothing."),
)
def check(session: Session, batch: ImportBatch, *, by: Actor, at: datetime) -> None:
    """Check every row in the background. Refuses while a required column is missing."""
    missing = missing_columns(batch, kind_of(batch.kind, by))
    if missing:
        raise Refusal(_("Please say which columns are: %(columns)s.", columns=", ".join(missing)))
    batch.round += 1
    _ask_for(session, batch, CHECK, by, at)


def _ask_for(session: Session, batch: ImportBatch, work: str, by: Actor, at: datetime) -> None:
    told = {"batch_id": batch.id, "round": batch.round}
    task = enqueue(session, work, told, by=by, at=at, subject=("import_batch", batch.id))
    batch.task_id = task.id


def _nothing_to_do(batch: ImportBatch, by: Actor) -> object | None:
    if batch.all_or_nothing and (batch.rows_refused or _refused_duplicates(batch)):
        return _("Some rows are refused, and this import is all or nothing. Please correct the file first.")
    if batch.rows_refused >= batch.rows_total:
        return _("There is no row left to import. Please correct the file first.")
    return None


def _refused_duplicates(batch: ImportBatch) -> int:
    """Count the rows that stand already and are to be refused, by their own choice or by the whole import's."""
    session = object_session(batch)
    if session is None or not batch.rows_duplicate or batch.state is not ImportState.CHECKED:
        return 0
    refused = select(func.count()).where(
        ImportFinding.batch_id == batch.id,
        ImportFinding.round == batch.round,
        ImportFinding.weight == Weight.DUPLICATE,
        func.coalesce(ImportFinding.choice, batch.on_duplicate.value) == OnDuplicate.REFUSE.value,
    )
    return session.scalar(refused) or 0


@act(
    ImportBatch,
    "carry_out",
    _l("Import"),
    moves={ImportState.CHECKED: ImportState.IMPORTING},
    guard=_nothing_to_do,
    icon="database-add",
    tone="accent",
    consequence=_l(
        "Rows that were refused are left out. What is made stays: an import cannot be taken back as a whole."
    ),
)
def carry_out(session: Session, batch: ImportBatch, *, by: Actor, at: datetime) -> None:
    """Import what was checked, in the background; refuses if file, columns or options are not those checked."""
    kind_of(batch.kind, by)
    if batch.fingerprint != fingerprint_of(batch):
        raise Refusal(_("Something has changed since the check. Please check the file again."))
    _ask_for(session, batch, CARRY, by, at)


def _still_running(batch: ImportBatch, by: Actor) -> object | None:
    return _("This is still being worked on.") if batch.task is not None and batch.task.state in OPEN_STATES else None


@act(
    ImportBatch,
    "resume",
    _l("Go on"),
    moves={ImportState.CHECKING: None, ImportState.IMPORTING: None},
    guard=_still_running,
    icon="play-circle",
    consequence=_l("For work that broke off: it goes on where it stopped. Every row is still imported once."),
)
def resume(session: Session, batch: ImportBatch, *, by: Actor, at: datetime) -> None:
    """Ask again for work that failed or was cancelled; refuses while it still runs."""
    kind_of(batch.kind, by)
    _ask_for(session, batch, CHECK if batch.state is ImportState.CHECKING else CARRY, by, at)


@act(
    ImportBatch,
    "cancel",
    _l("Cancel the import"),
    moves={
        ImportState.UPLOADED: ImportState.CANCELLED,
        ImportState.CHECKING: ImportState.CANCELLED,
        ImportState.CHECKED: ImportState.CANCELLED,
        ImportState.IMPORTING: ImportState.CANCELLED,
        ImportState.FAILED: ImportState.CANCELLED,
    },
    icon="x-octagon",
    tone="danger",
    consequence=_l("What was imported by now stays; the rest is not imported."),
)
def cancel(session: Session, batch: ImportBatch, *, by: Actor, at: datetime) -> None:
    """Give an import up: work under way stops at its next step, and the same file may be handed in again."""
    kind_of(batch.kind, by)
    batch.finished_at = at


class RowChoice(HouseForm):
    """What to do with one row that stands already."""

    choice = Choose(_l("What to do"), options=OnDuplicate, description=_l("Empty: as chosen for the whole import."))


def _not_choosable(finding: ImportFinding, by: Actor) -> object | None:
    return None if finding.weight is Weight.DUPLICATE else _("Only rows that stand already leave a choice.")


@act(
    ImportFinding,
    "choose",
    _l("Choose for this row"),
    form=RowChoice,
    guard=_not_choosable,
    prefill=("choice",),
    icon="signpost",
)
def choose(session: Session, finding: ImportFinding, *, choice: OnDuplicate | None, by: Actor, at: datetime) -> None:
    """Say for one row what is done with it, whatever was chosen for the whole import."""
    batch = session.get_one(ImportBatch, finding.batch_id, with_for_update=True)
    kind_of(batch.kind, by)
    if batch.state is not ImportState.CHECKED or finding.round != batch.round:
        raise Refusal(_("This can be chosen between the check and the import."))
    finding.choice = choice
