"""The function or class that a statement asks for: declared in code, or named in prose."""

from __future__ import annotations

import ast
import re
import textwrap

from sstar_code.problems.python_source import parse_python
from sstar_code.problems.statements.examples import Call, find_asserted_names

_NAME = r"[A-Za-z_]\w{0,80}"
_DEFINITION = re.compile(rf"(?m)^(?:async[ ]+)?def[ \t]+({_NAME})[ \t]*\(")
_CLASS = re.compile(r"(?m)^class[ \t]+[A-Za-z_]\w{0,80}[ \t]*(?:\([^()\n]{0,80}\))?[ \t]*:[ \t]*(?:#|$)")
_SOLUTION = re.compile(r"(?m)^class[ \t]+Solution\b[^\n]{0,80}:")
_BLOCK = re.compile(r"(?ms)^[ ]{0,3}```[ \t]*([\w+-]{0,20})[^\n]{0,40}\n(.*?)^[ ]{0,3}```")
_PROSE = (
    re.compile(rf"(?i)\bfunction,?\s+(?:called\s+|named\s+)?[`'\"*]{{0,3}}({_NAME})\(([^()\n]{{0,300}})\)"),
    re.compile(
        rf"(?i)\b(?:implement|write|complete|define|create|mend|fix|repair|correct"
        rf"|debug)\s+[`'\"*]{{1,3}}({_NAME})\(([^()\n]{{0,300}})\)"
    ),
    re.compile(rf"(?i)\bfunction,?\s+(?:called|named)\s+[`'\"*]{{0,3}}({_NAME})()"),
    re.compile(rf"(?i)\bfunction\s+[`*]{{1,3}}({_NAME})[`*]()"),
)
_HEADER = re.compile(r"([ \t]{0,40})(?:(?:async[ ]+)?def|class)[ \t][^\n]{0,1000}:[ \t]*(?:#[^\n]*)?$")
_CLASS_PROSE = re.compile(
    r"(?i)\b(?:implement|write|complete|define|create|build|design)\s+(?:a|an"
    r"|the)?\s*(?:python\s+)?class,?\s+"
    r"(?:called\s+|named\s+)?[`'\"*]{0,3}((?-i:[A-Z])\w{0,80})"
)
_UNNAMED = re.compile(
    r"(?i)\b(?:write|implement|create|complete|define|make|build"
    r")\b[^.\n]{0,60}?"
    r"\b(?:function|method)s?\b|^\s*function\b|\byour\s+function\b|\b(?:need|want)\s+a\s+(?:\w+\s+)?function\b|\bschreibe\w*\s+eine\s+funktion"
    r"|\bescrib\w+\s+una\s+funci[óo]n"
    r"|\b[ée]cri\w+\s+une\s+fonction|\bescrev\w+\s+uma\s+fun[çc][ãa]o|напи\w+\s+функци|编写一个?函数"
    r"|実装.{0,10}関数|함수를\s+(?:작성|구현)"
)
_PROMPT = re.compile(rf"(?m)^\s{{0,12}}>>>[ \t]+({_NAME})\(")


def write_stub(call: Call) -> str:
    """The line that defines `call`; empty where its parameters are not known."""
    if not call.parameters:
        return ""
    names = [name if name.isidentifier() else f"arg{place}" for place, name in enumerate(call.parameters)]
    return f"def {call.name}({', '.join(names)}):\n"


def find_signature(text: str) -> tuple[Call, str] | None:
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
        heads = (_SOLUTION.search(code), _CLASS.search(code), _DEFINITION.search(code))
        found = [match.start() for match in heads if match]
        start = found[0] if heads[0] else min(found)  # above `Solution` may be what its nodes are
        code = _leading_code(code[start:])
        tree = _parse_open(code)
    if tree is None:
        return None
    call = _entry_point(tree)
    return (call, code) if call else None


def _parse_open(code: str) -> ast.Module | None:
    """The tree of code in which bodies may be missing, as starter code has it."""
    tree = parse_python(code)
    if tree is not None:
        return tree
    filled: list[str] = []
    lines = code.split("\n")
    for place, line in enumerate(lines):
        filled.append(line)
        head = _HEADER.match(line)
        following = next((text for text in lines[place + 1 : place + 50] if text.split("#")[0].strip()), "")
        if head and len(following) - len(following.lstrip()) <= len(head[1]):
            filled.append(f"{head[1]}    pass")
    return parse_python("\n".join(filled))


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
    """`Solution`'s first public method, else the last function (helpers come first), else the last class."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Solution":
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    return _describe(method, f"Solution.{method.name}")
    if functions:
        return _describe(functions[-1], functions[-1].name)
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    return Call(classes[-1]) if classes and classes[-1] != "Solution" else None


def _describe(node: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> Call:
    names = [item.arg for item in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    if "." in name and names[:1] in (["self"], ["cls"]):
        names = names[1:]
    returns = ast.unparse(node.returns) if node.returns is not None else ""
    return Call(name, tuple(names), returns)


def find_mention(text: str) -> Call | None:
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
    if asserted:
        return Call(asserted[0])
    made = _CLASS_PROSE.search(text)
    return Call(made[1]) if made else None


def asks_for_function(text: str) -> bool:
    """Whether the statement asks for a function, though it names none."""
    return _UNNAMED.search(text) is not None
