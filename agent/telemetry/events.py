"""Events of a run as JSON lines (`--log-file`), and what the work under way is for.

Without a log that is open nothing is written, and nothing is imported for it. Texts of prompts, answers and
programs are never part of an event: they are in `run.db`. Secrets of the environment are masked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from io import FileIO
from pathlib import Path
from typing import Any

from sstar_code.problems import InfrastructureError
from sstar_code.problems.files import open_to_append
from sstar_code.problems.plain_text import escape_json

_WORK: ContextVar[tuple[str, str]] = ContextVar("work", default=("", "other"))


@contextmanager
def working_on(problem_id: str, stage: str) -> Iterator[None]:
    """Programs run inside, by tasks begun inside too, are counted for this problem and stage."""
    token = _WORK.set((problem_id, stage))
    try:
        yield
    finally:
        _WORK.reset(token)


def current_work() -> tuple[str, str]:
    """Problem and stage that the work under way is for; ("", "other") where nobody said."""
    return _WORK.get()


_LOG: ContextVar[Any] = ContextVar("log", default=None)
_SECRET_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_SHORTEST_SECRET = 8
"""A shorter value is a place holder, as local servers want one."""
_USER_IN_URL = re.compile(r"(?<=://)[^/\s@]+(?=@)")


@contextmanager
def open_log(path: Path, *, run: str, say: Callable[[str], None]) -> Iterator[None]:
    """Append the events of what is done inside, by tasks begun inside too, to the file `path`.

    A file that can no longer be written is told once to `say`: a run does not end for its log.

    Raises:
        InfrastructureError: the file cannot be opened.
    """
    import structlog

    try:
        file = FileIO(
            open_to_append(path), "ab"
        )  # a line is one write: killed at any moment, it is there or not
    except OSError as error:
        raise InfrastructureError(f"--log-file {path}: cannot write ({error.strerror})") from error
    secrets = find_secrets(os.environ)

    def mask(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {name: mask_secrets(value, secrets) for name, value in event.items()}

    logger = structlog.wrap_logger(
        _Lines(file, path, say),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            mask,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.BoundLogger,
    ).bind(run=run)
    token = _LOG.set(logger)
    try:
        yield
    finally:
        _LOG.reset(token)
        file.close()


def log_event(event: str, **values: Any) -> None:
    """Write one line, like `call.answered`, where a log is open."""
    logger = _LOG.get()
    if logger is not None:
        logger.msg(event, **values)


def about(**ids: Any) -> AbstractContextManager[Any]:
    """Events inside, also of tasks begun inside, carry these ids: `problem`, `candidate`."""
    if _LOG.get() is None:
        return nullcontext()
    import structlog

    return structlog.contextvars.bound_contextvars(**ids)


def find_secrets(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Values of variables whose names say that they are secret, the longest first."""
    values = {
        value
        for name, value in environment.items()
        if _SECRET_NAMES.search(name) and len(value) >= _SHORTEST_SECRET
    }
    return tuple(sorted(values, key=len, reverse=True))


def mask_secrets(value: Any, secrets: tuple[str, ...]) -> Any:
    """`value` without any of `secrets`, and without user and password in addresses."""
    if not isinstance(value, str):
        return value
    for secret in secrets:
        value = value.replace(secret, "***")
    return _USER_IN_URL.sub("***", value)


class _Lines:
    """The file that structlog writes to: whole lines, until the disk is full."""

    def __init__(self, file: FileIO, path: Path, say: Callable[[str], None]) -> None:
        self._file = file
        self._path = path
        self._say = say
        self._broken = False

    def msg(self, line: str) -> None:
        if self._broken:
            return
        try:
            self._file.write((escape_json(line) + "\n").encode("utf-8", "backslashreplace"))
        except OSError as error:
            self._broken = True
            self._say(f"sstar: --log-file {self._path}: no more is logged ({error.strerror})")
