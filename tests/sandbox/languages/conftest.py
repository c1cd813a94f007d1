"""Sandboxes that have C++, one worker each."""

from __future__ import annotations

import pytest

from sstar_code.sandbox.docker.probe import probe_engine
from sstar_code.sandbox.docker.sandbox import DockerSandbox
from sstar_code.sandbox.local.pipe_worker import list_ways
from sstar_code.sandbox.local.sandbox import LocalSandbox
from tests.conftest import HeldSandbox
from tests.support import skip_unless_required


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


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def cpp_sandbox(request):
    """Both sandboxes in turn."""
    return request.getfixturevalue(f"cpp_{request.param}")
