"""Values cross the sandbox's border without loss."""

from __future__ import annotations

import contextlib
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstar_code.problems import Kind
from sstar_code.problems.checkers import CHECKERS, accepts
from sstar_code.problems.values import Opaque, decode, decode_lines, encode, encode_lines

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**4_299, 10**5_000)
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary(max_size=8)
)
HASHABLE = st.recursive(
    SCALARS, lambda inner: st.tuples(inner) | st.frozensets(inner, max_size=3), max_leaves=5
)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(HASHABLE, inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$tuple", "$repr", "a"]), inner, max_size=2)
        | st.sets(HASHABLE, max_size=3)
    ),
    max_leaves=12,
)


def kinds(value):
    if isinstance(value, dict):
        return [(kinds(key), kinds(item)) for key, item in value.items()]
    return [type(value), *map(kinds, value)] if isinstance(value, list | tuple) else type(value)


@given(VALUES)
def test_every_value_comes_back_equal_and_of_the_same_type(value):
    """Encoding and decoding keeps value and types, also of integers beyond Python's digit limit."""
    text = encode(value)
    assert "\n" not in text
    assert decode(text) == value
    assert kinds(decode(text)) == kinds(value)


@given(st.lists(VALUES, max_size=4))
def test_arguments_come_back_one_a_line(arguments):
    """A call's arguments survive as lines."""
    assert decode_lines(encode_lines(arguments)) == arguments


def test_plain_json_lines_may_hold_any_line_separator_of_unicode():
    """Only a line feed ends an argument: a string may hold U+2028."""
    assert decode_lines('"a\u2028b"\n2') == ["a\u2028b", 2]


def test_nan_and_infinity_survive():
    """Floats that JSON cannot say come back."""
    assert math.isnan(decode(encode(math.nan)))
    assert decode(encode([math.inf, -math.inf])) == [math.inf, -math.inf]


def test_long_decimal_integers_are_read_up_to_a_bound():
    """Decimal digits beyond Python's limit are read exactly; absurd ones are refused."""
    assert decode("[-" + "9" * 10_000 + "]") == [-(10**10_000 - 1)]
    with pytest.raises(ValueError, match="digits"):
        decode("9" * 200_000)


@given(
    st.text(max_size=40)
    | st.builds(
        json.dumps,
        st.dictionaries(
            st.sampled_from(
                [
                    "$tuple",
                    "$set",
                    "$frozenset",
                    "$dict",
                    "$complex",
                    "$bytes",
                    "$float",
                    "$int",
                    "$repr",
                    "$type",
                ]
            ),
            st.recursive(st.none() | st.integers() | st.text(max_size=3), st.lists, max_leaves=4),
            max_size=2,
        ),
    )
)
def test_hostile_text_raises_value_error_only(text):
    """What a candidate sends is either a value or a ValueError."""
    try:
        decode(text)
    except ValueError:
        return


TAGS = [
    *(
        "$tuple",
        "$set",
        "$frozenset",
        "$dict",
        "$complex",
        "$bytes",
        "$float",
        "$int",
        "$fraction",
        "$decimal",
    ),
    *("$repr", "$type", "a"),
]
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -(10**4_200), 1e308])
TEXTS = st.text(max_size=4) | st.sampled_from(
    ["nan", "inf", "sNaN", "-NaN1", "1e99999", "1E+999999999999", "0x" + "f" * 9_000, "\ud800"]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(TAGS) | TEXTS, inner, max_size=3)
        | st.builds(lambda tag, item: {tag: item}, st.sampled_from(TAGS), inner)
        | st.builds(
            lambda tag, items: {tag: items}, st.sampled_from(TAGS[:4]), st.lists(st.lists(inner, max_size=2))
        )
        | st.fixed_dictionaries({"$repr": inner, "$type": inner})
    ),
    max_leaves=12,
)


@settings(max_examples=400)
@given(ANY_JSON.map(json.dumps), ANY_JSON.map(json.dumps))
def test_what_is_decoded_can_be_compared_shown_and_kept(text, other):
    """Any JSON text is a value with which nothing goes wrong, or a ValueError."""
    try:
        value = decode(text)
    except ValueError:
        return
    assert isinstance(value == value, bool)  # noqa: PLR0124
    with contextlib.suppress(ValueError):  # an integer of more digits than Python writes
        assert isinstance(repr(value), str)
    assert decode(encode(value)) is not None or value is None
    for checker in CHECKERS:
        assert accepts(checker, Kind.FUNCTION, text, other) in (True, False)
        assert accepts(checker, Kind.FUNCTION, text, text)
    assert accepts("unordered", Kind.FUNCTION, json.dumps([1]), f"[{text}]") in (True, False)


@pytest.mark.parametrize(
    "text",
    [
        '{"$repr": [], "$type": {}}',
        '{"$repr": 5, "$type": "x"}',
        '{"$repr": "x", "$type": null}',
        f'{{"$repr": "{"x" * 10_001}", "$type": "x"}}',
        '{"$tuple": "abc"}',
        '{"$tuple": {"a": 1}}',
        '{"$set": "abc"}',
        '{"$frozenset": {"ab": 1}}',
        '{"$set": [{"$repr": [], "$type": "x"}]}',
        '{"$dict": {"ab": 1}}',
        '{"$dict": ["ab"]}',
        '{"$dict": [[1, 2, 3]]}',
        '{"$complex": "ab"}',
        '{"$complex": [1, 2, 3]}',
        '{"$complex": ["1", 2]}',
        '{"$complex": [true, 2]}',
        '{"$float": 1}',
        '{"$float": ["nan"]}',
        '{"$int": 5}',
        '{"$bytes": ["a"]}',
        '{"$fraction": "12"}',
        '{"$fraction": [1, 0]}',
        '{"$decimal": "1e100001"}',
        '{"$decimal": "-1e-999999999"}',
        '{"$decimal": 1}',
    ],
)
def test_a_form_with_another_shape_is_a_value_error(text):
    """Two texts, a list of pairs, two numbers: nothing else is taken for them."""
    with pytest.raises(ValueError):
        decode(text)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a": ', "}"), ('{"$tuple": [', "]}")])
def test_depth_is_bounded_so_that_what_is_read_can_be_used(opening, closing):
    """Whatever depth is read can be compared and shown; brackets in a text do not count."""
    levels = 300 // (opening.count("[") + opening.count("{"))
    text = opening * levels + "1" + closing * levels
    value = decode(text)
    assert repr(value)
    assert decode(encode(value)) == value
    assert accepts("unordered", Kind.FUNCTION, f"[{text[1:-1]}]", f"[{text[1:-1]}]")
    other = text.replace("1", "2")
    for checker in CHECKERS:
        assert not accepts(checker, Kind.FUNCTION, text, other)
    with pytest.raises(ValueError, match="300 levels"):
        decode(f"[[{text}]]")
    quoted = json.dumps(['"\\' + "[" * 1000, "{" * 1000])
    assert decode(quoted) == json.loads(quoted)


def test_the_name_of_a_type_is_cut():
    """A class may be called anything."""
    assert encode(type("x" * 1000, (), {"__repr__": lambda _: "y"})()) == json.dumps(
        {"$repr": "y", "$type": "x" * 100}
    )


@pytest.mark.parametrize("text", ["[" * 100_000, '{"$tuple": ' * 100_000 + "1" + "}" * 100_000])
def test_deep_nesting_is_a_value_error(text):
    """Nesting beyond the recursion limit is refused, not fatal."""
    with pytest.raises(ValueError):
        decode(text)


def test_other_objects_are_known_by_type_and_text():
    """An object of a foreign type compares by what it shows, without its address."""
    first, second = decode(encode(object())), decode(encode(object()))
    assert first == second == Opaque("object", "<object object>")
    assert repr(first) == "<object object>"
    assert len({first, second}) == 1


def test_subclasses_of_plain_types_count_as_plain():
    """A named tuple is a tuple and a Counter is a dict."""
    from collections import Counter, namedtuple

    point = namedtuple("point", "x y")  # noqa: PYI024
    assert decode(encode([point(1, 2), Counter("aa")])) == [(1, 2), {"a": 2}]


def _numpy(**attributes):
    """An object that says it is numpy's; the library itself is not needed here."""
    return type("array", (), {"__module__": "numpy", "__repr__": lambda _: "array", **attributes})()


def test_values_of_numpy_count_as_plain_ones():
    """An array is its lists and a scalar its number; what is neither, like a dtype, is known by its text."""
    assert decode(encode(_numpy(tolist=lambda _: [[1, 2], [3, 4]]))) == [[1, 2], [3, 4]]
    assert decode(encode([_numpy(tolist=lambda _: 0.5)])) == [0.5]
    assert decode(encode(_numpy())) == Opaque("array", "array")


def test_sets_and_dictionaries_have_one_spelling():
    """Equal sets are equal text, whatever the order in which they hold their items."""
    assert encode({3, 1, 2}) == encode({2, 3, 1}) == '{"$set": [1, 2, 3]}'
    assert encode({"$a": 1}) == '{"$dict": [["$a", 1]]}'
    assert encode({1: 2}) == '{"$dict": [[1, 2]]}'
    assert encode({"a": True}) == '{"a": true}'


def test_long_texts_of_other_objects_are_cut():
    """What a candidate's object says of itself is kept up to 10,000 characters."""
    loud = type("Loud", (), {"__repr__": lambda _: "x" * 20_000})()
    assert decode(encode(loud)) == Opaque("Loud", "x" * 10_000)


@pytest.mark.parametrize("kind", ["$set", "$frozenset", "$dict"])
def test_items_chosen_to_collide_are_refused(kind):
    """A set of integers of one hash would take the square of their number to build."""
    items = [number * ((1 << 61) - 1) for number in range(1, 67)]
    text = json.dumps({kind: [[item, 0] for item in items] if kind == "$dict" else items})
    with pytest.raises(ValueError, match="collide"):
        decode(text)
    few = json.dumps({"$set": items[:64]})
    assert len(decode(few)) == 64


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((1 << 13_000) - 1, None),
        (1 << 13_000, '{"$int": "0x1' + "0" * 3250 + '"}'),
        (-(1 << 13_000), '{"$int": "-0x1' + "0" * 3250 + '"}'),
        (float("nan"), '{"$float": "nan"}'),
        (float("-inf"), '{"$float": "-inf"}'),
        (-0.0, "-0.0"),
        (True, "true"),
        ({"$a": 1}, '{"$dict": [["$a", 1]]}'),
        ({"a": {2: 3}}, '{"a": {"$dict": [[2, 3]]}}'),
        ({3, 1, 2}, '{"$set": [1, 2, 3]}'),
        (frozenset({"b", "a"}), '{"$frozenset": ["a", "b"]}'),
        (1 + 2j, '{"$complex": [1.0, 2.0]}'),
        (bytearray(b"\xff"), '{"$bytes": "\\u00ff"}'),
        ("é", '"\\u00e9"'),
    ],
)
def test_each_kind_is_written_in_its_form(value, text):
    """And read back; a long integer in hexadecimal, since Python refuses so many decimal digits."""
    written = encode(value)
    assert written == text or (text is None and "$int" not in written)
    back = decode(written)
    wanted = bytes(value) if isinstance(value, bytearray) else value
    if isinstance(value, set | frozenset):  # their text has no order
        assert (type(back), back) == (type(wanted), wanted)
    else:
        assert repr(back) == repr(wanted)  # NaN and -0.0 are told apart by their text


def test_what_has_no_form_is_known_by_its_text():
    """Without its address, and at most 10,000 letters of it."""

    class Thing:
        def __init__(self, text):
            self.text = text

        def __repr__(self):
            return self.text

    assert encode(Thing("<Thing at 0xAf3>")) == '{"$repr": "<Thing>", "$type": "Thing"}'
    assert len(decode(encode(Thing("x" * 10_001))).text) == 10_000
    assert decode('{"$repr": "x", "$type": "T"}') == decode('{"$repr": "x", "$type": "T"}')
    assert decode('{"$repr": "x", "$type": "T"}') != decode('{"$repr": "x", "$type": "U"}')
    assert decode('{"$repr": "x"}') == {"$repr": "x"}


def test_long_integers_take_no_more_than_a_second_together():
    """Reading them is not linear: many are refused before most of them were read."""
    with pytest.raises(ValueError, match="together"):
        decode("[" + ",".join(["9" * 99_000] * 320) + "]")
    assert len(decode("[" + ",".join(["9" * 5_000] * 500) + "]")) == 500


@pytest.mark.parametrize("digits", [4_300, 4_301, 8_000, 8_001, 100_000])
def test_long_decimal_integers_are_read(digits):
    """Up to a hundred thousand digits, with their sign."""
    assert decode(f"-{'1' * digits}") == -(10**digits // 9)
    if digits == 100_000:
        with pytest.raises(ValueError, match="an integer of 100001 decimal digits; at most 100000 are read"):
            decode(f"[{'1' * 100_001}]")
