"""Selection with a part taken out, to see what the part is worth."""

from __future__ import annotations

import importlib
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from sstar_code.selection.inputs.contract.examples import public_inputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sstar_code.problems import Problem
    from sstar_code.selection.evidence.board import Ledger
    from sstar_code.selection.pool import Pool

__all__ = ["ABLATIONS", "ablate"]

ABLATIONS = ("fuzz", "shrink", "trust", "prediction")


async def _only_public(pool: Pool, members: Sequence[int], ledger: Ledger, **_: object) -> list[str]:
    inputs = public_inputs(pool.problem)
    await pool.board.run(members, inputs, ledger)
    return inputs


async def _as_it_is(problem: Problem, text: str, holds: object, **_: object) -> str:  # noqa: ARG001
    return text


_REPLACED: dict[str, tuple[str, Any]] = {
    "fuzz": ("find_model_free_inputs", _only_public),
    "shrink": ("shrink_input", _as_it_is),
    "prediction": ("MOST_MISSES", 0),
}
_USERS = (
    "evidence.observe",
    "methods.baselines",
    "methods.sstar",
    "methods.adaptive",
    "judging.questioning",
    "judging.preparation",
)


@contextmanager
def ablate(parts: Sequence[str]) -> Iterator[None]:
    """Leave `parts` out as long as the context lasts, wherever selection uses them.

    `fuzz`: the public inputs are the only free ones. `shrink`: questions show inputs as they were found.
    `prediction`: no output is asked for before the model sees one. `trust` is for the caller to leave out.
    """
    with ExitStack() as stack:
        for part in parts:
            if part not in _REPLACED:
                continue
            name, stand_in = _REPLACED[part]
            for user in _USERS:
                module = importlib.import_module(f"sstar_code.selection.{user}")
                if hasattr(module, name):
                    stack.enter_context(patch.object(module, name, stand_in))
        yield
