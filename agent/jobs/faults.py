"""Errors that belong to one problem: they are told and counted, and the others go on."""

from __future__ import annotations

import sqlite3
import traceback
from pathlib import Path

from sstar_code.agent.calls.budget import main_cause
from sstar_code.agent.telemetry.events import log_event
from sstar_code.problems import SstarError

LOST = "the sandbox lost a run (IE); run the same command again"
"""Why nothing is known of a problem; it is tried once more when the others are done."""
_MAX_CHARS = 300


def describe_fault(error: Exception, problem_id: str) -> str:
    """One line on an error that nobody foresaw, for the record of the problem over which it was raised.

    Raises:
        Exception: `error` itself, where it is no matter of one problem: something is gone, spent, full, or
            the user's to mend.
    """
    cause = main_cause(error)
    if not isinstance(cause, Exception) or isinstance(cause, SstarError | OSError | sqlite3.Error):
        raise error
    last = traceback.extract_tb(cause.__traceback__)[-1:]
    where = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in last)
    words = "".join(letter if letter.isprintable() else " " for letter in str(cause)[:_MAX_CHARS])
    line = f"unexpected {type(cause).__name__}{where}: {words}; please report it"
    log_event("problem.failed", problem=problem_id, error=line)
    return line
