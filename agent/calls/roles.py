"""Who answers which call: four roles, each of which may have a model and an endpoint of its own.

The role of a call is a function of its purpose, so every strategy has the same four. Answers are kept without
the model's name, which the manifest holds: a run goes on with the same models only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sstar_code.agent.models.request import Stage

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Answer, Model, Purpose, Request

ROLES = ("drafter", "feedback", "editor", "selector")
"""First samples and ideas; texts about a program; new programs from an earlier one; inputs and judgements."""
MOST_JUDGES = 4
JUDGES = tuple(f"selector{number}" for number in range(2, MOST_JUDGES + 1))
"""Roles of further judges, who are asked about outputs beside the selector and nothing else."""
_JUDGE = re.compile(r"\w+/judge-(\d+)/")
"""Beginning of the ordinal of a question to a further judge (`selection.judging.question.address_judge`)."""
_FEEDBACK = ("feedback", "critique", "changes", "associate")
"""Beginnings of the ordinals of calls for a text about a program."""


def role_of(purpose: Purpose) -> str:
    """The role that a call belongs to, one of `ROLES` or `JUDGES`."""
    if purpose.stage is Stage.GENERATE:
        return "drafter"
    if purpose.stage is Stage.DEBUG:
        return "feedback" if purpose.ordinal.startswith(_FEEDBACK) else "editor"
    further = _JUDGE.match(purpose.ordinal) if purpose.stage is Stage.JUDGE else None
    return "selector" if further is None else f"selector{further[1]}"


class RoleModels:
    """Asks the model of a call's role; `model` has the roles that are not among `others`."""

    def __init__(self, model: Model, others: Mapping[str, Model]) -> None:
        self.name = model.name
        self._model = model
        self._others = others

    async def ask(self, request: Request) -> Answer:
        """As `Model.ask`."""
        return await self._others.get(role_of(request.purpose), self._model).ask(request)
