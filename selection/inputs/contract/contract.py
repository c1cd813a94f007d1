"""What every input of a problem has in common, as far as examples, signature and statement show it.

A contract reads an input into a *record*: the arguments of a call, or the elements of a layout
(`layout`). It writes a record back with its counts made right, and says whether an input keeps to what
was inferred. It errs towards admitting too much: ranges come from the statement where it gives
them as inequalities; otherwise only the signs of numbers and the sorts of letters are kept.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sstar_code.problems import Kind
from sstar_code.selection.inputs.contract.annotations import read_annotation
from sstar_code.selection.inputs.contract.domain import ANYTHING, Domain, infer
from sstar_code.selection.inputs.contract.examples import (
    annotations_of,
    example_calls,
    named_calls,
    parameter_names,
    public_inputs,
)
from sstar_code.selection.inputs.contract.forms import CallForm, LayoutForm, LinesForm
from sstar_code.selection.inputs.contract.stated_limits import narrow_call, narrow_layout, narrow_words
from sstar_code.selection.inputs.stdin_layout.infer import find_layout, layout_domain
from sstar_code.selection.inputs.strategies.draw import draw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from sstar_code.problems import Problem
    from sstar_code.selection.inputs.contract.forms import Form

__all__ = ["Contract"]

_DRAWN = 3
"""Records drawn where there is a signature but no example."""
_CALLED = re.compile(r"arguments of `(\w+)`")
"""How loaders say that a program on standard input stands for a function."""


@dataclass(frozen=True, slots=True)
class Contract:
    """The inputs of one problem."""

    form: Form | None = None
    """None: nothing about the inputs is known."""
    domain: Domain = ANYTHING
    """Of records."""
    records: tuple[tuple[Any, ...], ...] = ()
    """Of the public inputs."""

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """The contract that `problem` shows. Takes up to about half a second for odd layouts."""
        if problem.kind is Kind.FUNCTION:
            return cls._of_function(problem)
        return cls._of_stdin(problem)

    @classmethod
    def _of_function(cls, problem: Problem) -> Self:
        calls = _of_one_size(example_calls(problem))
        names = parameter_names(problem)
        if not calls:
            annotations = annotations_of(problem)
            domain = Domain("record", parts=tuple(map(read_annotation, annotations)))
            if not annotations:
                return cls()
            calls = _draw_records(domain, problem.id)
        else:
            domain = _record_domain(calls)
        text = f"{problem.statement}\n{problem.starter_code}"
        domain = narrow_words(narrow_call(domain, names[0] if names else (), text), text)
        return cls(CallForm.of(calls), domain, tuple(map(tuple, calls)))

    @classmethod
    def _of_stdin(cls, problem: Problem) -> Self:
        texts = [text for text in public_inputs(problem) if text.strip()]
        if not texts:
            return cls._of_called(problem)
        if lines := LinesForm.of(texts):
            records = [lines.read(text) for text in texts]
            return cls(lines, narrow_words(_record_domain(records), problem.statement), _freeze(records))
        if (elements := find_layout(texts)) is None:
            return cls()
        form = LayoutForm(elements)
        records = [record for text in texts if (record := _try_read(form, text)) is not None]
        domain = narrow_layout(layout_domain(elements, records), problem.statement)
        return cls(form, narrow_words(domain, problem.statement), _freeze(records))

    @classmethod
    def _of_called(cls, problem: Problem) -> Self:
        """A function's calls in the statement, where standard input stands for its arguments."""
        named = _CALLED.search(problem.statement)
        calls = _of_one_size(named_calls(problem.statement, named[1])) if named else []
        if not calls:
            return cls()
        columns = zip(*calls, strict=True)
        form = LinesForm(
            tuple(not all(isinstance(item, str) for item in column) for column in columns), False
        )
        return cls(form, narrow_words(_record_domain(calls), problem.statement), _freeze(calls))

    def read(self, text: str) -> list[Any] | None:
        """The record of `text`; None where it has another form."""
        return None if self.form is None else _try_read(self.form, text)

    def write(self, record: Sequence[Any]) -> str | None:
        """The text of `record` with its counts made right; None where that cannot be."""
        if self.form is None:
            return None
        try:  # a change may have gone beyond what the form can write
            return self.form.write(record)
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError):
            return None

    def admits(self, text: str) -> bool:
        """Whether `text` has the form of the public inputs and keeps to what was inferred.

        With no form known everything but blanks is admitted.
        """
        if self.form is None:
            return bool(text.strip())
        record = self.read(text)
        return record is not None and self.domain.admits(record)


def _try_read(form: Form, text: str) -> list[Any] | None:
    try:
        return form.read(text)
    except (ValueError, RecursionError):
        return None


def _freeze(records: Sequence[Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
    return tuple(map(tuple, records))


def _of_one_size(calls: Sequence[list[Any]]) -> list[list[Any]]:
    """Those with as many arguments as most have."""
    if not calls:
        return []
    size = Counter(map(len, calls)).most_common(1)[0][0]
    return [call for call in calls if len(call) == size] if size else []


def _record_domain(records: Sequence[Sequence[Any]]) -> Domain:
    return Domain("record", parts=tuple(infer(column) for column in zip(*records, strict=True)))


def _draw_records(domain: Domain, seed: str) -> list[list[Any]]:
    rng = random.Random(seed)
    return [list(draw(domain, rng, 4)) for _ in range(_DRAWN)]
