"""What the candidates of one problem do, found out once and shared by every method.

A program runs on an input at most once, a question is put at most once; a method that needs what another
one has already found out gets it from memory. Its own `Ledger` still counts it, so the costs that are
reported do not depend on which methods ran before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

import anyio

from sstar_code.sandbox.grade import limits_for, program_for
from sstar_code.selection.concurrency import run_together
from sstar_code.selection.evidence.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sstar_code.problems import Problem
    from sstar_code.sandbox.outcome import Execution, Limits, Program, Sandbox
    from sstar_code.selection.protocols import Ask, Candidate, Question, Reply

__all__ = ["Board", "Ledger"]


class Cost(TypedDict):
    """What a `Selection` says of its cost."""

    calls: int
    tokens: int
    executions: int


@dataclass(slots=True)
class Ledger:
    """What one method's choice rests on: its cost as if it had been the only one."""

    runs: set[tuple[int, str]] = field(default_factory=set)
    """(program, input)."""
    tool_runs: set[tuple[str, str]] = field(default_factory=set)
    """(program that is no candidate, input)."""
    tokens: dict[str, int] = field(default_factory=dict)
    """Call -> tokens."""
    notes: list[str] = field(default_factory=list)

    @property
    def cost(self) -> Cost:
        """The three of them, to be passed on to a `Selection`."""
        return {
            "calls": len(self.tokens),
            "tokens": sum(self.tokens.values()),
            "executions": len(self.runs) + len(self.tool_runs),
        }


class Board:
    """Programs, runs and answers of one problem. Belongs to one event loop."""

    def __init__(
        self, problem: Problem, candidates: Sequence[Candidate], sandbox: Sandbox, ask: Ask | None
    ) -> None:
        """Nothing is run or asked before a method needs it."""
        self.problem = problem
        self.ask_model = ask
        self._sandbox = sandbox
        first: dict[str, int] = {}
        self.program_of = tuple(
            first.setdefault(fingerprint(candidate.code), index) for index, candidate in enumerate(candidates)
        )
        """Candidate index -> index of the first candidate that is the same program (`source.fingerprint`)."""
        self._programs = {index: program_for(problem, candidates[index].code) for index in first.values()}
        self._runs: dict[tuple[int, str], Execution] = {}
        self._tool_runs: dict[tuple[str, str], Execution] = {}
        self._replies: dict[str, Reply | None] = {}
        self._locks: dict[int | str, anyio.Lock] = {}

    async def run(
        self, members: Iterable[int], inputs: Sequence[str], ledger: Ledger, limits: Limits | None = None
    ) -> dict[int, list[Execution]]:
        """What each candidate of `members` does on each of `inputs`, in order; all candidates at once.

        `limits` (None: the problem's) hold for what has not run yet.
        """
        limits = limits or limits_for(self.problem)
        wanted = list(members)
        programs = sorted({self.program_of[index] for index in wanted})
        await run_together(partial(self._run_program, program, inputs, limits) for program in programs)
        ledger.runs.update((program, text) for program in programs for text in inputs)
        return {index: [self._runs[self.program_of[index], text] for text in inputs] for index in wanted}

    async def _run_program(self, program: int, inputs: Sequence[str], limits: Limits) -> None:
        async with self._locks.setdefault(program, anyio.Lock()):
            missing = [text for text in dict.fromkeys(inputs) if (program, text) not in self._runs]
            if missing:
                runs = await self._sandbox.run(self._programs[program], missing, limits)
                self._runs.update(zip(((program, text) for text in missing), runs, strict=True))

    async def run_again(
        self, members: Iterable[int], inputs: Sequence[str], ledger: Ledger, limits: Limits
    ) -> dict[int, list[Execution]]:
        """As `run`, but really a second time, whatever is remembered anywhere."""
        wanted = list(members)
        results: dict[int, list[Execution]] = {}

        async def rerun(program: int) -> None:
            source = self._programs[program]
            other = replace(source, preamble=f"{source.preamble}\n# again\n")  # another key, the same program
            results[program] = await self.run_tool(other, inputs, limits, ledger)

        await run_together(
            partial(rerun, program) for program in {self.program_of[index] for index in wanted}
        )
        return {index: results[self.program_of[index]] for index in wanted}

    async def run_tool(
        self, program: Program, inputs: Sequence[str], limits: Limits, ledger: Ledger
    ) -> list[Execution]:
        """What a program that is no candidate does on each of `inputs`; each runs at most once."""
        key = f"{program.code}\0{program.preamble}\0{program.entry_point}"
        async with self._locks.setdefault(key, anyio.Lock()):
            missing = [text for text in dict.fromkeys(inputs) if (key, text) not in self._tool_runs]
            if missing:
                runs = await self._sandbox.run(program, missing, limits)
                self._tool_runs.update(zip(((key, text) for text in missing), runs, strict=True))
        ledger.tool_runs.update((key, text) for text in inputs)
        return [self._tool_runs[key, text] for text in inputs]

    async def ask(self, question: Question, ordinal: str, ledger: Ledger, **values: Any) -> Reply | None:
        """The model's reply to `question`; None where the call failed. Needs a model."""
        assert self.ask_model is not None
        key = json.dumps([question, ordinal, values], sort_keys=True)
        async with self._locks.setdefault(key, anyio.Lock()):
            if key not in self._replies:
                self._replies[key] = await self.ask_model(question, self.problem, ordinal, **values)
        reply = self._replies[key]
        ledger.tokens[key] = reply.tokens if reply else 0
        return reply
