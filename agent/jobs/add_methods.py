"""Further methods on the candidates of a finished run, without sampling or running anything twice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import anyio

from sstar_code.agent.jobs.faults import describe_fault
from sstar_code.agent.jobs.merge_runs import asked_for
from sstar_code.agent.run.exports import write_results
from sstar_code.agent.run.folder import read_summary
from sstar_code.agent.run.history.added import note_own_work
from sstar_code.agent.run.outcomes import Prices
from sstar_code.agent.solving.context import Asking, SharedJudge
from sstar_code.agent.telemetry.events import working_on
from sstar_code.problems import InfrastructureError, UserError
from sstar_code.selection import Candidate
from sstar_code.selection.methods.registry import METHODS, choose, select_all
from sstar_code.selection.pool import Pool

if TYPE_CHECKING:
    from sstar_code.agent.jobs.session import Session
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.run.outcomes import ProblemOutcome
    from sstar_code.agent.run.store import Store
    from sstar_code.problems import Problem

_EVERY = "all"
_ALWAYS = ("random", "oracle")
"""Computed for every run, not chosen."""


def check_methods(names: Sequence[str]) -> list[str]:
    """The methods that `names` mean: `all` is every one that can be added.

    Raises:
        UserError: no such method, or one that every run has.
    """
    if _EVERY in names:
        return [name for name in METHODS if name not in _ALWAYS]
    for name in names:
        choose(name)
        if name in _ALWAYS:
            raise UserError(f"--add-method {name}: every run has it")
    return list(names)


async def add_methods(
    opening: AbstractAsyncContextManager[Session],
    methods: Sequence[str],
    problems: Mapping[str, Problem],
    config: Mapping[str, Any],
    prompts: Prompts,
) -> int:
    """Let each method choose for every finished problem where it has not yet; the number of these problems.

    A choice that is there stays. `problems` are those of the run by id, `config` is its configuration: seed
    and answer limit are the run's; answers and runs come from its store where it has them. Without a model
    nothing is asked. After an interruption the same command goes on.

    Raises:
        UserError: a finished problem is not in the set, or another process works in the folder.
        InfrastructureError: the endpoint, the sandbox or the store is gone.
    """
    async with opening as session:
        store, outcomes = session.store, session.store.read_outcomes()
        work = [one for one in outcomes.values() if one.error is None and set(methods) - set(one.chosen)]
        missing = [outcome.problem_id for outcome in work if outcome.problem_id not in problems]
        if missing:
            raise UserError(
                f"{session.folder}: {len(missing)} of its problems are not in the set, like {missing[0]!r}; "
                "name the set that the run used with --set"
            )
        if work:
            note_own_work(session.folder, store.count_stages(), outcomes)
        ask = shared = None
        if session.has_model:
            ask = Asking(session.model, prompts, config["seed"], config["max_tokens"])
            shared = SharedJudge(list(problems.values()), ask)
        failed: dict[str, str] = {}
        limiter = anyio.CapacityLimiter(4 * session.sandbox.workers)

        async def select(outcome: ProblemOutcome) -> None:
            problem = problems[outcome.problem_id]
            candidates = _candidates(store, problem, outcome)
            wanted = [name for name in methods if name not in outcome.chosen]
            async with limiter:
                with working_on(problem.id, "select"):
                    pool = Pool(
                        problem,
                        candidates,
                        session.sandbox,
                        ask,
                        config["seed"],
                        measure_judge=None if shared is None else shared.measure,
                        other_judges=() if shared is None else shared.others(session.judges),
                        measure_prediction=None if shared is None else shared.measure_prediction,
                    )
                    try:
                        found = await select_all(pool, wanted)
                    except Exception as error:  # noqa: BLE001 - what is no matter of one problem is raised again
                        failed[problem.id] = describe_fault(error, problem.id)
                        return
            chosen = {**outcome.chosen, **{name: item.chosen for name, item in found.items()}}
            outcomes[problem.id] = replace(outcome, chosen=chosen)
            rows = [(name, json.dumps(asdict(item))) for name, item in found.items()]
            store.put_selections(problem.id, outcomes[problem.id].to_json(), rows)

        async with anyio.create_task_group() as group:
            for outcome in work:
                group.start_soon(select, outcome)
        _write(session, outcomes, config)
    for problem_id, line in failed.items():
        raise InfrastructureError(
            f"nothing was chosen for {len(failed)} of {len(work)} problems, like {problem_id}: {line}; "
            "the choices for the others are kept"
        )
    return len(work)


def _write(session: Session, outcomes: Mapping[str, ProblemOutcome], config: Mapping[str, Any]) -> None:
    """The run folder's summary, with what earlier starts had put into it."""
    before = read_summary(session.folder)
    if not before:
        return
    cost = before.get("cost", {})
    write_results(
        session.folder,
        session.store,
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
