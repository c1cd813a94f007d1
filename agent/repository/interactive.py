"""Asks the person at the terminal what is right, where candidates that pass everything still differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sstar_code.problems.values import Opaque, decode
from sstar_code.selection.judging.question import show_input
from sstar_code.selection.protocols import Derived
from sstar_code.selection.pytest_export.render import literal

if TYPE_CHECKING:
    from sstar_code.agent.repository.task.problem import Task
    from sstar_code.selection import Candidate, Selection

_MOST_QUESTIONS = 5
_MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who answers with a number, or with nothing to leave it open."""

    ask: Callable[[str], str]
    """Shows a question and gives the answer."""

    async def settle(
        self, task: Task, candidates: Sequence[Candidate], selection: Selection
    ) -> tuple[Selection, tuple[Derived, ...]]:
        """The choice after the person's answers, and the answers as tests.

        Each answer leaves the candidates that do what it says; the method's own choice stands among those.
        """
        left = set(range(len(selection.clusters)))
        answers: list[Derived] = []
        for item in selection.distinguishing[:_MOST_QUESTIONS]:
            options = list(dict.fromkeys(item.outputs[str(number)] for number in sorted(left)))
            if len(options) < 2:
                continue
            answer = self._ask_which(task, item.input, options)
            if answer is None:
                continue
            left = {number for number in left if item.outputs[str(number)] == answer}
            if not answer.startswith("<"):
                answers.append(Derived(item.input, answer, 1.0, "your answer"))
        members = [index for number in sorted(left) for index in selection.clusters[number]]
        chosen = (
            selection.chosen
            if selection.chosen in members
            else next((index for index in members if candidates[index].survives), None)
        )
        sure = 1.0 if answers else selection.confidence
        return replace(selection, chosen=chosen, confidence=sure), tuple(answers)

    def _ask_which(self, task: Task, text: str, options: list[str]) -> str | None:
        assert task.choosing is not None
        shown = [_describe(option)[:_MOST_SHOWN] for option in options]
        lines = [f"For {' '.join(show_input(task.choosing, text).split())[:_MOST_SHOWN]} should it"]
        lines += [f"  {number}: {option}" for number, option in enumerate(shown, start=1)]
        answer = self.ask("\n".join([*lines, f"1-{len(options)}, or nothing to leave it open: "])).strip()
        return options[int(answer) - 1] if answer.isdecimal() and 0 < int(answer) <= len(options) else None


def _describe(option: str) -> str:
    """A behaviour as a predicate: `give 1`, `raise ValueError`."""
    if option.startswith("<"):
        return f"fail ({option.strip('<>')})"
    try:
        value: Any = decode(option)
        if isinstance(value, dict) and set(value) == {"raised"}:
            return f"raise {value['raised']}"
        if isinstance(value, dict) and set(value) == {"yields"}:
            return f"yield {literal(value['yields'])}"
        return f"give {value!r}" if isinstance(value, Opaque) else f"give {literal(value)}"
    except (ValueError, RecursionError):
        return f"give {option}"
