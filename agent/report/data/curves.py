"""Curves of a run: more samples and tokens, the confidence of the choice, problems won and lost by step."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.report.data.scores import best_after
from sstar_code.agent.run.summary import Rate, wilson

if TYPE_CHECKING:
    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.run.outcomes import ProblemOutcome

STATES = ("good", "bad", "lost")
"""States of a problem in the flow; the last is an error or unfinished."""
_ALL = 150
"""Subsets of one problem and size that are all looked at, if there are no more."""
_DRAWS = 15
"""Subsets drawn a problem and size: their scatter is small beside that of the problems."""


def majority_at(run: Run, sizes: Sequence[int], asked: int) -> dict[int, Rate]:
    """Rate of the largest group of equal behaviour among k samples, by k, over draws of k samples.

    The groups are those that `majority` found among all samples; empty where that method did not run.
    """
    graded = [one for one in run.count.graded if "majority" in run.choices.get(one, {})]
    if not graded:
        return {}
    totals = dict.fromkeys(sizes, 0.0)
    for problem_id in graded:
        outcome = run.outcomes[problem_id]
        draw = random.Random(f"0:{problem_id}")
        for k in sizes:
            if k >= len(outcome.samples):
                totals[k] += outcome.is_right(outcome.chosen.get("majority"))
                continue
            picks = _draw_subsets(len(outcome.samples), k, draw)
            groups = run.choices[problem_id]["majority"].clusters
            totals[k] += sum(_vote(outcome, groups, pick) for pick in picks) / len(picks)
    return {k: wilson(total, asked) for k, total in totals.items()}


def _draw_subsets(samples: int, k: int, draw: random.Random) -> list[Sequence[int]]:
    """All subsets of k samples where they are few, else some."""
    if math.comb(samples, k) <= _ALL:
        return list(itertools.combinations(range(samples), k))
    return [draw.sample(range(samples), k) for _ in range(_DRAWS)]


def _vote(outcome: ProblemOutcome, groups: Sequence[Sequence[int]], pick: Sequence[int]) -> float:
    """Chance that the vote is right; without a grouped sample, that one of the best on public tests is."""
    drawn = set(pick)
    inside = [members for group in groups if (members := [one for one in group if one in drawn])]
    if not inside:
        most = max(outcome.samples[one].public_passed for one in pick)
        best = [one for one in pick if outcome.samples[one].public_passed == most]
        return sum(outcome.is_right(one) for one in best) / len(best)
    size = max(map(len, inside))
    leaders = [members for members in inside if len(members) == size]
    return sum(outcome.is_right(min(members)) for members in leaders) / len(leaders)


def tokens_per_sample(run: Run) -> dict[str, float]:
    """Mean tokens, prompt and output: of a sample for `generate` and `debug`, of a problem for `select`.

    `select` are the questions of the method whose choice is the answer, not those of others.
    """
    counted = [one for one in run.problem_ids if one in run.outcomes]
    samples = max(1, sum(len(run.outcomes[one].samples) for one in counted))
    tokens = {"generate": 0, "debug": 0}
    for problem_id in counted:
        for stage, count in run.stages.get(problem_id, {}).items():
            if stage in tokens:
                tokens[stage] += count.tokens
    asked = sum(choice.tokens for one in counted if (choice := run.choice(one)) is not None)
    each = {stage: total / samples for stage, total in tokens.items()}
    return {**each, "select": asked / max(1, len(counted))}


@dataclass(frozen=True, slots=True)
class Bin:
    """Choices of about the same confidence."""

    low: float
    high: float
    confidence: float
    """Mean of the choices in it."""
    right: Rate


@dataclass(frozen=True, slots=True)
class Calibration:
    """A measure of how far a method's confidence is to be believed."""

    bins: tuple[Bin, ...]
    """The bins with a choice in them."""
    error: float
    """Expected calibration error: mean distance of confidence and rate over the choices."""
    brier: float
    """Mean squared distance of confidence and outcome (Brier 1950)."""
    choices: int


def calibrate(run: Run, method: str, bins: int = 10) -> Calibration:
    """Calibrate `method` on the graded problems for which it states a confidence, in bins of equal width."""
    pairs = [
        (choice.confidence, run.outcomes[one].is_right(choice.chosen))
        for one in run.count.graded
        if (choice := run.choices.get(one, {}).get(method)) is not None and choice.confidence is not None
    ]
    found: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in pairs:
        found.setdefault(min(bins - 1, int(confidence * bins)), []).append((confidence, right))
    rows = tuple(
        Bin(
            place / bins,
            (place + 1) / bins,
            sum(confidence for confidence, _ in found[place]) / len(found[place]),
            wilson(sum(right for _, right in found[place]), len(found[place])),
        )
        for place in sorted(found)
    )
    count = max(1, len(pairs))
    return Calibration(
        rows,
        sum(row.right.problems * abs(row.confidence - row.right.value) for row in rows) / count,
        sum((confidence - right) ** 2 for confidence, right in pairs) / count,
        len(pairs),
    )


@dataclass(frozen=True, slots=True)
class Answered:
    """What comes of answering only the problems whose choice is at least so sure."""

    confidence: float | None
    """The lowest confidence that is answered; None: all are, those of no known confidence too."""
    answered: Rate
    """Share of the graded problems that are answered."""
    wrong: Rate
    """Share of wrong answers among those."""


def trace_abstention(run: Run, method: str) -> tuple[Answered, ...]:
    """Error against answered problems, the surest first: one row for every confidence that `method` states.

    A choice of no known confidence comes last. Source: risk-coverage curves (El-Yaniv and Wiener 2010).
    """
    rows = [
        (-1.0 if choice.confidence is None else choice.confidence, run.outcomes[one].is_right(choice.chosen))
        for one in run.count.graded
        if (choice := run.choices.get(one, {}).get(method)) is not None
    ]
    found = []
    for least in sorted({confidence for confidence, _ in rows}, reverse=True):
        told = [right for confidence, right in rows if confidence >= least]
        found.append(
            Answered(
                None if least < 0 else least,
                wilson(len(told), len(rows)),
                wilson(told.count(False), len(told)),
            )
        )
    return tuple(found)


def thin_out(rows: Sequence[Answered]) -> list[Answered]:
    """Those rows at which another tenth of the problems is answered, and the last."""
    kept = {min(10, int(10 * row.answered.value)): row for row in reversed(rows)}
    return [kept[tenth] for tenth in sorted(kept)]


@dataclass(frozen=True, slots=True)
class Step:
    """One column of the flow: how many problems are in which state."""

    title: str
    states: Mapping[str, int]
    """Problems by state, one of `STATES`."""
    words: Mapping[str, str]
    """Words for each state."""


@dataclass(frozen=True, slots=True)
class Link:
    """Problems that go from a state of one step to a state of the next."""

    step: int
    """Index of the step they leave."""
    source: str
    target: str
    problems: int


def trace_flow(run: Run) -> tuple[tuple[Step, ...], tuple[Link, ...]]:
    """Where problems were won and lost: public tests round by round, then a right sample, then the choice.

    Where only what was chosen is graded, nothing is known of a right sample, and that column is left out.
    """
    rounds = max((row.round for one in run.count.graded for row in run.rounds[one]), default=0)
    is_whole = all(run.outcomes[one].is_whole for one in run.count.graded)
    titles = ["sampled", *(f"debug round {number}" for number in range(1, rounds + 1))]
    columns: list[tuple[str, str, str]] = [
        *((title, "public pass", "no public pass") for title in titles),
        *([("hidden tests", "a right sample", "no right sample")] if is_whole else []),
        ("choice", "chosen right", "chosen wrong"),
    ]
    paths = []
    for problem_id, scores in run.count.scores.items():
        if not scores:
            paths.append(["lost"] * len(columns))
            continue
        outcome, rows = run.outcomes[problem_id], run.rounds[problem_id]
        flags = [any(row.survives for row in best_after(rows, number)) for number in range(rounds + 1)]
        flags += [outcome.count_right() > 0] if is_whole else []
        flags.append(outcome.is_right(outcome.chosen.get(run.select)))
        paths.append(["good" if flag else "bad" for flag in flags])
    steps = tuple(
        Step(
            title,
            {state: sum(path[place] == state for path in paths) for state in STATES},
            {"good": good, "bad": bad, "lost": "error or unfinished"},
        )
        for place, (title, good, bad) in enumerate(columns)
    )
    links = tuple(
        Link(place, source, target, count)
        for place in range(len(columns) - 1)
        for source in STATES
        for target in STATES
        if (count := sum(path[place] == source and path[place + 1] == target for path in paths))
    )
    return steps, links
