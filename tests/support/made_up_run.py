"""A run folder as `sstar eval` leaves it, made up: the shape and the size are real, the programs are not."""

from __future__ import annotations

import json
import random
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

from sstar_code.agent.models.request import Answer, Message, Purpose, Request, Stage, Usage
from sstar_code.agent.run.files import write_json
from sstar_code.agent.run.outcomes import ProblemOutcome, SampleOutcome
from sstar_code.agent.run.store import Store
from sstar_code.agent.telemetry.events import working_on
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Execution, Status
from sstar_code.selection.protocols import Asked, Derived, Distinguishing, Evidence, Selection

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["make_run"]

_WORDS = "queue graph total index window prefix answer limit value node edge count best left right mask"
_LEVELS = (("easy", 0.75), ("medium", 0.45), ("hard", 0.15))


def make_run(
    folder: Path,
    *,
    problems: int,
    samples: int = 16,
    rounds: int = 2,
    unfinished: int = 0,
    errors: int = 0,
    text: str = "",
    seed: int = 0,
) -> dict[str, Problem]:
    """Write manifest, store and summary into `folder`; the problems by id.

    The last `unfinished` problems were not reached, the `errors` before them failed. `text` is put into
    every statement, program, output and answer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = {f"made-{place}": _problem(place, text) for place in range(problems)}
    config = {
        "label": "made-up",
        "set": "0",
        "problems": list(made),
        "model": "none",
        "prompts": "0",
        "n": samples,
        "rounds": rounds,
        "temperature": 0.7,
        "seed": seed,
        "select": "adaptive",
        "max_tokens": 4096,
    }
    write_json(folder / "manifest.json", {"config": config, "versions": {}, "data": "", "command": ["sstar"]})
    ids = list(made)
    failed = ids[problems - unfinished - errors : problems - unfinished]
    with closing(Store(folder / "run.db")) as store:
        store._db.execute("PRAGMA synchronous = OFF")
        for place, problem in enumerate(list(made.values())[: problems - unfinished - errors]):
            draw = random.Random(f"{seed}:{place}")
            level = _LEVELS[place % 3][1]
            _write_problem(store, problem, level, draw, samples=samples, rounds=rounds, text=text)
    write_json(
        folder / "summary.json", {"failed": dict.fromkeys(failed, f"the sandbox lost a run (IE){text}")}
    )
    return made


def _problem(place: int, text: str) -> Problem:
    draw = random.Random(place)
    body = " ".join(draw.choices(_WORDS.split(), k=220))
    return Problem(
        id=f"made-{place}",
        statement=f"Problem {place}. {body}\n{text}",
        kind=Kind.STDIN,
        public_tests=(Test("3\n", "6\n"), Test("5\n", "10\n")),
        hidden_tests=(Test("7\n", "14\n"),),
        metadata={
            "difficulty": _LEVELS[place % 3][0],
            "platform": ("leetcode", "atcoder")[place % 2],
            "date": f"2025-{1 + place % 9:02d}-11",
        },
    )


def _program(draw: random.Random, text: str) -> str:
    lines = ["import sys", "", "def solve(data):"]
    for _ in range(draw.randint(14, 30)):
        a, b, c = draw.choices(_WORDS.split(), k=3)
        lines.append(f"    {a} = {b} * {draw.randint(1, 99)} + data[{draw.randint(0, 9)}]  # {c}")
    return "\n".join(
        [*lines, f"    return {draw.choice(_WORDS.split())}", "", "print(solve(sys.stdin.read()))", text]
    )


def _answer(store: Store, purpose: Purpose, prompt: str, text: str, draw: random.Random) -> None:
    usage = Usage(prompt=len(prompt) // 4, cached=len(prompt) // 8, output=len(text) // 4, reasoning=0)
    request = Request(
        (Message("system", "You write programs."), Message("user", prompt)), purpose, seed=purpose.sample
    )
    store.put_answer(request, Answer(text, usage=usage, model="none", seconds=draw.uniform(1, 20)))


def _write_problem(
    store: Store, problem: Problem, level: float, draw: random.Random, *, samples: int, rounds: int, text: str
) -> None:
    rows, outcomes, groups = [], [], {}
    for sample in range(samples):
        right = draw.random() < level
        programs = [_program(draw, text)]
        _answer(store, Purpose(problem.id, Stage.GENERATE, sample), problem.statement, programs[0], draw)
        passed = [2 if right or draw.random() < 0.4 else draw.randint(0, 1)]
        while passed[-1] < 2 and len(passed) <= rounds:
            lines = programs[-1].split("\n")
            lines[draw.randrange(3, len(lines) - 4)] = f"    total = {draw.randint(0, 999)}"
            seen = " ".join(draw.choices(_WORDS.split(), k=60))
            told = f"# What happened\n\nOutput of the program:\n{seen}{text}"
            programs.append("\n".join(lines))
            purpose = Purpose(problem.id, Stage.DEBUG, sample, len(passed))
            _answer(store, purpose, f"{problem.statement}\n{lines}\n{told}", programs[-1], draw)
            passed.append(2 if draw.random() < 0.3 else passed[-1])
        best = passed.index(max(passed))
        final = (
            "AC"
            if passed[best] == 2 and (right or draw.random() < 0.2)
            else draw.choice(["WA", "WA", "RE", "TLE"])
        )
        first = final if best == 0 else "WA"
        for number, code in enumerate(programs):
            hidden = final if number == best else first if number == 0 else None
            rows.append((sample, number, code, passed[number], 2, number == best, hidden))
        outcomes.append(SampleOutcome(sample, len(programs), passed[best], passed[best] == 2, first, final))
        groups.setdefault("right" if final == "AC" else str(draw.randint(0, 3)), []).append(sample)
    most = max(item.public_passed for item in outcomes)
    tier = tuple(item.sample for item in outcomes if item.public_passed == most)
    selections = _select(outcomes, tier, list(groups.values()), text, draw)
    with working_on(problem.id, "select"):
        store.put_executions(
            {f"{problem.id}/{number}": Execution(Status.OK, stdout="1", cpu_s=0.02) for number in range(20)}
        )
    for number in range(4):
        said = f"{' '.join(draw.choices(_WORDS.split(), k=80))}{text}\n\nANSWER: A"
        _answer(
            store, Purpose(problem.id, Stage.JUDGE, ordinal=f"choose/{number}"), f"judge {said}", said, draw
        )
    chosen = {name: item.chosen for name, item in selections.items()}
    oracle = next((item.sample for item in outcomes if item.hidden == "AC"), tier[0])
    outcome = ProblemOutcome(problem.id, tuple(outcomes), {**chosen, "oracle": oracle}, tier)
    texts = [(name, json.dumps(asdict(item))) for name, item in selections.items()]
    store.put_problem(problem.id, outcome.to_json(), rows, texts)


def _select(
    outcomes: list[SampleOutcome],
    tier: tuple[int, ...],
    groups: list[list[int]],
    text: str,
    draw: random.Random,
) -> dict[str, Selection]:
    groups.sort(key=len, reverse=True)
    clusters = tuple(tuple(members) for members in groups)
    good = next((place for place, members in enumerate(groups) if outcomes[members[0]].hidden == "AC"), 0)
    sure = draw.uniform(0.4, 1.0)
    pick = good if draw.random() < sure else 0
    outputs = {str(place): f"{draw.randint(0, 99)}{text}\n" for place in range(len(groups))}
    inputs = tuple(
        Distinguishing(f"{' '.join(draw.choices(_WORDS.split(), k=10))}{text}\n", outputs) for _ in range(4)
    )
    shares = tuple(len(members) / len(outcomes) for members in groups)
    asked = (Asked(inputs[0].input, (f"1{text}", f"2{text}"), ((0,), (1,)), "A", shares),)
    weighed = tuple(Evidence(share, share, {"agreement": 3 * share, "size": -share}) for share in shares)
    derived = (Derived(inputs[0].input, f"1{text}", 0.9, "the judge named it"),)
    return {
        "random": Selection("random", draw.choice(tier), 1 / len(tier)),
        "first": Selection("first", tier[0], 1 / len(tier)),
        "majority": Selection("majority", groups[0][0], shares[0], clusters),
        "adaptive": Selection(
            *("adaptive", groups[pick][0], sure, clusters, inputs, 4, 1200, 300, (f"a note{text}",)),
            *(weighed, asked, derived),
        ),
    }
