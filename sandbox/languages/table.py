"""The languages by name, and what differs between them for whoever asks a model for a program."""

from __future__ import annotations

from dataclasses import dataclass

PYTHON = "python"


@dataclass(frozen=True, slots=True)
class Language:
    """One language in one version."""

    name: str
    """For flags, rows and records, like `cpp17`."""
    title: str
    """For people and models, like `C++17`."""
    suffix: str
    """Suffix of its files, like `.cpp`."""
    fence: str
    """After the three marks that begin a program in an answer, like `cpp`."""
    fences: frozenset[str]
    """Every word that is taken for it there; lower case."""
    flags: tuple[str, ...] = ()
    """Flags of its compiler; empty: it has none."""


_COMMON = ("-O2", "-DONLINE_JUDGE")
_CPP = frozenset({"cpp", "c++", "cc", "cxx", "cpp17", "cpp20", "c++17", "c++20", "cplusplus"})
LANGUAGES = (
    Language(PYTHON, "Python", ".py", "python", frozenset({"python", "python3", "py", "py3"})),
    Language("cpp17", "C++17", ".cpp", "cpp", _CPP, ("-std=c++17", *_COMMON)),
    Language("cpp20", "C++20", ".cpp", "cpp", _CPP, ("-std=c++20", *_COMMON)),
)
_ALIASES = {"cpp": "cpp17", "c++": "cpp17", "c++17": "cpp17", "c++20": "cpp20", "py": PYTHON}
NAMES = (PYTHON, "cpp", "cpp17", "cpp20")
"""The names to offer; `cpp` is the first of its versions."""


def find_language(name: str) -> Language:
    """The language called `name`, or an alias of it.

    Raises:
        ValueError: there is none; the message names all.
    """
    wanted = _ALIASES.get(name.lower(), name.lower())
    for language in LANGUAGES:
        if language.name == wanted:
            return language
    raise ValueError(f"unknown language {name!r}: choose one of {', '.join(NAMES)}")
