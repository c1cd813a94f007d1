"""The attach stream is taken apart rightly, however it is cut."""

from __future__ import annotations

import itertools
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.sandbox.docker.worker import Demultiplexer, take_socket

PIECES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=12)


def to_stream(pieces):
    return b"".join(bytes([kind, 0, 0, 0]) + len(data).to_bytes(4, "big") + data for kind, data in pieces)


@given(PIECES, st.lists(st.integers(0, 600)))
def test_streams_are_separated_at_any_split(pieces, cuts):
    """Standard output and standard error come out whole and apart wherever the stream is split."""
    stream = to_stream(pieces)
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    demultiplexer = Demultiplexer()
    output = b"".join(demultiplexer.feed(stream[a:b]) for a, b in itertools.pairwise(places))
    assert output == b"".join(data for kind, data in pieces if kind == 1)
    log = b"".join(data for kind, data in pieces if kind == 2)
    assert demultiplexer.log() == log.decode("utf-8", "replace")


def test_log_keeps_its_end_only():
    """A supervisor that logs for ever costs no memory: the newest lines are kept."""
    demultiplexer = Demultiplexer()
    for number in range(3000):
        demultiplexer.feed(to_stream([(2, f"line {number}\n".encode())]))
    assert len(demultiplexer.log()) <= 16 * 1024
    assert demultiplexer.log().endswith("line 2999\n")


@pytest.mark.parametrize(
    "header", [b"\x00\x00\x00\x00\x00\x00\x00\x01", b"HTTP/1.1", b"\x01\x00\x01\x00\x00\x00\x00\x01"]
)
def test_foreign_stream_is_refused(header):
    """What has no stream header is an error, never output."""
    with pytest.raises(ValueError, match="not an attach stream"):
        Demultiplexer().feed(header + b"x")


def test_plain_connection_is_taken_over():
    """A raw reader becomes a socket that outlives what the SDK held."""
    (ours, theirs) = socket.socketpair()
    with theirs:
        raw = ours.makefile("rb", buffering=0)
        ours.close()
        with take_socket(raw) as taken:
            theirs.sendall(b"in")
            assert taken.recv(10) == b"in"
            taken.sendall(b"out")
            assert theirs.recv(10) == b"out"


class Channel:
    """An ssh channel as the SDK returns it: bytes in, bytes out, and not a socket."""

    def __init__(self, connection):
        self.recv, self.sendall = connection.recv, connection.sendall
        self.shutdown, self.close = connection.shutdown, connection.close


def test_other_transports_are_pumped():
    """What is no plain socket is reached through one; the end of either side ends the other."""
    (far, near) = socket.socketpair()
    with far, near, take_socket(Channel(near)) as taken:
        taken.sendall(b"question")
        assert far.recv(100) == b"question"
        far.sendall(b"answer")
        assert taken.recv(100) == b"answer"
        far.shutdown(socket.SHUT_WR)
        assert taken.recv(100) == b""
    for thread in threading.enumerate():
        if thread.name == "attach-pump":
            thread.join(180)
            assert not thread.is_alive()
