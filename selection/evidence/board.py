"""Runs of the candidates of one problem and answers about it, found out once and shared by every method.

A program runs on an input at most once, a question is put at most once; a method that needs what another
one has already found out gets it from memory. Its own `Ledger` still counts it, so the costs that are
reported do not depend on which methods ran before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from sstar_code.sandbox.grade import limits_for, program_for
from sstar_code.sandbox.languages.table import PYTHON
from sstar_code.selection.concurrency import run_together
from sstar_code.selection.evidence.fingerprint import fingerprint
from sstar_code.selection.protocols import Selection

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.sandbox.outcome import Execution, Limits, Program, Sandbox
    from sstar_code.selection.protocols import Ask, Candidate, Distinguishing, Question, Reply


MOST_CPU_S = 5.0
"""CPU seconds per problem that a method may spend on runs, of candidates and of what a model wrote."""
_KEPT_CHARS = 1 << 14
"""Characters of an output that are kept, as there are many; of a longer one length and hash are compared."""


@dataclass(slots=True)
class Ledger:
    """The runs and calls that one method's choice rests on: its cost as if it had been the only one."""

    runs: set[tuple[int | str, str]] = field(default_factory=set)
    """(candidate's index or other program's key, input)."""
    tokens: dict[str, int] = field(default_factory=dict)
    """Call -> tokens."""
    left_s: float = MOST_CPU_S
    """CPU seconds that may still be spent on runs (`CpuBudget`)."""
    run_counts: dict[int, int] = field(default_factory=dict)
    """Program -> runs of it that were charged."""
    slowest_s: dict[int, float] = field(default_factory=dict)
    """Program -> most that a run of it that ended well was charged."""
    notes: list[str] = field(default_factory=list)

    def conclude(
        self,
        method: str,
        chosen: int,
        confidence: float | None,
        clusters: tuple[tuple[int, ...], ...],
        distinguishing: tuple[Distinguishing, ...] = (),
        **found: Any,
    ) -> Selection:
        """The selection with the notes and the cost; `found` are further fields of it."""
        return Selection(
            method,
            chosen,
            confidence,
            clusters,
            distinguishing,
            calls=len(self.tokens),
            tokens=sum(self.tokens.values()),
            executions=len(self.runs),
            notes=tuple(self.notes),
            **found,
        )


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
        """Candidate index -> index of the first candidate that is the same program (`fingerprint`)."""
        self._programs = {index: program_for(problem, candidates[index].code) for index in first.values()}
        self._runs: dict[tuple[int | str, str], Execution] = {}
        self._replies: dict[str, Reply | None] = {}
        self._locks: dict[int | str, anyio.Lock] = {}

    def programs(self, members: Iterable[int]) -> list[int]:
        """The different programs among `members`, ascending."""
        return sorted({self.program_of[index] for index in members})

    async def run(
        self, members: Iterable[int], inputs: Sequence[str], ledger: Ledger, cpu_s: float | None = None
    ) -> dict[int, list[Execution]]:
        """The executions of each of `members` on each of `inputs`, in order; all candidates at once.

        `cpu_s` caps the CPU time of what has not run yet; None: the problem's limit holds alone.
        """
        wanted, limits = list(members), self.limits(cpu_s)
        programs = self.programs(wanted)
        await run_together(
            partial(self._run_missing, program, self._programs[program], inputs, limits)
            for program in programs
        )
        ledger.runs.update((program, text) for program in programs for text in inputs)
        return {index: [self._runs[self.program_of[index], text] for text in inputs] for index in wanted}

    def limits(self, cpu_s: float | None) -> Limits:
        """The limits of one run of a candidate, of at most `cpu_s` CPU seconds."""
        limits = replace(limits_for(self.problem), kept_chars=_KEPT_CHARS)
        return limits if cpu_s is None else replace(limits, cpu_s=min(limits.cpu_s, cpu_s))

    async def _run_missing(
        self, key: int | str, program: Program, inputs: Sequence[str], limits: Limits
    ) -> None:
        async with self._locks.setdefault(key, anyio.Lock()):
            missing = [text for text in dict.fromkeys(inputs) if (key, text) not in self._runs]
            if missing:
                runs = await self._sandbox.run(program, missing, limits)
                self._runs.update(zip(((key, text) for text in missing), runs, strict=True))

    def again(self, program: int) -> Program:
        """The same program under another key, so that it really runs again, whatever is remembered."""
        known = self._programs[program]
        if known.language != PYTHON:
            return replace(known, code=f"{known.code}\n// again\n")
        return replace(known, preamble=f"{known.preamble}\n# again\n")

    async def run_tool(
        self, program: Program, inputs: Sequence[str], limits: Limits, ledger: Ledger
    ) -> list[Execution]:
        """The executions of a program that is no candidate on each of `inputs`; each runs at most once."""
        key = f"{program.code}\0{program.preamble}\0{program.entry_point}"
        await self._run_missing(key, program, inputs, limits)
        ledger.runs.update((key, text) for text in inputs)
        return [self._runs[key, text] for text in inputs]

    async def ask(
        self, question: Question, ordinal: str, ledger: Ledger, shown: Problem | None = None, **values: Any
    ) -> Reply | None:
        """The model's reply to `question`; None where the call failed. Needs a model.

        `shown`: the problem as the model sees it; None: as it is.
        """
        assert self.ask_model is not None
        key = json.dumps([question, ordinal, values], sort_keys=True)
        async with self._locks.setdefault(key, anyio.Lock()):
            if key not in self._replies:
                self._replies[key] = await self.ask_model(question, shown or self.problem, ordinal, **values)
        reply = self._replies[key]
        ledger.tokens[key] = reply.tokens if reply else 0
        return reply
