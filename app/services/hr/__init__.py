"""The organisation: who a login is, the tree of departments, posts, hiring, leaving. White paper 4.2."""

from app.services.hr import leaving, organising, posts
from app.services.hr.holdings import (
    HOLDINGS,
    HandingOver,
    Holding,
    declare_hindrance,
    declare_holding,
    held_by,
    unseen,
)
from app.services.hr.organising import working
from app.services.hr.people import (
    actor_for_employee,
    actor_for_user,
    departments_below,
    holders_of,
    holds_right,
    own_branch,
    reaches_of,
    rights_of_user,
)
from app.services.hr.tree import Node, tree_of

__all__ = [
    "HOLDINGS",
    "HandingOver",
    "Holding",
    "Node",
    "actor_for_employee",
    "actor_for_user",
    "declare_hindrance",
    "declare_holding",
    "departments_below",
    "held_by",
    "holders_of",
    "holds_right",
    "leaving",
    "organising",
    "own_branch",
    "posts",
    "reaches_of",
    "rights_of_user",
    "tree_of",
    "unseen",
    "working",
]
