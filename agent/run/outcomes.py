"""What came of problems and samples and what it cost, and how records are read back from JSON."""

from __future__ import annotations

import collections.abc
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache, partial
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

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
    """Calls whose server reported no token counts."""
    cut: int = 0
    """Answers that ended at their limit."""
    cut_thinking: int = 0
    """Answers that ended at their limit before anything but thinking was written."""
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
        """Count one answer."""
        usage = answer.usage
        self.add(
            StageCount(
                calls=1,
                prompt=usage.prompt or 0,
                cached=usage.cached,
                output=usage.output or 0,
                reasoning=usage.reasoning,
                seconds=answer.seconds,
                unknown=usage.output is None,
                cut=answer.finish_reason == "length",
                cut_thinking=answer.is_cut_thinking,
            )
        )


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
    and of newer versions can be read. Values of other types are taken as they are.

    Raises:
        TypeError: a field without a default is missing, or a value has another shape.
        ValueError: an enum has no such value.
    """
    if not isinstance(data, dict):
        raise TypeError(f"{data!r} is no {kind.__name__}")
    makers = _find_makers(kind)  # type: ignore[arg-type]  # a class is hashable
    return kind(**{name: _make(makers[name], value) for name, value in data.items() if name in makers})


def _make(maker: Callable[[Any], Any] | None, value: Any) -> Any:
    return value if maker is None or value is None else maker(value)


@cache
def _find_makers(kind: type[Any]) -> dict[str, Callable[[Any], Any] | None]:
    hints = get_type_hints(kind, localns=vars(collections.abc))  # many are imported for the type checker only
    return {name: _find_maker(hint) for name, hint in hints.items()}


def _find_maker(hint: Any) -> Callable[[Any], Any] | None:
    """The function that makes a value of its JSON; None where that is the value itself."""
    if get_origin(hint) is UnionType:
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is tuple:
        maker = _find_maker(get_args(hint)[0])
        return lambda items: tuple(_make(maker, item) for item in items)
    if is_dataclass(hint):
        return partial(read_record, hint)  # type: ignore[arg-type]
    return hint if isinstance(hint, type) and issubclass(hint, Enum) else None


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
    """Answers written, the first one included."""
    public_passed: int
    survives: bool
    """It has a program, which passed every public test."""
    first_hidden: str | None
    """Verdict of the first answer on the hidden tests; None where there is no hidden test."""
    hidden: str | None
    """Verdict of the round that stands for the sample."""
    failed: str | None = None
    """One line where the model refused a call of this sample for good; it ended there."""


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

    @property
    def graded(self) -> bool:
        """Whether hidden tests gave verdicts."""
        return self.error is None and any(sample.hidden is not None for sample in self.samples)

    @property
    def solved(self) -> bool | None:
        """Whether any sample survived the public tests; None where the problem errored."""
        if self.error is not None:
            return None
        return any(sample.survives for sample in self.samples)

    def count_right(self, *, first: bool = False) -> int:
        """Samples that pass every hidden test after debugging or, with `first`, whose first answer does."""
        return sum((sample.first_hidden if first else sample.hidden) == "AC" for sample in self.samples)

    def is_right(self, sample: int | None) -> bool:
        """Whether `sample` passes every hidden test; no sample is wrong."""
        return sample is not None and self.samples[sample].hidden == "AC"

    def to_json(self) -> str:
        """The outcome as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ProblemOutcome:
        """The outcome that `to_json` wrote."""
        return read_record(cls, json.loads(text))
