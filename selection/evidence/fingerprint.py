"""Candidates as source text: which are the same program, and what of them a model may see."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sstar_code.problems.statements.literals import parse_python

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["fingerprint", "strip_comments"]


class _Bare(ast.NodeTransformer):
    """Drops docstrings and every other statement that is a lone constant: they do nothing."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node


def _rewrite(code: str, render: Callable[[ast.AST], str]) -> str | None:
    """The tree of `code` without docstrings as `render` writes it; None where `code` does not parse."""
    tree = parse_python(code)
    if tree is None:
        return None
    try:
        bare = _Bare().visit(tree)
        for node in ast.walk(bare):
            body = getattr(node, "body", None)
            if isinstance(body, list) and not body and not isinstance(node, ast.Module):
                node.body = [ast.Pass()]  # type: ignore[attr-defined]  # else it is no longer Python
        return render(ast.fix_missing_locations(bare))
    except (ValueError, RecursionError, MemoryError):
        return None


def fingerprint(code: str) -> str:
    """Text that is equal for programs that differ only in comments, docstrings and formatting.

    Names are kept: a renamed variable makes another program, since renaming can change behaviour.
    Source that does not parse is its own fingerprint, without outer blanks.
    """
    return _rewrite(code, ast.dump) or code.strip()


def strip_comments(code: str) -> str:
    """`code` without comments and docstrings, reformatted; unchanged where it does not parse.

    A comment is text of the candidate addressed to whoever reads it, so a model must not.
    """
    bare = _rewrite(code, ast.unparse)
    return code if bare is None else bare
