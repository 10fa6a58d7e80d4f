"""Follow-up: categories, rules that make plans, plans, what was done, reviews, cases, cover. White paper 1.3, 2.22."""

from app.models.followup.plans import FollowupPlan, PlanOrigin, PlanState
from app.models.followup.results import (
    CallMethod,
    CaseState,
    FollowupCase,
    FollowupExecution,
    FollowupReview,
)
from app.models.followup.rules import (
    CategoryGroup,
    ExecutorKind,
    FollowupCategory,
    FollowupCover,
    FollowupRule,
    RuleMakes,
)

__all__ = [
    "CallMethod",
    "CaseState",
    "CategoryGroup",
    "ExecutorKind",
    "FollowupCase",
    "FollowupCategory",
    "FollowupCover",
    "FollowupExecution",
    "FollowupPlan",
    "FollowupReview",
    "FollowupRule",
    "PlanOrigin",
    "PlanState",
    "RuleMakes",
]
