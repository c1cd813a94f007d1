"""Examples in prose as tests: calls with what they return, and values given by argument name.

Calls are doctest's (`doctests`), asserts, and `f(1) -> 2` in its many spellings. By name are `Input: a = 1` /
`Output: 2` and "For a = 1 the output should be 2". Values are literals: nothing of the text is ever run.
"""

# ruff: noqa: RUF001 - marks of other scripts are what such pages print
from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sstar_code.problems.problem import Test
from sstar_code.problems.python_source import parse_expression, parse_python
from sstar_code.problems.statements.doctests import MODULES, Target, find_doctests
from sstar_code.problems.statements.literals import Scanner, encode_test, read_call_arguments, read_value

_ARROW = re.compile(
    r"[ \t`*]{0,8};?[ \t]{0,8}(?P<arrow>==>|=>|==|->|-->|⟶|➞|→|➡|="
    r"|//(?=[ \t]*(?:=>|->|returns?\b|[-\d\"'\[({]))"
    r"|returns?|is|gives|yields|evaluates\s+to"
    r"|(?:should|would|will|must|ought\s+to)\s+(?:return|be|give|yield|produce|equal|evaluate\s+to)"
    r"|renvoie|retourne|devuelve|retorna|ergibt|liefert|возвращает|вернёт|#\s*(?:=>|->|returns|==)?|\|\s*)"
    r"(?:[ \t]*(?:=>|->|returns?\b|:))?[ \t`*:]{0,8}",
    re.IGNORECASE,
)
_SHOULD = re.compile(
    r"(?i)(?:but|instead|while|although|though|,|;|\()[^\n()]{0,60}?(?:should|must|ought to"
    r"|expected?(?: is| was|:)?|correct(?: answer| value| result)?"
    r"(?: is| would be|:))(?:\s+(?:have\s+)?(?:returned|return|been|be|give|get|is|it to be"
    r"|to return))?\s{0,3}[`*:]{0,3}\s?"
)
_DOUBT = re.compile(
    r"(?i)\b(?:should|must|ought|expect\w*|instead|rather|wrong\w*|incorrect\w*|bug|broken|but|not)\b"
)
_BEFORE = re.compile(
    r"(?i)\b(?:currently|wrongly|incorrectly|actual\w*|instead\s+of|rather\s+than|not|never|if|bug\w*|got"
    r"|broken)\b[^.;\n]{0,40}$"
)
_AFTER = re.compile(
    r"[`*\"'”’)\]]{0,4}[ \t]*(?:$|[.,;:!)(|#]|//|--|—|–|<-|←|\b(?:because|since|as|and|for|while|when"
    r"|where|whereas|so|due|if|i\.e|e\.g|which"
    r"|with|returns?|the|or|then|is|in|on|at|this|that|to)\b)",
    re.IGNORECASE,
)
_OPERATOR = re.compile(r"[ \t]{0,8}(?:[-+*/%=]|<|>(?!>))")
_MORE = re.compile(r"[\w\"'(\[{]")
_ASSERT = re.compile(r"(?m)^\s{0,12}(?:>>>[ \t]{0,4})?(assert[ \t(][^\n]{1,5000})")
_NAMED = re.compile(r"\s*`?([A-Za-z_]\w*)`?(\s?(?:\[\s?\]){1,3})?`?\s{0,4}[=:]\s{0,4}(?!=)")
_BRACES = str.maketrans("{}", "[]")
"""GeeksforGeeks writes arrays so, `arr[] = {1, 2}`."""
_GIVEN = re.compile(
    r"(?im)^[ \t*>-]{0,12}(?:for|given|if|when|with)[ \t]+(?=`?[A-Za-z_]\w*`?[ \t]{0,4}=[^=])"
)
_THEN = re.compile(
    r"(?i)(?:output|result|answer|function|it)?[ \t]+"
    r"(?:(?:should|must)[ \t]+(?:be|return)|returns?|is)[ \t:`]*"
)
_INPUT_WORDS = (
    "input",
    "输入",
    "輸入",
    "入力",
    "입력",
    "entrada",
    "entrée",
    "entree",
    "eingabe",
    "вход",
    "ввод",
)
_OUTPUT_WORDS = (
    "output",
    "输出",
    "輸出",
    "出力",
    "출력",
    "saída",
    "salida",
    "sortie",
    "ausgabe",
    "выход",
    "вывод",
)
_LABELS = re.compile(
    rf"(?im)^[\s*_>#-]{{0,8}}({'|'.join((*_INPUT_WORDS, *_OUTPUT_WORDS))}|explanation|note|constraints?"
    rf"|example\s{{0,2}}\d{{0,3}}"
    r"|follow[ -]up|解释|解釋|说明|提示|示例\s{0,2}\d{0,3}|進階|进阶"
    r"|explicación|explication|erklärung|explicação"
    r"|пояснение|설명)"
    r"[*_ \t]{0,4}[:：][*_]{0,2}"
)


@dataclass(frozen=True, slots=True)
class Call:
    """The function that examples call."""

    name: str
    parameters: tuple[str, ...] = ()
    """Names in order, without `self`; empty where unknown."""
    returns: str = ""
    """The annotation of the returned value, empty where unknown."""
    prints: bool = False
    """The function may print what the examples show."""


@dataclass(slots=True)
class Examples:
    """The tests that were read, and what was not understood."""

    tests: list[Test] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def find_examples(text: str, name: str) -> list[Test]:
    """Tests of values for the function `name` from `text`: of calls of it, else of arguments by name."""
    call = Call(name)
    calls = [test for test in find_calls(text, call).tests if test.program is None]
    return calls or find_named_examples(text, call)[0]


def _encode_test(arguments: Sequence[Any], value: Any) -> Test | None:
    """The test that calls with `arguments` and expects `value`; None where they cannot be encoded."""
    try:
        return encode_test(arguments, value)
    except ValueError:
        return None


def _arguments(source: str, call: Call) -> list[Any]:
    tree = parse_expression(source)
    if not isinstance(tree, ast.Call):
        raise ValueError("not a call")  # noqa: TRY004 - the spelling is at fault
    return read_call_arguments(tree, call.parameters)


def find_calls(text: str, call: Call, code: str = "") -> Examples:
    """Tests from doctests, and from every `name(arguments)` that is followed by what it returns, each once.

    Followed: by an arrow, an equality, "returns" and the like on the same line. Asserts beyond an equality
    are kept as programs where they use the function, builtins and the standard library only. Where two places
    contradict each other none counts, unless one says what should be. `code` is the code that `text` shows.
    """
    doctests = find_doctests(text, code, Target(call.name, call.parameters, call.prints))
    found = Examples(faults=doctests.faults)
    scanner = Scanner(doctests.rest)
    tests: dict[tuple[str, str | None], Test] = {}
    certain: set[tuple[str, str | None]] = set()
    refused: set[tuple[str, str | None]] = set()
    for start, end in _call_places(scanner, call.name):
        test, is_certain = _read_place(scanner, start, end, call)
        if test is None:
            continue
        key = (test.input, test.program)
        if key in tests and tests[key].output != test.output and not (is_certain or key in certain):
            refused.add(key)
        if key not in tests or (is_certain and key not in certain):
            tests[key] = test
        if is_certain:
            certain.add(key)
            refused.discard(key)
    if refused:
        found.faults.append(f"{len(refused)} of the calls are said to return different values")
    kept = [test for key, test in tests.items() if key not in refused]
    found.tests = list(dict.fromkeys([*doctests.tests, *kept]))
    return found


def _read_place(scanner: Scanner, start: int, end: int, call: Call) -> tuple[Test | None, bool]:
    """The test of one call in the text, and whether it says what should be."""
    text = scanner.text
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    line = text[line_start : line_end if line_end >= 0 else len(text)].strip()
    test = _read_assert(scanner, line, start, end, call)
    if test is not None:
        return test, False
    return _read_call(scanner, start, end, call)


def _call_places(scanner: Scanner, name: str) -> Iterator[tuple[int, int]]:
    pattern = re.compile(rf"(?<![\w])(?<!def ){re.escape(name)}(?=\()")
    done = -1
    for match in pattern.finditer(scanner.text):
        if match.start() < done:
            continue
        end = scanner.end(match.end())
        if end is not None:
            done = end
            yield match.start(), end


def _read_call(scanner: Scanner, start: int, end: int, call: Call) -> tuple[Test | None, bool]:
    text = scanner.text
    arrow = _ARROW.match(text, end)
    line_start = text.rfind("\n", 0, start) + 1
    if arrow is None or _BEFORE.search(text, max(line_start, start - 80), start):
        return None, False
    is_certain = arrow["arrow"].lower().startswith(("should", "must", "ought"))
    source = _read_result(scanner, arrow.end(), is_certain=is_certain)
    try:
        return _encode_test(_arguments(text[start:end], call), read_value(source or "")), is_certain
    except ValueError:
        return None, False


def _read_result(scanner: Scanner, start: int, *, is_certain: bool = True) -> str | None:
    """The value at `start`; of `1 + 2 = 3` the 3; None where the line goes on in another way.

    Where the value is what is and not what should be (`is_certain` false), the latter counts.
    """
    source = scanner.value(start)
    if source is None:
        return None
    end = start + len(source)
    if _MORE.match(scanner.text, end):
        return None
    rest = scanner.text[end : end + 500].partition("\n")[0]
    if _OPERATOR.match(scanner.text, end) and not rest.lstrip().startswith(("//", "--")):
        return rest.rpartition("=")[2].strip(" \t`.,;") if "=" in rest else None
    if not is_certain and (should := _SHOULD.match(scanner.text, _skip_blanks(scanner.text, end))):
        return scanner.value(should.end())
    if not is_certain and _DOUBT.search(_this_clause(rest)):
        return None
    return source if _AFTER.match(rest) else None


def _skip_blanks(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t`*":
        place += 1
    return place


def _this_clause(rest: str) -> str:
    """`rest` up to the next call: what follows belongs to that one."""
    return re.split(r"\w\(|[.;](?:\s|$)", rest, maxsplit=1)[0]


def _read_assert(scanner: Scanner, line: str, start: int, end: int, call: Call) -> Test | None:
    """An assert that says more than `f(...) == value`: truth, negation, or one wrapped in builtins."""
    source = line.removeprefix(">>>").strip()
    if not source.startswith("assert ") or len(source) > 5_000:
        return None
    tree = parse_python(source)
    if tree is None or not isinstance(tree.body[0], ast.Assert):
        return None
    condition = tree.body[0].test
    negated = isinstance(condition, ast.UnaryOp) and isinstance(condition.op, ast.Not)
    inner = condition.operand if isinstance(condition, ast.UnaryOp) and negated else condition
    if _calls(inner, call):
        try:
            return _encode_test(_arguments(scanner.text[start:end], call), not negated)
        except ValueError:
            return None
    if (
        isinstance(inner, ast.Compare)
        and _calls(inner.left, call)
        and isinstance(inner.ops[0], ast.Eq | ast.Is)
    ):
        return None  # the plain form, read by the caller
    modules = _used_modules(tree, call)
    return None if modules is None else Test(program="".join(f"import {name}\n" for name in modules) + source)


def _calls(node: ast.expr, call: Call) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == call.name


def _used_modules(tree: ast.AST, call: Call) -> list[str] | None:
    """The modules that `tree` uses beside the function and builtins; None where it uses anything else."""
    names = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    made = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    others = {name for name in names - made - {call.name} if not hasattr(builtins, name)}
    return sorted(others) if call.name in names and others <= MODULES else None


def find_asserted_names(text: str) -> list[str]:
    """Names that asserts in `text` call and that are neither builtins nor modules, in order."""
    names: list[str] = []
    for source in _ASSERT.findall(text)[:50]:
        tree = parse_python(source) or parse_python(source.partition("==")[0])
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)] if tree else []
        names += [func.id for func in calls if isinstance(func, ast.Name) and not hasattr(builtins, func.id)]
    return names


def find_named_examples(text: str, call: Call | None) -> tuple[list[Test], tuple[str, ...]]:
    """Tests from `Input: a = 1, b = [2]` / `Output: 3` and "For a = 1 the output should be 3".

    Arguments follow the order of the parameters where the names agree, else the order in the example.
    The second value: the argument names of the first example, empty where it has none.
    """
    tests: list[Test] = []
    names: tuple[str, ...] = ()
    for given, output in _named_pairs(Scanner(text), call.returns if call else ""):
        labels = tuple(label for label, _ in given)
        by_name = dict(given)
        if call and len(labels) == len(call.parameters) and set(labels) == set(call.parameters):
            arguments = [by_name[name] for name in call.parameters]
        else:
            arguments = [item for _, item in given]
        test = _encode_test(arguments, output)
        if test is not None:
            names = names or labels
            tests.append(test)
    return tests, names


def _named_pairs(scanner: Scanner, returns: str) -> Iterator[tuple[list[tuple[str, Any]], Any]]:
    text = scanner.text
    marks = list(_LABELS.finditer(text))
    ends = [mark.start() for mark in marks[2:]] + [len(text)]
    found = False
    for first, second, end in zip(marks, marks[1:], ends, strict=False):
        if first[1].lower() in _INPUT_WORDS and second[1].lower() in _OUTPUT_WORDS:
            given = _named_values(scanner, first.end(), second.start())
            try:
                if given:
                    yield given, _output_value(text[second.end() : end], returns)
                    found = True
            except ValueError:
                continue
    for start in () if found else _GIVEN.finditer(text):
        line_end = text.find("\n", start.end())
        line_end = len(text) if line_end < 0 else line_end
        then = list(_THEN.finditer(text, start.end(), min(line_end, start.end() + 20_000)))
        given = _named_values(scanner, start.end(), line_end, partial=True) if then else None
        try:
            if given:
                yield given, read_value(_read_result(scanner, then[-1].end()) or "")
        except ValueError:
            continue


def _named_values(
    scanner: Scanner, start: int, stop: int, *, partial: bool = False
) -> list[tuple[str, Any]] | None:
    """`a = 1, b = [2]` or `1, [2]` (then the names are empty) between two places; None where it is neither.

    `partial`: names are needed, and what follows the last named value is left alone.
    """
    text = scanner.text
    result: list[tuple[str, Any]] = []
    place = start
    while place < stop:
        while place < stop and text[place] in " \t\n,;`*":
            place += 1
        if place >= stop:
            break
        if partial and result and text.startswith("and ", place):
            place += 4
        label = _NAMED.match(text, place)
        if partial and label is None:
            break
        source = scanner.value(label.end() if label else place)
        if not source:
            return None
        place = (label.end() if label else place) + len(source)
        try:
            spelled = source.translate(_BRACES) if label and label[2] else source
            result.append((label[1] if label else "", read_value(spelled)))
        except ValueError:
            return None
        if place < stop and not partial and text[place] not in " \t\n,;`*.":
            return None
    return result or None


def _output_value(text: str, returns: str) -> Any:
    text = text.strip().strip("`*").strip()
    first = text.partition("\n")[0].strip().strip("`*").strip()
    for piece in (text, text.partition("\n\n")[0], first):
        try:
            return read_value(piece)
        except ValueError:
            continue
    if returns == "str" and first:
        return first
    raise ValueError("not a literal")
