"""Fixtures for what needs a Docker engine."""

from __future__ import annotations

import pytest

from sstar_code.sandbox.docker.engine import connect_engine
from sstar_code.sandbox.docker.probe import probe_engine
from sstar_code.sandbox.image.build import ensure_image
from tests.support import skip_unless_required


@pytest.fixture(scope="session")
def engine():
    """A client of a real engine; skipped where none answers, failed where SSTAR_REQUIRE_DOCKER=1."""
    state = probe_engine(timeout_s=120)
    if not state.reachable:
        skip_unless_required("DOCKER", str(state.reason))
    client = connect_engine(timeout_s=600)
    yield client
    client.close()


@pytest.fixture(scope="session")
def docker_image(engine):
    """The sandbox's image, built where the engine lacks it."""
    return ensure_image(engine, build=True)
