"""Changes the product by a little, a random place at a time, and tells which changes no test notices.

    python -m scripts.mutants.run [--count 200] [--seed 0] [--jobs 2] [--only agent/report] [--folder FOLDER]

Every mutant is made alone, in a copy of the tree in FOLDER (runs/mutants), and tested by the tests of its
package that execute its line: those of the test file beside its path first, then those of files that import
it or have its name, then the others, the quickest files first. The first few files run alone, since pytest
reads every file that it is given before it runs a test, and most mutants are noticed there. Which test
executes which line is noted once a package, by running its tests under coverage; those marked `slow` are not
noted, since that takes longer than all mutants do. What the others do not notice is tested by the slow ones
of the test file beside its path and of those that import it or have its name. A line of which nothing is
known (another process runs it, or it runs at import alone) is tested by what executes the file, else by all
tests of the package. A mutant whose tests take far longer than they should is noticed. So is one that makes
a test fail that fails now and then.

The results are appended to FOLDER/results-*.jsonl: the same command goes on where it was ended, and a larger
count adds to it. A change of the product or its tests starts anew.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coverage import CoverageData

from scripts.mutants.sites import PACKAGES, Mutant, draw_mutants

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
_PYTEST = ("-m", "pytest", "-q", "-x", "-p", "scripts.mutants.plugin", "-m")
_QUICK, _SLOW = "not live and not data and not slow", "not live and not data and slow"
_PATIENCE, _PATIENCE_S = 4, 60
"""A mutant's tests may take so many times as long as they should, and so many seconds more."""
_FIRST_S = 10
"""So many seconds of tests are run alone first."""
_NOTED = 5
"""pytest's exit code where no test was run; 0 and this one mean that nothing was noticed."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What is known of the tests of a package."""

    tree: Path
    """A copy that holds them."""
    seconds: dict[str, float]
    """Test that passed -> what it took."""
    data: CoverageData
    """Which test executed which line."""

    def choose_tests(self, mutant: Mutant) -> list[str]:
        """The tests that execute the mutant's line, else its file, else all, in the order to run them."""
        lines = self.data.contexts_by_lineno(mutant.file)
        found = {*lines.get(mutant.line, ())} - {""} or {test for names in lines.values() for test in names}
        tests = [test for test in self.seconds if test in found] or [*self.seconds]
        spent: Counter[str] = Counter()
        for test in tests:
            spent[_file_of(test)] += self.seconds[test]

        def rank(file: str) -> tuple[bool, bool, float, str]:
            (beside, close) = _is_near(self.tree, mutant, file)
            return not beside, not close, spent[file], file

        order = {file: number for number, file in enumerate(sorted(spent, key=rank))}
        return sorted(tests, key=lambda test: order[_file_of(test)])

    def split(self, tests: list[str]) -> list[list[str]]:
        """The first `_FIRST_S` seconds of the tests, which are some whole files, and the others."""
        spent, last = 0.0, ""
        for number, test in enumerate(tests):
            if spent > _FIRST_S and _file_of(test) != last:
                return [tests[:number], tests[number:]]
            spent, last = spent + self.seconds[test], _file_of(test)
        return [tests]


def _is_near(tree: Path, mutant: Mutant, file: str) -> tuple[bool, bool]:
    """Whether a test file is the one beside the mutant's path; whether it imports it or has its name."""
    module = "sstar_code." + mutant.file.removesuffix(".py").replace("/", ".")
    beside = file == f"tests/{Path(mutant.file).parent}/test_{Path(mutant.file).name}"
    text = (tree / file).read_text(encoding="utf-8")
    return beside, module in text or Path(mutant.file).stem in Path(file).stem


def _file_of(test: str) -> str:
    return test.partition("::")[0]


def copy_tree(target: Path) -> None:
    """The files of the checkout that git knows or could, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    shutil.rmtree(target, ignore_errors=True)
    for name in filter(None, listed.stdout.split("\0")):
        source, copy = ROOT / name, target / name
        if source.is_symlink() or source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)


def fingerprint(tree: Path) -> str:
    """What the product and its tests are, in sixteen letters."""
    digest = hashlib.sha256()
    for folder in (*PACKAGES, "tests"):
        for path in sorted((tree / folder).rglob("*.py")):
            digest.update(str(path.relative_to(tree)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def run_tests(tree: Path, words: list[str], limit_s: float | None = None, **environment: str) -> int | None:
    """Pytest's exit code in a copy, None after `limit_s`; nothing that it started is left."""
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def note_package(tree: Path, package: str, target: Path) -> Notes:
    """Which test of the package executes what; from `target` where it was noted before."""
    data = target.with_suffix(".coverage")
    if not target.exists():
        print(f"noting what the tests of {package} execute", file=sys.stderr)
        settings = target.with_suffix(".coveragerc")
        told = ("[run]", f"data_file = {data}", f"include = {package}/*", "relative_files = True")
        settings.write_text("\n".join(told), encoding="utf-8")
        words = ["-m", "coverage", "run", f"--rcfile={settings}", *_PYTEST, _QUICK, "--maxfail=1000"]
        folders = [f"tests/{package}", *(["tests/attacks"] if package == "sandbox" else [])]
        run_tests(tree, [*words, *folders], MUTANTS_NOTE=str(target))
        if not target.exists():
            sys.exit(f"pytest ends without a result: cd {tree}; {sys.executable} -m pytest tests/{package}")
    lines = CoverageData(basename=str(data))
    lines.read()
    return Notes(tree, json.loads(target.read_text(encoding="utf-8")), lines)


def note_slow(tree: Path, mutant: Mutant, folder: Path) -> dict[str, float]:
    """The slow tests near the mutant that pass without it, and their seconds; once noted, from `folder`."""
    seconds: dict[str, float] = {}
    for path in sorted((tree / "tests").rglob("test_*.py")):
        file = str(path.relative_to(tree))
        if not any(_is_near(tree, mutant, file)):
            continue
        target = folder / file.replace("/", "-").replace(".py", ".json")
        if not target.exists():
            run_tests(tree, [*_PYTEST, _SLOW, "--maxfail=1000", file], MUTANTS_NOTE=str(target))
        if target.exists():
            seconds |= json.loads(target.read_text(encoding="utf-8"))
    return seconds


def try_mutant(tree: Path, notes: Notes, mutant: Mutant, folder: Path) -> dict[str, Any]:
    """Make the mutant in the copy, run its tests, and undo it; slow tests are noted in `folder`."""
    path, chosen = tree / mutant.file, tree / "chosen.txt"
    source = path.read_text(encoding="utf-8")
    changed = mutant.apply(source)
    tests = notes.choose_tests(mutant)

    def is_noticed(some: list[str], seconds: dict[str, float], marks: str) -> bool:
        chosen.write_text("\n".join(some), encoding="utf-8")
        words = [*_PYTEST, marks, *dict.fromkeys(map(_file_of, some))]
        limit_s = _PATIENCE_S + _PATIENCE * sum(seconds[test] for test in some)
        try:
            path.write_text(changed, encoding="utf-8")
            return run_tests(tree, words, limit_s, MUTANTS_TESTS=str(chosen)) not in {0, _NOTED}
        finally:
            path.write_text(source, encoding="utf-8")

    noticed = any(is_noticed(some, notes.seconds, _QUICK) for some in notes.split(tests))
    if not noticed and (slow := note_slow(tree, mutant, folder)):
        tests += slow
        noticed = is_noticed([*slow], slow, _SLOW)
    change = [
        line
        for line in difflib.unified_diff(source.splitlines(), changed.splitlines(), lineterm="", n=0)
        if line[:1] in "+-" and line[:3] not in {"+++", "---"}
    ]
    return {"key": mutant.key, "noticed": noticed, "tests": len(tests), "change": change}


def report(mutants: list[Mutant], results: dict[str, dict[str, Any]]) -> None:
    """The survivors, and their share a package."""
    survivors = [mutant for mutant in mutants if not results[mutant.key]["noticed"]]
    for mutant in sorted(survivors, key=lambda mutant: mutant.key):
        result = results[mutant.key]
        print(f"{mutant.file}:{mutant.line}  {mutant.operator}, {result['tests']} tests")
        print("\n".join(f"    {line}" for line in result["change"]))
    made, left = (Counter(mutant.package for mutant in some) for some in (mutants, survivors))
    rows = [(package, left[package], made[package]) for package in PACKAGES if made[package]]
    for name, count, most in (*rows, ("all", len(survivors), len(mutants))):
        print(f"{name:10} {count:4} of {most:4} survive, {count / most:.0%}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time, a copy of the tree each")
    parser.add_argument("--only", default="", help="mutants of files whose path begins so")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "mutants")
    options = parser.parse_args()
    folder = options.folder.resolve()
    copies = [folder / f"tree-{number}" for number in range(options.jobs)]
    free: queue.Queue[Path] = queue.Queue()
    for copy in copies:
        copy_tree(copy)
        free.put(copy)
    mark = fingerprint(copies[0])
    mutants = draw_mutants(copies[0], options.count, options.seed, options.only)
    file = folder / f"results-{mark}.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    results = {row["key"]: row for row in map(json.loads, lines)}
    notes: dict[str, Notes] = {}
    slow = folder / f"slow-{mark}"
    slow.mkdir(exist_ok=True)

    @contextmanager
    def borrow() -> Iterator[Path]:
        copy = free.get()
        try:
            yield copy
        finally:
            free.put(copy)

    def note(package: str) -> None:
        with borrow() as copy:
            notes[package] = note_package(copy, package, folder / f"notes-{mark}-{package}.json")

    def work(mutant: Mutant) -> None:
        with borrow() as copy:
            result = try_mutant(copy, notes[mutant.package], mutant, slow)
        results[mutant.key] = result
        with file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(result) + "\n")
        fate = "noticed" if result["noticed"] else "SURVIVES"
        print(f"{len(results)}: {mutant.key} {fate}", file=sys.stderr)

    with ThreadPoolExecutor(options.jobs) as threads:
        list(threads.map(note, dict.fromkeys(mutant.package for mutant in mutants)))
        list(threads.map(work, [mutant for mutant in mutants if mutant.key not in results]))
    report(mutants, results)


if __name__ == "__main__":
    main()
