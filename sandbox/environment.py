"""What a program finds where it runs: the version of Python and the libraries that it can import."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.sandbox.languages.table import Language

DEFAULT_LIBRARIES = ("numpy", "sortedcontainers")
"""Import names of the libraries that programs find without being asked for: online judges have them."""
LIBRARY_FOLDER = "/libraries"
"""Where they are inside a sandbox with a root of its own."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What programs can count on in a sandbox."""

    python: str
    """Version of the interpreter, like `3.11`."""
    libraries: tuple[str, ...] = ()
    """Import names of the third-party libraries that programs can import, like `numpy`; sorted."""
    languages: tuple[str, ...] = ()
    """Names of the languages beside Python (`languages.table`); sorted."""
    language: Language | None = None
    """The language that programs are asked for in, where that is not Python."""


def check_packages(packages: Iterable[str]) -> tuple[str, ...]:
    """`packages`, each once, in order, without those that are there anyway.

    Raises:
        UserError: one is no name that can be imported.
    """
    names = tuple(packages)
    for name in names:
        if not re.fullmatch(r"[A-Za-z]\w*", name):
            raise UserError(f"--packages: {name!r} is no import name; give names like scipy,networkx")
        if name in sys.stdlib_module_names:
            raise UserError(f"--packages: {name} is of the standard library, which every program can import")
    return tuple(name for name in dict.fromkeys(names) if name not in DEFAULT_LIBRARIES)


def find_libraries(packages: Sequence[str] = ()) -> tuple[list[str], list[Path]]:
    """The libraries beside this interpreter: their import names, and all files and folders they need.

    Those of `DEFAULT_LIBRARIES` that are not installed are left out.

    Raises:
        UserError: one of `packages` is not installed.
    """
    (names, parts) = ([], {})
    for name in (*DEFAULT_LIBRARIES, *packages):
        if (found := _find_parts(name)) is not None:
            names.append(name)
            parts.update(dict.fromkeys(found))
        elif name in packages:
            raise UserError(
                f"--packages {name}: it is not installed beside sstar, and `--sandbox local` has no others: "
                f"`{sys.executable} -m pip install {name}`, or use `--sandbox docker`"
            )
    return sorted(names), list(parts)


def _find_parts(name: str) -> list[Path] | None:
    """Files and folders of the library `name` and of what it requires; None where it is not installed."""
    if (spec := find_spec(name)) is None:
        return None
    waiting = [name]
    seen: set[str] = set()
    parts: dict[Path, None] = {}
    while waiting:
        project = waiting.pop()
        if project in seen:
            continue
        seen.add(project)
        try:
            found = distribution(project)
        except PackageNotFoundError:
            continue
        parts.update(dict.fromkeys(_list_top(found)))
        waiting += [text for requirement in found.requires or () if (text := _read_requirement(requirement))]
    if not parts:  # a distribution of another name, or none
        places = spec.submodule_search_locations or ([spec.origin] if spec.origin else [])
        parts = dict.fromkeys(Path(place) for place in places)
    return list(parts)


def _list_top(found: Distribution) -> set[Path]:
    """The topmost files and folders of a distribution in its folder."""
    tops = {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}
    paths = {Path(str(found.locate_file(top))) for top in tops}
    return {path for path in paths if path.exists()}


def _read_requirement(text: str) -> str:
    """The project that a requirement names; empty where it is one of an extra."""
    match = re.match(r"[\w.-]+", text)
    return match[0] if match and "extra ==" not in text else ""


def describe_interpreter() -> Environment:
    """This interpreter, without libraries: what is assumed where a sandbox does not say."""
    return Environment(f"{sys.version_info.major}.{sys.version_info.minor}")
