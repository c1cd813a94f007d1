"""Further methods on the candidates of a finished run, without sampling or running anything twice."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, closing
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.jobs.session import open_model, open_sandbox
from sstar_code.agent.jobs.shards import asked_for
from sstar_code.agent.run.exports import write_results
from sstar_code.agent.run.folder import read_summary
from sstar_code.agent.run.outcomes import ProblemOutcome
from sstar_code.agent.run.store import Store
from sstar_code.agent.run.usage import Prices
from sstar_code.agent.solving.ask_model import Asking
from sstar_code.agent.solving.shared_judge import SharedJudge
from sstar_code.agent.telemetry.work import working_on
from sstar_code.problems import UserError
from sstar_code.selection import Candidate
from sstar_code.selection.methods.registry import METHODS, choose, select_all
from sstar_code.selection.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sstar_code.agent.jobs.session import Endpoint, SandboxChoice
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.problems import Problem

__all__ = ["EVERY", "Reselection", "every_method"]

EVERY = "all"
_ALWAYS = ("random", "oracle")
"""Computed for every run, not chosen."""


def every_method() -> list[str]:
    """All methods that can be added."""
    return [name for name in METHODS if name not in _ALWAYS]


@dataclass(frozen=True, slots=True)
class Reselection:
    """Which methods to add to which run, and with what."""

    folder: Path
    manifest: Mapping[str, Any]
    problems: Mapping[str, Problem]
    """By id; all that the run finished."""
    methods: Sequence[str]
    prompts: Prompts
    endpoint: Endpoint | None
    """None: free evidence only, nothing is asked."""
    choice: SandboxChoice
    say: Callable[[str], None]
    on_selected: Callable[[str], None] = lambda _: None
    """Hears the id of each problem."""

    def check(self) -> None:
        """Before anything is opened.

        Raises:
            UserError: no such method, or one that every run has.
        """
        for name in self.methods:
            choose(name)
            if name in _ALWAYS:
                raise UserError(f"--add-method {name}: every run has it")
        if not self.problems:
            raise UserError(f"{self.folder}: --add-method needs the problems; name their set with --set")

    async def run(self) -> int:
        """Let each method choose for every finished problem where it has not yet; how many problems.

        A choice that is there stays. Seed and answer limit are the run's; answers and runs come from its
        store where it has them. After an interruption the same command goes on.

        Raises:
            UserError: a finished problem is not in the set, or another process works in the folder.
            InfrastructureError: the endpoint, the sandbox or the store is gone.
        """
        async with AsyncExitStack() as stack:
            store = stack.enter_context(closing(Store(self.folder / "run.db")))
            outcomes = {key: ProblemOutcome.from_json(text) for key, text in store.outcomes().items()}
            wanted = set(self.methods)
            work = [one for one in outcomes.values() if one.error is None and wanted - set(one.chosen)]
            missing = [outcome.problem_id for outcome in work if outcome.problem_id not in self.problems]
            if missing:
                raise UserError(
                    f"{self.folder}: {len(missing)} of its problems are not in the set, like {missing[0]!r}; "
                    "name the set that the run used with --set"
                )
            sandbox = await stack.enter_async_context(open_sandbox(self.choice, store, self.say))
            ask: Asking | None = None
            config = self.manifest["config"]
            if self.endpoint is not None:
                budget = Budget()
                model = await stack.enter_async_context(open_model(self.endpoint, store, budget, self.say))
                ask = Asking(model, self.prompts, config["seed"], config["max_tokens"])
            judge = None
            if ask is not None and "adaptive" in self.methods:
                judge = await SharedJudge(list(self.problems.values()), ask).measure()
            limiter = anyio.CapacityLimiter(4 * sandbox.workers)

            async def select(outcome: ProblemOutcome) -> None:
                problem = self.problems[outcome.problem_id]
                candidates = _candidates(store, problem, outcome)
                methods = [name for name in self.methods if name not in outcome.chosen]
                async with limiter:
                    with working_on(problem.id, "select"):
                        pool = Pool(problem, candidates, sandbox, ask, config["seed"], judge=judge)
                        found = await select_all(pool, methods)
                chosen = {**outcome.chosen, **{name: item.chosen for name, item in found.items()}}
                outcomes[problem.id] = replace(outcome, chosen=chosen)
                rows = [(name, json.dumps(asdict(item))) for name, item in found.items()]
                store.put_selections(problem.id, outcomes[problem.id].to_json(), rows)
                self.on_selected(problem.id)

            async with anyio.create_task_group() as group:
                for outcome in work:
                    group.start_soon(select, outcome)
            self._write(store, outcomes)
        return len(work)

    def _write(self, store: Store, outcomes: Mapping[str, ProblemOutcome]) -> None:
        """The run folder's summary, with what earlier starts had put into it."""
        before, config = read_summary(self.folder), self.manifest["config"]
        if not before:
            return
        cost = before.get("cost", {})
        write_results(
            self.folder,
            store,
            outcomes,
            problem_ids=asked_for(config),
            select=config["select"],
            prices=Prices(cost.get("prompt_per_million"), cost.get("output_per_million")),
            seconds=before.get("seconds", 0.0),
        )


def _candidates(store: Store, problem: Problem, outcome: ProblemOutcome) -> tuple[Candidate, ...]:
    """As selection had them in the run: hidden verdicts are not shown."""
    total = len(problem.public_tests)
    return tuple(
        Candidate(code or "", sample.public_passed, total)
        for code, sample in zip(store.candidates(problem.id), outcome.samples, strict=True)
    )
