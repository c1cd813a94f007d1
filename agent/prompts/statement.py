"""Statements as a model reads them: without the markup of the page that they come from.

Only what is surely markup is touched: code, the texts of tests, and statements that speak of markup
themselves stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from sstar_code.problems import Kind
from sstar_code.problems.checkers import DEFAULT_TOLERANCE

if TYPE_CHECKING:
    from sstar_code.problems import Problem, Test

__all__ = ["clean_statement", "describe_checker", "list_unshown"]

_CODE = re.compile(
    r"^(?P<fence>`{3,}|~{3,})[^\n]*\n.*?^(?P=fence)|(?<!`)`[^`\n]+`(?!`)|^>>> .*?(?:\n[ \t]*\n|\Z)",
    re.DOTALL | re.MULTILINE,
)
"""Fenced blocks, code in a line, and Python sessions."""
_SPEAKS_OF_HTML = re.compile(
    r"\bx?html\b|\bxml\b|\bentit(?:y|ies)\b|\bmark(?:up|down)\b|\btags?\b", re.IGNORECASE
)
_SPEAKS_OF_TEX = re.compile(r"\b(?:La)?TeX\b|\bbackslash", re.IGNORECASE)
_MARKS = re.compile(r"[<>&$\\{}!\u2009\u202f\xa0\u200b\u200e\ufeff]|\n[ \t]*\n[ \t]*\n")
"""What a rule below may change: only a test that holds one of these needs to be kept from it."""
_SHORTEST_KEPT = 2

_IMAGES = re.compile(r"<image>|<img\b[^<>]*>|!\[[^\]\n]{0,200}\]\([^()\s]{1,400}\)", re.IGNORECASE)
_NO_IMAGE = "[image, not shown]"
_SPACES = re.compile("[\u2009\u202f\xa0]")
_INVISIBLE = re.compile("[\u200b\u200e\ufeff]")
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")

_DISPLAYED = re.compile(r"\${6}([^$]+)\${6}")
_FORMULA = re.compile(r"\${3}([^$]+)\${3}")
_CONTENT = r"\{((?:[^{}]|\{[^{}]*\}){0,400})\}"
_STYLE = re.compile(rf"\\(?:text(?:bf|it)|emph|color\{{\w+\}}){_CONTENT}")
_NAME = re.compile(rf"(?<![\w^])\\(?:text(?:rm|sf)?|mathrm|operatorname\*?){_CONTENT}(?![^\W_])")
"""Words in a formula, where neither a letter beside them nor a subscript that they are needs the braces."""
_SWITCH = re.compile(r"\\color\{\w+\}(?!\{) ?|\\displaystyle(?![A-Za-z]) ?")
_WIDE_SPACE = re.compile(r" ?\\(?:enspace|quad|qquad)(?![A-Za-z]) ?")
_MOST_NESTED = 4

_CLOSED = re.compile(
    r"</(p|div|span|ul|ol|li|b|strong|i|em|u|code|pre|sup|sub|tt|center|font)>", re.IGNORECASE
)
_ATTRIBUTES = r"(?:\s+[\w-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'))*\s*"
_BREAK = re.compile(rf"<br{_ATTRIBUTES}/?>|</?(?:p|div|ul|ol|pre|center){_ATTRIBUTES}>|</li>", re.IGNORECASE)
_ITEM = re.compile(rf"<li{_ATTRIBUTES}>\s*", re.IGNORECASE)
_RAISED = re.compile(r"<(su[pb])>([^<>\n]*)</\1>", re.IGNORECASE)
_CODE_TAG = re.compile(r"<(code|tt)>([^<>`\n]+)</\1>", re.IGNORECASE)
_INLINE = re.compile(rf"</?(?:span|b|strong|i|em|u|code|tt|font){_ATTRIBUTES}>", re.IGNORECASE)
_ENTITIES = {
    "lt": "<",
    "gt": ">",
    "le": "<=",
    "leq": "<=",
    "ge": ">=",
    "geq": ">=",
    "ne": "!=",
    "amp": "&",
    "quot": '"',
    "apos": "'",
    "#39": "'",
    "nbsp": " ",
    "thinsp": " ",
    "times": "\N{MULTIPLICATION SIGN}",
    "minus": "-",
    "ndash": "-",
    "mdash": "-",
    "hellip": "...",
    "middot": "·",
    "rarr": "→",
}
_ENTITY = re.compile(f"&({'|'.join(map(re.escape, _ENTITIES))});")


def clean_statement(problem: Problem) -> str:
    r"""The statement of `problem` without markup of web pages and of formulas.

    `$$$n$$$` becomes `n`, `\textbf{all}` `all`, `&lt;` `<`, `10<sup>5</sup>` `10^5`, a picture a note that
    there is one, and several blank lines one. Code and the texts of public tests stay as they are.
    """
    starter = problem.starter_code.strip()
    if starter and starter in problem.statement:
        before, _, after = problem.statement.partition(starter)
        if problem.kind is Kind.FUNCTION and not before.strip() and not after.strip():
            return problem.statement  # the statement is a docstring
    texts = [
        text for test in problem.public_tests for text in (test.input, test.output, test.program) if text
    ]
    kept = tuple(sorted({text.strip() for text in (*texts, starter) if _MARKS.search(text.strip())}))
    return _clean(problem.statement, kept, is_sampled=bool(texts))


@lru_cache(maxsize=256)
def _clean(statement: str, kept: tuple[str, ...], *, is_sampled: bool) -> str:
    text = statement.replace("\r\n", "\n")
    if not _MARKS.search(text):
        return text
    is_html = not _SPEAKS_OF_HTML.search(text)
    is_tex = not _SPEAKS_OF_TEX.search(text)
    has_tags = is_html and _CLOSED.search(text) is not None
    literal = [re.escape(part) for part in kept if len(part) >= _SHORTEST_KEPT]
    parts = re.compile("|".join(sorted(literal, key=len, reverse=True)) or r"(?!)")

    def clean_prose(prose: str) -> str:
        prose = _INVISIBLE.sub("", _SPACES.sub(" ", prose))
        if is_html:
            prose = _IMAGES.sub(_NO_IMAGE, prose)
        if has_tags:
            prose = _drop_tags(prose)
        if is_html:
            prose = _ENTITY.sub(lambda found: _ENTITIES[found[1]], prose)
        if is_tex:
            prose = _drop_tex(prose)
        return _BLANK_LINES.sub("\n\n", prose) if is_sampled else prose

    return _around(_CODE, text, lambda prose: _around(parts, prose, clean_prose)).strip("\n")


def _around(kept: re.Pattern[str], text: str, change: Callable[[str], str]) -> str:
    """`text` with `change` made to all between what `kept` finds."""
    parts, end = [], 0
    for found in kept.finditer(text):
        parts += [change(text[end : found.start()]), found[0]]
        end = found.end()
    return "".join([*parts, change(text[end:])])


def _drop_tags(text: str) -> str:
    text = _RAISED.sub(lambda found: _raise(found[1].lower(), found[2]), text)
    text = _CODE_TAG.sub(r"`\2`", text)
    text = _ITEM.sub("\n- ", text)
    return _INLINE.sub("", _BREAK.sub("\n", text))


def _raise(tag: str, content: str) -> str:
    sign = "^" if tag == "sup" else "_"
    return f"{sign}{content}" if re.fullmatch(r"\w+", content) else f"{sign}({content})"


def _drop_tex(text: str) -> str:
    if text.count("$$$") % 2 == 0:
        text = _DISPLAYED.sub(lambda found: f" {found[1].strip()} ", text)
        text = _FORMULA.sub(lambda found: _unquote(found, text), text)
    for _ in range(_MOST_NESTED):
        plain = _NAME.sub(r"\1", _STYLE.sub(r"\1", text))
        if plain == text:
            break
        text = plain
    return _WIDE_SPACE.sub(" ", _SWITCH.sub("", text))


def _unquote(found: re.Match[str], text: str) -> str:
    """A formula without its marks, and never run together with a word or a formula beside it."""
    start, end = found.span()
    is_led = start > 0 and (text[start - 1].isalnum() or text[start - 1] == "$")
    is_followed = end < len(text) and text[end].isalnum()
    return f"{' ' * is_led}{found[1].strip()}{' ' * is_followed}"


_DECORATION = "`*>|"
_SHORT = 6
"""Tests of fewer characters stand by chance in a text: they have to be lines or a call of their own."""
_LONG = 12
"""Characters of a program's input that does not stand in a text by chance."""
_MOST_BETWEEN = {Kind.STDIN: 200, Kind.FUNCTION: 60}
"""Characters between an input and its output, like `Sample Output 1`, and between arguments."""
_MOST_PLACES = 100
_AROUND_SIGNS = re.compile(r"\s*([^\w\s])\s*")
_JSON_WORDS = {"True": "true", "False": "false", "None": "null"}


_ANY_ORDER = {
    Kind.STDIN: "Lines may stand in any order: two outputs with the same lines count as the same.",
    Kind.FUNCTION: "Items may stand in any order: two lists with the same items count as the same.",
}


def describe_checker(problem: Problem) -> str:
    """A sentence on which differences between two outputs of `problem` do not count; empty where all do.

    Blanks at line ends are not spoken of: a reader does not see them.
    """
    if not isinstance(problem.checker, str):
        return "A program checks the outputs: others than the expected one may be right too."
    name, _, argument = problem.checker.partition(":")
    if name == "floats" or (
        problem.kind is Kind.FUNCTION and (name == "apps" or (name == "python" and argument))
    ):
        tolerance = argument or f"{DEFAULT_TOLERANCE:g}"
        return f"Two numbers that differ by at most {tolerance}, absolute or relative, count as the same."
    if name == "codecontests":
        return (
            "Two numbers that differ by at most 1e-05 count as the same, and so do texts that differ in case."
        )
    if name == "unordered":
        return _ANY_ORDER[problem.kind]
    return "Letter case does not count." if name == "any-case" else ""


def list_unshown(problem: Problem, shown: Callable[[str], str]) -> tuple[Test, ...]:
    """The public tests that the statement does not show already; `shown` writes an encoded value for people.

    Texts are compared without white space and decoration, the values of functions in any notation of Python
    or JSON. A test counts as shown where its input is followed closely by its output; of a program's input
    that is long enough the statement may show another output, which is right too.
    """
    name = (problem.entry_point or "") if problem.kind is Kind.FUNCTION else None
    return _list_unshown(problem.statement, name, problem.public_tests, shown)


@lru_cache(maxsize=256)  # every sample and every repair of a problem asks
def _list_unshown(
    statement: str, name: str | None, tests: tuple[Test, ...], shown: Callable[[str], str]
) -> tuple[Test, ...]:
    """As `list_unshown`; `name` is the entry point, None for a program."""
    if name is None:
        words, lines = _join_words(statement), _join_lines(statement)
        return tuple(test for test in tests if not _shows_run(words, lines, test))
    text = _squeeze(statement)
    return tuple(test for test in tests if not _shows_call(text, name, test, shown))


def _shows_run(words: str, lines: str, test: Test) -> bool:
    if test.program is not None:
        return _join_words(test.program) in words
    texts = [part for part in (test.input, test.output) if part is not None and part.strip()]
    if len("".join(test.input.split())) >= _LONG:
        texts = [test.input]
    is_short = len("".join("".join(texts).split())) < _SHORT
    (join, text) = (_join_lines, lines) if is_short else (_join_words, words)
    return bool(texts) and _follow(text, [join(part) for part in texts], _MOST_BETWEEN[Kind.STDIN])


def _shows_call(text: str, name: str, test: Test, shown: Callable[[str], str]) -> bool:
    if test.program is not None:
        return _squeeze(test.program) in text
    parts = [_squeeze(shown(line)) for line in test.input.splitlines() if line.strip()]
    result = [] if test.output is None else [_squeeze(shown(test.output))]
    layouts = [[*parts, *result]]
    if sum(map(len, layouts[0])) < _SHORT:  # a call, or `n = 1` and `Output: 2`
        call = f"{name.rpartition('.')[2]}({','.join(parts)})"
        layouts = [[call, *result], [*(f"={part}" for part in parts), *(f":{part}" for part in result)]]
    return any(_follow(text, layout, _MOST_BETWEEN[Kind.FUNCTION]) for layout in layouts if layout)


def _join_words(text: str) -> str:
    words = (word.strip(_DECORATION) for word in text.split())
    return f" {' '.join(word for word in words if word)} "


def _join_lines(text: str) -> str:
    lines = (" ".join(line.strip(_DECORATION).split()) for line in text.splitlines())
    return "\n" + "\n".join(line for line in lines if line) + "\n"


def _squeeze(text: str) -> str:
    """`text` with one notation for quotes, constants and white space."""
    text = re.sub(r"\b(?:True|False|None)\b", lambda found: _JSON_WORDS[found[0]], text.replace("'", '"'))
    return " ".join(_AROUND_SIGNS.sub(r"\1", text).split())


def _follow(text: str, parts: list[str], most_between: int) -> bool:
    """Whether `parts` stand in `text` one after the other, each whole and close to the one before."""
    for _, start in zip(range(_MOST_PLACES), _find_whole(text, parts[0], 0, len(text)), strict=False):
        end = start + len(parts[0])
        for part in parts[1:]:
            end -= part[:1].isspace()  # one space or line end may be shared by both
            place = next(_find_whole(text, part, end, end + most_between + len(part)), None)
            if place is None:
                break
            end = place + len(part)
        else:
            return True
    return False


def _find_whole(text: str, part: str, start: int, stop: int) -> Iterator[int]:
    """Where `part` stands in `text[start:stop]` and is no piece of a longer word or number."""
    place = text.find(part, start, stop)
    while place >= 0:
        end = place + len(part)
        is_led = part[:1].isalnum() and place > 0 and (text[place - 1].isalnum() or text[place - 1] in "-._")
        if not is_led and not (part[-1:].isalnum() and end < len(text) and text[end].isalnum()):
            yield place
        place = text.find(part, place + 1, stop)
