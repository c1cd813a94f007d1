"""What is written for the benchmarks' own evaluators is what they read, and what we read back."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems import read_samples
from sstar_code.problems.samples import make_evalplus_rows, make_livecodebench_rows

IDS = st.lists(st.text(min_size=1), min_size=1, max_size=5, unique=True)
SAMPLES = IDS.flatmap(
    lambda ids: st.tuples(st.just(ids), st.lists(st.tuples(st.sampled_from(ids), st.text()), max_size=12))
)


def read_like_evalplus(path, task_ids):
    """The conditions of evalplus: lines of objects, `solution` or `completion` a text, every task there."""
    found = {task: [] for task in task_ids}
    for line in path.read_text("utf-8").split("\n"):
        if line.strip():
            row = json.loads(line)
            assert isinstance(row["solution"], str)
            if row["task_id"] in found:
                found[row["task_id"]].append(row["solution"])
    assert all(found.values()), "a task is missing"
    return found


def read_like_livecodebench(path, question_ids):
    """LiveCodeBench's conditions: one list, one entry a problem, paired by sorted id, lists of one length."""
    outputs = json.loads(path.read_text("utf-8"))
    assert isinstance(outputs, list)
    assert len(outputs) == len(question_ids)
    lists = [item["code_list"] for item in sorted(outputs, key=lambda item: str(item["question_id"]))]
    assert len({len(codes) for codes in lists}) == 1
    assert all(isinstance(code, str) for codes in lists for code in codes)
    return dict(zip(sorted(question_ids), lists, strict=True))


@given(SAMPLES)
def test_both_forms_are_read_by_their_evaluators_and_by_us(tmp_path_factory, drawn):
    """Every program of every problem comes back, in order; only the empty program is added."""
    ids, samples = drawn
    folder = tmp_path_factory.mktemp("exports")
    evalplus, livecodebench = folder / "samples.jsonl", folder / "lcb.json"
    wanted = {name: [code for problem, code in samples if problem == name] for name in ids}
    rows = make_evalplus_rows(wanted)
    evalplus.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    livecodebench.write_text(json.dumps(make_livecodebench_rows(wanted), indent=2), "utf-8")
    assert read_like_evalplus(evalplus, ids) == {name: codes or [""] for name, codes in wanted.items()}
    most = max(1, *map(len, wanted.values()))
    padded = {name: codes + [""] * (most - len(codes)) for name, codes in wanted.items()}
    assert read_like_livecodebench(livecodebench, ids) == padded
    for path, expected in ((evalplus, {n: c or [""] for n, c in wanted.items()}), (livecodebench, padded)):
        read = [(sample.problem_id, sample.code) for sample in read_samples(path)]
        assert read == [(name, code) for name, codes in expected.items() for code in codes]
