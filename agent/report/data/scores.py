"""Counts the rates of a run, and compares two runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sstar_code.agent.run.summary import Difference, Rate, paired_bootstrap, pass_at_k, sign_test, wilson
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.run.outcomes import ProblemOutcome, RoundOutcome

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
    """Rates of a run over the problems that count; errors and unfinished ones are wrong."""

    rates: Mapping[str, Rate]
    """The rates of `summary.json`; empty where nothing is graded."""
    of_graded: Mapping[str, Rate]
    """The same over the graded problems alone."""
    gains: Mapping[str, Difference]
    """Gain of each of `rates` over `random`, paired by problem."""
    public: Rate
    """Problems with a sample that passes every public test."""
    pass_at: Mapping[int, Rate]
    """pass@k of first answers, by k."""
    oracle_at: Mapping[int, Rate]
    """Some debugged sample of k is right, by k."""
    rounds: tuple[RoundScore, ...]
    groups: Mapping[str, tuple[Group, ...]]
    """Groups by `difficulty`, `platform` and `month`; empty where nothing is known."""
    first_verdicts: Mapping[str, int]
    """Samples by verdict of the first answer."""
    final_verdicts: Mapping[str, int]
    """Samples by verdict after debugging."""
    differences: tuple[Line, ...] = ()
    """selected@1 less every other rate but the oracle's, by problem; empty where nothing was chosen."""


def count_scores(run: Run) -> Scores:
    """Count everything."""
    asked, graded = len(run.count.scores), run.count.graded
    outcomes = [run.outcomes[problem_id] for problem_id in graded]
    samples = [sample for outcome in outcomes for sample in outcome.samples]
    rates = run.count.rates() if graded else {}
    is_whole = all(outcome.is_whole for outcome in outcomes)
    kind = run.config.get("rate", "pass") if run.kind == "grade" else ""
    is_developed = is_whole and kind in ("", "debugged")
    most = max((len(outcome.answered) for outcome in outcomes), default=0) if is_whole else 0
    sizes = [k for k in range(1, most + 1) if k & (k - 1) == 0 or k == most]

    def gain(name: str) -> Difference:
        differences = [row.get(name, 0.0) - row.get("random", 0.0) for row in run.count.scores.values()]
        return paired_bootstrap(differences, resamples=_RESAMPLES)

    def rate_at(k: int, *, first: bool) -> Rate:
        return wilson(sum(_found_at(outcome, k, first=first) for outcome in outcomes), asked)

    return Scores(
        rates=rates,
        of_graded=run.count.rates(graded) if graded else {},
        gains={name: gain(name) for name in rates if name != "random" and "random" in rates},
        public=wilson(sum(outcome.solved is True for outcome in outcomes), asked),
        pass_at={k: rate_at(k, first=True) for k in sizes if kind in ("", "pass")},
        oracle_at={k: rate_at(k, first=False) for k in sizes if is_developed},
        rounds=_count_rounds([_list_rounds(run, one) for one in graded if is_whole and not kind], asked),
        groups=_count_groups(run),
        first_verdicts=dict(Counter(one.first_hidden for one in samples if one.first_hidden)),
        final_verdicts=dict(Counter(one.hidden for one in samples if one.hidden)),
        differences=_list_differences(run, rates),
    )


def _list_differences(run: Run, rates: Mapping[str, Rate]) -> tuple[Line, ...]:
    """What the choice gains over one sample, over a random one of the best, and over every other method."""
    if run.select not in rates:
        return ()
    ids = list(run.count.scores)
    rows = [run.count.scores[one] for one in ids]
    chosen = [{name: row.get(run.select, 0.0) for name in rates} for row in rows]
    others = [name for name in rates if name not in (run.select, "oracle")]
    return tuple(_compare(name, ids, rows, chosen) for name in others)


def _found_at(outcome: ProblemOutcome, k: int, *, first: bool) -> float:
    """Chance that one of k samples is right."""
    samples = len(outcome.answered if first else outcome.samples)
    return pass_at_k(samples, outcome.count_right(first=first), min(k, samples))


def _list_rounds(run: Run, problem_id: str) -> list[RoundOutcome]:
    """The rounds of samples, without drafts."""
    own = {sample.sample for sample in run.outcomes[problem_id].answered}
    return [row for row in run.rounds[problem_id] if row.sample in own]


def best_after(rows: Sequence[RoundOutcome], last: int) -> list[RoundOutcome]:
    """The round that stood for each sample after round `last`."""
    best: dict[int, RoundOutcome] = {}
    for row in rows:
        if row.round <= last and (row.sample not in best or _rank(row) > _rank(best[row.sample])):
            best[row.sample] = row
    return list(best.values())


def _rank(row: RoundOutcome) -> tuple[bool, int]:
    return row.is_written, row.public_passed


def _count_rounds(problems: Sequence[Sequence[RoundOutcome]], asked: int) -> tuple[RoundScore, ...]:
    """`problems` are the rounds of each."""
    last = max((row.round for rows in problems for row in rows), default=-1)
    scores = []
    for number in range(last + 1):
        stands = [best_after(rows, number) for rows in problems]
        right = [sum(row.hidden == "AC" for row in stand) for stand in stands]
        shares = [count / len(stand) for count, stand in zip(right, stands, strict=True)]
        scores.append(
            RoundScore(
                number,
                public=wilson(sum(any(row.survives for row in stand) for stand in stands), asked),
                sample=wilson(sum(shares), asked),
                oracle=wilson(sum(count > 0 for count in right), asked),
            )
        )
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


def _count_groups(run: Run) -> dict[str, tuple[Group, ...]]:
    groups: dict[str, tuple[Group, ...]] = {}
    known = run.count.rates()
    for kind in ("difficulty", "platform", "month"):
        members: dict[str, list[str]] = {}
        for problem_id in run.count.scores:
            members.setdefault(group_keys(run, problem_id)[kind] or NOT_KNOWN, []).append(problem_id)
        if set(members) <= {NOT_KNOWN}:
            continue
        rates = {name: run.count.rates(members[name]) for name in sorted(members, key=_order)}
        groups[kind] = tuple(
            Group(
                name,
                len(members[name]),
                {
                    shown: found.get(key) or wilson(0, len(members[name]))
                    for shown, key in (("pass@1", "pass@1"), ("selected@1", run.select), ("oracle", "oracle"))
                    if key in known or (shown == "selected@1" and run.select)
                },
            )
            for name, found in rates.items()
        )
    return groups


def _order(name: str) -> tuple[int, str]:
    known = ["easy", "introductory", "medium", "interview", "hard", "competition"]
    if name == NOT_KNOWN:
        return len(known) + 1, name
    return (known.index(name.lower()) if name.lower() in known else len(known)), name


@dataclass(frozen=True, slots=True)
class Line:
    """One rate of both runs."""

    name: str
    first: Rate
    second: Rate
    difference: Difference
    """Second less first."""
    won: tuple[str, ...]
    """Problems on which the second is better."""
    lost: tuple[str, ...]
    """Problems on which the first is better."""
    p: float | None
    """p of the sign test; None where a problem's rate is not 0 or 1: then there is `difference.p` alone."""

    @property
    def p_and_test(self) -> tuple[float, str]:
        """P that there is no difference, and by which test: the exact one where it can be made."""
        return (self.difference.p, "bootstrap") if self.p is None else (self.p, "sign test")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A second run beside a first."""

    first: str
    second: str
    common: int
    """Problems that both were asked and that have hidden tests."""
    only_first: int
    only_second: int
    settings: Mapping[str, tuple[Any, Any]]
    """Settings that differ: key to both values."""
    lines: tuple[Line, ...]

    def as_json(self) -> dict[str, Any]:
        """The object of `--format json`."""
        data = asdict(self)
        return data | {"rates": {line["name"]: line for line in data.pop("lines")}}


def compare_runs(first: Run, second: Run) -> Comparison:
    """Every rate that both have, `selected@1` first, with a paired bootstrap over the common problems.

    Raises:
        UserError: no problem is common to both.
    """
    common = [one for one in first.count.scores if one in second.count.scores]
    if not common:
        raise UserError(f"{first.folder} and {second.folder}: no problem in common, nothing to compare")
    ours = [_named(first, one) for one in common]
    theirs = [_named(second, one) for one in common]
    names = [name for row in ours for name in row if any(name in other for other in theirs)]
    settings = {
        key: (first.config.get(key), second.config.get(key))
        for key in {**first.config, **second.config}
        if key not in ("label", "problems") and first.config.get(key) != second.config.get(key)
    }
    return Comparison(
        first=str(first.folder),
        second=str(second.folder),
        common=len(common),
        only_first=len(set(first.problem_ids) - set(second.problem_ids)),
        only_second=len(set(second.problem_ids) - set(first.problem_ids)),
        settings=settings,
        lines=tuple(_compare(name, common, ours, theirs) for name in dict.fromkeys(names)),
    )


def _named(run: Run, problem_id: str) -> dict[str, float]:
    scores = run.count.scores[problem_id]
    chosen = {"selected@1": scores.get(run.select, 0.0)} if run.select else {}  # `grade` chooses nothing
    return {**chosen, **scores}


def _compare(
    name: str,
    problem_ids: Sequence[str],
    ours: Sequence[Mapping[str, float]],
    theirs: Sequence[Mapping[str, float]],
) -> Line:
    before = [row.get(name, 0.0) for row in ours]
    after = [row.get(name, 0.0) for row in theirs]
    differences = [new - old for old, new in zip(before, after, strict=True)]
    gains = dict(zip(problem_ids, differences, strict=True))
    won = tuple(one for one, gain in gains.items() if gain > 0)
    lost = tuple(one for one, gain in gains.items() if gain < 0)
    whole = all(value in (0.0, 1.0) for value in (*before, *after))
    return Line(
        name,
        wilson(sum(before), len(before)),
        wilson(sum(after), len(after)),
        paired_bootstrap(differences),
        won,
        lost,
        sign_test(len(won), len(lost)) if whole else None,
    )
