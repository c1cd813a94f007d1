"""Writes open functions one after the other, and asks the user where candidates still differ.

An open function raises while another one is being written, and says that it was called. A candidate that
fails so waits until the other is written. Functions that need each other are written on the checks that need
no other, and count only when, at the end, all checks of all functions pass together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.calls.budget import BudgetSpentError
from sstar_code.agent.repository.combine import combine, passes, put_all, split_group
from sstar_code.agent.repository.findings import about_function
from sstar_code.agent.repository.write_function import FunctionWriter, WriteResult, refuse
from sstar_code.problems import InfrastructureError
from sstar_code.problems.plain_text import escape_line
from sstar_code.problems.values import Opaque, decode
from sstar_code.selection.judging.question import show_input
from sstar_code.selection.protocols import Derived
from sstar_code.selection.pytest_export import literal

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.project_files import Source
    from sstar_code.agent.repository.find.stubs import Stub
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
        shown = [escape_line(_describe(option)[:_MOST_SHOWN]) for option in options]
        given = " ".join(show_input(task.choosing, text).split())[:_MOST_SHOWN]
        lines = [f"For {escape_line(given)} should it"]
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
        if isinstance(value, dict) and set(value) == {"returned"}:
            value = value["returned"]
        elif isinstance(value, dict) and set(value) == {"yields"}:
            return f"yield {literal(value['yields'])}"
        return f"give {value!r}" if isinstance(value, Opaque) else f"give {literal(value)}"
    except (ValueError, RecursionError):
        return f"give {option}"


@dataclass(slots=True)
class Fixing:
    """The work on some open functions of one repository."""

    writer: FunctionWriter
    failure: Exception | None = None
    """The error that ended the work early."""
    done: dict[str, WriteResult] = field(default_factory=dict)
    """Label of a function -> what came of it."""
    waits: dict[str, frozenset[str]] = field(default_factory=dict)
    """Label of a function that was tried -> labels of the open functions that it waits for."""

    @property
    def sources(self) -> dict[Path, Source]:
        """Each file as it is so far: with the functions that are written."""
        return self.writer.state.sources

    async def fix(self, stubs: Sequence[Stub]) -> list[WriteResult]:
        """Write `stubs`; one result each, in the order given. `failure` says what ended the work early."""
        for stub in stubs:
            self.sources.setdefault(stub.source.path, stub.source)
        waiting = order(stubs)
        while waiting and self.failure is None:
            left = await self._go_through(waiting)
            if len(left) == len(waiting):
                left = await self._force_one(left)
            waiting = left
        if self.failure is None and any(item.unverified for item in self.done.values()):
            await self._confirm()
        return [self.done.get(stub.label) or self._report_left(stub) for stub in stubs]

    async def _go_through(self, waiting: Sequence[Stub]) -> list[Stub]:
        """Try each; returned are those that have to wait for others."""
        put_off: list[Stub] = []
        for index, stub in enumerate(waiting):
            rest = [*put_off, *waiting[index + 1 :]]
            still_open = {item.label for item in rest}
            if stub.label in self.waits and self.waits[stub.label] <= still_open:
                put_off.append(stub)  # nothing that it called has been written since
                continue
            result = await self._try(stub, rest)
            if self.failure is not None:
                return []
            self.waits[stub.label] = result.waits_for
            if result.waits_for & still_open:
                put_off.append(stub)
                names = sorted(label.rpartition("::")[2] for label in result.waits_for)
                if result.finding.rule != "cannot-be-written":
                    self.writer.say(f"sstar: {stub.qualname} waits for {', '.join(names)}")
            else:
                self.done[stub.label] = result
        return put_off

    async def _force_one(self, waiting: Sequence[Stub]) -> list[Stub]:
        """Write one of several functions that wait for each other on what needs no other, or give all up."""
        for stub in waiting:
            if self.writer.state.blocked.get(stub.label):
                rest = [item for item in waiting if item is not stub]
                result = await self._try(stub, rest, provisional=True)
                if self.failure is None:
                    self.done[stub.label] = replace(result, waits_for=frozenset())
                return rest
        for stub in waiting:
            self.done[stub.label] = await self._try(stub, [item for item in waiting if item is not stub])
        return []

    async def _try(self, stub: Stub, others: Sequence[Stub], *, provisional: bool = False) -> WriteResult:
        try:
            return await self.writer.write(stub, others, provisional=provisional)
        except Exception as error:
            leaf = _leaf(error)
            if not isinstance(leaf, BudgetSpentError | InfrastructureError):
                raise
            self.failure = leaf
            return self._report_left(stub)

    async def _confirm(self) -> None:
        """Run the checks that had to wait; where one fails, look for candidates that pass them together.

        Where there are none, what rests on such a check is taken back.
        """
        self.writer.runner.texts = {path: source.data for path, source in self.sources.items()}
        waited = [item for item in self.done.values() if item.unverified]
        late = frozenset().union(*(item.unverified for item in waited))
        unsolved = [item for item in self.done.values() if not item.code and shares(item, late)]
        written = [
            item for item in self.done.values() if item.code and item not in waited and shares(item, late)
        ]
        for group in split_group([*waited, *unsolved, *written]):
            await self._settle(group)

    async def _settle(self, group: Sequence[WriteResult]) -> None:
        """Keep what is written of `group` if it passes together, find others for it, or take it back."""
        self.writer.runner.texts = {path: source.data for path, source in self.sources.items()}
        failed = [item for item in group if item.unverified and not await self._passes_all(item)]
        codes: tuple[str, ...] | None = tuple(item.code for item in group)
        if failed or not all(item.code for item in group):
            labels = {item.stub.label for item in group}
            apart = [item for label, item in self.done.items() if label not in labels]
            codes = await combine(group, self._put(apart), self.writer)
        names = [item.stub.qualname for item in group]
        for place, item in enumerate(group if codes is not None else ()):
            assert codes is not None
            others = ", ".join([*names[:place], *names[place + 1 :]])
            self.done[item.stub.label] = self._accept(item, codes[place], others)
        for item in failed if codes is None else ():
            why = "it passes alone, but not together with the functions that it needs"
            self.done[item.stub.label] = refuse(self.writer.root, item.stub, why)
        self.sources.update(self._put(self.done.values()))

    async def _passes_all(self, result: WriteResult) -> bool:
        texts = sorted(result.unverified)
        return await passes(result, texts, self.sources, self.writer, "together")

    def _accept(self, result: WriteResult, code: str, others: str) -> WriteResult:
        """The result for a function that is written, and verified together with `others`."""
        assert result.task is not None
        if code == result.code and result.task.checks.count:
            return result
        message = (
            f"written: passes {result.task.all_checks.summary}{f' together with {others}' if others else ''}"
        )
        finding = about_function(result.stub, self.writer.root, "function-written", "passed", message)
        return WriteResult(result.stub, finding, code=code, task=result.task, tried=result.tried)

    def _put(self, results: Iterable[WriteResult]) -> dict[Path, Source]:
        """The files as they were, with what is written of `results` and nothing else."""
        original = self.sources | {item.stub.source.path: item.stub.source for item in self.done.values()}
        return put_all(((item, item.code) for item in results if item.code), original)

    def _report_left(self, stub: Stub) -> WriteResult:
        """The result for a function that was not begun, or whose work was ended."""
        finding = about_function(stub, self.writer.root, "infrastructure", "error", str(self.failure))
        if isinstance(self.failure, BudgetSpentError):
            finding = replace(finding, rule="budget-spent", outcome="skipped")
        return WriteResult(stub, finding)


def shares(result: WriteResult, texts: Collection[str]) -> bool:
    """Whether a check of `result`, for which there are candidates, is among `texts`."""
    return bool(result.tried and result.task and set(texts) & set(result.task.all_checks.texts))


def order(stubs: Sequence[Stub]) -> list[Stub]:
    """`stubs` with those that others' docstrings name first, else as they stand."""
    names = {stub.name: stub for stub in stubs}
    ordered: list[Stub] = []
    seen: set[str] = set()

    def visit(stub: Stub) -> None:
        if stub.label in seen:
            return
        seen.add(stub.label)
        for word in dict.fromkeys(re.findall(r"\w+", stub.docstring)):
            if word in names:
                visit(names[word])
        ordered.append(stub)

    for stub in stubs:
        visit(stub)
    return ordered


def _leaf(error: BaseException) -> BaseException:
    """The first single error of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
