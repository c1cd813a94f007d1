"""What the survivors so far do on a few inputs: the agreement that decides whether more samples are drawn.

Far cheaper than selection's search for inputs, and the same inputs from the first step to the last: a program
is run on each once, however many steps look at it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sstar_code.sandbox.grade import limits_for, program_for
from sstar_code.sandbox.outcome import Execution, Status
from sstar_code.selection.concurrency import run_together
from sstar_code.selection.evidence.agreement import valid_places
from sstar_code.selection.evidence.clustering import cluster_programs
from sstar_code.selection.evidence.fingerprint import fingerprint
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.strategies.streams import Mutations

if TYPE_CHECKING:
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
    for number, count in enumerate(counts):
        sizes[tuple(found.labels[place][number] for place in places)] += count
    return tuple(sorted(sizes.values(), reverse=True))
