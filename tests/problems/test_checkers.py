"""Which outputs each named rule accepts."""

from __future__ import annotations

import tracemalloc
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems import Kind
from sstar_code.problems.checkers import CHECKERS, accepts, longest_right, validate_checker
from sstar_code.problems.values import encode
from tests.support.growth import assert_linear

TEXTS = st.text(alphabet="01 9.eE+-nNaAiIfFsS_\n\t\r\x00é", max_size=30)
STDIN_RULES = [name for name in CHECKERS if name != "python"]


@pytest.mark.parametrize(
    ("checker", "expected", "got", "verdict"),
    [
        ("exact", "1 2\n3\n", "1 2  \r\n3\n\n\n", True),
        ("exact", "1 2", "1  2", False),
        ("exact", " 1", "1", False),
        ("exact", "9", "9.0", False),
        ("lines", "1 2\n3", " 1   2\n3\n", True),
        ("lines", "1 2\n3", "1 2 3", False),
        ("floats", "0.5 yes", "0.5000001\nyes", True),
        ("floats:1e-3", "1000.0", "1000.9", True),
        ("floats", "1000.0", "1000.9", False),
        ("floats:0", "0.5", "0.50", True),
        ("floats:0", "0.5", "0.5000001", False),
        ("floats", "999999993", "999999994", False),
        ("floats", "987654321098", "987654321000.0", False),
        ("floats", "987654321098", "9.87654321098e11", True),
        ("floats", "987654321098", "987654321098.0000001", True),
        ("floats", "-987654321098", "-987654321097.9", False),
        ("floats", "18014398509481985", "18014398509481984.0", False),
        ("floats", "499999", "499999.4", True),
        ("floats:1e-3", "500", "500.4", False),
        ("floats", "987654321098.0", "987654321000.0", True),
        ("codecontests", "50000", "50000.3", False),
        ("codecontests", "49999", "49999.3", True),
        ("apps", "987654321098", "987654321000.0", False),
        ("floats", "+007", "7", True),
        ("floats", "1", "1.0", True),
        ("floats", "nan", "NaN", True),
        ("floats", "inf", "-inf", False),
        ("floats", "1e999", "2e999", False),
        ("floats", "1", "1_0", False),
        ("floats", "1 2", "1", False),
        ("unordered", "b 1\na\n", "a\nb  1", True),
        ("unordered", "a\na\nb", "a\nb\nb", False),
        ("any-case", "Yes No\n", "YES no", True),
        ("any-case", "Yes No\n", "YES\nno", False),
        ("livecodebench", "  1.50 2 \n3", "1.5 2.0\n3\n\n", True),
        ("livecodebench", "50000000000000000", "50000000000000001", False),
        ("livecodebench", "YES", "Yes", False),
        ("livecodebench", "1\n2", "1 2", False),
        ("livecodebench", "1", "sNaN", False),
        ("livecodebench", "1", "1e99999999999999999999", False),
        ("apps", "0.1", "0.1000001", True),
    ],
)
def test_standard_output_is_compared_by_the_named_rule(checker, expected, got, verdict):
    """Each rule accepts and refuses these outputs of whole programs."""
    assert accepts(checker, Kind.STDIN, expected, got) is verdict


@pytest.mark.parametrize(
    ("checker", "expected", "got", "verdict"),
    [
        ("exact", [[1, 2], 3], ([1, 2], 3), True),
        ("exact", [[1, 2]], [(1, 2)], True),
        ("exact", (1, 2), [1, 2], False),
        ("exact", {1, 2}, [1, 2], False),
        ("exact", 1, 1.0, True),
        ("exact", True, 1, True),
        ("exact", "1", 1, False),
        ("exact", 0.3, 0.1 + 0.2, False),
        ("exact", {"a": [1]}, {"a": (1,)}, True),
        ("exact", {"a": 1}, {"b": 1}, False),
        ("exact", [float("nan")], (float("nan"),), True),
        ("lines", [1], (1,), True),
        ("floats", {"a": [0.3]}, {"a": [0.1 + 0.2]}, True),
        ("floats", {0.3}, {0.1 + 0.2}, True),
        ("floats", 10**18, 10**18 + 1, False),
        ("floats", 10**18 + 1, 1e18, False),
        ("floats", [987654321098], [987654321000.0], False),
        ("floats", 987654321098, Fraction(9876543210981, 10), False),
        ("floats", 987654321098, Decimal("987654321098.0000001"), True),
        ("python:1e-6", 987654321098, 987654321000.0, False),
        ("floats", 100, 100.00005, True),
        ("floats", 1.0, 10**400, False),
        ("floats", "0.3", "0.30", False),
        ("unordered", [[1, 2], [3]], [(3,), (1, 2)], True),
        ("unordered", [1, 1, 2], [1, 2, 2], False),
        ("unordered", [{"a": {1}}, [1]], ([1], {"a": {1}}), True),
        ("unordered", 3, 3, True),
        ("any-case", ["Yes", 1], ["yES", 1], True),
        ("any-case", "yes", ["yes"], False),
        ("any-case", "yes", "no", False),
        ("python", [1, 2], (1, 2), False),
        ("python", (1, 2), (1, 2), True),
        ("python", 0.3, 0.1 + 0.2, False),
        ("python:1e-6", 0.3, 0.1 + 0.2, True),
        ("python:1e-6", [0.3], (0.3,), False),
        ("livecodebench", [1, 2], (1, 2), True),
        ("livecodebench", [[1, 2]], [(1, 2)], False),
        ("livecodebench", 0.3, 0.1 + 0.2, False),
        ("apps", 3, [3], True),
        ("apps", [3], 3, False),
        ("apps", [1.0, 2], (1.0000001, 2), True),
    ],
)
def test_returned_values_are_compared_by_the_named_rule(checker, expected, got, verdict):
    """Each rule accepts and refuses these values that functions return."""
    assert accepts(checker, Kind.FUNCTION, encode(expected), encode(got)) is verdict


@pytest.mark.parametrize("checker", STDIN_RULES)
@given(expected=TEXTS, got=TEXTS)
def test_no_output_makes_a_rule_raise(checker, expected, got):
    """Whatever a program prints, a rule answers, and equal texts are accepted."""
    assert accepts(checker, Kind.STDIN, expected, got) in (True, False)
    assert accepts(checker, Kind.STDIN, got, got)


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize(
    "got", ["", "[", "[" * 100_000, '{"$set": [[]]}', '{"$complex": [1' + "0" * 400 + ", 0]}"]
)
def test_a_result_that_cannot_be_decoded_is_wrong(checker, got):
    """Text that is no encoded value, or a hostile one, is a wrong answer and no error."""
    assert accepts(checker, Kind.FUNCTION, "[1]", got) is False


@pytest.mark.parametrize("checker", STDIN_RULES)
@pytest.mark.parametrize(
    ("first", "repeated", "last"),
    [("", "7", "x"), ("1.", "1", ""), ("1e", "1", ""), (".", "0", "e"), ("1e-", "1", "")],
)
def test_what_nearly_is_a_number_is_read_in_linear_time(checker, first, repeated, last):
    """A token of 60,000 characters took a minute."""

    def compare(size):
        assert not accepts(checker, Kind.STDIN, "7.5", first + repeated * size + last)

    assert_linear(compare, 15_000)


@given(st.integers(0, 3_000_000), st.integers(0, 3_000_000))
def test_the_longest_right_output_grows_with_what_is_expected(first, second):
    """There is always room for 64 K characters and 8 times what is expected, 100 times up to 10 K."""
    small, large = sorted((first, second))
    lengths = [longest_right(_Long(size)) for size in (small, large)]
    assert lengths[0] <= lengths[1]
    assert lengths[0] >= 65_536 + (100 if small <= 10_000 else 8) * small


class _Long(str):
    __slots__ = ("size",)

    """A text that says it has so many characters."""

    def __new__(cls, size):
        made = super().__new__(cls, "")
        made.size = size
        return made

    def __len__(self):
        return self.size


@pytest.mark.parametrize("checker", ["floats", "apps", "codecontests", "livecodebench"])
def test_tokens_beyond_those_expected_are_not_collected(checker):
    """Memory grows with the output by its own length, not by an object for each of its words."""
    tracemalloc.start()
    try:
        assert not accepts(checker, Kind.STDIN, "10 " * 100_000, "10 " * 800_000)
        assert tracemalloc.get_traced_memory()[1] < 30 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("checker", STDIN_RULES)
def test_long_numbers_are_compared_in_linear_time(checker):
    """A million digits, beyond what Python converts, are compared digit by digit, in linear time."""

    def compare(size):
        digits = "7" * size
        assert accepts(checker, Kind.STDIN, digits, digits + "\n")
        assert not accepts(checker, Kind.STDIN, digits, digits[:-1] + "8")

    assert_linear(compare, 125_000)


def test_returned_long_integers_compare():
    """Integers too long to be written in decimal compare by value."""
    assert accepts("exact", Kind.FUNCTION, encode([10**9_999]), encode((10**9_999,)))
    assert not accepts("exact", Kind.FUNCTION, encode([10**9_999]), encode([10**9_999 + 1]))


@pytest.mark.parametrize(
    ("spec", "message"),
    [("fuzzy", "exact"), ("exact:1", "no argument"), ("floats:x", "tolerance"), ("floats:nan", "tolerance")],
)
def test_an_unknown_rule_is_refused_with_the_names(spec, message):
    """A rule that does not exist, or an argument it does not take, is named in the error."""
    with pytest.raises(ValueError, match=message):
        validate_checker(spec)


def test_python_equality_is_for_functions_only():
    """The rule `python` compares values, so it is refused for standard output."""
    validate_checker("python", Kind.FUNCTION)
    with pytest.raises(ValueError, match="stdin"):
        validate_checker("python:1e-6", Kind.STDIN)


def test_an_expected_output_that_is_no_value_is_the_data_sets_fault():
    """A broken expected output raises instead of making every candidate wrong."""
    with pytest.raises(ValueError, match="Expecting"):
        accepts("exact", Kind.FUNCTION, "{", "1")
