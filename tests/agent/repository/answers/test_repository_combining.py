"""Functions that only a test of several of them verifies, and what is said at the end."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.cli.commands.fix import summarize
from sstar_code.agent.prompts.templates import FOR_REPOSITORY, NAMES, Prompts
from sstar_code.agent.repository.combine import order_sets, split_group
from sstar_code.agent.repository.find.project_files import parse_source, read_source
from sstar_code.agent.repository.find.stubs import find_function
from sstar_code.agent.repository.task.checks import Checks, TestFunction
from sstar_code.agent.repository.task.problem import make_task
from sstar_code.agent.repository.verify.runner import RepositoryRunner
from sstar_code.agent.repository.write_function import FunctionWriter, list_fitting, refuse, why_unfit
from sstar_code.problems import Kind, Problem, Test
from sstar_code.selection import Candidate, Selection

MODULE = '''def pack(values):
    """As text."""
    ...


def unpack(text):
    """What `pack` was given."""
    ...
'''
TESTS = """from a import pack, unpack


def test_both():
    text = pack([1, 22])
    assert isinstance(text, str)
    assert unpack(text) == [1, 22]
"""
PACK = 'def pack(values):\n    return "{0}".join(map(str, values))\n'
UNPACK = 'def unpack(text):\n    return [int(part) for part in text.split("{0}")]\n'


@pytest.fixture
def repository(tmp_path, monkeypatch):
    root = tmp_path / "repo"
    (root / ".git").mkdir(parents=True)
    (root / "a.py").write_text(MODULE)
    (root / "test_a.py").write_text(TESTS)
    monkeypatch.chdir(root)
    return root


@pytest.mark.slow  # the parts are shown below
@pytest.mark.usefixtures("sandbox_local")
def test_candidates_that_agree_are_put_together(repository, fix):
    """Most candidates of one function fit those of the other badly; a pair that passes is found.

    The same command again asks nothing and gives the same, from what is remembered of the runs.
    """
    answers = {
        "pack": [PACK.format(";"), PACK.format(";"), PACK.format("-")],
        "unpack": [UNPACK.format(","), UNPACK.format("-"), UNPACK.format(",")],
    }
    words = ("--n", "3", "--sandbox", "local", "a.py")
    ended = fix(answers, *words)
    assert ended.code == 0, ended.out + ended.err
    assert "unpack: written: passes 1 test together with pack" in ended.out
    assert 'text.split("-")' in ended.out
    assert '"-".join(' in ended.out
    again = fix({}, *words)
    assert (again.code, again.out) == (0, ended.out)
    assert [item for item in fix.models[1].requests if item.purpose.stage == "generate"] == []
    assert (repository / "a.py").read_text() == MODULE


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_likely_sets_come_first(counts):
    """Each set once, in order of how far back its members stand in their lists."""
    tried = [[str(place) for place in range(count)] for count in counts]
    found = [tuple(map(int, item)) for item in order_sets(tried)]
    most = [range(min(count, 8)) for count in counts]
    assert sorted(found) == sorted(itertools.product(*most))
    assert [sum(item) for item in found] == sorted(sum(item) for item in found)


def test_what_does_not_fit_is_passed_over():
    """Candidates that would be the same in the file count once; why one does not fit is told."""
    stub = find_function(parse_source("/r/a.py", MODULE.encode()), "pack")
    one, same, other = PACK.format(";"), f"# note\n{PACK.format(';')}", PACK.format("-")
    codes = ["def pack(text): return 1\n", one, "def pack(", same, other]
    assert list_fitting(stub, codes) == (one, other)
    assert "parameters" in why_unfit(stub, codes[0])
    assert why_unfit(stub, one) == ""


def test_the_next_of_the_cluster_is_taken(repository):
    """Where the chosen candidate does not fit into the file, one that behaves alike is; no other."""
    stub = find_function(read_source(repository / "a.py"), "pack")
    writer = FunctionWriter(RepositoryRunner(repository, "python3", None), None, None)
    task = make_task(stub, Checks(), repository, "s")
    misfit, fitting, other = "def pack(text): return 1\n", PACK.format(";"), PACK.format("-")
    candidates = [Candidate(code, 1, 1) for code in (misfit, fitting, other)]
    for clusters, code in ((((0, 1), (2,)), fitting), (((0,), (1, 2)), "")):
        result = writer._accept(stub, task, candidates, Selection("sstar", 0, 0.5, clusters))
        assert (result.code, bool(result.finding.outcome == "passed")) == (code, bool(code))
    assert "the chosen candidate does not fit: its parameters have to be (values)" in result.finding.message


def test_groups_have_no_check_in_common(repository):
    """Functions that share a check, if only by way of a third one, are put together."""
    stub = find_function(read_source(repository / "a.py"), "pack")
    results = []
    for names in ("a", "b", "ac", "d", "cd"):
        tests = tuple(TestFunction("t.py", name, (name,)) for name in names)
        task = make_task(stub, Checks(tests=tests), repository, names)
        results.append(replace(refuse(repository, stub, names), task=task))
    groups = [[item.finding.message for item in group] for group in split_group(results)]
    assert [sorted(group) for group in groups] == [["b"], ["a", "ac", "cd", "d"]]


@pytest.mark.parametrize(
    ("done", "total", "files", "is_written", "said"),
    [
        (2, 3, 1, True, "2 of 3 functions written, in 1 file"),
        (1, 1, 1, False, "1 of 1 function could be written, in 1 file; the diff shows how, --write does it"),
        (4, 4, 2, True, "4 of 4 functions written, in 2 files"),
        (0, 2, 0, True, "0 of 2 functions written, no file is changed"),
    ],
)
def test_the_last_line_counts_functions_and_files(done, total, files, is_written, said):
    """How many of how many, and what to do."""
    assert summarize(done, total, files, is_written=is_written) == said


CONTEST = ("competitive", "contest", "standard input", "# problem", "programming problem", "public test")


def test_prompts_speak_of_the_repository():
    """Those for samples and repairs say nothing of contests, and have what verifies the function."""
    problem = Problem(
        "a.py::f",
        "Write the body of one function of an existing Python repository.",
        Kind.FUNCTION,
        entry_point="f",
        starter_code="def f(x):\n    ...\n",
        public_tests=(Test("1", "2"), Test(program="# test_a.py::test_f\ndef test_f(): assert f(3) == 4")),
    )
    prompts = Prompts(FOR_REPOSITORY)
    told = {"failures": (), "summary": "s", "passed": 1, "total": 2, "earlier": (), "reason": "no code"}
    rendered = [
        prompts.render("generate", problem, style=style) for style in ("cot", "direct", "draft", "plan")
    ]
    rendered += [prompts.render("debug", problem, code=code, is_cut=False, **told) for code in (None, "x")]
    rendered += [
        prompts.render("ideas", problem, count=2),
        prompts.render("critique", problem, first="x = 1", second="y = 1", case=None),
        prompts.render("changes", problem, first="x = 1", critique="Slow."),
        prompts.render("rewrite", problem, code="x = 1", summary="s", advice="Less."),
    ]
    for messages in rendered:
        text = "\n".join(message.content for message in messages).lower()
        assert "repositor" in text
        assert [word for word in CONTEST if word in text] == []
    assert "f(1) == 2" in rendered[0][1].content
    assert "def test_f(): assert f(3) == 4" in rendered[0][1].content
    assert {path.name for path in FOR_REPOSITORY.iterdir()} <= set(NAMES)
