"""How a function of the repository is called with plain values, so that candidates can be told apart."""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sstar_code.agent.repository.find.stubs import FunctionNode, Shape

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.places import Place
    from sstar_code.agent.repository.find.stubs import Stub

_PLAIN = frozenset({
    "int", "float", "str", "bool", "bytes", "None", "list", "dict", "set", "frozenset", "tuple", "Sequence",
    "Iterable", "Mapping", "List", "Dict", "Set", "FrozenSet", "Tuple", "Optional", "Union", "Any", "object",
    "Collection", "MutableSequence", "MutableMapping", "typing", "collections", "abc", "Literal", "Ellipsis",
})  # fmt: skip
BEHAVIOURS = frozenset({"returned", "yields", "raised", "arguments", "object", "printed"})
"""Keys of what a call did, where that is more than to return a value (`sandbox/inside/project.py`)."""
_RAISES = re.compile(r"\b([A-Z]\w*(?:Error|Exception|Warning|Exit|Interrupt|StopIteration))\b")


@dataclass(frozen=True, slots=True)
class Target:
    """A call with plain values; the arguments of the constructor come first where it takes an object."""

    place: Place
    path: tuple[str, ...]
    how: Shape
    constructor: int | None
    """How many of the arguments make the object; None: there is none."""
    keywords: tuple[str, ...]
    """Names of the last arguments that are passed by name."""
    raises: tuple[str, ...]
    """Exceptions that are promised: raising one is a behaviour like returning a value."""
    signature: str
    """Head of the plain function that stands for the call: `def name(parameters) -> result:`."""
    entry_point: str
    """Name of the plain function that stands for the call."""
    explanation: str
    """A sentence that says what the plain function stands for; empty where it is called itself."""
    is_async: bool
    exceptions: tuple[str, ...] = ()
    """Exceptions that the module itself defines, as its source says."""

    def as_json(self) -> dict[str, Any]:
        """The call as `inside.project` takes it."""
        return {
            "module": self.place.module,
            "path": list(self.path),
            "how": self.how.value,
            "constructor": self.constructor,
            "keywords": list(self.keywords),
            "raises": list(self.raises),
        }


def find_target(stub: Stub, place: Place, told: str) -> Target | None:
    """How to call `stub` with plain values; None where that takes objects that cannot be made of them.

    `told` is what tests and docstring say, for the exceptions it names.
    """
    own = [*stub.node.args.posonlyargs, *stub.node.args.args]
    if stub.shape not in (Shape.FUNCTION, Shape.STATIC):
        own = own[1:]
    given = stub.node.args
    required = [
        item for item, value in zip(given.kwonlyargs, given.kw_defaults, strict=True) if value is None
    ]
    constructor: list[ast.arg] | None = None
    if stub.shape in (Shape.METHOD, Shape.PROPERTY, Shape.SETTER):
        constructor = _constructor(stub)
        if constructor is None or stub.name.startswith("__"):
            return None
    parameters = [*(constructor or []), *own, *required]
    if not all(_is_plain(item.annotation) for item in parameters) or (given.vararg and not own):
        return None
    names = _distinct([item.arg for item in parameters])
    shown = ", ".join(
        f"{name}: {ast.unparse(item.annotation)}" if item.annotation else name
        for name, item in zip(names, parameters, strict=True)
    )
    returns = f" -> {ast.unparse(stub.node.returns)}" if stub.node.returns is not None else ""
    entry_point = stub.qualname.replace(".", "_")
    return Target(
        place,
        tuple(stub.qualname.split(".")),
        stub.shape,
        None if constructor is None else len(constructor),
        tuple(item.arg for item in required),
        tuple(sorted(set(_RAISES.findall(told)))),
        f"def {entry_point}({shown}){returns}:",
        entry_point,
        _explain(stub, names, len(constructor or [])) if stub.owners else "",
        stub.is_async,
        _list_exceptions(stub.source.tree),
    )


def _explain(stub: Stub, names: list[str], count: int) -> str:
    owner = ".".join(item.name for item in stub.owners)
    subject = owner if stub.shape in (Shape.STATIC, Shape.CLASS) else f"{owner}({', '.join(names[:count])})"
    rest = ", ".join(names[count:])
    call = {Shape.PROPERTY: f"{subject}.{stub.name}", Shape.SETTER: f"{subject}.{stub.name} = {rest}"}.get(
        stub.shape, f"{subject}.{stub.name}({rest})"
    )
    own = stub.qualname.replace(".", "_")
    return f"In inputs and outputs `{own}({', '.join(names)})` stands for `{call}`."


def _constructor(stub: Stub) -> list[ast.arg] | None:
    """The parameters that make an object of the class: those of `__init__`, or the fields of a dataclass."""
    if len(stub.owners) != 1:
        return None
    owner = stub.owners[0]
    makers = [item for item in owner.body if isinstance(item, FunctionNode) and item.name == "__init__"]
    if makers:
        given = makers[-1].args
        if any(value is None for value in given.kw_defaults):
            return None
        return [*given.posonlyargs, *given.args][1:][: len(given.args) - 1 - len(given.defaults)]
    if any("dataclass" in ast.unparse(item) for item in owner.decorator_list):
        fields = [
            item
            for item in owner.body
            if isinstance(item, ast.AnnAssign) and "ClassVar" not in ast.unparse(item)
        ]
        return [
            ast.arg(item.target.id, item.annotation)
            for item in fields
            if item.value is None and isinstance(item.target, ast.Name)
        ]
    plain_bases = all(ast.unparse(base) == "object" for base in owner.bases)
    return [] if plain_bases and not owner.keywords else None


def _list_exceptions(tree: ast.Module) -> tuple[str, ...]:
    """Classes of the module whose bases are, or lead to, exceptions that Python brings."""
    found: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            if any(base in found or is_builtin_exception(base) for base in bases):
                found.append(node.name)
    return tuple(found)


def is_builtin_exception(name: str) -> bool:
    """Whether Python brings an exception of that name."""
    kind = getattr(builtins, name, None)
    return isinstance(kind, type) and issubclass(kind, BaseException)


def _is_plain(annotation: ast.expr | None) -> bool:
    """Whether values of the annotated kind can be written as literals; True where there is no annotation."""
    if annotation is None:
        return True
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return False
    names = {item.id for item in ast.walk(annotation) if isinstance(item, ast.Name)}
    names |= {item.attr for item in ast.walk(annotation) if isinstance(item, ast.Attribute)}
    return names <= _PLAIN and "Callable" not in names


def _distinct(names: list[str]) -> list[str]:
    """The names, with a number where one repeats."""
    counts = [names[:index].count(name) + 1 for index, name in enumerate(names)]
    return [name if count == 1 else f"{name}{count}" for name, count in zip(names, counts, strict=True)]
