"""When backups are made and how long they are kept: what an administrator decides. White paper H.2, L15."""

from __future__ import annotations

from app.services.settings import setting
from app.words import _l

BACKUP_AT = setting(
    "backup.at",
    _l("Time of the nightly backup"),
    "02:30",
    "clock",
    help=_l("By the clock of the first branch. One that was missed is made up as soon as the scheduler runs again."),
    source="H.2",
)
BACKUP_DAYS = setting(
    "backup.days",
    _l("How long every nightly backup is kept, days"),
    "14",
    "whole",
    least=2,
    most=365,
    help=_l("Within these days every second can be restored. Nothing is removed before a newer good backup stands."),
    source="H.2",
)
BACKUP_WEEKS = setting(
    "backup.weeks",
    _l("How long one backup of each week is kept, weeks"),
    "8",
    "whole",
    most=520,
    help=_l("Of these the moment of the backup can be restored."),
    source="H.2",
)
