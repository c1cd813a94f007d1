"""Samples a problem step by step: decide, keep the decision, act, until no step is worth its price.

Whether the survivors so far agree is seen on a few inputs, the same from the first step to the last: a
program is run on each once, however many steps look at it, far cheaper than by selection's search for inputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import anyio

from sstar_code.agent.allocation.policy import Observed, Repairs, Step, choose_step, estimate_rates
from sstar_code.agent.generation.develop import has_ended, next_round
from sstar_code.agent.generation.lineage import Lineage
from sstar_code.sandbox.grade import limits_for, program_for
from sstar_code.sandbox.outcome import Execution, Status
from sstar_code.selection.concurrency import run_together
from sstar_code.selection.evidence.clustering import cluster_programs
from sstar_code.selection.evidence.fingerprint import fingerprint
from sstar_code.selection.evidence.weights import valid_places
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.strategies.streams import Mutations

if TYPE_CHECKING:
    from sstar_code.agent.allocation.plan import Allocation
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.problems import Problem
    from sstar_code.sandbox.outcome import Limits, Program, Sandbox
    from sstar_code.selection.evidence.clustering import Clustering

LOOK_INPUTS = 16
_STRATEGIES = ("edges", "near", "tiny", "alike", "words", "crossed", "text")
"""Strategies of `selection.inputs`; the others make inputs that are large, or that nothing may allow."""
_CPU_S = 0.5
_CHUNK = 4
_MOST_SLOW = 2
"""Inputs on which a program may run out of time before it is run on no other one."""
_COSTLY = (Status.TLE, Status.MLE)


def list_inputs(problem: Problem, seed: int, count: int = LOOK_INPUTS) -> list[str]:
    """At most `count` inputs inside the contract, from several strategies in turn; none of them is public.

    They depend on the problem and the seed alone. None where nothing shows what an input looks like.
    """
    contract = Contract.of(problem)
    mutations = Mutations(problem, f"{seed}:{problem.id}:look", contract)
    found: list[str] = []
    while len(found) < count:
        names = [name for name in mutations.strategies if name in _STRATEGIES]
        taken = [text for name in names if (text := mutations.take(name)) is not None]
        if not taken:
            break
        found += [text for text in taken if contract.form is None or contract.admits(text)]
    return found[:count]


async def count_alike(
    problem: Problem, codes: Sequence[str], sandbox: Sandbox, inputs: Sequence[str]
) -> tuple[int, ...]:
    """Sizes of the groups of `codes` that do the same on `inputs`, largest first.

    Where no input is left, programs are alike whose text is.
    """
    first: dict[str, int] = {}
    copies = Counter(first.setdefault(fingerprint(code), index) for index, code in enumerate(codes))
    if len(copies) > 1 and inputs:
        used, runs = await watch(problem, {index: codes[index] for index in copies}, sandbox, inputs)
        if used:
            return _size_groups(cluster_programs(problem, used, runs), copies)
    return tuple(sorted(copies.values(), reverse=True))


async def watch(
    problem: Problem, codes: Mapping[int, str], sandbox: Sandbox, inputs: Sequence[str]
) -> tuple[list[str], dict[int, list[Execution]]]:
    """The inputs used, and what each of `codes` does on them.

    Those that the first and the last program are too slow for are left out. Another program that is too slow
    for two counts as too slow for all that follow.
    """
    limits = limits_for(problem)
    limits = replace(limits, cpu_s=min(limits.cpu_s, _CPU_S))
    programs = {index: program_for(problem, code) for index, code in codes.items()}
    costly = set(inputs)
    for index in (min(codes), max(codes)):
        tried = [text for text in inputs if text in costly]
        runs = await _run(sandbox, programs[index], tried, limits)
        costly = {text for text, run in zip(tried, runs, strict=True) if run.status in _COSTLY}
    kept = [text for text in inputs if text not in costly]
    found = await run_together(partial(_run, sandbox, program, kept, limits) for program in programs.values())
    return kept, dict(zip(programs, found, strict=True))


async def _run(sandbox: Sandbox, program: Program, inputs: Sequence[str], limits: Limits) -> list[Execution]:
    runs: list[Execution] = []
    for start in range(0, len(inputs), _CHUNK):
        if sum(run.status in _COSTLY for run in runs) >= _MOST_SLOW:
            return runs + [Execution(Status.TLE)] * (len(inputs) - len(runs))
        runs += await sandbox.run(program, inputs[start : start + _CHUNK], limits)
    return runs


def _size_groups(found: Clustering, copies: Mapping[int, int]) -> tuple[int, ...]:
    """Sizes in samples, largest first; inputs on which most fail tell nothing apart."""
    counts = [sum(copies[index] for index in cluster) for cluster in found.clusters]
    places = valid_places(found, counts)
    sizes: Counter[tuple[int, ...]] = Counter()
    for number, copies_of_it in enumerate(counts):
        sizes[tuple(found.labels[place][number] for place in places)] += copies_of_it
    return tuple(sorted(sizes.values(), reverse=True))


@runtime_checkable
class _Withdrawing(Protocol):
    """A model whose calls can be given up."""

    def cancel(self, problem_id: str, samples: Collection[int] | None = None) -> int: ...


async def allocate_samples(
    problem: Problem, context: SolveContext, allocation: Allocation, on_sample: Callable[[Lineage], None]
) -> tuple[Lineage, ...]:
    """The samples of a problem, repaired or not, in order; as many as were worth it.

    A function of the model's answers and the steps that the log holds. `on_sample` gets each sample
    once: when it passes the public tests, or at the end.

    Raises:
        As `agent.generation.develop`; BudgetSpentError.
    """
    sampling = _Allocating(problem, context, allocation, on_sample)
    await sampling.run()
    return tuple(sampling.lineages[number] for number in sorted(sampling.lineages))


@dataclass(slots=True)
class _Allocating:
    problem: Problem
    context: SolveContext
    allocation: Allocation
    on_sample: Callable[[Lineage], None]
    lineages: dict[int, Lineage] = field(default_factory=dict)
    _inputs: list[str] | None = None
    _drawn: int = 0
    """First samples asked for."""

    async def run(self) -> None:
        """Step after step until one says to stop."""
        told = self.allocation.log.of(self.problem.id)
        for ordinal in count():
            if ordinal == len(told):
                await self._decide()
            step = told[ordinal]
            if step.kind == "draw":
                await self._draw(step.count, told, ordinal + 1)
            elif step.kind == "repair":
                await self._repair(step.round)
            else:
                break
        self.allocation.budget.end(self.problem.id)
        for lineage in self.lineages.values():
            if not lineage.survives:
                self.on_sample(lineage)

    async def _decide(self) -> None:
        seen = await self._see()
        step = self._choose(seen)
        spent, samples = seen.tokens + seen.repair_tokens, max(1, seen.drawn)
        sample_tokens = seen.tokens / samples
        if seen.drawn and step.kind != "stop":
            step = self._cap(step, spent, sample_tokens)
        if seen.drawn and step.kind != "stop":
            calls = step.count if step.kind == "draw" else seen.repairs[step.round - 1].open
            tokens = calls * (
                seen.repair_tokens / seen.repaired
                if step.kind == "repair" and seen.repaired
                else sample_tokens
            )
            value = step.value / max(1.0, sample_tokens)
            if not await self.allocation.budget.ask(self.problem.id, value, tokens, sample_tokens):
                step = replace(step, kind="stop", why=f"the tokens left are worth more elsewhere; {step.why}")
        self.allocation.log.add(self.problem.id, step, seen)

    def _choose(self, seen: Observed) -> Step:
        others = {**self.allocation.log.shown, self.problem.id: seen}
        return choose_step(
            seen, estimate_rates(others.values(), self.context.settings.rounds), self.allocation.range
        )

    def _cap(self, step: Step, spent: int, sample_tokens: float) -> Step:
        """`step` as far as the tokens of one problem reach."""
        cap = self.allocation.budget.run_budget.max_tokens_problem
        if cap is None or not sample_tokens:
            return step
        calls = int((cap - spent) // sample_tokens)
        if calls < 1:
            return replace(step, kind="stop", count=0, why=f"{spent} of its {cap} tokens are spent")
        return replace(step, count=min(step.count, calls))

    async def _see(self) -> Observed:
        lineages = [self.lineages[number] for number in sorted(self.lineages)]
        groups: tuple[int, ...] = ()
        codes = [lineage.code for lineage in lineages if lineage.survives and lineage.code]
        if codes:
            if self._inputs is None:
                self._inputs = list_inputs(self.problem, self.context.settings.seed)
            groups = await count_alike(self.problem, codes, self.context.sandbox, self._inputs)
        return _describe(lineages, groups, self.problem, self.context.settings.rounds)

    async def _draw(self, samples: int, told: Sequence[Step], following: int) -> None:
        """Draw first samples; where those that are in settle it, the others of this step are withdrawn."""
        dropped = set(told[following].dropped) if following < len(told) else set()
        wanted = set(range(self._drawn, self._drawn + samples)) - dropped
        self._drawn += samples
        taught = self._remember()

        async def sample(number: int) -> None:
            lineage = await next_round(Lineage(number, ()), self.problem, taught)
            if following == len(told):
                self._keep(lineage)
                await self._reconsider(wanted, told, following)
            elif number not in told[following].dropped:
                self._keep(lineage)

        async with anyio.create_task_group() as group:
            for number in sorted(wanted):
                group.start_soon(sample, number)

    async def _reconsider(self, wanted: set[int], told: Sequence[Step], following: int) -> None:
        """Stop in the middle of a step if what is in says so."""
        if wanted <= set(self.lineages) or len(self.lineages) < self.allocation.range.least:
            return
        seen = await self._see()
        step = self._choose(seen)
        late = tuple(sorted(wanted - set(self.lineages)))
        if step.kind == "stop" and late and following == len(told):
            self.allocation.log.add(self.problem.id, replace(step, dropped=late), seen)
            if isinstance(self.context.model, _Withdrawing):
                self.context.model.cancel(self.problem.id, late)

    async def _repair(self, index: int) -> None:
        taught = self._remember()

        async def repair(lineage: Lineage) -> None:
            self._keep(await next_round(lineage, self.problem, taught))

        async with anyio.create_task_group() as group:
            for lineage in list(self.lineages.values()):
                if len(lineage.rounds) == index and not has_ended(lineage, self.problem):
                    group.start_soon(repair, lineage)

    def _remember(self) -> SolveContext:
        """The context with what the samples that are in have taught."""
        return self.context.remember(self.lineages.values())

    def _keep(self, lineage: Lineage) -> None:
        self.lineages[lineage.sample] = lineage
        if lineage.survives:
            self.on_sample(lineage)


def _describe(
    lineages: Sequence[Lineage], groups: tuple[int, ...], problem: Problem, rounds: int
) -> Observed:
    usages = [[item.usage for item in lineage.rounds] for lineage in lineages]
    tokens = [[(usage.prompt or 0) + (usage.output or 0) for usage in row] for row in usages]
    repairs = []
    for index in range(1, rounds + 1):
        tried = [lineage.rounds[index] for lineage in lineages if len(lineage.rounds) > index]
        waiting = [
            lineage
            for lineage in lineages
            if len(lineage.rounds) == index and not has_ended(lineage, problem)
        ]
        repairs.append(Repairs(len(waiting), len(tried), sum(item.solved for item in tried)))
    return Observed(
        drawn=len(lineages),
        passed=sum(lineage.rounds[0].solved for lineage in lineages),
        groups=groups,
        repairs=tuple(repairs),
        tokens=sum(row[0] for row in tokens),
        repair_tokens=sum(sum(row[1:]) for row in tokens),
    )
