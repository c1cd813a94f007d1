"""Assembles the commands and turns errors into one line and an exit code.

0 done; 1 ran, but what was asked for was not met; 2 usage; 3 infrastructure failed and work is left;
4 budget spent; 130 interrupted with everything flushed.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any

import typer

from sstar_code.agent.calls.budget import BudgetSpentError, main_cause
from sstar_code.agent.cli.build import put, say
from sstar_code.agent.cli.commands import (
    check,
    doctor,
    fix,
    grade,
    ls,
    merge,
    report,
    select,
    solve,
    validate,
)
from sstar_code.agent.cli.commands import eval as eval_command
from sstar_code.agent.cli.commands.first_steps import completion, init
from sstar_code.agent.cli.commands.first_steps import help as help_command
from sstar_code.agent.cli.commands.problem_sets import harden
from sstar_code.agent.cli.commands.run_folders import compare, runs, view
from sstar_code.agent.cli.commands.servers import mcp, pool, serve
from sstar_code.agent.cli.display.help import GroupedCommand, GroupedCommands
from sstar_code.agent.cli.display.lines import fold
from sstar_code.agent.cli.display.terminal import BOLD, RED, paint
from sstar_code.agent.cli.settings_file import Settings, find_unknown_variables, load_config
from sstar_code.problems import InfrastructureError, UserError
from sstar_code.problems.plain_text import escape_line, escape_text

EXIT_UNMET, EXIT_USAGE, EXIT_INFRASTRUCTURE, EXIT_BUDGET, EXIT_INTERRUPTED = 1, 2, 3, 4, 130

app = typer.Typer(
    name="sstar",
    cls=GroupedCommands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
GROUPS: dict[str, dict[Any, str]] = {
    "Solve and evaluate": {
        solve: "One problem: the program on stdout, why it was chosen on stderr.",
        eval_command: "A set: generate, debug, choose, grade; the same again resumes.",
        select: "Choose among existing samples, with or without a model.",
        compare: "Strategies at equal tokens: one table, one figure.",
        grade: "Run existing samples against the tests; no model is asked.",
    },
    "Runs": {
        report: "What runs came to, as tables and a page, and how they differ.",
        runs: "List the run folders, and which can be resumed.",
        view: "Serve a live page of a run, to this machine alone.",
        merge: "Make one run folder of several, like the shards of a set.",
    },
    "For other programs": {
        serve: "The OpenAI API: coding tasks are solved, all else is passed through.",
        pool: "Run programs over HTTP, for training loops and graders.",
        mcp: "Tools for coding agents: compare, choose, run and write programs.",
    },
    "In a repository": {
        check: "Find functions that are left open, as a hook or in CI.",
        fix: "Write them, proved by examples and tests, and print a diff.",
    },
    "Problem sets": {
        ls: "List the sets there are, or the problems of one.",
        validate: "Look for what is wrong with a set.",
        harden: "More hidden tests for a set, from programs that pass it.",
    },
    "First steps": {
        doctor: "Tell what works here, and what to do about the rest.",
        init: "Write a settings file with comments, sstar.toml.",
        completion: "Print what makes a shell complete commands and options.",
        help_command: "Show the help of a command.",
    },
}
"""Group -> module of a command -> what it does, in a line of the help."""
for group, modules in GROUPS.items():
    for module, told in modules.items():
        app.command(
            name=module.__name__.rpartition(".")[2],
            cls=GroupedCommand,
            short_help=told,
            rich_help_panel=group,
        )(module.command)


def _print_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        put(f"sstar {version('sstar-code')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    show_version: Annotated[
        bool,
        typer.Option("--version", "-V", is_eager=True, callback=_print_version, help="Print the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="SSTAR_DEBUG", help="Show the traceback of an error.")
    ] = False,
) -> None:
    """Better programs from any model: sample, run, debug, then choose by what the programs do."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit with its code."""
    words = sys.argv[1:] if arguments is None else arguments
    with suppress(ValueError):  # not on the main thread
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # else a command would end without tidying up
            signal.signal(signal.SIGTERM, signal.default_int_handler)
    completing = completion.VARIABLE in os.environ
    is_empty = not words and not completing
    words = words or ["--help"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no é is no reason to fail
    debugging = "--debug" in words or os.environ.get("SSTAR_DEBUG", "") not in ("", "0")
    words = ["--debug", *(word for word in words if word != "--debug")] if "--debug" in words else words
    try:
        if completing:
            completion.prepare()
            words = []
        _refuse_files(words)
        command: Any = typer.main.get_command(app)
        code = command.main(
            args=words, prog_name="sstar", standalone_mode=False, default_map=_read_defaults(command, words)
        )
    except BaseException as error:  # noqa: BLE001 - the one place where every error becomes a line and a code
        code = _report(error, debugging=debugging)
    else:
        if code == EXIT_INTERRUPTED:  # typer makes this of a KeyboardInterrupt and says nothing
            code = _report(KeyboardInterrupt(), debugging=False)
    if is_empty:  # help was shown; a script that lost its words sees that it did
        code = EXIT_USAGE
    sys.exit(code if isinstance(code, int) else 0)


def _refuse_files(words: Sequence[str]) -> None:
    """See that no flag is a file of the current folder: a hook is given names that the repository chose.

    Raises:
        UserError: one is.
    """
    for word in takewhile(lambda word: word != "--", words):
        if len(word) > 1 and word.startswith("-") and os.path.lexists(word):
            raise UserError(
                f"{word!r} is a file here, not a flag; write ./{word}, or -- before names of files"
            )


def _refuse_deleted_folder() -> None:
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UserError("the current folder was deleted; go to one that is there") from None


_WITHOUT_SETTINGS = ("completion", "help", "init")
"""Commands that no setting changes: they work with files that cannot be used."""


def _list_variables(command: Any) -> set[str]:
    """The environment variables that options of any command take their values from."""
    parameters = [parameter for sub in (command, *command.commands.values()) for parameter in sub.params]
    names = [parameter.envvar or () for parameter in parameters]
    return {name for found in names for name in ([found] if isinstance(found, str) else found)}


def _read_defaults(command: Any, words: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The settings files as defaults: subcommand -> parameter -> value. Their keys are flags without dashes.

    What only shows help or the version reads none, and `doctor` works with a file that cannot be used.
    """
    name = next((word for word in words if not word.startswith("-")), None)
    if name in (None, *_WITHOUT_SETTINGS) or {"-h", "--help", "-V", "--version"} & set(words):
        return {}
    _refuse_deleted_folder()
    for line in find_unknown_variables(_list_variables(command)):
        say(f"sstar: {line}")
    options = {
        name: {
            flag.lstrip("-").replace("-", "_"): (parameter, typer.Context(sub))
            for parameter in sub.params
            for flag in parameter.opts
            if flag.startswith("--")
        }
        for name, sub in command.commands.items()
        if name not in _WITHOUT_SETTINGS  # `help` is the name of a flag, too
    }

    def check(key: str, value: Any) -> str | None:
        for known in options.values():
            if key in known:
                parameter, context = known[key]
                try:
                    parameter.process_value(context, _as_given(parameter, value))
                except typer.BadParameter as error:
                    return str(error.message)
        return None

    try:
        found = load_config({key for known in options.values() for key in known}, check=check)
    except UserError as error:
        if name != "doctor":
            raise
        found = Settings(notes=[f"{error}; doctor goes on without settings"])
    for note in found.notes:
        say(f"sstar: {note}")
    return {
        name: {
            str(known[key][0].name): _as_given(known[key][0], value)
            for key, value in found.values.items()
            if key in known
        }
        for name, known in options.items()
    }


def _as_given(parameter: Any, value: Any) -> Any:
    """An option that may be repeated takes one value as a list of one."""
    return [value] if getattr(parameter, "multiple", False) and isinstance(value, str) else value


def _report(error: BaseException, *, debugging: bool) -> int:
    """Print what the user can act on and return the exit code."""
    error = main_cause(error)
    if debugging and not isinstance(error, SystemExit | typer.Exit | typer.TyperException):
        sys.stderr.write(escape_text("".join(traceback.format_exception(error))))
    if isinstance(error, typer.Exit):
        code = error.exit_code
    elif isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else EXIT_UNMET
    elif isinstance(error, typer.TyperException):
        message = error.format_message()
        context = getattr(error, "ctx", None)
        path = "sstar" if context is None else context.command_path
        _complain(f"{message}{'' if message.endswith(('.', '?')) else '.'} See `{path} --help`.")
        code = error.exit_code
    elif isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the interpreter complains once more at its end
        code = EXIT_UNMET
    else:
        message, code = _describe(error)
        _complain(message)
    return code


def _complain(message: str) -> None:
    """The last line of a command that failed."""
    folded = fold(escape_line(f"sstar: {message}"), sys.stderr).removeprefix("sstar:")
    sys.stderr.write(f"{paint('sstar:', f'{BOLD};{RED}', sys.stderr)}{folded}\n")


def _describe(error: BaseException) -> tuple[str, int]:
    """One line and the exit code."""
    if isinstance(error, UserError):
        return str(error), EXIT_USAGE
    if isinstance(error, BudgetSpentError):
        return str(error), EXIT_BUDGET
    if isinstance(error, InfrastructureError):
        return str(error), EXIT_INFRASTRUCTURE
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        kept = "interrupted; what was finished is kept, run the same command again to go on"
        return kept, EXIT_INTERRUPTED
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}", EXIT_INFRASTRUCTURE
    unexpected = f"unexpected {type(error).__name__}: {error}; --debug shows where, please report it"
    return unexpected, EXIT_INFRASTRUCTURE
