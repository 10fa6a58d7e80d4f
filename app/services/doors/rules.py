"""The settings of the doors. What the white paper marks [J] in H.2 is a setting.

They hold for the whole group, so that no branch loosens what guards all. A session keeps what was in force when it
began; a new value counts from the next login.
"""

from __future__ import annotations

from app.roles import ROLES
from app.services.settings import setting
from app.words import _l

H2 = "H.2"

FAILURES = setting(
    "login.failures",
    _l("Wrong passwords before a login name is locked"),
    "5",
    "whole",
    least=1,
    most=20,
    help=_l("Counted per login name, also for names that do not exist, on screen and over REST alike."),
    source=H2,
    group_only=True,
)
ADDRESS_FAILURES = setting(
    "login.address_failures",
    _l("Wrong passwords before a network address is locked"),
    "30",
    "whole",
    least=1,
    most=1000,
    help=_l("A branch may stand behind one address, so this is more than for one name."),
    source=H2,
    group_only=True,
)
LOCK_MINUTES = setting(
    "login.lock_minutes",
    _l("How long a locked login name or address stays locked, minutes"),
    "15",
    "whole",
    least=1,
    most=1440,
    help=_l("Failures further back than this are forgotten. The information centre can unlock earlier."),
    source=H2,
    group_only=True,
)
SCREEN_LOCK = setting(
    "login.screen_lock_minutes",
    _l("Idle time after which the screen is locked, minutes"),
    "10",
    "whole",
    least=1,
    most=120,
    help=_l("The session stays; the password unlocks it."),
    source=H2,
    group_only=True,
)
PUBLIC_SCREEN_LOCK = setting(
    "login.public_screen_lock_minutes",
    _l("Idle time at public desks after which the screen is locked, minutes"),
    "3",
    "whole",
    least=1,
    most=120,
    help=_l("For people of departments that are marked as public desks."),
    source=H2,
    group_only=True,
)
IDLE = setting(
    "login.idle_minutes",
    _l("Idle time after which a session ends, minutes"),
    "120",
    "whole",
    least=2,
    most=1440,
    help=_l("Locked or not. What was typed and not sent is lost then."),
    source=H2,
    group_only=True,
)
PUBLIC_IDLE = setting(
    "login.public_idle_minutes",
    _l("Idle time at public desks after which a session ends, minutes"),
    "60",
    "whole",
    least=2,
    most=1440,
    help=_l("For people of departments that are marked as public desks."),
    source=H2,
    group_only=True,
)
LONGEST = setting(
    "login.longest_hours",
    _l("Longest session, hours"),
    "12",
    "whole",
    least=1,
    most=24,
    help=_l("After this time one logs in again, whatever one does. Tokens of REST too."),
    source=H2,
    group_only=True,
)
LENGTH = setting(
    "password.length",
    _l("Shortest password, characters"),
    "10",
    "whole",
    least=8,
    most=64,
    source=H2,
    group_only=True,
)
CLASSES = setting(
    "password.classes",
    _l("Kinds of characters in a password"),
    "3",
    "whole",
    least=1,
    most=4,
    help=_l("Of four: capital letters, small letters, digits, others."),
    source=H2,
    group_only=True,
)
HISTORY = setting(
    "password.history",
    _l("Earlier passwords that may not come back"),
    "5",
    "whole",
    most=24,
    source=H2,
    group_only=True,
)
DAYS = setting(
    "password.days",
    _l("A password is good for this many days"),
    "90",
    "whole",
    most=365,
    help=_l("0: for good."),
    source=H2,
    group_only=True,
)
NOTICE_DAYS = setting(
    "password.notice_days",
    _l("Days before, from which one is told at login that the password runs out"),
    "7",
    "whole",
    most=60,
    source=H2,
    group_only=True,
)
UNCOMMON = setting(
    "password.uncommon",
    _l("Common passwords are refused"),
    "yes",
    "switch",
    help=_l("Those of a list of thirty thousand, also with digits and signs around them."),
    source="L14",
    group_only=True,
)
CHANGE_FIRST = setting(
    "password.change_first",
    _l("A password given by somebody else is replaced at the first login"),
    "yes",
    "switch",
    help=_l("After a login is opened and after a new password was set by the information centre."),
    source="L14",
    group_only=True,
)
SECOND_FACTOR = setting(
    "login.second_factor",
    _l("A second factor is required"),
    "named",
    "option",
    options=("nobody", "named", "everybody"),
    help=_l("named: finance, information centre, heads of branch and hospital, administrators (H.2). Open to all."),
    source=H2,
    group_only=True,
)
RESET_MINUTES = setting(
    "login.reset_minutes",
    _l("How long a code for a new password is good, minutes"),
    "30",
    "whole",
    least=5,
    most=1440,
    help=_l("The information centre hands it out to who forgot hers."),
    source="L14",
    group_only=True,
)
#: A code for a new password dies after this many wrong ones, whatever the settings say.
CODE_TRIES = 5

#: R23-R24, R32-R34 and administrators: H.2.
NAMED_ROLES = frozenset(
    name for name, role in ROLES.items() if role.code in ("R23", "R24", "R32", "R33", "R34") or name == "admin"
)

#: What the demo and the tests switch off, so that their published password opens every door.
OPEN_HOUSE = {
    SECOND_FACTOR.key: "nobody",
    CHANGE_FIRST.key: "no",
    DAYS.key: "0",
}
