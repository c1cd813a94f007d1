"""The four tools of `sstar mcp`, over the protocol's own SDK. Descriptions are short: each costs context."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from sstar_code.agent.api import aselect
from sstar_code.agent.serving.errors import RefusedError
from sstar_code.agent.serving.solver import Tally
from sstar_code.agent.serving.technique import Wish, read_wish
from sstar_code.agent.tools.behaviour import (
    MOST_PROGRAMS,
    Difference,
    Run,
    distinguish,
    make_inputs,
    make_problem,
    run_programs,
)
from sstar_code.agent.tools.schemas import TerseServer
from sstar_code.agent.tools.solving import add_solving, as_tool_error
from sstar_code.problems import Problem, SstarError, Test
from sstar_code.sandbox.outcome import SharedSandbox

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from sstar_code.agent.models import Model
    from sstar_code.agent.tools.solving import Solving
    from sstar_code.sandbox import Sandbox
    from sstar_code.selection import Selection

T = TypeVar("T")

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


def make_server(sandbox: Sandbox, *, model: Model | None = None, solving: Solving | None = None) -> MCPServer:
    """The server with its tools.

    Args:
        sandbox: open already.
        model: asked by `choose` where behaviour leaves it open; None: never.
        solving: what `solve_function` works with; None: there is no such tool.
    """
    server = TerseServer(
        "sstar",
        version=version("sstar-code"),
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
        return await _plainly(_choose(candidates, problem, sandbox, model, solving))

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

    if solving is not None:
        add_solving(server, solving)
    return server


async def _choose(
    candidates: list[str], problem: Problem, sandbox: Sandbox, model: Model | None, solving: Solving | None
) -> Choice:
    shared = SharedSandbox(sandbox)
    if model is None or solving is None:
        found = await aselect(problem, candidates, model=model, sandbox=shared)
    else:
        found = await _choose_within_limits(candidates, problem, shared, solving)
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


async def _choose_within_limits(
    candidates: list[str], problem: Problem, sandbox: Sandbox, solving: Solving
) -> Selection:
    """The choice, whose calls count and are bounded as those of a task; when they are spent, by behaviour.

    Raises:
        RefusedError: there is no place, the tokens of the hour are spent, or the model is gone.
    """
    wish, solver = Wish(solving.settings), solving.solver
    with solver.gate.solve():
        try:
            with solver.within_limits(wish):
                metered = solver.meter(wish, Tally())
                return await aselect(problem, candidates, model=metered, sandbox=sandbox)
        except RefusedError as error:
            if error.code != "limit_reached":
                raise
        return await aselect(problem, candidates, sandbox=sandbox)


def _read_tests(rows: list[Any] | None) -> tuple[Test, ...]:
    """The tests of a call.

    Raises:
        ToolError: they are none.
    """
    from sstar_code.agent.solving.settings import Settings

    try:
        return read_wish({} if rows is None else {"tests": rows}, None, None, Settings()).tests or ()
    except RefusedError as error:
        raise as_tool_error(error) from error


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
