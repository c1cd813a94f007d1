"""Makes tasks: a statement, the right program in several styles, wrong programs, tests.

A task is one to three steps and a result (`steps`), on a list of numbers, the digits of a number or words,
as a function or as a program that reads standard input. Every sixth composition is kept out of training.
"""

from __future__ import annotations

import itertools
import random
import zlib
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from scripts.train_tiny_model.running import run_on
from scripts.train_tiny_model.steps import NUMBER_RESULTS, NUMBERS, WORD_RESULTS, WORDS, Form, Step
from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.values import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "DOMAINS",
    "Task",
    "draw_held_out",
    "draw_input",
    "make_task",
    "write_program",
    "write_wrong",
    "write_wrong_line",
]

DOMAINS = ("numbers", "digits", "words")
NAMES = ("solve", "process", "compute", "work", "answer")
VOCABULARY = [
    "an",
    "on",
    "at",
    "sea",
    "net",
    "tone",
    "eat",
    "oats",
    "stone",
    "nest",
    "note",
    "tent",
    "seat",
    "tea",
    "toast",
    "ants",
    "sent",
    "to",
    "so",
    "no",
    "one",
    "ten",
    "noon",
]
_HELD_OUT = 6
"""Every so manyth composition of steps is held out, by hash."""


@dataclass(frozen=True, slots=True)
class Part:
    """A step with its constant."""

    step: Step
    constant: int | str = ""
    words: str = ""
    """How the statement says it."""

    def fill(self, text: str) -> str:
        return text.replace("K", str(self.constant)) if self.constant != "" else text


@dataclass(frozen=True, slots=True)
class Task:
    """A problem and what it was made of."""

    problem: Problem
    domain: str
    parts: tuple[Part, ...]
    """The result is the last."""

    @property
    def held_out(self) -> bool:
        kinds = "/".join(part.step.name for part in self.parts)
        return zlib.crc32(f"{self.domain}/{kinds}".encode()) % _HELD_OUT == 0


def make_task(number: int, rng: random.Random, *, hidden: int = 20) -> Task:
    """A random task; its tests come from the right program."""
    domain = rng.choices(DOMAINS, (5, 2, 4))[0]
    kind = rng.choice((Kind.FUNCTION, Kind.FUNCTION, Kind.STDIN))
    steps, results = (WORDS, WORD_RESULTS) if domain == "words" else (NUMBERS, NUMBER_RESULTS)
    chosen = rng.sample(steps, rng.choice((1, 2, 2, 3)))
    parts = tuple(_fix(step, kind, rng) for step in (*chosen, rng.choice(results)))
    name = rng.choice(NAMES) if kind is Kind.FUNCTION else None
    bare = Problem(f"made-{number}", _state(domain, kind, name, parts), kind, name)
    task = Task(bare, domain, parts)
    program = write_program(task, rng)
    texts: dict[str, None] = {}
    while len(texts) < 2 + hidden:
        number_of = len(texts)
        texts.setdefault(draw_input(task, rng, (3, 5)[number_of] if number_of < 2 else 10))
    tests = [Test(text, run_on(bare, program, text).output) for text in texts]
    problem = Problem(
        bare.id,
        bare.statement,
        kind,
        name,
        public_tests=tuple(tests[:2]),
        hidden_tests=tuple(tests[2:]),
        metadata={"steps": [part.step.name for part in parts]},
    )
    return Task(problem, domain, parts)


def draw_held_out(seed: int) -> Iterator[Task]:
    """Tasks of compositions kept out of training, without end, each by a seed of its own."""
    for number in itertools.count():
        name = f"held out {seed} {number}"
        if make_task(number, random.Random(name), hidden=0).held_out:
            yield make_task(number, random.Random(name))


def _fix(step: Step, kind: Kind, rng: random.Random) -> Part:
    constant = rng.choice(step.constants) if step.constants else ""
    words = rng.choice(step.says)
    if step.form is Form.RESULT and kind is Kind.STDIN:
        words = f"print {'the items in one line' if step.many else words}"
    elif step.form is Form.RESULT:
        words = f"return {words}"
    return replace(Part(step, constant), words=Part(step, constant).fill(words))


def _state(domain: str, kind: Kind, name: str | None, parts: tuple[Part, ...]) -> str:
    if kind is Kind.FUNCTION:
        head = (
            f"Write a function `{name}({'n' if domain == 'digits' else 'v'})`. "
            + {
                "numbers": "`v` is a list of 0 to 12 integers from -20 to 20.",
                "digits": "`n` is an integer from 0 to 999999999; take the list of its digits.",
                "words": "`v` is a list of 0 to 12 words of lowercase letters.",
            }[domain]
        )
    else:
        head = {
            "numbers": "The input is one line with 0 to 12 integers from -20 to 20.",
            "digits": "The input is one integer from 0 to 999999999; take the list of its digits.",
            "words": "The input is one line with 0 to 12 words of lowercase letters.",
        }[domain]
    return f"{head}\nTake it, then {', then '.join(part.words for part in parts)}."


def draw_input(task: Task, rng: random.Random, longest: int) -> str:
    """An input of `task`, as a test holds it, with at most `longest` items."""
    length = rng.randint(0, longest)
    value: Any
    if task.domain == "digits":
        value = rng.randint(0, 10 ** min(9, max(1, length)) - 1)
    elif task.domain == "words":
        value = rng.choices(VOCABULARY, k=length)
    else:
        value = [rng.randint(-20, 20) for _ in range(length)]
        if value and rng.random() < 0.4:  # equal numbers
            value[rng.randrange(len(value))] = rng.choice(value)
    if task.problem.kind is Kind.FUNCTION:
        return encode(value)
    return (str(value) if task.domain == "digits" else " ".join(map(str, value))) + "\n"


def write_program(task: Task, rng: random.Random, parts: tuple[Part, ...] | None = None, at: int = -1) -> str:
    """A program of the steps `parts` (default: the task's, so a right one), wrong at place `at`.

    Each step stands under its words, so that a small model need not look far for what it writes next.
    """
    lines = list(_read(task, rng))
    for place, part in enumerate(parts or task.parts):
        code = part.fill(rng.choice(part.step.wrong if place == at else part.step.right))
        lines += [f"# {part.words}", _place(code, part.step, task.problem.kind, rng)]
    if task.problem.kind is Kind.FUNCTION:
        argument = "n" if task.domain == "digits" else "v"
        lines = [f"def {task.problem.entry_point}({argument}):", *(f"    {line}" for line in lines)]
    return "\n".join(lines)


def _read(task: Task, rng: random.Random) -> tuple[str, ...]:
    is_call = task.problem.kind is Kind.FUNCTION
    match task.domain:
        case "digits":
            source = "str(n)" if is_call else "input().strip()"
            return (rng.choice((f"v = [int(x) for x in {source}]", f"v = list(map(int, {source}))")),)
        case "words":
            return () if is_call else ("v = input().split()",)
        case _:
            lines = "v = [int(x) for x in input().split()]", "v = list(map(int, input().split()))"
            return () if is_call else (rng.choice(lines),)


def _place(code: str, step: Step, kind: Kind, rng: random.Random) -> str:
    style = rng.random()
    match step.form:
        case Form.FILTER if style < 0.15:
            line = f"v = list(filter(lambda x: {code}, v))"
        case Form.FILTER:
            line = f"v = [x for x in v if {code}]"
        case Form.MAP if style < 0.15:
            line = f"v = list(map(lambda x: {code}, v))"
        case Form.MAP:
            line = f"v = [{code} for x in v]"
        case Form.LIST:
            line = f"v = {code}"
        case _ if kind is Kind.FUNCTION:
            line = f"return {code}"
        case _:
            line = f"print(*{code})" if step.many else f"print({code})"
    return line


def write_wrong(task: Task, rng: random.Random) -> tuple[str, str]:
    """A program with one plausible mistake, and what is wrong with it, in a sentence."""
    steps = task.parts[:-1]
    kind = rng.random()
    if kind < 0.1 and len(steps) > 1:
        out = rng.randrange(len(steps))
        rest = tuple(part for place, part in enumerate(task.parts) if place != out)
        return write_program(task, rng, rest), "A step is missing."
    if kind < 0.25 and len(steps) > 1:
        first, _ = rng.choice(list(pairwise(range(len(steps)))))
        swapped = list(task.parts)
        swapped[first], swapped[first + 1] = swapped[first + 1], swapped[first]
        return write_program(task, rng, tuple(swapped)), "Two steps stand in the wrong order."
    weights = [part.step.hard for part in task.parts]
    at = rng.choices(range(len(weights)), weights)[0]
    what = "The result" if at == len(steps) else f"Step {at + 1}"
    return write_program(task, rng, at=at), f"{what} is wrong."


def write_wrong_line(task: Task, rng: random.Random) -> tuple[str, str]:
    """The first lines of a right program with the end of the last, and the line that goes wrong there.

    It is wrong as a model's lines are: a form that is nearly right, another constant, another step's code, or
    the words of a step that does not come next.
    """
    lines = write_program(task, rng).split("\n")
    at = rng.choices(range(len(task.parts)), [part.step.hard for part in task.parts])[0]
    place = len(lines) - 2 * (len(task.parts) - at)
    """The line of the part's words; its code is the line below."""
    if rng.random() < 0.15:
        wrong = f"# {rng.choice([part for part in task.parts if part != task.parts[at]]).words}"
    else:
        place += 1
        wrong = _write_wrong_code(task, at, rng)
    indent = "    " if task.problem.kind is Kind.FUNCTION else ""
    return "".join(line + "\n" for line in lines[:place]), indent + wrong


def _write_wrong_code(task: Task, at: int, rng: random.Random) -> str:
    part, kind = task.parts[at], task.problem.kind
    steps, results = (WORDS, WORD_RESULTS) if task.domain == "words" else (NUMBERS, NUMBER_RESULTS)
    while True:
        draw, other, forms = rng.random(), part, part.step.wrong
        if draw < 0.2:
            other = _fix(rng.choice(results if at == len(task.parts) - 1 else steps), kind, rng)
            forms = other.step.right
        elif draw < 0.5 and part.step.constants:
            other, forms = replace(part, constant=rng.choice(part.step.constants)), part.step.right
        code = other.fill(rng.choice(forms))
        if code not in map(part.fill, part.step.right):
            return _place(code, other.step, kind, rng)
