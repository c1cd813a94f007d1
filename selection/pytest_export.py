"""Writes confirmed inputs as pytest tests.

`write_tests(problem, tests, Path("tests/test_f.py"), target="package.module")` writes those of one problem.
"""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from textwrap import indent
from typing import TYPE_CHECKING, Any

from sstar_code.problems import Kind, UserError, files
from sstar_code.problems.checkers import DEFAULT_TOLERANCE
from sstar_code.problems.formats.judges import is_cpp
from sstar_code.problems.values import decode, decode_lines

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.selection.protocols import Derived

_SIGN = "DERIVED_BY_SSTAR = True"
"""By it the plugin `agent.pytest_marker` knows the file; the file needs nothing of ours."""
_MAX_CHARS = 20_000
"""Characters of one test's input and output together: a longer one is no test that a person reads."""


def literal(value: Any) -> str:
    """Python source of `value`.

    Raises:
        ValueError: there is none.
        RecursionError: it is nested too deeply.
    """
    kind = type(value)
    if kind is float:
        return repr(value) if value - value == 0 else f'float("{value}")'
    if kind is complex and value - value != 0:
        raise ValueError("no literal gives a complex number that is not finite")
    if value is None or kind in (bool, int, str, bytes, complex):
        return repr(value)
    if kind is dict:
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if kind is list:
        return f"[{', '.join(map(literal, value))}]"
    if kind is tuple:
        return f"({', '.join(map(literal, value))}{',' * (len(value) == 1)})"
    if kind in (set, frozenset):
        return f"{kind.__name__}([{', '.join(sorted(map(literal, value)))}])"
    raise ValueError(f"no literal gives a {kind.__name__}")


def choose_tests(tests: Sequence[Derived]) -> list[Derived]:
    """The surest of those with one input, in order, without those too long to read."""
    best: dict[str, Derived] = {}
    for test in tests:
        if test.input not in best or test.confidence > best[test.input].confidence:
            best[test.input] = test
    return [test for test in best.values() if len(test.input) + len(test.output) <= _MAX_CHARS]


def flatten(text: str) -> str:
    """One line of what can be printed in `text`, so that it stays a comment."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def render_file(
    head: Sequence[str],
    imports: Iterable[str],
    definitions: Iterable[str],
    tests: Iterable[tuple[str, Derived, str]],
    *,
    when: str = "",
) -> str:
    """Source of a pytest file: comments, import statements in any order, definitions, and test functions.

    `tests` gives for each the subject's name as a part of a Python name, the test, and the statements that
    check it. Over each a comment says how its output was confirmed, and `when`.
    """
    ordered = sorted(set(imports), key=lambda line: (line.startswith("from"), line))
    parts = ["\n".join([*head, *ordered, *([""] if ordered else []), _SIGN]), *definitions]
    numbers: Counter[str] = Counter()
    for name, test, body in tests:
        numbers[name] += 1
        said = f"# Confirmed by {flatten(test.why)} (probability {test.confidence:.2f}){when}."
        parts.append(f"{said}\ndef test_{name}_{numbers[name]}():\n{indent(body, '    ')}")
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"


def write_file(path: Path, text: str, *, overwrite: bool = False, advice: str) -> None:
    """Write `text` to `path`.

    Raises:
        UserError: `path` is there and `overwrite` is not set (then with `advice`), or it cannot be written.
    """
    try:
        if overwrite:
            files.write_text(path, text)
        else:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except FileExistsError as error:
        raise UserError(f"{path} is there already; {advice}") from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; the tests are not written") from error


_LEAST_TIMEOUT_S = 10.0
_CONTEST_TOLERANCE = 1e-5
"""Tolerance of the checker `codecontests`."""


def write_tests(
    problem: Problem, tests: Sequence[Derived], path: Path, *, target: str, overwrite: bool = False
) -> int:
    """Write `tests` to `path`; how many were written. No file is made where that is none.

    See `render_tests` for `target` and for which tests are left out.

    Raises:
        UserError: `path` is there and `overwrite` is not set, or it cannot be written.
        ValueError: `target` or the problem's entry point is no name.
    """
    text, count = render_tests(problem, tests, target=target)
    if count:
        write_file(path, text, overwrite=overwrite, advice="name another file, or say --overwrite")
    return count


def render_tests(problem: Problem, tests: Sequence[Derived], *, target: str) -> tuple[str, int]:
    """Source of a pytest file with one function a test, and how many these are.

    `target` is the program under test: a module to import the entry point from, or a file ending in `.py`,
    which is found relative to the test file. Over each function a comment says how its output was confirmed
    and how sure that is. Outputs are compared as the problem's checker would. Left out is a test with a
    value that no Python literal gives, or one longer than 20,000 characters.

    Raises:
        ValueError: `target` or the problem's entry point is no name.
    """
    how, subject = _comparison(problem), _find_subject(problem, target)
    slug = name_of(problem.id)
    checks = [
        (slug, test, body) for test in choose_tests(tests) if (body := _body(problem, test, subject, how))
    ]
    needs_source = any("_same(" in body or "_shape(" in body for _, _, body in checks)
    head = (
        f"# Tests for {flatten(problem.id)}: inputs on which it is believed to be known what is right,",
        "# found while choosing among programs by what they do. Look at each before you rely on it.",
        "",
    )
    imports = (*subject.imports, *(how.imports if needs_source else ()))
    definitions = filter(None, (subject.source, how.source if needs_source else ""))
    return render_file(head, imports, definitions, checks), len(checks)


def name_of(identifier: str) -> str:
    """`identifier` as a part of a Python name or of a file's name: `humaneval_3` for `HumanEval/3`."""
    return re.sub(r"[^a-z0-9]+", "_", identifier.lower()).strip("_") or "problem"


def _body(problem: Problem, test: Derived, subject: _Subject, how: _Comparison) -> str | None:
    """The assert; None where a value has no literal."""
    check = how.check
    try:
        if problem.kind is Kind.STDIN:
            given, wanted = repr(test.input), repr(test.output)
        else:
            given, value = ", ".join(map(literal, decode_lines(test.input))), decode(test.output)
            wanted = literal(value)
            if value is None or type(value) in (bool, int, str):
                check = how.of_plain or check
    except (ValueError, RecursionError):
        return None
    return check.format(wanted=wanted, got=f"{subject.call}({given})", text=repr(test.input))


@dataclass(frozen=True, slots=True)
class _Subject:
    """The program under test."""

    call: str
    """Expression that is called with the arguments, or with the text on standard input."""
    source: str
    imports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Comparison:
    """When an output is right."""

    check: str
    """The assert, with places `{got}`, `{wanted}` and `{text}` (the input)."""
    source: str = ""
    imports: tuple[str, ...] = ()
    """Import statements that `source` needs."""
    of_plain: str = ""
    """The assert where a whole number, a text, a truth value or None is wanted, if it is simpler."""


def _find_subject(problem: Problem, target: str) -> _Subject:
    """How the program `target` (a module, or a file ending in `.py`) is reached.

    Raises:
        ValueError: `target` or the problem's entry point is no name.
    """
    is_file = target.endswith(".py")
    path = f"Path(__file__).parent / {str(PurePath(target))!r}"
    if not is_file and not all(map(_is_name, target.split("."))):
        raise ValueError(f"{target!r} is neither a module nor a file ending in .py")
    if problem.kind is Kind.STDIN:
        timeout_s = max(_LEAST_TIMEOUT_S, 5 * problem.time_limit_s)
        words = f"[sys.executable, str({path})]" if is_file else f"[sys.executable, '-m', {target!r}]"
        source = _RUN.format(words=words, timeout_s=timeout_s)
        return _Subject("_run", source, ("import subprocess", "import sys", *([_PATH] if is_file else [])))
    owner, _, method = (problem.entry_point or "").rpartition(".")
    if not _is_name(method) or (owner and not _is_name(owner)):
        raise ValueError(f"{problem.entry_point!r} is no entry point")
    name = owner or method
    call = f"{owner}().{method}" if owner else method
    if not is_file:
        return _Subject(call, "", (f"from {target} import {name}",))
    return _Subject(call, f"{name} = runpy.run_path(str({path}))[{name!r}]", ("import runpy", _PATH))


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


_PATH = "from pathlib import Path"
_RUN = '''\
def _run(text):
    """What the program writes when `text` is on its standard input."""
    done = subprocess.run(
        {words}, input=text, capture_output=True, text=True, timeout={timeout_s}, check=True
    )
    return done.stdout
'''


_EQUAL = "assert {got} == {wanted}"


def _comparison(problem: Problem) -> _Comparison:
    """How `problem` says that an output is right, as source that stands alone.

    A tuple also meets a list, which is a little more than most rules allow.
    """
    if not isinstance(problem.checker, str) and not is_cpp(problem.checker):
        dump = "json.dumps" if problem.kind is Kind.FUNCTION else "str"  # what the checker reads is text
        source = _BY_PROGRAM.format(program=problem.checker["program"], dump=dump)
        return _Comparison(
            "assert _same({wanted}, {got}, {text})",
            source,
            ("import json", "import subprocess", "import sys"),
        )
    rule = problem.checker if isinstance(problem.checker, str) else "exact"  # one in C++ is not taken along
    name, _, argument = rule.partition(":")
    if problem.kind is Kind.STDIN:
        return _compare_text(name, float(argument or DEFAULT_TOLERANCE))
    if name == "unordered":
        return _Comparison("assert _same({wanted}, {got})", _ANY_ORDER)
    if name == "any-case":
        return _Comparison("assert _lower({got}) == _lower({wanted})", _ITEMS_IN_ANY_CASE)
    if name == "python" and not argument:
        return _Comparison(_EQUAL)
    tolerance = float(argument or DEFAULT_TOLERANCE) if name in ("floats", "python", "apps") else 0.0
    plain = "" if tolerance else _EQUAL
    return _Comparison(
        "assert _same({wanted}, {got})", _VALUES.format(tolerance=tolerance), ("import math",), plain
    )


def _compare_text(name: str, tolerance: float) -> _Comparison:
    if name in _SHAPES:
        return _Comparison("assert _shape({got}) == _shape({wanted})", *_SHAPES[name])
    if name == "codecontests":
        return _Comparison(
            "assert _same({wanted}.lower(), {got}.lower())",
            _TOKENS.format(tolerance=_CONTEST_TOLERANCE),
            ("import math",),
        )
    return _Comparison("assert _same({wanted}, {got})", _TOKENS.format(tolerance=tolerance), ("import math",))


_VALUES = '''\
def _same(wanted, got):
    """Equal at every depth; floats may differ by {tolerance}."""
    if isinstance(wanted, (list, tuple)):
        alike = isinstance(got, (list, tuple)) and len(wanted) == len(got)
        return alike and all(map(_same, wanted, got))
    if isinstance(wanted, dict):
        alike = isinstance(got, dict) and wanted.keys() == got.keys()
        return alike and all(_same(wanted[key], got[key]) for key in wanted)
    if isinstance(wanted, float) and isinstance(got, (int, float)):
        if math.isnan(wanted):
            return math.isnan(got)
        return math.isclose(wanted, got, rel_tol={tolerance}, abs_tol={tolerance})
    return wanted == got
'''
_ANY_ORDER = '''\
def _same(wanted, got):
    """The same items in any order."""
    if not isinstance(wanted, (list, tuple, set, frozenset)):
        return wanted == got
    return sorted(map(_text, wanted)) == sorted(map(_text, got))


def _text(item):
    return repr(list(item) if isinstance(item, tuple) else item)
'''
_BY_PROGRAM = '''\
CHECKER = {program!r}


def _same(wanted, got, text):
    """Whether the problem's own checker accepts what was given."""
    question = json.dumps({{"input": text, "expected": {dump}(wanted), "output": {dump}(got)}})
    done = subprocess.run([sys.executable, "-c", CHECKER], input=question, text=True, check=False)
    return done.returncode == 0
'''
_EXACT = '''\
def _shape(text):
    """Blanks at line ends and empty lines at the end do not count."""
    return [line.rstrip() for line in text.rstrip().split("\\n")]
'''
_ANY_CASE = '''\
def _shape(text):
    """Blanks at line ends, empty lines at the end and letter case do not count."""
    return [line.rstrip() for line in text.lower().rstrip().split("\\n")]
'''
_ITEMS_IN_ANY_CASE = '''\
def _lower(value):
    """Texts, alone or in a list, without letter case; a tuple counts as a list."""
    if isinstance(value, (list, tuple)):
        return [_lower(item) if isinstance(item, str) else item for item in value]
    return value.lower() if isinstance(value, str) else value
'''
_LINES = '''\
def _shape(text):
    """The words of every line."""
    return [line.split() for line in text.rstrip().split("\\n")]
'''
_LINES_IN_ANY_ORDER = '''\
def _shape(text):
    """The words of every line, lines in any order."""
    return sorted(line.split() for line in text.rstrip().split("\\n"))
'''
_NUMBERS = '''\
def _shape(text):
    """Every line, as numbers where it has nothing else."""
    lines = []
    for line in text.strip().split("\\n"):
        lines.append(line.strip())
        with suppress(ArithmeticError):
            lines[-1] = list(map(Decimal, line.split()))
    return lines
'''
_TOKENS = '''\
def _same(wanted, got):
    """The same words; numbers may differ by {tolerance}."""
    wanted, got = wanted.split(), got.split()
    return len(wanted) == len(got) and all(map(_close, wanted, got))


def _close(wanted, got):
    try:
        near = math.isclose(float(wanted), float(got), rel_tol={tolerance}, abs_tol={tolerance})
    except ValueError:
        return wanted == got
    return near or wanted == got
'''
_SHAPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "exact": (_EXACT, ()),
    "lines": (_LINES, ()),
    "unordered": (_LINES_IN_ANY_ORDER, ()),
    "any-case": (_ANY_CASE, ()),
    "livecodebench": (_NUMBERS, ("from contextlib import suppress", "from decimal import Decimal")),
}
"""Checker of text -> source of `_shape`, and the import statements that it needs."""
