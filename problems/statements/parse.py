"""A problem from a bare statement: kind, entry point, starter code and public tests, from the text alone."""

from __future__ import annotations

import ast
import html
import re
import textwrap
from dataclasses import dataclass
from typing import Literal

from sstar_code.problems.problem import Kind, Problem, Test
from sstar_code.problems.python_source import parse_python
from sstar_code.problems.statements.examples import Call, find_asserted_names, find_calls, find_named_examples

Role = Literal["input", "output", "examples", "other"]

_TAGS = (
    "p|div|span|strong|b|i|em|code|sup|sub|ul|ol|li|font|u|section|h[1-6]|var|pre|br|hr|img|a"
    "|table|tr|td|th|tbody"
)
_TAG = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]{{0,400}})?/?>", re.IGNORECASE)
_BREAK = re.compile(r"<br\s{0,3}/?>|</(?:p|div|li|tr|section|h[1-6])>", re.IGNORECASE)
_PRE = re.compile(r"<pre(?:\s[^<>]{0,200})?>\n?|</pre>", re.IGNORECASE)
_FENCE = re.compile(r"^\s{0,3}(`{3,}|~{3,})\s*([\w+-]{0,20})\s*$")
_DECORATION = " \t#*_`~:：-=<>[]【】."  # noqa: RUF001 - full-width colons are what such pages print
_NUMBER = r"\s*(?:#\s*)?\d{0,3}"
_COPY = r"(?:\s*copy)?"
_WORDS: dict[Role, str] = {
    "input": rf"(?:(?:sample|examples?|test)?{_NUMBER}\s*input|input\s*(?:sample|example))s?{_NUMBER}{_COPY}"
    rf"|入力例{_NUMBER}{_COPY}|样例输入{_NUMBER}|输入样例{_NUMBER}",
    "output": rf"(?:(?:sample|example|test|expected)?{_NUMBER}\s*output|output\s*(?:sample|example)"
    rf"|sample\s*answer)s?(?:\s*for\s*(?:the\s*)?sample\s*input)?{_NUMBER}{_COPY}"
    rf"|出力例{_NUMBER}{_COPY}|样例输出{_NUMBER}|输出样例{_NUMBER}",
    "examples": rf"(?:sample|example|test)s?(?:\s*(?:tests?|cases?)(?:\(s\))?)?{_NUMBER}|样例{_NUMBER}",
    "other": r"notes?|explanations?|constraints?|hints?|scoring|subtasks?|limits?|remarks?|interaction|source"
    r"|(?:problem )?statement|input format|output format|follow[ -]up"
    r"|explanation of (?:the )?(?:sample|example).{0,40}"
    rf"|(?:sample|example) explanation{_NUMBER}|explanation{_NUMBER}|入力|出力|制約|問題文",
}
_HEADINGS: dict[Role, re.Pattern[str]] = {
    role: re.compile(rf"(?:{words})", re.IGNORECASE) for role, words in _WORDS.items()
}
_NAMED = re.compile(r"sample|example|copy|例|样|\d", re.IGNORECASE)
_LABEL = re.compile(r"^[\s*_#>-]{0,8}(input|output)[\s*_]{0,4}:[*_]{0,2}[ \t]*(\S.*)$", re.IGNORECASE)
_GLUED = re.compile(
    r"(?:(Examples?)(Input(?:[Cc]opy)?)|(?<=\S)((?:Sample|Example) (?:Input|Output) ?\d{0,3}:?))$"
)
_EXPLANATION = re.compile(r"[\s*_]{0,6}explanation\b", re.IGNORECASE)
_STANDARD_INPUT = re.compile(r"(?i)\bstandard\s+input\b|\bstdin\b|標準入力")
_WORD = re.compile(r"[^\W\d_]{2,}")
_MAX_HEADING = 60


@dataclass(frozen=True, slots=True)
class Section:
    """One heading's part of a statement."""

    role: Role
    named: bool
    """The heading says "sample" or the like; a bare "Input" may head the format description instead."""
    lines: tuple[str, ...]
    fenced: str | None
    """Text of the first fenced block, where the section starts with one."""
    inline: bool = False
    """The text stood on the heading's own line, as in `Input: 3 4`."""


def clean_text(text: str) -> str:
    """`text` with one kind of line end, `<pre>` as fences, and without HTML tags and invisible characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u200b", "").replace("\ufeff", "")
    if _TAG.search(text):
        text = _PRE.sub("\n```\n", text)
        text = html.unescape(_TAG.sub("", _BREAK.sub("\n", text)))
    return text.replace("\xa0", " ")


def mentions_stdin(text: str) -> bool:
    """Whether the statement says in words that the program reads standard input."""
    return _STANDARD_INPUT.search(text) is not None


def _heading(line: str) -> tuple[Role, bool] | None:
    if len(line) > _MAX_HEADING:
        return None
    words = line.strip(_DECORATION)
    if not words:
        return None
    for role, pattern in _HEADINGS.items():
        if pattern.fullmatch(words):
            return role, _NAMED.search(words) is not None
    return None


def _unglue(lines: list[str]) -> list[str]:
    """Headings glued to text, as copied pages have them (`end.Sample Input 1:`), on lines of their own."""
    result = []
    for line in lines:
        glued = _GLUED.search(line[-_MAX_HEADING:])
        pieces = (line[: -len(glued[0])], *glued.groups()) if glued else (line,)
        result += [piece for piece in pieces if piece] or [""]
    return result


def _read_head(line: str, *, inline: bool) -> Section | None:
    """The new section that `line` starts, if any; `inline`: the one before began on its heading's line."""
    head = _heading(line)
    if head is not None:
        return Section(*head, lines=(), fenced=None)
    label = _LABEL.match(line)
    if label:
        role: Role = "input" if label[1].lower() == "input" else "output"
        return Section(role, named=False, lines=(label[2],), fenced=None, inline=True)
    if inline and _EXPLANATION.match(line):
        return Section("other", named=False, lines=(), fenced=None)
    return None


def split_sections(text: str) -> list[Section]:
    """The sections of a cleaned statement, in order; text before the first heading is left out."""
    bodies: list[tuple[Section, list[str]]] = [(Section("other", named=False, lines=(), fenced=None), [])]
    fence: str | None = None
    for line in _unglue(text.split("\n")):
        section, body = bodies[-1]
        mark = _FENCE.match(line)
        if fence is None and not mark and (head := _read_head(line, inline=section.inline)):
            bodies.append((head, list(head.lines)))
            continue
        if mark and fence is None:
            fence = mark[1]
        elif mark and fence is not None and mark[1].startswith(fence) and not mark[2]:
            fence = None
        if body or line.strip() != "Copy":
            body.append(line)
    return [
        Section(head.role, head.named, tuple(body), _leading_fence(body), head.inline)
        for head, body in bodies[1:]
    ]


def _leading_fence(body: list[str]) -> str | None:
    start = next((place for place, line in enumerate(body) if line.strip()), None)
    if start is None or not (mark := _FENCE.match(body[start])):
        return None
    inside = []
    for line in body[start + 1 :]:
        if line.strip().startswith(mark[1]):
            break
        inside.append(line)
    return "\n".join(inside)


def _is_prose(paragraph: list[str]) -> bool:
    """Whether lines below a sample explain it: sentences, lists, formulas; not numbers or single words."""
    first = paragraph[0].strip()
    listed = first in ("-", "*") or first.startswith(("- ", "* ", "$$"))
    return len(_WORD.findall(first)) >= 3 or first.endswith((".", ":", "!", "。")) or listed


def _paragraphs(lines: tuple[str, ...]) -> list[list[str]]:
    result: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            result[-1].append(line.rstrip())
        elif result[-1]:
            result.append([])
    return [paragraph for paragraph in result if paragraph]


def _input_text(section: Section) -> str:
    if section.fenced is not None:
        return section.fenced.strip("\n") + "\n"
    lines = [line.rstrip() for line in section.lines]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    # A blank line after every single line is the page's paragraph spacing, not input.
    spaced = len(lines) >= 3 and all(bool(line) is (place % 2 == 0) for place, line in enumerate(lines))
    return "\n".join(line for line in lines if line or not spaced) + "\n"


def _output_text(section: Section) -> str:
    if section.fenced is not None:
        return section.fenced.strip("\n") + "\n"
    kept: list[list[str]] = []
    # An empty output leaves a gap of two blank lines between the heading and what explains it.
    gap = len(section.lines) > 1 and not any(line.strip() for line in section.lines[:2])
    for paragraph in _paragraphs(section.lines):
        if (kept or gap) and _is_prose(paragraph):
            break
        kept.append(paragraph)
    spaced = len(kept) > 1 and all(len(paragraph) == 1 for paragraph in kept)
    return ("\n" if spaced else "\n\n").join("\n".join(paragraph) for paragraph in kept) + "\n"


def find_samples(sections: list[Section]) -> list[tuple[str, str]]:
    """(standard input, standard output) of every sample, in order.

    A bare "Input" heading counts as a sample only below an "Examples" heading or when its text stands on the
    heading's own line: otherwise it heads the description of the format.
    """
    samples: list[tuple[str, str]] = []
    pending: Section | None = None
    below_examples = False
    for section in sections:
        if section.role == "examples":
            below_examples, pending = True, None
        elif section.role == "other" or not (section.named or below_examples or section.inline):
            pending = None
        elif section.role == "input":
            pending = section
        elif pending is not None:
            given, expected = _input_text(pending), _output_text(section)
            if given.strip() or expected.strip():
                samples.append((given, expected))
            pending = None
    return samples


_NAME = r"[A-Za-z_]\w{0,80}"
_DEFINITION = re.compile(rf"(?m)^(?:async[ ]+)?def[ \t]+({_NAME})[ \t]*\(")
_CLASS = re.compile(r"(?m)^class[ \t]+Solution\b[^\n]{0,80}:")
_BLOCK = re.compile(r"(?ms)^[ ]{0,3}```[ \t]*([\w+-]{0,20})[^\n]{0,40}\n(.*?)^[ ]{0,3}```")
_PROSE = (
    re.compile(rf"(?i)\bfunction,?\s+(?:called\s+|named\s+)?[`'\"*]{{0,3}}({_NAME})\(([^()\n]{{0,300}})\)"),
    re.compile(
        rf"(?i)\b(?:implement|write|complete|define|create)\s+[`'\"*]{{1,3}}({_NAME})\(([^()\n]{{0,300}})\)"
    ),
    re.compile(rf"(?i)\bfunction,?\s+(?:called|named)\s+[`'\"*]{{0,3}}({_NAME})()"),
    re.compile(rf"(?i)\bfunction\s+[`*]{{1,3}}({_NAME})[`*]()"),
)
_PROMPT = re.compile(rf"(?m)^\s{{0,12}}>>>[ \t]+({_NAME})\(")
_ENTRY_POINT = "solve"
"""Name given to a function whose statement shows examples by argument name and never names it."""


def parse_statement(text: str, *, id: str) -> Problem:  # noqa: A002 - the record's own word
    """The problem that a statement in text or Markdown describes. Never raises.

    Recognised as a function: a signature (`def f(...)`, `class Solution`), doctest or asserts, "a function
    f(a, b)", or LeetCode's `Input: a = 1` / `Output: 2` (then named `solve` where nothing names it). All
    else is a program on standard input. Public tests are the statement's own examples; none found is an
    empty tuple. Nothing of the text is ever run.
    """
    text = clean_text(text)
    sections = split_sections(text)
    samples = find_samples(sections)
    bare = {section.role for section in sections if not section.inline}
    asks_stdin = mentions_stdin(text) or any(s.named and s.role == "input" and not s.inline for s in sections)
    found = _find_signature(text)
    if found and not asks_stdin:
        return _function(text, id, *found)
    if not asks_stdin:
        tests, names = find_named_examples(text, None)
        if tests and any(names):
            mentioned = _find_mention(text)
            call = Call(mentioned.name if mentioned else _ENTRY_POINT, names)
            return _function(text, id, call, _stub(call))
    if asks_stdin or {"input", "output"} <= bare:
        return _program(text, id, samples)
    call_or_none = _find_mention(text)
    if call_or_none:
        return _function(text, id, call_or_none, _stub(call_or_none))
    return _program(text, id, samples)


def _program(text: str, id: str, samples: list[tuple[str, str]]) -> Problem:  # noqa: A002
    tests = dict.fromkeys(Test(given, expected) for given, expected in samples)
    return Problem(id, text, Kind.STDIN, public_tests=tuple(tests))


def _function(text: str, id: str, call: Call, starter: str) -> Problem:  # noqa: A002
    tests = find_calls(text, Call(call.name.rpartition(".")[2], call.parameters, call.returns))
    if not tests:
        tests = find_named_examples(text, call)[0]
    return Problem(id, text, Kind.FUNCTION, call.name, starter, tuple(dict.fromkeys(tests)))


def _stub(call: Call) -> str:
    if not call.parameters:
        return ""
    names = [name if name.isidentifier() else f"arg{place}" for place, name in enumerate(call.parameters)]
    return f"def {call.name}({', '.join(names)}):\n"


def _find_signature(text: str) -> tuple[Call, str] | None:
    """The entry point that code in the statement declares, and the code to start from."""
    for _, code in sorted(
        _BLOCK.findall(text), key=lambda block: block[0] not in ("python", "py", "python3")
    ):
        found = _read_code(textwrap.dedent(code))
        if found:
            return found
    return _read_code(text)


def _read_code(code: str) -> tuple[Call, str] | None:
    if not _CLASS.search(code) and not _DEFINITION.search(code):
        return None
    tree = _parse_open(code)
    if tree is None:
        start = min(match.start() for match in (_CLASS.search(code), _DEFINITION.search(code)) if match)
        code = _leading_code(code[start:])
        tree = _parse_open(code)
    if tree is None:
        return None
    call = _entry_point(tree)
    return (call, code) if call else None


def _parse_open(code: str) -> ast.Module | None:
    """The tree of code whose last body may be missing, as starter code has it."""
    for source in (code, code.rstrip() + " pass", code.rstrip() + "\n        pass"):
        tree = parse_python(source)
        if tree is not None:
            return tree
    return None


def _leading_code(text: str) -> str:
    """The lines of `text` up to the first that stands at the margin, apart from the signature itself."""
    lines = text.split("\n")
    depth = 0
    kept = []
    for place, line in enumerate(lines):
        if place and depth <= 0 and line.strip() and not line[0].isspace():
            break
        depth += line.count("(") - line.count(")")
        kept.append(line)
    return "\n".join(kept).rstrip() + "\n"


def _entry_point(tree: ast.Module) -> Call | None:
    """`Solution`'s first public method, else the last function: helpers come first."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Solution":
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    return _describe(method, f"Solution.{method.name}")
    return _describe(functions[-1], functions[-1].name) if functions else None


def _describe(node: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> Call:
    names = [item.arg for item in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    if "." in name and names[:1] in (["self"], ["cls"]):
        names = names[1:]
    returns = ast.unparse(node.returns) if node.returns is not None else ""
    return Call(name, tuple(names), returns)


def _find_mention(text: str) -> Call | None:
    """The function that prose, doctest or asserts name."""
    for pattern in _PROSE:
        found = pattern.search(text)
        if found:
            names = [part.split(":")[0].split("=")[0].strip() for part in found[2].split(",")]
            return Call(found[1], tuple(name for name in names if name))
    prompt = _PROMPT.search(text)
    if prompt:
        return Call(prompt[1])
    asserted = find_asserted_names(text)
    return Call(asserted[0]) if asserted else None
