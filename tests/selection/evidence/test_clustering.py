from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems import Kind, Problem
from sstar_code.sandbox import Execution, Failure, Status
from sstar_code.sandbox.outcome import cut_output
from sstar_code.selection.evidence.clustering import (
    Behaviour,
    behaviour_of,
    cluster_programs,
    compare_with,
    find_differences,
    label,
)

FLOATS = Problem("p", "", Kind.STDIN, checker="floats:1e-6")
EXACT = Problem("p", "", Kind.STDIN)

executions = st.one_of(
    st.sampled_from(["1", "1.0000005", "1.000001", "1.0000015", "2", "x"]).map(
        lambda text: Execution(Status.OK, stdout=text)
    ),
    st.sampled_from([Status.RE, Status.TLE, Status.MLE]).map(Execution),
)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(executions, min_size=width, max_size=width), min_size=1, max_size=8)
)


def ok(*texts):
    return [Execution(Status.OK, stdout=text) for text in texts]


@given(tables)
def test_clusters_partition(table):
    """Every candidate is in exactly one cluster, and members of a cluster do not differ from one another."""
    inputs = [str(place) for place in range(len(table[0]))]
    found = cluster_programs(FLOATS, inputs, dict(enumerate(table)))
    assert sorted(index for cluster in found.clusters for index in cluster) == list(range(len(table)))
    assert len(set(map(tuple, zip(*found.labels, strict=True))) or {()}) == len(found.clusters)
    assert len(found.explaining()) <= len(found.clusters) - 1


@given(tables, st.randoms(use_true_random=False))
def test_clusters_do_not_depend_on_order(table, rng):
    """Shuffled candidates are grouped as before, also where closeness is not transitive."""
    inputs = [str(place) for place in range(len(table[0]))]
    order = rng.sample(range(len(table)), len(table))
    plain = cluster_programs(FLOATS, inputs, dict(enumerate(table)))
    moved = cluster_programs(FLOATS, inputs, {place: table[old] for place, old in enumerate(order)})
    renamed = {frozenset(order[index] for index in cluster) for cluster in moved.clusters}
    assert renamed == {frozenset(cluster) for cluster in plain.clusters}
    assert moved.inputs == plain.inputs


def test_float_noise_does_not_split():
    """Outputs within the checker's tolerance, also through a chain, are one behaviour."""
    runs = {0: ok("1.0"), 1: ok("1.0000018"), 2: ok("1.0000009"), 3: ok("1.1")}
    assert cluster_programs(FLOATS, ["a"], runs).clusters == ((0, 1, 2), (3,))


def test_unordered_answers_do_not_split():
    """Where any order is right, order does not split."""
    problem = Problem("p", "", Kind.FUNCTION, "f", checker="unordered")
    runs = {0: [Execution(Status.OK, result="[1, 2]")], 1: [Execution(Status.OK, result="[2, 1]")]}
    assert len(cluster_programs(problem, ["a"], runs).clusters) == 1


def test_checker_program_compares_text():
    """With a checker program only equal text is alike."""
    problem = Problem("p", "", Kind.STDIN, checker={"program": "..."})
    alike = compare_with(problem)
    assert label(
        [Behaviour(Status.OK, "1"), Behaviour(Status.OK, "1"), Behaviour(Status.OK, "1 ")], alike
    ) == (0, 0, 1)


def test_undecodable_output_is_like_no_other():
    """A returned value that is no encoded value splits instead of raising."""
    problem = Problem("p", "", Kind.FUNCTION, "f")
    runs = {0: [Execution(Status.OK, result="{")], 1: [Execution(Status.OK, result="1")]}
    assert len(cluster_programs(problem, ["a"], runs).clusters) == 2


def test_failures_are_behaviours():
    """A crash, a time-out and an answer are three behaviours; two different crashes are one."""
    runs = {
        0: ok("1"),
        1: [Execution(Status.RE, failure=Failure("ValueError"))],
        2: [Execution(Status.RE, failure=Failure("IndexError"))],
        3: [Execution(Status.TLE)],
    }
    found = cluster_programs(EXACT, ["a"], runs)
    assert found.clusters == ((0,), (1, 2), (3,))
    assert [seen.text for seen in found.behaviours[0]] == ["1", "<RE: ValueError>", "<TLE>"]


def test_inputs_that_tell_nothing_do_not_count():
    """An input on which all fail and one that the sandbox lost are dropped and counted."""
    runs = {
        0: [Execution(Status.RE), *ok("1"), Execution(Status.IE), *ok("7")],
        1: [Execution(Status.TLE), *ok("1"), *ok("1"), *ok("8")],
    }
    found = cluster_programs(EXACT, ["bad", "same", "lost", "split"], runs)
    assert (found.inputs, found.all_failed, found.lost) == (("same", "split"), 1, 1)
    assert found.splitting(0, 1) == [1]
    assert found.explaining() == [1]


def test_no_input_is_one_cluster():
    """Without an input nobody differs."""
    assert cluster_programs(EXACT, [], {0: [], 1: []}).clusters == ((0, 1),)


def test_explaining_prefers_short_inputs():
    """The short one is reported of two inputs that split alike."""
    found = cluster_programs(EXACT, ["long input", "b"], {0: ok("1", "1"), 1: ok("2", "2")})
    assert found.explaining() == [1]


def test_differences_need_one_success():
    """Two failures of different kinds are no difference to judge, nor is a run that the sandbox lost."""
    first = [*ok("1", "1"), Execution(Status.RE), Execution(Status.RE), *ok("1")]
    second = [*ok("2", "1"), Execution(Status.TLE), *ok("3"), Execution(Status.IE)]
    assert [seen[0] for seen in find_differences(EXACT, list("abcde"), first, second)] == ["a", "d"]


def test_unknown_checker_is_refused():
    """A misspelt checker raises instead of silently comparing text."""
    with pytest.raises(ValueError, match="unknown checker"):
        compare_with(Problem("p", "", Kind.STDIN, checker="exakt"))


def test_behaviour_of_caps_failure_type():
    """A class name chosen by a candidate is capped."""
    long_name = "E" * random.Random(0).randint(200, 300)
    assert len(behaviour_of(Execution(Status.RE, failure=Failure(long_name))).failure) == 80


def test_outputs_that_were_cut_are_alike_where_length_and_hash_say_so():
    """No checker is asked about them; an expected output that was not cut can be met by them."""
    long = "1.0 " * 1000
    cut = cut_output(long, 100)
    alike = compare_with(FLOATS)
    assert alike(long, cut)
    assert alike(cut_output(long, 50), cut)
    assert not alike(cut, cut_output(f"{long}1.0000001", 100))
    assert not alike(cut, "1.0 " * 25)


@pytest.mark.parametrize("count", [2, 6, 32])
def test_a_checker_is_asked_about_a_bounded_amount_of_text(count):
    """However many outputs differ, and however long they are: short ones of the same column are compared."""
    asked = []

    def alike(first, second):
        asked.append(len(first) + len(second))
        return first[0] == second[0]

    texts = [str(number) * 60_000 for number in range(10, 10 + count)]
    column = [Behaviour(Status.OK, text) for text in ("a1", *texts, "a2")]
    labels = label(column, alike)
    assert labels[0] == labels[-1]
    assert sum(asked) < 1_200_000
