"""Writes the open functions of a repository in an order in which each can be proved.

An open function raises while another one is being written, and says that it was called. A candidate that
fails so waits until the other is written. Functions that need each other are written on the checks that need
no other, and count only when, at the end, all checks of all functions pass together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sstar_code.agent.calls.budget import BudgetSpentError
from sstar_code.agent.repository.author import Author, Fixed, refuse
from sstar_code.agent.repository.find.stubs import find_function
from sstar_code.agent.repository.findings import Finding
from sstar_code.agent.repository.pose.checks import TEST_LIMITS
from sstar_code.problems import InfrastructureError
from sstar_code.sandbox.outcome import Mode, Program, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.agent.repository.find.stubs import Stub

__all__ = ["Fixing"]


@dataclass(slots=True)
class Fixing:
    """One go at some open functions of one repository."""

    author: Author
    failure: Exception | None = None
    """What ended the work early."""
    done: dict[str, Fixed] = field(default_factory=dict)
    """Label -> what came of it."""

    async def fix(self, stubs: Sequence[Stub]) -> list[Fixed]:
        """Write `stubs`; one result each, in the order given. `failure` says what ended the work early."""
        author = self.author
        for stub in stubs:
            author.sources.setdefault(stub.source.path, stub.source)
        waiting = order(stubs)
        while waiting and self.failure is None:
            left = await self._go_through(waiting)
            if len(left) == len(waiting):
                left = await self._force_one(left)
            waiting = left
        if self.failure is None and any(item.unproved for item in self.done.values()):
            await self._confirm()
        return [self.done.get(stub.label) or self._left(stub) for stub in stubs]

    async def _go_through(self, waiting: Sequence[Stub]) -> list[Stub]:
        """Try each; those that have to wait for others."""
        put_off: list[Stub] = []
        for place, stub in enumerate(waiting):
            rest = [*put_off, *waiting[place + 1 :]]
            result = await self._try(stub, rest)
            if self.failure is not None:
                return []
            if result.waits_for & {item.label for item in rest}:
                put_off.append(stub)
                names = sorted(label.rpartition("::")[2] for label in result.waits_for)
                if result.finding.rule != "cannot-be-written":
                    self.author.say(f"sstar: {stub.qualname} waits for {', '.join(names)}")
            else:
                self.done[stub.label] = result
        return put_off

    async def _force_one(self, waiting: Sequence[Stub]) -> list[Stub]:
        """Of functions that wait for each other write one on what needs no other, or give all up."""
        for stub in waiting:
            if self.author.blocked.get(stub.label):
                rest = [item for item in waiting if item is not stub]
                result = await self._try(stub, rest, provisional=True)
                if self.failure is None:
                    self.done[stub.label] = replace(result, waits_for=frozenset())
                return rest
        for stub in waiting:
            self.done[stub.label] = await self._try(stub, [item for item in waiting if item is not stub])
        return []

    async def _try(self, stub: Stub, others: Sequence[Stub], *, provisional: bool = False) -> Fixed:
        try:
            return await self.author.write(stub, others, provisional=provisional)
        except Exception as error:
            leaf = _leaf(error)
            if not isinstance(leaf, BudgetSpentError | InfrastructureError):
                raise
            self.failure = leaf
            return self._left(stub)

    async def _confirm(self) -> None:
        """Run the checks that had to wait; where one fails, what rests on it is taken back."""
        author = self.author
        author.workshop.texts = {path: source.data for path, source in author.sources.items()}
        for label, result in list(self.done.items()):
            if result.unproved and not await self._holds(result):
                why = "it passes alone, but not together with the functions that it needs"
                self.done[label] = refuse(author.root, result.stub, why)
        if any(not item.code for item in self.done.values()):
            self._rebuild()

    async def _holds(self, result: Fixed) -> bool:
        assert result.posed is not None
        source = self.author.sources[result.stub.source.path]
        present = find_function(source, result.stub.qualname)
        assert present is not None
        mark = f"{result.posed.task.mark} together"
        texts = sorted(result.unproved)
        task = replace(result.posed.task, stub=present, mark=mark, checks=result.posed.all_checks)
        self.author.stand.add(task)
        program = Program(result.code, Mode.ASSERT, preamble=mark)
        runs = await self.author.stand.run(program, texts, TEST_LIMITS)
        return all(run.status is Status.OK for run in runs)

    def _rebuild(self) -> None:
        """The files with what is written, and without what was taken back."""
        from sstar_code.agent.repository.write.splice import put_candidate

        author = self.author
        first = {item.stub.source.path: item.stub.source for item in self.done.values()}
        author.sources.update(first)
        for item in self.done.values():
            path = item.stub.source.path
            found = find_function(author.sources[path], item.stub.qualname)
            if item.code and found is not None:
                author.sources[path] = put_candidate(found, item.code).source

    def _left(self, stub: Stub) -> Fixed:
        """`stub` was not come to, or its work was ended."""
        spent = isinstance(self.failure, BudgetSpentError)
        path = stub.source.path.relative_to(self.author.root).as_posix()
        rule = "budget-spent" if spent else "infrastructure"
        message = str(self.failure)
        return Fixed(
            stub, Finding(rule, "skipped" if spent else "error", path, stub.line, stub.qualname, message)
        )


def order(stubs: Sequence[Stub]) -> list[Stub]:
    """Those that others' docstrings name first, else as they stand."""
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
