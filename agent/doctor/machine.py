"""What works on this machine: each check says what it found and what to do about the rest."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.problems import SstarError

if TYPE_CHECKING:
    from sstar_code.agent.jobs.choices import Endpoint

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
    from sstar_code.sandbox.workers.cores import count_usable_cores

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


async def check_sandboxes() -> list[Check]:
    """The engine and its image, isolation without an engine, and what `--sandbox auto` takes."""
    from sstar_code.sandbox.choose import make_sandbox
    from sstar_code.sandbox.docker.probe import probe_engine

    engine = probe_engine()
    checks = [
        Check("docker engine", State.OK, f"{engine.version} at {engine.address}")
        if engine.reachable
        else Check("docker engine", State.NOTE, engine.reason or "does not answer")
    ]
    if engine.reachable:
        image = State.OK if engine.image else State.NOTE
        checks.append(Check("docker image", image, engine.image or engine.reason or "missing"))
    checks.append(await _try("local isolation", "local"))
    reasons: list[str] = []
    try:
        chosen = make_sandbox("auto", workers=1, say=reasons.append)
    except SstarError as error:
        return [*checks, Check("--sandbox auto", State.FAIL, str(error))]
    works = await _try("--sandbox auto", "auto")
    if works.state is State.OK:
        works = Check("--sandbox auto", State.OK, "; ".join([f"takes {chosen.name}", *reasons]))
    return [*checks, Check(works.name, State.FAIL if works.state is not State.OK else State.OK, works.detail)]


async def _try(name: str, sandbox: str) -> Check:
    """Run one program for real."""
    from sstar_code.sandbox import Limits, Program, Status
    from sstar_code.sandbox.choose import make_sandbox

    try:
        async with make_sandbox(sandbox, workers=1, say=lambda _: None) as opened:
            (run,) = await opened.run(Program("print(6 * 7)"), [""], Limits(cpu_s=5.0))
    except SstarError as error:
        return Check(name, State.NOTE, str(error))
    if run.status is Status.OK and run.stdout == "42\n":
        return Check(name, State.OK, f"ran a program in {1000 * run.wall_s:.0f} ms")
    return Check(name, State.NOTE, f"a test program ended with {run.status}: {run.failure}")


async def check_endpoint(endpoint: Endpoint) -> list[Check]:
    """Whether the server answers, what it serves and how long its context is.

    An endpoint that is down is a note unless a model is named.
    """
    from sstar_code.agent.jobs.session import make_asked
    from sstar_code.agent.models.recorded.replay import ReplayModel

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
    detail = f"{server.url}{version} answers in {1000 * server.seconds:.0f} ms; serves {served}{length}"
    return [*checks, Check("endpoint", State.OK, detail)]
