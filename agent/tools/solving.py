"""The tool `solve_function`: from a statement, or for a function of a file in the repository."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import anyio
from anyio import to_thread
from mcp.server.mcpserver import Context  # noqa: TC002 - the SDK reads annotations at run time
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from sstar_code.agent.serving.errors import RefusedError
from sstar_code.agent.serving.solver import Tally
from sstar_code.agent.serving.task import read_task
from sstar_code.agent.serving.technique import Wish, read_wish
from sstar_code.agent.tools.jobs import Made
from sstar_code.agent.tools.repository import FunctionToWrite, write_function
from sstar_code.problems import SstarError

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from sstar_code.agent.serving.solver import Solver
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.tools.jobs import Job, Jobs
    from sstar_code.agent.tools.repository import Repository

    Work = Callable[[Job], Awaitable[Made]]

_WAIT_S = 25.0
"""Seconds after which a call gives a handle: clients give up on a call after 60."""


@dataclass(frozen=True)  # without slots: pydantic takes those for default values
class Answer:
    """A program, or the handle of the work that goes on."""

    state: Literal["done", "failed", "running"]
    job: str
    program: str
    diff: str
    """The change of a file in the repository; empty for a statement."""
    why: str
    confidence: float | None
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Solving:
    """What `solve_function` works with."""

    solver: Solver
    settings: Settings
    """Where a call does not say."""
    jobs: Jobs
    repository: Repository | None = None
    """Where functions of files are written; None: nowhere."""

    def prepare(self, statement: str, function: str | None, tests: list[Any] | None, n: int | None) -> Work:
        """The work on a statement, checked before anything is paid for.

        Raises:
            ToolError: statement or tests cannot be used.
        """
        wish = self._read_wish(n=n, entry_point=function, tests=tests)
        try:
            task = read_task(statement, wish, id="tool", explicit=True)
        except RefusedError as error:
            raise as_tool_error(error) from error
        if task is None:
            raise ToolError("give a statement, a file and a function, or the job of an earlier call")

        async def work(job: Job) -> Made:
            with self.solver.gate.solve():
                solved = await self.solver.solve(task, wish, Tally(), job.lines.append)
            return Made(solved.program, solved.why, solved.report["confidence"], solved.report)

        return work

    async def prepare_file(
        self, file: str, function: str | None, tests: list[Any] | None, n: int | None, *, write: bool
    ) -> Work:
        """The work on a function of a file, likewise.

        Raises:
            ToolError: there is no repository or no such function, or tests are no names.
        """
        wish, names = self._read_wish(n=n), tests or []
        if self.repository is None:
            raise ToolError("this server works in no repository: `sstar mcp --repository DIR` names one")
        if not function:
            raise ToolError("name the function of that file: f, or Class.f")
        if not all(isinstance(name, str) for name in names):
            raise ToolError("with a file, tests are names for pytest, like tests/test_a.py::test_f")
        try:
            stub = await to_thread.run_sync(self.repository.find, file, function)
        except SstarError as error:
            raise ToolError(str(error)) from error
        asked = FunctionToWrite(self.repository, stub, wish, tuple(names), write)

        async def work(job: Job) -> Made:
            return await write_function(self.solver, asked, job)

        return work

    def _read_wish(self, **wish: Any) -> Wish:
        try:
            given = {name: value for name, value in wish.items() if value is not None}
            return read_wish(given, None, None, self.settings)
        except RefusedError as error:
            raise as_tool_error(error) from error


def as_tool_error(error: RefusedError) -> ToolError:
    """What a client of tools is told of a request that is not served."""
    return ToolError(str(error).replace("`sstar.", "`"))


def add_solving(server: MCPServer, solving: Solving) -> None:
    """Give `server` the tool."""

    @server.tool(structured_output=True)
    async def solve_function(  # noqa: PLR0917 - the SDK calls it by names
        ctx: Context,
        statement: Annotated[str, Field(description="the task, best with signature and examples")] = "",
        file: Annotated[
            str, Field(description="instead: a file of the repository; the result is a diff")
        ] = "",
        function: Annotated[str | None, Field(description="f or Class.f; a file needs it")] = None,
        tests: Annotated[
            list[Any] | None, Field(description='{"input", "output"} or assertions; with file: pytest names')
        ] = None,
        write: Annotated[bool, Field(description="also change the file")] = False,
        n: Annotated[int | None, Field(ge=1, le=64, description="candidates")] = None,
        job: Annotated[str, Field(description="of an answer `running`: wait on")] = "",
    ) -> Answer:
        """Write a Python function: many candidates, run, repaired, chosen by behaviour."""
        if job:
            found = solving.jobs.find(job)
            if found is None:
                raise ToolError(f"there is no job {job[:40]!r}")
        elif file:
            if statement:
                raise ToolError(
                    "give a statement or a file, not both: the file's docstring says what is wanted"
                )
            work = await solving.prepare_file(file, function, tests, n, write=write)
            found = solving.jobs.begin(work, RefusedError)
        else:
            if write:
                raise ToolError("`write` changes a file: give `file` and `function`")
            found = solving.jobs.begin(solving.prepare(statement, function, tests, n), RefusedError)
        try:
            await _follow(found, ctx)
        except anyio.get_cancelled_exc_class():
            found.scope.cancel()  # a client that takes its call back wants no more of it
            raise
        return _tell(found)


async def _follow(job: Job, ctx: Context) -> None:
    """Wait for the end of `job`, for some seconds, and tell the client what happens."""
    told = 0
    with anyio.move_on_after(_WAIT_S):
        while not job.ended.is_set():
            with anyio.move_on_after(1.0):
                await job.ended.wait()
            if len(job.lines) > told:
                told = len(job.lines)
                await ctx.report_progress(told, None, job.lines[-1])


def _tell(job: Job) -> Answer:
    if not job.ended.is_set():
        why = "still at work: call again with this job"
        return Answer("running", job.handle, "", "", why, None, {"lines": job.lines[-5:]})
    if job.made is None:
        return Answer("failed", job.handle, "", "", job.failure, None, {})
    made = job.made
    return Answer("done", job.handle, made.program, made.diff, made.why, made.confidence, made.report)
