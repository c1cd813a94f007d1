"""`sstar init`: a settings file whose comments say what may stand in it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sstar_code.agent.cli.build import say
from sstar_code.agent.cli.display.help import GROUPS
from sstar_code.agent.cli.settings_file import PROJECT_KEYS, find_user_file
from sstar_code.problems import InfrastructureError, UserError
from sstar_code.problems.bounds import read_text

EXAMPLES: Mapping[str, str] = {
    "model": '"Qwen/Qwen2.5-Coder-7B-Instruct"', "base_url": '"http://localhost:8000/v1"',
    "max_tokens": "8192", "max_thinking": "4096", "n": "16", "rounds": "2", "temperature": "0.7",
    "select": '"adaptive"', "seed": "0", "strategy": '"sample"', "style": '"cot"', "preset": '"lcb"',
    "prompts": '"prompts"', "limit": "20", "filter": '"difficulty=hard"', "sandbox": '"auto"',
    "workers": "4", "packages": '"scipy,networkx"', "max_tokens_total": "2000000", "max_seconds": "3600",
    "log_file": '"sstar.log"',
}  # fmt: skip
"""Key of a setting that is shown -> its default as TOML, or an example where it has none."""
_PROJECT = """\
Settings of this project for `sstar`. A flag or an SSTAR_ variable wins over them.
Take the # before a setting away to use it. Every key is a flag without its dashes.
Anybody may have written a project's file, so addresses, files and commands stand in your own
alone, ~/.config/sstar/sstar.toml (`sstar init --own`), and keys of endpoints in OPENAI_API_KEY.
No table header is needed."""
_OWN = """\
Your own settings for `sstar`. A project's sstar.toml, an SSTAR_ variable and a flag win over
them. Take the # before a setting away to use it. Every key is a flag without its dashes.
The key of an endpoint stands in OPENAI_API_KEY, never here. No table header is needed."""
_COLUMNS = 96


def command(
    context: typer.Context,
    *,
    own: Annotated[
        bool, typer.Option("--own", help="Write your own file, which may set everything, not the project's.")
    ] = False,
) -> int:
    """Write sstar.toml into the current folder: the settings, each with a comment, none in force yet.

    Example: sstar init
    """
    path = find_user_file() if own else Path("sstar.toml")
    project = Path("pyproject.toml")
    if not own and project.is_file() and "[tool.sstar]" in read_text(project):
        raise UserError("pyproject.toml has the settings in [tool.sstar] already; add to them there")
    commands = context.find_root().command.commands  # type: ignore[attr-defined]
    text = "".join(f"{line}\n" for line in write_settings(commands["eval"].params, own=own))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(f"{path} is there already; change it, or move it away first") from None
    except OSError as error:
        raise InfrastructureError(f"{path}: {error.strerror}; make room or another folder") from error
    say(f"sstar: wrote {path}; every setting in it is a comment until its # is taken away")
    return 0


def write_settings(options: list[Any], *, own: bool) -> Iterator[str]:
    """Lines of a settings file in which every setting of `EXAMPLES` is a comment.

    A project's file has only settings that it may have.
    """
    head = _OWN if own else _PROJECT
    yield from (f"# {line}" for line in head.splitlines())
    found = {
        flag.removeprefix("--").replace("-", "_"): option
        for option in options
        for flag in option.opts
        if flag.startswith("--")
    }
    keys = [key for key in EXAMPLES if key in found and (own or key in PROJECT_KEYS)]
    keys.sort(key=lambda key: GROUPS.index(found[key].rich_help_panel or GROUPS[0]))
    group = ""
    for key in keys:
        if (found[key].rich_help_panel or GROUPS[0]) != group:
            group = found[key].rich_help_panel or GROUPS[0]
            yield from ("", f"# ---- {group} ----")
        told = re.sub(r"\s+", " ", found[key].help)
        yield from ("", *(f"# {line}" for line in textwrap.wrap(told, _COLUMNS, break_on_hyphens=False)))
        yield f"#{key.replace('_', '-')} = {EXAMPLES[key]}"
