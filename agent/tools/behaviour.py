"""What programs do: on given inputs, and where two of them differ. No model is asked."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from sstar_code.problems import Kind, Problem, Test, UserError
from sstar_code.problems.python_source import parse_python
from sstar_code.problems.values import encode
from sstar_code.sandbox import Limits, Mode, Program, Status
from sstar_code.sandbox.languages.marks import mark
from sstar_code.sandbox.languages.table import PYTHON
from sstar_code.sandbox.memo import MemoSandbox
from sstar_code.selection import Candidate
from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.evidence.clustering import Behaviour, behaviour_of, compare_with, label
from sstar_code.selection.inputs.search.explore import find_model_free_inputs
from sstar_code.selection.inputs.search.shrink import shrink_input
from sstar_code.selection.pool import Pool

if TYPE_CHECKING:
    from sstar_code.sandbox import Sandbox

MOST_PROGRAMS, MOST_INPUTS = 32, 100
_FIRST_RUNS, _MOST_RUNS = 120, 1_200
"""Runs of a quick look, and of a thorough one where that found nothing."""
_SHRINK_TRIES, _SHRINK_CPU_S = 300, 1.0
_SHOWN_CHARS = 2_000


@dataclass(frozen=True)  # without slots: pydantic takes those for default values
class Difference:
    """Where two programs differ, or that no such place was found."""

    differ: bool
    input: str
    """Standard input, or one JSON value per argument, one a line; empty where they do not differ."""
    first: str
    """Output there, or the failure in angle brackets."""
    second: str
    tried: int
    """Number of inputs tried before it was made smaller."""


@dataclass(frozen=True)  # without slots: pydantic takes those for default values
class Run:
    """One program on one input."""

    program: int
    input: int
    status: str
    """OK, or RE, TLE, MLE, OLE, CE: how it failed; IE: the sandbox did."""
    output: str


def make_inputs(items: Sequence[Any], function: str | None) -> list[str]:
    """Inputs as the sandbox takes them: texts, or with a `function` lists of arguments, too.

    Raises:
        UserError: too many, or a list where there is no function.
    """
    if len(items) > MOST_INPUTS:
        raise UserError(f"{len(items)} inputs; at most {MOST_INPUTS} are taken")
    texts = []
    for place, item in enumerate(items):
        if isinstance(item, str):
            texts.append(item)
        elif isinstance(item, list) and function is not None:
            texts.append("\n".join(map(encode, item)))
        else:
            raise UserError(f"input {place}: it must be a text, or with a function a list of its arguments")
    return texts


def make_problem(
    programs: Sequence[str], function: str | None, tests: Sequence[Test], statement: str = ""
) -> Problem:
    """The problem that `programs` solve, as far as it is known."""
    return Problem(
        "tool",
        statement,
        Kind.STDIN if function is None else Kind.FUNCTION,
        function,
        "" if function is None else _find_stub(programs, function),
        tuple(tests),
    )


def _find_stub(programs: Sequence[str], function: str) -> str:
    """The first annotated signature of `function` in `programs`; empty where there is none."""
    name = function.rpartition(".")[2]
    for tree in filter(None, map(parse_python, programs)):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name == name and "." not in function:
                return f"def {name}({ast.unparse(node.args)}):\n    pass\n"
    return ""


async def distinguish(
    first: str, second: str, inputs: Sequence[str], function: str | None, sandbox: Sandbox
) -> Difference:
    """The smallest input found on which two programs do different things.

    Looked for among `inputs`, their mutations, and values of the types that the function names.

    Raises:
        UserError: no input could be made at all.
    """
    problem = make_problem([first, second], function, [Test(text) for text in inputs])
    candidates = tuple(Candidate(mark(code, PYTHON), 0, 0) for code in (first, second))
    pair = _Pair(Pool(problem, candidates, MemoSandbox(sandbox)))
    if len(pair.pool.board.programs((0, 1))) == 1:
        return Difference(differ=False, input="", first="", second="", tried=0)
    found, tried = await pair.search(list(inputs))
    if found is None:
        if not tried:
            raise UserError("no input could be made: give one or two that are valid")
        return Difference(differ=False, input="", first="", second="", tried=tried)
    text, (one, other) = await pair.shrink(found)
    return Difference(
        differ=True,
        input=text[:_SHOWN_CHARS],
        first=one.text[:_SHOWN_CHARS],
        second=other.text[:_SHOWN_CHARS],
        tried=tried,
    )


_Split: TypeAlias = "tuple[str, tuple[Behaviour, Behaviour]]"
"""An input, and what each of two programs does there."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """The two programs of `pool`, run on inputs."""

    pool: Pool
    ledger: Ledger = field(default_factory=Ledger)

    async def behave(self, texts: Sequence[str], cpu_s: float | None = None) -> list[_Split]:
        runs = await self.pool.board.run((0, 1), texts, self.ledger, cpu_s)
        return [
            (text, (behaviour_of(one), behaviour_of(other)))
            for text, one, other in zip(texts, runs[0], runs[1], strict=True)
        ]

    def differs(self, seen: tuple[Behaviour, Behaviour]) -> bool:
        lost = Status.IE in (seen[0].status, seen[1].status)
        return not lost and len(set(label(seen, compare_with(self.pool.problem)))) > 1

    async def search(self, inputs: list[str]) -> tuple[_Split | None, int]:
        """The best input that splits the two, None where there is none, and how many were tried.

        First those that were given, then a quick look, then a thorough one. An input on which neither fails
        says more than one on which one of them does.
        """
        tried = inputs
        for runs in (0, _FIRST_RUNS, _MOST_RUNS):
            if runs:
                more = await find_model_free_inputs(
                    self.pool, (0, 1), self.ledger, max_runs=runs, stops_at_split=True
                )
                tried = list(dict.fromkeys([*inputs, *more]))
            splits = [item for item in await self.behave(tried) if self.differs(item[1])]
            if splits:
                return min(splits, key=_rank), len(tried)
        return None, len(tried)

    async def shrink(self, found: _Split) -> _Split:
        """A smaller input on which each of the two ends in the same way, and they still differ."""
        text, told = found
        statuses = [item.status for item in told]
        if Status.TLE in statuses or Status.MLE in statuses:
            return found  # every try would take as long again

        async def holds(texts: Sequence[str]) -> list[bool]:
            seen = await self.behave(texts, _SHRINK_CPU_S)
            return [[item.status for item in pair] == statuses and self.differs(pair) for _, pair in seen]

        smaller = await shrink_input(self.pool.problem, text, holds, max_tries=_SHRINK_TRIES)
        (item,) = await self.behave([smaller])
        return item


def _rank(item: _Split) -> tuple[int, int]:
    text, seen = item
    return sum(one.status is not Status.OK for one in seen), len(text)


async def run_programs(
    programs: Sequence[str], inputs: Sequence[str], function: str | None, sandbox: Sandbox, *, seconds: float
) -> list[Run]:
    """Every program on every input, each in a process of its own.

    Raises:
        UserError: too many programs.
    """
    if not 1 <= len(programs) <= MOST_PROGRAMS:
        raise UserError(f"{len(programs)} programs; from 1 to {MOST_PROGRAMS} are taken")
    limits, rows = Limits(cpu_s=seconds, kept_chars=_SHOWN_CHARS), []
    for number, code in enumerate(programs):
        program = Program(code, Mode.MAIN if function is None else Mode.CALL, function)
        for place, run in enumerate(await sandbox.run(program, inputs, limits)):
            seen = behaviour_of(run)
            rows.append(Run(number, place, seen.status.value, seen.text[:_SHOWN_CHARS]))
    return rows
