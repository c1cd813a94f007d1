"""Writes the open functions of a repository in a session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.repository.fix import Fixing, Person
from sstar_code.agent.repository.task.checks import named_tests
from sstar_code.agent.repository.verify.candidate_sandbox import CandidateSandbox, NotingSandbox
from sstar_code.agent.repository.verify.runner import RepositoryRunner
from sstar_code.agent.repository.write_function import FunctionWriter
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.strategies.table import keep_ways
from sstar_code.sandbox.memo import MemoSandbox

if TYPE_CHECKING:
    from sstar_code.agent.jobs.session import Session
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.repository.find.stubs import Stub
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
    answer: Callable[[str], str] | None,
) -> tuple[list[WriteResult], Fixing]:
    """Work on `stubs`; what became of each, and the files as they would be.

    `answer` puts a question to the user where candidates still differ; None: nobody is asked.

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
            session.model, remembering, prompts, settings, names_environment=False, failures=failures
        )
        settle = None if answer is None else Person(answer).settle
        fixing = Fixing(
            FunctionWriter(runner, sandbox, context, named_tests(tests, root), settle, session.say)
        )
        results = await fixing.fix(stubs)
        if failures and fixing.failure is None:
            fixing.failure = failures[0]
        return results, fixing
