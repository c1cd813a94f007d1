"""Writes a function of a file in the one repository that a server works in, as `sstar fix` does."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.jobs.fix_functions import (
    find_stubs_to_write,
    fix_run,
    list_changes,
    make_diff_of_all,
    settle_number,
)
from sstar_code.agent.prompts.templates import FOR_REPOSITORY, Prompts
from sstar_code.agent.repository.find.project_files import find_root, is_repository, read_targets
from sstar_code.agent.repository.verify.interpreter import find_python
from sstar_code.agent.repository.write.changes import write_changes
from sstar_code.agent.serving.errors import RefusedError
from sstar_code.agent.serving.solver import Tally
from sstar_code.agent.tools.jobs import Made
from sstar_code.problems import UserError
from sstar_code.problems.errors import shorten

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.stubs import Stub
    from sstar_code.agent.serving.solver import Solver
    from sstar_code.agent.serving.technique import Wish
    from sstar_code.agent.tools.jobs import Job


_LONGEST_PATH = 1000
"""Characters: a longer one is no file's, and systems refuse it in words of their own."""


@dataclass(frozen=True, slots=True)
class Repository:
    """Where functions are written, and the interpreter that runs its code."""

    root: Path
    python: str | None = None
    """None: the one that `sstar fix` would take."""

    def find(self, file: str, function: str) -> Stub:
        """The function of that qualified name in `file`, a path below the root or a whole one.

        Raises:
            UserError: the file lies elsewhere, cannot be read, or has no such function.
        """
        path = Path(os.path.abspath(self.root / file))  # noqa: PTH100 - a link is looked at below, not followed
        shown = shorten(file, 200)
        if not path.is_relative_to(self.root):
            raise UserError(f"file {shown!r} is not in the repository {self.root}")
        if len(file) > _LONGEST_PATH or not path.is_file() or "::" in file:
            raise UserError(f"file {shown!r}: there is none in {self.root}; give a Python file")
        stubs, unread = find_stubs_to_write(read_targets([f"{path}::{function}"]))
        if unread:
            raise UserError(f"file {shown!r}, line {unread[0].line}: {unread[0].message}")
        return stubs[0]


def open_repository(folder: Path, python: str | None = None) -> Repository | None:
    """The repository that `folder` is in; None where it is in none."""
    root = find_root(Path(os.path.abspath(folder)))  # noqa: PTH100 - as `sstar fix` names files
    return Repository(root, python) if is_repository(root) else None


@dataclass(frozen=True, slots=True)
class FunctionToWrite:
    """One function, and how it is to be written."""

    repository: Repository
    stub: Stub
    wish: Wish
    tests: Sequence[str] = ()
    """Names of tests for pytest; empty: those that reach the function."""
    write: bool = False
    """Change the file, too."""


async def write_function(solver: Solver, asked: FunctionToWrite, job: Job) -> Made:
    """Write the function; the file is left as it is unless `asked.write`.

    Raises:
        RefusedError: nothing that passes its tests came of it, or the file was changed meanwhile.
    """
    from anyio import to_thread

    started_s, tally, root = time.monotonic(), Tally(), find_root(asked.stub.source.path)

    def say(line: str) -> None:
        job.lines.append(line.removeprefix("sstar: "))

    with solver.gate.solve(), solver.within_limits(asked.wish):
        python = await to_thread.run_sync(find_python, root, asked.repository.python, say)
        results, fixing = await fix_run(
            solver.open(asked.wish, tally, say),
            root,
            [asked.stub],
            settle_number(asked.wish.settings),
            Prompts(FOR_REPOSITORY),
            python=python,
            tests=asked.tests,
            answer=None,
        )
        if fixing.failure is not None:
            raise solver.explain(fixing.failure)
        (result,) = results
        if not result.code:
            raise RefusedError(422, result.finding.message, code="not_written")
        changes = list_changes([asked.stub], fixing.sources)
        if asked.write:
            for before, after in changes:
                await to_thread.run_sync(write_changes, before, after, root)
    report = {
        "file": result.finding.path,
        "function": asked.stub.qualname,
        "written": asked.write,
        "calls": tally.calls,
        "tokens": tally.tokens,
        "seconds": round(time.monotonic() - started_s, 3),
    }
    diff = make_diff_of_all(changes, root).decode("utf-8", "replace")
    why = "\n".join(result.why) or result.finding.message
    return Made(result.code, why, result.confidence, report, diff)
