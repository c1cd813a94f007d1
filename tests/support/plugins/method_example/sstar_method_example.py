"""A selection method of another package: the shortest program of the best tier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sstar_code.selection import Selection, tier

if TYPE_CHECKING:
    from sstar_code.selection import Pool

__all__ = ["select_shortest"]


async def select_shortest(pool: Pool) -> Selection:
    """The shortest of the programs that pass most public tests; the earliest of several."""
    members = tier(pool.candidates)
    if not members:
        return Selection("shortest", None, 0.0)
    chosen = min(members, key=lambda index: len(pool.candidates[index].code))
    confidence = 1 / len(members) if pool.candidates[chosen].survives else 0.0
    return Selection("shortest", chosen, confidence)
