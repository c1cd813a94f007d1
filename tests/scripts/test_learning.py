"""What a learned optimiser is trained on, how learning is measured, and the examples of backtracking."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing

from scripts.train_tiny_model.backtracking.choose import choose_count, find_auc, plant
from scripts.train_tiny_model.learning import measure
from scripts.train_tiny_model.learning.lessons import make_lessons
from sstar_code.agent.comparison.arms import read_strategies
from sstar_code.agent.models.adapters.training import SERVED_RANK
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.strategies.table import parse_strategy
from tests.support import ROOT


def read_rows(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lessons_are_failed_programs_as_learn_tells_them_and_a_right_one(tmp_path):
    """Two steps of equally many different trials; a seed repeats all; the unseen ones never change."""
    make_lessons(tmp_path / "a", 30, 0, unseen=6)
    make_lessons(tmp_path / "b", 30, 1, unseen=6)
    make_lessons(tmp_path / "c", 30, 0, unseen=6)
    one, other, same = (read_rows(tmp_path / name / "lessons.jsonl") for name in "abc")
    assert one == same != other
    assert {len(step) for row in one for step in row["steps"]} == {1, 2}
    for row in one:
        trials = [trial for step in row["steps"] for trial in step]
        assert len({trial["answer"] for trial in trials}) == len(trials) in (2, 4)
        assert row["right"] not in {trial["answer"] for trial in trials}
        for trial in trials:
            assert re.match(r"Your answer is incorrect\.\nPublic tests: (\d passed, )?\d", trial["feedback"])
    unseen = [read_rows(tmp_path / name / "unseen.jsonl") for name in "ab"]
    assert unseen[0] == unseen[1]
    assert len(unseen[0]) == 6


def test_every_arm_of_learning_has_as_many_calls_at_most():
    """24 a problem, so that none ends before its tokens for want of calls alone."""
    for text in measure.ARMS.values():
        (strategy,) = read_strategies(text.replace(",optimizer=FILE", "").replace(":optimizer=FILE", ""))
        cell = measure.Cell(strategy, "cot", 1000)
        settings = cell.settings(Settings(n=measure.N, rounds=measure.ROUNDS))
        assert parse_strategy(settings.strategy or "sample").most_calls(settings) == 24


def write_run(folder, *, later: bool) -> None:
    """A run of two problems: the first sample fails, another passes where there is a `later` one."""
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "run.db")) as db, db:
        db.execute("CREATE TABLE problems (problem_id, outcome)")
        db.execute("CREATE TABLE calls (stage, sample, answer)")
        db.execute("CREATE TABLE candidates (problem_id, sample, round, code, public_passed, public_total)")
        for name in ("p", "q"):
            samples = [{"hidden": "WA"}, {"hidden": "AC" if later else "WA"}]
            outcome = {"problem_id": name, "samples": samples, "chosen": {"first": 1}}
            db.execute("INSERT INTO problems VALUES (?, ?)", (name, json.dumps(outcome)))
            for sample in (0, 1):
                answer = {"usage": {"prompt": 100, "output": 10}}
                db.execute("INSERT INTO calls VALUES ('generate', ?, ?)", (sample, json.dumps(answer)))
            rows = [(name, 0, 0, "a", 0, 2), (name, 0, 1, "b", 2, 2), (name, measure.N, 0, "c", 1, 2)]
            db.executemany("INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?)", rows)


def test_the_tables_of_learning_have_the_first_sample_and_what_changed_models_wrote(tmp_path):
    """Differences are paired; programs after a step stand beside further samples of the same seed."""
    runs = {}
    for arm, later in (("sampling", False), (measure.OPTUNE, True), (measure.FTTT, False)):
        runs[arm] = [tmp_path / f"seed-{seed}" / arm for seed in (0, 1)]
        for folder in runs[arm]:
            write_run(folder, later=later)
    text = measure.write_tables(runs)
    rows = {
        line.split(" | ")[0].removeprefix("| "): line for line in text.splitlines() if line.startswith("| ")
    }
    assert re.match(r"\| OpTune \| 100\.0 .* \| 440 \| \+100\.0 ", rows["OpTune"])
    assert re.match(r"\| first sample \| 0\.0 .* \| 220 \| \+0\.0 ", rows["first sample"])
    assert "OpTune less FTTT: +100.0" in text
    told = "after a step: 4 of 4 programs; further samples of these problems: 0 of 4 programs"
    assert f"OpTune: pass the public tests {told}" in text


def test_the_least_number_of_examples_near_the_best_is_chosen():
    """Within 0.02 of the best area under the curve."""
    assert choose_count({800: 0.60, 3200: 0.79, 12800: 0.80}) == 3200
    assert choose_count({800: 0.60, 3200: 0.70, 12800: 0.80}) == 12800
    assert find_auc([0.9, 0.2], [0.1, 0.2]) == 0.875


def test_planted_lines_follow_the_same_first_lines(tmp_path):
    """One wrong and one right line, which differ, behind lines of a program."""
    plant(tmp_path / "planted.jsonl", 20)
    rows = read_rows(tmp_path / "planted.jsonl")
    assert len(rows) == 20
    for row in rows:
        assert row["kept"].startswith("```python\n")
        assert row["kept"].endswith("\n")
        assert row["wrong"] != row["right"]
        assert "\n" not in row["wrong"] + row["right"]


def test_a_learned_step_has_the_rank_that_servers_are_set_up_for():
    """Its file is for a Python with PyTorch, so the number stands there a second time."""
    source = (ROOT / "agent" / "models" / "adapters" / "learned_step.py").read_text()
    assert re.findall(r"^RANK = (\d+)$", source, re.MULTILINE) == [str(SERVED_RANK)]
