"""A model that knows the hidden truth and is right as often as it is told to be.

It stands in for a judge of a given accuracy, so that what questions are worth can be measured without one.
What it knows: which recorded candidates are right and so, by running them, what a right program does on an
input. Where no output shown is right it should say so; where right programs differ the input is not covered.
Its opinion does not depend on the order of the outputs: asking again in another order makes it no better.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import anyio

from sstar_code.problems import Kind
from sstar_code.problems.values import encode
from sstar_code.sandbox.grade import limits_for, program_for
from sstar_code.sandbox.outcome import Status
from sstar_code.selection import Reply
from sstar_code.selection.evidence.clustering import Behaviour, behaviour_of, compare_with
from sstar_code.selection.evidence.fingerprint import strip_comments
from sstar_code.selection.inputs.contract.examples import public_inputs
from sstar_code.selection.judging.question import clip, show_behaviour, show_input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.problems import Problem
    from sstar_code.sandbox import Environment, Execution, Limits, Program, Sandbox
    from sstar_code.selection import Candidate, Question

__all__ = ["CountingSandbox", "SimulatedAsk"]

_LEFT_OUT = re.compile(r"^\[\d+ characters left out\] | \[\d+ characters left out\]$")
_PROMPT_CHARS = 1_200
"""What a template adds around the values, for the estimate of tokens."""
_CHARS_PER_TOKEN = 4
_COINCIDES = 0.3
"""How often a wrong output that it works out is that of a wrong program, where many outputs are possible."""
_KNOWN, _GUESSED = 0.98, 0.5
"""Accuracies of a judge whose probabilities may tell which of the two it was."""


@dataclass(eq=False)
class CountingSandbox:
    """Counts what one method runs, known from before or not, and remembers on what."""

    inner: Sandbox
    known: dict[tuple[Program, Limits, str], Execution] = field(default_factory=dict)
    """What has run for any method of the problem; may be shared, so that a look-up costs nothing."""
    runs: int = 0
    cpu_s: float = 0.0
    limits: dict[str, Limits] = field(default_factory=dict)
    """Input -> the limits it ran under."""

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def workers(self) -> int:
        return self.inner.workers

    @property
    def environment(self) -> Environment:
        return self.inner.environment

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def run(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop_on_failure: bool = False
    ) -> list[Execution]:
        missing = [text for text in dict.fromkeys(inputs) if (program, limits, text) not in self.known]
        if missing:
            found = await self.inner.run(program, missing, limits)
            self.known.update(
                {(program, limits, text): run for text, run in zip(missing, found, strict=True)}
            )
        runs = [self.known[program, limits, text] for text in inputs]
        self.limits.update(dict.fromkeys(inputs, limits))
        self.runs += len(runs)
        self.cpu_s += sum(run.cpu_s for run in runs)
        return runs

    async def look(self, program: Program, text: str, limits: Limits) -> Execution:
        """One run that is not counted."""
        if (program, limits, text) not in self.known:
            (self.known[program, limits, text],) = await self.inner.run(program, [text], limits)
        return self.known[program, limits, text]


@dataclass(eq=False)
class SimulatedAsk:
    """Implements `selection.Ask` for one problem."""

    problem: Problem
    candidates: Sequence[Candidate]
    sandbox: CountingSandbox
    accuracy: float | None = None
    """The accuracy of a judge; None: there is none, and its calls fail."""
    telling: str = ""
    """Empty: it errs on any question alike. Else it knows some answers and guesses others, and is right as
    often in all. Then the probabilities of its answers tell, put too high, whether it knew (`informed`), or
    nothing (`noise`); there are none (`silent`); or none, and its guess is what stands first (`biased`).
    With `first` it always names what stands first, and works outputs out as often as the others know them."""
    tests: str | None = None
    """Recorded tests that are given when tests are asked for; None: such calls fail."""
    asked: Counter[str] = field(default_factory=Counter)

    async def __call__(
        self, question: Question, problem: Problem, ordinal: str, **values: Any
    ) -> Reply | None:
        """The reply; None for what is not simulated."""
        await anyio.lowlevel.checkpoint()
        self.asked[question.value] += 1
        judge = ordinal.partition("/")[0] if ordinal.startswith("judge-") else ""  # each errs by itself
        if question.value == "expect" and self.accuracy is not None:
            text: str | None = await self._expect(values["input"])
        else:
            text = await self._answer(question.value, values, judge)
        if text is None:
            return None
        likely = None
        if question == "choose" and self.telling in ("informed", "noise") and self.accuracy is not None:
            likely = self._tell(text, values, values["input"] + judge)
        shown = _PROMPT_CHARS + len(problem.statement) + len(str(values)) + len(text)
        return Reply(text, shown // _CHARS_PER_TOKEN, likely)

    def _tell(self, text: str, values: dict[str, Any], topic: str) -> dict[str, float]:
        said = text.rpartition(" ")[2]
        kind = "knows" if self.telling == "informed" else "noise"
        place, spread = self._draw(topic, kind)
        sure = 0.97 + 0.03 * spread if place < self._share_known else 0.5 + 0.4 * spread
        return {said: sure, "B" if said == "A" else "A": 1 - sure}

    @property
    def _share_known(self) -> float:
        """The share of the questions to which it knows the answer, where it guesses the others of two."""
        assert self.accuracy is not None
        return min(1.0, max(0.0, (self.accuracy - _GUESSED) / (_KNOWN - _GUESSED)))

    async def _answer(self, question: str, values: dict[str, Any], judge: str) -> str | None:
        if question == "tests":
            return self.tests
        if self.accuracy is None:
            return None
        if question == "judge":
            return await self._judge(values["cases"])
        if question == "choose":
            right = await self._right_sides(values["input"], values["outputs"])
            said = self._say(right, values["outputs"], values["input"] + judge, "invalid")
            return f"ANSWER: {said if isinstance(said, str) else 'ABCD'[said]}"
        if question == "compare":
            said = self._say(self._right_programs(values), [values["first"], values["second"]])
            return f"ANSWER: {said if isinstance(said, str) else said + 1}"
        return None

    async def _expect(self, shown: str) -> str:
        """An output that is right where it knows; else at times a wrong one that a program gives, or none."""
        truths, wrongs = await self._truths(shown), await self._truths(shown, right=False)
        place, other = self._draw(shown, "knows")
        luck, _ = self._draw(shown, "coincidence")
        wrong = sorted(set(wrongs) - set(truths))
        few = all(text.strip().lower() in ("true", "false", "yes", "no", "0", "1") for text in wrongs)
        if place < self._share_known:
            said = truths[0] if len(truths) == 1 else None
        else:
            said = wrong[int(other * len(wrong))] if wrong and (few or luck < _COINCIDES) else None
        return "?" if said is None else f"```text\n{said.rstrip()}\n```"

    async def _judge(self, cases: Sequence[dict[str, str]]) -> str:
        """One opinion on several inputs: the side that is right alone on more of them."""
        points = [0, 0]
        for case in cases:
            right = await self._right_sides(case["input"], [case["first"], case["second"]])
            if len(right) == 1:
                points[right[0]] += 1
        most = [side for side in (0, 1) if points[side] > points[1 - side]]
        sides = [str([case[name] for case in cases]) for name in ("first", "second")]
        said = self._say(most, sides, str([case["input"] for case in cases]))
        return f"ANSWER: {said if isinstance(said, str) else said + 1}"

    def _right_programs(self, values: dict[str, Any]) -> list[int]:
        known = {strip_comments(candidate.code): bool(candidate.hidden_pass) for candidate in self.candidates}
        return [side for side, name in enumerate(("first", "second")) if known.get(values[name], False)]

    def _say(
        self, right: Sequence[int], sides: Sequence[str], topic: str = "", several: str = "neither"
    ) -> int | str:
        """The only right side; "neither" for none, `several` for more; else, by chance, an error."""
        assert self.accuracy is not None
        luck, other = self._draw(topic, *sorted(sides))
        truth = right[0] if len(right) == 1 else None
        accuracy = self.accuracy
        if self.telling:
            place, _ = self._draw(topic, "knows")
            knows = place < self._share_known
            if self.telling == "first" or (self.telling == "biased" and not knows):
                return 0
            accuracy = _KNOWN if knows else _GUESSED
        if luck < accuracy:
            word = several if right else "neither"
            return word if truth is None else truth
        wrong = sorted((side for side in range(len(sides)) if side != truth), key=lambda side: sides[side])
        return wrong[int(other * len(wrong))]

    def _draw(self, *topic: str) -> tuple[float, float]:
        body = "\0".join([self.problem.id, *topic]).encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(body).digest()
        return int.from_bytes(digest[:8]) / 2**64, int.from_bytes(digest[8:16]) / 2**64

    async def _right_sides(self, shown: str, sides: Sequence[str]) -> list[int]:
        """Places of the outputs that right programs give on the input that is shown."""
        truths = await self._truths(shown)
        return [place for place, side in enumerate(sides) if any(self._is(side, truth) for truth in truths)]

    async def _truths(self, shown: str, *, right: bool = True) -> list[str]:
        """What the right candidates do: outputs as a judge sees them; empty where the input is not known.

        Else what wrong survivors do.
        """
        known = {test.input: test.output for test in self.problem.public_tests if test.program is None}
        for text in [*public_inputs(self.problem), *self.sandbox.limits]:
            if shown in (clip(show_input(self.problem, text)), show_input(self.problem, text)):
                break
        else:
            self.asked["unknown input"] += 1
            return []
        if right and known.get(text) is not None:
            return [show_behaviour(self.problem, Behaviour(Status.OK, known[text] or ""))]
        codes = dict.fromkeys(
            one.code for one in self.candidates if one.survives and bool(one.hidden_pass) == right
        )
        truths: dict[str, None] = {}
        for code in codes:
            limits = self.sandbox.limits.get(text, limits_for(self.problem))
            run = await self.sandbox.look(program_for(self.problem, code), text, limits)
            truths[show_behaviour(self.problem, behaviour_of(run))] = None
        return list(truths)

    def _is(self, side: str, truth: str) -> bool:
        """Whether a side, which may be cut, shows `truth`."""
        core = _LEFT_OUT.sub("", side)
        if core == truth or (core != side and core in truth):
            return True
        alike = compare_with(self.problem)
        try:
            return alike(self._encode(core), self._encode(truth))
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return False

    def _encode(self, text: str) -> str:
        return text if self.problem.kind is Kind.STDIN else encode(ast.literal_eval(text))
