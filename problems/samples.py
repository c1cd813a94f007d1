"""Reads SAMPLES files: programs that already exist, in evalplus's two forms and in LiveCodeBench's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from problems.rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from problems.problem import Problem
    from problems.rows import Row

__all__ = ["Sample", "read_samples", "resolve"]


@dataclass(frozen=True, slots=True)
class Sample:
    """A program for a problem; samples of one problem count from 0 in file order."""

    problem_id: str
    code: str
    completion: bool = False
    """`code` continues the problem's starter code, so it is not a program alone."""


def read_samples(path: Path | str) -> list[Sample]:
    """The samples of a file, plain or gzip, JSON Lines or one JSON list, in order.

    A row is `{"task_id", "solution"}`, `{"task_id", "completion"}` or `{"question_id", "code_list": [...]}`;
    further keys are ignored, an id may be a number.

    Raises:
        ProblemFileError: the file cannot be read or a row has none of these forms.
    """
    return [sample for row in read_rows(path) for sample in _samples(row)]


def _samples(row: Row) -> Iterator[Sample]:
    if "question_id" in row.data and "code_list" in row.data:
        identifier = str(row.need("question_id", (str, int)))
        for place, code in enumerate(row.need("code_list", list)):
            if not isinstance(code, str):
                raise row.fail(f"code_list[{place}] must be a string")
            yield Sample(identifier, code)
    elif "solution" in row.data:
        yield Sample(str(row.need("task_id", (str, int))), row.text("solution"))
    elif "completion" in row.data:
        yield Sample(str(row.need("task_id", (str, int))), row.text("completion"), completion=True)
    else:
        raise row.fail(
            "a sample needs 'task_id' with 'solution' or 'completion', or 'question_id' with 'code_list'; "
            f"this row has {', '.join(sorted(row.data)) or 'no key'}"
        )


def resolve(sample: Sample, problem: Problem) -> str:
    """The whole program: a completion goes behind the problem's starter code as it stands."""
    return problem.starter_code + sample.code if sample.completion else sample.code
