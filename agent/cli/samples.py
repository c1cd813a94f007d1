"""Samples of any tool matched to the problems that were chosen."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.problems import Problem, Sample
    from sstar_code.problems.sets.load import ProblemSet

_NUMBER = re.compile(r"[-_.]\d+$")


@dataclass(frozen=True, slots=True)
class Matched:
    """A sample of a problem that was chosen."""

    problem: Problem
    number: int
    """Counts the samples of its problem in the order given, from 0."""
    code: str
    sources: tuple[str, ...] = ()
    file: str = ""
    """Where a program has a file of its own."""


def digest(*paths: Path) -> str:
    """Content hash of files and of folders of programs, 16 hex characters.

    Raises:
        UserError: one cannot be read.
    """
    from sstar_code.problems.samples import list_programs

    found = hashlib.sha256()
    for path in paths:
        try:
            if path.is_dir():
                for file in list_programs(path):
                    found.update(f"{file.relative_to(path)}\0{file.stat().st_size}\0".encode())
                    found.update(file.read_bytes())
            else:
                found.update(path.read_bytes())
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    return found.hexdigest()[:16]


def match_samples(paths: Sequence[Path], whole: ProblemSet, chosen: Sequence[Problem]) -> list[Matched]:
    """The samples of `iterate_matches`, all at once."""
    return list(iterate_matches(paths, whole, chosen))


def iterate_matches(paths: Sequence[Path], whole: ProblemSet, chosen: Sequence[Problem]) -> Iterator[Matched]:
    """Every sample of `paths` whose problem was chosen, in order, read as they are asked for.

    Of several paths the name of each is the source of its samples that name none. A folder holds a folder or
    a file for each problem, named like the problem (`_` for `/`); for one problem it may hold its programs.

    Raises:
        UserError: a sample names a problem that the set does not have, or none is left.
    """
    from sstar_code.problems.samples import iterate_samples, resolve

    known = _names(whole)
    wanted = {problem.id: problem for problem in chosen}
    numbers: Counter[str] = Counter()
    for path in paths:
        for sample in iterate_samples(path):
            name = _find(sample, path, known, whole, chosen)
            if name in wanted:
                sources = sample.sources or ((_stem(path),) if len(paths) > 1 else ())
                code = resolve(sample, wanted[name])
                yield Matched(wanted[name], numbers[name], code, sources, sample.file)
                numbers[name] += 1
    if not numbers:
        shown = ", ".join(map(str, paths))
        raise UserError(f"{shown}: no sample for any of the chosen problems")


def _names(whole: ProblemSet) -> dict[str, str]:
    """What samples may call a problem -> its id."""
    known = {problem.id: problem.id for problem in whole.problems}
    for name in list(known):
        known.setdefault(name.replace("/", "_"), name)  # evalplus names folders so
        known.setdefault(name.rpartition("/")[2], name)  # `2` for `Mbpp/2`, as some tools write
    return known


def _find(
    sample: Sample, path: Path, known: dict[str, str], whole: ProblemSet, chosen: Sequence[Problem]
) -> str:
    """The id of the sample's problem."""
    names = [sample.problem_id]
    if sample.file:
        folder, _, stem = sample.problem_id.rpartition("/")
        names = [folder, folder.rpartition("/")[2]] if folder else []
        names += [sample.problem_id, stem, _NUMBER.sub("", stem)]
    for name in names:
        if name in known:
            return known[name]
    if sample.file and len(chosen) == 1:
        return chosen[0].id
    where = f"{path}/{sample.file}" if sample.file else str(path)
    hint = "; name its folder like the problem, or choose one problem with --filter" if sample.file else ""
    raise UserError(f"{where}: no problem {names[0]!r} in {whole.name}:{whole.path}{hint}")


def _stem(path: Path) -> str:
    return path.name.partition(".")[0] or path.name
