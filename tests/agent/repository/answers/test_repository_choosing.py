"""Candidates that pass: equal changes are one, what passed goes on passing, and pairs are compared."""

from __future__ import annotations

from types import SimpleNamespace

import anyio
import pytest

from sstar_code.agent.repository.choose import choose_candidate
from sstar_code.agent.repository.find.project_files import parse_source, read_source
from sstar_code.agent.repository.find.stubs import find_function, find_stubs
from sstar_code.agent.repository.task.checks import Survey, find_checks
from sstar_code.agent.repository.task.problem import make_task
from sstar_code.agent.repository.verify.candidate_sandbox import CandidateSandbox, NotingSandbox
from sstar_code.agent.repository.verify.pytest_run import TestRun
from sstar_code.agent.repository.write.changes import normalise_change
from sstar_code.agent.solving.settings import Settings
from sstar_code.sandbox import Limits, Mode, Program, Status
from sstar_code.sandbox.fake import FakeSandbox
from sstar_code.sandbox.memo import MemoSandbox
from sstar_code.selection import Candidate, Question, Reply

MODULE = '''class Cart:
    def __init__(self, prices):
        self.prices = prices


def total(prices: list[int]) -> int:
    """The sum."""
    return 0 if not prices else max(prices)


def cheapest(cart: "Cart", cache: object) -> int:
    """The lowest price."""
    ...
'''
TESTS = """from shop import Cart, cheapest, total


def test_named():
    assert total([1, 2]) == 3


def test_empty():
    assert total([]) == 0


def test_one():
    assert total([5]) == 5


def test_wrong_anyhow():
    assert total([1]) == 7


def test_cheapest():
    assert cheapest(Cart([2, 1]), None) == 1
"""
RIGHT = "def total(prices):\n    return sum(prices)\n"
BREAKS = "def total(prices):\n    return prices[0] + sum(prices[1:])\n"
MIN = "def cheapest(cart, cache):\n    return min(cart.prices)\n"
SORTED = "def cheapest(cart, cache):\n    return sorted(cart.prices)[0]\n"
POP = "def cheapest(cart, cache):\n    return cart.prices.pop()\n"
LAST = "def cheapest(cart, cache):\n    return cart.prices[-1]\n"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    root = tmp_path / "repo"
    (root / ".git").mkdir(parents=True)
    (root / "shop.py").write_text(MODULE)
    (root / "test_shop.py").write_text(TESTS)
    monkeypatch.chdir(root)
    return root


def test_changes_are_equal_but_for_what_does_nothing():
    """Comments, format, and what does not travel into the file make no other change; code and names do."""
    stub = find_function(parse_source("shop.py", MODULE.encode()), "total")
    same = (
        RIGHT,
        "def total(prices: list) -> float:\n    '''Sums.'''\n    # all of them\n    return (sum(\n  prices))",
        "import os\n\n" + RIGHT + "\nprint(total([1]))\n",
    )
    others = (
        BREAKS,
        RIGHT.replace("sum(prices)", "sum(prices, 0)"),
        "def total(p):\n    return sum(p)\n",
        "no",
    )
    assert len({normalise_change(stub, code) for code in same}) == 1
    assert len({normalise_change(stub, code) for code in (*same, *others)}) == 1 + len(others)


def fix_total(fix, sandbox, *words):
    """Four candidates, two of them alike, for the function that is wrong; one test proves them."""
    alike = RIGHT.replace("    return", "    # all\n    return")
    answers = {"total": [BREAKS, BREAKS, RIGHT, alike, BREAKS]}
    return fix(answers, "--n", "5", "--sandbox", sandbox, "--tests", "test_shop.py::test_named", *words)


@pytest.mark.parametrize("sandbox", ["local", pytest.param("docker", marks=pytest.mark.docker)])
def test_what_passed_goes_on_passing(repository, fix, request, sandbox):
    """Candidates that break a test which nobody named are dropped, also where most do; equal ones are one.

    A test that fails before is not asked for, and with --no-regression the majority is taken as before.
    """
    request.getfixturevalue(f"sandbox_{sandbox}")
    ended = fix_total(fix, sandbox, "shop.py::total")
    assert ended.code == 0, ended.err
    assert "total: written: 2 of 5 candidates pass 1 test and 2 regression tests" in ended.out
    assert "+    return sum(prices)\n" in ended.out
    prompt = fix.models[0].requests[0].messages[-1].content
    assert "# test_shop.py::test_empty, which passes now and has to go on passing\n" in prompt
    assert "test_wrong_anyhow" not in prompt
    if sandbox == "local":
        free = fix_total(fix, sandbox, "--no-regression", "shop.py::total")
        assert (
            "written: 5 of 5 candidates pass 1 test, make 2 different changes and behave in 2 ways"
            in free.out
        )


def test_no_candidate_that_breaks_something_is_written(repository, fix, sandbox_local):
    """Where each breaks what passed, nothing is written, and the test is named."""
    words = ("--n", "1", "--sandbox", "local", "--tests", "test_shop.py::test_named", "shop.py::total")
    ended = fix({"total": [BREAKS]}, *words)
    assert ended.code == 1
    assert "passes 2 of 3 checks; it fails so:" in ended.out
    assert "IndexError" in ended.out


class CountingRunner:
    """Every test passes; versions that were run are kept."""

    python = "python3"

    def __init__(self, root):
        self.root, self.versions, self.texts = root, [], {}

    async def run_tests(self, texts, select):
        await anyio.lowlevel.checkpoint()
        self.versions.append(texts)
        return TestRun(
            tuple({"test": name, "status": "OK"} for name in select), has_pytest=True, is_over=False
        )


@pytest.fixture
def cheapest(repository):
    """The task of a function that takes objects, and a runner that counts."""
    (stub,) = [item for item in find_stubs(read_source(repository / "shop.py")) if item.name == "cheapest"]
    seen = Survey({stub.label: (("test_shop.py", "test_shop.py::test_cheapest"),)})
    task = make_task(stub, find_checks(stub, seen, repository), repository, "s")
    assert task.choosing is None
    return task, CountingRunner(repository)


@pytest.mark.anyio
async def test_equal_changes_run_once(cheapest):
    """Candidates that differ in comments run as one version, and both are told what it did."""
    task, runner = cheapest
    candidates = CandidateSandbox(runner, fallback=FakeSandbox({}))
    candidates.add(task)
    sandbox = NotingSandbox(MemoSandbox(candidates), candidates)
    for code in (MIN, MIN.replace(":\n", ":  # the least\n"), SORTED):
        program = Program(code, Mode.ASSERT, preamble=task.mark)
        (run,) = await sandbox.run(program, task.checks.texts, Limits())
        assert run.status is Status.OK
    assert len(runner.versions) == 2


class Judge:
    """Reads two programs and says which of `codes` comes first."""

    def __init__(self, *codes):
        self.codes, self.asked = codes, 0

    async def __call__(self, question, problem, ordinal, *, first, second):
        await anyio.lowlevel.checkpoint()
        assert (question, problem.id) == (Question.COMPARE, "shop.py::cheapest")
        self.asked += 1
        ranks = [next(n for n, code in enumerate(self.codes) if code in text) for text in (first, second)]
        return Reply(f"ANSWER: {1 if ranks[0] < ranks[1] else 2}", 10)


@pytest.mark.parametrize(
    ("codes", "questions", "chosen"),
    [
        ((LAST, SORTED, MIN), 6, MIN),
        ((LAST, LAST, SORTED, SORTED, MIN, POP), 6, MIN),
        ((LAST, MIN), 2, MIN),
        ((MIN, LAST, LAST, SORTED, LAST, LAST), 0, LAST),
        ((LAST,), 0, LAST),
    ],
)
@pytest.mark.anyio
async def test_changes_of_what_cannot_be_called_are_read_in_pairs(cheapest, codes, questions, chosen):
    """At most three changes in pairs, both ways round, each once; none where most samples make the same.

    No method asks for inputs, since none can be given.
    """
    task, _ = cheapest
    candidates = [Candidate(code, 1, 1) for code in codes] + [Candidate(POP, 0, 1)]
    judge = Judge("min(cart.prices)", "sorted(cart", "cart.prices[-1]", "pop()")
    context = SimpleNamespace(settings=Settings(), sandbox=FakeSandbox({}), ask=judge)
    selection = await choose_candidate(task, candidates, context)
    assert (candidates[selection.chosen].code, judge.asked) == (chosen, questions)
    assert bool(selection.notes and "read in pairs" in selection.notes[0]) == bool(questions)
    for method in ("majority", "sstar", "codet"):
        context.settings = Settings(select=method)
        await choose_candidate(task, candidates, context)
    assert judge.asked == questions


@pytest.mark.usefixtures("sandbox_local", "repository")
def test_how_a_change_was_chosen_is_said(fix):
    """The command tells that changes were read, and says nothing of behaviours, which it has not seen."""
    words = ("--n", "2", "--sandbox", "local", "--tests", "test_shop.py::test_cheapest")
    ended = fix({"cheapest": [LAST, MIN]}, *words, "shop.py::cheapest", judge=lambda _: "ANSWER: neither")
    assert ended.code == 0, ended.err
    assert "so 2 changes were read in pairs by the model (2 calls)" in ended.out
    assert "behave in" not in ended.out
