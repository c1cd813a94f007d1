"""The command: what it refuses before anything is opened, and that it starts and ends."""

from __future__ import annotations

import signal
import socket
import urllib.request

import pytest


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-m", "replay:lists"], "has no server behind it"),
        (["-m", "a", "--base-url", "http://x/v1", "--base-url", "http://y/v1"], "more than once"),
        (["-m", "a", "--progress", "loud"], "reasoning, comments, none"),
        (["-m", "a", "--host", "0.0.0.0"], "--api-key-env"),
        (["-m", "a", "--api-key-env", "SSTAR_NO_SUCH_KEY"], "must hold a key"),
        ([], "no model"),
    ],
)
def test_mistakes_are_a_line_each(sstar, words, told):
    """Exit code 2, and nothing was asked of any server."""
    ended = sstar("serve", *words)
    assert (ended.code, ended.out) == (2, "")
    assert told in " ".join(ended.err.split())


def test_a_port_that_is_taken_is_named(sstar, serve):
    """The line says which, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = sstar("serve", "-m", "tiny", "--base-url", serve().base_url, "--port", port)
    assert ended.code == 2
    assert f"--port {port}" in " ".join(ended.err.split())


def test_it_starts_answers_and_ends_by_a_signal(spawn, serve, isolated, monkeypatch):
    """The address is on stdout, a pipe too, when requests are answered; SIGTERM ends it with exit code 0."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    process = spawn("serve", "-m", "tiny", "--base-url", serve().base_url, "--port", "0", *isolated)
    address = process.stdout.readline().strip()
    with urllib.request.urlopen(f"{address.removesuffix('/v1')}/health", timeout=180) as response:
        assert response.status == 200
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode == 0
    assert "nothing is served any more" in err
