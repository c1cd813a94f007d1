"""JSON text is weighed in pieces before it is read: what a piece is must not change what is counted."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems import bounds

TEXTS = st.text(alphabet='ab"\\[]{},:\n\u00e9\U0001f600', max_size=12)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(value=VALUES, is_ascii=st.booleans(), chunk=st.integers(1, 40))
def test_pieces_hold_whole_texts(value, is_ascii, chunk):
    """However long a piece is: joined they are the text, and each alone has its quotes in pairs."""
    raw = json.dumps(value, ensure_ascii=is_ascii).encode()
    pieces, place = [], 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "_CHUNK", chunk)
        while place < len(raw):
            end = bounds._find_end(raw, place)
            assert end is not None
            assert end > place
            pieces.append(raw[place:end])
            place = end
    assert b"".join(pieces) == raw
    marks = b'"', b"[", b"{", b","
    assert all(b'"' not in bounds._TEXT.sub(b"", piece) for piece in pieces)
    counted = [sum(bounds._TEXT.sub(b"", piece).count(mark) for piece in pieces) for mark in marks]
    assert counted == [bounds._TEXT.sub(b"", raw).count(mark) for mark in marks]


@pytest.mark.parametrize("raw", [b'["abc', rb'["ab\"', b'["ab\\', b'"'])
def test_a_text_without_end_has_no_end(raw, monkeypatch):
    """Where a text goes on to the end of the data there is no piece; what reads the data says where."""
    monkeypatch.setattr(bounds, "_CHUNK", 3)
    place: int | None = 0
    for _ in raw:
        place = bounds._find_end(raw, place)
        if place is None:
            break
    assert place is None
