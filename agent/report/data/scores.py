"""What a run came to: every rate over the same problems, by method, round, group and number of samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.run.statistics import Difference, Rate, paired_bootstrap, pass_at_k, wilson
from sstar_code.agent.run.summary import score

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sstar_code.agent.report.data.run import RoundRow, Run

__all__ = ["Group", "RoundScore", "Scores", "count_scores", "group_keys", "problem_scores"]

NOT_KNOWN = "not known"
_RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class RoundScore:
    """The state after a debugging round, every sample at its best round so far."""

    round: int
    public: Rate
    """Problems with a sample that passes every public test."""
    sample: Rate
    """A sample drawn at random is right."""
    oracle: Rate
    """Some sample is right."""


@dataclass(frozen=True, slots=True)
class Group:
    """Problems that have something in common."""

    name: str
    problems: int
    rates: Mapping[str, Rate]
    """`pass@1`, `selected@1`, `oracle`."""


@dataclass(frozen=True, slots=True)
class Scores:
    """All rates are over `asked` problems; errors and unfinished ones are wrong."""

    asked: int
    graded: int
    errors: Mapping[str, str]
    unfinished: tuple[str, ...]
    ungraded: int
    """Without hidden tests; in no rate."""
    rates: Mapping[str, Rate]
    """As in `summary.json`: `pass@1`, `debugged@1`, `random`, each method, `oracle`."""
    of_graded: Mapping[str, Rate]
    gains: Mapping[str, Difference]
    """Of each of `rates` over `random`, paired by problem."""
    public: Rate
    pass_at: Mapping[int, Rate]
    """First answers: pass@k by k."""
    oracle_at: Mapping[int, Rate]
    """Debugged samples: some sample of k is right."""
    rounds: tuple[RoundScore, ...]
    groups: Mapping[str, tuple[Group, ...]]
    """By `difficulty`, `platform` and `month`; empty where nothing is known."""
    first_verdicts: Mapping[str, int]
    """Samples by verdict of the first answer."""
    final_verdicts: Mapping[str, int]
    """Samples by verdict after debugging."""


def problem_scores(run: Run, problem_id: str) -> dict[str, float]:
    """By name of a rate, 0..1; empty (which counts as wrong) where the problem has no verdict."""
    return score(run.outcomes[problem_id]) if run.is_graded(problem_id) else {}


def count_scores(run: Run) -> Scores:
    """Count everything."""
    counted = [problem_id for problem_id in run.problem_ids if run.counts(problem_id)]
    graded = [problem_id for problem_id in counted if run.is_graded(problem_id)]
    if not graded and len(counted) < len(run.problem_ids):
        counted = []
    table = {problem_id: problem_scores(run, problem_id) for problem_id in counted}
    names = list(dict.fromkeys(name for row in table.values() for name in row))
    names = [name for name in names if name != "oracle"] + (["oracle"] if names else [])

    def rate(value: Callable[[str], float]) -> Rate:
        return wilson(sum(value(problem_id) for problem_id in graded), len(counted))

    def gain(name: str) -> Difference:
        differences = [row.get(name, 0.0) - row.get("random", 0.0) for row in table.values()]
        return paired_bootstrap(differences, resamples=_RESAMPLES)

    most = max((len(run.outcomes[problem_id].samples) for problem_id in graded), default=0)
    sizes = [k for k in range(1, most + 1) if k & (k - 1) == 0 or k == most]
    return Scores(
        asked=len(counted),
        graded=len(graded),
        errors=run.errors,
        unfinished=tuple(
            problem_id
            for problem_id in run.problem_ids
            if problem_id not in run.outcomes and problem_id not in run.errors
        ),
        ungraded=sum(not run.counts(problem_id) for problem_id in run.problem_ids),
        rates={name: rate(lambda one, name=name: table[one].get(name, 0.0)) for name in names},  # type: ignore[misc]
        of_graded={
            name: wilson(sum(table[one].get(name, 0.0) for one in graded), len(graded)) for name in names
        },
        gains={name: gain(name) for name in names if name != "random"},
        public=rate(lambda one: float(run.outcomes[one].solved is True)),
        pass_at={k: rate(lambda one, k=k: _at(run, one, k, first=True)) for k in sizes},  # type: ignore[misc]
        oracle_at={k: rate(lambda one, k=k: _at(run, one, k, first=False)) for k in sizes},  # type: ignore[misc]
        rounds=_count_rounds(run, graded, len(counted)),
        groups=_count_groups(run, counted, table),
        first_verdicts=_verdicts(run, graded, first=True),
        final_verdicts=_verdicts(run, graded, first=False),
    )


def _at(run: Run, problem_id: str, k: int, *, first: bool) -> float:
    samples = run.outcomes[problem_id].samples
    right = sum((sample.first_hidden if first else sample.hidden) == "AC" for sample in samples)
    return pass_at_k(len(samples), right, min(k, len(samples)))


def _verdicts(run: Run, graded: Sequence[str], *, first: bool) -> dict[str, int]:
    counts = Counter(
        (sample.first_hidden if first else sample.hidden) or "CE"
        for problem_id in graded
        for sample in run.outcomes[problem_id].samples
    )
    return dict(counts)


def best_after(rows: Sequence[RoundRow], last: int) -> list[RoundRow]:
    """The round that stood for each sample after round `last`."""
    best: dict[int, RoundRow] = {}
    for row in rows:
        if row.round <= last and (row.sample not in best or _rank(row) > _rank(best[row.sample])):
            best[row.sample] = row
    return list(best.values())


def _rank(row: RoundRow) -> tuple[bool, int]:
    return row.written, row.public_passed


def _count_rounds(run: Run, graded: Sequence[str], asked: int) -> tuple[RoundScore, ...]:
    last = max((row.round for problem_id in graded for row in run.rounds[problem_id]), default=-1)
    scores = []
    for number in range(last + 1):
        public = sample = oracle = 0.0
        for problem_id in graded:
            stand = best_after(run.rounds[problem_id], number)
            right = sum(row.right for row in stand)
            public += any(row.survives for row in stand)
            sample += right / len(stand)
            oracle += right > 0
        scores.append(RoundScore(number, wilson(public, asked), wilson(sample, asked), wilson(oracle, asked)))
    return tuple(scores)


def group_keys(run: Run, problem_id: str) -> dict[str, str]:
    """`difficulty`, `platform` and `month` of a problem; empty texts where they are not known."""
    problem = run.problems.get(problem_id)
    metadata = problem.metadata if problem is not None else {}
    return {
        "difficulty": str(metadata.get("difficulty") or ""),
        "platform": str(metadata.get("platform") or metadata.get("source") or ""),
        "month": str(metadata.get("date") or "")[:7],
    }


def _count_groups(
    run: Run, counted: Sequence[str], table: Mapping[str, Mapping[str, float]]
) -> dict[str, tuple[Group, ...]]:
    groups: dict[str, tuple[Group, ...]] = {}
    columns = {"pass@1": "pass@1", "selected@1": run.select, "oracle": "oracle"}
    keys = {problem_id: group_keys(run, problem_id) for problem_id in counted}
    for kind in ("difficulty", "platform", "month"):
        members: dict[str, list[str]] = {}
        for problem_id in counted:
            members.setdefault(keys[problem_id][kind] or NOT_KNOWN, []).append(problem_id)
        if set(members) <= {NOT_KNOWN}:
            continue
        groups[kind] = tuple(
            Group(
                name,
                len(members[name]),
                {
                    label: wilson(
                        sum(table[one].get(column, 0.0) for one in members[name]), len(members[name])
                    )
                    for label, column in columns.items()
                },
            )
            for name in sorted(members, key=_order)
        )
    return groups


def _order(name: str) -> tuple[int, str]:
    known = ["easy", "introductory", "medium", "interview", "hard", "competition"]
    if name == NOT_KNOWN:
        return len(known) + 1, name
    return (known.index(name.lower()) if name.lower() in known else len(known)), name
