"""Two runs on the problems that both were asked, paired problem by problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sstar_code.agent.run.statistics import Difference, Rate, paired_bootstrap, sign_test, wilson
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.report.data.run import Run


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
    """p of the sign test; None where a problem's rate is not 0 or 1."""


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
    return {"selected@1": scores.get(run.select, 0.0), **scores}


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
