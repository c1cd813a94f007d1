"""Ways to run a program on an input: ours, and what else one would use."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio import to_thread

from benchmarks.sandbox.workload import TRIVIAL, Work, make_inputs
from sstar_code.sandbox.outcome import Limits, Program, Status

if TYPE_CHECKING:
    from sstar_code.sandbox.workers.pool import PooledSandbox

__all__ = ["DockerExec", "DockerRun", "Evalplus", "Floor", "Method", "Ours", "Plain", "WrongOutputError"]

_INPUTS = 20


class WrongOutputError(Exception):
    """A way of running gave another output than the program has: its numbers would mean nothing."""


class Method(ABC):
    """One way, with a number of workers; `measure` may be called again and again."""

    def __init__(self, name: str, workers: int) -> None:
        self.name = name
        self.workers = workers

    def can(self, work: Work) -> bool:  # noqa: ARG002 - for those that cannot
        return True

    @abstractmethod
    async def measure(self, work: Work, seconds: float) -> int:
        """Run `work` over and over for `seconds`, every output checked; how many runs were made."""

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        pass


def check(found: str, expected: str, name: str) -> None:
    if found != expected:
        raise WrongOutputError(f"{name}: {found[:200]!r} is not {expected[:200]!r}")


class Ours(Method):
    """An open sandbox, asked for one or for twenty inputs a program."""

    def __init__(self, name: str, sandbox: PooledSandbox, inputs: int) -> None:
        super().__init__(f"{name}, {inputs} input{'s' if inputs > 1 else ''} a program", sandbox.workers)
        self.sandbox = sandbox
        self.inputs = inputs
        self._number = 0
        self._runs = 0

    async def measure(self, work: Work, seconds: float) -> int:
        self._runs = 0
        end_s = time.monotonic() + seconds
        async with anyio.create_task_group() as group:
            for _ in range(self.workers):
                group.start_soon(self._keep_asking, work, end_s)
        return self._runs

    async def _keep_asking(self, work: Work, end_s: float) -> None:
        (texts, expected) = make_inputs(work, _INPUTS)
        while True:
            self._number += 1
            first = self._number % _INPUTS if self.inputs == 1 else 0
            some = slice(first, first + self.inputs)
            program = Program(work.make_program(self._number))
            runs = await self.sandbox.run(program, texts[some], Limits())
            for run, output in zip(runs, expected[some], strict=True):
                check(run.stdout if run.status is Status.OK else str(run), output, self.name)
            self._runs += len(runs)
            if time.monotonic() >= end_s:
                return


class Threaded(Method):
    """A way that blocks: one thread a worker."""

    async def measure(self, work: Work, seconds: float) -> int:
        counts = [0] * self.workers
        end_s = time.monotonic() + seconds
        async with anyio.create_task_group() as group:
            for worker in range(self.workers):
                group.start_soon(to_thread.run_sync, partial(self._loop, work, worker, end_s, counts))
        return sum(counts)

    def _loop(self, work: Work, worker: int, end_s: float, counts: list[int]) -> None:
        (texts, expected) = make_inputs(work, _INPUTS)
        while not counts[worker] or time.monotonic() < end_s:
            place = counts[worker] % _INPUTS
            check(self.run(work, texts[place], worker), expected[place], self.name)
            counts[worker] += 1

    @abstractmethod
    def run(self, work: Work, text: str, worker: int) -> str:
        """One run's standard output."""


class Plain(Threaded):
    """`python -I FILE` as a child process, its pipes and nothing else: no isolation, no limits."""

    def __init__(self, python: str, workers: int) -> None:
        super().__init__("plain `python -I`", workers)
        self._python = python
        self._folder = Path(tempfile.mkdtemp())

    def run(self, work: Work, text: str, worker: int) -> str:  # noqa: ARG002
        file = self._folder / f"{work.name}.py"
        if not file.exists():
            file.write_text(work.code, "utf-8")
        command = [self._python, "-I", str(file)]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


class _InDocker(Threaded):
    def __init__(self, name: str, client: Any, image: str, workers: int) -> None:
        super().__init__(name, workers)
        self.client = client
        self.image = image

    def create(self, command: list[str], *, stdin: bool) -> str:
        host = self.client.create_host_config(network_mode="none", auto_remove=True)
        made = self.client.create_container(
            self.image, entrypoint=command, host_config=host, stdin_open=stdin, detach=not stdin
        )
        return str(made["Id"])


def talk(attached: Any, text: str) -> str:
    """Send `text` over the engine's connection, end the input, and collect standard output."""
    import socket

    from sstar_code.sandbox.docker.worker import Demultiplexer, take_socket

    plain = take_socket(attached)
    demultiplexer = Demultiplexer()
    with contextlib.closing(plain):
        plain.settimeout(60)
        plain.sendall(text.encode())
        plain.shutdown(socket.SHUT_WR)
        output = b""
        while data := plain.recv(1 << 18):
            output += demultiplexer.feed(data)
    return output.decode()


class DockerExec(_InDocker):
    """`docker exec` through the SDK into a container that is up."""

    def __init__(self, client: Any, image: str, workers: int) -> None:
        super().__init__("`docker exec`, SDK, warm container", client, image, workers)
        sleep = "import time; time.sleep(1e9)"
        self.containers = [
            self.create(["/usr/bin/python3", "-c", sleep], stdin=False) for _ in range(workers)
        ]
        for container in self.containers:
            client.start(container)

    def run(self, work: Work, text: str, worker: int) -> str:
        command = ["/usr/bin/python3", "-I", "-c", work.code]
        made = self.client.exec_create(self.containers[worker], command, stdin=True)
        return talk(self.client.exec_start(made["Id"], socket=True), text)

    def close(self) -> None:
        for container in self.containers:
            self.client.remove_container(container, force=True)


class DockerRun(_InDocker):
    """A container a run through the SDK: create, attach, start, read, removed by the engine."""

    def __init__(self, client: Any, image: str, workers: int) -> None:
        super().__init__("`docker run`, SDK", client, image, workers)

    def run(self, work: Work, text: str, worker: int) -> str:  # noqa: ARG002
        container = self.create(["/usr/bin/python3", "-I", "-c", work.code], stdin=True)
        attached = self.client.attach_socket(container, params={"stdin": 1, "stdout": 1, "stream": 1})
        self.client.start(container)
        return talk(attached, text)


class _Child(Method):
    """A loop in another interpreter, which is told for how many seconds and answers how many runs."""

    def __init__(self, name: str, python: str, workers: int) -> None:
        super().__init__(name, workers)
        self._python = python
        self._children: dict[str, list[subprocess.Popen[str]]] = {}

    @abstractmethod
    def source(self, work: Work) -> str:
        """The loop's program."""

    async def measure(self, work: Work, seconds: float) -> int:
        if work.name not in self._children:
            await to_thread.run_sync(self._start, work)
        return await to_thread.run_sync(self._ask, work.name, seconds)

    def _start(self, work: Work) -> None:
        command = [self._python, "-I", "-c", self.source(work)]
        self._children[work.name] = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(self.workers)
        ]
        self._ask(work.name, 0.0)

    def _ask(self, name: str, seconds: float) -> int:
        children = self._children[name]
        for child in children:
            assert child.stdin is not None
            child.stdin.write(f"{seconds}\n")
            child.stdin.flush()
        answers = [child.stdout.readline() for child in children if child.stdout is not None]
        return sum(int(answer) for answer in answers)

    def close(self) -> None:
        for children in self._children.values():
            for child in children:
                child.kill()
                child.communicate()


class Floor(_Child):
    """`fork`, `exec("pass")`, `_exit`, `wait` from an interpreter with the modules that a run of ours has."""

    def __init__(self, python: str, workers: int, modules: dict[str, list[str]]) -> None:
        super().__init__('fork + exec("pass") + wait', python, workers)
        self._modules = modules

    def source(self, work: Work) -> str:
        return (
            f"import importlib, os, sys, time\nfor name in {self._modules[work.name]!r}:\n"
            "    try:\n        importlib.import_module(name)\n    except ImportError:\n        pass\n"
            "for line in sys.stdin:\n    end, count = time.monotonic() + float(line), 0\n"
            "    while time.monotonic() < end:\n        pid = os.fork()\n        if not pid:\n"
            "            exec('pass')\n            os._exit(0)\n        os.waitpid(pid, 0)\n"
            "        count += 1\n    print(count, flush=True)\n"
        )


class Evalplus(_Child):
    """evalplus's `untrusted_check`: one process for all inputs of a program, function style."""

    def __init__(self, python: str, workers: int, inputs: int) -> None:
        name = f"evalplus 'untrusted_check', {inputs} input{'s' if inputs > 1 else ''} a process"
        super().__init__(name.replace("'", "`"), python, workers)
        self._inputs = inputs

    def can(self, work: Work) -> bool:
        return work is TRIVIAL

    def source(self, work: Work) -> str:
        (texts, expected) = make_inputs(work, _INPUTS)
        inputs = [[[int(word) for word in text.split()]] for text in texts[: self._inputs]]
        outputs = [int(text) for text in expected[: self._inputs]]
        return (
            "import sys, time\nfrom evalplus.eval import PASS, untrusted_check\n"
            f"inputs, outputs = {inputs!r}, {outputs!r}\n"
            "for line in sys.stdin:\n    end, count = time.monotonic() + float(line), 0\n"
            "    while time.monotonic() < end:\n"
            "        code = 'def f(numbers):\\n    return sum(numbers)\\n'\n"
            "        times = [0.01] * len(inputs)\n"
            "        status, _ = untrusted_check('humaneval', code, inputs, 'f', outputs, 0, times)\n"
            "        assert status == PASS, status\n        count += len(inputs)\n"
            "    print(count, flush=True)\n"
        )


def find_evalplus() -> str | None:
    """This interpreter, where evalplus can be imported."""
    import importlib.util

    return sys.executable if importlib.util.find_spec("evalplus") is not None else None
