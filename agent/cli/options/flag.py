"""How a flag is made, and the flags of thinking."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import typer


def flag(*names: str, panel: str | None = None, env: tuple[str, ...] = (), **more: Any) -> Any:
    """A flag that `SSTAR_NAME` sets too, and the variables `env`."""
    long = next(name for name in names if name.startswith("--"))
    variable = "SSTAR_" + long.removeprefix("--").replace("-", "_").upper()
    return typer.Option(*names, envvar=[variable, *env], show_envvar=False, rich_help_panel=panel, **more)


def check_language(value: str) -> str:
    """The name of the language `value`. Checked here so that a settings file is named.

    Raises:
        typer.BadParameter: there is none.
    """
    from sstar_code.sandbox.languages.table import find_language

    try:
        return find_language(value).name
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from None


_method = partial(flag, panel="Method")

THINKING: Mapping[str, Any] = {
    "think_min": _method(
        "--think-min",
        metavar="TOKENS",
        min=1,
        help="Tokens that a thinking model has to think before a program: it is told to wait.",
    ),
    "think_max": _method(
        "--think-max",
        metavar="TOKENS",
        min=1,
        help="Tokens after which its thinking is ended, continued token by token; see --max-thinking too.",
    ),
    "think_wait": _method(
        "--think-wait",
        metavar="K[:TEXT]",
        help="Go on with thinking that ends, K times, by `Wait` or TEXT, or by what the draft in it does on "
        "the public tests: K:execute.",
    ),
    "switch_penalty": _method(
        "--switch-penalty",
        metavar="ALPHA:TOKENS",
        help="Take ALPHA from the logits of words that begin another thought, for TOKENS of each: 3:600.",
    ),
    "confidence": _method(
        "--confidence",
        metavar="keep=SHARE[,...]",
        help="Give up samples that the model is less sure of than of this share of its first ones: keep=0.9.",
    ),
    "mur": _method(
        "--mur",
        metavar="GAMMA[:N]",
        help="Write an answer in steps, and those N times that the model is less sure of than before: 0.9:4.",
    ),
    "cut_loops": _method("--cut-loops", help="End thinking that repeats itself, and have it answered."),
    "drafts": _method(
        "--drafts", help="Programs in the thinking that pass the public tests are candidates too."
    ),
}
"""Field of the settings -> its flag."""
