"""Says of a function with an empty body whether that is meant to stay.

What says so: other classes (a subclass overrides it, the class above has code that it switches off), another
definition of the same name, what stands around it (an import that failed, decorators, a return type that says
that it never returns), and what people write: the message of the exception, the docstring, comments. Words
that promise code (`not implemented yet`, `TODO`) outweigh other words.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.repository.find.classes import Body, Classes, ClassFacts
from sstar_code.agent.repository.find.syntax import (
    FunctionNode,
    every_statement,
    is_open_body,
    last_name,
    original_name,
    read_aliases,
    statements,
)

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.project_files import Source
    from sstar_code.agent.repository.find.syntax import Stub

_PLAIN_DECORATORS = frozenset({
    "property", "cached_property", "staticmethod", "classmethod", "cache", "lru_cache", "wraps", "final",
    "override", "contextmanager", "asynccontextmanager", "total_ordering", "no_type_check", "deprecated",
    "setter", "getter", "deleter",
})  # fmt: skip
_EXCLUDING = frozenset({
    "overload", "abstractmethod", "abstractproperty", "abstractclassmethod", "abstractstaticmethod",
    "singledispatch", "singledispatchmethod", "fixture",
})  # fmt: skip
_GIVING = frozenset({"group", "callback", "command", "hookspec", "hookimpl"})
"""Decorators under which an empty body is at home, though they also stand before code."""
_TYPES_ONLY = frozenset({"Protocol", "Interface"})
_NOT_RETURNING = frozenset({"NoReturn", "Never"})
_MAY_DO_NOTHING = frozenset({
    "__init_subclass__", "__set_name__", "__del__", "__enter__", "__exit__", "__aenter__", "__aexit__",
})  # fmt: skip

_UNFINISHED = re.compile(
    r"\byet\b|\bto-?do\b|\bfix-?me\b|\btbd\b|\blater\b|\bwip\b|\bcoming soon\b|\bin the future\b"
    r"|\bimplement (?:me|it)\b",
    re.IGNORECASE,
)
_OTHERS = re.compile(
    r"\b(?:sub-?class|overrid(?:e|es|den|ing)\b|overload\b|abstract|derived class|implementors?\b"
    r"|(?:must|should) (?:be )?(?:implement|define|provide|overrid))",
    re.IGNORECASE,
)
"""In the message of an exception: other classes have the code."""
_FOR_OTHERS = re.compile(
    r"\bsub-?class(?:es)?\b[^.]{0,40}\b(?:must|should|may|can|need|have to|will|override|implement|define)"
    r"|\b(?:must|should|may|can|could|to|need to|needs to|has to|have to) (?:be )?(?:(?:overrid|overload)\w+"
    r"|(?:implemented|defined|provided) (?:by|in) (?:\w+ ){0,2}(?:sub|derived|child))"
    r"|\boverrid(?:e|den) (?:this|me|it|in|by)\b|\babstract method\b|\bdefault implementation\b",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(?:not|n't|no longer|never|un)[ -]?(?:\w+ )?(?:support|allow|possible|available|applicable|permit"
    r"|provided|necessary|needed|meaningful|enabled|valid)|\bno support\b|\bcan ?not\b|\bcan't\b|\bunable\b"
    r"|\bforbidden\b|\bdisabled\b|\bnot \w+able\b|\b(?:does not|doesn't|do not|don't) \w+|^use\b"
    r"|\bnot implemented (?:by|for|in|on|with|when|if)\b|\bremoved\b|\bdeprecated\b|\bno longer\b|\binstead\b"
    r"|\bplease\b|\buse \W?[\w.]+\W? (?:to|for|or)\b|\b(?:needs?|requires?|only|missing|should|must)\b",
    re.IGNORECASE,
)
"""In the message of an exception: it refuses, and will go on to."""
_RAISES = re.compile(
    r"\brais\w* [^.]{0,40}NotImplemented|\bnon-implementation\b|\bNotImplementedError\b[^.]{0,20}\brais",
    re.IGNORECASE | re.DOTALL,
)
_DOES_NOTHING = re.compile(
    r"\bno-?ops?\b|\b(?:do|does|doing) (?:\w+ )?nothing\b|\bnothing to (?:do|be done)\b|\bintentionally\b"
    r"|\bon purpose\b|\bempty (?:method|function|implementation|body)\b",
    re.IGNORECASE,
)
_IGNORES = re.compile(
    r"^ignored?s?\b|^not needed\b|\bforbidden operation\b|\bfor (?:\w+ ){0,2}compatibility\b|\bplaceholder\b",
    re.IGNORECASE,
)
"""In the first paragraph of a docstring."""
_NOT_NEEDED = re.compile(
    r"\bnot (?:necessary|needed|required|supported|used)\b|\bcan(?:no|')t\b|\bunused\b", re.IGNORECASE
)
"""In a comment."""
_CALLED = re.compile(
    r"(?:^|\b(?:is|are|be|get|gets) )(?:called|invoked|triggered|fired|executed)\b"
    r"|\bcall-?back\b|\bhook\b|\bevent handler\b|\boverrid",
    re.IGNORECASE,
)
"""In the first paragraph of a docstring: something that others may fill."""
_COMMENT = re.compile(
    r"#.*?(?:\bI[A-Z]\w+\.\w+|\bpragma: no ?cover|\bempty-body\b)|#\s*I[A-Z][a-z]\w+\s*$", re.MULTILINE
)
"""An interface that demands the method, or what tools are told about bodies that stay empty."""
_NULL_OBJECT = re.compile(
    r"(?:^_*|[a-z_])(?:Null|No[oO]p|Dummy|Fake|Mock|Disabled|Black[hH]ole|Void)(?![a-z])"
)
_MANY_HOOKS = 3


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a file says about the functions in it."""

    aliases: Mapping[str, tuple[str, str]]
    written: frozenset[tuple[str, str]]
    """(Qualified name, decorators) of functions with code."""
    usual: frozenset[str]
    """Decorators of functions with code."""
    after_import: frozenset[int]
    """Lines of the functions that stand in for an import that failed."""
    returned: frozenset[str]
    """Names that functions return as they are: `return _refuse`."""


def survey(source: Source, stubs: list[Stub]) -> Surroundings:
    """Read of a file what matters to its functions `stubs`."""
    aliases = read_aliases(source.tree)
    bound = {(name, "") for name, (module, _) in aliases.items() if module}
    coded = [item for item in stubs if not is_open_body(item.node)]
    written = {(item.qualname, _decorators(item.node)) for item in coded}
    usual = {original_name(decorator, aliases) for item in coded for decorator in item.node.decorator_list}
    return Surroundings(
        aliases,
        frozenset(written | bound),
        frozenset(usual - _GIVING),
        frozenset(_after_imports(source.tree)),
        frozenset(_returned(source.tree)),
    )


def stays_empty(stub: Stub, why: str, around: Surroundings, classes: Classes, comments: str) -> bool:
    """Whether the empty body of `stub`, a `why` of `is_open_body`, is meant to stay; `comments`: its own."""
    node, raises = stub.node, why == "raise NotImplementedError"
    decorators = {original_name(item, around.aliases) for item in node.decorator_list}
    if (
        decorators & _EXCLUDING
        or _is_for_types(stub, around)
        or (stub.qualname, _decorators(node)) in around.written
        or (node.returns is not None and last_name(node.returns) in _NOT_RETURNING)
        or (raises and (node.lineno in around.after_import or stub.qualname in around.returned))
    ):
        return True
    message, is_computed = _read_message(node) if raises else ("", False)
    if _UNFINISHED.search(message):
        return False
    if (
        is_computed
        or _by_class(stub, why, classes)
        or _by_words(stub, message, raises=raises, comments=comments)
    ):
        return True
    if raises:
        return False
    return bool(decorators - _PLAIN_DECORATORS - around.usual) or (
        why == "pass" and not (_returns(node) or stub.docstring)
    )


def _returns(node: FunctionNode) -> bool:
    """Whether its signature says that it returns something."""
    is_none = isinstance(node.returns, ast.Constant) and node.returns.value is None
    return node.returns is not None and not is_none


def _decorators(node: FunctionNode) -> str:
    return " ".join(ast.unparse(item) for item in node.decorator_list)


def _is_for_types(stub: Stub, around: Surroundings) -> bool:
    """Whether a class around it describes a type: a `Protocol`, not one that a file calls so by itself."""
    for base in (base for owner in stub.owners for base in owner.bases):
        module, _ = around.aliases.get(last_name(base), ("", ""))
        name = original_name(base, around.aliases)
        is_own = name == "Protocol" and module not in ("", "typing", "typing_extensions")
        if name in _TYPES_ONLY and not is_own:
            return True
    return False


def _by_class(stub: Stub, why: str, classes: Classes) -> bool:
    """Whether the class around it says so: its name, its bases, and the classes that derive from it."""
    if not stub.owners:
        return False
    owner = stub.owners[-1]
    facts = classes.find(stub.source.path, owner)
    is_base = (
        facts is not None
        and classes.is_overridden(facts, stub.name)
        # who calls `super().close()` counts on code; a hook that does nothing is often called so too
        and (why == "pass" or not classes.is_extended(facts, stub.name))
    )
    if is_base or _NULL_OBJECT.search(owner.name):
        return True
    if why == "raise NotImplementedError":
        bases = {last_name(base) for item in stub.owners for base in item.bases}
        metas = {last_name(item.value) for owner in stub.owners for item in owner.keywords}
        return bool({"ABC", "ABCMeta"} & (bases | metas)) or owner.name.lstrip("_").startswith("Abstract")
    is_silent = not (_returns(stub.node) or stub.docstring)
    if stub.name in _MAY_DO_NOTHING and not (_returns(stub.node) and stub.docstring):
        return True
    above = classes.inherited(facts, stub.name) if facts is not None else None
    if above in (Body.CODE, Body.NOTHING) and (why == "pass" or is_silent):
        return True
    return why == "pass" and facts is not None and _has_hooks(facts, stub.name)


def _has_hooks(facts: ClassFacts, name: str) -> bool:
    """Whether a class has many methods that do nothing besides `name`: they are there to be overridden."""
    others = [item for item, body in facts.bodies.items() if body is Body.NOTHING and item != name]
    return len(others) >= _MANY_HOOKS


def _by_words(stub: Stub, message: str, *, raises: bool, comments: str) -> bool:
    """Whether message, docstring or comments say so."""
    first = _first_paragraph(stub.docstring)
    if _UNFINISHED.search(f"{first} {comments}"):
        return False
    if _COMMENT.search(comments) or _RAISES.search(stub.docstring):
        return True
    rules = [
        (_FOR_OTHERS, stub.docstring),
        (_IGNORES, first),
        (_NOT_NEEDED, comments),
        (_DOES_NOTHING, stub.docstring),
    ]
    if raises:
        rules += [(_OTHERS, message), (_REFUSAL, message)]
    else:
        owner = ast.get_docstring(stub.owners[-1]) if stub.owners else None
        rules += [(_CALLED, first), (_DOES_NOTHING, comments), (_DOES_NOTHING, _first_paragraph(owner or ""))]
    return any(rule.search(text) for rule, text in rules)


def _first_paragraph(docstring: str) -> str:
    return " ".join(docstring.split("\n\n", maxsplit=1)[0].split())


def _read_message(node: FunctionNode) -> tuple[str, bool]:
    """The text of the exception that a body raises, and whether it is put together when it is raised."""
    raised = node.body[-1]
    call = raised.exc if isinstance(raised, ast.Raise) else None
    if not isinstance(call, ast.Call) or not call.args:
        return "", False
    parts = [item for argument in call.args for item in ast.walk(argument)]
    text = " ".join(
        item.value for item in parts if isinstance(item, ast.Constant) and isinstance(item.value, str)
    )
    return text, any(isinstance(item, ast.Name) for item in parts)


def _after_imports(tree: ast.Module) -> Iterator[int]:
    for node in statements(tree.body):
        for handler in node.handlers if isinstance(node, ast.Try) else ():
            kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
            if {"ImportError", "ModuleNotFoundError"} & {last_name(kind) for kind in kinds if kind}:
                for item in ast.walk(handler):
                    if isinstance(item, FunctionNode):
                        yield item.lineno


def _returned(tree: ast.Module) -> Iterator[str]:
    for node in every_statement(tree.body):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Name):
            yield node.value.id
