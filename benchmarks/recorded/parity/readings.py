"""Asks an official judge again and again: plainly, beside busy processes, and with another limit."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.recorded.data import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Judge", "Reading", "busy_core", "read_all", "write_expected"]

_FOLDER = Path(__file__).resolve().parent
_AHEAD = 'if [ -w /proc/self/autogroup ]; then echo -20 > /proc/self/autogroup; fi; exec nice -n -20 "$@"'
"""Linux may share cores between sessions first, and within each between its processes."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One time of asking."""

    name: str
    """A judge's answers are kept under it."""
    busy: int = 0
    """Processes that compute without end on the one core that the judge then has; 0: it has all cores."""
    limit_s: int | None = None
    """Wall time a test; None: the judge's default."""


@dataclass(frozen=True, slots=True)
class Judge:
    """An official judge and where it works."""

    name: str
    """`livecodebench`, `humaneval` or `mbpp`."""
    python: str
    """Its interpreter."""
    checkout: str
    """LiveCodeBench's, "" for evalplus."""
    folder: Path
    """The recorded data."""
    work: Path
    """Where it may write, and where its answers are kept."""
    ahead: bool = False
    """Run before all other work of the machine (needs root): it finds a core free, as on an idle machine."""

    @property
    def answers(self) -> Path:
        """The file of answers, a row a program and reading."""
        return self.work / f"{self.name}.readings.jsonl"


def prepare_data(folder: Path, work: Path) -> dict[str, str]:
    """The judge evalplus reads its problems from plain files named in its environment."""
    found = {}
    for key, name in (
        ("HUMANEVAL_OVERRIDE_PATH", "humaneval/HumanEvalPlus.jsonl.gz"),
        ("MBPP_OVERRIDE_PATH", "mbpp/MbppPlus.jsonl.gz"),
    ):
        plain = work / Path(name).name.removesuffix(".gz")
        plain.write_bytes(gzip.decompress((folder / name).read_bytes()))
        found[key] = str(plain)
    return found


def run_isolated(judge: Judge, script: str, arguments: Sequence[str], core: int | None = None) -> None:
    """Run one of our scripts with the judge's interpreter, in bubblewrap without network, on `core` if given.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    work = str(judge.work)
    isolated = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--bind", work, work]
    isolated += ["--unshare-all", "--die-with-parent", "--chdir", work]
    environment = os.environ | prepare_data(judge.folder, judge.work)
    environment |= {"TMPDIR": work, "XDG_CACHE_HOME": str(judge.work / "cache"), "HOME": work}
    subprocess.run(
        [*_place(judge, core), *isolated, judge.python, str(_FOLDER / script), *arguments],
        env=environment,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def _place(judge: Judge, core: int | None) -> list[str]:
    ahead = ["setsid", "--wait", "sh", "-c", _AHEAD, "ahead"] if judge.ahead else []
    return ahead if core is None else [*ahead, "taskset", "--cpu-list", str(core)]


@contextmanager
def busy_core(judge: Judge, count: int) -> Iterator[int | None]:
    """A core on which `count` processes compute until the block ends, with the judge's rank; None for 0."""
    if not count:
        yield None
        return
    core = min(os.sched_getaffinity(0))
    compute = f"import os\nwhile os.getppid() == {os.getpid()}: pass"  # so none outlives us, however we end
    command = [*_place(judge, core), sys.executable, "-c", compute]
    started = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield core
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


def read_once(
    judge: Judge, questions: Mapping[str, dict[str, Any]], reading: Reading
) -> dict[str, dict[str, Any]]:
    """Case -> {"passed": verdicts, "load": load average} in `reading`; what is kept is not asked again."""
    known = _read_kept(judge, reading)
    wanted = [question for case, question in questions.items() if case not in known]
    if wanted:
        print(f"{judge.name}, reading {reading.name!r}: {len(wanted)} programs", file=sys.stderr)
        cases, out = judge.work / f"{judge.name}.cases.jsonl", judge.work / f"{judge.name}.out.jsonl"
        cases.write_text("".join(json.dumps(question) + "\n" for question in wanted), "utf-8")
        out.unlink(missing_ok=True)
        limit = "" if reading.limit_s is None else str(reading.limit_s)
        arguments = [judge.name, str(cases), str(out), judge.checkout, limit]
        try:
            with busy_core(judge, reading.busy) as core:
                run_isolated(judge, "official.py", arguments, core)
        finally:
            _keep(judge, out, reading)
        known = _read_kept(judge, reading)
    return {case: known[case] for case in questions}


def _read_kept(judge: Judge, reading: Reading) -> dict[str, dict[str, Any]]:
    rows = read_lines(judge.answers) if judge.answers.exists() else ()
    return {row["case"]: row for row in rows if row["reading"] == reading.name}


def _keep(judge: Judge, out: Path, reading: Reading) -> None:
    if not out.exists():
        return
    with judge.answers.open("a", encoding="utf-8") as stream:
        for line in out.read_text("utf-8").splitlines(keepends=True):
            if line.endswith("\n"):  # the last one may be cut
                stream.write(json.dumps({"reading": reading.name, **json.loads(line)}) + "\n")


def read_all(
    judge: Judge, questions: Mapping[str, dict[str, Any]], readings: Sequence[Reading]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Case -> reading -> its row.

    A program that passes within the default limit in every reading passes within a longer one, so that one is
    asked about the others only.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {case: {} for case in questions}
    for reading in sorted(readings, key=lambda reading: reading.limit_s is not None):
        wanted = questions
        if reading.limit_s is not None:
            passed = {
                case
                for case, rows in found.items()
                if rows and all(all(row["passed"]) for row in rows.values())
            }
            wanted = {case: question for case, question in questions.items() if case not in passed}
            for case in passed:
                found[case][reading.name] = next(iter(found[case].values()))
        for case, row in read_once(judge, wanted, reading).items():
            found[case][reading.name] = row
    return found


def write_expected(judge: Judge) -> Path:
    """The file of evalplus's inputs and expected outputs, made where it is missing.

    It comes before any reading: evalplus keeps its expected outputs at first use, and compares with those
    kept from then on.
    """
    out = judge.work / f"{judge.name}.expected.jsonl"
    if not out.exists():
        print(f"{judge.name}: inputs and expected outputs", file=sys.stderr)
        part = out.with_suffix(".part")
        run_isolated(judge, "official_inputs.py", [judge.name, str(part)])
        part.rename(out)
    return out
