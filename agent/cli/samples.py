"""Samples of any tool matched to the problems that were chosen."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from problems import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from problems import Problem
    from problems.sets import ProblemSet

__all__ = ["digest", "match_samples"]


def digest(path: Path) -> str:
    """Content hash of a file, 16 hex characters."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def match_samples(path: Path, whole: ProblemSet, chosen: list[Problem]) -> list[tuple[Problem, int, str]]:
    """(problem, sample number, program) of every sample whose problem was chosen, in file order.

    Raises:
        UserError: a sample names a problem that the set does not have, or none is left.
    """
    from problems.samples import read_samples, resolve

    known = {problem.id: problem.id for problem in whole.problems}
    for name in list(known):
        known.setdefault(name.rpartition("/")[2], name)  # `2` for `Mbpp/2`, as some tools write
    wanted = {problem.id: problem for problem in chosen}
    numbers: Counter[str] = Counter()
    work: list[tuple[Problem, int, str]] = []
    for sample in read_samples(path):
        if sample.problem_id not in known:
            raise UserError(f"{path}: no problem {sample.problem_id!r} in {whole.name}:{whole.path}")
        if (name := known[sample.problem_id]) in wanted:
            problem = wanted[name]
            work.append((problem, numbers[problem.id], resolve(sample, problem)))
            numbers[problem.id] += 1
    if not work:
        raise UserError(f"{path}: no sample for any of the chosen problems")
    return work
