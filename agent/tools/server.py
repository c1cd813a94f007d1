"""The four tools of `sstar mcp`, over the protocol's own SDK. Descriptions are short: each costs context."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context  # noqa: TC002 - the SDK reads annotations at run time
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from sstar_code.agent.api import aselect
from sstar_code.agent.serving.errors import RefusedError
from sstar_code.agent.serving.solver import Solved, Solver, Tally
from sstar_code.agent.serving.task import read_task
from sstar_code.agent.serving.technique import read_wish
from sstar_code.agent.tools.behaviour import (
    MOST_PROGRAMS,
    Difference,
    Run,
    distinguish,
    make_inputs,
    make_problem,
    run_programs,
)
from sstar_code.problems import Problem, SstarError, Test
from sstar_code.sandbox.outcome import SharedSandbox

if TYPE_CHECKING:
    from sstar_code.agent.models import Model
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.tools.jobs import Job, Jobs
    from sstar_code.sandbox import Sandbox

T = TypeVar("T")
_WAIT_S = 25.0
"""Seconds after which a call gives a handle: clients give up on a call after 60."""

Code = Annotated[str, Field(description="Python source")]
Function = Annotated[str | None, Field(description="function to call; without it programs read stdin")]
Inputs = Annotated[list[Any], Field(description="stdin texts, or lists of arguments")]
Tests = Annotated[
    list[Any], Field(description='{"input": text or arguments, "output": ...}, or assertions as text')
]


@dataclass(frozen=True)  # without slots: pydantic takes those for default values
class Choice:
    """Which candidate was chosen, and why."""

    chosen: int
    """Place among the candidates."""
    why: str
    confidence: float | None
    clusters: list[list[int]]
    """Candidates that behave alike."""
    telling_input: str
    """An input on which clusters differ; empty where none was found."""
    outputs: dict[str, str]
    """Cluster -> what it does there."""


@dataclass(frozen=True)  # without slots: pydantic takes those for default values
class Answer:
    """A program, or the handle of the work that goes on."""

    state: str
    """`done`, `failed` or `running`."""
    job: str
    program: str
    why: str
    confidence: float | None
    report: dict[str, Any]


def make_server(
    sandbox: Sandbox,
    *,
    model: Model | None = None,
    solver: Solver | None = None,
    settings: Settings | None = None,
    jobs: Jobs | None = None,
) -> MCPServer:
    """The server with its tools; without a `solver` there is no `solve_function`.

    Args:
        sandbox: open already.
        model: asked by `choose` where behaviour leaves it open; None: never.
        solver: solves what `solve_function` is given.
        settings: of `solve_function`, where a call does not say.
        jobs: where long work goes on.
    """
    server = MCPServer(
        "sstar",
        instructions="Compare, choose and write Python by running it in a sandbox. Evidence, not opinion.",
        log_level="ERROR",
    )

    @server.tool(name="distinguish", structured_output=True)
    async def distinguish_tool(
        first: Code, second: Code, function: Function = None, inputs: Inputs | None = None
    ) -> Difference:
        """Smallest input on which two programs differ, and what each does there."""
        return await _plainly(
            distinguish(first, second, make_inputs_plainly(inputs or [], function), function, sandbox)
        )

    @server.tool(structured_output=True)
    async def choose(
        candidates: list[str],
        function: Function = None,
        tests: Tests | None = None,
        statement: Annotated[str, Field(description="what the programs should do")] = "",
    ) -> Choice:
        """Which candidate to keep, by tests and by what each does on inputs that tell them apart."""
        if not 1 <= len(candidates) <= MOST_PROGRAMS:
            raise ToolError(f"{len(candidates)} candidates; from 1 to {MOST_PROGRAMS} are taken")
        problem = make_problem(candidates, function, _read_tests(tests), statement)
        return await _plainly(_choose(candidates, problem, sandbox, model))

    @server.tool(structured_output=True)
    async def run_tests(
        programs: list[str],
        inputs: Inputs,
        function: Function = None,
        seconds: Annotated[float, Field(gt=0, le=10, description="CPU seconds a run")] = 4.0,
    ) -> list[Run]:
        """What each program does on each input, isolated."""
        texts = make_inputs_plainly(inputs, function)
        return await _plainly(run_programs(programs, texts, function, sandbox, seconds=seconds))

    if solver is not None and settings is not None and jobs is not None:
        _add_solving(server, solver, settings, jobs)
    return server


def _add_solving(server: MCPServer, solver: Solver, settings: Settings, jobs: Jobs) -> None:
    @server.tool(structured_output=True)
    async def solve_function(  # noqa: PLR0917 - the SDK calls it by names
        ctx: Context,
        statement: Annotated[str, Field(description="the task, best with signature and examples")] = "",
        function: Annotated[str | None, Field(description="name, if the statement has none")] = None,
        tests: Tests | None = None,
        n: Annotated[int | None, Field(ge=1, le=64, description="candidates")] = None,
        job: Annotated[str, Field(description="handle of an earlier call: go on waiting")] = "",
    ) -> Answer:
        """Write a Python function or program: many candidates, run, repaired, chosen by behaviour."""
        if job:
            found = jobs.find(job)
            if found is None:
                raise ToolError(f"there is no job {job[:40]!r}")
        else:
            wish = {"n": n, "entry_point": function, "tests": tests}
            found = jobs.begin(_prepare(solver, settings, statement, wish=wish), RefusedError)
        try:
            await _follow(found, ctx)
        except anyio.get_cancelled_exc_class():
            found.scope.cancel()  # a client that takes its call back wants no more of it
            raise
        return _tell(found)


def _prepare(
    solver: Solver, settings: Settings, statement: str, *, wish: Mapping[str, Any]
) -> Callable[[Job], Awaitable[Solved]]:
    """The work of a call, checked before anything is paid for; `wish` are fields of `sstar`.

    Raises:
        ToolError: statement or tests cannot be used.
    """
    try:
        asked = read_wish(
            {name: value for name, value in wish.items() if value is not None}, None, None, settings
        )
        task = read_task(statement, asked, id="tool", explicit=True)
    except RefusedError as error:
        raise ToolError(str(error).replace("`sstar.", "`")) from error
    if task is None:
        raise ToolError("give a statement, or the job of an earlier call")

    async def work(job: Job) -> Solved:
        return await solver.solve(task, asked, Tally(), job.lines.append)

    return work


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
        return Answer("running", job.handle, "", why, None, {"lines": job.lines[-5:]})
    if job.solved is None:
        return Answer("failed", job.handle, "", job.failure, None, {})
    solved = job.solved
    return Answer("done", job.handle, solved.program, solved.why, solved.report["confidence"], solved.report)


async def _choose(candidates: list[str], problem: Problem, sandbox: Sandbox, model: Model | None) -> Choice:
    found = await aselect(problem, candidates, model=model, sandbox=SharedSandbox(sandbox))
    if found.chosen is None:
        raise ToolError("no candidate holds a program")
    telling = found.distinguishing[0] if found.distinguishing else None
    own = next((len(cluster) for cluster in found.clusters if found.chosen in cluster), 1)
    compared = sum(map(len, found.clusters))
    why = f"{own} of {compared} behave like it" if compared > 1 else "it alone passes most tests"
    return Choice(
        found.chosen,
        why,
        found.confidence,
        [list(cluster) for cluster in found.clusters],
        "" if telling is None else telling.input,
        {} if telling is None else dict(telling.outputs),
    )


def _read_tests(rows: list[Any] | None) -> tuple[Test, ...]:
    """The tests of a call.

    Raises:
        ToolError: they are none.
    """
    from sstar_code.agent.solving.settings import Settings

    try:
        return read_wish({} if rows is None else {"tests": rows}, None, None, Settings()).tests or ()
    except RefusedError as error:
        raise ToolError(str(error).replace("`sstar.", "`")) from error


def make_inputs_plainly(items: list[Any], function: str | None) -> list[str]:
    """As `make_inputs`, with the SDK's error."""
    try:
        return make_inputs(items, function)
    except SstarError as error:
        raise ToolError(str(error)) from error


async def _plainly(work: Awaitable[T]) -> T:
    """The result of `work`, or its error as the SDK tells it to a client."""
    try:
        return await work
    except (SstarError, RefusedError) as error:
        raise ToolError(str(error)) from error
