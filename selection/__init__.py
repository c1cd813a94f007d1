"""Picks one candidate among many by what the programs do."""

from sstar_code.selection.methods.registry import METHODS, Method, choose, select_all
from sstar_code.selection.pool import Pool, expected_accuracy, tier
from sstar_code.selection.protocols import Ask, Candidate, Distinguishing, Question, Reply, Selection

__all__ = [
    "METHODS",
    "Ask",
    "Candidate",
    "Distinguishing",
    "Method",
    "Pool",
    "Question",
    "Reply",
    "Selection",
    "choose",
    "expected_accuracy",
    "select_all",
    "tier",
]
