"""What solving a problem needs, and selection's questions put to a model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from sstar_code.agent.calls.roles import JUDGES, role_of
from sstar_code.agent.generation.lineage import list_notes
from sstar_code.agent.generation.memory import Note, Shown, choose_notes
from sstar_code.agent.models import Purpose, Request, Stage
from sstar_code.agent.models.request import CallError
from sstar_code.problems import SstarError
from sstar_code.sandbox.languages.table import PYTHON, find_language
from sstar_code.selection import Question, Reply
from sstar_code.selection.judging.calibration import measure_judge
from sstar_code.selection.judging.prediction import measure_prediction
from sstar_code.selection.judging.question import list_words

if TYPE_CHECKING:
    from sstar_code.agent.allocation.plan import Allocation
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.models import Model
    from sstar_code.agent.models.adapters.loaded import Adapters
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.knowledge import Knowledge
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Problem
    from sstar_code.sandbox import Environment, Sandbox
    from sstar_code.selection import Ask
    from sstar_code.selection.judging.calibration import JudgeRecord
    from sstar_code.selection.judging.prediction import PredictionRecord

_STAGES = {
    Question.INPUTS: Stage.INPUTS,
    Question.DISTINGUISH: Stage.INPUTS,
    Question.TESTS: Stage.INPUTS,
    Question.JUDGE: Stage.JUDGE,
    Question.COMPARE: Stage.JUDGE,
    Question.AUDIT: Stage.INPUTS,
    Question.KIT: Stage.INPUTS,
    Question.REFERENCE: Stage.INPUTS,
    Question.CHOOSE: Stage.JUDGE,
    Question.EXPECT: Stage.JUDGE,
}


@dataclass(frozen=True, slots=True)
class Asking:
    """Implements `selection.Ask` over a model and the prompt templates."""

    model: Model
    prompts: Prompts
    seed: int
    max_tokens: int
    temperature: float = 0.0
    """Questions want the likeliest answer, not a varied one."""
    failures: list[SstarError] | None = None
    """Where given, an endpoint that fails or a spent budget ends the asking, not the choosing: the error is
    put here, this question and all later ones have no reply, and free evidence decides."""
    style: str = "cot"
    """As `Settings.style`."""

    async def __call__(
        self, question: Question, problem: Problem, ordinal: str, **values: Any
    ) -> Reply | None:
        """The reply, or None where this call failed for good.

        Raises:
            SstarError: the endpoint is down or nothing is left to spend, and there are no `failures` to fill.
        """
        if self.failures:
            return None
        purpose = Purpose(problem.id, _STAGES[question], ordinal=f"{question.value}/{ordinal}")
        role = role_of(purpose)
        request = Request(
            messages=self.prompts.render(question.value, problem=problem, style=self.style, **values),
            purpose=purpose,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            # answers are kept by what is asked: to another judge it has to be another question
            seed=self.seed + (1 + JUDGES.index(role) if role in JUDGES else 0),
            options=list_words(len(values["outputs"])) if question is Question.CHOOSE else (),
        )
        try:
            answer = await self.model.ask(request)
        except CallError:
            return None
        except SstarError as error:
            if self.failures is None:
                raise
            self.failures.append(error)
            return None
        return Reply(answer.text, (answer.usage.prompt or 0) + (answer.usage.output or 0), answer.likely)


SEVERAL = 8
"""Problems for which it pays to measure the judge in 40 calls; of fewer, each does it for itself."""


@dataclass(slots=True)
class SharedJudge:
    """The record of each judge behind `ask` on the public tests of `problems`, measured when first needed.

    The same whichever problem needs it first, so a run that was killed and started again judges alike.
    """

    problems: Sequence[Problem]
    ask: Ask
    _records: dict[int, JudgeRecord] = field(default_factory=dict)
    _predicted: PredictionRecord | None = None
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    def others(self, judges: int) -> tuple[Callable[[], Awaitable[JudgeRecord | None]], ...]:
        """`measure` of the second judge and each further one of so many."""
        return tuple(partial(self.measure, number) for number in range(2, judges + 1))

    async def measure_prediction(self) -> PredictionRecord | None:
        """The record of the outputs that the first judge's model works out unseen, likewise."""
        if len(self.problems) < SEVERAL:
            return None
        async with self._lock:
            if self._predicted is None:
                self._predicted = await measure_prediction(self.problems, self.ask)
        return self._predicted

    async def measure(self, judge: int = 1) -> JudgeRecord | None:
        """The record of judge number `judge`; None where there are too few problems to measure it on.

        Raises:
            ModelError: the endpoint is down.
            BudgetSpentError: nothing is left to spend.
        """
        if len(self.problems) < SEVERAL:
            return None
        async with self._lock:
            if judge not in self._records:
                self._records[judge] = await measure_judge(self.problems, self.ask, judge=judge)
        return self._records[judge]


@dataclass(frozen=True, slots=True)
class SolveContext:
    """Everything that solving a problem needs."""

    model: Model
    sandbox: Sandbox
    prompts: Prompts
    settings: Settings
    judge: SharedJudge | None = None
    """How far the judge is to be believed, for a set; None: each problem finds out by itself."""
    judges: int = 1
    """How many judges there are behind the model, by role."""
    allocation: Allocation | None = None
    """Sample allocation shared by a set; None: a problem with a range of samples allocates alone."""
    names_environment: bool = True
    """Whether prompts say what Python and which libraries programs find in the sandbox. A function of a
    repository finds those of the repository."""
    failures: list[SstarError] | None = None
    """As `Asking.failures`."""
    notes: tuple[Note, ...] = ()
    """What the attempts at this problem have taught so far."""
    told: Shown | None = None
    """What a strategy has prompts show in place of lessons."""
    others: tuple[Note, ...] = ()
    """What helped with other problems of the set."""
    adapters: Adapters | None = None
    """What a strategy that changes the model's weights asks through; None: they cannot be changed."""
    knowledge: Knowledge | None = None
    """Where `others` come from, for a set whose problems may learn from each other."""

    def remember(self, lineages: Iterable[Lineage]) -> SolveContext:
        """The same with the notes of `lineages`, which have to be all that were known at that point."""
        return replace(self, notes=list_notes(lineages))

    @property
    def shown(self) -> Shown | None:
        """The notes for a prompt; None where nothing is told and no lesson asked for."""
        if self.told is not None or self.settings.lessons == "off":
            return self.told
        return choose_notes(self.notes, self.others, asks=True)

    @property
    def environment(self) -> Environment | None:
        """What prompts say that programs find; None where they say nothing of it."""
        found: Environment | None = (
            getattr(self.sandbox, "environment", None) if self.names_environment else None
        )
        if found is None or self.settings.language == PYTHON:
            return found
        return replace(found, language=find_language(self.settings.language))

    @property
    def ask(self) -> Asking:
        """Selection's questions, put to the model."""
        settings = self.settings
        return Asking(
            self.model,
            self.prompts,
            settings.seed,
            settings.max_tokens,
            failures=self.failures,
            style=settings.style,
        )
