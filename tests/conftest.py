"""Fixtures that every test folder shares."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from sstar_code.sandbox import Limits, Mode, Program
from tests.support import ROOT, skip_unless_required


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say last, in one line, how many tests were skipped for which reason."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped:
        reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
        reporter.write_line(
            "skipped: " + "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common())
        )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where an engine is, a test of both docker and the machine itself is slow in one of them, in turn."""
    if not Path("/var/run/docker.sock").exists() and "DOCKER_HOST" not in os.environ:
        return
    named = {item.nodeid: item for item in items}
    for name in list(named):
        for other in ("local", "root"):
            here = re.sub(r"\bdocker\b", other, name)
            pair = (name, here) if zlib.crc32(name.encode()) % 2 else (here, name)
            if (
                here != name
                and here in named
                and not any(named[one].get_closest_marker("slow") for one in pair)
            ):
                named[pair[0]].add_marker(pytest.mark.slow)


# The tests start the command some hundred times. Where no bytecode may be written beside the sources, each
# start would compile them all again; so it is written where it is in nobody's way.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    sys.dont_write_bytecode = False
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(ROOT / "build" / "bytecode")

# A busy machine is no reason to fail: how long an example takes says nothing about the product.
hypothesis_settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("any machine")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The recorded data beside the checkout; skipped without it unless SSTAR_REQUIRE_DATA=1."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        skip_unless_required("DATA", "no recorded data beside the checkout (../shared/data)")
    return folder


class HeldSandbox:
    """A sandbox that stays open for the session, for tests that are not asynchronous."""

    def __init__(self, sandbox, portal) -> None:
        self.sandbox = sandbox
        self._portal = portal

    def run(self, code, *inputs, mode="main", entry_point=None, preamble="", stop=False, **limits):
        """The executions of `code` on `inputs` (default: one empty input)."""
        program = code if isinstance(code, Program) else Program(code, Mode(mode), entry_point, preamble)
        return self.call(self._run, program, list(inputs or [""]), Limits(**limits), stop)

    async def _run(self, program, inputs, limits, stop):
        return await self.sandbox.run(program, inputs, limits, stop_on_failure=stop)

    def call(self, function, *arguments):
        """Await `function(*arguments)` where the sandbox lives."""
        return self._portal.call(function, *arguments)


@pytest.fixture(scope="session")
def cpp_tools():
    """This machine's C++ with precompiled headers, kept below `build`; skipped where there is no compiler."""
    from sstar_code.problems import UserError
    from sstar_code.sandbox.languages.host import prepare_tools

    try:
        return prepare_tools(ROOT / "build" / "sstar")
    except UserError as error:
        skip_unless_required("CPP", str(error))


@pytest.fixture(scope="session")
def portal():
    """An event loop in a thread of its own."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="session")
def sandbox_local(portal):
    """The sandbox without an engine; skipped where the kernel lets this user isolate nothing."""
    from sstar_code.sandbox import SandboxError
    from sstar_code.sandbox.local.sandbox import LocalSandbox

    sandbox = LocalSandbox(2)
    try:
        manager = portal.wrap_async_context_manager(sandbox)
        manager.__enter__()
    except SandboxError as error:
        pytest.skip(str(error))
    yield HeldSandbox(sandbox, portal)
    manager.__exit__(None, None, None)


def _may_start(user, python) -> bool:
    try:
        probe = [
            *user,
            python,
            "-c",
            "import os, sys; sys.exit(not os.access(sys._base_executable, os.X_OK))",
        ]
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture(scope="session")
def sandbox_namespaces(portal):
    """What an ordinary user gets: user namespaces, and one uid for all. Root becomes one for it."""
    yield from hold_namespaces(portal)


def hold_namespaces(portal, tools=None):
    """A sandbox in user namespaces, with the compilers of `tools`; skipped where there can be none."""
    from sstar_code.sandbox import SandboxError
    from sstar_code.sandbox.local.pipe_worker import find_interpreter, list_ways
    from sstar_code.sandbox.local.sandbox import LocalSandbox

    python = find_interpreter()
    user = []
    if os.geteuid() == 0:
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
        python = next((path for path in (python, "/usr/bin/python3") if _may_start(user, path)), None)
        if python is None:
            pytest.skip("no interpreter that another user may start, or no setpriv")
    ways = list_ways(ordinary=True, python=os.path.realpath(python), tools=tools)
    (way,) = (way for way in ways if way.name == "user namespaces")
    way = replace(way, arguments=(*user, *way.arguments))
    sandbox = LocalSandbox(2, ways=[way])
    manager = portal.wrap_async_context_manager(sandbox)
    try:
        manager.__enter__()
    except SandboxError as error:
        pytest.skip(str(error))
    yield HeldSandbox(sandbox, portal)
    manager.__exit__(None, None, None)


@pytest.fixture(scope="session")
def sandbox_docker(portal):
    """The Docker sandbox; skipped without engine and image unless SSTAR_REQUIRE_DOCKER=1."""
    from sstar_code.sandbox.docker.probe import probe_engine

    reason = probe_engine(120).reason
    if reason is not None:
        skip_unless_required("DOCKER", reason)
    from sstar_code.sandbox.docker.sandbox import DockerSandbox

    sandbox = DockerSandbox(2)
    with portal.wrap_async_context_manager(sandbox):
        yield HeldSandbox(sandbox, portal)


@pytest.fixture(scope="session", params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def sandbox_held(request):
    """Every backend in turn."""
    return request.getfixturevalue(f"sandbox_{request.param}")
