"""Checks of this machine, of an endpoint, of a vLLM that would be started, and of a cluster's nodes."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.problems import SstarError

if TYPE_CHECKING:
    from sstar_code.agent.jobs.choices import Endpoint
    from sstar_code.agent.models.vllm.plan import Plan
    from sstar_code.sandbox.docker.probe import EngineState

_LOW_DISK_GIB = 2


class State(StrEnum):
    """Result of a check."""

    OK = "ok"
    NOTE = "note"
    """Something is missing that is not needed for everything."""
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; `detail` says what to do where there is something to do."""

    name: str
    state: State
    detail: str


def check_machine() -> list[Check]:
    """Interpreter, cores, memory, disk."""
    from sstar_code.sandbox.workers.pool import count_usable_cores

    free_gib = shutil.disk_usage(Path.cwd()).free / 2**30
    disk = State.OK if free_gib >= _LOW_DISK_GIB else State.NOTE
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        Check("python", State.OK, f"{platform.python_version()} on {platform.platform()}"),
        Check("cores", State.OK, f"{count_usable_cores()} usable: as many programs run at once"),
        Check("memory", State.OK, f"{memory_gib:.1f} GiB"),
        Check(
            "disk", disk, f"{free_gib:.1f} GiB free here" + ("" if disk is State.OK else "; run folders grow")
        ),
    ]


async def check_sandboxes(packages: tuple[str, ...] = ()) -> list[Check]:
    """The engine and its image, isolation without an engine, and what `--sandbox auto` takes.

    `packages` are libraries that programs are to find beside the usual ones.
    """
    from sstar_code.sandbox.docker.probe import probe_engine

    engine = probe_engine(packages=packages)
    checks = [
        Check("docker engine", State.OK, f"{engine.version} at {engine.address}")
        if engine.reachable
        else Check("docker engine", State.NOTE, engine.reason or "does not answer")
    ]
    if engine.reachable:
        image = State.OK if engine.image else State.NOTE
        checks.append(Check("docker image", image, engine.image or engine.reason or "missing"))
    local = await _try("local isolation", "local", packages)
    checks += local
    chosen = "docker" if engine.reason is None else "local"  # as `make_sandbox` does, without asking again
    (works, *facts) = local if chosen == "local" else await _try("--sandbox auto", chosen, packages)
    works = replace(works, name="--sandbox auto")
    if works.state is not State.OK:
        return [*checks, replace(works, state=State.FAIL)]
    if chosen == "local":  # all else about it, and why it is not Docker, stands above
        return [*checks, replace(works, detail="takes local, as Docker is not ready here")]
    return [*checks, replace(works, detail=f"takes docker, which {works.detail}"), *facts]


_MEMOISED = """\
import functools, sys
sys.setrecursionlimit(1 << 30)
@functools.lru_cache(None)
def depth(n): return 0 if n == 0 else 1 + depth(n - 1)
print(depth(50_000))
"""


async def _try(name: str, sandbox: str, packages: tuple[str, ...]) -> list[Check]:
    """Run programs for real: whether they run, and what they find."""
    from sstar_code.sandbox import Limits, Program, Status
    from sstar_code.sandbox.choose import make_sandbox
    from sstar_code.sandbox.environment import DEFAULT_LIBRARIES

    limits = Limits(cpu_s=5.0)
    try:
        async with make_sandbox(sandbox, workers=1, packages=packages, say=lambda _: None) as opened:
            (run,) = await opened.run(Program("print(6 * 7)"), [""], limits)
            (memoised,) = await opened.run(Program(_MEMOISED), [""], limits)
            found = opened.environment
    except SstarError as error:
        return [Check(name, State.NOTE, str(error))]
    if run.status is not Status.OK or run.stdout != "42\n":
        return [Check(name, State.NOTE, f"a test program ended with {run.status}: {run.failure}")]
    checks = [Check(name, State.OK, f"ran a program in {1000 * run.wall_s:.0f} ms")]
    missing = [library for library in DEFAULT_LIBRARIES if library not in found.libraries]
    detail = f"Python {found.python}, {', '.join(found.libraries) or 'no libraries'}"
    if missing:
        detail += f"; {', '.join(missing)} missing: pip install {' '.join(missing)}"
    checks.append(Check(f"{name}: programs find", State.NOTE if missing else State.OK, detail))
    if memoised.status is not Status.OK:
        detail = (
            f"Python {found.python} itself ends deep recursion through functools.lru_cache, whatever "
            "sys.setrecursionlimit says: right programs fail; 3.11 does not (`--sandbox docker` has it)"
        )
        checks.append(Check(f"{name}: recursion", State.NOTE, detail))
    return checks


_CPP = "#include <bits/stdc++.h>\nint main() { std::cout << 6 * 7 << '\\n'; }\n"


async def check_cpp(*, is_asked: bool) -> list[Check]:
    """Whether C++ programs run in each sandbox: tried where it `is_asked`, else looked at.

    What is tried may have to precompile the headers, once.
    """
    from sstar_code.sandbox.docker.probe import probe_engine

    engine = probe_engine(cpp=True)
    checks = [await _check_cpp_in("local", None, is_asked=is_asked)]
    if engine.reachable:
        checks.append(await _check_cpp_in("docker", engine, is_asked=is_asked))
    return checks


async def _check_cpp_in(name: str, engine: EngineState | None, *, is_asked: bool) -> Check:
    from sstar_code.sandbox import Limits, Program, Status
    from sstar_code.sandbox.choose import make_sandbox
    from sstar_code.sandbox.languages.toolchain import ToolchainError, describe_compiler, find_compiler

    title = f"C++ in {name}"
    if engine is not None and engine.reason is not None:
        return Check(title, State.NOTE, engine.reason)
    try:
        found = engine.image or "" if engine is not None else describe_compiler(find_compiler())
        if not is_asked:
            return Check(title, State.OK, found)
        async with make_sandbox(name, workers=1, languages=["cpp"], say=lambda _: None) as opened:
            (run,) = await opened.run(Program(_CPP, language="cpp"), [""], Limits(cpu_s=5.0))
    except (ToolchainError, SstarError) as error:
        return Check(title, State.NOTE, str(error))
    if run.status is not Status.OK or run.stdout != "42\n":
        return Check(title, State.NOTE, f"a test program ended with {run.status}: {run.failure}")
    return Check(title, State.OK, f"{found}: ran a program in {1000 * run.wall_s:.0f} ms")


async def check_endpoint(endpoint: Endpoint) -> list[Check]:
    """Whether the server answers, what it serves and how long its context is.

    An endpoint that is down is a note unless a model is named.
    """
    from sstar_code.agent.jobs.session import make_asked
    from sstar_code.agent.models.recorded import ReplayModel

    key = "set" if os.environ.get("OPENAI_API_KEY") else "not set (a local server needs none)"
    wanted = endpoint.model is not None
    checks = [Check("OPENAI_API_KEY", State.OK, key)]
    try:
        model = make_asked(endpoint if wanted else replace(endpoint, model="MODEL"))
        if isinstance(model, ReplayModel):
            return [
                *checks,
                Check("model", State.OK, f"{endpoint.model}: recorded calls, no endpoint needed"),
            ]
        async with model:
            server = await model.check(any_model=not wanted)
    except SstarError as error:
        return [*checks, Check("endpoint", State.FAIL if wanted else State.NOTE, str(error))]
    served = ", ".join(server.models[:5]) or "does not list its models"
    version = f", {server.version}" if server.version else ""
    length = f", context {server.max_model_len}" if server.max_model_len else ""
    noted = f"; {server.note}" if server.note else ""
    detail = (
        f"{server.url}{version} answers in {1000 * server.seconds:.0f} ms; serves {served}{length}{noted}"
    )
    return [*checks, Check("endpoint", State.OK, detail)]


_VLLM_SHARE = 0.92
"""Share of a GPU's memory that vLLM takes by default."""


def check_vllm(endpoint: Endpoint) -> list[Check]:
    """The vLLM found, the hardware, the model, the command line and the reason for each of its flags."""
    from sstar_code.agent.models.vllm.plan import make_plan

    try:
        plan = make_plan(
            endpoint.require_model().partition(":")[2],
            command=endpoint.vllm_command,
            arguments=endpoint.vllm_args,
            max_thinking=endpoint.max_thinking,
        )
    except SstarError as error:
        return [Check("vllm", State.FAIL, str(error))]
    version = plan.command.version or "of a version that its environment does not tell"
    build = ", built for processors" if plan.command.cpu_build else ""
    return [
        Check("vllm", State.OK, f"{version}{build}: {shlex.join(plan.command.words)} ({plan.command.where})"),
        _check_hardware(plan),
        _check_model(plan),
        Check("would start", State.OK, _show(plan)),
        *(Check("  environment", State.OK, f"{v.name}={v.value}: {v.why}") for v in plan.environment),
        *(Check("  flag", State.OK, f"{' '.join(flag.words)}: {flag.why}") for flag in plan.flags),
    ]


def _show(plan: Plan) -> str:
    port = "a free port" if plan.port is None else str(plan.port)
    words = shlex.join(plan.words(plan.port or 0))
    return words.replace(" --port 0 ", " --port PORT ") + f" (at {port}, with a key of its own)"


def _check_hardware(plan: Plan) -> Check:
    if plan.cpu:
        why = (
            "this vLLM uses processors only"
            if plan.hardware.gpus
            else "that is slow for all but small models"
        )
        return Check("hardware", State.NOTE, f"{plan.hardware}; {why}")
    shares = [gpu.free_gib / gpu.total_gib for gpu in plan.hardware.gpus]
    if min(shares) < _VLLM_SHARE and not any("--gpu-memory-utilization" in word for word in plan.user_words):
        share = max(0.05, min(shares) - 0.03)
        why = f"vLLM takes {_VLLM_SHARE:.0%} of a GPU and does not start where others hold more than the rest"
        advice = f"free it, or give --vllm-args '--gpu-memory-utilization {share:.2f}'"
        return Check("hardware", State.NOTE, f"{plan.hardware}; {why}: {advice}")
    return Check("hardware", State.OK, str(plan.hardware))


def _check_model(plan: Plan) -> Check:
    facts = plan.facts
    size = "" if facts.weights_gib is None else f", {facts.weights_gib:.1f} GiB of weights"
    if facts.folder is None:
        guess = size and f"{size} by its name"
        return Check("model", State.NOTE, f"{facts.name}: not on this machine, would be fetched{guess}")
    length = "" if facts.max_length is None else f", made for {facts.max_length} tokens"
    return Check("model", State.OK, f"{facts.folder} (revision {facts.revision}{size}{length})")


async def check_nodes(address: str) -> list[Check]:
    """Run a program for real on every node of the cluster at `address`: a finding a node."""
    from sstar_code.agent.cluster.ray_sandbox import RaySandbox
    from sstar_code.sandbox import Limits, Program, Status

    said: list[str] = []
    try:
        async with RaySandbox(address, say=said.append) as cluster:
            tried = await cluster.run_on_each(Program("print(6 * 7)"), [""], Limits(cpu_s=5.0))
    except SstarError as error:
        return [*_left_out(said), Check("ray", State.FAIL, str(error))]
    checks = []
    for facts, (run,) in tried:
        works = run.status is Status.OK and run.stdout == "42\n"
        how = (
            f"ran a program in {1000 * run.wall_s:.0f} ms"
            if works
            else f"a test program ended with {run.status}"
        )
        detail = f"{facts.workers} programs at once, {facts.sandbox}; {how}"
        checks.append(Check(f"ray node {facts.host}", State.OK if works else State.FAIL, detail))
    return [*checks, *_left_out(said)]


def _left_out(said: list[str]) -> list[Check]:
    """Nodes that can run nothing."""
    return [
        Check("ray node", State.FAIL, line.removeprefix("sstar: ")) for line in said if "is left out" in line
    ]
