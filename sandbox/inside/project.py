"""Runs inside a repository's sandbox: calls its functions, runs its examples and its tests.

It holds one version of the repository: the files of the user's with one candidate in place, read-only.
This process imports the repository's modules, as its tests would, and forks for every call, group of examples
and test, so what a candidate does to a process ends with that process. Requests and answers are JSON, one a
line. Its interpreter is the repository's own, CPython 3.9 or newer; standard library only.

Nothing expected is in here: what examples have to give is compared outside. Tests of the repository carry
their expected values themselves, so they trust the candidate more (`project_tests.py`).
"""

from __future__ import annotations
import __future__

import ast
import asyncio
import gc
import importlib
import inspect
import io
import itertools
import json
import os
import pathlib
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from sstar_code.problems import values
from sstar_code.sandbox.inside import kernel, project_fork, project_tests, seccomp

_MOST_YIELDED = 10_000
_PROCESSES = 128
"""Most processes and threads of a room, where the kernel counts them without the user's others and nothing
else limits them: what a user runs beside it must not end it."""
_FUTURE = {name: getattr(__future__, name).compiler_flag for name in __future__.all_feature_names}


def main() -> None:
    """Serve requests from standard input until it ends."""
    requests, answers = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    project_fork.keep_private(requests)
    project_fork.keep_private(answers)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # no process inside may end the first one
    reader = os.fdopen(requests, "rb")
    settings = json.loads(reader.readline())
    _settle(settings, requests)
    _send(answers, {"ready": sys.version.split()[0]})
    project_fork.tell_cpu_time(lambda cpu_s: _send(answers, {"heartbeat": cpu_s}))
    for line in reader:
        request = json.loads(line)
        for answer in _DO[request["do"]](request):
            _send(answers, answer)
        _send(answers, {"done": True})


def _send(answers: int, data: dict[str, Any]) -> None:
    text = json.dumps(data).encode("ascii") + b"\n"
    while text:
        text = text[os.write(answers, text) :]


def _settle(settings: dict[str, Any], requests: int) -> None:
    """Take the repository's environment and limits; forget our own modules, whose names may be the user's."""
    os.environ.clear()
    os.environ.update(settings["environment"])
    os.makedirs(os.environ["HOME"], exist_ok=True)  # noqa: PTH103 - pathlib would be one more import
    os.chdir(settings["root"])
    sys.path[:0] = settings["path"]
    for name in [name for name in sys.modules if name.partition(".")[0] == "sstar_code"]:
        del sys.modules[name]
    if not settings["is_counted"] and kernel.is_counted_apart():
        hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        most = _PROCESSES if hard == resource.RLIM_INFINITY else min(hard, _PROCESSES)
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
    project_fork.become_unreadable()
    if settings["seccomp"]:
        kernel.control(kernel.NO_NEW_PRIVILEGES)
        kernel.Filter(seccomp.build_project()).install()
    if os.getpid() == 1:
        project_fork.own_place(settings["scratch"])
        project_fork.end_with_owner(requests)


def _import(name: str) -> dict[str, Any] | None:
    """Import `name` into this process, for all that follows; the failure where that cannot be."""
    try:
        importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 - a module may raise anything
        shown = traceback.format_exception_only(type(error), error)[-1].strip()
        return {
            "status": "CE",
            "failure": [type(error).__name__, f"the module cannot be imported: {shown}"[:500]],
        }
    gc.freeze()
    project_fork.keep_files()
    return None


def _call(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Call one function on each of `inputs`."""
    target = request["target"]
    failed = _import(target["module"])
    for text, plain in zip(request["inputs"], request["plain"]):  # noqa: B905 - 3.9
        if failed is not None:
            yield failed
            continue
        yield project_fork.run_apart(lambda: _call_once(target, text, plain), request["limits"])  # noqa: B023


def _call_once(target: dict[str, Any], text: str, plain: bool) -> dict[str, Any]:
    project_fork.watch_reached()
    arguments = values.decode_lines(text)
    before = values.encode_lines(arguments)
    caught, sys.stdout = sys.stdout, io.StringIO()
    owner: Any = sys.modules[target["module"]]
    for name in target["path"][:-1]:
        owner = getattr(owner, name)
    count = target["constructor"]
    state = ""
    if count is not None:
        owner = owner(*arguments[:count])
        state = values.encode(getattr(owner, "__dict__", None))
    try:
        seen = _finish(_apply(owner, target, arguments[count or 0 :]))
    except Exception as error:
        if not {item.__name__ for item in type(error).__mro__} & set(target["raises"]):
            raise
        seen = {"raised": type(error).__name__}
    printed, sys.stdout = sys.stdout.getvalue(), caught
    if not plain:
        if values.encode_lines(arguments) != before:
            seen["arguments"] = arguments
        if count is not None and values.encode(getattr(owner, "__dict__", None)) != state:
            seen["object"] = vars(owner)
        if printed:
            seen["printed"] = printed
    if set(seen) == {"returned"}:
        return {"result": values.encode(seen["returned"])}
    return {"result": values.encode(seen), "is_behaviour": True}


def _apply(owner: Any, target: dict[str, Any], arguments: list[Any]) -> Any:
    name = target["path"][-1]
    if target["how"] == "property":
        return getattr(owner, name)
    if target["how"] == "property setter":
        return setattr(owner, name, *arguments)
    names = target["keywords"]
    split = len(arguments) - len(names)
    return getattr(owner, name)(*arguments[:split], **dict(zip(names, arguments[split:])))  # noqa: B905 - 3.9


def _finish(result: Any) -> dict[str, Any]:
    """What awaiting or iterating `result` gives, where it is made for that; else `result`: how -> what."""
    if inspect.isawaitable(result):
        result = asyncio.run(_wait(result))
    if inspect.isasyncgen(result):
        return {"yields": asyncio.run(_collect(result))}
    if inspect.isgenerator(result) or isinstance(result, (map, filter, zip, itertools.chain)):
        return {"yields": list(itertools.islice(result, _MOST_YIELDED))}
    return {"returned": result}


async def _wait(result: Any) -> Any:
    return await result


async def _collect(items: Any) -> list[Any]:
    return [item async for item in items]


def _run_examples(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Run each group of examples in the name space of the module: what each printed or raised."""
    failed = _import(request["module"])
    for sources in request["groups"]:
        if failed is not None:
            yield failed
            continue
        yield project_fork.run_apart(lambda: _run_group(request, sources), request["limits"])  # noqa: B023


def _run_group(request: dict[str, Any], sources: list[str]) -> dict[str, Any]:
    project_fork.watch_reached()
    space = dict(sys.modules[request["module"]].__dict__)
    for path in request.get("conftests", ()):
        _add_names(space, path)
    flags = sum(flag for name, flag in _FUTURE.items() if name in space)
    outcomes = []
    real = sys.stdout
    sys.displayhook = sys.__displayhook__
    for source in sources:
        raised = ""
        sys.stdout = io.StringIO()
        try:
            exec(compile(source, "<example>", "single", flags, dont_inherit=True), space)  # noqa: S102
        except Exception as error:  # noqa: BLE001 - what an example raises is its result
            raised = traceback.format_exception_only(type(error), error)[-1].strip()
        finally:
            got, sys.stdout = sys.stdout.getvalue(), real
        outcomes.append([got, raised])
    return {"outcomes": outcomes}


def _add_names(space: dict[str, Any], path: str) -> None:
    """Put the names into `space` that the fixtures of a conftest.py give doctests, as pytest does.

    Those count that pytest uses by itself and that need no other fixture; each is called without pytest.
    """
    tree = ast.parse(pathlib.Path(path).read_bytes())
    names = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and [item.arg for item in node.args.args] == [
            "doctest_namespace"
        ]:
            if any("autouse=True" in ast.unparse(item) for item in node.decorator_list):
                names.append(node.name)
            node.decorator_list = []
    if not names:
        return
    own: dict[str, Any] = {"__name__": "conftest", "__file__": path}
    exec(compile(tree, path, "exec", dont_inherit=True), own)  # noqa: S102 - as pytest imports it
    for name in names:
        result = own[name](space)
        if inspect.isgenerator(result):
            next(result)


_DO = {"call": _call, "examples": _run_examples, "tests": project_tests.run_tests}
