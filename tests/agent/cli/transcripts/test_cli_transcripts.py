"""What commands print and write, whole, on five small problems with a scripted model and sandbox.

After an intended change write them anew and read the diff:

    SSTAR_WRITE_EXPECTED=1 python -m pytest tests/agent/cli/transcripts/test_cli_transcripts.py
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import re
import sys
from pathlib import Path

import pytest

from sstar_code.agent.models import Answer, Usage
from sstar_code.agent.models.request import CallError
from sstar_code.agent.testing.scripted import ScriptedModel
from sstar_code.problems.values import decode_lines, encode
from sstar_code.sandbox import Execution, Failure, Mode, Status
from sstar_code.sandbox.fake import FakeSandbox
from tests.support.connected import Connected

EXPECTED = Path(__file__).with_name("transcripts.json")
WRITES = bool(os.environ.get("SSTAR_WRITE_EXPECTED"))  # read here: a fixture takes such variables away
PROBLEMS = [
    {
        "id": "set/double",
        "statement": "Read an integer and print twice its value.",
        "kind": "stdin",
        "public_tests": [{"input": "2\n", "output": "4"}],
        "hidden_tests": [{"input": "5\n", "output": "10"}, {"input": "0\n", "output": "0"}],
        "metadata": {"difficulty": "easy", "date": "2025-01-02"},
    },
    {
        "id": "set/most",
        "statement": "The largest of the numbers. 1 <= a.length <= 5",
        "kind": "function",
        "entry_point": "f",
        "starter_code": "def f(a: list[int]) -> int:\n",
        "public_tests": [{"input": "[1, 3, 2]", "output": "3"}, {"input": "[4]", "output": "4"}],
        "hidden_tests": [{"input": "[-5, -7]", "output": "-5"}],
        "metadata": {"difficulty": "hard"},
    },
    {
        "id": "set/open",
        "statement": "Print [anything].",
        "kind": "stdin",
        "public_tests": [{"input": "1\n", "output": "1"}],
    },
    {
        "id": "set/never",
        "statement": "Print the answer.",
        "kind": "stdin",
        "public_tests": [{"input": "1\n", "output": "42"}],
        "hidden_tests": [{"input": "2\n", "output": "42"}],
    },
]
RIGHT = {
    "set/double": "print(int(input()) * 2)",
    "set/most": "def f(a):\n    return max(a)",
    "set/open": "print(input())",
    "set/never": "print(41)",
}
WRONG = {
    "set/double": "print(int(input()) ** 2)",
    "set/most": "def f(a):\n    return max(0, *a)",
    "set/open": "print(1 if input() == '1' else '[b]1[/b]')",
    "set/never": "print(int(input()) / 0)",
}
SLOW = "import time\nwhile True: time.sleep(1)"


@functools.cache
def translate(source):
    return compile(source, "solution.py", "exec")


def run_here(program, text):
    """The program in this process; one that sleeps takes too long."""
    if "sleep" in program.code:
        return Execution(Status.TLE, cpu_s=2.0, wall_s=2.5, limit="cpu")
    if "lost" in program.code:
        return Execution(Status.IE, failure=Failure("SandboxError", "lost"))
    space, out = {"__name__": "__main__"}, io.StringIO()
    try:
        code = translate(program.preamble + "\n" + program.code)
    except SyntaxError as error:
        return Execution(Status.CE, failure=Failure("SyntaxError", error.msg))
    stdin, sys.stdin = sys.stdin, io.StringIO(text)
    try:
        with contextlib.redirect_stdout(out):
            exec(code, space)
            if program.mode is Mode.CALL:
                value = encode(space[program.entry_point](*decode_lines(text)))
                return Execution(Status.OK, result=value, cpu_s=0.01, wall_s=0.02, memory_mb=9.04)
    except Exception as error:  # noqa: BLE001 - whatever the program raises is its failure
        return Execution(Status.RE, failure=Failure(type(error).__name__, str(error)), cpu_s=0.01)
    finally:
        sys.stdin = stdin
    return Execution(Status.OK, stdout=out.getvalue(), cpu_s=0.01234, wall_s=0.02, memory_mb=9.04)


def answer(request):
    """First right, wrong, slow, nothing; repairs are right; a judge takes the first; the rest is refused."""
    purpose = request.purpose
    if purpose.stage == "generate":
        kinds = (WRONG[purpose.problem_id], RIGHT[purpose.problem_id], SLOW, "")
        code = kinds[purpose.sample % 4]
        if purpose.problem_id == "set/never" and purpose.sample == 1:
            return CallError("the server refused [this]")
        text = f"```python\n{code}\n```" if code else "I do not know."
        return Answer(text, usage=Usage(100, 10, 20, 5), seconds=1.5)
    if purpose.stage == "debug":
        return Answer(f"```python\n{RIGHT[purpose.problem_id]}\n```", usage=Usage(200, None, 30), seconds=2.0)
    return Answer("ANSWER: A", usage=Usage(50, 0, 5), seconds=0.5)


class KnownModel(Connected, ScriptedModel):
    """A scripted model where an endpoint is expected."""


@pytest.fixture
def run(monkeypatch, folder, sstar):
    """Call the command with the model and the sandbox; what it came to is kept by its words."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.setattr(
        "sstar_code.agent.jobs.session.make_asked", lambda *_: KnownModel(answer, name="tiny")
    )
    monkeypatch.setattr(
        "sstar_code.sandbox.choose.make_sandbox", lambda *_, **__: FakeSandbox(run_here, name="local")
    )
    (folder / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    monkeypatch.setattr("sstar_code.agent.telemetry.progress._PLAIN_EVERY_S", 1e6)  # of a slow machine
    kept = []

    def call(*words):
        ended = sstar(*words)
        shown = {"code": ended.code, "out": clean(ended.out, folder), "err": clean(ended.err, folder)}
        kept.append({"words": " ".join(words)} | {name: value for name, value in shown.items() if value})
        return ended

    call.kept = kept
    return call


def clean(text, folder):
    """Lines of `text` without what differs from day to day: folders, hashes, and the time it took."""
    text = text.replace(str(folder), "HERE")
    text = re.sub(r"\b(?=\d*[a-f])[0-9a-f]{8,64}\b", "HASH", text)
    text = re.sub(r"\d+\.\d{7,}", lambda match: f"{float(match[0]):.6f}", text)
    text = re.sub(r"\b\d:\d\d\b|(?<=, )\d+\.\d(?= s$)", "TIME", text, flags=re.MULTILINE)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.+Z]+|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "DATE", text)
    text = re.sub(r'("(?:seconds|started|finished)": )[^,}\n]+', r"\1TIME", text)
    return text.splitlines()


def check(name, found):
    recorded = json.loads(EXPECTED.read_text(encoding="utf-8")) if EXPECTED.exists() else {}
    if WRITES:
        recorded[name] = found
        EXPECTED.write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert found == recorded[name]


def read(folder, *names):
    return {name: clean((folder / name).read_text(encoding="utf-8"), folder) for name in names}


def test_an_evaluation_and_its_report(run, folder):
    """The table, the files of the run, the second start that does nothing, and the report in each form."""
    words = (
        "eval",
        "jsonl:set.jsonl",
        "-m",
        "tiny",
        "--n",
        "4",
        "--rounds",
        "1",
        "--out",
        "run",
        "--workers",
        "1",
    )
    run(*words)
    run(*words)
    run(*words, "--json")
    run(*words, "--select", "majority")
    for form in ("md", "json", "junit"):
        run("report", "run", "--format", form)
    run("report", "run", "--add-method", "majority", "--add-method", "first")
    run("report", "run", "--add-method", "nonsense")
    run("report", "run", "--format", "nonsense")
    run("report", "run", "run", "--page", "x.html")
    check("eval", [*run.kept, sorted(path.name for path in (folder / "run").iterdir())])
    check("files", read(folder, "run/summary.json"))


def test_strategies_compared(run, folder, monkeypatch):
    """The table, the second start that does nothing, and the report in each form."""
    monkeypatch.setattr("sstar_code.agent.run.history.starts.Starts.seconds", property(lambda _: 1.5))
    words = ("compare", "jsonl:set.jsonl", "-m", "tiny", "--n", "4", "--rounds", "1", "--out", "all")
    words += ("--tokens", "1e3,4e3", "--strategies", "sample,beam:width=2", "--max-in-flight", "1")
    run(*words)
    run(*words, "--json")
    run("report", "all", "--format", "md")
    run("report", "all", "--format", "csv")
    run(*words, "--tokens", "none")
    check("compare", [*run.kept, sorted(path.name for path in (folder / "all").iterdir())])


def test_one_problem(run, folder):
    """Solved and not, with reasons, as JSON, and with tests written."""
    for name, *more in (
        ("double",),
        ("most", "--json"),
        ("never",),
        ("open", "--emit-tests", "test_open.py"),
        ("open", "--emit-tests", "test_open.py"),
    ):
        words = ("-m", "tiny", "--n", "4", "--rounds", "1", "--out", f"runs/{name}")
        run("solve", f"jsonl:set.jsonl#set/{name}", *words, *more)
    run("solve", "jsonl:set.jsonl#nothing", "-m", "tiny")
    row = {"id": "set/open", "statement": "s", "kind": "stdin"}
    row["public_tests"] = [{"input": "x" * 40, "output": "y" * count} for count in (57, 58, 59, 60, 61, 99)]
    (folder / "long.jsonl").write_text(json.dumps(row))
    run("solve", "jsonl:long.jsonl#set/open", "-m", "tiny", "--n", "2", "--rounds", "0", "--out", "runs/long")
    run("solve", "jsonl:long.jsonl#set/open", "-m", "tiny", "--max-in-flight", "0")
    run("solve", "jsonl:set.jsonl#set/open")
    check("solve", run.kept)


def test_samples_of_others(run, folder):
    """Graded, chosen among with evidence, and merged."""
    rows = [
        {"task_id": said, "solution": code}
        for said, name in (("set/double", "set/double"), ("most", "set/most"), ("set_open", "set/open"))
        for code in (WRONG[name], RIGHT[name], "print(")
    ]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run("grade", "jsonl:set.jsonl", "samples.jsonl", "--out", "graded")
    run("grade", "jsonl:set.jsonl", "samples.jsonl", "--out", "graded-json", "--json", "--all-tests")
    (folder / "lost.jsonl").write_text('{"task_id": "most", "solution": "lost"}')
    run("grade", "jsonl:set.jsonl", "lost.jsonl", "--out", "lost")
    run("select", "jsonl:set.jsonl", "samples.jsonl", "--no-model", "--out", "chosen")
    run("select", "jsonl:set.jsonl", "samples.jsonl", "--no-model", "--out", "chosen", "--explain", "open")
    run("select", "jsonl:set.jsonl", "samples.jsonl", "--no-model", "--out", "chosen-json", "--json")
    run("select", "jsonl:set.jsonl", "samples.jsonl", "--no-model", "--explain", "nothing")
    run("select", "jsonl:set.jsonl", "samples.jsonl", "--no-model", "--explain", "open", "--json")
    run("select", "jsonl:set.jsonl", "samples.jsonl", "-m", "tiny", "--method", "majority", "--out", "asked")
    check("samples", run.kept)
    check("rows", read(folder, "graded/verdicts.jsonl", "chosen/selections.jsonl", "chosen/derived.jsonl"))


def test_sets(run, folder):
    """What there is, the problems of one, what is wrong with one, and nothing chosen."""
    run("ls")
    run("ls", "jsonl:set.jsonl")
    run("ls", "jsonl:set.jsonl", "--filter", "kind=function", "--json")
    run("ls", "jsonl:set.jsonl", "--filter", "kind=nothing")
    run("ls", "jsonl:none.jsonl")
    run("ls", "nonsense")
    run("validate", "jsonl:set.jsonl")
    run("check")
    check("sets", run.kept)
