"""What came of problems and samples and what it cost, and how records are read back from JSON."""

from __future__ import annotations

import collections.abc
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import cache, partial
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from sstar_code.problems.errors import show

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Answer


@dataclass(slots=True)
class StageCount:
    """Work of one stage of the method."""

    calls: int = 0
    prompt: int = 0
    cached: int | None = None
    """Prompt tokens that the server had cached; None where it never said."""
    output: int = 0
    reasoning: int | None = None
    """Output tokens of thinking; None where the server never said."""
    seconds: float = 0.0
    """Seconds of the calls, one after another."""
    unknown: int = 0
    """Calls whose server reported no token counts; theirs are worked out from the texts."""
    cut: int = 0
    """Answers that ended at their limit."""
    cut_thinking: int = 0
    """Answers that ended at their limit before anything but thinking was written."""
    only_thinking: int = 0
    """Answers that ended by themselves and are nothing but thinking; a program is taken out of it."""
    executions: int = 0
    """Runs of a program on an input."""
    cpu_s: float = 0.0
    """CPU seconds of the executions."""

    @property
    def tokens(self) -> int:
        """Prompt and output tokens."""
        return self.prompt + self.output

    def add(self, other: StageCount) -> None:
        """Add the counts of `other`; a count that neither knows stays unknown."""
        for item in fields(self):
            count = getattr(other, item.name)
            if count is not None:
                setattr(self, item.name, (getattr(self, item.name) or 0) + count)

    def add_answer(self, answer: Answer) -> None:
        """Count one answer. A piece of one, told by its tokens, ends at a limit that was set for it."""
        usage, is_piece = answer.usage, answer.tokens is not None and bool(answer.tokens.output)
        self.add(
            StageCount(
                calls=1,
                prompt=usage.prompt or 0,
                cached=usage.cached,
                output=usage.output or 0,
                reasoning=usage.reasoning,
                seconds=answer.seconds,
                unknown=usage.output is None or usage.estimated,
                cut=answer.finish_reason == "length" and not is_piece,
                cut_thinking=answer.is_cut_thinking and not is_piece,
                only_thinking=answer.is_only_thinking and not is_piece,
            )
        )

    @staticmethod
    def as_json(counts: Mapping[str, StageCount]) -> dict[str, dict[str, Any]]:
        """Counts by name as JSON has them."""
        return {name: asdict(count) for name, count in counts.items()}


def add_up(counts: Iterable[StageCount]) -> StageCount:
    """The counts of all stages together."""
    total = StageCount()
    for count in counts:
        total.add(count)
    return total


def add_stages(parts: Iterable[Mapping[str, StageCount]]) -> dict[str, StageCount]:
    """The counts of all `parts` by stage."""
    total: dict[str, StageCount] = {}
    for stages in parts:
        for name, count in stages.items():
            total.setdefault(name, StageCount()).add(count)
    return total


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of a million tokens, in whatever currency; None is unknown, which is not free."""

    prompt: float | None = None
    output: float | None = None
    file: Path | None = None
    """A list of prices by model, for those that were not given."""

    def why_unknown(self, counts: Iterable[StageCount]) -> str | None:
        """The reason why the cost cannot be told; None where it can."""
        flags = {"--price-prompt": self.prompt, "--price-output": self.output}
        missing = [flag for flag, price in flags.items() if price is None]
        if missing:
            return f"no {' and no '.join(missing)} given"
        uncounted = sum(count.unknown for count in counts)
        return f"{uncounted} calls came without token counts" if uncounted else None

    def cost(self, counts: Iterable[StageCount]) -> float | None:
        """Cost of all tokens, cached prompts at the full price; None where it cannot be told."""
        every = list(counts)
        if self.prompt is None or self.output is None or self.why_unknown(every) is not None:
            return None
        return sum(count.prompt * self.prompt + count.output * self.output for count in every) / 1e6

    def as_json(self, counts: Iterable[StageCount]) -> dict[str, Any]:
        """The entry of `summary.json`."""
        every = list(counts)
        return {
            "prompt_per_million": self.prompt,
            "output_per_million": self.output,
            "total": self.cost(every),
            "unknown": self.why_unknown(every),
        }


T = TypeVar("T")


def read_record(kind: type[T], data: dict[str, Any]) -> T:
    """The `kind` that `data` describes; nested dataclasses, enums and tuples are rebuilt by annotation.

    A field without a value takes its default and a key without a field is left out, so that files of older
    and of newer versions can be read.

    Raises:
        TypeError: a field without a default is missing, or a value is of another type.
        ValueError: an enum has no such value, or a number is not finite.
    """
    if not isinstance(data, dict):
        raise TypeError(f"{show(data, _SHOWN_CHARS)} is no {kind.__name__}")
    makers = _find_makers(kind)  # type: ignore[arg-type]  # a class is hashable
    return kind(**{name: makers[name](value) for name, value in data.items() if name in makers})


_SHOWN_CHARS = 60
_Maker = Callable[[Any], Any]


@cache
def _find_makers(kind: type[Any]) -> dict[str, _Maker]:
    hints = get_type_hints(kind, localns=vars(collections.abc))  # many are imported for the type checker only
    return {name: _find_maker(hint) for name, hint in hints.items()}


def _find_maker(hint: Any) -> _Maker:
    """The function that makes a value of its JSON, and raises where that is of another type."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (UnionType, Union):
        return partial(_make_optional, _find_maker(next(part for part in parts if part is not type(None))))
    if origin is tuple:
        return partial(_make_tuple, _find_maker(parts[0]))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return partial(_make_mapping, _find_maker(parts[1]))
    if is_dataclass(hint):
        return partial(read_record, hint)  # type: ignore[arg-type]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    kinds = {str: (str,), int: (int,), float: (int, float), bool: (bool,)}
    return partial(_check_plain, kinds[hint]) if hint in kinds else partial(_check_plain, (object,))


def _make_optional(maker: _Maker, value: Any) -> Any:
    return None if value is None else maker(value)


def _make_tuple(maker: _Maker, items: Any) -> tuple[Any, ...]:
    return tuple(map(maker, _check_plain((list,), items)))


def _make_mapping(maker: _Maker, items: Any) -> dict[str, Any]:
    return {name: maker(value) for name, value in _check_plain((dict,), items).items()}


def _check_plain(kinds: tuple[type, ...], value: Any) -> Any:
    if not isinstance(value, kinds) or (isinstance(value, bool) and not {bool, object} & set(kinds)):
        raise TypeError(f"{show(value, _SHOWN_CHARS)} is no {kinds[-1].__name__}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not finite")
    return value


@dataclass(frozen=True, slots=True)
class RoundOutcome:
    """One round of one sample."""

    sample: int
    round: int
    code: str | None
    """None where the answer held no program."""
    public_passed: int
    public_total: int
    is_best: bool
    """It stands for the sample."""
    hidden: str | None
    """Verdict on the hidden tests; None where it was not graded.

    Only rounds that may stand for a sample are graded; one that fails a public test is wrong anyway.
    """

    @property
    def is_written(self) -> bool:
        """Whether the answer held a program."""
        return bool(self.code and self.code.strip())

    @property
    def survives(self) -> bool:
        """Whether it passed every public test."""
        return self.is_written and self.public_passed == self.public_total


@dataclass(frozen=True, slots=True)
class SampleOutcome:
    """One sample: its first answer and the round that stands for it after debugging."""

    sample: int
    rounds: int
    """Answers written, the first one included; 0 for a draft that another sample's thinking holds."""
    public_passed: int
    survives: bool
    """It has a program, which passed every public test."""
    first_hidden: str | None
    """Verdict of the first answer on the hidden tests; None where there is no hidden test."""
    hidden: str | None
    """Verdict of the round that stands for the sample."""
    failed: str | None = None
    """One line where the model refused a call of this sample for good; it ended there."""
    score: float | None = None
    """The mean score on all tests of the round that stands for it, from 0 to 1, of problems with scores."""


@dataclass(frozen=True, slots=True)
class ThoughtOutcome:
    """The thinking of one answer: the programs that it holds, run on the public tests."""

    sample: int
    round: int
    tokens: int | None
    """None where the server did not say."""
    drafts: int
    right: int
    """Drafts that pass every public test."""
    first_right: float | None
    """Share of the thinking that was written when the first of these was complete, 0..1."""
    solved: bool
    """The answer's own program passes every public test."""


@dataclass(frozen=True, slots=True)
class ProblemOutcome:
    """A finished problem."""

    problem_id: str
    samples: tuple[SampleOutcome, ...]
    chosen: Mapping[str, int | None]
    """Index of the sample chosen, by method."""
    tier: tuple[int, ...]
    """Samples of the best tier: those that passed the most public tests."""
    error: str | None = None
    """One line where the sandbox or the model failed for this problem; every rate counts it as wrong."""
    thoughts: tuple[ThoughtOutcome, ...] = ()
    """One for each answer that was thought about, where the model shows what it thinks."""
    confirmed: tuple[int, int] = (0, 0)
    """Programs repaired after the choice, for failing a confirmed input, and those of them that pass now."""

    @property
    def graded(self) -> bool:
        """Whether hidden tests gave verdicts."""
        return self.error is None and any(sample.hidden is not None for sample in self.samples)

    @property
    def is_whole(self) -> bool:
        """Whether every sample was graded, not only what was chosen."""
        return all(sample.hidden is not None for sample in self.samples)

    @property
    def solved(self) -> bool | None:
        """Whether any sample survived the public tests; None where the problem errored."""
        if self.error is not None:
            return None
        return any(sample.survives for sample in self.samples)

    @property
    def answered(self) -> list[SampleOutcome]:
        """Those samples that are answers, without drafts."""
        return [sample for sample in self.samples if sample.rounds]

    def count_right(self, *, first: bool = False) -> int:
        """Samples that pass every hidden test after debugging or, with `first`, whose first answer does."""
        return sum((sample.first_hidden if first else sample.hidden) == "AC" for sample in self.samples)

    def is_right(self, sample: int | None) -> bool:
        """Whether `sample` passes every hidden test; no sample is wrong."""
        return sample is not None and self.samples[sample].hidden == "AC"

    def to_json(self) -> str:
        """The outcome as one line."""
        whole = asdict(self)
        left_out = {name for name in ("thoughts", "confirmed") if not any(whole[name])}
        for sample in whole["samples"]:
            if sample["score"] is None:  # most problems have none
                del sample["score"]
        return json.dumps({name: value for name, value in whole.items() if name not in left_out})

    @classmethod
    def from_json(cls, text: str) -> ProblemOutcome:
        """The outcome that `to_json` wrote.

        Raises:
            TypeError: it is no outcome.
            ValueError: it is no JSON, or names a sample that it does not have.
        """
        outcome = read_record(cls, json.loads(text))
        named = {*outcome.tier, *(place for place in outcome.chosen.values() if place is not None)}
        if not named <= set(range(len(outcome.samples))):
            raise ValueError(f"it names a sample that is none of {len(outcome.samples)}")
        return outcome


def count_confirmed(outcomes: Iterable[ProblemOutcome]) -> dict[str, dict[str, int]]:
    """What `--repair-confirmed` did, for a summary; empty where nothing failed a confirmed input."""
    pairs = [outcome.confirmed for outcome in outcomes if any(outcome.confirmed)]
    tried, passing = (sum(pair[place] for pair in pairs) for place in (0, 1))
    return {"confirmed": {"problems": len(pairs), "repaired": tried, "passing": passing}} if pairs else {}


def note_scores(
    outcome: ProblemOutcome, codes: Iterable[str | None], scores: Mapping[str, float]
) -> ProblemOutcome:
    """`outcome` with the score of each sample's program; one without a program has 0."""
    samples = zip(outcome.samples, codes, strict=True)
    scored = (replace(sample, score=scores.get(code or "", 0.0)) for sample, code in samples)
    return replace(outcome, samples=tuple(scored))


def mean_score(outcomes: Iterable[ProblemOutcome], method: str) -> dict[str, Any]:
    """The mean score of what `method` chose, over the problems that have scores; empty where none has.

    Without a method that of a problem's samples counts.
    """
    found = []
    for outcome in outcomes:
        scores = [sample.score for sample in outcome.samples]
        known = [0.0 if score is None else score for score in scores]
        if any(score is not None for score in scores):
            place = outcome.chosen.get(method)
            found.append((0.0 if place is None else known[place]) if method else sum(known) / len(known))
    return {"score": sum(found) / len(found), "scored_problems": len(found)} if found else {}


def tell_score(numbers: Mapping[str, Any]) -> str:
    """`mean_score` in words; empty where there is none."""
    count = numbers.get("scored_problems", 0)
    return f"score {numbers['score']:.3f} of {count} problem{'s' * (count != 1)} with scores" if count else ""
