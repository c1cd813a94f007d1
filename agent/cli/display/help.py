"""The help of the commands: everyday options in groups, one block each, within the terminal's width.

`--help --all` shows every option, with the range of its values and the variables that set it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from sstar_code.agent.cli.display.lines import wrap
from sstar_code.agent.cli.display.terminal import BOLD, CYAN, DIM, has_colours, measure_width, paint

FURTHER = frozenset({
    "--system-role", "--max-in-flight", "--call-timeout", "--record", "--max-thinking", "--vllm-command",
    "--think-min", "--think-max", "--think-wait", "--switch-penalty",
    "--confidence", "--cut-loops", "--drafts", "--mur",
    "--vllm-args", "--top-p", "--top-k", "--min-p", "--reasoning-effort", "--extra-body", "--no-model-check",
    "--max-tokens-problem", "--max-seconds", "--price-prompt", "--price-output", "--prices", "--context",
    "--prompts", "--runtime", "--packages", "--ray", "--start-date", "--end-date", "--log-file", "--otel",
    "--overwrite", "--sarif", "--junit", "--summary", "--shard", "--retry",
})  # fmt: skip
"""Options that few runs need: help names them, and describes them with `--all`."""
GROUPS = (
    "Options",
    "Problems",
    "Model",
    "Method",
    "Running programs",
    "Limits",
    "Repository",
    "Reports",
    "Output",
)
"""Groups of options in the order in which they are shown; others follow."""
_MOST_COLUMNS = 100
_NAMES_COLUMNS = 21
"""Width of the column of names; a longer name has a line of its own."""
_ALL = "sstar.all"


class GroupedCommand(TyperCommand):
    """A command whose help shows its everyday options in groups."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse; `--all` beside `--help` asks for every option."""
        if "--all" in args and {"--help", "-h"} & set(args):
            ctx.meta[_ALL] = True
            args = [word for word in args if word != "--all"]
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        if sum(option.name == "model" and not option.multiple for option in given) > 1:
            raise typer.BadParameter(
                f"{self.name} asks one model, and more were given; `sstar eval` takes several.",
                param_hint="'-m' / '--model'",
                ctx=ctx,
            )
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        ctx.color = has_colours(sys.stdout)  # what echo does with the colours that are written here
        arguments, options = _split(self.get_params(ctx))
        words = " ".join(["[OPTIONS]", *(_name_argument(argument) for argument in arguments)])
        blocks = [_paint_usage(f"{ctx.command_path} {words}"), _write_text(self.help or "")]
        blocks.append(
            _write_list(
                "Arguments", [(_name_argument(one), one.help or "") for one in arguments], _NAMES_COLUMNS
            )
        )
        whole = bool(ctx.meta.get(_ALL))
        shown = [option for option in options if whole or not FURTHER & set(option.opts)]
        for name in sorted({_group(one) for one in shown}, key=_place):
            rows = [
                (_name_option(one), _describe(one, ctx, whole=whole)) for one in shown if _group(one) == name
            ]
            blocks.append(_write_list(name, rows, _NAMES_COLUMNS))
        left_out = [option.opts[-1] for option in options if option not in shown]
        if left_out:
            blocks.append(_write_further(ctx.command_path, left_out))
        formatter.write("\n\n".join(block for block in blocks if block))


class GroupedCommands(TyperGroup):
    """The command `sstar`, whose help lists the commands in groups."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        ctx.color = has_colours(sys.stdout)
        _, options = _split(self.get_params(ctx))
        groups: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            described = (name, command.get_short_help_str(_MOST_COLUMNS))
            groups.setdefault(getattr(command, "rich_help_panel", None) or "Commands", []).append(described)
        width = max(len("-V, --version"), *map(len, self.commands))
        blocks = [_paint_usage(f"{ctx.command_path} COMMAND [OPTIONS]"), _write_text(self.help or "")]
        blocks += [_write_list(title, rows, width) for title, rows in groups.items()]
        blocks.append(
            _write_list(
                "Options", [(_name_option(one), _describe(one, ctx, whole=False)) for one in options], width
            )
        )
        blocks.append("`sstar COMMAND --help` tells more of a command, `--help --all` all of it.")
        formatter.write("\n\n".join(block for block in blocks if block))


def _split(parameters: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Arguments and options that are shown."""
    shown = [parameter for parameter in parameters if not parameter.hidden]
    arguments = [parameter for parameter in shown if parameter.param_type_name == "argument"]
    return arguments, [parameter for parameter in shown if parameter not in arguments]


def _group(option: Any) -> str:
    return option.rich_help_panel or GROUPS[0]


def _place(name: str) -> tuple[int, str]:
    return (GROUPS.index(name) if name in GROUPS else len(GROUPS), name)


def _name_argument(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _name_option(option: Any) -> str:
    names = ", ".join(sorted(option.opts, key=len))
    if option.secondary_opts:
        names += f" / {', '.join(option.secondary_opts)}"
    return names if option.is_flag else f"{names} {option.metavar or option.name.upper()}"


def _describe(option: Any, ctx: Any, *, whole: bool) -> str:
    """What the option does, its default, and with `whole` what it may be and which variables set it."""
    more = []
    default = None if option.is_flag else option.get_default(ctx, call=False)
    if default not in (None, "", (), []):
        more.append(f"default: {default:g}" if isinstance(default, float) else f"default: {default}")
    if whole:
        limits = [f"from {option.min:g}"] if option.min is not None else []
        limits += [f"to {option.max:g}"] if option.max is not None else []
        more += [" ".join(limits)] if limits else []
        names = [option.envvar] if isinstance(option.envvar, str) else option.envvar
        more += [", ".join(names)] if names else []
    told = str(option.help or "")
    return f"{told} ({'; '.join(more)})" if more else told


def _paint_usage(text: str) -> str:
    return f"{paint('Usage:', BOLD, sys.stdout)} {text}"


def _write_text(text: str) -> str:
    """Paragraphs, each wrapped; a line that begins with Example stays whole."""
    width = measure_width(sys.stdout, most=_MOST_COLUMNS)
    paragraphs = [" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n")]
    return "\n\n".join(
        paragraph if paragraph.startswith("Example:") else "\n".join(wrap(paragraph, width))
        for paragraph in paragraphs
    )


def _write_list(title: str, rows: Sequence[tuple[str, str]], left: int) -> str:
    """A heading and its rows: a name, and what it means beside it."""
    if not rows:
        return ""
    width = measure_width(sys.stdout, most=_MOST_COLUMNS)
    indent = " " * (left + 4)
    lines = [paint(f"{title}:", BOLD, sys.stdout)]
    for name, told in rows:
        wrapped = wrap(told, max(20, width - len(indent))) or [""]
        painted = paint(name, CYAN, sys.stdout)
        if len(name) > left:
            lines.append(f"  {painted}")
        else:
            lines.append(f"  {painted}{' ' * (left - len(name))}  {wrapped.pop(0)}".rstrip())
        lines += [indent + line for line in wrapped]
    return "\n".join(lines)


def _write_further(path: str, names: Sequence[str]) -> str:
    """The names of the options that are not shown, and how to see them."""
    width = measure_width(sys.stdout, most=_MOST_COLUMNS)
    title = paint(f"Further options ({path} --help --all):", BOLD, sys.stdout)
    lines = wrap(", ".join(names), width - 2)
    return "\n".join([title, *(f"  {paint(line, DIM, sys.stdout)}" for line in lines)])
