"""Inputs on which all survivors agree, as tests that can be kept."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sstar_code.sandbox.outcome import Status
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.protocols import Derived

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.selection.evidence.clustering import Clustering
    from sstar_code.selection.evidence.posterior import Beliefs
    from sstar_code.selection.pool import Pool

__all__ = ["agreed_tests"]

_LEAST_PROGRAMS = 3
_TESTS = 3
_MAX_CHARS = 200


def agreed_tests(pool: Pool, members: Sequence[int], found: Clustering, beliefs: Beliefs) -> list[Derived]:
    """At most three short inputs inside the contract on which all `members` give one output, which differs.

    Only where these are three different programs or more, all of which pass every public test. Each is as
    sure as that any cluster is right: where one is, so is what all agree on.
    """
    programs = {pool.board.program_of[index] for index in members}
    if len(programs) < _LEAST_PROGRAMS or not all(pool.candidates[index].survives for index in members):
        return []
    contract = Contract.of(pool.problem)
    kept: dict[str, str] = {}
    for place in sorted(range(len(found.inputs)), key=lambda place: (len(found.inputs[place]), place)):
        text, row = found.inputs[place], found.behaviours[place]
        output = row[0].output
        if len(kept) == _TESTS or len(text) > _MAX_CHARS:
            break
        agree = len(set(found.labels[place])) == 1 and row[0].status is Status.OK
        if agree and output not in kept and len(output) <= _MAX_CHARS and contract.admits(text):
            kept[output] = text
    confidence = math.fsum(beliefs.clusters)
    why = f"all {len(programs)} different programs that pass the public tests"
    return [Derived(text, output, confidence, why) for output, text in kept.items()]
