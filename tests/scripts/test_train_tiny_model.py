from __future__ import annotations

import json
import random
import re

import pytest

from scripts.train_tiny_model.examples import make_examples
from scripts.train_tiny_model.lists import PLACE, make_lists
from scripts.train_tiny_model.measure import Ended, find_wrong_line, list_right_lines, show
from scripts.train_tiny_model.questions import QUESTIONS, write_kit
from scripts.train_tiny_model.recipes import RECIPES
from scripts.train_tiny_model.running import run_on, run_public
from scripts.train_tiny_model.steps import NUMBER_RESULTS, NUMBERS, WORD_RESULTS, WORDS, Form
from scripts.train_tiny_model.tasks import VOCABULARY, make_task, write_program, write_wrong, write_wrong_line
from sstar_code.agent.generation.extract import extract_code
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.problems.formats.jsonl import to_json
from sstar_code.problems.problem import Kind
from sstar_code.problems.values import decode
from sstar_code.sandbox.grade import run_tests
from sstar_code.selection.inputs.replies import parse_inputs


def make_tasks(count: int, seed: int = 0) -> list:
    rng = random.Random(seed)
    return [make_task(number, rng, hidden=5) for number in range(count)]


def take_block(text: str) -> str:
    (code,) = re.findall(r"```python\n(.*?)\n```", text, re.DOTALL)
    return code


def test_right_programs_agree_in_every_style():
    """Programs of a task that are meant to be right give the same on every test, in every style."""
    rng = random.Random(1)
    for task in make_tasks(60):
        tests = (*task.problem.public_tests, *task.problem.hidden_tests)
        assert all(test.output is not None for test in tests)
        for _ in range(4):
            code = write_program(task, rng)
            assert [run_on(task.problem, code, test.input).output for test in tests] == [
                test.output for test in tests
            ]


@pytest.mark.parametrize("step", [*NUMBERS, *NUMBER_RESULTS, *WORDS, *WORD_RESULTS], ids=lambda s: s.name)
def test_a_wrong_form_is_wrong_somewhere(step):
    """Every wrong form of a step does something else than the right one on some list."""
    rng = random.Random(2)
    is_words = step in (*WORDS, *WORD_RESULTS) and step not in (*NUMBERS, *NUMBER_RESULTS)
    lists = [[]]
    for _ in range(300):
        size = rng.randint(1, 8)
        words = rng.choices(VOCABULARY, k=size)
        lists.append(words if is_words else [rng.randint(-9, 9) for _ in range(size)])

    def run(source: str, values: list):
        form = {Form.FILTER: f"[x for x in v if {source}]", Form.MAP: f"[{source} for x in v]"}
        try:
            return eval(form.get(step.form, source), {"v": list(values)})
        except (ValueError, IndexError, ZeroDivisionError) as error:
            return type(error)

    for constant in step.constants or ("",):
        fill = [text.replace("K", str(constant)) for text in (step.right[0], *step.wrong)]
        for wrong in fill[1:]:
            assert any(run(fill[0], values) != run(wrong, values) for values in lists), (constant, wrong)


def test_public_and_hidden_tests_differ():
    """No input stands twice among a problem's tests."""
    for task in make_tasks(30):
        inputs = [test.input for test in (*task.problem.public_tests, *task.problem.hidden_tests)]
        assert len(inputs) == len(set(inputs)) == 7


def test_what_a_wrong_program_does_is_what_the_sandbox_says(sandbox_local):
    """The quick run in this process and the sandbox give the same verdicts, outputs and failures."""
    rng = random.Random(3)
    for task in make_tasks(25, seed=4):
        code, _ = write_wrong(task, rng)
        quick = run_public(task.problem, code)
        real = sandbox_local.call(
            run_tests, sandbox_local.sandbox, task.problem, code, task.problem.public_tests
        )
        assert [item.verdict for item in quick.results] == [item.verdict for item in real.results]
        assert [item.execution.failure for item in quick.results] == [
            item.execution.failure for item in real.results
        ]
        assert [item.execution.output for item in quick.results if item.execution.failure is None] == [
            item.execution.output for item in real.results if item.execution.failure is None
        ]


def test_examples_are_the_agents_own_prompts_and_answers_it_reads(tmp_path):
    """Each example is a rendered template of the agent, its program compiles, and a seed repeats all."""
    make_examples(tmp_path, 60, 5)
    text = (tmp_path / "examples.jsonl").read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    firsts = [row["messages"][1]["content"].split("\n")[0] for row in rows]
    assert firsts.count("Solve this programming problem.") > 20
    assert sum(line.startswith("A program for the problem below does not pass") for line in firsts) > 5
    for row in rows:
        if row["messages"][1]["content"].startswith("Solve"):
            assert "def " in row["answer"] or "print(" in row["answer"]
            code = take_block(row["answer"])
            assert compile(code, "answer", "exec")
    make_examples(tmp_path, 60, 5)
    assert (tmp_path / "examples.jsonl").read_text() == text


def test_a_wrong_line_stands_where_a_right_one_would():
    """The lines before it begin a right program, and no right program goes on with it."""
    rng = random.Random(9)
    for task in make_tasks(80, seed=10):
        kept, wrong = write_wrong_line(task, rng)
        right = [write_program(task, rng).split("\n") for _ in range(60)]
        at = kept.count("\n")
        assert kept == "" or kept.endswith("\n")
        assert any(program[:at] == kept.split("\n")[:-1] for program in right)
        assert all(program[at] != wrong for program in right)


def test_two_in_five_first_answers_of_backtracking_end_with_a_wrong_line(tmp_path):
    """The recipe's share of first answers, and no other example, has a wrong line."""
    make_examples(tmp_path, 300, 0, RECIPES["backtrack"])
    rows = [json.loads(line) for line in (tmp_path / "examples.jsonl").read_text().splitlines()]
    firsts = [row for row in rows if row["messages"][1]["content"].startswith("Solve")]
    marked = [row for row in rows if "wrong" in row]
    assert all(row in firsts for row in marked)
    assert 0.3 < len(marked) / len(firsts) < 0.5
    assert not any("\n" in row["wrong"] for row in marked)


def test_held_out_compositions_are_not_among_the_examples():
    """No problem kept out shares its steps in their order with a task of the training examples."""
    tasks = make_tasks(200)
    held = {(task.domain, tuple(part.step.name for part in task.parts)) for task in tasks if task.held_out}
    known = {
        (task.domain, tuple(part.step.name for part in task.parts)) for task in tasks if not task.held_out
    }
    assert held
    assert not held & known


@pytest.mark.parametrize("name", [*QUESTIONS])
def test_answers_to_questions_are_of_the_form_asked_for(name):
    """What the model learns to answer is what selection reads."""
    rng = random.Random(6)
    prompts = Prompts()
    for task in make_tasks(12, seed=7):
        values, text = QUESTIONS[name](task, rng)
        assert prompts.render(name, task.problem, **values)
        if name in ("inputs", "distinguish"):
            assert parse_inputs(text, task.problem)
        elif name in ("choose", "judge"):
            assert re.fullmatch(r"ANSWER: [AB12]", text)
        else:
            assert extract_code(text, task.problem).code or task.problem.kind is Kind.STDIN


def test_a_kits_generator_keeps_to_its_validator():
    """Every input that the generator of a kit makes is valid, and so are the public tests' inputs."""
    for task in make_tasks(30, seed=8):
        names: dict = {}
        exec(take_block(write_kit(task, random.Random(0))[1]), names)
        for size in ("tiny", "boundary", "random", "worst"):
            for seed in range(5):
                assert names["valid"](names["generate"](seed, size))
        for test in task.problem.public_tests:
            is_call = task.problem.kind is Kind.FUNCTION
            assert names["valid"]([decode(test.input)] if is_call else test.input)


def test_lists_is_what_its_rule_draws():
    """The bundled set `lists` holds the first compositions kept out of training that its seed draws."""
    tasks = make_lists()
    assert all(task.held_out for task in tasks)
    rows = PLACE.read_text(encoding="utf-8").splitlines()
    assert [json.loads(row) for row in rows] == [to_json(task.problem) for task in tasks]


def test_the_first_wrong_line_of_an_answer_is_found():
    """A right program in any style has none; a wrong one has it where the task's words and code say."""
    rng = random.Random(11)
    for task in make_tasks(30, seed=12):
        right = list_right_lines(task)
        whole = write_program(task, rng)
        assert find_wrong_line(f"```python\n{whole}\n```", right) is None
        kept, wrong = write_wrong_line(task, rng)
        assert find_wrong_line(f"```python\n{kept}{wrong}", right) == kept.count("\n")
        assert find_wrong_line(f"```python\n{whole}\nprint(1)\n```", right) == whole.count("\n") + 1


def test_the_table_pairs_problems_over_trainings():
    """An arm's share is over problems and trainings; a problem that a run lacks counts as not solved."""
    first = [
        Ended({"a": True, "b": False}, {"a": True, "b": True}, 1000),
        Ended({"a": True}, {"a": True}, 3000),
    ]
    other = [Ended({"a": True, "b": True}, {"a": True, "b": True}, 500)]
    head, _, plain, trained, *_ = show({"plain": first, "trained": other}).splitlines()
    assert head.endswith("| oracle | tokens | less the first, points |")
    assert re.match(r"\| plain \| 50.0 .* \| 50.0, 50.0 \| 75.0 \| 2,000 \|  \|", plain)
    assert re.match(r"\| trained \| 100.0 .* \| 100.0 \| 100.0 \| 500 \| \+50.0 ", trained)
