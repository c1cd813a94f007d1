"""What the pytest settings of a repository say of doctests: flags for all examples, and names for them."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterable
from pathlib import Path

from sstar_code.agent.repository.find.pytest_settings import find_settings
from sstar_code.sandbox.snapshot import read_beneath

NUMBER = "NUMBER"
"""pytest's flag: a number with a point is compared to as many places as are written."""
_OWN_FLAGS = (NUMBER, "ALLOW_UNICODE", "ALLOW_BYTES")
_MOST_BYTES = 1_000_000
_NUMERAL = re.compile(r"(?<![\w.])[+-]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?(?![\w.])", re.ASCII)
_PREFIX = {
    "ALLOW_UNICODE": re.compile(r"(?<!\w)[uU](?=['\"])"),
    "ALLOW_BYTES": re.compile(r"(?<!\w)[bB](?=['\"])"),
}


def register_flags() -> None:
    """Let doctest know pytest's own flags, as pytest does: an example may name them."""
    for name in _OWN_FLAGS:
        doctest.register_optionflag(name)


def read_flags(path: Path, root: Path) -> tuple[str, ...]:
    """The names under `doctest_optionflags` in the file that pytest would take its settings from for `path`.

    Names that doctest does not know are left out.
    """
    register_flags()
    return tuple(
        name for name in find_settings(path, root)[1].doctest_flags if name in doctest.OPTIONFLAGS_BY_NAME
    )


def _read_text(root: Path, name: str) -> str | None:
    data = read_beneath(root, name, _MOST_BYTES)
    try:
        return None if data is None else data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def find_namespace_files(file: Path, root: Path) -> list[str]:
    """The `conftest.py` files above `file` with a fixture that puts names into doctests, outermost first."""
    folders = [folder for folder in file.parents if folder == root or root in folder.parents]
    names = [(folder / "conftest.py").relative_to(root).as_posix() for folder in reversed(folders)]
    return [str(root / name) for name in names if "doctest_namespace" in (_read_text(root, name) or "")]


def same_number_text(want: str, got: str) -> str:
    """`got`, where each number that is as near to its partner in `want` as is written there is that one."""
    wanted, given = list(_NUMERAL.finditer(want)), list(_NUMERAL.finditer(got))
    if len(wanted) != len(given):
        return got
    pieces, place = [], 0
    for one, other in zip(wanted, given, strict=True):
        pieces += [got[place : other.start()], one[0] if _is_near(one[0], other[0]) else other[0]]
        place = other.end()
    return "".join([*pieces, got[place:]])


def _is_near(want: str, got: str) -> bool:
    mantissa, _, exponent = want.lower().partition("e")
    if "." not in mantissa:
        return False
    places = len(mantissa.partition(".")[2]) - int(exponent or 0)
    try:
        return abs(float(want) - float(got)) <= float(f"1e{-places}")
    except (ValueError, OverflowError):
        return False


def strip_prefixes(text: str, flags: Iterable[str]) -> str:
    """`text` without the marks of text and bytes literals that `flags` allow to differ."""
    for name in flags:
        if name in _PREFIX:
            text = _PREFIX[name].sub("", text)
    return text
