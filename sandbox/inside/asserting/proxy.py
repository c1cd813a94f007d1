"""What a process holds in the place of an object of the other one, and what can be asked of one."""

from __future__ import annotations

import builtins
import copy
import math
import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MANY = 64
"""Calls that are asked for at once: every question costs two turns of the processor."""


class Proxy:
    """An object of the other side."""

    __slots__ = ("__weakref__", "sstar_made", "sstar_number", "sstar_peer")

    def __init__(self, peer: Any, number: int) -> None:
        object.__setattr__(self, "sstar_peer", peer)
        object.__setattr__(self, "sstar_number", number)
        object.__setattr__(self, "sstar_made", None)  # "class" or "object": by the test's own words

    def __del__(self) -> None:
        self.sstar_peer.drop(self.sstar_number)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Have it called; of a class that the test names as one comes an object that stays there."""
        if self.sstar_made != "class":
            return self.sstar_peer.ask("call", self, *arguments, **named)
        found = self.sstar_peer.ask("make", self, *arguments, **named)
        if type(found) is Proxy:
            object.__setattr__(found, "sstar_made", "object")
        return found

    def __answers__(self, rows: list[Any]) -> Iterator[Any]:
        """What it returns for each list of arguments; many are asked for at a time."""
        place = 0
        while place < len(rows):
            several = self.sstar_peer.ask_many(self, rows[place : place + _MANY])
            place += len(several)
            for error, value in several:
                if error is not None:
                    raise error
                yield value

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__" and name not in ("__name__", "__qualname__", "__doc__"):
            raise AttributeError(name)
        return self.sstar_peer.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.sstar_peer.ask("set", self, name, value)

    def __delattr__(self, name: str) -> None:
        self.sstar_peer.ask("delete", self, name)

    def __contains__(self, item: Any) -> bool:
        if _may_tell(self, item):
            return bool(self.sstar_peer.ask("contains", self, item))
        return any(item is mine or item == mine for mine in self)  # type: ignore[attr-defined]

    def __instancecheck__(self, item: Any) -> bool:
        return type(item) is Proxy and bool(self.sstar_peer.ask("isinstance", item, self))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        if kind is not None and not issubclass(kind, AssertionError):
            return bool(self.sstar_peer.ask("exit", self, kind))
        self.sstar_peer.ask("exit", self)  # a failed assertion is not the candidate's to handle
        return False


async def await_there(coroutine: Proxy) -> Any:
    """Have a coroutine of the other side run there, from its start to its end."""
    return coroutine.sstar_peer.ask("await", coroutine)


def _may_tell(asked: Proxy, other: Any) -> bool:
    """Whether the candidate may see the other operand, and decide what comes of it.

    A value that the test compares a result with must not be seen, and a result that is no plain value must
    not say what it equals. An object that the test made from a class of the candidate's has its operators.
    """
    return type(other) is Proxy or asked.sstar_made is not None or asked.sstar_peer.tells


_ALONE = (
    *("repr", "str", "bool", "len", "iter", "next", "hash", "int", "float", "complex", "abs", "round"),
    *("reversed", "dir", "format", "bytes", "index", "neg", "pos", "invert", "getitem", "setitem", "delitem"),
    *("trunc", "floor", "ceil", "enter", "copy", "deepcopy"),
)
"""Operations of an object alone, or with what the test puts in."""
_BOTH = (
    *("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", "xor"),
    *("and", "or", "divmod"),
)
"""Operations of two objects, either of which may know how."""
_COMPARED = ("eq", "ne", "lt", "le", "gt", "ge")


def _ask_alone(name: str) -> Callable[..., Any]:
    return lambda self, *more: self.sstar_peer.ask(name, self, *more)


def _ask_both(name: str) -> Callable[..., Any]:
    def ask(self: Proxy, other: Any, *_: object) -> Any:
        if not _may_tell(self, other):
            return NotImplemented
        found = self.sstar_peer.ask(name, self, other)
        if type(found) is Proxy and self.sstar_made is not None:
            object.__setattr__(found, "sstar_made", self.sstar_made)
        return found

    return ask


def _add_operators() -> None:
    for name in _ALONE:
        setattr(Proxy, f"__{name}__", _ask_alone(name))
    for name in (*_BOTH, *(f"r{name}" for name in _BOTH), *_COMPARED):
        setattr(Proxy, f"__{name}__", _ask_both(name))


_add_operators()


def list_operations() -> dict[str, Callable[..., Any]]:
    """What can be asked of an object, by name."""
    found: dict[str, Callable[..., Any]] = {
        "call": lambda function, *arguments, **named: function(*arguments, **named),
        "get": getattr,
        "set": setattr,
        "delete": delattr,
        "contains": operator.contains,
        "isinstance": isinstance,
        "and": operator.and_,
        "or": operator.or_,
        "enter": lambda manager: type(manager).__enter__(manager),
        "exit": lambda manager, kind=None: type(manager).__exit__(manager, kind, kind and kind(), None),
        "trunc": math.trunc,
        "floor": math.floor,
        "ceil": math.ceil,
        "copy": copy.copy,
        "deepcopy": lambda value, *_: copy.deepcopy(value),
    }
    for name in (*_ALONE, *_BOTH, *_COMPARED):
        if name not in found:
            found[name] = getattr(builtins, name, None) or getattr(operator, name)
    for name in _BOTH:
        found[f"r{name}"] = lambda first, second, plain=found[name]: plain(second, first)
    return found
