"""Answers to selection's questions on a made-up task: values for the template, and a text to learn."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scripts.train_tiny_model.running import run_on
from scripts.train_tiny_model.tasks import VOCABULARY, Task, draw_input, write_program, write_wrong
from sstar_code.problems import Kind
from sstar_code.problems.values import decode
from sstar_code.selection.evidence.clustering import Behaviour, behaviour_of
from sstar_code.selection.evidence.fingerprint import strip_comments
from sstar_code.selection.judging.question import make_case

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

__all__ = ["QUESTIONS"]

_GENERATORS = {
    "numbers": "[r.randint(-20, 20) for _ in range(n)]",
    "digits": "r.randint(0, 10 ** min(n, 9) - 1)",
    "words": f"[r.choice({json.dumps(VOCABULARY[:8])}) for _ in range(n)]",
}
_VALID = {
    "numbers": "len(v) <= 12 and all(-20 <= x <= 20 for x in v)",
    "digits": "0 <= v <= 999999999",
    "words": "len(v) <= 12 and all(x.islower() for x in v)",
}


def write_kit(task: Task, _: random.Random) -> tuple[dict[str, Any], str]:
    """A generator and a validator; the same for every task of a domain and a kind."""
    is_call = task.problem.kind is Kind.FUNCTION
    source = _GENERATORS[task.domain]
    if is_call:
        made, read = f"[{source}]", "data[0]"
    elif task.domain == "digits":
        made, read = f'str({source}) + "\\n"', "int(data)"
    else:
        made = f'" ".join(map(str, {source})) + "\\n"'
        read = "data.split()" if task.domain == "words" else "list(map(int, data.split()))"
    code = (
        "import random\n\n\ndef generate(seed, size):\n    r = random.Random(seed)\n"
        '    n = {"tiny": seed % 3, "boundary": 6, "random": 9, "worst": 12}[size]\n'
        f"    return {made}\n\n\ndef valid(data):\n    v = {read}\n    return {_VALID[task.domain]}"
    )
    return {"generate": True}, f"```python\n{code}\n```"


def write_reference(task: Task, rng: random.Random) -> tuple[dict[str, Any], str]:
    """The task's program, right or not, as the brute force; nothing else is known of the output."""
    code = write_wrong(task, rng)[0] if rng.random() < 0.3 else write_program(task, rng)
    if task.problem.kind is Kind.STDIN:
        return {}, "It reads standard input: there is nothing simpler to write."
    name = task.problem.entry_point
    return {}, f"```python\n{code}\n\n\ndef solve(data):\n    return {name}(*data)\n```"


def write_inputs(task: Task, rng: random.Random, count: int = 10) -> tuple[dict[str, Any], str]:
    """Inputs, short ones mostly."""
    texts = [draw_input(task, rng, rng.choice((0, 1, 3, 5))) for _ in range(min(count, 5))]
    shown = [[decode(text)] if task.problem.kind is Kind.FUNCTION else text for text in texts]
    return {"count": count}, f"```json\n{json.dumps(shown)}\n```"


def write_distinguishing(task: Task, rng: random.Random) -> tuple[dict[str, Any], str]:
    """Inputs on which two programs differ, where random ones do."""
    first, second = write_program(task, rng), write_wrong(task, rng)[0]
    if rng.random() < 0.5:
        first, second = second, first
    texts = [draw_input(task, rng, 5) for _ in range(12)]
    apart = [text for text in texts if _run(task, first, text) != _run(task, second, text)]
    chosen = [*apart, *texts][:3]
    shown = [[decode(text)] if task.problem.kind is Kind.FUNCTION else text for text in chosen]
    values = {"first": strip_comments(first), "second": strip_comments(second), "count": 5}
    return values, f"```json\n{json.dumps(shown)}\n```"


def choose(task: Task, rng: random.Random) -> tuple[dict[str, Any], str]:
    """Which of two outputs is right; the answer always is, what a model makes of it is another matter."""
    case, right = _draw_case(task, rng)
    values = {"input": case["input"], "outputs": [case["first"], case["second"]]}
    return values, f"ANSWER: {'AB'[right]}"


def judge(task: Task, rng: random.Random) -> tuple[dict[str, Any], str]:
    """Whose outputs are right, on one input."""
    case, right = _draw_case(task, rng)
    return {"cases": [case]}, f"ANSWER: {right + 1}"


def _run(task: Task, code: str, text: str) -> Behaviour:
    return behaviour_of(run_on(task.problem, code, text))


def _draw_case(task: Task, rng: random.Random) -> tuple[dict[str, str], int]:
    """An input with a right and a wrong output, where there is one; else two that are the same."""
    program = write_program(task, rng)
    for _ in range(20):
        text = draw_input(task, rng, 5)
        good, bad = _run(task, program, text), _run(task, write_wrong(task, rng)[0], text)
        if good != bad:
            break
    right = rng.randrange(2)
    sides = (good, bad) if right == 0 else (bad, good)
    return make_case(task.problem, text, *sides), right


QUESTIONS: dict[str, Callable[[Task, random.Random], tuple[dict[str, Any], str]]] = {
    "kit": write_kit,
    "reference": write_reference,
    "inputs": write_inputs,
    "distinguish": write_distinguishing,
    "choose": choose,
    "judge": judge,
}
"""By the template's name."""
