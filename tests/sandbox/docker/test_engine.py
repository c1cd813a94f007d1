"""What is said where no engine answers: one line, what to do, and soon."""

from __future__ import annotations

import socket
import threading

import pytest

from sstar_code.sandbox import SandboxError
from sstar_code.sandbox.docker.engine import connect_engine, engine_address
from sstar_code.sandbox.docker.probe import probe_engine


@pytest.fixture
def silent_engine(tmp_path, monkeypatch):
    """A socket that accepts and never answers."""
    path = str(tmp_path / "silent.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        yield path


def test_absent_engine(monkeypatch):
    """Without a socket the message names it and what to do."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    state = probe_engine()
    assert not state.reachable
    assert state.reason is not None
    assert "/nonexistent/docker.sock" in state.reason
    assert "sudo systemctl start docker" in state.reason
    assert "--sandbox local" in state.reason
    assert "\n" not in state.reason
    with pytest.raises(SandboxError) as caught:
        connect_engine()
    assert str(caught.value) == state.reason


def test_dead_socket(tmp_path, monkeypatch):
    """A socket that an engine left behind counts as no engine."""
    path = str(tmp_path / "dead.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    assert "is dockerd running?" in (probe_engine().reason or "")


@pytest.mark.usefixtures("silent_engine")
def test_stuck_engine_does_not_hang_the_probe():
    """An engine that accepts and says nothing is given up on after the time it is given."""
    state = probe_engine(timeout_s=1)
    assert "did not answer within 1 s" in (state.reason or "")


def test_forbidden_socket(monkeypatch):
    """Without permission the message names the group to join."""

    def refuse(self, address):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("DOCKER_HOST", "unix:///var/run/docker.sock")
    assert "usermod -aG docker" in (probe_engine().reason or "")


def test_refused_tcp(monkeypatch):
    """`tcp://` is respected, and a closed port is no engine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
    state = probe_engine()
    assert state.address == f"tcp://127.0.0.1:{port}"
    assert "Connection refused" in (state.reason or "")
    assert "is DOCKER_HOST right" in (state.reason or "")


def test_malformed_address(monkeypatch):
    """A DOCKER_HOST that makes no sense is reported, not raised."""
    monkeypatch.setenv("DOCKER_HOST", "gopher://engine")
    assert "gopher://engine" in (probe_engine().reason or "")


def test_rootless_engine_is_found(tmp_path, monkeypatch):
    """Where only this user's own engine has a socket, that is the one."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("sstar_code.sandbox.docker.engine._SOCKET", str(tmp_path / "system.sock"))
    assert engine_address() == f"unix://{tmp_path}/system.sock"
    (tmp_path / "docker.sock").touch()
    assert engine_address() == f"unix://{tmp_path}/docker.sock"


@pytest.fixture(autouse=True)
def no_thread_left():
    """Probing threads end soon after they are given up on."""
    yield
    for thread in threading.enumerate():
        if thread.name == "probe-engine":
            thread.join(180)
