"""Puts a candidate's body in place of a function's, and leaves every other byte of the file as it is.

Only statements travel: decorators, signature, docstring and the comments around stay the file's own. What the
candidate needs besides (imports, helper functions, constants that the module does not define) goes to the
start of the body.
"""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.repository.find.source import split_lines
from sstar_code.agent.repository.find.stubs import MARKER, FunctionNode, is_open_body
from sstar_code.agent.repository.write.indent import indent_block, indent_unit
from sstar_code.problems.python_source import UNREADABLE, parse_strictly

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sstar_code.agent.repository.find.source import Source
    from sstar_code.agent.repository.find.stubs import Stub

__all__ = ["MisfitError", "Written", "put_body", "put_candidate"]

_BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__", "__class__"}


class MisfitError(ValueError):
    """A candidate cannot stand in the function's place; the message says why, for the model."""


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
    plain name at the margin.

    Raises:
        MisfitError: it does not define it, with other parameters, or needs what cannot be put in its body.
    """
    try:
        tree = parse_strictly(code)
    except UNREADABLE as error:
        raise MisfitError(f"it does not parse: {error}") from error
    owners, node = _find(tree, stub)
    _check_signature(stub, node)
    open_body = is_open_body(node)
    if open_body:
        raise MisfitError(f"its body is left open ({open_body})")
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    if not body:
        raise MisfitError("it has no body")
    _check_members(stub, owners, node)
    lines = code.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    carried = _carry(stub, tree, node)
    blocks = [_cut(lines, item, item) for item in carried] + [_cut(lines, body[0], body[-1])]
    try:
        return put_body(stub, blocks)
    except (SyntaxError, UnicodeEncodeError) as error:
        raise MisfitError(f"it does not fit into the file: {error}") from error


def put_body(stub: Stub, blocks: Sequence[str]) -> Written:
    """`stub`'s file with the statements of `blocks` as the function's body.

    Raises:
        SyntaxError: the file would not parse.
        UnicodeEncodeError: the file's encoding lacks a character.
    """
    source, node = stub.source, stub.node
    lines = split_lines(source.text)
    newline = source.newline
    documented = ast.get_docstring(node, clean=False) is not None
    statements = node.body[1:] if documented else node.body
    first = statements[0] if statements else None
    base = _margin(lines, node) + indent_unit(source.text)
    if first is not None and lines[first.lineno - 1][: first.col_offset].strip() == "":
        base = lines[first.lineno - 1][: first.col_offset]
    elif documented and node.body[0].lineno > node.lineno:
        doc = node.body[0]
        base = lines[doc.lineno - 1].encode()[: doc.col_offset].decode() if doc.col_offset else base
        base = base if not base.strip() else _margin(lines, node) + indent_unit(source.text)
    inner = [line for block in blocks for line in indent_block(block, base, indent_unit(source.text))]
    start, end, head = _range(lines, node, first)
    kept = _drop_marks(lines, node, start, end)
    tail = lines[end:]
    ends_open = not tail and lines and not lines[-1].endswith(("\n", "\r"))
    body = [line + newline for line in inner]
    if ends_open:
        body[-1] = body[-1].removesuffix(newline)
    if head is not None:
        kept[-1] = head.rstrip() + newline
    elif kept and not kept[-1].endswith(("\n", "\r")):
        kept[-1] += newline
    text = "".join([*kept, *body, *tail])
    return Written(source.with_text(text), len(kept) + 1, len(kept) + len(body))


def _range(lines: list[str], node: FunctionNode, first: ast.stmt | None) -> tuple[int, int, str | None]:
    """Lines [start, end) that the body takes; the text before it on its first line unless that is blank."""
    end = node.end_lineno or node.lineno
    if first is None:
        last = node.body[-1]
        return last.end_lineno or last.lineno, end, None
    before = lines[first.lineno - 1].encode()[: first.col_offset].decode()
    if before.strip():
        return first.lineno, end, before
    return first.lineno - 1, end, None


def _drop_marks(lines: list[str], node: FunctionNode, start: int, end: int) -> list[str]:
    """The lines before the body, without the function's own marks (`# sstar: implement`)."""
    first = min([node.lineno, *(item.lineno for item in node.decorator_list)]) - 1
    kept = lines[:first]
    for line in lines[first : min(start, end)]:
        if not MARKER.search(line):
            kept.append(line)
            continue
        rest = MARKER.sub("", line)
        if rest.strip():
            kept.append(re.sub(r"[ \t]+(?=[\r\n]*\Z)", "", rest))
    return kept


def _margin(lines: list[str], node: FunctionNode) -> str:
    return lines[node.lineno - 1].encode()[: node.col_offset].decode()


def _find(tree: ast.Module, stub: Stub) -> tuple[list[ast.ClassDef], FunctionNode]:
    """The class around the candidate's function, if any, and the function.

    Looked for in the class of its name, wherever that is, then at the margin; one with a body wins over one
    that is open, as the starter code in front of an answer is, and the last over earlier ones.
    """
    found: list[tuple[list[ast.ClassDef], FunctionNode]] = []
    for holder in ast.walk(tree):
        is_class = isinstance(holder, ast.ClassDef)
        if isinstance(holder, ast.Module) or (
            isinstance(holder, ast.ClassDef) and stub.owners and holder.name == stub.owners[-1].name
        ):
            found += [
                ([holder] if is_class else [], item)  # type: ignore[list-item]
                for item in holder.body
                if isinstance(item, FunctionNode) and item.name == stub.name
            ]
    if not found:
        raise MisfitError(f"it does not define {stub.qualname}")
    return max(enumerate(found), key=lambda pair: (not is_open_body(pair[1][1]), bool(pair[1][0]), pair[0]))[
        1
    ]


def _check_signature(stub: Stub, node: FunctionNode) -> None:
    wanted, given = _parameters(stub.node), _parameters(node)
    if wanted != given:
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


def _check_members(stub: Stub, owners: list[ast.ClassDef], node: FunctionNode) -> None:
    """No further methods: they would have to be written into the class."""
    if not owners or not stub.owners or not node.args.args:
        return
    (me, theirs) = (
        node.args.args[0].arg,
        {item.name for item in owners[-1].body if isinstance(item, FunctionNode)},
    )
    ours = {name for item in ast.walk(stub.owners[-1]) for name in _bound(item)}
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
    known = _BUILTINS | _module_names(stub.source.tree.body) | {stub.name}
    offers = {name: item for item in tree.body if _is_offer(item) for name in _bound(item)}
    needed = [name for name in _free(node) if name not in known]
    taken: dict[int, ast.stmt] = {}
    while needed:
        item = offers.get(needed.pop())
        if item is None or item.lineno in taken or item is node:
            continue
        taken[item.lineno] = item
        needed += [name for name in _free(item) if name not in known]
    lost = {name for part in ast.walk(node) if isinstance(part, ast.Global) for name in part.names} - known
    if lost:
        raise MisfitError(
            f"it needs module-level variables ({', '.join(sorted(lost))}) that the module lacks"
        )
    return [taken[line] for line in sorted(taken)]


def _is_offer(item: ast.stmt) -> bool:
    if isinstance(item, ast.ImportFrom):
        return item.module != "__future__" and item.names[0].name != "*"
    return isinstance(item, FunctionNode | ast.ClassDef | ast.Import | ast.Assign | ast.AnnAssign)


def _module_names(body: Iterable[ast.stmt]) -> set[str]:
    """Names that a module defines, in branches too; those for the type checker alone do not exist."""
    names: set[str] = set()
    for item in body:
        names |= set(_bound(item))
        if isinstance(item, ast.If) and "TYPE_CHECKING" in ast.unparse(item.test):
            names |= _module_names(item.orelse)
        elif not isinstance(item, FunctionNode | ast.ClassDef):
            for part in ("body", "orelse", "finalbody"):
                names |= _module_names(getattr(item, part, []))
            for handler in getattr(item, "handlers", []):
                names |= _module_names(handler.body)
    return names


def _bound(item: ast.AST) -> list[str]:
    if isinstance(item, FunctionNode | ast.ClassDef):
        return [item.name]
    if isinstance(item, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).partition(".")[0] for alias in item.names]
    targets = item.targets if isinstance(item, ast.Assign) else []
    targets = [item.target] if isinstance(item, ast.AnnAssign | ast.AugAssign | ast.For) else targets
    return [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]


def _free(tree: ast.AST) -> list[str]:
    """Names that are read; annotations of the function itself do not travel and so do not count."""
    skipped: set[int] = set()
    if isinstance(tree, FunctionNode):
        every = [
            tree.returns,
            *(item.annotation for item in ast.walk(tree.args) if isinstance(item, ast.arg)),
        ]
        outside = [*every, *tree.decorator_list, *tree.args.defaults, *tree.args.kw_defaults]
        skipped = {id(part) for item in outside if item is not None for part in ast.walk(item)}
    own = [item for item in ast.walk(tree) if id(item) not in skipped]
    bound: set[str] = set()
    if isinstance(tree, FunctionNode):
        bound |= {name for item in own if item is not tree for name in _bound(item)}
        bound |= {item.arg for item in own if isinstance(item, ast.arg)}
        bound |= {
            item.id for item in own if isinstance(item, ast.Name) and not isinstance(item.ctx, ast.Load)
        }
        bound |= {item.name for item in own if isinstance(item, ast.ExceptHandler) and item.name}
    names = [item.id for item in own if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Load)]
    return [name for name in dict.fromkeys(names) if name not in bound]


def _cut(lines: list[str], first: ast.stmt, last: ast.stmt) -> str:
    """The source from `first` to `last`, comments above the first (in its block) and decorators included."""
    decorators = getattr(first, "decorator_list", [])
    start = min([first.lineno, *(item.lineno for item in decorators)]) - 1
    end = last.end_lineno or last.lineno
    before = lines[start].encode()[: first.col_offset].decode() if not decorators else ""
    if before.strip():  # on the line of its `def`
        cut = [lines[start].encode()[first.col_offset :].decode(), *lines[start + 1 : end]]
        return "\n".join(cut)
    while start > 0 and lines[start - 1].strip().startswith("#"):
        start -= 1
    return "\n".join(lines[start:end])
