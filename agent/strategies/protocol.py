"""What a strategy is: it turns a problem, and what may be spent on it, into candidates with their rounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from sstar_code.agent.generation.lineage import Lineage

if TYPE_CHECKING:
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Problem

OnSample: TypeAlias = Callable[[Lineage], None]
"""Gets each sample once, when it has ended."""


class Strategy(Protocol):
    """Makes the candidates of a problem. A strategy is a frozen dataclass whose fields are its settings.

    All strategies read `--n` and `--rounds` alike: the first wave has `n` programs, and there are at most
    `rounds` steps that rest on what programs did. Four rules hold for each:

    * The samples are numbered from 0 without a gap, and round 0 of each is a first sample: pass@1 counts
      those. One program stands for a sample, that of its best round. A sample that passes has ended.
    * Every request has a purpose of its own, and both are a function of the answers so far alone. Whatever
      rests on several answers is decided when all of them are there, never by which came first. So a run that
      was killed is resumed by running it again over the stored answers.
    * A random choice is seeded with the settings' seed and the problem.
    * Hidden tests are not looked at.
    """

    async def __call__(
        self, problem: Problem, context: SolveContext, on_sample: OnSample
    ) -> tuple[Lineage, ...]:
        """The samples of `problem` in order of their numbers.

        The model of `context` keeps the answers and holds the budget: a call that may not be made, like any
        that fails for good, is a round without a program.

        Raises:
            ModelError: the endpoint is down.
            SandboxError: the sandbox is.
            BudgetSpentError: nothing is left to spend.
            UserError: a prompt template fails.
        """
        ...

    def most_calls(self, settings: Settings) -> int:
        """The most calls for one problem with public tests, for an estimate before anything is asked."""
        ...
