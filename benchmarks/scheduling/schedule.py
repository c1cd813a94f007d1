"""How long a whole evaluation takes on a simulated engine, against the least that it could take.

    python -m benchmarks.scheduling.schedule [--problems 100] [--n 16] [--rounds 2] [--engine gpu-7b]
        [--out DIR]

The agent's own code runs (`agent.evaluate`), on a clock that leaps: the model is the engine simulator, the
sandbox a scripted one that takes a fixed time. Beside it the schedule of S*'s official code: a process per
problem, 32 of them, calls one after another within each.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from benchmarks.charts import draw_running
from benchmarks.scheduling.table import Made, show
from benchmarks.scheduling.workload import Dice, TimedSandbox, make_problems
from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.stored_model import StoredModel
from sstar_code.agent.generation.develop import develop
from sstar_code.agent.jobs.evaluate import evaluate, most_open
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.run.store import Store
from sstar_code.agent.solving.context import Asking, SolveContext
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.solving.solve import candidates_of
from sstar_code.agent.testing.simulator import PRESETS, Engine, SimulatedModel, run_virtual
from sstar_code.sandbox.memo import MemoSandbox
from sstar_code.selection.methods.registry import select_all
from sstar_code.selection.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sstar_code.agent.calls.concurrency import PriorityLimiter
    from sstar_code.agent.models import Answer, Request
    from sstar_code.agent.run.outcomes import ProblemOutcome
    from sstar_code.agent.testing.simulator import EngineSpec
    from sstar_code.problems import Problem

_OFFICIAL_PROCESSES = 32
_RUN_S = 0.005
"""A run of a contest program takes the sandbox about this much of a core."""
_WORKERS = 16
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Way:
    """A schedule."""

    name: str
    learns: bool = True
    priorities: bool = False
    official: bool = False


WAYS = (
    Way("sstar, width learnt from the load"),
    Way("sstar, server says its limit", learns=False),
    Way("sstar, server with priorities", learns=False, priorities=True),
    Way("official: 32 processes, one call at a time", official=True),
)


def bound_s(spec: EngineSpec, output_tokens: int, read_tokens: int) -> float:
    """The least time: every token written in a full step, every uncached prompt token read beside."""
    return output_tokens / spec.tokens_per_s + read_tokens * spec.per_prompt_token_s


async def _watch(engine: Engine, turns: PriorityLimiter | None, trace: list[tuple[float, int, int]]) -> None:
    started_s = anyio.current_time()
    while True:
        in_line = turns.waiting if turns else 0
        trace.append((anyio.current_time() - started_s, len(engine.running), len(engine.waiting) + in_line))
        await anyio.sleep(_LOOK_S)


async def run_ours(
    way: Way, spec: EngineSpec, problems: list[Problem], settings: Settings, dice: Dice
) -> Made:
    """The agent's schedule."""
    engine = Engine(spec, priorities=way.priorities)
    ends: list[float] = []
    trace: list[tuple[float, int, int]] = []
    store = Store()

    def finish(_: ProblemOutcome, *, kept: bool) -> None:  # noqa: ARG001 - OnProblem's
        ends.append(anyio.current_time())

    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(SimulatedModel(engine, dice, says_limit=not way.learns))
        stored = StoredModel(
            model, store, Budget(), max_num_seqs=model.max_num_seqs, priorities=model.priorities
        )
        sandbox = MemoSandbox(TimedSandbox(run_s=_RUN_S, workers=_WORKERS))
        group = await stack.enter_async_context(anyio.create_task_group())
        group.start_soon(_watch, engine, stored.limiter, trace)
        group.start_soon(stored.watch_load, model.read_load)
        await evaluate(
            problems,
            SolveContext(stored, sandbox, Prompts(None), settings),
            store,
            most_open=partial(most_open, stored, settings),
            wait_for_capacity=stored.wait_for_capacity,
            on_problem=finish,
        )
        group.cancel_scope.cancel()
    calls = stored.tally.calls
    store.close()
    return _measure(way, engine, ends, trace, calls)


class _OneAtATime:
    """Asks for one problem, a call at a time."""

    def __init__(self, model: SimulatedModel) -> None:
        self.name = model.name
        self.calls = 0
        self._model = model
        self._lock = anyio.Lock()

    async def ask(self, request: Request) -> Answer:
        async with self._lock:
            self.calls += 1
            return await self._model.ask(request)


async def run_official(
    way: Way, spec: EngineSpec, problems: list[Problem], settings: Settings, dice: Dice
) -> Made:
    """The official code's schedule: samples, rounds and questions one after another, problems 32 at once."""
    engine = Engine(spec, priorities=False)
    ends: list[float] = []
    trace: list[tuple[float, int, int]] = []
    prompts, calls = Prompts(None), 0
    places = anyio.CapacityLimiter(_OFFICIAL_PROCESSES)
    sandbox = MemoSandbox(TimedSandbox(run_s=_RUN_S, workers=_OFFICIAL_PROCESSES))

    async def work(problem: Problem) -> None:
        nonlocal calls
        async with places:
            slow = _OneAtATime(model)
            context = SolveContext(slow, sandbox, prompts, settings)
            lineages = [await develop(number, problem, context) for number in range(settings.n)]
            pool = Pool(
                problem=problem,
                candidates=candidates_of(problem, lineages),
                sandbox=sandbox,
                ask=Asking(slow, prompts, settings.seed, settings.max_tokens),
                seed=settings.seed,
            )
            await select_all(pool, [settings.select])
            calls += slow.calls
            ends.append(anyio.current_time())

    async with SimulatedModel(engine, dice) as model, anyio.create_task_group() as group:
        group.start_soon(_watch, engine, None, trace)
        async with anyio.create_task_group() as workers:
            for problem in problems:
                workers.start_soon(work, problem)
        group.cancel_scope.cancel()
    return _measure(way, engine, ends, trace, calls)


def _measure(
    way: Way, engine: Engine, ends: list[float], trace: list[tuple[float, int, int]], calls: int
) -> Made:
    spec, output, read = engine.spec, engine.written_tokens, engine.cache.queries - engine.cache.hits
    full = [at_s for at_s, running, waiting in trace if running + waiting >= spec.max_num_seqs]
    tail_s = max(full, default=max(ends))  # never full: all of it
    until = [running for at_s, running, _ in trace if at_s <= tail_s]
    ends.sort()
    return Made(
        name=way.name,
        makespan_s=ends[-1],
        output_tokens=output,
        read_tokens=read,
        calls=calls,
        bound_s=bound_s(spec, output, read),
        output_bound_s=bound_s(spec, output, 0),
        tail_s=tail_s,
        busy=sum(until) / len(until) / spec.max_num_seqs,
        first_done_s=ends[0],
        half_done_s=ends[len(ends) // 2],
        cpu_s=0.0,
        trace=trace,
    )


def run_way(way: Way, spec: EngineSpec, problems: list[Problem], settings: Settings, dice: Dice) -> Made:
    """What becomes of one schedule, on a clock of its own."""
    run = run_official if way.official else run_ours
    main: Callable[[], Awaitable[Made]] = partial(run, way, spec, problems, settings, dice)
    started_s = time.process_time()
    made = run_virtual(main)
    return replace(made, cpu_s=time.process_time() - started_s)


def main() -> int:
    """Run every schedule, print the table; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--n", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--engine", choices=PRESETS, default="gpu-7b")
    parser.add_argument("--max-num-seqs", type=int, help="instead of the engine's own")
    parser.add_argument("--mean-tokens", type=float, default=Dice.mean_tokens)
    parser.add_argument("--sigma", type=float, default=Dice.sigma)
    parser.add_argument("--select", default="sstar")
    parser.add_argument("--only", help="schedules whose name holds this")
    parser.add_argument("--out", type=Path, help="folder for schedule.md, schedule.json and schedule.svg")
    options = parser.parse_args()
    spec = PRESETS[options.engine]
    if options.max_num_seqs:
        spec = replace(spec, max_num_seqs=options.max_num_seqs)
    settings = Settings(n=options.n, rounds=options.rounds, select=options.select)
    dice = Dice(mean_tokens=options.mean_tokens, sigma=options.sigma)
    rows: list[Made] = []
    for way in WAYS:
        if options.only is None or options.only in way.name:
            rows.append(run_way(way, spec, make_problems(options.problems), settings, dice))
            print(f"{way.name}: {rows[-1].makespan_s:.1f} s ({rows[-1].cpu_s:.0f} s CPU)", file=sys.stderr)
    table = show(rows, spec)
    print(table)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "schedule.md").write_text(table)
        (options.out / "schedule.json").write_text(json.dumps([asdict(row) for row in rows]))
        (options.out / "schedule.svg").write_text(draw_running([(row.name, row.trace) for row in rows], spec))
    return _compare(rows)


def _compare(rows: list[Made]) -> int:
    """Say which bars hold; 1 where one does not."""
    ours = [row for row, way in zip(rows, WAYS, strict=False) if not way.official]
    missed = [
        *(f"{row.name}: over 1.10 of the bound" for row in ours if row.makespan_s > 1.10 * row.bound_s),
        *(f"{row.name}: under 90% running" for row in ours if row.busy < 0.90),
    ]
    if len(rows) == len(WAYS):
        slowest = max(row.makespan_s for row in ours)
        times = rows[-1].makespan_s / slowest
        print(f"the official schedule takes {times:.2f} times the slowest of the others")
        missed += ["the official schedule is less than 3 times slower"] * (times < 3)
    print("\n".join(f"missed: {line}" for line in missed) or "every bar is met")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
