"""Readers of statements, programs and replies, at the edges of what they take."""

from __future__ import annotations

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.values import decode_lines
from sstar_code.selection.inputs.contract.contract import CallForm, Contract, LinesForm
from sstar_code.selection.inputs.contract.domain import Domain, all_distinct, infer, is_sorted, letters_of
from sstar_code.selection.inputs.contract.examples import named_calls, parameter_names, public_inputs
from sstar_code.selection.inputs.contract.stated_limits import Stated, narrow_call, narrow_layout, read_stated
from sstar_code.selection.inputs.replies import CallShape, parse_inputs
from sstar_code.selection.inputs.stdin_layout.infer import find_layout
from sstar_code.selection.inputs.strategies.plain_text import enlarge_text, quoted_signs, read_dictionary


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("1 < n < 10", [Stated("n", low=2, high=9)]),
        ("1 <= n < 10", [Stated("n", low=1, high=9)]),
        ("n <= 5", [Stated("n", high=5)]),
        ("5 <= n", [Stated("n", low=5)]),
        ("1 <= a < b <= 9", [Stated("a", low=1, high=8, bound="b"), Stated("b", low=2, high=9)]),
        ("0 <= x <= 10^9 + 7", [Stated("x", low=0, high=10**9 + 7)]),
        ("0 <= x <= 2^31 - 1", [Stated("x", low=0, high=2**31 - 1)]),
        ("-2^31 <= x <= 3*10^2", [Stated("x", low=-(2**31), high=300)]),
        ("1 <= x <= 2e3", [Stated("x", low=1, high=2000)]),
        ("1 <= x <= 1,000,000", [Stated("x", low=1, high=1_000_000)]),
        ("1 <= x <= 10**4", [Stated("x", low=1, high=10_000)]),
        ("1 <= x_i <= 5", [Stated("x", 1, low=1, high=5)]),
        ("1 <= x_{i,j} <= 5", [Stated("x", 2, low=1, high=5)]),
        ("1 <= x_1 <= 5", [Stated("x", 1, low=1, high=5)]),
        ("1 <= g[i][j] <= 5", [Stated("g", 2, low=1, high=5)]),
        ("1 <= g[i].length <= 5", [Stated("g", 1, True, 1, 5)]),
        ("1 <= s.size() <= 5", [Stated("s", 0, True, 1, 5)]),
        ("1 <= a, b <= 5", [Stated("a", low=1, high=5), Stated("b", low=1, high=5)]),
        ("1 <= my_name <= 5", [Stated("my_name", low=1, high=5)]),
        ("- 1 <= x <= 5", [Stated("x", low=1, high=5)]),
        ("1 <= x <= 5.5", [Stated("x", low=1)]),
        ("1 <= x <= 5 and 1 <= x <= 5", [Stated("x", low=1, high=5)]),
        ("x" * 30_000 + " 1 <= x <= 5", []),
        ("1 < 2", []),
    ],
)
def test_ranges_in_every_spelling(text, stated):
    """Strict ends are moved by one, sums and powers worked out; what no number bounds says nothing."""
    assert read_stated(text) == stated


def int_domain(*seen, **fields):
    return Domain("int", seen, **{"low": 0} | fields)


@pytest.mark.parametrize(
    ("part", "text", "after"),
    [
        (int_domain(3), "1 <= a <= 3", int_domain(3, low=1, high=3)),
        (int_domain(3), "3 <= A <= 9", int_domain(3, low=3, high=9)),
        (int_domain(3), "4 <= a <= 9", int_domain(3)),
        (int_domain(3), "1 <= a <= 2", int_domain(3)),
        (int_domain(3), "a <= 9", int_domain(3, high=9)),
        (int_domain(3), "1 <= a.length <= 9", int_domain(3)),
        (Domain("text", ("ab",)), "2 <= a.length <= 2", Domain("text", ("ab",), fewest=2, most=2)),
        (Domain("text", ("ab",)), "3 <= a.length <= 4", Domain("text", ("ab",))),
        (Domain("text", ("ab",)), "0 <= a.length <= 1", Domain("text", ("ab",))),
        (Domain("text", ("ab",)), "1 <= a <= 9", Domain("text", ("ab",))),
        (Domain("bool"), "1 <= a <= 9", Domain("bool")),
    ],
)
def test_a_range_holds_unless_an_example_breaks_it(part, text, after):
    """The ends themselves are inside."""
    whole = Domain("record", parts=(part,))
    assert narrow_call(whole, ["a"], text).parts == (after,)
    assert narrow_call(whole, ["b"], text).parts == (part,)


def test_ranges_of_a_layout_are_matched_in_order():
    """Single values to single values, items to items; what an example breaks is passed over."""
    numbers = Domain("list", ([4, 5],), parts=(int_domain(4, 5),))
    domain = Domain("record", parts=(int_domain(2), int_domain(7), numbers))
    found = narrow_layout(domain, "1 <= n <= 5, 3 <= k <= 7, 4 <= a_i <= 9")
    assert [(part.low, part.high) for part in found.parts[:2]] == [(1, 5), (3, 7)]
    assert (found.parts[2].parts[0].low, found.parts[2].parts[0].high) == (4, 9)
    found = narrow_layout(domain, "8 <= n <= 9, 4 <= a_i <= 9")
    assert [(part.low, part.high) for part in found.parts[:2]] == [(0, None), (0, None)]
    assert found.parts[2].parts[0].high == 9


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        ([True, False], "bool", {}),
        ([1, 0], "int", {"low": 0}),
        ([1, -1], "int", {"low": None}),
        ([1, 2.5], "float", {"low": 0}),
        (["0101", "11"], "text", {"letters": "01"}),
        (["01"], "text", {"letters": ""}),
        (["abcd", "abcd"], "text", {"letters": "abcd"}),
        (["abcde", "abcde"], "text", {"letters": ""}),
        (["#.*+!", "."], "text", {"letters": "!#*+."}),
        (["1:2", "3:4"], "text", {"shape": r"\d:\d"}),
        (["1:2"], "text", {"shape": ""}),
        (["12", "34"], "text", {"shape": ""}),
        ([b"x"], "other", {}),
        ([1, "a"], "mixed", {}),
        ([{1, 2}], "list", {"make": set, "distinct": True}),
        ([[1, "a"]], "record", {}),
        ([[1, 2]], "list", {"level": False}),
        ([["ab", "cd"], ["ef", "gh"]], "list", {"level": True}),
        ([["a", "b"], ["e", "f"]], "list", {"level": False}),
        ([["ab", "c"], ["e", "f"]], "list", {"level": False}),
        ([[[1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7]]], "list", {"level": True}),
        ([[[1, 2], [3, 4]], [[5, 6], [0, 9]]], "list", {"level": False}),
    ],
)
def test_what_examples_have_in_common(values, kind, said):
    """The narrowest kind, and only what is hardly by chance."""
    domain = infer(values)
    assert domain.kind == kind
    assert {name: getattr(domain, name) for name in said} == said
    assert all(map(domain.admits, values))


def test_pairs_of_numbers_that_always_ascend():
    """From four on it is no chance."""
    rows = [[1, 5], [2, 3], [0, 7], [4, 4]]
    assert infer([rows]).parts[0].ordered
    assert not infer([rows[:3]]).parts[0].ordered
    assert not infer([[*rows[:3], [5, 4]]]).parts[0].ordered


def test_small_questions_of_values():
    """Equal by what they are, in order where that can be said."""
    assert all_distinct([1, "1", 1.0])
    assert not all_distinct([[1], [1]])
    assert is_sorted([1, 1, 2])
    assert not is_sorted([2, 1])
    assert not is_sorted([1, "a"])
    assert letters_of(["ba", "c"]) == "abc"
    assert letters_of([]) == ""
    assert not Domain("mapping", parts=(int_domain(1), int_domain(1))).admits([1])
    assert not int_domain(1).admits(True)


def call(*inputs, starter="", statement=""):
    return Problem("p", statement, Kind.FUNCTION, "f", starter, tuple(Test(text, "1") for text in inputs))


def test_relations_of_arguments():
    """A count follows its list; two lists of one length stay so, the shorter filled up to twice its own."""
    form = CallForm.of([[[1, 2], 2, [3, 4]], [[1, 2, 3], 3, [5, 6, 7]]])
    assert (form.counts, form.equal) == (((1, 0), (1, 2)), ((0, 2),))
    assert decode_lines(form.write([[1, 2], 9, [5, 6, 7]])) == [[1, 2, 1], 3, [5, 6, 7]]
    assert decode_lines(form.write([[1], 9, [5, 6, 7]])) == [[1], 1, [5]]
    assert decode_lines(form.write([[], 9, [5]])) == [[], 0, []]
    assert CallForm.of([[[1], [2]]]).equal == ()
    assert CallForm.of([[[1, 2, 3], [4, 5, 6]]]).equal == ((0, 1),)
    assert CallForm.of([[[1], 1]]).counts == ()
    assert CallForm.of([]) == CallForm()


def test_a_value_that_cannot_be_written_has_no_text():
    """It is none of a program's inputs."""
    contract = Contract.of(call("[1]"))
    assert contract.read('{"$repr": "x", "$type": "T"}') is None
    lines = LinesForm((True,), as_json=True)
    assert lines.write([{1}]) is None
    assert lines.write(["é"]) == '"\\u00e9"'
    with pytest.raises(ValueError, match="another number of lines"):
        lines.read("1\n2")


def test_calls_in_free_text():
    """Each once, whole, with literal arguments; a longer name that ends alike is another."""
    text = "f(1, [2]) and f(1, [2]); g.f(3) xf(4) f(x) f() f('a)b') f(k=1) f({'a': (1, 2)})"
    assert named_calls(text, "f") == [[1, [2]], ["a)b"], [{"a": (1, 2)}]]
    assert named_calls("f(" + "1, " * 300 + "1)", "f") == []
    assert len(named_calls("f([" + "1, " * 100 + "1])", "f")) == 1
    assert named_calls(" " * 49_998 + "f(1)", "f") == [[1]]
    assert named_calls(" " * 50_000 + "f(1)", "f") == []


def test_inputs_of_assertions():
    """Every call with literal arguments, under its name or HumanEval's."""
    program = (
        "assert f(1) == 2\nassert candidate(2) == f(x)\nassert f(k=1)\nassert g(3)\nassert (f)(4)\nh()()"
    )
    problem = Problem("p", "", Kind.FUNCTION, "S.f", public_tests=(Test(program=program), Test("9", "1")))
    assert sorted(public_inputs(problem)) == ["1", "2", "4", "9"]
    assert parameter_names(call(starter="async def f(a, /, b, *, c=1): ...")) == (["a", "b"], 2)


def test_literals_of_programs_are_bounded():
    """Texts of 24 letters, numbers of 10**7, thirty of each; those that fewer programs name come first."""
    code = f"x = [{10**7}, {10**7 + 1}, -5, 0, 1, 2, True, 2.5, b'b', '', {'a' * 24!r}, {'b' * 25!r}]"
    words = read_dictionary("", [code, "y = 2"])
    assert words.numbers == (10**7, 5, 2)
    assert words.texts == ("a" * 24,)
    many = read_dictionary("", ["x = [" + ", ".join(map(str, range(2, 60))) + "]"])
    assert len(many.numbers) == 30
    stated = read_dictionary("the value 12 and x9, 3.5, 2^7, 'yes' “no” -8", [])
    assert set(stated.numbers) == {12, -8}
    assert set(stated.texts) == {"yes", "no"}
    assert quoted_signs("'+' `a` \"--\" '+' '-'") == "+-"


def test_only_what_counts_nothing_is_made_large():
    """A count of the next line's words, or of the lines that follow, stays."""
    assert list(enlarge_text("2 7\n5 6\n", 99)) == ["2 99\n5 6\n", "2 7\n99 6\n", "2 7\n5 99\n"]
    assert list(enlarge_text("2\na\nb\n", 99)) == []
    assert list(enlarge_text("1\n4\n", 99)) == ["1\n99\n"]
    assert list(enlarge_text("3 1.5 x +2\n\n", 99)) == ["99 1.5 x +2\n\n", "3 1.5 x 99\n\n"]


@pytest.mark.parametrize(
    ("reply", "inputs"),
    [
        ("[[[1], " + "1" * 5000 + "], [[2], 3]]", ["[2]\n3"]),
        ('{"a": [1], "k": 2, "x": 3}', []),
        ('[{"args": {"nums": [1], "k": 2}}]', ["[1]\n2"]),
        ('[[{"1": 2}, 3]]', ['{"1": 2}\n3']),
    ],
)
def test_odd_replies(reply, inputs):
    """What cannot be an input is left out."""
    problem = call("[1, 2]\n3", starter="def f(nums, k):\n")
    assert parse_inputs(reply, problem) == inputs


def test_keys_of_mappings_are_numbers_where_examples_have_them():
    """JSON has no other keys than texts."""
    problem = call('{"$dict": [[1, 2]]}')
    assert [decode_lines(text) for text in parse_inputs('[[{"3": 4}], [{"x": 5}]]', problem)] == [
        [{3: 4}],
        [{"x": 5}],
    ]


def test_a_lone_surrogate_is_no_input():
    """It cannot be written to a pipe."""
    assert parse_inputs('["\\ud800", "a"]', Problem("p", "", Kind.STDIN)) == ["a\n"]


def test_the_shape_of_calls():
    """From the signature, else from the examples, else anything."""
    assert CallShape.of(call(starter="def f(a, b=1): ...")) == CallShape(("a", "b"), 1, 2, ())
    shape = CallShape.of(call("1\n2", "3"))
    assert (shape.names, shape.fewest, shape.most, len(shape.examples)) == ((), 1, 2, 2)
    assert CallShape.of(call()) == CallShape((), 0, 255, ())
    assert shape.read([1, 2, 3]) is None
    assert shape.read([1]) == [1]
    assert shape.read({"x": 1}) == [{"x": 1}]


@pytest.mark.parametrize(
    ("samples", "is_found"),
    [(["1 " * 10 + "\n"], True), (["x" * 4_001], False), (["x" * 4_001, "1\n"], True)],
)
def test_long_samples_are_not_searched_on(samples, is_found):
    """A shorter one decides."""
    assert (find_layout(samples) is not None) is is_found
