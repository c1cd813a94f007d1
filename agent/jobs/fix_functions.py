"""Finds functions of a repository that are to be written, writes them in a session, shows what changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.repository.find.assess import find_open, group_by_root
from sstar_code.agent.repository.find.project_files import read_source
from sstar_code.agent.repository.find.stubs import find_function
from sstar_code.agent.repository.fix import Fixing, Person
from sstar_code.agent.repository.task.checks import named_tests
from sstar_code.agent.repository.verify.candidate_sandbox import CandidateSandbox, NotingSandbox
from sstar_code.agent.repository.verify.runner import RepositoryRunner
from sstar_code.agent.repository.write.changes import make_diff
from sstar_code.agent.repository.write_function import FunctionWriter
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.strategies.table import keep_ways
from sstar_code.problems import UserError
from sstar_code.sandbox.memo import MemoSandbox

if TYPE_CHECKING:
    from sstar_code.agent.jobs.session import Session
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.repository.find.project_files import Source
    from sstar_code.agent.repository.find.stubs import Stub
    from sstar_code.agent.repository.findings import Finding
    from sstar_code.agent.repository.write_function import WriteResult
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import SstarError


async def fix_run(
    opening: AbstractAsyncContextManager[Session],
    root: Path,
    stubs: Sequence[Stub],
    settings: Settings,
    prompts: Prompts,
    *,
    python: str,
    tests: Sequence[str],
    keeps_passing: bool = True,
    answer: Callable[[str], str] | None,
) -> tuple[list[WriteResult], Fixing]:
    """Work on `stubs`; what became of each, and the files as they would be.

    `tests` prove them; with `keeps_passing` others that pass now have to go on passing, where a function is
    not open. `answer` puts a question to the user where candidates still differ; None: nobody is asked.

    Raises:
        As `open_session`.
    """
    async with (
        opening as session,
        RepositoryRunner(
            root, python, session.programs, workers=session.programs.workers, say=session.say
        ) as runner,
    ):
        keep_ways(settings, session.store)
        sandbox = CandidateSandbox(runner, fallback=session.programs)
        remembering = NotingSandbox(MemoSandbox(sandbox, session.store), sandbox)
        failures: list[SstarError] = []
        context = SolveContext(
            session.model,
            remembering,
            prompts,
            settings,
            judges=session.judges,
            adapters=session.model.adapters,
            names_environment=False,
            failures=failures,
        )
        settle = None if answer is None else Person(answer).settle
        fixing = Fixing(
            FunctionWriter(
                runner, sandbox, context, named_tests(tests, root), keeps_passing, settle, session.say
            )
        )
        results = await fixing.fix(stubs)
        if failures and fixing.failure is None:
            fixing.failure = failures[0]
        return results, fixing


def settle_number(settings: Settings) -> Settings:
    """The settings with one number of samples: of a range its most, as ever.

    Raises:
        UserError: waves are asked for by name.
    """
    if settings.strategy_name != "waves":
        return settings
    if settings.strategy:
        raise UserError("--strategy waves: fix writes one function after another; give --n a number")
    return replace(settings, least=None)


def find_stubs_to_write(targets: Sequence[tuple[Path, str]]) -> tuple[list[Stub], list[Finding]]:
    """The functions to be written (those named, open or not, else every open one), and the files left unread.

    Raises:
        UserError: a file cannot be read, or has no function of the name, or the file of one does not parse.
    """
    unread: list[Finding] = []
    found: dict[str, Stub] = {}
    for root, files in group_by_root(targets).items():
        stubs, more = find_open(root, files)
        found |= {stub.label: stub for stub in stubs}
        unread += more
    are_open = {(stub.source.path, stub.qualname) for stub in found.values()}
    for path, qualname in targets:
        if qualname and (path, qualname) not in are_open:
            stub = find_function(read_source(path), qualname)
            found |= {stub.label: stub} if stub is not None else {}
    return list(found.values()), unread


def list_changes(stubs: Sequence[Stub], sources: dict[Path, Source]) -> list[tuple[Source, Source]]:
    """(before, after) of each file that changes."""
    before = {stub.source.path: stub.source for stub in stubs}
    return [(source, sources[path]) for path, source in before.items() if sources[path].text != source.text]


def make_diff_of_all(changes: Sequence[tuple[Source, Source]], root: Path) -> bytes:
    """The diff of every file, one after the other."""
    return b"".join(make_diff(before, after, root) for before, after in changes)
