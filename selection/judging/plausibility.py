"""How likely it is that the statement allows an input, and says what is right for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sstar_code.sandbox.outcome import Status
from sstar_code.selection.evidence.weights import DOUBT
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.contract.examples import public_inputs
from sstar_code.selection.judging.question import has_low_number, is_empty

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.selection.evidence.clustering import Clustering

_FAILING = 4
"""Power of the share of programs that do not fail. Where several recorded programs were right, they disagreed
on a quarter of the inputs on which nobody fails, and on all on which a quarter of the programs do."""


@dataclass(frozen=True)
class Plausibility:
    """Judges the inputs of `found`; `weights` are its clusters', `doubtful` is what a validator rejects."""

    problem: Problem
    found: Clustering
    weights: Sequence[float]
    doubtful: Collection[str]

    def of(self, place: int) -> float:
        """The share, 0..1, by how many programs do not fail on the input at `place`.

        Half of it beyond the contract, and half for what no public test has: an argument or a line that is
        empty, a number that is zero or negative.
        """
        row = zip(self.weights, self.found.behaviours[place], strict=True)
        fine = sum(weight for weight, seen in row if seen.status is Status.OK) / sum(self.weights)
        share, text = fine**_FAILING, self.found.inputs[place]
        for is_odd, is_known in zip((is_empty, has_low_number), self._shown, strict=True):
            if not is_known and is_odd(self.problem, text):
                share /= 2
        if text in self.doubtful:
            share *= DOUBT
        return share if self._contract.admits(text) else share / 2

    @cached_property
    def _shown(self) -> tuple[bool, bool]:
        """Whether a public test has anything empty, and a number that is zero or negative."""
        shown = public_inputs(self.problem)
        empty, low = (any(odd(self.problem, text) for text in shown) for odd in (is_empty, has_low_number))
        return empty, low

    @cached_property
    def _contract(self) -> Contract:
        return Contract.of(self.problem)
