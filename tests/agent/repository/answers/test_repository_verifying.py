"""What the answers of the process that runs a repository mean, with a runner that answers from a script."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from sstar_code.agent.repository.find.places import Place
from sstar_code.agent.repository.find.project_files import parse_source
from sstar_code.agent.repository.find.stubs import all_functions, find_function
from sstar_code.agent.repository.task.call import find_target
from sstar_code.agent.repository.task.checks import Checks, TestFunction, explain_lack, find_checks, survey
from sstar_code.agent.repository.task.checks import Survey as Seen
from sstar_code.agent.repository.task.problem import make_task
from sstar_code.agent.repository.verify.candidate_sandbox import CandidateSandbox, NotingSandbox
from sstar_code.agent.repository.verify.failing import find_failing_examples, find_failing_tests
from sstar_code.agent.repository.verify.pytest_run import TestRun, explain_start
from sstar_code.agent.repository.write.changes import make_diff, write_changes
from sstar_code.agent.repository.write.emit_tests import render_tests
from sstar_code.problems import UserError
from sstar_code.problems.values import encode, encode_lines
from sstar_code.sandbox import Failure, Limits, Mode, Program, Status
from sstar_code.sandbox.fake import FakeSandbox
from sstar_code.sandbox.repository import RepositoryLostError
from sstar_code.selection.protocols import Derived

pytestmark = pytest.mark.anyio

MODULE = '''def f(x: int) -> int:
    """Add one.

    >>> f(1)
    2
    >>> y = f(2); y
    3
    """
    ...

def g(x): ...
'''
BODY = "def f(x):\n    y = x + 1\n    return y"
TEST = TestFunction(
    "t.py", "test_f", ("t.py::test_f[1]", "t.py::test_f[2]"), "def test_f(x):\n    assert f(x)", 5
)


class Runner:
    """Answers in turn; what was asked is kept."""

    python = "python3"
    texts = {}  # noqa: RUF012 - nobody adds to it

    def __init__(self, root, *answers):
        self.root = root
        self.asked = []
        self._answers = list(answers)

    async def _next(self, *asked):
        await anyio.lowlevel.checkpoint()
        self.asked.append(asked)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def ask(self, texts, request, total_s, base):
        return await self._next(texts, request, total_s, base)

    async def run_examples(self, texts, place, examples):
        return await self._next(texts, place, list(examples))

    async def run_tests(self, texts, select):
        return await self._next(texts, select)


@pytest.fixture
def root(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "a.py").write_text(MODULE)
    (tmp_path / "t.py").write_text("import a\n\n\n\ndef test_f(x):\n    assert a.f(x)\n")
    return tmp_path


@pytest.fixture
def verify(root):
    """Answers -> a sandbox of candidates for `f`, its task and its runner."""

    def make(*answers, checks=None, name="f"):
        stub = find_function(parse_source(root / "a.py", MODULE.encode()), name)
        task = make_task(stub, checks or find_checks(stub, Seen({}), root), root, "s")
        runner = Runner(root, *answers)
        sandbox = CandidateSandbox(runner, fallback=FakeSandbox(lambda *_: "other", name="local", workers=3))
        sandbox.add(task)
        return NotingSandbox(sandbox, sandbox), task, runner

    return make


def call(task, code=BODY):
    return Program(code, Mode.CALL, "f", task.mark)


def answer_of(parameter, status, **more):
    return {"test": f"t.py::test_f[{parameter}]", "status": status, **more}


def run_tests(told, *, has_pytest=True, is_over=False, fault=""):
    return TestRun(tuple(told), has_pytest, is_over, fault)


async def test_other_programs_run_elsewhere(verify):
    """What no task is known for is none of the repository's."""
    sandbox, task, runner = verify()
    assert (sandbox.name, sandbox.workers) == ("local", 3)
    async with sandbox as entered:
        assert entered is sandbox
        (run,) = await sandbox.run(Program("print(1)"), [""], Limits())
    assert (run.stdout, runner.asked) == ("other", [])
    runs = await sandbox.run(call(task, "def g(x): return x"), ["1", "2"], Limits())
    assert [run.status for run in runs] == [Status.CE] * 2
    assert runs[0].failure == Failure("CannotBeUsed", "it does not define f")


async def test_a_call_is_answered_for_each_input(verify, root):
    """Results, failures with their line, memory beyond the limit; what the examples show counts as plain."""
    answers = [
        {"status": "OK", "result": "2", "stdout": "said", "cpu_s": 0.5, "wall_s": 0.75, "memory_mb": 64},
        {"status": "OK", "stdout": "said", "memory_mb": 65},
        {
            "status": "RE",
            "failure": ["ValueError", "no"],
            "places": [
                [str(root / "a.py"), 9],
                [str(root / "a.py"), 10],
                ["x.py", 9],
                [str(root / "a.py"), 99],
            ],
            "reached": ["other::g", "another::h"],
        },
        {"status": "TLE", "limit": "cpu"},
        {"status": "RE", "failure": ["X", "y" * 600]},
    ]
    sandbox, task, runner = verify(answers)
    inputs = ["1", "3", "4", "5", "6"]
    runs = await sandbox.run(call(task), inputs, Limits(cpu_s=2.0, wall_s=4.0, memory_mb=64))
    assert [run.status for run in runs] == [Status.OK, Status.MLE, Status.RE, Status.TLE, Status.RE]
    first, second, third, fourth, fifth = runs
    assert (first.result, first.stdout, first.cpu_s, first.wall_s, first.memory_mb) == (
        "2",
        "",
        0.5,
        0.75,
        64.0,
    )
    assert (second.stdout, second.failure) == ("said", None)
    assert third.failure == Failure("ValueError", "no (in line `return y`); it calls g, h, still open")
    assert (fourth.limit, fourth.failure) == ("cpu", None)
    assert len(fifth.failure.message) == 500
    assert task.reached == {"other::g", "another::h"}
    assert task.blocked == set()
    ((texts, request, total_s, base),) = runner.asked
    assert b"return y" in texts[root / "a.py"]
    assert (request["do"], request["inputs"], total_s, base) == ("call", inputs, 20.0, root)
    assert request["plain"] == [True, False, False, False, False]


async def test_nothing_comes_after_a_failure_where_that_ends_it(verify):
    """The failure is the last."""
    answers = [{"status": "OK", "result": "1"}, {"status": "RE"}, {"status": "OK", "result": "1"}]
    for stops, count in ((True, 2), (False, 3)):
        sandbox, task, _ = verify(list(answers))
        runs = await sandbox.run(call(task), ["1", "2", "3"], Limits(), stop_on_failure=stops)
        assert len(runs) == count
    sandbox, task, _ = verify([answers[0]])
    assert len(await sandbox.run(call(task), ["1"], Limits(), stop_on_failure=True)) == 1


async def test_a_candidate_that_ends_the_process_fails(verify):
    """On every input, with the reason."""
    sandbox, task, _ = verify(RepositoryLostError("killed"))
    runs = await sandbox.run(call(task), ["1", "2"], Limits())
    assert [run.failure for run in runs] == [
        Failure("RepositoryLost", "it ended the process that runs it: killed")
    ] * 2


async def test_examples_are_judged_outside(verify):
    """They pass, fail with what was expected, or did not come to their end."""
    outcomes = [["2\n", ""], ["3\n", ""]]
    for answer, status, words in (
        ({"status": "OK", "outcomes": outcomes}, Status.OK, None),
        ({"status": "OK", "outcomes": [["2\n", ""], ["4\n", ""]], "cpu_s": 0.5}, Status.RE, "AssertionError"),
        ({"status": "OK", "outcomes": None}, Status.RE, "NotRun"),
        ({"status": "RE", "failure": ["E", "m"], "reached": ["o::g"]}, Status.RE, "AssertionError"),
    ):
        sandbox, task, _ = verify([answer])
        (group,) = task.checks.groups
        program = Program(BODY, Mode.ASSERT, "f", task.mark)
        good, unknown = await sandbox.run(program, [group.text, "nothing"], Limits())
        assert good.status is status
        assert (good.failure and good.failure.type) in (words, "E", "NotRun")
        assert unknown.failure == Failure("NoSuchTest", "the repository has no such test")
        assert task.blocked == ({group.text} if "reached" in answer else set())


@pytest.mark.parametrize(
    ("results", "is_over", "status", "failure"),
    [
        ([answer_of(1, "OK"), answer_of(2, "OK")], False, Status.OK, None),
        (
            [answer_of(1, "OK"), answer_of(2, "RE", failure=["E", "m"], line=6)],
            False,
            Status.RE,
            Failure("E", "m"),
        ),
        (
            [answer_of(1, "OK")],
            False,
            Status.RE,
            Failure("NotRun", "the test process ended before this test"),
        ),
        ([], True, Status.TLE, None),
    ],
)  # fmt: skip
async def test_a_test_passes_with_every_set_of_parameters(verify, results, is_over, status, failure):
    """The first that does not pass is told, with the line of the test as it is shown."""
    sandbox, task, runner = verify(run_tests(results, is_over=is_over), checks=Checks(tests=(TEST,)))
    (run,) = await sandbox.run(Program(BODY, Mode.ASSERT, "f", task.mark), [TEST.text], Limits())
    assert (run.status, run.failure) == (status, failure)
    assert run.stderr == ('File "test.py", line 3' if failure == Failure("E", "m") else "")
    assert run.limit == ("wall" if is_over else None)
    assert runner.asked[0][1] == ["t.py::test_f[1]", "t.py::test_f[2]"]


async def test_what_takes_objects_is_not_called(root):
    """It says so on every input."""
    source = parse_source(root / "a.py", b"def f(x: Path) -> int: ...\n")
    task = make_task(find_function(source, "f"), Checks(), root, "s")
    sandbox = CandidateSandbox(Runner(root), fallback=FakeSandbox({}))
    sandbox.add(task)
    runs = await sandbox.run(
        Program("def f(x):\n    return 1", Mode.CALL, "f", task.mark), ["1", "2"], Limits()
    )
    assert [run.failure.type for run in runs] == ["CannotBeCalled"] * 2


async def test_tests_that_reach_a_function_are_found(root):
    """With what could not be used: three notes of broken files at most, and no pytest at all."""
    stubs = list(all_functions(parse_source(root / "a.py", MODULE.encode())))
    results = [
        {"status": "RE", "file": "t.py", "test": "t.py::test_f", "reached": [stubs[0].label]},
        {"status": "RE", "file": "t.py", "test": "t.py::test_g", "reached": [stubs[0].label, stubs[1].label]},
        *({"status": "CE", "test": f"b{number}.py", "failure": ["E", "broken"]} for number in range(4)),
    ]
    seen = await survey(stubs, Runner(root, run_tests(results, is_over=True)), ["t.py"])
    assert seen.reached == {
        stubs[0].label: (("t.py", "t.py::test_f"), ("t.py", "t.py::test_g")),
        stubs[1].label: (("t.py", "t.py::test_g"),),
    }
    assert seen.notes == (
        "the tests took more than 600 s; those that came to an end count",
        *(f"b{number}.py cannot be collected: broken" for number in range(3)),
    )
    none = await survey(stubs, Runner(root, run_tests([], has_pytest=False)), ["t.py"])
    assert none.notes == ("python3 has no pytest: no test is run",)
    none = await survey(stubs, Runner(root, run_tests([], fault="no such option")), ["t.py"])
    assert (none.notes, none.fault) == (("pytest does not start: no such option",), "no such option")
    assert "pytest does not start (no such option); mend that" in explain_lack(stubs[0], none, root)


@pytest.mark.parametrize(
    ("log", "status", "fault"),
    [
        (
            "ERROR: usage: x [options]\nx: error: unrecognized arguments: --snapshot-update\n  rootdir: /r\n",
            4,
            "unrecognized arguments: --snapshot-update",
        ),
        ("ImportError while loading conftest\nc.py:1: in x\nE   ValueError: no\n", 4, "ValueError: no"),
        ("a\nERROR: Missing required plugins: x\n\n", 4, "Missing required plugins: x"),
        (
            "Traceback\nImportError: Error importing plugin: no\n",
            1,
            "ImportError: Error importing plugin: no",
        ),
        ("INTERNALERROR> Traceback\nINTERNALERROR> KeyError: 1\n", 3, "KeyError: 1"),
        ("E   " + "x" * 400, 4, "x" * 300),
        ("last\n", 3, "last"),
        ("", -9, "exit status -9"),
        ("no tests ran\n", 5, ""),
    ],
)
async def test_a_pytest_that_does_not_start_says_why(log, status, fault):
    """In its own words, without the lines around them; one that found no tests did start."""
    assert explain_start(log, status) == fault


async def test_a_test_that_fails_too_early_is_named(root):
    """Where nothing else verifies a function, the test that names it is told with its error."""
    (root / "t.py").write_text("import a\n\n\ndef test_f():\n    open('x', 'w')\n    a.f(1)\n")
    stub = find_function(parse_source(root / "a.py", MODULE.encode()), "f")
    early = {"status": "RE", "outcome": "failed", "file": "t.py", "failure": ["OSError", "read-only\n x"]}
    seen = await survey([stub], Runner(root, run_tests([{**early, "test": "t.py::test_f"}])), ["t.py"])
    told = "t.py::test_f, which names it, fails before it calls it: OSError read-only x"
    assert explain_lack(stub, seen, root) == told
    other = find_function(parse_source(root / "a.py", MODULE.encode()), "g")
    for fact in ("../t.py", "gone.py", ".env.py"):
        seen = await survey([stub], Runner(root, run_tests([{**early, "file": fact, "test": "x"}])), ["t.py"])
        assert explain_lack(stub, seen, root).endswith("so nothing could verify it; add one")
    assert explain_lack(other, seen, root).endswith("so nothing could verify it; add one")


async def test_files_that_mention_a_function_are_run(root):
    """Those that name it come before those that name what uses it, up to three steps away."""
    steps = "".join(f"def u{n + 1}(): return u{n}()\n" for n in range(1, 5))
    (root / "b.py").write_text(f"from a import g\ndef u1(): return g()\n{steps}")
    for name, text in {"near": "u1()", "far": "u3()", "further": "u4()", "own": "g()", "none": "h()"}.items():
        (root / f"test_{name}.py").write_text(text)
    (root / "conftest.py").write_text("g()")
    stub = find_function(parse_source(root / "a.py", MODULE.encode()), "g")
    runner = Runner(root, run_tests([]))
    await survey([stub], runner, [])
    assert runner.asked == [({}, ["test_own.py", "test_far.py", "test_near.py"])]
    other = find_function(parse_source(root / "a.py", b"def nobody(): ...\n"), "nobody")
    assert await survey([other], Runner(root), []) == Seen({})


def test_checks_are_counted_in_words():
    """One is no plural; nothing is said as such."""
    assert Checks().summary == "nothing yet"
    assert Checks(tests=(TEST,)).summary == "2 tests"
    one = TestFunction("t.py", "test_g", ("t.py::test_g",))
    assert Checks(tests=(one,)).summary == "1 test"
    both = Checks(tests=(one, TEST))
    assert (both.count, both.without({one.text}).tests, one.first_line) == (2, (TEST,), 1)


async def test_examples_of_closed_functions_are_run(root):
    """Each that does not hold, or cannot be run, is a finding in one line."""
    text = 'def f(x):\n    """\n    >>> f(1)\n    2\n    """\n    return x\n\n\n'
    (root / "c.py").write_text(text + text.replace("f(", "g(") + "def h(): ...\n")
    runner = Runner(
        root, [{"status": "OK", "outcomes": [["1\n", ""]]}, {"status": "RE", "failure": ["E", "no\n way"]}]
    )
    files = [(root / "c.py", ""), (root / "t.pyi", ""), (root / "test_c.py", "")]
    first, second = await find_failing_examples(files, runner)
    assert (first.rule, first.outcome, first.line, first.qualname) == ("failing-example", "failure", 1, "f")
    assert "\n" not in first.message
    assert second.message == "its examples cannot be run: E no way"
    (one,) = await find_failing_examples([(root / "c.py", "g")], Runner(root, [{"status": "TLE"}]))
    assert one.message == "its examples cannot be run: TLE"


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (run_tests([], has_pytest=False), "python3 has no pytest, so no test is run"),
        (run_tests([], fault="no such option: -x"), "pytest does not start: no such option: -x; mend"),
    ],
)
async def test_tests_that_cannot_be_run_do_not_pass(root, run, said):
    """Nothing that fails is not the same as nothing that was run."""
    with pytest.raises(UserError, match=said):
        await find_failing_tests(["t.py"], Runner(root, run))


async def test_named_tests_that_fail_are_told(root):
    """Skipped ones and those expected to fail are left out; the line is the failure's, else the test's."""
    results = [
        {"test": "t.py::a", "status": "OK"},
        {"test": "t.py::b", "status": "RE", "outcome": "skipped"},
        {"test": "t.py::c", "status": "RE", "outcome": "xfailed"},
        {
            "test": "t.py::d",
            "status": "RE",
            "failure": ["E", "m\n n"],
            "file": "t.py",
            "line": 7,
            "starts": 3,
        },
        {"test": "t.py::e", "status": "TLE", "starts": 3},
        {"test": "t.py", "status": "CE"},
    ]
    found = await find_failing_tests(["t.py"], Runner(root, run_tests(results)))
    assert [(item.path, item.line, item.qualname, item.message) for item in found] == [
        ("t.py", 7, "d", "E m n"),
        ("t.py", 3, "e", "TLE"),
        ("t.py", 1, "t.py", "CE"),
    ]


TARGETS = '''
class A:
    def __init__(self, a: int, b: str = "", *, c=1): ...
    def m(self, a: int, *, k: "list[int]", d=1) -> "int": """OddError and an Errors."""
    async def later(self): ...
    @classmethod
    def made(cls, x) -> A: ...
    @property
    def p(self): ...
    @p.setter
    def p(self, v: float): ...
    def __len__(self): ...
class B:
    def __init__(self, *, need): ...
    def m(self): ...
@dataclass
class C:
    x: int
    y: ClassVar[int]
    z: int = 0
    def m(self, x): ...
class D(object):
    def m(self): ...
class E(metaclass=M):
    def m(self): ...
def star(*a): ...
def both(a, *b): ...
def odd(a: "int ("): ...
def called(a: Callable[[int], int]): ...
def positional(a, /, b): ...
'''


@pytest.mark.parametrize(
    ("qualname", "signature", "constructor", "keywords"),
    [
        ("A.m", "def A_m(a: int, a2: int, k: 'list[int]') -> 'int':", 1, ("k",)),
        ("A.made", "def A_made(x) -> A:", None, ()),
        ("A.p", "def A_p(a: int):", 1, ()),
        ("C.m", "def C_m(x: int, x2):", 1, ()),
        ("D.m", "def D_m():", 0, ()),
        ("both", "def both(a):", None, ()),
        ("positional", "def positional(a, b):", None, ()),
        ("A.__len__", None, None, ()),
        ("B.m", None, None, ()),
        ("E.m", None, None, ()),
        ("star", None, None, ()),
        ("odd", None, None, ()),
        ("called", None, None, ()),
    ],
)
def test_how_a_function_is_called_with_plain_values(qualname, signature, constructor, keywords):
    """The arguments that make the object come first; what cannot be made of plain values is not called."""
    stub = find_function(parse_source(Path("/r/a.py"), TARGETS.encode()), qualname)
    target = find_target(
        stub, Place("a", Path("/r")), "ValueError, a Warning, OddError or FooExit; ValueErrors"
    )
    if signature is None:
        assert target is None
        return
    assert (target.signature, target.constructor, target.keywords) == (signature, constructor, keywords)
    assert target.raises == ("FooExit", "OddError", "ValueError")
    assert target.as_json()["path"] == qualname.split(".")
    assert bool(target.explanation) == ("." in qualname)


def test_tests_are_written_for_what_one_expression_gives():
    """Yielded values and properties too; not what is awaited, set, opaque or changes its arguments."""
    source = parse_source(Path("/r/a.py"), TARGETS.encode())

    def kept(qualname, arguments, output, module="a"):
        target = find_target(find_function(source, qualname), Place(module, Path("/r")), "")
        return target, [Derived(encode_lines(arguments), encode(output), 1.0, "x")]

    found = [
        kept("positional", [1, 2], {"yields": [1, 2]}),
        kept("positional", [1, 2], {"returned": 1, "changed": [2]}),
        kept("A.m", [1, 2, [3]], 4),
        kept("A.later", [1], 4),
        kept("A.made", [1], 4),
        kept("D.m", [], {"raised": "ValueError"}),
        kept("A.made", [1], 5, "b"),
    ]
    text, count = render_tests(found)
    assert count == 5
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    assert lines == [
        "assert list(positional(1, 2)) == [1, 2]",
        "assert a.A(1).m(2, k=[3]) == 4",
        "assert a.A.made(1) == 4",
        "with pytest.raises(ValueError):",
        "D().m()",
        "assert b.A.made(1) == 5",
    ]
    assert {line for line in text.splitlines() if "import" in line} == {
        "import a",
        "import b",
        "import pytest",
        "from a import D",
        "from a import positional",
    }
    assert render_tests([]) == ("", 0)


@pytest.mark.parametrize(
    ("before", "after", "diff"),
    [
        (b"a\nb\nc\nd\ne\nf\n", "a\nb\nc\nd\ne\ng\n", "@@ -3,4 +3,4 @@\n c\n d\n e\n-f\n+g\n"),
        (b"a", "b", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n"),
        ("\ufeffa\n".encode(), "b\n", "@@ -1 +1 @@\n-\ufeffa\n+\ufeffb\n"),
        (b"a\rb\n", "a\rc\n", "@@ -1 +1 @@\n-a\rb\n+a\rc\n"),
        (b"a\n", "a\n", ""),
    ],
)
def test_a_diff_is_what_git_takes(before, after, diff):
    """Three lines around, missing line ends and marks of the encoding told."""
    source = parse_source(Path("/r/a.py"), before)
    head = "--- a/a.py\n+++ b/a.py\n" if diff else ""
    assert make_diff(source, source.with_text(after), Path("/r")).decode() == head + diff


def test_a_file_that_is_gone_is_told(root):
    """It was there when it was read."""
    source = parse_source(root / "gone.py", b"a\n")
    with pytest.raises(UserError, match=r"gone\.py: changed while it was being worked on; it is left alone"):
        write_changes(source, source.with_text("b\n"), root)
