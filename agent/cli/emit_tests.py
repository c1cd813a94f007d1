"""`--emit-tests`: confirmed inputs as pytest files, checked before anything is run or asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.cli.build import say
from sstar_code.problems import UserError
from sstar_code.problems.calls import PLAIN_CALL

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.selection import Selection

_TARGET = "solution.py"


@dataclass(frozen=True, slots=True)
class Emission:
    """Where the tests of each problem go."""

    files: dict[str, tuple[Path, str]]
    """Problem id -> the test file, and the program under test, relative to it."""
    overwrite: bool

    def write(self, chosen: Iterable[tuple[Problem, Selection]]) -> None:
        """Write the tests of all problems, and say how many and for which program.

        Raises:
            UserError: a file cannot be written.
        """
        from sstar_code.selection.pytest_export import write_tests

        for problem, selection in chosen:
            path, target = self.files[problem.id]
            if replace(problem.call, either=False) != PLAIN_CALL:
                say(f"sstar: {problem.id}: a test file cannot say how it is called, so no test is written")
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            count = write_tests(problem, selection.derived, path, target=target, overwrite=self.overwrite)
            if count:
                what = f"{count} test{'s' * (count > 1)}"
                say(f"sstar: {what} in {path}, for the program in {path.parent / target}")
            else:
                say(f"sstar: {problem.id}: no input was confirmed, so no test is written")


def plan_emission(place: Path | None, problems: Sequence[Problem], *, overwrite: bool) -> Emission | None:
    """Where the tests of `problems` go: to the file `place`, those of several to files in that folder.

    None where `place` is.

    Raises:
        UserError: a file is there already and `overwrite` is not set, or `place` is of the wrong kind.
    """
    if place is None:
        return None
    from sstar_code.selection.pytest_export import name_of

    if len(problems) == 1 and not place.is_dir():
        if place.suffix != ".py":
            raise UserError(f"--emit-tests {place}: pytest wants a file like tests/test_{place.stem}.py")
        files = {problems[0].id: (place, _TARGET)}
    else:
        if place.suffix == ".py" or place.is_file():
            raise UserError(f"--emit-tests {place}: of {len(problems)} problems; give a folder")
        names = {problem.id: name_of(problem.id) for problem in problems}
        files = {one: (place / f"test_{name}.py", f"{name}.py") for one, name in names.items()}
        if len(set(names.values())) < len(names):
            raise UserError("--emit-tests: ids differ in signs alone; choose fewer problems (--filter)")
    for path, _ in files.values():
        if path.exists() and not overwrite:
            raise UserError(f"{path} is there already; name another place, or say --overwrite")
    return Emission(files, overwrite)
