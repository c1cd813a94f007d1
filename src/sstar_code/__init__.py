"""Better programs from any model: sample, run, repair, and choose by what the programs do.

    import sstar_code

    solution = sstar_code.solve("Read two integers and print their sum.", model="MODEL")
    print(solution.program)

Everything below is loaded when it is first used, so that the import itself takes next to no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sstar_code.agent.api import aevaluate as aevaluate
    from sstar_code.agent.api import arun as arun
    from sstar_code.agent.api import arun_many as arun_many
    from sstar_code.agent.api import aselect as aselect
    from sstar_code.agent.api import asolve as asolve
    from sstar_code.agent.api import evaluate as evaluate
    from sstar_code.agent.api import run as run
    from sstar_code.agent.api import run_many as run_many
    from sstar_code.agent.api import select as select
    from sstar_code.agent.api import solve as solve
    from sstar_code.agent.models.choose import make_model as make_model
    from sstar_code.agent.run.summary import Summary as Summary
    from sstar_code.agent.solving.presets import PRESETS as PRESETS
    from sstar_code.agent.solving.settings import Settings as Settings
    from sstar_code.agent.solving.solve import Solution as Solution
    from sstar_code.problems import InfrastructureError as InfrastructureError
    from sstar_code.problems import Problem as Problem
    from sstar_code.problems import SstarError as SstarError
    from sstar_code.problems import Test as Test
    from sstar_code.problems import UserError as UserError
    from sstar_code.problems import load_set as load_set
    from sstar_code.sandbox import Execution as Execution
    from sstar_code.sandbox import Limits as Limits
    from sstar_code.sandbox import make_sandbox as make_sandbox
    from sstar_code.selection import METHODS as METHODS
    from sstar_code.selection import Candidate as Candidate
    from sstar_code.selection import Selection as Selection

    __version__: str

_HOMES = {
    "agent.api": (
        "aevaluate",
        "arun",
        "arun_many",
        "aselect",
        "asolve",
        "evaluate",
        "run",
        "run_many",
        "select",
        "solve",
    ),
    "agent.models.choose": ("make_model",),
    "agent.run.summary": ("Summary",),
    "agent.solving.presets": ("PRESETS",),
    "agent.solving.settings": ("Settings",),
    "agent.solving.solve": ("Solution",),
    "problems": ("InfrastructureError", "Problem", "SstarError", "Test", "UserError", "load_set"),
    "sandbox": ("Execution", "Limits", "make_sandbox"),
    "selection": ("METHODS", "Candidate", "Selection"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [*_HOME_OF, "__version__"]  # noqa: PLE0604 - strings


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("sstar-code")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'sstar_code' has no attribute {name!r}")
    value = getattr(import_module(f"sstar_code.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
