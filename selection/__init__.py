"""Picks one candidate among many by what the programs do."""

from selection.protocols import Ask, Candidate, Distinguishing, Question, Reply, Selection

__all__ = ["Ask", "Candidate", "Distinguishing", "Question", "Reply", "Selection"]
