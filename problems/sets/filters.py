"""Chooses problems by what they say of themselves: `difficulty=hard`, `platform!=leetcode`, or by id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sstar_code.problems.errors import UserError

if TYPE_CHECKING:
    from sstar_code.problems.problem import Problem

_TERM = re.compile(r"(?P<key>[A-Za-z_]\w*)(?P<sign>!?=)(?P<values>.*)", re.DOTALL)


def filter_problems(problems: Iterable[Problem], terms: Sequence[str]) -> list[Problem]:
    """The problems that meet every term, in order.

    A term is `KEY=VALUE[,VALUE...]` or `KEY!=VALUE[,VALUE...]` over `kind` and the metadata, letter case
    aside; a list meets a value that it holds, a date any beginning of it (`date=2024-08`). Any other term is
    a regular expression that is looked for in the id.

    Raises:
        UserError: a term is no regular expression, or no problem has its key.
    """
    chosen = list(problems)
    for term in terms:
        match = _TERM.fullmatch(term)
        if match is None:
            try:
                wanted = re.compile(term)
            except re.error as error:
                raise UserError(f"--filter {term!r} is not a regular expression: {error}") from error
            chosen = [problem for problem in chosen if wanted.search(problem.id)]
            continue
        key, keep = match["key"], match["sign"] == "="
        values = [value.strip().casefold() for value in match["values"].split(",")]
        if chosen and not any(key in _facts(problem) for problem in chosen):
            raise UserError(
                f"--filter {term!r}: no problem says its {key!r}; they say {_known(chosen)}; "
                "a regular expression for ids must not begin like NAME="
            )
        chosen = [problem for problem in chosen if _meets(_facts(problem).get(key), values, key) is keep]
    return chosen


def _facts(problem: Problem) -> Mapping[str, Any]:
    return {"kind": problem.kind.value, **problem.metadata}


def _known(problems: list[Problem]) -> str:
    keys = {
        key
        for problem in problems
        for key, value in _facts(problem).items()
        if value not in (None, "") and not isinstance(value, Mapping) and len(str(value)) < 80
    }
    return ", ".join(sorted(keys))


def _meets(fact: Any, values: list[str], key: str) -> bool:
    if isinstance(fact, list | tuple):
        return any(_meets(item, values, key) for item in fact)
    text = "" if fact is None else str(fact).casefold()
    return text in values or (key == "date" and any(value and text.startswith(value) for value in values))
