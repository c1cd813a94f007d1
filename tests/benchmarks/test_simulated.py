from __future__ import annotations

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.values import decode_lines, encode
from sstar_code.sandbox import Execution, Failure, Limits, Status
from sstar_code.sandbox.grade import program_for
from sstar_code.selection import Candidate, Question
from sstar_code.selection.evidence.clustering import Behaviour
from sstar_code.selection.judging.question import present
from tests.support.simulated import CountingSandbox, SimulatedAsk

pytestmark = pytest.mark.anyio

PROBLEM = Problem("p", "s", Kind.FUNCTION, "f", "def f(n):\n", (Test("1", "[1, 2]"),), checker="unordered")
RIGHT = Candidate("def f(n): return [n, n + 1]", 1, 1, hidden_pass=True)
WRONG = Candidate("def f(n): return [n]", 1, 1, hidden_pass=False)
INPUTS = [str(number) for number in range(2, 202)]


class Calling:
    """Runs trusted code here."""

    name, workers = "calling", 1

    async def run(self, program, inputs, limits, *, stop_on_failure=False):
        space = {}
        exec(program.code, space)
        return [self._call(space["f"], text) for text in inputs]

    @staticmethod
    def _call(function, text):
        try:
            return Execution(Status.OK, result=encode(function(*decode_lines(text))), cpu_s=0.5)
        except ValueError as error:
            return Execution(Status.RE, failure=Failure("ValueError", str(error)))


def seen(value):
    return Behaviour(Status.OK, encode(value))


async def make(accuracy, candidates=(RIGHT, WRONG)):
    counting = CountingSandbox(Calling())
    for candidate in candidates:
        await counting.run(program_for(PROBLEM, candidate.code), INPUTS, Limits())
    return SimulatedAsk(PROBLEM, candidates, counting, accuracy)


async def ask_about(ask, text, *outputs):
    """Place in `outputs` of the answer, or the word."""
    choice = present(PROBLEM, text, outputs)
    reply = await ask(Question.CHOOSE, PROBLEM, "0", input=choice.input, outputs=list(choice.outputs))
    answers = [choice.read(reply.text)]
    reply = await ask(Question.CHOOSE, PROBLEM, "0/s", input=choice.input, outputs=list(choice.outputs[::-1]))
    answers.append(choice.swapped.read(reply.text))
    assert answers[0] == answers[1]  # an opinion has no order
    return answers[0]


async def test_sandbox_counts_what_a_method_runs():
    """Runs and CPU seconds of one method are added up."""
    ask = await make(1.0)
    assert (ask.sandbox.runs, ask.sandbox.cpu_s) == (400, 200.0)


async def test_a_perfect_judge_knows():
    """It names what right candidates do, as the checker compares, neither without, and knows public tests."""
    ask = await make(1.0)
    assert await ask_about(ask, "7", seen([7]), seen([8, 7])) == 1
    assert await ask_about(ask, "7", seen([7]), seen([6])) == "neither"
    assert await ask_about(ask, "1", seen([1]), seen([2, 1]), seen([3])) == 1


async def test_where_right_ones_differ_the_input_is_not_covered():
    """An input that splits the right candidates is called invalid."""
    other = Candidate("def f(n): return [n, n + 1] if n < 9 else []", 1, 1, hidden_pass=True)
    ask = await make(1.0, (RIGHT, other))
    assert await ask_about(ask, "10", seen([10, 11]), seen([])) == "invalid"


@pytest.mark.parametrize("accuracy", [0.6, 0.9])
async def test_accuracy_is_what_was_asked_for(accuracy):
    """Over many inputs the judge is right about as often as it should be, with the same errors every time."""
    ask = await make(accuracy)
    answers = [
        await ask_about(ask, text, seen([int(text)]), seen([int(text), int(text) + 1])) for text in INPUTS
    ]
    assert abs(sum(answer == 1 for answer in answers) / len(answers) - accuracy) < 0.09


async def test_programs_are_compared_by_hidden_verdict():
    """A comparison of code knows which program is right."""
    ask = await make(1.0)
    reply = await ask(Question.COMPARE, PROBLEM, "0", first="def f(n):\n    return [n]", second="x")
    assert reply.text == "ANSWER: neither"
    right = "def f(n):\n    return [n, n + 1]"
    reply = await ask(Question.COMPARE, PROBLEM, "0", first="def f(n):\n    return [n]", second=right)
    assert reply.text == "ANSWER: 2"


async def test_what_is_not_simulated_fails():
    """Without a judge, or for another question, the call fails, which is no evidence."""
    assert await (await make(None))(Question.CHOOSE, PROBLEM, "0", input="f(1)", outputs=["1", "2"]) is None
    assert await (await make(1.0))(Question.INPUTS, PROBLEM, "0", count=3) is None
