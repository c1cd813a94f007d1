"""Confidence and explanation of a choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sstar_code.selection.judging.question import clip
from sstar_code.selection.protocols import Distinguishing

if TYPE_CHECKING:
    from sstar_code.selection.evidence.clustering import Clustering
    from sstar_code.selection.pool import Pool

MAX_OUTPUT_CHARS = 2_000
"""Characters of one behaviour in a `Selection`."""


def share(pool: Pool, chosen: int | None, alike: int, members: Sequence[int]) -> float:
    """Confidence of a method without an estimate: the share of the survivors that do as `chosen` does.

    0 where it fails a public test.
    """
    if chosen is None or not pool.candidates[chosen].survives:
        return 0.0
    return alike / len(members)


def explain(found: Clustering) -> tuple[Distinguishing, ...]:
    """Inputs that together tell all clusters apart, with what each cluster did."""
    return tuple(
        Distinguishing(
            found.inputs[place],
            {
                str(number): clip(seen.text, MAX_OUTPUT_CHARS)
                for number, seen in enumerate(found.behaviours[place])
            },
        )
        for place in found.explaining()
    )
