"""Fixtures for what needs a Docker engine, or C++."""

from __future__ import annotations

import pytest

from sstar_code.sandbox.docker.engine import connect_engine
from sstar_code.sandbox.docker.probe import probe_engine
from sstar_code.sandbox.docker.sandbox import DockerSandbox
from sstar_code.sandbox.image.build import ensure_image
from sstar_code.sandbox.local.pipe_worker import list_ways
from sstar_code.sandbox.local.sandbox import LocalSandbox
from tests.conftest import HeldSandbox, hold_namespaces
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


@pytest.fixture(scope="session")
def cpp_local(portal, cpp_tools):
    """`local`, with this machine's compiler."""
    with portal.wrap_async_context_manager(LocalSandbox(1, ways=list_ways(tools=cpp_tools))) as sandbox:
        yield HeldSandbox(sandbox, portal)


@pytest.fixture(scope="session")
def cpp_docker(portal):
    """Docker, with the compiler of its image."""
    reason = probe_engine(10, cpp=True).reason
    if reason is not None:
        skip_unless_required("DOCKER", reason)
    with portal.wrap_async_context_manager(DockerSandbox(1, languages=["cpp17"])) as sandbox:
        yield HeldSandbox(sandbox, portal)


@pytest.fixture(scope="session")
def cpp_namespaces(portal, cpp_tools):
    """What an ordinary user gets, with this machine's compiler: one uid for all runs."""
    yield from hold_namespaces(portal, cpp_tools)


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def cpp_sandbox(request):
    """Both sandboxes in turn."""
    return request.getfixturevalue(f"cpp_{request.param}")
