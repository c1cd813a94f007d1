"""How programs, texts and values are shown to a reader: a model, or a person at a terminal.

Untrusted text stays text: a fence is longer than any inside it, and nothing is longer than it may be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sstar_code.problems import values
from sstar_code.sandbox.languages.marks import read_mark
from sstar_code.sandbox.languages.table import PYTHON

_RUNS = re.compile(r"`{3,}")


def cap(text: Any, limit: int = 2000) -> str:
    """`text` with at most `limit` characters of its own; head and tail are kept, the rest is counted."""
    whole = str(text)
    if len(whole) <= limit:
        return whole
    head = limit * 2 // 3
    tail = limit - head
    kept_tail = whole[len(whole) - tail :]
    return f"{whole[:head]}\n[... {len(whole) - limit} characters left out ...]\n{kept_tail}"


def fence(text: Any, tag: str = "") -> str:
    """`text` as a fenced block that nothing inside it can close.

    A program in another language than Python (`languages.marks`) has that language's tag.
    """
    (language, whole) = read_mark(str(text)) if tag == PYTHON else (None, str(text))
    whole, tag = whole.rstrip("\n"), language.fence if language else tag
    longest = max((len(run) for run in _RUNS.findall(whole)), default=0)
    mark = "`" * max(3, longest + 1)
    return f"{mark}{tag}\n{whole}\n{mark}"


def show_value(text: Any) -> str:
    """An encoded value (`problems.values`) as Python writes it; any other text unchanged.

    Sets are written in sorted order: `repr` would follow the interpreter's hash seed.
    """
    whole = str(text)
    try:
        return _show(values.decode(whole))
    except (ValueError, RecursionError):
        return whole


def show_call(name: str | None, test: Any) -> str:
    """`name(1, 'a')` for a test, a mapping with `input`, or the encoded arguments themselves.

    A `Class.method` is called on a fresh instance.
    """
    source = test["input"] if isinstance(test, Mapping) else getattr(test, "input", test)
    arguments = show_arguments(source)[1:-1]
    owner, dot, method = (name or "").rpartition(".")
    return f"{owner}().{method}({arguments})" if dot else f"{method}({arguments})"


def show_arguments(test: Any) -> str:
    """`[1, 'a']` for a test, or for the encoded arguments themselves."""
    source = str(getattr(test, "input", test))
    return f"[{', '.join(show_value(line) for line in source.splitlines() if line.strip())}]"


def _show(value: Any) -> str:  # noqa: PLR0911 - one return a type is the clearest form
    kind = type(value)
    if kind is list:
        return f"[{', '.join(map(_show, value))}]"
    if kind is tuple:
        return f"({_show(value[0])},)" if len(value) == 1 else f"({', '.join(map(_show, value))})"
    if kind is dict:
        return f"{{{', '.join(f'{_show(key)}: {_show(item)}' for key, item in value.items())}}}"
    if kind is frozenset:
        return f"frozenset({_show(set(value)) if value else ''})"
    if kind is set:
        return f"{{{', '.join(sorted(map(_show, value)))}}}" if value else "set()"
    if kind is float and (value != value or value in (float("inf"), float("-inf"))):  # noqa: PLR0124 - NaN
        return f"float('{value}')"
    return repr(value)
