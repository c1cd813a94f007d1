"""One start of an evaluation: opens everything, evaluates with progress, writes the summary last."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sstar_code.agent.allocation.plan import plan_waves
from sstar_code.agent.jobs.evaluate_set import evaluate, read_outcomes
from sstar_code.agent.jobs.session import open_model, open_sandbox
from sstar_code.agent.run.exports import write_results
from sstar_code.agent.run.store import Store
from sstar_code.agent.run.usage import Prices
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.telemetry.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sstar_code.agent.calls.budget import Budget
    from sstar_code.agent.calls.stored_model import StoredModel
    from sstar_code.agent.jobs.session import Endpoint, SandboxChoice
    from sstar_code.agent.models.load import LoadWatch
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.run.outcomes import ProblemOutcome
    from sstar_code.agent.run.summary import Summary
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Problem

__all__ = ["Evaluation", "most_open"]

_OPEN = 8
"""Open problems, in multiples of those whose first samples fill the server: old ones have few calls left."""


def most_open(model: StoredModel, settings: Settings) -> int:
    """Problems that are worked on at once, where that many have work for the model."""
    return max(4, _OPEN * model.pace.width // settings.first_wave)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What to evaluate, with what, and where it is written."""

    folder: Path
    problems: Sequence[Problem]
    settings: Settings
    endpoint: Endpoint
    choice: SandboxChoice
    prompts: Prompts
    budget: Budget
    say: Callable[[str], None]
    quiet: bool = False
    prices: Prices = field(default_factory=Prices)
    judged_on: Sequence[Problem] = ()
    """Of a shard: the whole set, on which the judge is measured as one run over all of it would."""
    retry_errors: bool = False
    """Work again on finished problems with a call that failed for good."""

    async def run(self) -> Summary:
        """Evaluate what is not finished yet.

        However this ends, what was finished, by this start or an earlier one, is in the store and
        `samples.jsonl`, `lcb.json` and `candidates.jsonl` show it; `summary.json` counts what is unfinished.
        An end before anything was finished writes nothing.
        """
        started_s = time.monotonic()
        with closing(Store(self.folder / "run.db")) as store:
            outcomes = read_outcomes(store)
            watches: list[LoadWatch] = []
            try:
                await self._evaluate(store, outcomes, watches)
            except BaseException:
                if outcomes:
                    self._write(store, outcomes, watches, time.monotonic() - started_s)
                raise
            return self._write(store, outcomes, watches, time.monotonic() - started_s)

    async def _evaluate(
        self, store: Store, outcomes: dict[str, ProblemOutcome], watches: list[LoadWatch]
    ) -> None:
        async with (
            open_model(self.endpoint, store, self.budget, self.say) as model,
            open_sandbox(self.choice, store, self.say) as sandbox,
        ):
            if model.load is not None:
                watches.append(model.load)
            if self.retry_errors:
                self._reopen(store, outcomes)
            waves = plan_waves(self.settings, self.budget, store, len(self.problems) - len(outcomes))

            def show_work() -> str:
                tally = model.tally
                work = f"{tally.calls:,} calls, {tally.tokens:,} tokens, {sandbox.executed:,} runs"
                load = model.load.line() if model.load is not None else ""
                return f"{work} | {load}" if load else work

            with Progress("eval", len(self.problems), details=show_work, quiet=self.quiet) as progress:

                def finish(outcome: ProblemOutcome, *, kept: bool) -> None:
                    outcomes[outcome.problem_id] = outcome
                    (progress.keep if kept else progress.advance)(_label(outcome))

                await evaluate(
                    self.problems,
                    SolveContext(model, sandbox, self.prompts, self.settings, waves=waves),
                    store,
                    most_open=lambda: most_open(model, self.settings),
                    wait_for_room=model.wait_for_room,
                    on_problem=finish,
                    judged_on=self.judged_on,
                )

    def _reopen(self, store: Store, outcomes: dict[str, ProblemOutcome]) -> None:
        """Only once the endpoint and the sandbox are known to work: else what is finished stays finished."""
        failed = {problem_id for problem_id, _, _ in store.failures()}
        again = [
            problem.id
            for problem in self.problems
            if (outcome := outcomes.get(problem.id)) is not None
            and (problem.id in failed or any(sample.failed for sample in outcome.samples))
        ]
        store.reopen(again)
        for problem_id in again:
            del outcomes[problem_id]
        self.say(
            f"sstar: --retry errors: {len(again)} finished problems have failed calls; asking those again"
        )

    def _write(
        self, store: Store, outcomes: dict[str, ProblemOutcome], watches: list[LoadWatch], seconds: float
    ) -> Summary:
        return write_results(
            self.folder,
            store,
            outcomes,
            problem_ids=[problem.id for problem in self.problems],
            select=self.settings.select,
            prices=self.prices,
            seconds=seconds,
            load=next((watch.as_json() for watch in watches), None),
        )


def _label(outcome: ProblemOutcome) -> str:
    if outcome.error is not None:
        return "error"
    return "solved" if outcome.solved else "unsolved"
