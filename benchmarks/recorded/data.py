"""The folder of recorded programs: what its readers have in common."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sstar_code.problems import Problem, Test, load_set
from sstar_code.problems.statements.literals import read_assert

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["COMMON_IMPORTS", "load", "number", "prepare", "read_given_tests", "read_lines"]

COMMON_IMPORTS = """\
import math, re, sys, os, copy, random, string, itertools, functools, operator, collections, heapq, bisect
import statistics, datetime, json, time
from typing import *
from collections import *
"""
"""Where a set says that its verdicts were taken with common imports first."""


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of JSON Lines, plain or gzip."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for line in lines:
            yield json.loads(line)


def load(spec: str) -> dict[str, Problem]:
    """The problems of a set by the last part of their id."""
    return {number(problem.id): problem for problem in load_set(spec).problems}


def number(identifier: object) -> str:
    """The last part of an id: `2` for `Mbpp/2`."""
    return str(identifier).rpartition("/")[2]


def prepare(problem: Problem) -> Problem:
    """`problem` with common imports first."""
    return replace(problem, preamble=COMMON_IMPORTS + problem.preamble)


def read_given_tests(folder: Path) -> dict[str, tuple[Test, ...]]:
    """The public tests that HumanEval's recorded public verdicts were taken on, by number."""
    return {
        number(row["task_id"]): tuple(read_assert(text, row["entry_point"]) for text in row["given_tests"])
        for row in read_lines(folder / "humaneval" / "tests.jsonl")
    }
