"""Writes the open functions of a repository in a session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.repository.fix import Fixing, Person
from sstar_code.agent.repository.task.checks import named_tests
from sstar_code.agent.repository.verify.candidate_sandbox import CandidateSandbox
from sstar_code.agent.repository.verify.runner import RepositoryRunner
from sstar_code.agent.repository.write_function import FunctionWriter
from sstar_code.agent.solving.context import SolveContext
from sstar_code.sandbox.memo import MemoSandbox

if TYPE_CHECKING:
    from sstar_code.agent.jobs.session import Session
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.repository.find.stubs import Stub
    from sstar_code.agent.repository.write_function import WriteResult
    from sstar_code.agent.solving.settings import Settings


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
        RepositoryRunner(root, python, session.programs, workers=session.programs.workers) as runner,
    ):
        sandbox = CandidateSandbox(runner, fallback=session.programs)
        context = SolveContext(session.model, MemoSandbox(sandbox, session.store), prompts, settings)
        settle = None if answer is None else Person(answer).settle
        fixing = Fixing(
            FunctionWriter(runner, sandbox, context, named_tests(tests, root), settle, session.say)
        )
        return await fixing.fix(stubs), fixing
