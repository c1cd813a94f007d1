"""Finds tests that programs which pass all of a problem's tests fail, without a model.

The idea is that of EvalPlus (arXiv 2305.01210): published tests are too few, and a right program makes more.
Its inputs are mutated ones that keep to contracts written by hand; here they are those of the search that
selection uses, made more thorough. On inputs like those that statement and examples show the references are
believed unless nearly all programs contradict them; elsewhere most programs have to agree with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from sstar_code.problems import Test
from sstar_code.sandbox.grade import run_tests
from sstar_code.sandbox.outcome import Status, Verdict, is_cut
from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.evidence.clustering import behaviour_of, compare_with, label
from sstar_code.selection.evidence.cpu_budget import CPU_S
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.search.explore import find_model_free_inputs
from sstar_code.selection.inputs.search.generated import find_generated_inputs
from sstar_code.selection.pool import Pool
from sstar_code.selection.protocols import Candidate

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.sandbox.grade import Report
    from sstar_code.sandbox.outcome import Execution, Sandbox

SEARCH_S = 5.0
"""CPU seconds of a problem's search on small inputs; one more is for large ones."""
_LEAST_SHARE, _LEAST_SHARE_TRUSTED, _LEAST_SHARE_BEYOND = 1 / 2, 1 / 5, 2 / 3
"""Share of the programs that pass which have to give the output that is believed: on inputs like those that
statement and examples show without references, there with them, and on other inputs in any case. A reference
that all others contradict was seen to be at fault itself (MBPP/743 turns a list by more than its length)."""
_LEAST_CLEAR = 1 / 2
"""Share of the inputs on which a program differs that have to have two answers and no third."""
_LEAST_PROGRAMS = 3
"""Different programs that have to agree where there is no reference."""
_RUNS = 200
"""Runs of programs for each test that is wanted."""
_MOST_CHARS = 8_192
"""Characters of the longest input or output that becomes a test."""


@dataclass(frozen=True, slots=True)
class Hardened:
    """What came of one problem."""

    problem: Problem
    """With the new tests behind its hidden ones; as it was where there are none."""
    added: tuple[Test, ...] = ()
    failing: Mapping[int, tuple[Test, Verdict]] | None = None
    """Place of a program that passed before -> the first new test that it fails, and how."""
    why: str = ""
    """Why no test was added; empty where some were."""


async def harden(
    problem: Problem,
    passing: Sequence[str],
    references: Sequence[str],
    sandbox: Sandbox,
    *,
    seed: int = 0,
    most_tests: int = 20,
    search_s: float = SEARCH_S,
) -> Hardened:
    """New tests for `problem`, at most `most_tests`, and which of `passing` fail them.

    `passing` are programs that pass all tests of the problem; `references` those of them, or others that
    pass, that are known to be right. Without any, as many different programs as `_LEAST_PROGRAMS` have to
    agree. Tests that tell programs apart come first. The search spends about `search_s` CPU seconds, and one
    more on large inputs.

    Raises:
        SandboxError: the sandbox broke.
    """
    if problem.interactor is not None:
        return Hardened(problem, why="its programs talk to an interactor")
    if problem.several_answers:
        return Hardened(problem, why="the statement accepts other outputs than the expected ones")
    codes = [*references, *passing]
    candidates = tuple(Candidate(code, 0, 0) for code in codes)
    first = Pool(problem, candidates, sandbox, seed=seed)
    everyone = first.board.programs(range(len(codes)))
    if not references and len(everyone) < _LEAST_PROGRAMS:
        return Hardened(problem, why=f"no reference passes, and fewer than {_LEAST_PROGRAMS} programs do")
    if not codes:
        return Hardened(problem, why="no program passes all of its tests")
    found = await _find_tests(first, len(references), _RUNS * most_tests, search_s)
    known = {(test.input, test.output) for test in (*problem.public_tests, *problem.hidden_tests)}
    tests = [test for test in found if (test.input, test.output) not in known][:most_tests]
    tests = await _keep_repeatable(problem, codes[0], tests, sandbox)
    if not tests:
        return Hardened(problem, why="no input was found on which the trusted programs agree")
    failing = {}
    for place, code in enumerate(passing):
        report = await run_tests(sandbox, problem, code, tests)
        if (failure := _first_failure(report)) is not None:
            failing[place] = failure
    hidden = (*problem.hidden_tests, *tests)
    return Hardened(replace(problem, hidden_tests=hidden), tuple(tests), failing)


def _first_failure(report: Report) -> tuple[Test, Verdict] | None:
    """The first failed test; a lost run, or a fault of the checker, says nothing of the program."""
    known = (result for result in report.failures if result.verdict is not Verdict.IE)
    return next(((result.test, result.verdict) for result in known), None)


async def _keep_repeatable(
    problem: Problem, trusted: str, tests: Sequence[Test], sandbox: Sandbox
) -> list[Test]:
    """The tests that the first trusted program passes when it runs again under the problem's own limits."""
    report = await run_tests(sandbox, problem, trusted, tests)
    return [result.test for result in report.results if result.verdict is Verdict.AC]


async def _find_tests(pool: Pool, references: int, max_runs: int, search_s: float) -> list[Test]:
    """Tests on which the trusted agree: those that most programs fail which fail none before come first."""
    members = range(len(pool.candidates))
    contract, alike = Contract.of(pool.problem), compare_with(pool.problem)
    ledger = Ledger(left_s=search_s + 2 * CPU_S + 1.0)
    own = frozenset(await find_generated_inputs(pool, Ledger()))
    inputs = await find_model_free_inputs(pool, members, ledger, max_runs=max_runs, thorough_s=search_s)
    fit = [
        text for text in inputs if len(text) <= _MOST_CHARS and (text in own or not contract.forbids(text))
    ]
    runs = await pool.board.run(members, fit, Ledger())
    made: dict[Test, _Judged] = {}
    for place, text in enumerate(fit):
        column = [runs[member][place] for member in members]
        least = _LEAST_SHARE_BEYOND
        if text in own or contract.admits(text):
            least = _LEAST_SHARE_TRUSTED if references else _LEAST_SHARE
        if (judged := _judge(pool, column, references, least, alike)) is not None:
            made.setdefault(Test(text, judged.output), judged)
    doubtful = _find_doubtful(made.values())
    return _order({test: judged.failing for test, judged in made.items() if not judged.failing & doubtful})


def _find_doubtful(judged: Collection[_Judged]) -> frozenset[int]:
    """The programs that differ for the most part where programs that pass give three answers or more.

    There the statement may leave open which is right, like which of two equal items is the first.
    """
    clear: Counter[int] = Counter()
    all_: Counter[int] = Counter()
    for one in judged:
        all_.update(one.failing)
        clear.update(one.failing if one.answers == 2 else ())
    return frozenset(program for program in all_ if clear[program] < _LEAST_CLEAR * all_[program])


def _order(made: Mapping[Test, frozenset[int]]) -> list[Test]:
    left, ordered = dict(made), []
    open_ = frozenset().union(*made.values()) if made else frozenset()
    while open_:
        best = min(left, key=lambda test: (-len(left[test] & open_), len(test.input)))
        open_ -= left.pop(best)
        ordered.append(best)
    return [*ordered, *sorted(left, key=lambda test: not left[test])]


class _Judged(NamedTuple):
    """What is believed of an input."""

    output: str
    failing: frozenset[int]
    """The programs that give another output."""
    answers: int
    """Different outputs."""


def _judge(
    pool: Pool, column: Sequence[Execution], references: int, least: float, alike: Callable[[str, str], bool]
) -> _Judged | None:
    """What is believed on an input; None where nothing is.

    It is the references' output, which have to agree, and that of the share `least` of all programs, each
    counted once. Without references it is that of the largest group. An input on which any of them fails is
    left out: programs that pass all tests crash on what the statement does not allow, and a crash alone
    would name programs that are right.
    """
    if any(run.status is not Status.OK for run in column):
        return None
    labels = label([behaviour_of(run) for run in column], alike)
    programs = pool.board.programs(range(len(column)))
    votes = Counter(labels[program] for program in programs)
    if references and len(set(labels[:references])) > 1:
        return None
    trusted = labels[0] if references else votes.most_common(1)[0][0]
    if votes[trusted] < least * votes.total():
        return None
    output = column[labels.index(trusted)].output or ""
    if is_cut(output) or len(output) > _MOST_CHARS or '"$repr"' in output:
        return None
    failing = frozenset(program for program in programs if labels[program] != trusted)
    return _Judged(output, failing, len(votes))
