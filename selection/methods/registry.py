"""All methods by name: ours, and those that other packages bring.

An entry point is an async function that takes a `Pool` and returns a `Selection`:

    [project.entry-points."sstar_code.methods"]
    shortest = "my_package:select_shortest"
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from sstar_code.problems import UserError
from sstar_code.problems.errors import suggest
from sstar_code.problems.plugins import Plugin, list_plugins
from sstar_code.selection.methods.adaptive import select_adaptive
from sstar_code.selection.methods.baselines import (
    select_diffcode,
    select_first,
    select_functional,
    select_majority,
    select_mbr,
    select_oracle,
    select_random,
)
from sstar_code.selection.methods.consensus_tests import select_b4, select_codet, select_tests
from sstar_code.selection.methods.pairwise_code_judge import select_judge
from sstar_code.selection.methods.sstar import select_sstar
from sstar_code.selection.protocols import Selection

if TYPE_CHECKING:
    from sstar_code.selection.pool import Pool


def list_methods() -> Mapping[str, Plugin]:
    """Every method that installed packages bring, by name."""
    return list_plugins("selection method", "sstar_code.methods")


def load_method(plugin: Plugin) -> Callable[[Pool], Awaitable[Selection]]:
    """The method that `plugin` is. Its faults are told as its package's, in one line.

    Raises:
        UserError: the package cannot be imported.
    """
    method = plugin.load()

    async def select(pool: Pool) -> Selection:
        with plugin.blamed():
            selection = await method(pool)
            if not isinstance(selection, Selection):
                raise TypeError(f"gives a {type(selection).__name__} where a Selection is expected")
            if selection.chosen is not None and selection.chosen not in range(len(pool.candidates)):
                raise ValueError(f"chose {selection.chosen!r} of {len(pool.candidates)} candidates")
            return replace(selection, method=plugin.name)

    return select


Method: TypeAlias = "Callable[[Pool], Awaitable[Selection]]"
"""Chooses one candidate of a pool; the same pool gives the same choice.

A method raises `InfrastructureError` where the sandbox broke. A failed model call is no error but missing
evidence.
"""

METHODS: Mapping[str, Method] = {
    "adaptive": select_adaptive,
    "sstar": select_sstar,
    "random": select_random,
    "first": select_first,
    "majority": select_majority,
    "mbr": select_mbr,
    "functional": select_functional,
    "diffcode": select_diffcode,
    "codet": select_codet,
    "b4": select_b4,
    "tests": select_tests,
    "judge": select_judge,
    "oracle": select_oracle,
}
"""The methods known here; installed packages may bring more (`plugins`)."""


def choose(name: str) -> Method:
    """The method called `name`, ours or else an installed package's: a name of ours is not taken over.

    Raises:
        UserError: there is none (all names are listed, the nearest is suggested), or its package is broken.
    """
    if name in METHODS:
        return METHODS[name]
    plugins = list_methods()
    if name in plugins:
        return load_method(plugins[name])
    names = list(dict.fromkeys((*METHODS, *plugins)))
    raise UserError(
        f"unknown selection method {name!r}{suggest(name, names)}; choose one of {', '.join(names)}"
    )


async def select_all(
    pool: Pool, names: Iterable[str] = tuple(METHODS), *, free: Collection[str] = ()
) -> dict[str, Selection]:
    """The choice of each method, on the same executions and answers; those in `free` may ask nothing.

    Raises:
        UserError: an unknown name; raised before anything is run.
    """
    methods = {name: choose(name) for name in names}
    without_model = pool.without_model()
    return {name: await method(without_model if name in free else pool) for name, method in methods.items()}
