"""How a candidate came to be: the rounds of one sample, of which the best counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sstar_code.agent.generation.memory import Note
from sstar_code.agent.models.request import Usage
from sstar_code.sandbox import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sstar_code.agent.generation.feedback import FailureNote

_MAX_REASONS = 3


DRAFT = "draft in thinking"
"""`Round.how` of a program that was never an answer."""


@dataclass(frozen=True, slots=True)
class Round:
    """One answer of the model and what its program did on the public tests."""

    index: int
    """0 for the first program, 1 and up for repairs."""
    code: str | None = None
    """None where the call failed or the answer held no program."""
    passed: int = 0
    total: int = 0
    """Number of public tests."""
    verdict: Verdict | None = None
    """Verdict on the public tests together; None without a program. `IE`: the sandbox lost a run."""
    failures: tuple[FailureNote, ...] = ()
    summary: str = ""
    """How many public tests passed and failed and how; empty without a program."""
    how: str = "none"
    """How the program was found in the answer: `extract.Extraction.how`."""
    truncated: bool = False
    """Whether the answer was cut."""
    base: int | None = None
    """Index of the round that this one tried to repair."""
    source: int | None = None
    """The sample in which `base` counts, where that is another than this round's."""
    repeats: int | None = None
    """Index of the earlier round with the same program, whose verdicts were taken over."""
    unchanged: bool = False
    """Whether the answer is the very program that it was to repair."""
    confirmed: int = 0
    """Inputs whose right output selection confirmed that a repair after the choice passes, where it passes
    all of them and every public test."""
    error: str = ""
    """Why the call failed; empty where there was an answer."""
    why: str = ""
    """Why the answer held no program; empty where it held one, or the call failed."""
    note: str = ""
    """The lesson of the answer, or what was recalled for it, in a line (`generation.memory`)."""
    helped: bool = False
    """Whether there is such a note and more public tests pass than before."""
    thinking: str = field(default="", repr=False)
    """What the model thought before it answered, where it shows that."""
    confidence: float | None = None
    """How sure the model was, where the answer was watched: `Answer.confidence`."""
    finish_reason: str = ""
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    """Wall time of the call."""
    score: float | None = None
    """The mean score on the public tests, from 0 to 1; None for problems without scores."""

    @property
    def solved(self) -> bool:
        """There is a program and every public test passed (with no public tests every program counts)."""
        return self.verdict is Verdict.AC


@dataclass(frozen=True, slots=True)
class Lineage:
    """One sample: its first program and the repairs."""

    sample: int
    rounds: tuple[Round, ...]

    @property
    def best(self) -> Round:
        """The round with a program and most tests passed, public ones first; the earlier one wins a tie.

        Of problems with scores that with the highest.
        """
        return max(
            self.rounds,
            key=lambda one: (one.code is not None, one.score or 0.0, one.passed, one.confirmed, -one.index),
        )

    @property
    def code(self) -> str | None:
        """The best round's program; None where no round has one."""
        return self.best.code

    @property
    def survives(self) -> bool:
        """The best round passed every public test."""
        return self.best.solved

    @property
    def is_draft(self) -> bool:
        """It is a program that another sample's thinking holds, and no answer of its own."""
        return self.rounds[0].how == DRAFT

    @property
    def lost(self) -> bool:
        """The sandbox lost a run of the best round: its verdict is not the program's fault."""
        return self.best.verdict is Verdict.IE


def explain_lack(lineages: Sequence[Lineage]) -> str:
    """Why no answer held a program, the commonest reasons first: `2 cut while thinking; 1 empty`."""
    reasons = Counter(item.why for lineage in lineages for item in lineage.rounds if item.why)
    return "; ".join(f"{count} {reason}" for reason, count in reasons.most_common(_MAX_REASONS))


def list_notes(lineages: Iterable[Lineage]) -> tuple[Note, ...]:
    """The notes of all rounds, early rounds first; of equal ones the first, and whether any helped."""
    found: dict[str, Note] = {}
    rounds = [(made.index, lineage.sample, made) for lineage in lineages for made in lineage.rounds]
    for _, _, made in sorted(rounds, key=lambda item: item[:2]):
        if made.note:
            first = found.setdefault(made.note.casefold(), Note(made.note, made.helped))
            found[made.note.casefold()] = Note(first.text, first.helped or made.helped)
    return tuple(found.values())
