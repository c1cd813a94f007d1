"""C++ in the sandbox beside plain child processes: tests a second, and what compiling costs.

    python -m benchmarks.sandbox.cpp.speed [--sandbox local] [--inputs 20] [--rounds 5]

Every round runs the same programs on the same inputs in both ways, one after the other: ours, compiled
before, and the binaries of plain `g++` started by a pool of threads with `subprocess.run`, as many at once as
the sandbox has workers. So load falls on both, and the ratio of a round is what counts; medians over the
rounds. CPU time is that of this process and all below it.
`hit` is a request of one input for a program that its worker has compiled; `floor` the same for an empty
Python program, so that the difference is what the compiled program costs.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio

from benchmarks.sandbox.cputime import Meter
from sstar_code.sandbox import Limits, Program, Sandbox, Status, make_sandbox
from sstar_code.sandbox.languages.host import prepare_tools
from sstar_code.sandbox.languages.table import find_language

_HEAD = "#include <bits/stdc++.h>\nusing namespace std;\n"
PROGRAMS = (
    _HEAD + "int main() { long long a, b; cin >> a >> b; cout << a + b << '\\n'; }\n",
    _HEAD
    + "int main() { int n, s = 0, x; cin >> n; while (cin >> x) s = (s * 31 + x) % 1000007; cout << s; }\n",
    _HEAD + "int main() { vector<int> v; int x; while (cin >> x) v.push_back(x); sort(v.begin(), v.end());\n"
    "  for (int y : v) cout << y << ' '; }\n",
    _HEAD + "int main() { map<int, int> m; int x; while (cin >> x) m[x % 7]++;\n"
    "  for (auto [k, c] : m) cout << k << ' ' << c << '\\n'; }\n",
)
_LIMITS = Limits(cpu_s=10.0)


def make_inputs(count: int) -> list[str]:
    """Lines of 2 to 60 numbers."""
    return [
        " ".join(str((place * 7919 + n * 104729) % 1000) for n in range(2 + 3 * place % 59))
        for place in range(count)
    ]


def compile_plainly(folder: Path, code: str, name: str, *flags: str) -> Path:
    """The binary that `g++` makes of `code`."""
    source = folder / f"{name}.cpp"
    source.write_text(code)
    binary = folder / name
    subprocess.run(["g++", *find_language("cpp").flags, *flags, source, "-o", binary], check=True)
    return binary


def run_plainly(item: tuple[Path, str]) -> str:
    """What a binary prints for an input."""
    done = subprocess.run([item[0]], input=item[1], capture_output=True, text=True, check=True)
    return done.stdout


async def run_ours(sandbox: Sandbox, inputs: list[str]) -> list[str]:
    """What every program of `PROGRAMS` prints for every input, in order."""
    found: dict[int, list[str]] = {}

    async def one(place: int, code: str) -> None:
        runs = await sandbox.run(Program(code, language="cpp"), inputs, _LIMITS)
        assert all(run.status is Status.OK for run in runs), runs
        found[place] = [run.stdout for run in runs]

    async with anyio.create_task_group() as group:
        for place, code in enumerate(PROGRAMS):
            group.start_soon(one, place, code)
    return [text for place in sorted(found) for text in found[place]]


@dataclass
class Cell:
    """What was measured of one way, a figure a round."""

    rates: list[float]
    cpu_ms: list[float]

    @contextmanager
    def measure(self, tests: int) -> Iterator[None]:
        """Measure what is done inside, `tests` tests."""
        meter = Meter()
        meter.start()
        started_s = time.perf_counter()
        yield
        self.rates.append(tests / (time.perf_counter() - started_s))
        self.cpu_ms.append(1000 * meter.stop_s() / tests)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_headers(folder: Path) -> tuple[float, float]:
    """CPU seconds of a compilation without and with the precompiled header, the least of three."""
    tools, found = prepare_tools(), []
    for flags in ((), ("-w", "-fmax-errors=5", "-fno-diagnostics-show-caret", f"-I{tools.folder}/cpp17")):
        taken = []
        for _ in range(3):
            before_s = _cpu_s()
            compile_plainly(folder, PROGRAMS[2], "timed", *flags)
            taken.append(_cpu_s() - before_s)
        found.append(min(taken))
    return found[0], found[1]


async def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    inputs = make_inputs(options.inputs)
    ours, plain = Cell([], []), Cell([], [])
    hits, floors = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        binaries = [compile_plainly(folder, code, f"p{place}") for place, code in enumerate(PROGRAMS)]
        without, with_header = measure_headers(folder)
        async with make_sandbox(options.sandbox, languages=["cpp"]) as sandbox:
            tests = [(binary, text) for binary in binaries for text in inputs]
            with ThreadPoolExecutor(sandbox.workers) as pool:
                wanted = list(pool.map(run_plainly, tests))
                assert await run_ours(sandbox, inputs) == wanted  # compiles, too
                for _ in range(options.rounds):
                    with ours.measure(len(tests)):
                        await run_ours(sandbox, inputs)
                    with plain.measure(len(tests)):
                        list(pool.map(run_plainly, tests))
        async with make_sandbox(options.sandbox, workers=1, languages=["cpp"]) as sandbox:
            await sandbox.run(Program(PROGRAMS[0], language="cpp"), ["1 2"], _LIMITS)
            for _ in range(10 * options.rounds):
                for program, kept in ((Program(PROGRAMS[0], language="cpp"), hits), (Program(""), floors)):
                    started_s = time.perf_counter()
                    await sandbox.run(program, ["1 2"], _LIMITS)
                    kept.append(1000 * (time.perf_counter() - started_s))
    for what, unit in (("rates", "tests/s"), ("cpu_ms", "ms of CPU a test")):
        (mine, other) = (getattr(cell, what) for cell in (ours, plain))
        ratio = statistics.median(a / b for a, b in zip(mine, other, strict=True))
        print(
            f"ours {statistics.median(mine):.3g} {unit}, plain {statistics.median(other):.3g}: x{ratio:.2f}"
        )
    (hit, least, floor) = (statistics.median(hits), min(hits), statistics.median(floors))
    print(f"hit {hit:.1f} ms (least {least:.1f}), floor {floor:.1f} ms")
    print(f"compiling <bits/stdc++.h>: {without:.2f} s of CPU, precompiled {with_header:.2f} s")


def _read() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sandbox", default="local")
    parser.add_argument("--inputs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    anyio.run(partial(main, _read()))
