"""Commands whose parameters are records: each field of a record is a flag of `agent.cli.options`.

A command names the records it needs as parameters (`endpoint: Endpoint`), and `grouped` shows typer their
fields as flags. `Annotated[Settings, "select", "seed"]` takes only these fields,
`Annotated[Endpoint, "-model"]` all but this one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields
from functools import wraps
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from sstar_code.agent.cli.options import AS_TYPED, FLAGS
from sstar_code.agent.cli.preset import CONTEXT, follow_preset
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice
from sstar_code.agent.run.outcomes import Prices
from sstar_code.agent.solving.settings import Settings, read_samples
from sstar_code.problems import UserError


def grouped(command: Callable[..., int]) -> Callable[..., int]:
    """A command whose parameters may be records of `FLAGS` or other dataclasses of flags, as typer wants it.

    The fields of other dataclasses, like those of `agent.cli.findings`, carry their flags themselves.
    """
    parameters: list[inspect.Parameter] = []
    records: dict[str, tuple[Any, list[str]]] = {}
    signature = inspect.signature(command)
    for name, hint in get_type_hints(command, include_extras=True).items():
        kind, *wanted = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        if name == "return":
            continue
        if not hasattr(kind, "__dataclass_fields__"):
            parameters.append(signature.parameters[name].replace(annotation=hint))
            continue
        made = _read_fields(kind, wanted)
        records[name] = (kind, [parameter.name for parameter in made])
        parameters += made

    @wraps(command)
    def flat(**values: Any) -> int:
        context = values.pop(CONTEXT, None)
        if values.get("preset") is not None:
            follow_preset(values, context)
        given = {
            name: _make(kind, {_field_of(kind, key): values.pop(key) for key in keys})
            for name, (kind, keys) in records.items()
        }
        _check_together(given.values())
        return command(**values, **given)

    if "preset" in signature.parameters:
        parameters.append(
            inspect.Parameter(CONTEXT, inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        )
    parameters.sort(key=lambda parameter: parameter.kind)
    flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    flat.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return flat


def _check_together(records: Iterable[Any]) -> None:
    """Refuse options that two records have and that do not go together.

    Raises:
        UserError: thinking is capped in two ways, or led where several models write programs; a depth is
            asked for where a role's model writes them.
    """
    every = list(records)
    endpoint = next((item for item in every if isinstance(item, Endpoint)), None)
    settings = next((item for item in every if isinstance(item, Settings)), None)
    if endpoint is None or settings is None:
        return
    is_led, is_deep = settings.thinking.is_led, settings.strategy_name == "depth"
    if is_led and endpoint.max_thinking is not None:
        raise UserError("--max-thinking: beside other options of thinking the cap is --think-max; give that")
    others = [role for role in endpoint.roles if role in ("drafter", "editor")]
    if others and (is_led or is_deep):
        what = "options of thinking need" if is_led else "--strategy depth needs"
        raise UserError(
            f"--role-model {others[0]}=...: {what} one model for all programs; leave one of them out"
        )


def _read_fields(kind: type, wanted: list[str]) -> list[inspect.Parameter]:
    """The flags of `kind`, those of the fields `wanted` only where some are named, with their defaults.

    A name with a dash before it is left out.
    """
    flags, hints = FLAGS.get(kind), get_type_hints(kind, include_extras=True)
    made = []
    for field in fields(kind):
        only = [name for name in wanted if not name.startswith("-")]
        if (only and field.name not in only) or (flags is not None and field.name not in flags):
            continue
        if f"-{field.name}" in wanted:
            continue
        typed = AS_TYPED.get((kind, field.name), hints[field.name])
        default = None if field.default in (MISSING, ()) else field.default
        made.append(
            inspect.Parameter(
                _parameter_of(kind, field.name),
                inspect.Parameter.KEYWORD_ONLY,
                default=str(default) if typed is str and default is not None else default,
                annotation=typed if flags is None else Annotated[typed, flags[field.name]],
            )
        )
    return made


def _parameter_of(kind: type, field: str) -> str:
    """Prices and SandboxChoice have short field names; two records of a command may not share one."""
    return f"{kind.__name__.lower()}_{field}" if kind in (Prices, SandboxChoice) else field


def _field_of(kind: type, parameter: str) -> str:
    return parameter.removeprefix(f"{kind.__name__.lower()}_")


def _make(kind: Any, values: dict[str, Any]) -> Any:
    if "n" in values and kind is Settings:
        values["least"], values["n"] = read_samples(values["n"])
    made = kind(**values)
    if "strategy" in values:
        from sstar_code.agent.strategies.table import choose_strategy

        choose_strategy(made)
    return made
