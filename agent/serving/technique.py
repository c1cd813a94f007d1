"""Which technique a request asks for, and with what settings.

The first of these that is there counts, each one whole: the body's field `sstar`, the address
(`/sstar/beam/v1/...`), a tag that begins the task (`<sstar>beam</sstar>`), a model called `sstar-NAME`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from sstar_code.agent.serving.errors import RefusedError, bad_request
from sstar_code.agent.strategies.table import choose_strategy
from sstar_code.problems import Test, UserError
from sstar_code.problems.errors import shorten, suggest
from sstar_code.problems.values import encode

if TYPE_CHECKING:
    from sstar_code.agent.solving.settings import Settings

PREFIX = "sstar-"
MOST_SAMPLES, MOST_ROUNDS, MOST_TESTS = 64, 8, 100
_TAG = re.compile(r"\s{0,200}<sstar>([^<>\n]{0,200})</sstar>[ \t]{0,40}\n?")
_KINDS: Mapping[str, tuple[type, ...]] = {
    "strategy": (str,),
    "n": (int,),
    "rounds": (int,),
    "select": (str,),
    "style": (str,),
    "seed": (int,),
    "tests": (list,),
    "entry_point": (str,),
    "max_tokens_total": (int,),
    "max_seconds": (int, float),
    "progress": (str,),
}
"""Key of the field `sstar` -> what its value may be."""
_BOUNDS: Mapping[str, tuple[float, float]] = {
    "n": (1, MOST_SAMPLES),
    "rounds": (0, MOST_ROUNDS),
    "max_tokens_total": (1, 1 << 40),
    "seed": (-(1 << 63), 1 << 63),
    "max_seconds": (1, 86_400),
}
_NAME = re.compile(r"[A-Za-z_]\w{0,99}(?:\.[A-Za-z_]\w{0,99})?")

ProgressForm = Literal["reasoning", "comments", "none"]
PROGRESS_FORMS: tuple[ProgressForm, ...] = ("reasoning", "comments", "none")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asks of the method."""

    settings: Settings
    tests: tuple[Test, ...] | None = None
    """Tests that take the place of the message's examples; None: none were given."""
    entry_point: str | None = None
    """The function that has to be written; None: as the message says."""
    max_tokens_total: int | None = None
    max_seconds: float | None = None
    progress: ProgressForm | None = None
    """None: the server's own form."""


def split_tag(text: str) -> tuple[str | None, str]:
    """The technique of the tag that `text` begins with, None without one; and the text without it.

    A tag anywhere else is text like any other: whoever is quoted in a task does not choose how it is solved.
    """
    found = _TAG.match(text)
    return (found[1].strip(), text[found.end() :]) if found else (None, text)


def read_wish(field: Any, path: str | None, tag: str | None, default: Settings) -> Wish:
    """What the field, else the address, else the tag asks for; `default` where there is none of them.

    Raises:
        RefusedError: an unknown key or technique, or a value that cannot be; the message lists what can.
    """
    if field is not None:
        return _read_field(field, default)
    named = path if path is not None else tag
    return Wish(_settle(default, {} if named is None else {"strategy": named}))


def _read_field(field: Any, default: Settings) -> Wish:
    if isinstance(field, str):
        field = {"strategy": field}
    if field is True:
        field = {}
    if not isinstance(field, dict):
        raise bad_request("`sstar` must be an object, a technique's name, or true", "sstar")
    for key, value in field.items():
        _check(key, value)
    changes = {
        name: field[name] for name in ("strategy", "n", "rounds", "select", "style", "seed") if name in field
    }
    entry = field.get("entry_point")
    if entry is not None and not _NAME.fullmatch(entry):
        raise bad_request("`sstar.entry_point` must be a name like `f` or `Solution.f`", "sstar.entry_point")
    return Wish(
        _settle(default, changes),
        tests=_read_tests(field["tests"]) if "tests" in field else None,
        entry_point=entry,
        max_tokens_total=field.get("max_tokens_total"),
        max_seconds=field.get("max_seconds"),
        progress=field.get("progress"),
    )


def _check(key: str, value: Any) -> None:
    where = f"sstar.{shorten(key, 60)}"
    if key not in _KINDS:
        raise bad_request(
            f"`{where}` is unknown{suggest(key[:60], _KINDS)}; the keys are {', '.join(_KINDS)}", where
        )
    if not isinstance(value, _KINDS[key]) or isinstance(value, bool):
        words = {str: "a text", int: "a whole number", float: "a number", list: "a list"}
        raise bad_request(f"`{where}` must be {words[_KINDS[key][-1]]}", where)
    number: Any = value
    least, most = _BOUNDS.get(key, (0, 0))
    if key in _BOUNDS and not least <= number <= most:
        raise bad_request(f"`{where}` must be from {least} to {most}", where)
    if key == "progress" and value not in PROGRESS_FORMS:
        raise bad_request(f"`{where}` must be one of {', '.join(PROGRESS_FORMS)}", where)


def _settle(default: Settings, changes: Mapping[str, Any]) -> Settings:
    """`default` with `changes`; a strategy that does not go with a range of samples takes their number.

    Raises:
        RefusedError: these settings cannot be.
    """
    changes = dict(changes)
    if "n" in changes or changes.get("strategy", "waves").partition(":")[0] != "waves":
        changes["least"] = None
    try:
        made = replace(default, **changes)
        choose_strategy(made)
    except UserError as error:
        raise RefusedError(400, shorten(str(error), 600), code="unknown_technique", param="sstar") from error
    return made


def _read_tests(rows: Sequence[Any]) -> tuple[Test, ...]:
    """The tests of `sstar.tests`.

    A test is a text of assertions, or an object with `input` and `output`; a list of arguments may stand for
    the input of a function, and any value for its output.
    """
    if not 1 <= len(rows) <= MOST_TESTS:
        raise bad_request(f"`sstar.tests` must hold from 1 to {MOST_TESTS} tests", "sstar.tests")
    return tuple(_read_test(row, f"sstar.tests[{place}]") for place, row in enumerate(rows))


def _read_test(row: Any, where: str) -> Test:
    if isinstance(row, str):
        return Test(program=row)
    if not isinstance(row, dict) or set(row) != {"input", "output"}:
        raise bad_request(
            f"`{where}` must be an object with `input` and `output`, or a text of assertions", where
        )
    given, expected = row["input"], row["output"]
    if isinstance(given, list):
        return Test("\n".join(map(encode, given)), encode(expected))
    if not isinstance(given, str) or not isinstance(expected, str):
        raise bad_request(
            f"`{where}`: `input` and `output` must be texts, or `input` a list of arguments", where
        )
    return Test(given, expected)
