"""Runs the methods on recorded pools: one row for every problem and method."""

from __future__ import annotations

import hashlib
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from benchmarks.recorded.data import number, read_lines
from benchmarks.recorded.pools import load_pool
from sstar_code.selection import Pool, choose
from sstar_code.selection.evidence.weights import measure_reliability
from sstar_code.selection.judging.calibration import measure_judge
from sstar_code.selection.judging.prediction import measure_prediction
from tests.support.simulated import CountingSandbox, SimulatedAsk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.recorded.pools import PoolProblem
    from sstar_code.problems import Problem
    from sstar_code.sandbox import Sandbox
    from sstar_code.selection import Question, Reply
    from sstar_code.selection.judging.calibration import JudgeRecord
    from sstar_code.selection.judging.prediction import PredictionRecord

__all__ = ["BY_TESTS", "Row", "Trial", "ceiling_of", "is_mixed", "load_tests", "run_pool", "shares"]

BY_TESTS = ("codet", "b4", "tests")
"""Methods that need tests a model wrote; recorded ones exist for HumanEval."""
_ASSERTS_A_GENERATION = 5
"""Taken of each recorded generation, as CodeT does."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A method in some circumstances."""

    method: str
    judge: float | None = None
    """Accuracy of the simulated judge; None: no judge."""
    judges: int = 1
    """Judges of this accuracy, each of which errs by itself."""
    telling: str = ""
    """As `SimulatedAsk.telling`."""

    @property
    def name(self) -> str:
        if self.judge is None:
            return self.method
        told = f", {self.telling}" if self.telling else ""
        return (
            f"{self.method}, {f'{self.judges} judges' if self.judges > 1 else 'judge'} {self.judge:.2f}{told}"
        )


@dataclass(frozen=True, slots=True)
class Row:
    """What one trial chose for one problem."""

    pool: str
    problem: str
    draw: str
    trial: str
    right: float
    """1 or 0, an expectation for `random`."""
    random: float
    """Share of right ones among the survivors."""
    best: float
    """1 where a survivor is right."""
    ceiling: float | None
    """Gap of a perfect choice among the trial's clusters: the highest share of right ones in a cluster."""
    calls: int = 0
    tokens: int = 0
    executions: int = 0
    cpu_s: float = 0.0
    confidence: float | None = None


def shares(item: PoolProblem) -> tuple[float, float]:
    """Accuracy of a random survivor and of the best possible choice; 0 where nothing survives."""
    right = [bool(candidate.hidden_pass) for candidate in item.candidates if candidate.survives]
    return (sum(right) / len(right), float(any(right))) if right else (0.0, 0.0)


def is_mixed(item: PoolProblem) -> bool:
    """Whether the choice among the survivors matters."""
    random, best = shares(item)
    return random != best


def in_split(problem: str, split: str) -> bool:
    """`all`, or the half of the problems that `even` or `odd` names: by the hash of the id."""
    parity = hashlib.sha256(problem.encode()).digest()[0] % 2
    return split == "all" or parity == ("even", "odd").index(split)


def load_tests(data: Path) -> dict[str, str]:
    """The tests recorded for HumanEval, by number, as one reply each."""
    name = "HumanEval_codegen16B_temp0.8_topp0.95_num100_max300_test_case.jsonl.gz"
    replies = {}
    for row in read_lines(data / "humaneval_codet" / name):
        asserts = []
        for text in row["samples"]:
            found = [part.strip() for part in f"assert {text}".split("\nassert ")]
            asserts += [part.removeprefix("assert ") for part in found[:_ASSERTS_A_GENERATION]]
        replies[number(row["task_id"])] = "\n".join(f"assert {part}" for part in asserts)
    return replies


async def run_pool(
    name: str,
    data: Path,
    trials: Sequence[Trial],
    sandbox: Sandbox,
    *,
    draws: int = 1,
    limit: int | None = None,
    split: str = "all",
    mixed_only: bool = False,
    with_trust: bool = True,
) -> list[Row]:
    """Every trial on every problem of a pool; problems where nothing survives are rows of zeros."""
    items = load_pool(name, data, draws=draws)
    trust = measure_reliability(item.candidates for item in items) if with_trust else {}
    items = [item for item in items if in_split(item.problem.id, split)][:limit]
    tests = load_tests(data) if any(trial.method in BY_TESTS for trial in trials) else {}
    rows: dict[int, list[Row]] = defaultdict(list)
    records = {judge: await _measure_judge(items, sandbox, *judge) for judge in _judges(trials)}
    attempt = partial(_try, sandbox=sandbox, trust=trust, tests=tests, records=records, mixed_only=mixed_only)
    limiter, started = anyio.CapacityLimiter(2 * sandbox.workers), time.monotonic()

    async def work(place: int, item: PoolProblem) -> None:
        async with limiter:
            known: dict[Any, Any] = {}
            for trial in trials:
                row = await attempt(name, item, trial, known=known)
                if row is not None:
                    rows[place].append(row)
            if len(rows) % 25 == 0:
                print(
                    f"{name}: {len(rows)}/{len(items)}, {time.monotonic() - started:.0f} s", file=sys.stderr
                )

    async with anyio.create_task_group() as group:
        for place, item in enumerate(items):
            group.start_soon(work, place, item)
    return [row for place in sorted(rows) for row in rows[place]]


def _judges(trials: Sequence[Trial]) -> list[tuple[float, str]]:
    return list(dict.fromkeys((one.judge, one.telling) for one in trials if one.judge is not None))


async def _measure_judge(
    items: Sequence[PoolProblem], sandbox: Sandbox, accuracy: float, telling: str
) -> tuple[JudgeRecord, PredictionRecord]:
    """The records of a simulated judge on the public tests of the pool, as a run over a set takes them."""
    asks = {
        item.problem.id: SimulatedAsk(
            item.problem, item.candidates, CountingSandbox(sandbox), accuracy, telling
        )
        for item in items
    }

    async def ask(question: Question, problem: Problem, ordinal: str, **values: Any) -> Reply | None:
        return await asks[problem.id](question, problem, ordinal, **values)

    problems = [asked.problem for asked in asks.values()]
    return await measure_judge(problems, ask), await measure_prediction(problems, ask)


async def _try(
    name: str,
    item: PoolProblem,
    trial: Trial,
    *,
    known: dict[Any, Any],
    sandbox: Sandbox,
    trust: dict[str, float],
    tests: dict[str, str],
    records: dict[tuple[float, str], tuple[JudgeRecord, PredictionRecord]],
    mixed_only: bool,
) -> Row | None:
    """One row; None where the trial needs what is not recorded for this problem."""
    random, best = shares(item)
    base = (name, item.problem.id, item.draw, trial.name)
    written = tests.get(number(item.problem.id)) if item.problem.id.startswith("HumanEval") else None
    if (trial.method in BY_TESTS and written is None) or (trial.method == "judge" and trial.judge is None):
        return None
    survives = any(candidate.survives for candidate in item.candidates)
    if trial.method == "random" or not survives or (mixed_only and not is_mixed(item)):
        return Row(*base, random, random, best, None)
    counting = CountingSandbox(sandbox, known)
    ask = record = predicted = None
    if trial.judge is not None:
        record, predicted = records[trial.judge, trial.telling]
    if trial.method in BY_TESTS or trial.judge is not None:
        ask = SimulatedAsk(item.problem, item.candidates, counting, trial.judge, trial.telling, written)

    async def measured() -> JudgeRecord | None:
        await anyio.lowlevel.checkpoint()
        return record

    async def measured_outputs() -> PredictionRecord | None:
        await anyio.lowlevel.checkpoint()
        return predicted

    pool = Pool(
        item.problem,
        item.candidates,
        counting,
        ask,
        reliability=trust,
        measure_judge=measured,
        other_judges=(measured,) * (trial.judges - 1),
        measure_prediction=measured_outputs,
    )
    selection = await choose(trial.method)(pool)
    chosen = item.candidates[selection.chosen] if selection.chosen is not None else None
    return Row(
        *base,
        right=float(chosen is not None and bool(chosen.hidden_pass)),
        random=random,
        best=best,
        ceiling=ceiling_of(item, selection.clusters),
        calls=selection.calls,
        tokens=selection.tokens,
        executions=counting.runs,
        cpu_s=counting.cpu_s,
        confidence=selection.confidence,
    )


def ceiling_of(item: PoolProblem, clusters: Sequence[Sequence[int]]) -> float | None:
    """The highest share of right candidates in a cluster; None where there is no cluster."""
    right = [[bool(item.candidates[index].hidden_pass) for index in cluster] for cluster in clusters]
    return max((sum(cluster) / len(cluster) for cluster in right), default=None)
