"""A Ray cluster as a whole: joining it, its nodes, leaving it."""

from __future__ import annotations

import logging
import os
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sstar_code.problems import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["connect", "disconnect", "list_nodes", "quiet_stdout"]

_PROBE_TIMEOUT_S = 5.0


def connect(address: str) -> None:
    """Join the cluster at `address`, as `ray.init` takes it.

    Raises:
        UserError: Ray is not installed, or no cluster answers there.
    """
    try:
        import ray
    except ImportError as error:
        raise UserError("--ray needs Ray: install sstar[ray]") from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    _probe(address)
    try:  # in a thread of its own: on the main thread it would take over SIGTERM
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", configure_logging=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"--ray {address}: no cluster to join ({first}); `ray start --head` makes one"
        ) from error


def _probe(address: str) -> None:
    """Ray itself looks for a minute whether anything listens."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or "/" in host:
        return
    try:
        socket.create_connection((host, int(port)), _PROBE_TIMEOUT_S).close()
    except OSError as error:
        raise UserError(
            f"--ray {address}: no cluster to join ({error.strerror or error}); `ray start --head` makes one"
        ) from error


def list_nodes() -> dict[str, int]:
    """Number of CPUs by id of every node that is alive and has any."""
    import ray

    return {
        node["NodeID"]: int(node["Resources"]["CPU"])
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
    }


def disconnect() -> None:
    """Leave the cluster; what this process has there ends."""
    import ray

    ray.shutdown()


@contextmanager
def quiet_stdout() -> Iterator[None]:
    """Nothing written inside reaches stdout, where results go: Ray prints a dying node's log there."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
