"""The method as functions of Python: what `import sstar_code` offers.

Each function has an asynchronous twin (`solve` and `asolve`). The others also work where an event loop runs
already, as in a notebook: they run in a thread of their own, and so does a model that is given as a callable.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import anyio

from sstar_code.agent.calls.budget import main_cause
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice, serve_for
from sstar_code.agent.jobs.evaluate import evaluate_run
from sstar_code.agent.jobs.select_samples import Work, choose_run
from sstar_code.agent.jobs.session import make_config, open_run, open_session
from sstar_code.agent.jobs.solve_problem import solve_problem
from sstar_code.agent.models.callable_model import CallableModel, Chat
from sstar_code.agent.models.recorded import find_prompts
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.run.history.which_set import note_choice
from sstar_code.agent.run.outcomes import Prices
from sstar_code.agent.solving.presets import choose_prompts, find_preset, note_preset
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import Problem, UserError, load_set
from sstar_code.problems.formats.frames import refuse_framed
from sstar_code.problems.formats.jsonl import to_json
from sstar_code.problems.formats.judges import attach_testlib, list_languages
from sstar_code.problems.statements.parse import parse_statement
from sstar_code.problems.values import encode
from sstar_code.sandbox import Limits, Mode, Program
from sstar_code.sandbox.languages.marks import mark
from sstar_code.sandbox.languages.table import PYTHON
from sstar_code.selection import Candidate

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Model
    from sstar_code.agent.run.summary import Summary
    from sstar_code.agent.solving.solve import Solution
    from sstar_code.sandbox import Execution, Sandbox
    from sstar_code.selection import Selection

T = TypeVar("T")
P = ParamSpec("P")


def _plainly(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Raise the one error that the user can do most about, not a group of all that failed together."""

    @wraps(function)
    async def call(*values: P.args, **options: P.kwargs) -> T:
        try:
            return await function(*values, **options)
        except BaseExceptionGroup as group:
            raise main_cause(group) from group

    return call


@_plainly
async def asolve(
    problem: Problem | str,
    *,
    model: str | Model | Chat,
    settings: Settings | None = None,
    preset: str | None = None,
    base_url: str | Sequence[str] = (),
    sandbox: str | Sandbox = "auto",
    prompts: Path | None = None,
    folder: Path | None = None,
    testlib: Path | None = None,
) -> Solution:
    """Sample programs for `problem`, repair them by what they do on its public tests, choose one.

    Args:
        problem: a problem, or the text of a statement, whose examples become public tests.
        model: a name at `base_url`, `vllm:NAME` to have it served, `replay:FILE` for recorded calls, an
            asynchronous function of chat messages that returns text, or an object with `name` and `ask`.
        settings: how many samples, rounds and so on; None: those of `preset`, else the method's own.
        preset: a leaderboard whose prompts and sampling are taken, a key of `sstar_code.PRESETS`.
        base_url: one or more OpenAI-compatible endpoints of that model; none: `OPENAI_BASE_URL`, else this
            machine. The key is in `OPENAI_API_KEY`.
        sandbox: `auto`, `docker`, `local`, `unsafe`, or a sandbox.
        prompts: a folder whose *.j2 files replace prompt templates by name.
        folder: where answers and executions are kept, so that the same call goes on where an earlier one
            ended; None: nothing is kept.
        testlib: testlib.h, for judges in C++ that include it.

    Raises:
        UserError: the model, the preset, the sandbox or the folder cannot be used; the text says what to do.
        InfrastructureError: the endpoint or the sandbox is gone.
    """
    settings = settings or _choose_settings(preset)
    ((task,), place) = _equip([_read(problem)], testlib, sandbox, settings.language)
    asked = _find_model(model, base_url, settings, preset=preset)
    templates = choose_prompts(prompts, preset, model)
    if folder is not None:
        own = {"problem": to_json(task), **settings.as_json()}
        config = make_config(task.id, _describe(asked), templates, **own, **_name(preset))
        _open("solve", folder, config, note_preset(preset, settings, _describe(asked), templates))
    opening = open_session(folder, place, _say_nothing, endpoint=asked, quiet=True)
    return await solve_problem(opening, task, settings, templates)


@_plainly
async def aevaluate(
    problems: str | Sequence[Problem],
    *,
    model: str | Model | Chat,
    settings: Settings | None = None,
    preset: str | None = None,
    base_url: str | Sequence[str] = (),
    sandbox: str | Sandbox = "auto",
    prompts: Path | None = None,
    folder: Path | None = None,
    testlib: Path | None = None,
) -> Summary:
    """Solve every problem and grade the choices on the hidden tests: what `sstar eval` does.

    `problems` are the problems, or a set's name as for `sstar eval`, like `lists` or `lcb:test6.jsonl`.
    `folder` becomes a run folder that `sstar report` reads and the same call resumes; None: none is kept.
    With a `preset` the folder and the summary say what departs from it. The others are those of `asolve`.

    Raises:
        UserError: the set, the model, the preset, the sandbox or the folder cannot be used.
        InfrastructureError: the endpoint or the sandbox is gone; with a folder, what was finished is kept.
    """
    name = problems if isinstance(problems, str) else None
    whole = None if name is None else load_set(name)
    tasks = list(cast("Sequence[Problem]", problems) if whole is None else whole.problems)
    if not tasks:
        raise UserError("there is no problem to evaluate")
    settings = settings or _choose_settings(preset)
    (tasks, place) = _equip(tasks, testlib, sandbox, settings.language)
    asked = _find_model(model, base_url, settings, preset=preset)
    templates = choose_prompts(prompts, preset, model)
    if folder is not None:
        own = {"problems": [task.id for task in tasks], **settings.as_json()}
        own["set"] = "given in Python" if name is None else name
        about = {} if whole is None else {"set_name": whole.name, "data": str(whole.path)}
        about |= note_choice(tasks, window=(None, None), filters=None, limit=None)
        set_name = "given in Python" if whole is None else whole.name
        about |= note_preset(preset, settings, _describe(asked), templates, set_name)
        config = make_config("evaluation", _describe(asked), templates, **own, **_name(preset))
        _open("eval", folder, config, about)
    opening = open_session(folder, place, _say_nothing, endpoint=asked, quiet=True)
    return await evaluate_run(opening, tasks, settings, templates, prices=Prices())


@_plainly
async def aselect(
    problem: Problem | str,
    programs: Sequence[str | Candidate],
    *,
    method: str = "adaptive",
    model: str | Model | Chat | None = None,
    base_url: str | Sequence[str] = (),
    sandbox: str | Sandbox = "auto",
    seed: int = 0,
    prompts: Path | None = None,
    testlib: Path | None = None,
) -> Selection:
    """Choose among `programs` by what they do; `chosen` of the result is an index into them.

    Every program is run on the public tests of `problem` first. `programs` are texts of programs, or
    candidates, whose `sources` say who wrote each; `method` is one of `sstar_code.METHODS` or of an installed
    package. `model` is asked what the programs leave open; None: only evidence that needs no model counts.
    The others are those of `asolve`.

    Raises:
        UserError: an unknown method, or as for `asolve`.
        InfrastructureError: the endpoint or the sandbox is gone.
    """
    ((task,), place) = _equip([_read(problem)], testlib, sandbox)
    settings = Settings(select=method, seed=seed)
    candidates = [
        item if isinstance(item, Candidate) else Candidate(mark(item, PYTHON), 0, 0) for item in programs
    ]
    work = Work(
        task, tuple(item.code for item in candidates), tuple(tuple(item.sources) for item in candidates)
    )
    asked = None if model is None else _find_model(model, base_url)
    opening = open_session(None, place, _say_nothing, endpoint=asked, quiet=True)
    (made,) = await choose_run(
        opening, [work], settings, Prompts(prompts or find_prompts(model)), grade="none"
    )
    return made.selection


@_plainly
async def arun(
    program: str,
    inputs: Sequence[str | tuple[Any, ...]],
    *,
    entry_point: str | None = None,
    language: str = PYTHON,
    limits: Limits | None = None,
    sandbox: str | Sandbox = "auto",
) -> list[Execution]:
    """Run an untrusted program once on each input, isolated; what happened, in the order of `inputs`.

    Args:
        program: its text.
        inputs: texts for standard input. With `entry_point` each is a tuple of arguments instead, or a text
            with one JSON value per argument, one a line.
        entry_point: the function to call, like `f` or `Solution.f`; None: the program is run as a script.
        language: what the program is written in: `python`, `cpp17` or `cpp20`; these are not called.
        limits: seconds of CPU time, memory and output; None: the default limits.
        sandbox: as for `asolve`.

    Raises:
        UserError: the sandbox cannot be used.
        SandboxError: programs cannot be isolated here; the text says what to install.
    """
    made, texts = _make_program(program, inputs, entry_point, language)
    async with open_session(None, _find_sandbox(sandbox, language), _say_nothing, quiet=True) as session:
        return await session.sandbox.run(made, texts, limits or Limits())


@_plainly
async def arun_many(
    jobs: Sequence[tuple[str, Sequence[str | tuple[Any, ...]]]],
    *,
    entry_point: str | None = None,
    language: str = PYTHON,
    limits: Limits | None = None,
    sandbox: str | Sandbox = "auto",
    pool: str | None = None,
    priority: int = 0,
) -> list[list[Execution]]:
    """`arun` for many programs at once: what happened for each, in the order of `jobs`.

    Args:
        jobs: programs, each with its inputs.
        entry_point: as for `arun`, of all programs.
        language: likewise.
        limits: as for `arun`; a pool takes CPU seconds, memory and digits of integers from it.
        sandbox: as for `asolve`; not looked at where `pool` is given.
        pool: the address of a running `sstar pool` that runs them, like `http://127.0.0.1:8900`; its key is
            in `SSTAR_POOL_KEY`.
        priority: of these jobs among those of the pool's other clients; a higher one is run first.

    Raises:
        UserError: the sandbox cannot be used, or the pool refuses a job or the key.
        InfrastructureError: programs cannot be isolated here, or no pool answers.
    """
    made = [_make_program(code, inputs, entry_point, language) for code, inputs in jobs]
    bounds = limits or Limits()
    if pool is not None:
        return await _ask_pool(pool, made, bounds, priority)
    results: list[list[Execution]] = [[] for _ in made]
    places = iter(range(len(made)))
    async with open_session(None, _find_sandbox(sandbox, language), _say_nothing, quiet=True) as session:

        async def run_some() -> None:
            for place in places:
                program, texts = made[place]
                results[place] = await session.sandbox.run(program, texts, bounds)

        async with anyio.create_task_group() as group:
            for _ in range(2 * session.sandbox.workers):  # one is prepared while one is run
                group.start_soon(run_some)
    return results


async def _ask_pool(
    address: str, made: Sequence[tuple[Program, list[str]]], limits: Limits, priority: int
) -> list[list[Execution]]:
    from sstar_code.agent.pool.client import run_jobs, to_execution

    common = {"time_limit_s": limits.cpu_s, "memory_limit_mb": limits.memory_mb}
    if limits.int_digits is not None:
        common["int_digits"] = limits.int_digits
    jobs: list[dict[str, Any]] = []
    for program, texts in made:
        named = {} if program.entry_point is None else {"entry_point": program.entry_point}
        jobs.append({"code": program.code, "language": program.language, "inputs": texts, **named, **common})
    results = await run_jobs(address, jobs, key=os.environ.get("SSTAR_POOL_KEY"), priority=priority)
    return [[to_execution(run) for run in result["executions"]] for result in results]


def _make_program(
    code: str, inputs: Sequence[str | tuple[Any, ...]], entry_point: str | None, language: str
) -> tuple[Program, list[str]]:
    """The program and the texts of its inputs.

    Raises:
        UserError: an input of a script is no text, or the language is none or is not called.
    """
    texts = [item if isinstance(item, str) else "\n".join(map(encode, item)) for item in inputs]
    if entry_point is None and not all(isinstance(item, str) for item in inputs):
        raise UserError("an input of a script is a text; name the function to call with entry_point")
    mode = Mode.MAIN if entry_point is None else Mode.CALL
    try:
        return Program(code, mode, entry_point, language=language), texts
    except ValueError as error:
        raise UserError(str(error)) from None


def solve(problem: Problem | str, **options: Any) -> Solution:
    """`asolve`, waited for."""
    return _wait(partial(asolve, problem, **options))


def evaluate(problems: str | Sequence[Problem], **options: Any) -> Summary:
    """`aevaluate`, waited for."""
    return _wait(partial(aevaluate, problems, **options))


def select(problem: Problem | str, programs: Sequence[str | Candidate], **options: Any) -> Selection:
    """`aselect`, waited for."""
    return _wait(partial(aselect, problem, programs, **options))


def run(program: str, inputs: Sequence[str | tuple[Any, ...]], **options: Any) -> list[Execution]:
    """`arun`, waited for."""
    return _wait(partial(arun, program, inputs, **options))


def run_many(
    jobs: Sequence[tuple[str, Sequence[str | tuple[Any, ...]]]], **options: Any
) -> list[list[Execution]]:
    """`arun_many`, waited for."""
    return _wait(partial(arun_many, jobs, **options))


def _choose_settings(preset: str | None) -> Settings:
    return Settings() if preset is None else find_preset(preset).settings


def _name(preset: str | None) -> dict[str, str]:
    """The part of a run's configuration that names the preset."""
    return {} if preset is None else {"preset": preset}


def _find_model(
    model: str | Model | Chat, base_url: str | Sequence[str], *settings: Settings, preset: str | None = None
) -> Endpoint | Model:
    """What is asked; a model that is no name samples as it likes, whatever the preset has."""
    if isinstance(model, str):
        urls = (base_url,) if isinstance(base_url, str) else tuple(base_url)
        asked = serve_for(Endpoint(model, urls), *settings)
        return asked if preset is None else replace(asked, top_p=find_preset(preset).top_p)
    if hasattr(model, "ask"):
        return cast("Model", model)
    if callable(model):
        return CallableModel(model)
    raise UserError(f"the model is a {type(model).__name__}: give a name, an async function, or a model")


def _read(problem: Problem | str) -> Problem:
    return parse_statement(problem, id="problem") if isinstance(problem, str) else problem


def _equip(
    problems: Sequence[Problem], testlib: Path | None, sandbox: str | Sandbox, language: str = PYTHON
) -> tuple[list[Problem], SandboxChoice | Sandbox]:
    """`problems` with testlib's header in their judges, and a sandbox that has what these are written in."""
    refuse_framed(problems)
    return attach_testlib(problems, testlib), _find_sandbox(sandbox, language, *list_languages(problems))


def _find_sandbox(sandbox: str | Sandbox, *languages: str) -> SandboxChoice | Sandbox:
    if not isinstance(sandbox, str):
        return sandbox
    return SandboxChoice(sandbox, languages=tuple(name for name in languages if name != PYTHON))


def _open(command: str, folder: Path, config: dict[str, Any], about: dict[str, Any]) -> None:
    """Make or go on in `folder`, with the configuration and facts `about` it that the command would write."""
    open_run(command, json.loads(json.dumps(config)), folder, fresh=False, say=_say_nothing, **about)


def _describe(asked: Endpoint | Model) -> Endpoint:
    return asked if isinstance(asked, Endpoint) else Endpoint(asked.name)


def _say_nothing(_line: str) -> None:
    """A library prints nothing."""


def _wait(function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `function` in an event loop: here, or where one is running in a thread beside it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return anyio.run(function)
    with ThreadPoolExecutor(1, "sstar") as threads:
        return threads.submit(anyio.run, function).result()
