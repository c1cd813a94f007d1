"""A run of six problems whose numbers can be worked out by hand: one for each way to end."""

from __future__ import annotations

import json
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

__all__ = ["make_small_run"]

# For each sample its rounds: public tests passed of two (None: the answer held no program), hidden verdict.
_SAMPLES: dict[str, list[list[tuple[int | None, str | None]]]] = {
    "sum": [[(2, "AC")], [(1, "WA"), (2, "AC")], [(None, "CE"), (0, "RE")]],
    "sort": [[(2, "WA")], [(2, "AC")], [(1, "WA"), (1, None)]],
    "walk": [[(1, "WA"), (2, "WA")], [(1, "TLE"), (0, None)], [(0, "RE"), (0, None)]],
    "open": [[(2, None)], [(2, None)], [(1, None), (2, None)]],
}
_CHOSEN = {"sum": 1, "sort": 0, "walk": 0, "open": 0}
_METADATA = {
    "sum": {"difficulty": "easy", "platform": "leetcode", "date": "2025-01-11"},
    "sort": {"difficulty": "hard", "platform": "atcoder", "date": "2025-02-11"},
    "walk": {"difficulty": "easy", "platform": "atcoder", "date": "2025-02-11"},
    "lost": {"difficulty": "hard", "platform": "leetcode", "date": "2025-01-11"},
    "late": {},
    "open": {"difficulty": "medium", "platform": "leetcode", "date": "2025-03-11"},
}


def make_small_run(folder: Path, *, select: str = "adaptive", sort_chosen: int = 0) -> dict[str, Problem]:
    """Write manifest, store and summary into `folder`; the problems by id.

    `sum` is solved, `sort` has a right sample that is not chosen, `walk` has none, `lost` failed, `late` was
    not reached and `open` has no hidden tests. `sort_chosen` is the sample that `adaptive` chose for `sort`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    problems = {name: _problem(name) for name in _METADATA}
    config = {"label": "small", "set": "0", "problems": list(problems), "model": "none", "prompts": "0"}
    config |= {"n": 3, "rounds": 1, "temperature": 0.7, "seed": 0, "select": select, "max_tokens": 4096}
    versions = {"python": "3.11"}
    manifest = {"config": config, "versions": versions, "data": "", "command": ["sstar", "eval", "small"]}
    write_json(folder / "manifest.json", manifest)
    with closing(Store(folder / "run.db")) as store:
        for name in _SAMPLES:
            _write_problem(store, name, {**_CHOSEN, "sort": sort_chosen}[name])
        store._db.execute("UPDATE calls SET created_at = '2025-05-01T10:00:00.000+00:00'")
        store._db.execute("UPDATE calls SET created_at = '2025-05-01T11:30:59.000+00:00' WHERE rowid = 9")
    summary = {"failed": {"lost": "the sandbox lost a run (IE)"}, "cost": {"total": 0.0123456}}
    write_json(folder / "summary.json", summary)
    return problems


def _problem(name: str) -> Problem:
    return Problem(
        id=name,
        statement=f"The problem {name}.",
        kind=Kind.STDIN,
        public_tests=(Test("3\n", "6\n"), Test("5\n", "10\n")),
        hidden_tests=() if name == "open" else (Test("7\n", "14\n"),),
        metadata=_METADATA[name],
    )


def _ask(store: Store, purpose: Purpose, prompt: str, answer: Answer) -> None:
    store.put_answer(Request((Message("user", prompt),), purpose, seed=purpose.sample), answer)


def _write_problem(store: Store, name: str, chosen_sample: int) -> None:
    rows, samples = [], []
    for sample, rounds in enumerate(_SAMPLES[name]):
        passed = [-1 if count is None else count for count, _ in rounds]
        best = passed.index(max(passed))
        for number, (count, hidden) in enumerate(rounds):
            code = None if count is None else f"print({name!r}, {sample}, {number})"
            rows.append((sample, number, code, count or 0, 2, number == best, hidden))
            told = f"# What happened\nIt printed {number}.\n# Answer\nWrite it again." if number else ""
            stage = Stage.DEBUG if number else Stage.GENERATE
            purpose = Purpose(name, stage, sample, number)
            usage = Usage(200, None, 60, None) if number else Usage(100, 50, 40, 10)
            if (name, sample, number) == ("walk", 2, 1):
                usage = Usage()
            cut = {"reasoning": "hm", "finish_reason": "length"} if code is None else {}
            answer = Answer(code or "", usage=usage, seconds=3.5 if number else 2.25, **cut)
            _ask(store, purpose, f"Solve {name}.\n{told}", answer)
        final = rounds[best][1]
        samples.append(
            SampleOutcome(
                sample, len(rounds), max(passed[best], 0), passed[best] == 2, rounds[0][1], final,
                failed="refused" if (name, sample) == ("walk", 1) else None,
            )
        )  # fmt: skip
    if name == "sort":
        answer = Answer("B", usage=Usage(300, 0, 5, 0), seconds=1.0)
        _ask(store, Purpose(name, Stage.JUDGE, ordinal="q/1"), "Which?", answer)
        _ask(store, Purpose(name, Stage.INPUTS, ordinal="kit"), "Inputs?", Answer("", usage=Usage()))
    with working_on(name, "grade"):
        store.put_executions({f"{name}/{n}": Execution(Status.OK, "1", cpu_s=0.25) for n in range(len(rows))})
    most = max(item.public_passed for item in samples)
    tier = tuple(item.sample for item in samples if item.public_passed == most)
    selections = _select(name, tier, chosen_sample)
    chosen = {method: item.chosen for method, item in selections.items()} | {"oracle": 0}
    outcome = ProblemOutcome(name, tuple(samples), chosen, tier)
    texts = [(method, json.dumps(asdict(item))) for method, item in selections.items()]
    store.put_problem(name, outcome.to_json(), rows, texts)


def _select(name: str, tier: tuple[int, ...], chosen: int) -> dict[str, Selection]:
    clusters = ((0,), (1, 2)) if name == "sort" else ((0, 1, 2),)
    found = {
        "first": Selection("first", tier[0], 1 / len(tier)),
        "majority": Selection("majority", 0, 0.5, clusters),
        "adaptive": Selection("adaptive", chosen, 0.95 if name == "sum" else 0.55, clusters),
    }
    if name == "sort":
        found["adaptive"] = Selection(
            *("adaptive", chosen, 0.55, clusters),
            distinguishing=(Distinguishing("9\n", {"0": "1\n", "1": "2\n"}),),
            calls=1,
            tokens=305,
            executions=12,
            notes=("a note",),
            evidence=(Evidence(0.4, 0.45, {"size": -0.5}), Evidence(0.6, 0.55, {"size": 0.5})),
            asked=(Asked("9\n", ("1", "2"), ((0,), (1,)), "A", (0.55, 0.45)),),
            derived=(Derived("9\n", "1\n", 0.9, "asked"),),
        )
    return found
