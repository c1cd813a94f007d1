"""Three packages from PyPI, each with one documented function blanked out: is the right answer kept?

    python -m benchmarks.recorded.packages [--sandbox local] [FOLDER]

Downloads the source distributions with pip (needs a package index; says so where none answers), blanks a
function, and gives `sstar fix`'s machinery a right answer (the package's own) and a wrong one. The package's
own tests run in the sandbox. Prints one row a package.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import anyio

from benchmarks.tables import write_head, write_row
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.repository.find.project_files import read_source
from sstar_code.agent.repository.find.stubs import find_function
from sstar_code.agent.repository.fix import Fixing
from sstar_code.agent.repository.verify.candidate_sandbox import CandidateSandbox
from sstar_code.agent.repository.verify.runner import RepositoryRunner
from sstar_code.agent.repository.write.splice import put_body
from sstar_code.agent.repository.write_function import FunctionWriter
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.testing.scripted import ScriptedModel
from sstar_code.sandbox.choose import make_sandbox
from sstar_code.sandbox.memo import MemoSandbox


@dataclass(frozen=True, slots=True)
class Case:
    package: str
    version: str
    file: str
    qualname: str
    tests: str
    wrong: str


CASES = (
    Case(
        "more-itertools",
        "10.5.0",
        "more_itertools/more.py",
        "divide",
        "tests/test_more.py",
        "def divide(n, iterable):\n    if n < 1:\n        raise ValueError('n must be at least 1')\n"
        "    items = list(iterable)\n    size = -(-len(items) // n)\n"
        "    return [iter(items[k * size : (k + 1) * size]) for k in range(n)]\n",
    ),
    Case(
        "boltons",
        "26.2.0",
        "boltons/strutils.py",
        "ordinalize",
        "tests/test_strutils.py",
        "def ordinalize(number, ext_only=False):\n"
        "    ext = {'1': 'st', '2': 'nd', '3': 'rd'}.get(str(number)[-1], 'th')\n"
        "    return ext if ext_only else str(number) + ext\n",
    ),
    Case(
        "toolz",
        "1.0.0",
        "toolz/itertoolz.py",
        "partition_all",
        "toolz/tests/test_itertoolz.py",
        "def partition_all(n, seq):\n    items = list(seq)\n"
        "    return (tuple(items[k : k + n]) for k in range(0, len(items) - n + 1, n))\n",
    ),
)


def unpack(case: Case, folder: Path) -> Path | None:
    """The package's source, from the index; None where that does not answer."""
    words = ["pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", str(folder)]
    subprocess.run(
        [sys.executable, "-m", *words, f"{case.package}=={case.version}"], check=False, capture_output=True
    )
    found = sorted(folder.glob(f"{case.package.replace('-', '[-_]')}-*.tar.gz"))
    if not found:
        return None
    with tarfile.open(found[0]) as archive:
        archive.extractall(folder, filter="data")
    root = folder / found[0].name.removesuffix(".tar.gz")
    (root / ".git").mkdir(exist_ok=True)
    return root


async def measure(case: Case, root: Path, sandbox_name: str) -> str:
    path = root / case.file
    whole = read_source(path)
    original = find_function(whole, case.qualname)
    assert original is not None
    lines = whole.text.splitlines(keepends=True)
    right = "".join(lines[original.node.lineno - 1 : original.node.end_lineno])
    blank = put_body(original, ["raise NotImplementedError"]).source
    path.write_bytes(blank.data)
    stub = find_function(read_source(path), case.qualname)
    assert stub is not None
    model = ScriptedModel(lambda request: f"```python\n{(case.wrong, right)[request.purpose.sample % 2]}```")
    started_s = time.monotonic()
    async with AsyncExitStack() as stack:
        fallback = await stack.enter_async_context(make_sandbox(sandbox_name, workers=2))
        runner = await stack.enter_async_context(RepositoryRunner(root, sys.executable, fallback, workers=2))
        sandbox = CandidateSandbox(runner, fallback=fallback)
        context = SolveContext(model, MemoSandbox(sandbox), Prompts(), Settings(n=2, rounds=0))
        writer = FunctionWriter(
            runner, sandbox, context, [case.tests], say=lambda line: print(line, file=sys.stderr)
        )
        (result,) = await Fixing(writer).fix([stub])
    kept = (
        "right"
        if writer.state.sources[path].text == whole.text
        else "same meaning"
        if result.code == right
        else "WRONG"
    )
    seconds = time.monotonic() - started_s
    name = f"{case.package} {case.version}"
    return write_row((name, f"`{case.qualname}`", result.finding.message, kept, f"{seconds:.0f}"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sandbox", default="local")
    parser.add_argument("folder", nargs="?", type=Path)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="packages-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(write_head(("package", "function", "what came of it", "kept", "seconds")))
    for case in CASES:
        root = unpack(case, folder)
        if root is None:
            print(write_row((case.package, "", "skipped: no package index gave its source", "", "")))
            continue
        print(anyio.run(measure, case, root, options.sandbox), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
