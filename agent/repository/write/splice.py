"""Puts a candidate into its file.

Only statements travel: decorators, signature, docstring and the comments around stay the file's own. What the
candidate needs besides (imports, helper functions, constants that the module does not define) goes to the
start of the body.
"""

from __future__ import annotations

import ast
import io
import re
import symtable
import token
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.generation.completeness import BUILTINS, bound_names, first_line, reach
from sstar_code.agent.repository.find.project_files import split_lines
from sstar_code.agent.repository.find.stubs import MARKER, FunctionNode, is_open_body, statements
from sstar_code.problems.python_source import UNREADABLE, parse_strictly

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.project_files import Source
    from sstar_code.agent.repository.find.stubs import Stub

_STARTS = {getattr(token, name, None) for name in ("FSTRING_START", "TSTRING_START")} - {None}
_ENDS = {getattr(token, name, None) for name in ("FSTRING_END", "TSTRING_END")} - {None}


@dataclass(slots=True)
class _Lines:
    """How the lines of a block are indented, by their 1-based numbers."""

    depth: dict[int, int]
    """Depth of each line that begins a statement, or holds a comment alone."""
    column: dict[int, int]
    """Column of each line that begins a statement."""
    first: dict[int, int]
    """For each line that goes on a statement the line that begins it."""
    raw: set[int]
    """Lines that begin inside a string."""


def indent_unit(text: str) -> str:
    """The first indentation that a file uses; four spaces where it has none."""
    try:
        for item in tokenize.generate_tokens(io.StringIO(text).readline):
            if item.type == token.INDENT:
                return item.string
    except (tokenize.TokenError, IndentationError, SyntaxError):
        pass
    return "    "


def indent_block(block: str, base: str, unit: str) -> list[str]:
    """The lines of `block`, statements at one depth, at the margin `base`, with `unit` for each depth below.

    The inside of strings stays as it is; lines that go on a statement keep their distance from its first
    line.

    Raises:
        SyntaxError: `block` is not made of whole statements.
    """
    block = block.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    outer = int(block[:1].isspace())  # a block that is indented is read inside a statement
    lines = ["if 1:"] * outer + block.split("\n")
    known = _read("\n".join(lines) + "\n")
    moved = []
    for number, line in enumerate(lines[outer:], start=outer + 1):
        rest = line.lstrip(" \t\f")
        first = known.first.get(number, number)
        margin = base + unit * max(0, known.depth.get(first, outer) - outer)
        if number in known.raw:
            moved.append(line)
        elif not rest:
            moved.append("")
        elif first != number:
            moved.append(margin + " " * max(0, _width(line) - known.column[first]) + rest)
        else:
            moved.append(margin + rest)
    return moved


def _read(text: str) -> _Lines:  # noqa: C901 - one branch a kind of token is the clearest form
    known = _Lines({}, {}, {}, set())
    stack, strings, first = [0], [], 0
    try:
        for item in tokenize.generate_tokens(io.StringIO(text).readline):
            (row, _), (end, _) = item.start, item.end
            if item.type == token.INDENT:
                stack.append(_width(item.string))
            elif item.type == token.DEDENT:
                stack.pop()
            elif item.type in (token.NEWLINE, token.ENDMARKER):
                first = 0
            elif item.type == token.COMMENT and not first:
                width = _width(item.line)
                inner = sum(column <= width for column in stack) - 1
                known.depth[row] = inner + (width > stack[-1])
            elif item.type != token.NL:
                if not first:
                    first = row
                    known.depth[row], known.column[row] = len(stack) - 1, _width(item.line)
                known.first.update(dict.fromkeys(range(max(row, first + 1), end + 1), first))
                if item.type == token.STRING:
                    known.raw.update(range(row + 1, end + 1))
                elif item.type in _STARTS:
                    strings.append(row)
                elif item.type in _ENDS:
                    known.raw.update(range(strings.pop() + 1, end + 1))
    except (tokenize.TokenError, IndentationError) as error:
        raise SyntaxError(f"not whole statements: {error}") from error
    return known


def _width(line: str) -> int:
    """The column at which `line` begins."""
    margin = line[: len(line) - len(line.lstrip(" \t\f"))]
    return len(margin.expandtabs(8))


NO_FIT = "CannotBeUsed"
"""What a candidate fails with that does not fit into its file, to the model that is told."""


class MisfitError(ValueError):
    """A candidate cannot take the function's place; the message says why, for the model."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file with a function's body replaced."""

    source: Source
    first_line: int
    last_line: int
    """1-based lines of the new body."""


def put_candidate(stub: Stub, code: str) -> Written:
    """`stub`'s file with the body that `code` has for it.

    `code` is Python source that defines the function: by its qualified name (inside its class) or by its
    plain name at the margin. All of it may be indented, as a method that was copied out of its class is.

    Raises:
        MisfitError: it does not define it, with other parameters, or needs what cannot be put in its body.
    """
    code = code.replace("\r\n", "\n").replace("\r", "\n")
    try:
        if code.lstrip("\n")[:1].isspace():
            code = "\n".join(indent_block(code.strip("\n"), "", "    "))
        tree = parse_strictly(code)
    except UNREADABLE as error:
        raise MisfitError(f"it does not parse: {error}") from error
    holder, node = _find(tree, stub)
    _check_signature(stub, node)
    open_body = is_open_body(node)
    if open_body:
        raise MisfitError(f"its body is left open ({open_body})")
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    if not body:
        raise MisfitError("it has no body")
    _check_members(stub, holder, node)
    lines = code.split("\n")
    carried = _carry(stub, tree, node)
    blocks = [_cut(lines, item, item) for item in carried] + [_cut(lines, body[0], body[-1])]
    try:
        return put_body(stub, blocks)
    except (SyntaxError, UnicodeEncodeError) as error:
        raise MisfitError(f"it does not fit into the file: {error}") from error


def put_first(stub: Stub, block: str) -> Written:
    """`stub`'s file with the statements of `block` before those of the function's body.

    Raises:
        As `put_body`.
    """
    documented = ast.get_docstring(stub.node, clean=False) is not None
    body = stub.node.body[documented:]
    lines = [line.rstrip("\r\n") for line in split_lines(stub.source.text)]
    return put_body(stub, [block, *([_cut(lines, body[0], body[-1])] if body else [])])


def put_body(stub: Stub, blocks: Sequence[str]) -> Written:
    """`stub`'s file with the statements of `blocks` as the function's body.

    Raises:
        SyntaxError: the file would not parse.
        UnicodeEncodeError: the file's encoding lacks a character.
    """
    source, node = stub.source, stub.node
    lines = split_lines(source.text)
    documented = ast.get_docstring(node, clean=False) is not None
    replaced = node.body[1:] if documented else node.body
    first = replaced[0] if replaced else None
    margins = [_text_before(lines, item) for item in (*replaced[:1], node.body[0])]
    own_margin = _text_before(lines, node) + indent_unit(source.text)
    base = next((margin for margin in margins if margin.isspace()), own_margin)
    inner = [line for block in blocks for line in indent_block(block, base, indent_unit(source.text))]
    end = node.end_lineno or node.lineno
    start = end if first is None else first_line(first) - 1
    head = "" if first is None else _text_before(lines, first)
    on_line_of_def = bool(head.strip())
    kept = _drop_marks(lines[: start + on_line_of_def], first_line(node) - 1)
    tail = lines[end:]
    newline = _find_line_end([*lines[start:end], *reversed(lines[:start])]) or source.newline
    ends_open = not tail and lines and not lines[-1].endswith(("\n", "\r"))
    body = [line + newline for line in inner]
    if ends_open:
        body[-1] = body[-1].removesuffix(newline)
    if on_line_of_def:
        kept[-1] = head.rstrip() + newline
    elif not kept[-1].endswith(("\n", "\r")):
        kept[-1] += newline
    text = "".join([*kept, *body, *tail])
    return Written(source.with_text(text), len(kept) + 1, len(kept) + len(body))


def _find_line_end(lines: Sequence[str]) -> str:
    """How the first of `lines` ends that has an end; empty where none has."""
    ends = (line[len(line.rstrip("\r\n")) :] for line in lines)
    return next(filter(None, ends), "")


def _drop_marks(lines: list[str], first: int) -> list[str]:
    """`lines` without the marks (`# sstar: implement`) of the function that begins with `lines[first]`."""
    kept = lines[:first]
    for line in lines[first:]:
        rest = MARKER.sub("", line)
        if rest == line:
            kept.append(line)
        elif rest.strip():
            kept.append(re.sub(r"[ \t]+(?=[\r\n]*\Z)", "", rest))
    return kept


def _text_before(lines: list[str], node: ast.stmt) -> str:
    """The text before a statement on its line; decorators have lines of their own."""
    return lines[node.lineno - 1].encode()[: node.col_offset].decode()


def _find(tree: ast.Module, stub: Stub) -> tuple[ast.Module | ast.ClassDef, FunctionNode]:
    """The candidate's function, and the class or module around it.

    Looked for in the class of its name, wherever that is, then at the margin; a setter comes before its
    property where one is meant, and the other way round; one with a body wins over one that is open, as the
    starter code in front of an answer is, and the last over earlier ones.
    """
    owner = stub.owners[-1].name if stub.owners else None
    found = [
        (holder, item)
        for holder in ast.walk(tree)
        if isinstance(holder, ast.Module) or (isinstance(holder, ast.ClassDef) and holder.name == owner)
        for item in holder.body
        if isinstance(item, FunctionNode) and item.name == stub.name
    ]
    if not found:
        raise MisfitError(f"it does not define {stub.qualname}")

    def rate(pair: tuple[ast.Module | ast.ClassDef, FunctionNode]) -> tuple[bool, bool, bool]:
        names = {ast.unparse(item).rpartition(".")[2] for item in pair[1].decorator_list}
        is_meant = stub.accessor in names if stub.accessor else not names & {"setter", "deleter"}
        return not is_open_body(pair[1]), is_meant, isinstance(pair[0], ast.ClassDef)

    return max(reversed(found), key=rate)


def _check_signature(stub: Stub, node: FunctionNode) -> None:
    """Refuse other parameters; whether they may be passed by name or place is not the body's to say."""
    wanted, given = _parameters(stub.node), _parameters(node)
    markers = {"/", "*"}
    if [name for name in wanted if name not in markers] != [name for name in given if name not in markers]:
        raise MisfitError(f"its parameters have to be ({', '.join(wanted)}), not ({', '.join(given)})")
    if isinstance(node, ast.AsyncFunctionDef) != stub.is_async:
        raise MisfitError(f"it has to be {'an async' if stub.is_async else 'a plain'} def")


def _parameters(node: FunctionNode) -> list[str]:
    given = node.args
    names = [item.arg for item in given.posonlyargs]
    names += ["/"] * bool(given.posonlyargs) + [item.arg for item in given.args]
    names += [f"*{given.vararg.arg}"] if given.vararg else ["*"] * bool(given.kwonlyargs)
    names += [item.arg for item in given.kwonlyargs]
    return names + ([f"**{given.kwarg.arg}"] if given.kwarg else [])


def _check_members(stub: Stub, holder: ast.Module | ast.ClassDef, node: FunctionNode) -> None:
    """Refuse further methods: they would have to be written into the class."""
    if isinstance(holder, ast.Module) or not node.args.args:
        return
    me = node.args.args[0].arg
    theirs = {item.name for item in holder.body if isinstance(item, FunctionNode)}
    ours = {name for item in ast.walk(stub.owners[-1]) for name in bound_names(item)}
    used = {
        item.attr
        for item in ast.walk(node)
        if isinstance(item, ast.Attribute) and isinstance(item.value, ast.Name) and item.value.id == me
    }
    missing = sorted((used & theirs) - ours)
    if missing:
        raise MisfitError(
            f"it needs further methods ({', '.join(missing)}); helpers have to be inside the function"
        )


def _carry(stub: Stub, tree: ast.Module, node: FunctionNode) -> list[ast.stmt]:
    """The statements of the candidate's module that its function needs and the file lacks, in order."""
    known = BUILTINS | _module_names(stub.source.tree) | {stub.name}
    offers = {name: item for item in tree.body for name in bound_names(item) if name not in known}
    try:
        carried = reach(_global_names(node, node.name), offers, _global_names)
    except (SyntaxError, RecursionError) as error:
        raise MisfitError(f"it does not compile: {error}") from error
    lost = {name for part in ast.walk(node) if isinstance(part, ast.Global) for name in part.names} - known
    if lost:
        raise MisfitError(
            f"it needs module-level variables ({', '.join(sorted(lost))}) that the module lacks"
        )
    return sorted(carried, key=lambda item: (item.lineno, item.col_offset))


def _module_names(tree: ast.Module) -> set[str]:
    """Names that a module defines, in branches too; those for the type checker alone do not exist."""
    names: set[str] = set()
    for item in statements(tree.body):
        names |= bound_names(item)
        target = getattr(item, "target", None)  # of a loop or an assignment with an annotation
        names |= {part.id for part in ast.walk(target) if isinstance(part, ast.Name)} if target else set()
    return names


def _global_names(node: ast.stmt, function: str = "") -> set[str]:
    """Names of the module that a statement reads, or that the body of the `function` reads which it defines.

    The function's own annotations, decorators and defaults do not travel with its body, so they do not count.
    """
    tables = _with_inner(symtable.symtable(ast.unparse(node), "<candidate>", "exec"))
    if function:
        own = (item for item in tables if item.get_type() == "function" and item.get_name() == function)
        tables = _with_inner(next(own))
    symbols = (symbol for table in tables for symbol in table.get_symbols())
    return {symbol.get_name() for symbol in symbols if symbol.is_global() and symbol.is_referenced()}


def _with_inner(table: symtable.SymbolTable) -> list[symtable.SymbolTable]:
    """The table of a name space and those of the name spaces inside it."""
    return [table, *(inner for child in table.get_children() for inner in _with_inner(child))]


def _cut(lines: list[str], first: ast.stmt, last: ast.stmt) -> str:
    """The source from `first` to `last`, comments above the first (in its block) and decorators included."""
    start = first_line(first) - 1
    end = last.end_lineno or last.lineno
    if start == first.lineno - 1 and _text_before(lines, first).strip():  # on the line of its `def`
        cut = [lines[start].encode()[first.col_offset :].decode(), *lines[start + 1 : end]]
        return "\n".join(cut)
    while start > 0 and lines[start - 1].strip().startswith("#"):
        start -= 1
    return "\n".join(lines[start:end])
