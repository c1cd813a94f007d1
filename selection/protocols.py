"""Records and protocols that selection shares with its callers: owned here, so the arrow points one way."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sstar_code.problems import Problem


class Question(StrEnum):
    """The questions selection may put to a model; each is a prompt template of the same name."""

    INPUTS = "inputs"
    """Write test inputs for the problem. Values: `count`."""
    DISTINGUISH = "distinguish"
    """Write inputs on which two programs differ. Values: `first`, `second` (their code), `count`."""
    JUDGE = "judge"
    """Which of the outputs is right? Values: `cases`, a list of {"input", "first", "second"}."""
    TESTS = "tests"
    """Write tests: inputs and the outputs they have to give. Values: `count`."""
    COMPARE = "compare"
    """Which of two programs is right? Values: `first`, `second` (their code without comments)."""
    AUDIT = "audit"
    """Write tests on which a program may be wrong. Values: `code` (without comments), `count`."""
    KIT = "kit"
    """Write a validator of inputs and, with the value `generate`, a generator."""
    REFERENCE = "reference"
    """Write a brute force and a check of outputs."""
    CHOOSE = "choose"
    """Which output is right? Values: `input`, `outputs`, two to four texts."""
    EXPECT = "expect"
    """What is the right output? None is shown. Values: `input`, as a person would write it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer as selection sees it."""

    text: str
    """The answer without the model's thinking."""
    tokens: int
    """Prompt and output together."""
    likely: Mapping[str, float] | None = None
    """To `CHOOSE`, where the model tells: what the answer may be (`A`, `neither`, ...) -> its probability."""


class Ask(Protocol):
    """Puts a question to a model; `agent` implements it, tests script it."""

    async def __call__(
        self, question: Question, problem: Problem, ordinal: str, **values: Any
    ) -> Reply | None:
        """The reply, or None where the call failed for good (the failure has been recorded).

        `ordinal` tells this call apart from the others of the problem, like `0-2/swapped`. One that begins
        with `judge-2/` is for the second judge, and so on; all others are for the first.
        """
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A program to choose among. Its place in the list is its index."""

    code: str
    """Complete: starter code and preamble are put in by `sandbox.grade`."""
    public_passed: int
    public_total: int
    hidden_pass: bool | None = None
    """Known only where a run has been graded; read by `oracle` alone."""
    sources: tuple[str, ...] = ()
    """The writers of the program: models, or model and method. Several where the same text came from several;
    none where it is not known or all candidates have the same."""
    weight: float = 1.0
    """What its vote counts in `majority`: how sure its writer was, where that is known."""
    public_score: float | None = None
    """The mean score on the public tests, from 0 to 1, of problems that have scores: it then stands for the
    share of the tests that passed."""

    @property
    def survives(self) -> bool:
        """Passed every public test (with no public tests everyone does)."""
        return self.public_passed == self.public_total


@dataclass(frozen=True, slots=True)
class Distinguishing:
    """An input that splits the survivors, and what each cluster did."""

    input: str
    outputs: dict[str, str]
    """Cluster number (as text, in order of `Selection.clusters`) -> canonical behaviour."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question put to the judge, and what came of it."""

    input: str
    options: tuple[str, ...]
    """The outputs as shown, A first."""
    clusters: tuple[tuple[int, ...], ...]
    """The clusters that gave each option."""
    answer: str
    """`A` ... `D`, `neither`, `several`, `invalid`, `flips` (with the order), `unreadable` or `failed`."""
    posterior: tuple[float, ...]
    """The probability of each cluster after the answer."""
    judge: int = 1
    """Which judge was asked."""
    probability: float | None = None
    """How likely `answer` was among the words that the judge could give, where its model tells."""
    expected: str | None = None
    """The output that the model worked out before it had seen any; None: it was shown `options`."""


@dataclass(frozen=True, slots=True)
class Derived:
    """An input whose right output is believed to be known: a test that can be kept."""

    input: str
    output: str
    confidence: float
    """Probability that `output` is right, 0..1."""
    why: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence for one cluster."""

    prior: float
    """Probability before any question, 0..1."""
    posterior: float
    terms: dict[str, float]
    """Name of the evidence -> what it adds to the cluster's log-odds."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice and the reasons for it."""

    method: str
    chosen: int | None
    """Index into the candidates; None where there is none."""
    confidence: float | None
    """0..1: estimated probability that the chosen program is right or, for methods without an estimate, its
    share of the survivors. None: not known, since there was nothing to compare it with."""
    clusters: tuple[tuple[int, ...], ...] = ()
    distinguishing: tuple[Distinguishing, ...] = ()
    calls: int = 0
    tokens: int = 0
    executions: int = 0
    notes: tuple[str, ...] = field(default=())
    """One line each: what was asked, dropped or unparsable."""
    evidence: tuple[Evidence, ...] = ()
    """One for each cluster; only of methods that score evidence."""
    asked: tuple[Asked, ...] = ()
    """The questions in the order asked."""
    derived: tuple[Derived, ...] = ()
    """Inputs whose right output was found out: first those that tell clusters apart."""
    withheld: int | None = None
    """What would have been chosen, had its confidence not been less than was asked for."""

    confirmed: int = 0
    """Inputs with a confirmed output that candidates had to pass too, after a round of repair for that."""

    @property
    def confidence_in_words(self) -> str:
        """The confidence with two digits, or that it is not known."""
        return "not known" if self.confidence is None else f"{self.confidence:.2f}"
