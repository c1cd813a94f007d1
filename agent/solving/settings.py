"""What a run is asked to do. The answer-changing part goes into the manifest and decides what may resume."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from sstar_code.agent.thinking.options import Thinking, read_thinking
from sstar_code.problems import UserError
from sstar_code.sandbox.languages.table import PYTHON, find_language

AUTO = "2..32"
"""What `--n auto` stands for."""
STYLES = ("cot", "direct", "draft", "plan")
"""Chain of thought (arXiv 2205.11916), the answer alone, a draft in few words (Chain of Draft, arXiv
2502.18600), and ideas first (as PlanSearch, arXiv 2409.03733)."""
_LATER = frozenset(
    {"least", "strategy", "style", "lessons", "methods_with_model", "repair_confirmed", "language"}
    | {"write_checker", "audit"}
    | {"think_min", "think_max", "think_wait", "switch_penalty", "confidence", "cut_loops", "drafts", "mur"}
)
"""Settings that older runs did not know."""
_ANY_LANGUAGE = ("sample", "waves", "allocate", "depth")
"""Strategies that do not look into programs, and whose prompts can name any language."""
LESSONS = ("off", "problem", "set")
"""Whose lessons a prompt shows: none, those of the problem, or also those of problems finished before."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the method; the defaults are S*'s (arXiv 2502.14382, section 5.1).

    Raises:
        UserError: an unknown method, context, style or source of lessons, or thinking that cannot be led so.
    """

    n: int = 16
    """Samples a problem; with `least`, at most."""
    least: int | None = None
    """Samples a problem at least, where their number is decided as they come in; None: always `n`."""
    rounds: int = 2
    """Rounds of repair a sample at most."""
    temperature: float = 0.7
    """Sampling temperature of samples and repairs; inputs and judges are asked at 0."""
    seed: int = 0
    """Sample k is asked for with seed + k; every random choice derives from it."""
    select: str = "adaptive"
    """The method whose choice is the answer."""
    max_tokens: int = 4096
    """Token limit of one answer, thinking included."""
    context: Literal["all", "last"] = "all"
    """What a repair sees: `all` rounds of its sample or the `last` one."""
    strategy: str = ""
    """How candidates come to be, `NAME[:key=value,...]` of `agent.strategies.table`; empty: `sample`, or
    `waves` where `least` is given."""
    style: str = "cot"
    """What is written before an answer, of `STYLES`: by samples, repairs and judges alike."""
    lessons: str = "off"
    """One of `LESSONS`: whether repairs say in a line what was wrong, and who is told."""
    methods_with_model: bool = False
    """The methods that are reported beside `select` may ask the model too, not use free evidence alone."""
    repair_confirmed: bool = False
    """After the choice repair, once, survivors that fail an input whose output was confirmed; costs calls."""
    write_checker: bool = False
    """Have the model write a checker where a statement has several right outputs and none is given; it judges
    public tests where it passes its trial (`solving.written_checker`)."""
    audit: bool = False
    """Have the model read the likeliest program, where the choice is open, and write tests against it."""
    think_min: int | None = None
    """Tokens that a thinking model has to think before each program; None: as few as it likes."""
    think_max: int | None = None
    """Tokens after which its thinking is ended."""
    think_wait: str = ""
    """How often thinking that ends is gone on with, and by which words: `K[:TEXT]` of `agent.thinking`."""
    switch_penalty: str = ""
    """`ALPHA:TOKENS`: what is taken from the words that begin another thought, and how long in each."""
    confidence: str = ""
    """`keep=SHARE[,warmup=N][,window=TOKENS]`: first samples that are less sure than these are given up."""
    mur: str = ""
    """`GAMMA[:CANDIDATES]`: steps that the model is less sure of than before are written several times."""
    cut_loops: bool = False
    """End thinking that repeats itself."""
    drafts: bool = False
    """Drafts in the thinking that pass the public tests are candidates too."""
    language: str = PYTHON
    """The language that programs are asked for in, a name of `sandbox.languages.table`."""
    greedy: bool = False
    """One sample at temperature 0, whatever `n` and `temperature` say."""

    def __post_init__(self) -> None:
        from sstar_code.selection.methods.registry import choose

        choose(self.select)
        if self.context not in ("all", "last"):
            raise UserError(f"--context {self.context!r}: it must be `all` or `last`")
        if self.style not in STYLES:
            raise UserError(f"--style {self.style!r}: it must be one of {', '.join(STYLES)}")
        if self.lessons not in LESSONS:
            raise UserError(f"--lessons {self.lessons!r}: it must be one of {', '.join(LESSONS)}")
        if self.audit and self.select != "adaptive":
            raise UserError(f"--audit: it is a part of `adaptive`; leave it out, or --select {self.select}")
        _ = self.thinking
        object.__setattr__(self, "language", find_language(self.language).name)
        if self.language != PYTHON:
            self._check_language()
        if self.greedy:
            for name, value in (("n", 1), ("least", None), ("temperature", 0.0)):
                object.__setattr__(self, name, value)

    def _check_language(self) -> None:
        """See that nothing is asked for that knows Python alone.

        Raises:
            UserError: it is.
        """
        option = (
            f"--strategy {self.strategy_name}"
            if self.strategy_name not in _ANY_LANGUAGE
            else "options of thinking"
            if self.thinking.is_led
            else ""
        )
        if option:
            raise UserError(f"--language {self.language}: {option} works with Python programs; leave it out")

    def as_json(self) -> dict[str, Any]:
        """For the manifest; what is at its default looks as it did before it could be chosen."""
        whole = asdict(self)
        del whole["greedy"]  # `n` and `temperature` say it
        for item in fields(self):
            if item.name in _LATER and whole[item.name] == item.default:
                del whole[item.name]
        return whole

    @property
    def strategy_name(self) -> str:
        """The name of the strategy, without its settings."""
        return self.strategy.partition(":")[0] or ("sample" if self.least is None else "waves")

    @property
    def thinking(self) -> Thinking:
        """What is asked of thinking.

        Raises:
            UserError: an option of it has another form.
        """
        return read_thinking(
            self.think_min,
            self.think_max,
            self.think_wait,
            self.switch_penalty,
            self.confidence,
            mur=self.mur,
            cut_loops=self.cut_loops,
        )

    @property
    def ways(self) -> dict[str, str]:
        """How samples come to be, as a run store keeps it and a summary names it."""
        told = {} if self.lessons == "off" else {"lessons": self.lessons}
        return {"strategy": self.strategy or self.strategy_name, "style": self.style, **told}

    @property
    def first_samples(self) -> int:
        """Samples that a problem begins with."""
        return self.n if self.least is None else self.least


def read_samples(text: str) -> tuple[int | None, int]:
    """`16` -> (None, 16): so many samples; `4..32` -> (4, 32): from 4 to 32; `auto` -> `AUTO`.

    Raises:
        UserError: it is none of these.
    """
    found = re.fullmatch(r"(?:([0-9]{1,9})\.\.)?([0-9]{1,9})", AUTO if text == "auto" else text)
    least, most = (found[1], int(found[2])) if found else (None, 0)
    if most < 1 or (least is not None and not 1 <= int(least) <= most):
        raise UserError(f"--n {text!r}: it must be a number like 16, a range like 4..32, or auto")
    return (None if least is None else int(least)), most
