"""Selection by a model that reads the programs and runs nothing."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

from sstar_code.selection.concurrency import run_together
from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.evidence.fingerprint import strip_comments
from sstar_code.selection.judging.question import ask_in_both_orders
from sstar_code.selection.pool import share, tier
from sstar_code.selection.protocols import Question, Selection

if TYPE_CHECKING:
    from sstar_code.selection.pool import Pool

MAX_MATCHES = 120
"""Matches per problem: all pairs of 16 programs; with more programs so many pairs are drawn."""
_ROUNDS = 200
_PRIOR = 0.5
"""Wins and losses against an average program that each is believed to have, so that none is beyond doubt."""


async def select_judge(pool: Pool) -> Selection:
    """The program that comes out strongest of pairwise comparisons by their code alone.

    Equal programs once, comments stripped. Every pair is a match of two calls, the second with the sides
    swapped; the same winner twice is a win, neither twice half a win each, anything else no evidence.
    Strengths by Bradley-Terry; ties to the program with most copies, then by seed.

    Source: "LLM Judge" in S* (arXiv 2502.14382, table 3); strengths as in Bradley and Terry (1952).
    """
    members = tier(pool.candidates)
    if not members:
        return Selection("judge", None, 0.0)
    ledger = Ledger()
    copies = Counter(pool.board.program_of[index] for index in members)
    programs = sorted(copies)
    wins: dict[tuple[int, int], float] = {}
    if pool.ask is None:
        ledger.notes.append("no model: nothing is compared")
    elif len(programs) > 1:
        pairs = list(combinations(programs, 2))
        if len(pairs) > MAX_MATCHES:
            ledger.notes.append(f"{MAX_MATCHES} of {len(pairs)} pairs are compared")
            pairs = random.Random(pool.seed_for("pairs")).sample(pairs, MAX_MATCHES)
        points = await run_together(partial(_play, pool, pair, ledger) for pair in pairs)
        for (first, second), (one, other) in zip(pairs, points, strict=True):
            wins[first, second], wins[second, first] = one, other
    strength = rank(programs, wins)
    top = max((strength[program], copies[program]) for program in programs)
    best = [program for program in programs if (strength[program], copies[program]) == top]
    winner = random.Random(pool.seed_for("judge")).choice(best)
    chosen = next(index for index in members if pool.board.program_of[index] == winner)
    confidence = share(pool, chosen, copies[winner], members)
    if any(wins.values()) and confidence:
        confidence = strength[winner] / sum(strength.values())
    clusters = tuple(
        tuple(index for index in members if pool.board.program_of[index] == program) for program in programs
    )
    return ledger.conclude("judge", chosen, confidence, clusters)


async def _play(pool: Pool, pair: tuple[int, int], ledger: Ledger) -> tuple[float, float]:
    """Points of the two sides."""
    first, second = (strip_comments(pool.candidates[index].code) for index in pair)
    orders = {"first": first, "second": second}, {"first": second, "second": first}
    name = f"{pair[0]}-{pair[1]}"
    points, note = await ask_in_both_orders(pool.board, Question.COMPARE, name, orders, ledger)
    ledger.notes.append(note)
    return points


def rank(programs: Sequence[int], wins: Mapping[tuple[int, int], float]) -> dict[int, float]:
    """Bradley-Terry strengths, above 0, with mean 1 for programs nobody was compared with.

    `wins` maps (winner, loser) to points. Programs of equal results have equal strength.
    """
    strength = dict.fromkeys(programs, 1.0)
    for _ in range(_ROUNDS):
        strength = {
            program: (_PRIOR + sum(wins.get((program, other), 0.0) for other in programs if other != program))
            / (
                2 * _PRIOR / (strength[program] + 1.0)
                + sum(
                    (wins.get((program, other), 0.0) + wins.get((other, program), 0.0))
                    / (strength[program] + strength[other])
                    for other in programs
                    if other != program
                )
            )
            for program in programs
        }
    return {program: round(value, 9) for program, value in strength.items()}
