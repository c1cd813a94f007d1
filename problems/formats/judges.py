"""Programs of a problem: its checker, interactor, validator and generator, and the header that C++ ones want.

A judge is {"program": source}, in Python, or that with "language": "cpp". Nearly all in C++ are written
against testlib, whose one header is not part of this package: the user names it, and `attach_testlib` puts
its text into the judges as "testlib".
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.problems.bounds import read_text
from sstar_code.problems.errors import UserError

if TYPE_CHECKING:
    from sstar_code.problems.problem import Problem

TESTLIB = "testlib.h"
CPP = "cpp"
ROLES = ("checker", "interactor", "validator", "generator")
GENERATOR = "generator"
_SEEDS = 10
"""Runs of a generator that names no commands; each is given its number, as testlib's take a seed."""
_GENERATOR_NAME = re.compile(r"\S*/\S+|gen\w*(\.\w+)?|\S+\.(py|exe|out)")
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"][^<>"\n]*\btestlib\.h[>"].*$', re.MULTILINE)
_CPP_SIGNS = ("#include", "int main")
_MARK = "registerTestlibCmd"


def name_language(source: str) -> dict[str, str]:
    """The judge whose `source` a set gives without saying what it is written in."""
    judge = {"program": source}
    return {**judge, "language": CPP} if any(sign in source for sign in _CPP_SIGNS) else judge


def find_judges(problem: Problem) -> dict[str, Mapping[str, str]]:
    """The programs that judge for `problem`, by their role in it."""
    given = {role: getattr(problem, role) for role in ROLES}
    return {role: judge for role, judge in given.items() if isinstance(judge, Mapping)}


def is_cpp(judge: Mapping[str, str]) -> bool:
    """Whether it has to be compiled."""
    return judge.get("language") == CPP


def list_languages(problems: Iterable[Problem]) -> tuple[str, ...]:
    """The languages, beside Python, that a sandbox needs for the judges and frames of `problems`."""
    has_cpp = any(
        problem.frame is not None or any(map(is_cpp, find_judges(problem).values())) for problem in problems
    )
    return (CPP,) if has_cpp else ()


def lacks_testlib(judge: Mapping[str, str]) -> bool:
    """Whether it includes testlib's header and has not been given it."""
    return is_cpp(judge) and "testlib" not in judge and _INCLUDE.search(judge["program"]) is not None


def refuse_without_testlib(problem_id: str, role: str) -> UserError:
    """The error where testlib's header is needed and was not named."""
    return UserError(
        f"{problem_id}: its {role} includes {TESTLIB}, which does not come with sstar: name the file with "
        "--testlib PATH, from Python with testlib=PATH (github.com/MikeMirzayanov/testlib publishes it)"
    )


def attach_testlib(problems: Sequence[Problem], path: Path | None, *, need: bool = True) -> list[Problem]:
    """The `problems` with the header at `path` in every judge that includes it.

    Raises:
        UserError: a judge includes it and there is no `path` (unless `need` is false), or it cannot be read
            or is something else.
    """
    header = None if path is None else read_testlib(path)
    return [attach_header(problem, header, need=need) for problem in problems]


def attach_header(problem: Problem, header: str | None, *, need: bool = True) -> Problem:
    """`attach_testlib` of one problem, with the text of the header.

    Raises:
        UserError: a judge includes it and there is no `header`, unless `need` is false.
    """
    wanting = {role: judge for role, judge in find_judges(problem).items() if lacks_testlib(judge)}
    needed = [role for role in wanting if role != GENERATOR]  # without it there are fewer inputs
    if needed and header is None and need:
        raise refuse_without_testlib(problem.id, needed[0])
    given = {role: {**judge, "testlib": header} for role, judge in wanting.items() if header is not None}
    return replace(problem, **given) if given else problem  # type: ignore[arg-type]


def read_testlib(path: Path) -> str:
    """The text of testlib's header.

    Raises:
        UserError: it cannot be read, or is something else.
    """
    if path.is_dir():
        path = path / TESTLIB
    if not path.is_file():
        raise UserError(f"--testlib {path}: no such file; name testlib.h, or the folder that it is in")
    text = read_text(path)
    if _MARK not in text:
        raise UserError(f"--testlib {path}: it does not define {_MARK}, so it is not testlib.h")
    return text


def list_commands(generator: Mapping[str, str]) -> list[str]:
    """The arguments of every run of a generator, one a line; that of a seed alone where it names none.

    A command may begin with the generator's own name, like `./gen`, and may be quoted as for a shell.
    """
    found = []
    for line in generator.get("commands", "").splitlines():
        try:
            words = shlex.split(line)
        except ValueError:  # a quotation mark that stands alone
            words = line.split()
        if not words:
            continue
        if words[0] in ("python", "python3"):
            del words[0]
        if words and _GENERATOR_NAME.fullmatch(words[0]):
            del words[0]
        found.append("\n".join(words[: words.index(">")] if ">" in words else words))
    return list(dict.fromkeys(found)) or [str(number + 1) for number in range(_SEEDS)]


def assemble_judge(judge: Mapping[str, str]) -> str:
    """The whole source of a judge: with the header in the place of its `#include`."""
    header = judge.get("testlib")
    if header is None:
        return judge["program"]
    source = judge["program"]
    found = _INCLUDE.search(source)
    if found is None:
        return source
    line = source.count("\n", 0, found.start()) + 2
    (before, after) = (source[: found.start()], _INCLUDE.sub("", source[found.end() :]))
    return f'{before}#line 1 "{TESTLIB}"\n{header}\n#line {line} "solution.cpp"{after}'
