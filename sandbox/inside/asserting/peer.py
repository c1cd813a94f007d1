"""A process that asks another one and answers it: the two ends of a pair of pipes.

A question is an operation and its arguments. Plain values are copied; any other object stays with its owner,
and the other side holds a `Proxy`, which asks the owner for everything. One question is open at a time, but
whoever answers may ask in between: that is how a function of the test is called by the candidate.

A frame is its length in 4 bytes and two lines of JSON text: what it is, and the arguments or the value.
"""

from __future__ import annotations

import _thread
import json
import os
import types
import weakref
from typing import TYPE_CHECKING, Any

from sstar_code.problems.values import load_json
from sstar_code.sandbox.inside.asserting import copies
from sstar_code.sandbox.inside.asserting.proxy import Proxy, await_there

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 1 << 27
"""Bytes of an answer that are read."""
_PIECE = 1 << 16
_SLICE = 10_000
"""Items of a list that are sent at once."""
_dumps = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode


class Unreadable(Exception):  # noqa: N818 - what is the matter with an answer
    """The other side's answer is none."""


class Peer:
    """One end. `answer` does what the other side asks for; `gone` is called when that side has ended."""

    def __init__(
        self,
        ends: tuple[int, int],
        answer: Callable[[str, Any, list[Any], dict[str, Any]], Any],
        gone: Callable[[], Any],
    ) -> None:
        """Read from the first and write to the second of the descriptors `ends`."""
        (self._source, self._sink) = ends
        self.tells = False
        """An object of the other side may see what it is compared and combined with."""
        self._answer = answer
        self._gone = gone
        self._left = b""
        self._lock = _thread.RLock()
        self._mine: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}
        self._theirs: Any = weakref.WeakValueDictionary()
        self._errors: dict[Any, Any] = {}
        self._dropped: list[int] = []
        self._last = 0
        self.last_error: BaseException | None = None
        """What was raised last while a question was answered here."""

    # What is sent and received.

    def send(self, head: list[Any], body: Any) -> None:
        """Send one frame."""
        data = _dumps(body).encode("ascii")
        start = _dumps(head).encode("ascii") + b"\n"
        size = 4 + len(start) + len(data)
        try:
            sent = os.writev(self._sink, [(size - 4).to_bytes(4, "big"), start, data])
            while sent < size:
                place = sent - (size - len(data))
                if place < 0:  # only a head that is longer than a pipe is cut
                    sent += os.write(self._sink, start[place:])
                else:
                    sent += os.write(self._sink, memoryview(data)[place:])
        except BrokenPipeError:
            self._gone()

    def _receive(self) -> tuple[list[Any], bytes]:
        data: bytes | bytearray = self._left or os.read(self._source, _PIECE)
        size = 4 + int.from_bytes(data[:4], "big") if len(data) >= 4 else None
        if size is None or len(data) < size:
            pieces = bytearray(data)
            while size is None or len(pieces) < size:
                piece = os.read(self._source, _PIECE)
                if not piece:
                    return self._gone()  # type: ignore[no-any-return]
                pieces += piece
                if size is None and len(pieces) >= 4:
                    size = 4 + int.from_bytes(pieces[:4], "big")
                if size is not None and size > _LONGEST:
                    raise Unreadable("its answer is longer than 128 MB")
            data = pieces
        assert size is not None
        self._left = bytes(data[size:])
        cut = data.find(b"\n", 4, size)
        return json.loads(data[4:cut]), bytes(data[cut + 1 : size])

    # What is asked.

    def ask(self, operation: str, target: Any, *arguments: Any, **named: Any) -> Any:
        """The value of `operation` with `target` on the other side, or what it raises there.

        Arguments that are changed there are changed here.

        Raises:
            Unreadable: the answer is none.
            BaseException: whatever the operation raised.
        """
        with self._lock:
            words = [self.pack(named), self._dropped] if named or self._dropped else []
            self._dropped = []
            self.send(["ask", operation, self.pack(target), *words], [self.pack(item) for item in arguments])
            while True:
                (head, body) = self._receive()
                if head[0] == "ask":
                    self.answer(head, body)
                    continue
                try:
                    (value, error) = self._read(head, body, arguments if operation != "call many" else ())
                except Exception as failure:  # noqa: BLE001 - the other side's words may be anything
                    raise Unreadable(f"its answer cannot be read: {failure}"[:300]) from None
                if error is None:
                    return value
                if isinstance(error, (StopIteration, StopAsyncIteration)) and operation != "next":
                    raise RuntimeError("it raised StopIteration")  # else a loop over them would end early
                raise error

    def _read(self, head: list[Any], body: bytes, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        self.heard(head)
        (data, changed) = load_json(body)
        if changed is not None:
            for old, new in zip(arguments, changed):  # noqa: B905 - 3.9
                copies.update(old, self.unpack(new))
        if head[0] == "many":
            return data, None
        if head[0] == "raised":
            return None, self._rebuild_error(data)
        if head[1] is not None:
            return arguments[head[1]], None
        return self.unpack(data) if type(data) in (list, dict) else data, None

    def ask_many(self, target: Proxy, rows: list[Any]) -> list[tuple[BaseException | None, Any]]:
        """The errors and values of calls of `target`, one for each list of arguments.

        They may be fewer, after an error or after some time, and are at least one. No change of an argument
        is seen here.
        """
        answers = self.ask("call many", target, *rows)
        if not (isinstance(answers, list) and 0 < len(answers) <= len(rows)):
            raise Unreadable("it gives another number of answers")
        try:
            return [(told and self._rebuild_error(told), self.unpack(data)) for told, data in answers]
        except Exception as failure:  # noqa: BLE001 - as above
            raise Unreadable(f"its answer cannot be read: {failure}"[:300]) from None

    def heard(self, head: list[Any]) -> None:
        """Called with the head of every answer."""

    def drop(self, number: int) -> None:
        """Nothing here refers to the other side's object `number` any more."""
        self._dropped.append(number)

    # What is answered.

    def answer(self, head: list[Any], body: bytes) -> None:
        """Answer a question of the other side."""
        (kept, before) = ([], None)
        place = None
        try:
            (_, operation, target, *words) = head
            for number in words[1] if words else ():
                self._numbers.pop(id(self._mine.pop(number, None)), None)
            kept = self.unpack(json.loads(body))
            before = None if copies.SCALARS.issuperset(map(type, kept)) else body
            named = self.unpack(words[0]) if words else {}
            value = self._answer(operation, self.unpack(target), kept, named)
            if before is not None and type(value) not in copies.SCALARS:
                place = next((place for place, item in enumerate(kept) if item is value), None)
            data = None if place is not None else self._pack_result(operation, value)
            head = ["value", place]
        except BaseException as error:  # noqa: BLE001 - whatever it is, it goes on there
            self.last_error = error
            (head, data) = (["raised", None], self._describe_error(error))
        self.say(head, [data, self._find_changes(kept, before)])

    def _pack_result(self, operation: str, value: Any) -> Any:
        if operation == "make" and type(value) not in copies.SCALARS:
            return self.refer(value)
        if type(value) is list and len(value) > _SLICE:
            return {"$slices": [self._number(value)["$mine"], len(value)]}
        try:
            data = self.pack(value)
            if type(data) in (list, dict):
                _dumps(data)
        except (RecursionError, ValueError):  # it contains itself
            return self.refer(value)
        return data

    def _find_changes(self, arguments: list[Any], before: bytes | None) -> list[Any] | None:
        if before is None:
            return None
        try:
            packed = [self.pack(item) for item in arguments]
            return packed if _dumps(packed).encode("ascii") != before else None
        except (RecursionError, ValueError):
            return None

    def say(self, head: list[Any], body: Any) -> None:
        """Send an answer."""
        self.send(head, body)

    # What values are outside.

    def pack(self, value: Any) -> Any:
        """What the other side is told for `value`."""
        if type(value) is Proxy and value.sstar_peer is self:
            return {"$yours": value.sstar_number}
        return copies.pack(value, self.refer)

    def unpack(self, data: Any) -> Any:
        """The value that the other side told."""
        return copies.unpack(data, self._resolve)

    def refer(self, value: Any) -> Any:
        """The number under which the other side knows the object `value`, which is of no plain type."""
        if type(value) is Proxy and value.sstar_peer is self:
            return {"$yours": value.sstar_number}
        if isinstance(value, type) and issubclass(value, BaseException):
            return {"$error": self._name_error(value)}
        if type(value) is types.CoroutineType:
            return {"$coroutine": self._number(value)}
        return self._number(value)

    def _number(self, value: Any) -> dict[str, int]:
        number = self._numbers.get(id(value))
        if number is None:
            self._last = number = self._numbers[id(value)] = self._last + 1
            self._mine[number] = value
        return {"$mine": number}

    def _resolve(self, key: str, item: Any) -> Any:
        if key == "$yours":
            return self._mine[item]
        if key == "$error":
            return self._make_error(item)
        if key == "$import":
            return self.find(*item)
        if key == "$slices":
            return self._collect(*item)
        if key == "$coroutine":
            return await_there(self._resolve("$mine", item["$mine"]))
        if key != "$mine" or type(item) is not int:
            raise ValueError(f"an unknown kind of value, {key}")
        found = self._theirs.get(item)
        if found is None:
            found = self._theirs[item] = Proxy(self, item)
            if item in self._dropped:
                self._dropped.remove(item)
        return found

    def _collect(self, number: int, size: int) -> list[Any]:
        """A long list of the other side, asked for in slices: one text takes many times its memory."""
        there = self._resolve("$mine", number)
        found: list[Any] = []
        while len(found) < size:
            piece = self.ask("getitem", there, slice(len(found), len(found) + _SLICE))
            if type(piece) is not list or not piece:
                raise ValueError("a list that ends early")
            found += piece
        return found

    def find(self, module: str, name: str) -> Any:
        """The object of an installed module, where the other side may name it."""
        raise ValueError(f"the name {module}.{name} where a value is expected")

    # Exceptions.

    def _describe_error(self, error: BaseException) -> dict[str, Any]:
        try:
            text = str(error)
        except BaseException:  # noqa: BLE001 - __str__ is the program's code
            text = ""
        told = {"class": self._name_error(type(error)), "text": text, **self.explain(error)}
        try:
            arguments = [self.pack(item) for item in error.args]
            _dumps(arguments)
        except (RecursionError, ValueError):
            arguments = [text]
        return {**told, "arguments": arguments, "instance": self.refer(error)["$mine"]}

    def explain(self, error: BaseException) -> dict[str, Any]:  # noqa: ARG002 - for who knows more
        """More facts about an exception: JSON values by name."""
        return {}

    def _rebuild_error(self, told: dict[str, Any]) -> BaseException:
        kind = self._make_error(told["class"])
        arguments = self.unpack(told["arguments"])
        instance = self._resolve("$mine", told["instance"])
        if "sstar_class" in kind.__dict__:
            error: Any = kind.__new__(kind, *arguments)
        else:
            try:
                error = kind(*arguments)
            except Exception:  # noqa: BLE001 - some take other things than they keep
                error = kind.__new__(kind)
        error.args = tuple(arguments)
        error.__dict__.update(sstar_instance=instance, sstar_told=told)
        return error  # type: ignore[no-any-return]

    def _name_error(self, kind: type[BaseException]) -> list[Any]:
        """Its name; for one that is not Python's own also its number and its bases."""
        name = f"{kind.__module__}.{kind.__qualname__}"
        if kind.__module__ == "builtins":
            return [name]
        if (owner := kind.__dict__.get("sstar_class")) is not None:
            return [name, {"$yours": owner.sstar_number}, []]
        bases = [self._name_error(base) for base in kind.__bases__ if issubclass(base, BaseException)]
        return [name, self._number(kind), bases]

    def _make_error(self, told: list[Any]) -> Any:
        (name, *more) = told
        found = copies.find_error(name)
        if found is not None and (not more or found.__module__ != "builtins"):
            return found
        owner = self.unpack(more[0])
        if type(owner) is not Proxy:
            return owner
        number = owner.sstar_number
        if number not in self._errors:
            bases = tuple(self._make_error(base) for base in more[1])
            self._errors[number] = _error_class(name, bases, owner)
        return self._errors[number]


def _error_class(name: str, bases: tuple[type, ...], owner: Proxy) -> type:
    def show(self: Any) -> str:
        return str(self.sstar_told["text"])

    def ask(self: Any, attribute: str) -> Any:
        if attribute[:1] == "_":
            raise AttributeError(attribute)
        return getattr(self.sstar_instance, attribute)

    def make(kind: Any, *arguments: Any) -> Any:
        return bases[0].__new__(kind, *arguments)

    space = {"__module__": "solution", "__str__": show, "__getattr__": ask, "__new__": make}
    return type(name.rpartition(".")[2], bases, {**space, "sstar_class": owner})
