"""The Problem record: what has to be solved and which tests say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sstar_code.problems.calls import PLAIN_CALL, CallForm

MAX_OUTPUT_MB = 16
"""The most that a program may write in one run: a test that expects more cannot be passed."""
MAX_TIME_S = 86_400.0
MAX_MEMORY_MB = 1 << 20
"""Limits beyond these, a day and a terabyte, are mistakes of units."""
MAX_PROGRAM = 1 << 19
"""Characters of the longest program that is run; AtCoder, the most generous site, takes as many bytes."""
MAX_TESTS = 100_000
"""Tests of a problem that are read from a file; published sets have some hundreds."""
READING_NOTES = "reading_notes"
"""Key of a problem's metadata for the notes of its reading, in sets of statements."""


class Kind(StrEnum):
    """How a candidate is run."""

    STDIN = "stdin"
    """A whole program: reads standard input, writes standard output."""
    FUNCTION = "function"
    """A function or a method of a class: called with arguments, its return value counts."""


class Asked(StrEnum):
    """What an answer is; that which is no program becomes one (`problems.prediction.answers`)."""

    PROGRAM = "program"
    VALUE = "value"
    """The value of an expression that the statement shows."""
    CALL = "call"
    """A call of a function of the preamble that has the value which the statement shows."""


@dataclass(frozen=True, slots=True)
class Test:
    """One test, in one of two forms.

    Input and output (the verdict is decided outside the sandbox): `input` is the text on standard
    input, or for functions one encoded value (`problems.values`) per argument, one a line; `output` is the
    expected standard output, or one encoded value. `output` is None where only the input is known.

    Assertions (`program` set): Python source that must run to its end, in a process that the candidate never
    enters; names that it does not define are the candidate's. What needs the candidate's objects themselves
    (`problems.formats.trust`) runs in the candidate's process, and so trusts it.
    """

    __test__ = False  # not a pytest class

    input: str = ""
    output: str | None = None
    program: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem as every part of the product sees it; `formats.jsonl` reads and writes it.

    Raises:
        ValueError: `kind` is none.
        TypeError: a text is no text, or a test is no `Test`.
    """

    id: str
    statement: str
    kind: Kind
    """May be given as its text, `stdin` or `function`."""
    entry_point: str | None = None
    """Name of the function, or `Class.method`, or of a class that is driven; None for `stdin`."""
    starter_code: str = ""
    """Shown to the model; put in front of a candidate that does not define the entry point."""
    public_tests: tuple[Test, ...] = ()
    """May be used while solving. A list becomes a tuple, here and below."""
    hidden_tests: Sequence[Test] = ()
    """Only ever used to grade; a tuple, or `StoredTests` where there are many."""
    time_limit_s: float = 6.0
    """CPU seconds for one test."""
    memory_limit_mb: int = 1024
    int_digits: int | None = None
    """Digits of the longest integer that a program may print or read as decimal text; 0: no limit, None:
    Python's own."""
    checker: str | Mapping[str, str] = "exact"
    """A name of `problems.checkers.CHECKERS`, with `:argument` where it takes one, or a program that judges,
    as those below: {"program": source}, or that with "language": "cpp" (`problems.formats.judges`)."""
    preamble: str = ""
    """Source run before the candidate, in its name space but under another file name: common imports."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    several_answers: bool = False
    """The statement accepts other outputs than the expected ones, and no checker is known that says which: an
    output that differs from a test's may be right."""
    call: CallForm = PLAIN_CALL
    """How the entry point is called."""
    asks: Asked = Asked.PROGRAM
    """What is asked for."""
    interactor: Mapping[str, str] | None = None
    """The program that a candidate talks to in place of reading a test's input, for `stdin` problems."""
    validator: Mapping[str, str] | None = None
    """A program that reads an input and ends well where the problem allows it."""
    generator: Mapping[str, str] | None = None
    """A program that prints an input; under "commands" its arguments, those of one run on each line."""
    frame: Mapping[str, str] | None = None
    """C++ around a candidate that is a function in it (`problems.formats.frames`), whose tests print the
    output of the problem's one test. Such problems are of kind `stdin`."""
    full_score: float | None = None
    """The number that the checker gives a test that is right; None: it passes or fails."""

    def __post_init__(self) -> None:
        for name in ("id", "statement", "starter_code", "preamble"):
            if not isinstance(getattr(self, name), str):
                raise self._mistyped(name, "a text", getattr(self, name))
        if not isinstance(self.several_answers, bool):
            raise self._mistyped("several_answers", "True or False", self.several_answers)
        if not isinstance(self.entry_point, str | None):
            raise self._mistyped("entry_point", "a text or None", self.entry_point)
        if self.kind not in list(Kind):
            raise ValueError(f'problem {self.id!r}: kind must be "stdin" or "function", got {self.kind!r}')
        object.__setattr__(self, "kind", Kind(self.kind))
        object.__setattr__(self, "asks", Asked(self.asks))
        for name in ("public_tests", "hidden_tests"):
            object.__setattr__(self, name, self._as_tests(name, getattr(self, name)))

    def _as_tests(self, name: str, tests: Any) -> Sequence[Test]:
        """The tests as a tuple; a sequence of another kind, which may be slow to read, stays as it is."""
        if not isinstance(tests, list | tuple):
            if isinstance(tests, Sequence) and not isinstance(tests, str | bytes):
                return tests
            raise self._mistyped(name, "a list of tests", tests)
        for place, test in enumerate(tests):
            if not isinstance(test, Test):
                raise self._mistyped(f"{name}[{place}]", "a Test", test)
        return tuple(tests)

    def _mistyped(self, name: str, wanted: str, got: Any) -> TypeError:
        return TypeError(f"problem {self.id!r}: {name} must be {wanted}, got {type(got).__name__}")
