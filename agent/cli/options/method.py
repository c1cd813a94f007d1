"""The flags of the method: samples, repairs, strategy, selection."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import typer

from sstar_code.agent.cli.display import complete
from sstar_code.agent.cli.options.flag import THINKING, check_language, flag
from sstar_code.agent.solving.settings import Settings, read_samples
from sstar_code.problems import UserError

_method, _model = (partial(flag, panel=panel) for panel in ("Method", "Model"))


def check_n(value: str) -> str:
    """`value`, as it is: a number, a range or `auto`. Checked here so that a settings file is named.

    Raises:
        typer.BadParameter: it is none of these.
    """
    try:
        read_samples(value)
    except UserError as error:
        raise typer.BadParameter(str(error).removeprefix("--n ") + ".") from None
    return value


def check_strategy(value: str) -> str:
    """As `check_n`, for a strategy with its settings."""
    from sstar_code.agent.strategies.table import parse_strategy

    try:
        if value:
            parse_strategy(value)
    except UserError as error:
        raise typer.BadParameter(str(error).removeprefix("--strategy ") + ".") from None
    return value


METHOD_FLAGS: Mapping[type, Mapping[str, Any]] = {
    Settings: {
        "n": _method(
            "--n",
            metavar="N",
            callback=check_n,
            help="Samples per problem: a number (16), a range (2..32: stop when another sample is not worth "
            "it), or auto (2..32).",
        ),
        "rounds": _method("--rounds", metavar="N", min=0, help="Rounds of repair a sample at most."),
        "temperature": _method(
            "--temperature",
            metavar="T",
            min=0.0,
            max=2.0,
            help="Sampling temperature for samples and repairs.",
        ),
        "language": _method(
            "--language",
            metavar="NAME",
            callback=check_language,
            help="Language of the programs: python, cpp (C++17), cpp17 or cpp20; others than Python for "
            "problems that read standard input.",
        ),
        "greedy": _method("--greedy", help="One sample at temperature 0, in place of --n and --temperature."),
        "seed": _method("--seed", metavar="N", help="Sample k is asked for with seed + k."),
        "select": _method(
            "--select",
            "--method",
            metavar="METHOD",
            autocompletion=complete.list_methods,
            help="Method whose choice is the answer; an unknown name lists all.",
        ),
        "max_tokens": _model(
            "--max-tokens", metavar="N", min=1, help="Token limit of one answer, thinking included."
        ),
        "context": _method(
            "--context", metavar="WHAT", help="What a repair sees: all rounds of its sample, or the last."
        ),
        "strategy": _method(
            "--strategy",
            metavar="NAME[:KEY=VALUE,...]",
            autocompletion=complete.list_strategies,
            callback=check_strategy,
            help="How candidates come to be; a wrong name or key lists all. (default: sample; with a range "
            "of samples waves)",
        ),
        "style": _method(
            "--style",
            metavar="NAME",
            autocompletion=complete.list_styles,
            help="What comes before an answer: cot (reasoning), direct (nothing), draft (a few words), plan "
            "(ideas).",
        ),
        "lessons": _method(
            "--lessons",
            metavar="WHOSE",
            help="Tell later prompts what repairs found wrong: off, problem, set (other problems' too).",
        ),
        "repair_confirmed": _method(
            "--repair-confirmed",
            help="After the choice, repair once what fails an input that the judge confirmed, and choose "
            "again.",
        ),
        "write_checker": _method(
            "--write-checker",
            help="Where a statement has several right outputs and there is no checker, have the model write "
            "one for the public tests; it is used if it passes a trial.",
        ),
        "audit": _method(
            "--audit",
            help="Where the choice is open, have the model read the likeliest program and write tests on "
            "which it may be wrong: one call a problem, for --select adaptive.",
        ),
        **THINKING,
    }
}
"""Record -> field -> its flag."""
