"""Problems and the meaning of "right": the Problem record, loaders, checkers, bundled problems."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sstar_code.problems.errors import InfrastructureError, ProblemFileError, SstarError, UserError
    from sstar_code.problems.problem import Kind, Problem, Test
    from sstar_code.problems.samples import Sample, read_samples, resolve
    from sstar_code.problems.sets.load import ProblemSet, load_set

_HOMES = {
    "errors": ("InfrastructureError", "ProblemFileError", "SstarError", "UserError"),
    "problem": ("Kind", "Problem", "Test"),
    "samples": ("Sample", "read_samples", "resolve"),
    "sets.load": ("ProblemSet", "load_set"),
}
"""Submodule -> its names, which are loaded when they are first used: a command starts with what it needs."""

__all__ = [
    "InfrastructureError",
    "Kind",
    "Problem",
    "ProblemFileError",
    "ProblemSet",
    "Sample",
    "SstarError",
    "Test",
    "UserError",
    "load_set",
    "read_samples",
    "resolve",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
