"""The fuzzed parsers on their corpus, and on some hundred inputs of a kind that a fuzzer needs long to find.

`make fuzz` looks on for ten minutes; what it finds is mended, and goes into the corpus.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sstar_code.sandbox.inside import frames
from tests.fuzz.rows import KEYS, ROWS, TOKENS
from tests.fuzz.targets import SETS, TARGETS, run

_CORPUS = Path(__file__).parent / "corpus"
_EXAMPLES = int(os.environ.get("SSTAR_FUZZ_EXAMPLES", "20"))
_ROW_TARGETS = (*SETS, "samples", "recording", "run", "wire", "values")
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([10**18, 10**400, -(10**400), 1e300, 0.5, -1.0, "a\nb"])
    | st.sampled_from([float("nan"), float("inf")])
    | st.sampled_from(TOKENS)
    | st.text(max_size=8)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def _rows(draw, name):
    """A row that the target takes with some of its values, also inner ones, replaced by any others."""
    row = json.loads(json.dumps(draw(st.sampled_from(ROWS[name]))))
    for _ in range(draw(st.integers(0, 3))):
        holder = row
        while isinstance(holder, dict | list) and holder:
            places = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            place = draw(st.sampled_from(places))
            if not isinstance(holder[place], dict | list) or draw(st.booleans()):
                holder[place] = draw(_VALUES)
                break
            holder = holder[place]
    if isinstance(row, dict) and draw(st.booleans()):
        row[draw(st.sampled_from(KEYS))] = draw(_VALUES)
    if isinstance(row, dict):  # values that hold JSON as text
        for key, value in row.items():
            if isinstance(value, dict | list) and draw(st.integers(0, 4)) == 0:
                row[key] = json.dumps(value)
    return row


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_is_read(name):
    """Whatever was found once is read without fault for ever."""
    files = sorted((_CORPUS / name).iterdir())
    assert files
    for file in files:
        run(name, file.read_bytes())


@pytest.mark.parametrize("name", _ROW_TARGETS)
@settings(max_examples=_EXAMPLES)
@given(data=st.data())
def test_a_row_of_any_values_is_read_or_refused_in_one_line(name, data):
    """A value of another type, of another size or another form is never more than one documented error."""
    rows = data.draw(st.lists(_rows(name), min_size=1, max_size=2))
    run(name, "\n".join(map(json.dumps, rows)).encode())


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in _ROW_TARGETS])
@settings(max_examples=_EXAMPLES)
@given(pieces=st.lists(st.sampled_from(TOKENS) | st.text(max_size=6), max_size=30))
def test_a_text_of_any_marks_is_read(name, pieces):
    """Marks that mean something to a parser, in any order and number."""
    run(name, "".join(pieces).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=_EXAMPLES)
@given(data=st.binary(max_size=200))
@example(data=b"\x1f\x8b\x08\x00")
@example(data=b"PAR1\xff\xff\xff\xffPAR1")
@example(data=b"\xef\xbb\xbf")
def test_any_bytes_are_survived(name, data):
    """Bytes of no form at all."""
    run(name, data)


@given(
    st.lists(
        st.tuples(st.dictionaries(st.text(max_size=4), st.integers(), max_size=2), st.binary(max_size=20))
    )
)
def test_frames_arrive_as_they_were_sent(sent):
    """Whatever pieces they come in."""
    run("frames", b"".join(frames.pack(head, blob) for head, blob in sent))
