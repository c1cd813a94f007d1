"""HumanEval, HumanEval+, MBPP and MBPP+ rows, and what their test programs accept."""

from __future__ import annotations

import pytest

from sstar_code.problems import Kind, ProblemFileError, Test
from sstar_code.problems.formats.evalplus import (
    read_arguments,
    read_humaneval,
    read_humaneval_plus,
    read_mbpp,
    read_mbpp_plus,
    restore,
)
from sstar_code.problems.formats.reference_tests import compare_with_reference
from sstar_code.problems.formats.rows import Row

HUMANEVAL = {
    "task_id": "HumanEval/900",
    "prompt": 'import math\n\ndef twice(x):\n    return 2 * x\n\ndef root(x):\n    """ Root of twice x.\n'
    '    >>> root(2)\n    2.0\n    """\n',
    "entry_point": "root",
    "canonical_solution": "    return math.sqrt(twice(x))\n",
    "test": "def check(candidate):\n    assert candidate(2) == 2\n    assert twice(1) == 2\n",
}
PLUS = HUMANEVAL | {"base_input": [[2]], "plus_input": [[8], [4.5]], "atol": 0, "contract": ""}
MBPP = {
    "task_id": 901,
    "text": "Write a function to add.",
    "code": "def helper(a):\r\n  return a\r\ndef add(a, b):\r\n  return helper(a) + b",
    "test_setup_code": "",
    "test_list": ["assert add(1, 2) == 3", "assert add((1,), (2,))==(1, 2) ", "assert add(1, 1) > 1"],
    "challenge_test_list": [],
}
ORIGIN = {
    "task_id": 901,
    "prompt": "Add.",
    "code": "def add(a, b):\n  return a + b\n",
    "test_imports": ["import math"],
    "test_list": ["assert math.isclose(add(1, 2), 3)"],
    "test": """import numpy as np
from math import inf


def assertion(out, exp, atol):
    if isinstance(exp, np.ndarray):
        assert False
    assert out == exp or np.allclose(out, exp, rtol=1e-07, atol=1e-6)


inputs = [[1, 2], [0.1, 0.2]]
results = [3, 0.3]
for i, (inp, exp) in enumerate(zip(inputs, results)):
    assertion(add(*inp), exp, 0)
""",
}
UNCHECKED = """import numpy as np

def assertion(out, exp, atol):
    if isinstance(out, bool):
        exact_match = out == exp
    else:
        exact_match = exp == (out is not None)


inputs = [[1, 2]]
results = [True]
for inp, exp in zip(inputs, results):
    assertion(add(*inp), exp, 0)
"""
INPUTS = {
    "task_id": "Mbpp/901",
    "prompt": '"""\nAdd.\nassert add((1,), (2,)) == (1, 2)\n"""\n',
    "entry_point": "add",
    "canonical_solution": "def add(a, b):\n  return a + b\n",
    "assertion": "\nassert add((1,), (2,)) == (1, 2)\nassert add((), ()) == ()\n",
    "base_input": [[[1], [2]]],
    "plus_input": [[[3], [4]]],
    "atol": 0,
    "contract": "",
}


def read(reader, row):
    return reader(Row("f.jsonl", 1, row))


def run(program, code):
    space: dict[str, object] = {}
    exec(code, space)
    exec(program, space)


def accepted(program, code):
    try:
        run(program, code)
    except Exception:  # noqa: BLE001 - any end but the normal one is a failure
        return False
    return True


def test_a_humaneval_row_is_read():
    """Public is the docstring, hidden is `check`, and the prompt's helpers come with the preamble."""
    problem = read(read_humaneval, HUMANEVAL)
    assert (problem.kind, problem.entry_point, problem.starter_code) == (
        Kind.FUNCTION,
        "root",
        HUMANEVAL["prompt"],
    )
    assert problem.public_tests == (Test("2", "2.0"),)
    assert problem.preamble == "import math\n\ndef twice(x):\n    return 2 * x\n\n"
    (hidden,) = problem.hidden_tests
    assert accepted(hidden.program, problem.metadata["reference"])
    assert accepted(hidden.program, "def root(x): return 2.0")
    assert not accepted(hidden.program, "def root(x): return 3")


def test_humaneval_plus_compares_with_the_reference():
    """The plus program wants the reference's values, close to 1e-6 where they are floats."""
    problem = read(read_humaneval_plus, PLUS)
    base, plus = (test.program for test in problem.hidden_tests)
    right = "import math\ndef root(x): return math.sqrt(x * 2) + 1e-9"
    assert accepted(plus, right)
    assert not accepted(base, "def root(x): return 4.0")
    assert not accepted(plus, "def root(x): return 2.0")
    mini = {key: value for key, value in PLUS.items() if key != "test"}
    (both,) = read(read_humaneval_plus, mini).hidden_tests
    assert accepted(both.program, right)
    assert not accepted(both.program, "import math\ndef root(x): return 4.0 if x == 8 else 3.0")


def test_a_published_program_with_inputs_and_results_needs_no_numpy():
    """A `check` that imports numpy runs with a stand-in of the part it uses."""
    test = (
        ORIGIN["test"].replace("inputs =", "def check(candidate):\n  pass\ninputs =").replace("add(", "root(")
    )
    problem = read(read_humaneval, HUMANEVAL | {"test": test})
    assert accepted(problem.hidden_tests[0].program, "def root(a, b): return a + b")


@pytest.mark.parametrize(
    ("reference", "code", "verdict"),
    [
        ("def f(x): return [1.0]", "def f(x): return [1.0000001]", True),
        ("def f(x): return [1.0]", "def f(x): return (1.0000001,)", False),
        ("def f(x): return [1.0]", "def f(x): return [1.0000001, 2.0]", False),
        ("def f(x): return 1", "def f(x): return 1.0", True),
        ("def f(x): return 10**12", "def f(x): return 10**12 + 1", False),
        ("def f(x): return x.pop()", "def f(x): return x.pop()", True),
        ("def f(x): return len(x)", "def f(x):\n  n = len(x); x.clear(); return n", True),
        ("def f(x): return ['a']", "def f(x): return ['b']", False),
    ],
)
def test_answers_are_compared_as_evalplus_does(reference, code, verdict):
    """Equal, or floats within the tolerance in a container of the same type and length."""
    assert accepted(compare_with_reference("f", reference, [[[1, 2, 3]]]), code) is verdict


def test_the_special_rules():
    """Any zero of a polynomial is right; sets ignore order; truth ignores the value."""
    cube = "def find_zero(xs): return 1.0"
    zero = compare_with_reference(
        "find_zero", cube, [[[-6, 11, -6, 1]]], absolute=1e-4, rule="zero of polynomial"
    )
    assert accepted(zero, "def find_zero(xs): return 2.00000001")
    assert not accepted(zero, "def find_zero(xs): return 2.5")
    items = compare_with_reference("f", "def f(): return [1, 2]", [[]], rule="set")
    assert accepted(items, "def f(): return (2, 1, 1)")
    assert not accepted(items, "def f(): return [1]")
    truth = compare_with_reference("f", "def f(): return 'match'", [[]], rule="truth")
    assert accepted(truth, "def f(): return True")
    assert not accepted(truth, "def f(): return None")


def test_an_mbpp_row_is_read():
    """The first assert is shown and public, all are hidden, and a plain one is judged by value."""
    problem = read(read_mbpp, MBPP)
    assert (problem.id, problem.entry_point, problem.checker) == ("901", "add", "python")
    assert problem.statement == "Write a function to add.\nassert add(1, 2) == 3\n"
    assert problem.public_tests == (Test("1\n2", "3"),)
    assert problem.hidden_tests[1] == Test('{"$tuple": [1]}\n{"$tuple": [2]}', '{"$tuple": [1, 2]}')
    assert problem.hidden_tests[2].program == "assert add(1, 1) > 1\n"


def test_setup_code_comes_with_every_assert():
    """Asserts that need set-up code stay programs with that code in front."""
    problem = read(read_mbpp, MBPP | {"test_setup_code": "x = 1", "test_list": ["assert add(x, 2) == 3"]})
    assert problem.hidden_tests == (Test(program="x = 1\nassert add(x, 2) == 3\n"),)


def test_both_files_of_mbpp_plus_are_read():
    """Either file gives asserts and one program; ids are evalplus's."""
    origin, inputs = read(read_mbpp_plus, ORIGIN), read(read_mbpp_plus, INPUTS)
    assert origin.id == inputs.id == "Mbpp/901"
    assert origin.hidden_tests[0].program == "import math\nassert math.isclose(add(1, 2), 3)\n"
    assert inputs.statement == "Add.\nassert add((1,), (2,)) == (1, 2)\n"
    for problem in (origin, inputs):
        program = problem.hidden_tests[-1].program
        assert accepted(program, problem.metadata["reference"])
        assert not accepted(program, "def add(a, b): return a")
    with pytest.raises(ProblemFileError, match="'plus_input'"):
        read(read_mbpp_plus, MBPP)


@pytest.mark.parametrize(("number", "verdict"), [("579", True), ("769", True), ("580", False)])
def test_answers_that_list_a_set_may_have_any_order(number, verdict):
    """As the published test programs of these problems have it, which the asserts do not show."""
    problem = read(read_mbpp_plus, INPUTS | {"task_id": f"Mbpp/{number}", "plus_input": [[[3, 4], [5]]]})
    program = problem.hidden_tests[-1].program
    assert accepted(program, "def add(a, b): return b + a") is verdict
    assert not accepted(program, "def add(a, b): return a")


def test_a_published_program_that_forgets_to_assert_asserts():
    """Where upstream computes a verdict and drops it, the verdict counts."""
    program = read(read_mbpp_plus, ORIGIN | {"test": UNCHECKED}).hidden_tests[-1].program
    assert accepted(program, "def add(a, b): return 'x'")
    assert not accepted(program, "def add(a, b): return None")


@pytest.mark.parametrize(
    ("value", "examples", "typed"),
    [
        ([1, 2], [(5, 6), (7,)], (1, 2)),
        ([[1, "a"]], [[(5, "b")]], [(1, "a")]),
        ([[1], [2]], [([1, 2], {3})], ([1], {2})),
        ([[1, [2]]], [((1, (2, (3,))),)], ((1, (2,)),)),
        ([[[[1]]]], [((1, (2,)),)], ((((1,),),),)),
        ([1], [[1], (1,)], [1]),
        ({"1": [2]}, [{3: (4,)}], {1: (2,)}),
        ({"a": 1}, [{3: 4}], {"a": 1}),
        ("(1+2j)", [3j], 1 + 2j),
        ("x", [3j], "x"),
        ("j", [3], "j"),
        ([], [], []),
    ],
)
def test_types_that_json_lost_come_back_from_examples(value, examples, typed):
    """Tuples, sets, integer keys and complex numbers are restored where the examples agree on them."""
    assert restore(value, examples) == typed
    assert repr(restore(value, examples)) == repr(typed)


@pytest.mark.parametrize(
    ("source", "arguments"),
    [
        ("f(1, [2])\nassert f(3) == 4", [[1, [2]], [3]]),
        ("f(set([1]))\ng(5)", [[{1}]]),
        ("f(n)\nf(2)", [[2]]),
        ("f(set(1))\nf(2)", [[2]]),
    ],
)
def test_arguments_are_read_where_they_are_literals(source, arguments):
    """A call with a name or with what cannot be built is passed over, and the others are read."""
    assert read_arguments(source, "f") == arguments


@pytest.mark.parametrize(
    ("reader", "row", "key"),
    [
        (read_humaneval, HUMANEVAL | {"test": None}, "'test' is missing"),
        (read_humaneval_plus, HUMANEVAL | {"test": None}, "'base_input' is missing"),
        (read_mbpp, MBPP | {"test_list": []}, "'test_list' must not be empty"),
        (read_mbpp, MBPP | {"test_list": ["assert len([]) == 0"]}, "calls a function that 'code' defines"),
        (read_mbpp, MBPP | {"code": 3}, "'code' must be a string"),
    ],
)
def test_a_fault_names_the_key(reader, row, key):
    """A row that cannot be used names its key."""
    with pytest.raises(ProblemFileError, match=key):
        read(reader, row)


@pytest.mark.parametrize(
    ("assertion", "program"),
    [
        ("assert math.isclose(add(1, 1), 2)", "import math\n\nassert math.isclose(add(1, 1), 2)\n"),
        (
            "import math\nassert math.isclose(add(1, 1), 2)",
            "import math\nassert math.isclose(add(1, 1), 2)\n",
        ),
        ("assert abs(add(1, 1)) == 2", "assert abs(add(1, 1)) == 2\n"),
    ],
)
def test_a_forgotten_import_of_math_is_added_once(assertion, program):
    """Mbpp/120 uses `math` without an import; what imports it, or does not use it, stays as it is."""
    problem = read(read_mbpp_plus, INPUTS | {"assertion": assertion, "plus_input": []})
    assert problem.public_tests[0].program == program


def test_no_test_accepts_everything():
    """A row without further inputs, as Mbpp/793, has its asserts and no test that has nothing to ask."""
    problem = read(read_mbpp_plus, INPUTS | {"plus_input": {}})
    assert len(problem.hidden_tests) == 2
    assert all(test.program is None or "INPUTS = []" not in test.program for test in problem.hidden_tests)


def test_a_row_without_asserts_is_refused():
    """An `assertion` that is Python and asserts nothing is one line, no traceback."""
    with pytest.raises(ProblemFileError, match="'assertion' holds no assert"):
        read(read_mbpp_plus, INPUTS | {"assertion": "[]"})


@pytest.mark.parametrize("inputs", [[None], [[1, 2], "ab"], {"a": 1}])
def test_further_inputs_that_are_no_lists_of_arguments_are_refused(inputs):
    """Inputs of another type are one line, too."""
    with pytest.raises(ProblemFileError, match="'plus_input' must be a list of lists"):
        read(read_mbpp_plus, INPUTS | {"plus_input": inputs})
