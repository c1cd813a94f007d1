"""The server of `sstar mcp` with a scripted model behind, and a plain way to call its tools."""

from __future__ import annotations

from sstar_code.agent.models import Answer
from sstar_code.agent.models.request import Usage
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.serving.limits import Gate, Limits
from sstar_code.agent.serving.solver import Solver
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.testing import ScriptedModel
from sstar_code.agent.tools import server as tools
from sstar_code.agent.tools.jobs import Jobs
from sstar_code.agent.tools.solving import Solving as Work

MEDIAN = "def median(values: list[int]) -> float:\n    s = sorted(values)\n    return s[len(s) // 2]\n"
BETTER = (
    "def median(values: list[int]) -> float:\n    s = sorted(values)\n    m = len(s) // 2\n"
    "    return s[m] if len(s) % 2 else (s[m - 1] + s[m]) / 2\n"
)


class RefusedError(Exception):
    """What a tool answered in place of a result."""


async def call(client, name, **arguments):
    """The structured result of a tool."""
    made = await client.call_tool(name, arguments)
    if made.is_error:
        raise RefusedError(made.content[0].text)
    return made.structured_content


class Solving:
    """A server with a scripted model, or with the one that is given."""

    def __init__(self, sandbox, group, answers, repository=None, *, limits=None):
        self.model = answers if hasattr(answers, "ask") else ScriptedModel(answers)
        self.gate = Gate(limits or Limits())
        solver = Solver(self.model, sandbox, Prompts(), self.gate)
        self.jobs = Jobs(group)
        work = Work(solver, Settings(n=2, rounds=0), self.jobs, repository)
        self.server = tools.make_server(sandbox, model=self.model, solving=work)


def answer(_request):
    """A program that is right."""
    return Answer(f"```python\n{BETTER}```", usage=Usage(prompt=3, output=4))
