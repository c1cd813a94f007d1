"""How problems share a budget: evenly, and what one leaves goes to those that want more.

A run works in passes. In the first each problem may spend half of an even share. Then the tokens that are
left are shared evenly among the problems that spent all they had, and these are gone on with, until the rest
is not worth a pass. A problem that ended by itself keeps what it has. As what is answered stays answered, a
pass asks nothing that an earlier one has asked. An eighth of the budget is kept for the choice among the
candidates, which is made in a last pass of its own: the problems where there is a choice share what is left.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from sstar_code.agent.run.bounds import read_own_json
from sstar_code.agent.run.files import write_json
from sstar_code.agent.run.folder import check_kinds
from sstar_code.agent.run.store import Store
from sstar_code.problems import ProblemFileError, UserError

_FILE = "shares.json"
_MOST_PASSES = 6
_WORTH = 0.02
"""Part of the budget that has to be left for another pass."""
_QUESTION = 1.5
"""Tokens that a problem needs for the choice at least, in calls."""
_FOR_CHOOSING = 8
"""One token in so many."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What each problem may have spent when the pass is over."""

    total: int
    kept: int
    """Tokens of `total` that are kept for the choice."""
    caps: Mapping[str, int]
    number: int = 1
    """The pass."""
    reopened: tuple[str, ...] = ()
    """Problems to be opened again before the pass begins."""
    is_choosing: bool = False
    """Whether it is the last pass."""
    choosing: Mapping[str, int] = field(default_factory=dict)
    """What each problem may have spent before a question of the choice."""
    is_done: bool = False


def first_shares(total: int, problem_ids: Sequence[str], *, keeps: bool = True) -> Shares:
    """Half of an even share each, so that nobody can spend more than its share before all have begun."""
    kept = total // _FOR_CHOOSING if keeps else 0
    return Shares(total, kept, dict.fromkeys(problem_ids, max(1, (total - kept) // (2 * len(problem_ids)))))


def next_shares(shares: Shares, spent: Mapping[str, int], call: float, several: Collection[str]) -> Shares:
    """The shares of the next pass, or the same as done.

    Args:
        shares: those of the pass that has ended.
        spent: tokens by problem; a problem that is not in it spent nothing.
        call: mean tokens of a call. A problem goes over its cap by half a call on average, so its cap is that
            much below what it is to spend.
        several: problems with several candidates to choose among.
    """
    if shares.is_choosing:
        return replace(shares, is_done=True)
    used = {one: spent.get(one, 0) for one in shares.caps}
    wanting = [one for one, cap in shares.caps.items() if used[one] >= cap]
    left = shares.total - shares.kept - sum(used.values())
    if shares.number < _MOST_PASSES and left >= _WORTH * shares.total:
        level = _find_level([used[one] for one in wanting], left) - call / 2
        again = tuple(one for one in wanting if used[one] < level)
        if again:
            caps = {**shares.caps, **dict.fromkeys(again, int(level) + 1)}
            return replace(shares, caps=caps, number=shares.number + 1, reopened=again)
    rest, choosing = shares.total - sum(used.values()), dict(used)
    asking = [one for one in shares.caps if one in several]
    most = int(rest / max(1.0, _QUESTION * call)) if shares.kept else 0
    if most > 0 and asking:  # fewer problems, rather than less than a question for each
        asking = asking[:: math.ceil(len(asking) / most)]
        each = int(rest / len(asking) - call / 2)
        choosing |= {one: used[one] + each for one in asking}
    return replace(
        shares, number=shares.number + 1, reopened=tuple(shares.caps), is_choosing=True, choosing=choosing
    )


def _find_level(used: list[int], left: int) -> float:
    """The level up to which `left` fills those who `used` so much, the lowest first."""
    level = 0.0
    filled = 0
    for count, amount in enumerate(sorted(used), start=1):
        filled += amount
        level = (left + filled) / count
        if count < len(used) and level <= sorted(used)[count]:
            break
    return level


def read_shares(folder: Path, first: Shares) -> Shares:
    """Those of the run in `folder` as it stands, `first` where it has none.

    What a kill left undone of a pass's beginning is done.

    Raises:
        UserError: the file is none of ours, or for another budget.
        InfrastructureError: the folder cannot be written.
    """
    path = folder / _FILE
    if not path.exists():
        _write(folder, first)
        return first
    try:
        data = read_own_json(path)
        check_kinds(data, _KINDS)
        shares = Shares(**{**data, "reopened": tuple(data["reopened"])})
    except (ProblemFileError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(f"{path}: not written by sstar; use another --out") from error
    if (shares.total, shares.kept, set(shares.caps)) != (first.total, first.kept, set(first.caps)):
        raise UserError(f"{path}: shares of another budget or set; use another --out")
    return _reopen(folder, shares)


_KINDS = {
    "total": int,
    "kept": int,
    "caps": {"": int},
    "number": int,
    "reopened": [str],
    "is_choosing": bool,
    "choosing": {"": int},
    "is_done": bool,
}


def is_finished(folder: Path) -> bool:
    """Whether the run in `folder` has spent what it may, as far as its file says, which may be anybody's."""
    try:
        data = read_own_json(folder / _FILE)
    except (ProblemFileError, ValueError, RecursionError):
        return False
    return isinstance(data, dict) and data.get("is_done") is True and (folder / "run.db").is_file()


def share_on(folder: Path, shares: Shares) -> Shares:
    """The shares after a pass over the run in `folder`, with the problems opened again that go on.

    Raises:
        InfrastructureError: the folder cannot be written.
    """
    with closing(Store(folder / "run.db")) as store:
        spent: dict[str, int] = {}
        calls = 0
        for problem_id, _, answer in store.answers():
            calls += 1
            tokens = (answer.usage.prompt or 0) + (answer.usage.output or 0)
            spent[problem_id] = spent.get(problem_id, 0) + tokens
        several = {one for one, outcome in store.read_outcomes().items() if len(outcome.tier) > 1}
    following = next_shares(shares, spent, sum(spent.values()) / max(1, calls), several)
    _write(folder, following)
    return _reopen(folder, following)


def _reopen(folder: Path, shares: Shares) -> Shares:
    """Open again what is to be; the file says so until it is done, and doing it twice does no harm.

    How many samples a problem gets is decided anew, but not for the choice, which is among the same ones.
    """
    if not shares.reopened or shares.is_done:
        return shares
    with closing(Store(folder / "run.db")) as store:
        store.reopen(shares.reopened, steps=not shares.is_choosing)
    shares = replace(shares, reopened=())
    _write(folder, shares)
    return shares


def _write(folder: Path, shares: Shares) -> None:
    write_json(folder / _FILE, asdict(shares))
