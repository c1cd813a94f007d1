"""The parts of a written test file: literals, how the program is reached, how outputs are compared."""

from __future__ import annotations

import keyword
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from sstar_code.problems import Kind
from sstar_code.problems.checkers import DEFAULT_TOLERANCE

if TYPE_CHECKING:
    from sstar_code.problems import Problem

__all__ = ["Comparison", "Subject", "comparison", "find_subject", "literal"]

_LEAST_TIMEOUT_S = 10.0
_CONTEST_TOLERANCE = 1e-5
"""Of the checker `codecontests`."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The program under test."""

    call: str
    """What is called with the arguments, or with the text on standard input."""
    source: str
    imports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """When an output is right."""

    check: str
    """The assert, with places `{got}`, `{wanted}` and `{text}` (the input)."""
    source: str = ""
    imports: tuple[str, ...] = ()
    of_plain: str = ""
    """The assert where a whole number, a text, a truth value or None is wanted, if it is simpler."""


def literal(value: Any) -> str:
    """Python source of `value`.

    Raises:
        ValueError: there is none.
        RecursionError: it is nested too deeply.
    """
    kind = type(value)
    if kind is float:
        return repr(value) if value - value == 0 else f'float("{value}")'
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


def find_subject(problem: Problem, target: str) -> Subject:
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
        return Subject("_run", source, ("subprocess", "sys", *(["pathlib.Path"] if is_file else [])))
    owner, _, method = (problem.entry_point or "").rpartition(".")
    if not _is_name(method) or (owner and not _is_name(owner)):
        raise ValueError(f"{problem.entry_point!r} is no entry point")
    name = owner or method
    call = f"{owner}().{method}" if owner else method
    if not is_file:
        return Subject(call, "", (f"{target}.{name}",))
    return Subject(call, f"{name} = runpy.run_path(str({path}))[{name!r}]", ("runpy", "pathlib.Path"))


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


_RUN = '''\
def _run(text):
    """What the program writes when `text` is on its standard input."""
    done = subprocess.run(
        {words}, input=text, capture_output=True, text=True, timeout={timeout_s}, check=True
    )
    return done.stdout
'''


_EQUAL = "assert {got} == {wanted}"


def comparison(problem: Problem) -> Comparison:
    """How `problem` says that an output is right, as source that stands alone.

    A tuple also meets a list, which is a little more than most rules allow.
    """
    if not isinstance(problem.checker, str):
        dump = "json.dumps" if problem.kind is Kind.FUNCTION else "str"  # what the checker reads is text
        source = _BY_PROGRAM.format(program=problem.checker["program"], dump=dump)
        return Comparison("assert _same({wanted}, {got}, {text})", source, ("json", "subprocess", "sys"))
    name, _, argument = problem.checker.partition(":")
    if problem.kind is Kind.STDIN:
        return _of_text(name, float(argument or DEFAULT_TOLERANCE))
    if name == "unordered":
        return Comparison("assert _same({wanted}, {got})", _ANY_ORDER)
    if name == "python" and not argument:
        return Comparison(_EQUAL)
    tolerance = float(argument or DEFAULT_TOLERANCE) if name in ("floats", "python", "apps") else 0.0
    plain = "" if tolerance else _EQUAL
    return Comparison("assert _same({wanted}, {got})", _VALUES.format(tolerance=tolerance), ("math",), plain)


def _of_text(name: str, tolerance: float) -> Comparison:
    check = "assert _shape({got}) == _shape({wanted})"
    if name == "exact":
        return Comparison(check, _EXACT)
    if name in ("lines", "unordered"):
        return Comparison(check, _LINES if name == "lines" else _LINES_IN_ANY_ORDER)
    if name == "livecodebench":
        return Comparison(check, _NUMBERS, ("contextlib.suppress", "decimal.Decimal"))
    if name == "codecontests":
        return Comparison(
            "assert _same({wanted}.lower(), {got}.lower())",
            _TOKENS.format(tolerance=_CONTEST_TOLERANCE),
            ("math",),
        )
    return Comparison("assert _same({wanted}, {got})", _TOKENS.format(tolerance=tolerance), ("math",))


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
