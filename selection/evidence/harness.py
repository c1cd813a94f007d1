"""What a model writes for testing: a generated test harness, and tests.

One call gives a seeded generator with a size knob and a validator, another a brute force and a check of
outputs. Nothing of it is believed before it has been tried on the public tests: the validator has to
accept all their inputs, the generator's inputs have to pass the validator, the brute force has to pass the
tests, and the check has to accept their outputs. A part that does not is dropped, and a note says so.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from sstar_code.problems import Kind
from sstar_code.problems.checkers import accepts
from sstar_code.problems.python_source import parse_python
from sstar_code.problems.statements.literals import read_assert
from sstar_code.problems.values import Opaque, decode, decode_lines, encode, encode_lines
from sstar_code.sandbox.outcome import Mode, Program, Status
from sstar_code.selection.evidence.clustering import compare_with
from sstar_code.selection.evidence.cpu_budget import CpuBudget
from sstar_code.selection.inputs.contract.examples import public_inputs
from sstar_code.selection.inputs.replies import CallShape, find_literals
from sstar_code.selection.protocols import Question

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.selection.evidence.board import Ledger
    from sstar_code.selection.pool import Pool

WRITTEN_TESTS = 20
"""Number of tests asked of the model in one call."""
MAX_TESTS = 100
"""Most tests taken from one reply."""
_MAX_CHARS = 20_000
_MAX_LINES = 12
"""Most lines of one assert."""
_ASSERT = re.compile(r"^[ \t]*assert\b", re.MULTILINE)
_FENCE = re.compile(r"^```.*$", re.MULTILINE)
_UNREADABLE = (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, OverflowError)


@dataclass(frozen=True, slots=True)
class WrittenTest:
    """An input and the output that a model believes in."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The tests, and which of them each candidate passes."""

    members: tuple[int, ...]
    tests: tuple[WrittenTest, ...]
    passed: tuple[frozenset[int], ...]
    """The places in `tests` of those that each of `members` passes."""


def parse_tests(text: str, problem: Problem, *, limit: int = MAX_TESTS) -> list[WrittenTest]:
    """The tests in the reply `text`, each once; those written most often first, then in order.

    For functions asserts of the form `assert f(literals) == literal`; for both kinds JSON objects with
    `input` and `output`. At most `limit`. What cannot be read is left out; never raises.
    """
    found: Counter[WrittenTest] = Counter()
    if problem.kind is Kind.FUNCTION and problem.entry_point:
        found.update(_asserted(text, problem.entry_point.rpartition(".")[2]))
    if not found:
        found.update(_objects(text, problem))
    tests = [test for test in found if len(test.input) + len(test.output) <= _MAX_CHARS]
    return sorted(tests, key=lambda test: -found[test])[:limit]


def _asserted(text: str, name: str) -> Iterator[WrittenTest]:
    """Each assert by itself: what follows one, up to the next, is taken as far as it is Python."""
    text = _FENCE.sub("", text)
    starts = [match.start() for match in _ASSERT.finditer(text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=False):  # no start: no end
        lines = text[start:end].strip().split("\n")[:_MAX_LINES]
        for count in range(1, len(lines) + 1):
            try:
                test = read_assert("\n".join(lines[:count]), name)
            except _UNREADABLE:
                continue
            if test.program is None and test.output is not None:
                yield WrittenTest(test.input, test.output)
                break


def _objects(text: str, problem: Problem) -> Iterator[WrittenTest]:
    shape = CallShape.of(problem) if problem.kind is Kind.FUNCTION else None
    for value in find_literals(text):
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and "input" in item and "output" in item:
                try:
                    test = _read_object(item["input"], item["output"], shape)
                except _UNREADABLE:
                    continue
                if test is not None:
                    yield test


def _read_object(given: Any, wanted: Any, shape: CallShape | None) -> WrittenTest | None:
    if shape is not None:
        call = shape.read(given)
        return None if call is None else WrittenTest(encode_lines(call), encode(wanted))
    if not isinstance(given, str) or not given.strip() or isinstance(wanted, list | dict | None):
        return None
    given.encode()  # a lone surrogate cannot be written to a pipe
    return WrittenTest(given if given.endswith("\n") else given + "\n", str(wanted))


async def run_written_tests(pool: Pool, members: Sequence[int], ledger: Ledger) -> Outcomes:
    """Ask for tests (one call) and run `members` on them; without a model, or with no readable test, none.

    An output passes as the checker says; where the checker is a program, when it is equal. A test on
    which the sandbox failed does not count.
    """
    tests = await _ask_tests(pool, ledger)
    texts = list(dict.fromkeys(test.input for test in tests))
    inputs, runs = await CpuBudget(pool, ledger).run_most(members, texts)
    tests = [test for test in tests if test.input in inputs]
    alike = cache(compare_with(pool.problem))
    passed: dict[int, set[int]] = {member: set() for member in members}
    lost: set[int] = set()
    for number, test in enumerate(tests):
        place = inputs.index(test.input)
        for member in members:
            run = runs[member][place]
            if run.status is Status.IE:
                lost.add(number)
            output = run.output or ""
            if run.status is Status.OK and (output == test.output or alike(test.output, output)):
                passed[member].add(number)
    if lost:
        ledger.notes.append(f"{len(lost)} of {len(tests)} tests dropped: the sandbox failed on them")
    return Outcomes(
        tuple(members), tuple(tests), tuple(frozenset(passed[member] - lost) for member in members)
    )


async def _ask_tests(pool: Pool, ledger: Ledger) -> list[WrittenTest]:
    if pool.ask is None:
        ledger.notes.append("no model: no test is written")
        return []
    reply = await pool.board.ask(Question.TESTS, "written", ledger, count=WRITTEN_TESTS)
    if reply is None:
        ledger.notes.append("tests: the call failed")
        return []
    tests = parse_tests(reply.text, pool.problem)
    if not tests:
        ledger.notes.append("tests: no test could be read from the reply")
    return tests


_SIZES = {"tiny": 16, "boundary": 12, "random": 8, "worst": 3}
"""Size that the generator is asked for -> number of inputs of that size."""
_MAX_INPUT_CHARS = 200_000
_SHARE = 0.5
"""Share of the CPU seconds left that one tool may use: the candidates run on what it makes."""
_LEAST_VALID = 0.5
"""Share of the generator's inputs below which the validator contradicts it: one of the two is wrong."""
_BLOCK = re.compile(r"```[ \t]*(?:python|py)?[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)


@dataclass(slots=True)
class Harness:
    """The parts that passed their trial on the public tests; None or empty where none did."""

    valid: str | None = None
    """Source that defines `valid(data)`."""
    solve: str | None = None
    holds: str | None = None
    inputs: list[str] = field(default_factory=list)
    """Generated, encoded as `Test.input` is; small ones first."""


def find_functions(reply: str, names: Sequence[str]) -> dict[str, str]:
    """Function name -> source of the last Python block of `reply` that parses and defines it at top level."""
    found = {}
    for block in _BLOCK.findall(reply):
        tree = parse_python(block)
        defined = {node.name for node in getattr(tree, "body", ()) if isinstance(node, ast.FunctionDef)}
        found.update({name: block for name in names if name in defined})
    return found


def unpack(problem: Problem, text: str) -> Any:
    """An encoded input as the harness's functions see it: a text, or the list of arguments."""
    return text if problem.kind is Kind.STDIN else decode_lines(text)


def _pack(problem: Problem, value: Any) -> str | None:
    """A value that `generate` returned as an encoded input; None where it is none."""
    try:
        if problem.kind is Kind.STDIN:
            return value if isinstance(value, str) and value.strip() else None
        return encode_lines(list(value)) if isinstance(value, list | tuple) and value else None
    except (ValueError, TypeError, RecursionError):
        return None


async def call(
    pool: Pool, source: str, name: str, calls: Sequence[Sequence[Any]], ledger: Ledger
) -> list[Any]:
    """The values that `name` of `source` returns for `calls`; `Ellipsis` where it gives nothing usable."""
    program = Program(source, Mode.CALL, name)
    texts = [encode_lines(list(arguments)) for arguments in calls]
    budget = CpuBudget(pool, ledger, _SHARE * ledger.left_s)
    runs = await budget.run_tool(program, texts)
    good = [run is not None and run.status is Status.OK for run in runs]
    return [
        decode_result(run.result or "") if run and fine else ... for run, fine in zip(runs, good, strict=True)
    ]


def decode_result(result: str) -> Any:
    """The value that `result` encodes; `Ellipsis` where it is none, since None and False are values."""
    try:
        value = decode(result)
    except (ValueError, RecursionError):
        return ...
    return ... if isinstance(value, Opaque) else value


async def ask_harness(pool: Pool, ledger: Ledger, *, generate: bool = True) -> Harness:
    """One call: a validator, tried on the public inputs, and where wanted a generator; what both agree on.

    `generate`: new inputs are wanted; else it is asked only what is valid.
    """
    harness = Harness()
    reply = await pool.board.ask(Question.KIT, "kit", ledger, generate=generate)
    parts = find_functions(reply.text, ("generate", "valid")) if reply else {}
    if not parts:
        ledger.notes.append(
            "harness: the call failed" if reply is None else "harness: no function could be read"
        )
        return harness
    if "valid" in parts:
        shown = [[unpack(pool.problem, text)] for text in public_inputs(pool.problem)]
        said = await call(pool, parts["valid"], "valid", shown, ledger)
        if said and all(item is True for item in said):
            harness.valid = parts["valid"]
        else:
            ledger.notes.append("harness: validator dropped: " + _why(said, "public inputs rejected"))
    if "generate" in parts:
        await _generate(pool, harness, parts["generate"], ledger)
    return harness


async def _generate(pool: Pool, harness: Harness, source: str, ledger: Ledger) -> None:
    orders = [[seed, size] for size, count in _SIZES.items() for seed in range(count)]
    made = await call(pool, source, "generate", orders, ledger)
    texts = [_pack(pool.problem, value) for value in made]
    known = set(public_inputs(pool.problem))
    usable = [text for text in texts if text and len(text) <= _MAX_INPUT_CHARS and text not in known]
    inputs = list(dict.fromkeys(usable))
    if not inputs:
        ledger.notes.append("harness: generator dropped: it gave no input")
        return
    doubtful = await find_doubtful(pool, harness, inputs, ledger)
    valid = [text for text in inputs if text not in doubtful]
    if len(valid) < _LEAST_VALID * len(inputs):
        count = f"{len(valid)} of {len(inputs)} inputs"
        ledger.notes.append(f"harness: generator and validator dropped: they agree on {count} only")
        harness.valid = None
        return
    harness.inputs = valid


async def find_doubtful(
    pool: Pool, harness: Harness, inputs: Sequence[str], ledger: Ledger
) -> frozenset[str]:
    """Those of `inputs` that the validator rejects; none where there is no validator, or where it crashes."""
    if harness.valid is None or not inputs:
        return frozenset()
    said = await call(pool, harness.valid, "valid", [[unpack(pool.problem, text)] for text in inputs], ledger)
    return frozenset(text for text, item in zip(inputs, said, strict=True) if item is False)


async def ask_reference(pool: Pool, harness: Harness, ledger: Ledger) -> None:
    """One call: a brute force and a check of outputs; `harness` gets what the public tests do not refute."""
    reply = await pool.board.ask(Question.REFERENCE, "reference", ledger)
    parts = find_functions(reply.text, ("solve", "holds")) if reply else {}
    if not parts:
        ledger.notes.append("reference: the call failed" if reply is None else "reference: no function found")
        return
    public = _answered(pool.problem)
    calls = {"solve": [[data] for data, _ in public], "holds": [[data, right] for data, right in public]}
    tried = [name for name in calls if name in parts]
    results = [await call(pool, parts[name], name, calls[name], ledger) for name in tried]
    for name, said in zip(tried, results, strict=True):
        if name == "holds":
            passes = [item is True for item in said]
        else:
            passes = [_is_right(pool.problem, *pair) for pair in zip(public, said, strict=True)]
        if passes and all(passes):
            setattr(harness, name, parts[name])
        else:
            label = {"solve": "brute force", "holds": "check of outputs"}[name]
            count = f"{sum(passes)} of {len(passes)} public tests passed"
            ledger.notes.append(f"reference: {label} dropped: {_why(said, count)}")


def _answered(problem: Problem) -> list[tuple[Any, Any]]:
    """Inputs and outputs of the public tests as the harness's functions see them."""
    found = []
    for test in problem.public_tests:
        if test.program is None and test.output is not None:
            try:
                data = unpack(problem, test.input)
                right = test.output if problem.kind is Kind.STDIN else decode(test.output)
                encode_lines([data, right])
            except (ValueError, TypeError, RecursionError):
                continue
            found.append((data, right))
    return found


def _is_right(problem: Problem, public: tuple[Any, Any], said: Any) -> bool:
    checker = problem.checker if isinstance(problem.checker, str) else "exact"
    try:
        if problem.kind is Kind.STDIN:
            return isinstance(said, str) and accepts(checker, problem.kind, public[1], said)
        return said is not ... and accepts(
            checker, problem.kind, encode_lines([public[1]]), encode_lines([said])
        )
    except (ValueError, TypeError, RecursionError):
        return False


def _why(said: Sequence[Any], otherwise: str) -> str:
    if not said:
        return "there is no public test to try it on"
    return "it crashes on a public test" if any(item is ... for item in said) else otherwise
