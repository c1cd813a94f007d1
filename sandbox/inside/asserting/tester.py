"""The test's process: runs an assert-style test and asks the candidate's for all that is the candidate's.

No code of the candidate runs here. A name that the test does not define and Python does not have is the
candidate's: the test gets a copy of a plain value, and of all else a `Proxy`.
"""

from __future__ import annotations

import builtins
import importlib
import json
import os
import sys
import types
from typing import TYPE_CHECKING, Any, NoReturn

from sstar_code.sandbox.inside import driver
from sstar_code.sandbox.inside.asserting import peer
from sstar_code.sandbox.inside.asserting.proxy import Proxy, list_operations
from sstar_code.sandbox.inside.calling.call import MissingEntryPointError

if TYPE_CHECKING:
    from collections.abc import Callable

GONE = 77
"""Exit status where the candidate's process ended before the test had."""
NAME = "test"
"""The module in which the test runs."""
_OWN_MODULES = frozenset({
    "bisect", "cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq", "io",
    "itertools", "json", "math", "operator", "os", "pprint", "random", "re", "statistics", "string", "sys",
    "time", "types", "typing", "unicodedata", "unittest",
})  # fmt: skip
"""Modules that a test may use without importing them, where a candidate would: they are the test's own."""
_OF_A_CLASS = frozenset(list_operations()) - {"dir", "copy", "deepcopy"}


def perform(job: driver.Job, token: str, ends: tuple[int, int]) -> None:
    """Run the test that standard input holds, report, exit. Never returns.

    `token` in the report says that the report is this process's.
    """
    leave = os._exit
    status = 1
    try:
        status = _perform(job, token, ends)
    finally:
        leave(status)


def _perform(job: driver.Job, token: str, ends: tuple[int, int]) -> int:
    space = driver.enter(job, NAME)
    text = driver.take_input()
    asking = _Asking(ends, token, job.entry_point)
    names = Names(asking.look_up)
    space["__builtins__"] = names
    (status, report) = (0, {"token": token})
    try:
        code = compile(text, driver.TEST_FILE, "exec", dont_inherit=True)
        asking.ask("bool", None)  # the program has been run, or it failed
        for preamble in job.codes[:-1]:
            exec(preamble, space)  # noqa: S102 - the problem's own
        solution = types.ModuleType("solution")
        solution.__dict__["__getattr__"] = asking.look_up_attribute
        sys.modules["solution"] = solution
        if hasattr(builtins, job.entry_point):
            names.bind(job.entry_point, space)
        exec(code, space)  # noqa: S102
    except BaseException as error:  # noqa: BLE001 - a test may raise anything
        if isinstance(error, NameError):
            error = explain(error, job.entry_point, names)
        told = getattr(error, "sstar_told", None)
        (status, report) = driver.describe(error, "assert", token, text, told)
        if told is not None:
            asking.show()
    _write(report)
    return driver.flush_streams("stdout", "stderr") or status


def explain(error: NameError, entry_point: str, names: Names) -> BaseException:
    """The error of a test again, or that the entry point is missing where that is why."""
    (owner, _, method) = entry_point.rpartition(".")
    name = owner or method
    missing = name and f"name {name!r} is not defined" in str(error) and names.is_missing(name)
    return MissingEntryPointError(f"it does not define {name}") if missing else error


def _write(report: dict[str, Any]) -> None:
    data = json.dumps(report).encode("ascii") + b"\n"
    while data:
        data = data[os.write(driver.REPORT, data) :]


class Names(dict):  # type: ignore[type-arg]
    """Python's own names, and behind them the candidate's."""

    def __init__(self, look_up: Callable[[str], Any]) -> None:
        """`look_up` finds a name of the candidate's or raises NameError."""
        super().__init__(vars(builtins))
        self._look_up = look_up

    def __missing__(self, name: str) -> Any:
        if name[:2] == "__":
            raise KeyError(name)
        if name in _OWN_MODULES:
            return importlib.import_module(name)
        try:
            found = self._look_up(name)
        except NameError:
            raise KeyError(name) from None
        if type(found) is Proxy:
            self[name] = found
        return found

    def bind(self, name: str, space: dict[str, Any]) -> None:
        """Have the candidate's `name`, where there is one, in front of Python's own."""
        try:
            space[name] = self._look_up(name)
        except NameError:
            return

    def is_missing(self, name: str) -> bool:
        """Whether the candidate does not define `name`."""
        try:
            self._look_up(name)
        except NameError:
            return True
        return False


class _Asking(peer.Peer):
    def __init__(self, ends: tuple[int, int], token: str, entry_point: str) -> None:
        super().__init__(ends, self._do, _leave)
        self._token = token
        self._entry_point = entry_point
        self._operations = list_operations()

    def look_up(self, name: str) -> Any:
        """The candidate's `name`.

        Raises:
            NameError: there is none.
        """
        found = self.ask("name", name)
        # by the test's word, not the candidate's: a function may be an object that pretends to be a class
        if type(found) is Proxy and name.lstrip("_")[:1].isupper() and name != self._entry_point:
            object.__setattr__(found, "sstar_made", "class")
        return found

    def look_up_attribute(self, name: str) -> Any:
        """The same for `solution.name`; which names `import *` takes is not the candidate's to say."""
        if name[:2] == "__":
            raise AttributeError(name)
        try:
            return self.look_up(name)
        except NameError:
            raise AttributeError(name) from None

    def heard(self, head: list[Any]) -> None:
        """What the candidate wrote to standard output is written to the test's."""
        if len(head) > 2:
            sys.stdout.write(head[2])

    def _read(self, head: list[Any], body: bytes, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        if head[0] != "failed":
            return super()._read(head, body, arguments)
        self.heard(head)
        (told, _) = json.loads(body)
        (status, report) = driver.describe(self._rebuild_error(told), "assert", self._token, "", told)
        _write(report)
        self.show()
        driver.flush_streams("stdout", "stderr")
        os._exit(status)

    def show(self) -> None:
        """Have the candidate's process write how its last exception came about."""
        self.send(["ask", "show", None], [])
        self._receive()

    def refer(self, value: Any) -> Any:
        """An installed module's object goes by its name: it is there on the other side too."""
        if type(value) is Proxy:
            return super().refer(value)
        if isinstance(value, types.ModuleType):
            return {"$import": [value.__name__, ""]}
        (module, name) = (getattr(value, "__module__", None), getattr(value, "__qualname__", None))
        if isinstance(module, str) and isinstance(name, str) and module not in (NAME, "__main__", "solution"):
            found = sys.modules.get(module)
            for part in name.split("."):
                found = getattr(found, part, None)
            if found is value:
                return {"$import": [module, name]}
        return super().refer(value)

    def _do(self, operation: str, target: Any, arguments: list[Any], named: dict[str, Any]) -> Any:
        """Do with an object of the test's what the candidate asks for, if it was meant for that.

        Raises:
            TypeError: it was not.
        """
        kind = type(target)
        of_the_test = kind.__module__ == NAME and operation in _OF_A_CLASS
        if operation in ("get", "set", "delete"):
            name = arguments[0]
            allowed = of_the_test and isinstance(name, str) and name[:1] != "_"
            allowed = allowed and (operation == "get" or not hasattr(kind, name))
            allowed = allowed or (operation == "get" and name == "__name__" and callable(target))
        elif operation == "call":
            allowed = callable(target)
        else:
            allowed = of_the_test or (operation in ("iter", "next") and hasattr(kind, "__next__"))
        if not allowed:
            raise TypeError(f"{kind.__name__!r} object of the test does not offer {operation!r}")
        return self._operations[operation](target, *arguments, **named)


def _leave() -> NoReturn:
    driver.flush_streams("stdout", "stderr")
    os._exit(GONE)
