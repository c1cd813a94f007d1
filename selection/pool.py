"""The pool that a method chooses from, and the parts of its result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sstar_code.selection.evidence.board import Board
from sstar_code.selection.judging.question import clip
from sstar_code.selection.protocols import Distinguishing

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.sandbox.outcome import Sandbox
    from sstar_code.selection.evidence.clustering import Clustering
    from sstar_code.selection.judging.calibration import JudgeRecord
    from sstar_code.selection.judging.prediction import PredictionRecord
    from sstar_code.selection.protocols import Ask, Candidate, Selection


@dataclass(frozen=True, slots=True)
class Pool:
    """One problem's candidates and the means to find out about them."""

    problem: Problem
    candidates: tuple[Candidate, ...]
    sandbox: Sandbox
    """Runs candidates; entered by the caller."""
    ask: Ask | None = None
    """None: model-free evidence only, nothing is asked."""
    seed: int = 0
    reliability: Mapping[str, float] = field(default_factory=dict)
    """Source -> share of its candidates, over all problems at hand, that pass their public tests, 0..1."""
    measure_judge: Callable[[], Awaitable[JudgeRecord | None]] | None = None
    """How the model behind `ask` does on known answers of the whole set, found out when a question is certain
    to be put; None, or where it gives None: measured on this problem."""
    other_judges: tuple[Callable[[], Awaitable[JudgeRecord | None]] | None, ...] = ()
    """For the second judge and each further one, all behind `ask`, what `measure_judge` is for the first."""
    measure_prediction: Callable[[], Awaitable[PredictionRecord | None]] | None = None
    """As `measure_judge`, of the outputs that the model works out before it sees one."""
    audit: bool = False
    """Whether `adaptive` has the model write tests against the likeliest program (`evidence.audit`)."""
    board: Board = field(init=False, repr=False, compare=False)
    """Shared by all methods: executions and answers, each found out once."""

    def __post_init__(self) -> None:
        board = Board(self.problem, self.candidates, self.sandbox, self.ask)
        object.__setattr__(self, "board", board)

    def without_model(self) -> Pool:
        """The same pool, on the same executions, for a method that may ask nothing."""
        free = copy(self)  # `replace` would read every program once more, for a board of its own
        object.__setattr__(free, "ask", None)
        return free

    def seed_for(self, purpose: str = "") -> str:
        """Seed of one random decision: the same in every run, another one for every purpose."""
        return f"{self.seed}:{self.problem.id}" + (f":{purpose}" if purpose else "")


def tier(candidates: Sequence[Candidate]) -> list[int]:
    """Indices of the candidates that passed most of the public tests, or scored most on them, ascending.

    The survivors where there are any. An empty program belongs to it only where all are empty.
    """
    written = [index for index, candidate in enumerate(candidates) if candidate.code.strip()]
    indices = written or list(range(len(candidates)))
    best = max((_passed(candidates[index]) for index in indices), default=0.0)
    return [index for index in indices if _passed(candidates[index]) == best]


def _passed(candidate: Candidate) -> float:
    if candidate.public_score is not None:
        return candidate.public_score
    return candidate.public_passed / candidate.public_total if candidate.public_total else 1.0


def expected_accuracy(candidates: Sequence[Candidate]) -> float | None:
    """Probability that `random` is right: the share of the best tier that passes the hidden tests.

    None where there is no candidate or one of the tier has not been graded.
    """
    graded = [candidates[index].hidden_pass for index in tier(candidates)]
    known = [passed for passed in graded if passed is not None]
    return sum(known) / len(known) if known and len(known) == len(graded) else None


def withhold(selection: Selection, least: float | None) -> Selection:
    """The selection without a choice where its confidence is below `least` or not known; None: as it is."""
    sure = selection.confidence is not None and least is not None and selection.confidence >= least
    if least is None or sure or selection.chosen is None:
        return selection
    note = f"no answer: the confidence is {selection.confidence_in_words}, less than the {least:g} asked for"
    return replace(selection, chosen=None, withheld=selection.chosen, notes=(*selection.notes, note))


MAX_OUTPUT_CHARS = 2_000
"""Characters of one behaviour in a `Selection`."""


def share(
    pool: Pool, chosen: int | None, alike: int, members: Sequence[int], *, compared: bool = True
) -> float | None:
    """Confidence of a method without an estimate: the share of the survivors that do as `chosen` does.

    0 where it fails a public test, None where nothing was compared (`admit_unknown`).
    """
    return admit_unknown(pool, chosen, alike / max(1, len(members)), members, compared=compared)


def admit_unknown(
    pool: Pool, chosen: int | None, estimate: float, members: Sequence[int], *, compared: bool = True
) -> float | None:
    """The confidence in `chosen`: `estimate`, 0 where it fails a public test, None where nothing is known.

    Nothing is known of a program that passes the public tests and was never compared: it is the only one
    among `members`, or no input or test told anything of them (`compared` is False).
    """
    if chosen is None or not pool.candidates[chosen].survives:
        return 0.0
    return estimate if compared and len(pool.board.programs(members)) > 1 else None


def explain(found: Clustering) -> tuple[Distinguishing, ...]:
    """Inputs that together tell all clusters apart, with what each cluster did."""
    return tuple(
        Distinguishing(
            found.inputs[place],
            {
                str(number): clip(seen.text, MAX_OUTPUT_CHARS)
                for number, seen in enumerate(found.behaviours[place])
            },
        )
        for place in found.explaining()
    )
