"""An assert-style test that needs the candidate's objects themselves: it runs in the candidate's process.

The test is compiled, and Python's own names are taken for it, before the program runs. A program determined
to forge can still find the test, what it expects and the token that says that it ran to its end.
"""

from __future__ import annotations

import json
import os
from typing import Any

from sstar_code.sandbox.inside import driver
from sstar_code.sandbox.inside.asserting.tester import NAME, Names, explain


def perform(job: driver.Job, token: str) -> None:
    """Run the program of `job`, then the test that standard input holds, report, exit. Never returns."""
    (leave, run, write, dump) = (os._exit, exec, os.write, json.dumps)
    (describe, flush) = (driver.describe, driver.flush_streams)
    space = driver.enter(job, "solution")
    text = driver.take_input()
    names = Names(lambda name: _look_up(space, name))
    own: dict[str, Any] = {"__name__": NAME, "__builtins__": names}
    (status, report) = (0, {"token": token})
    try:
        code = compile(text, driver.TEST_FILE, "exec", dont_inherit=True)
        for each in job.codes:
            run(each, space)
        if job.entry_point in names:
            names.bind(job.entry_point, own)
        run(code, own)
    except BaseException as error:  # noqa: BLE001 - a candidate may raise anything
        if isinstance(error, NameError):
            error = explain(error, job.entry_point, names)
        (status, report) = describe(error, "assert", token, text)
    write(driver.REPORT, dump(report).encode("ascii") + b"\n")
    flush("stdout", "stderr")
    leave(status)


def _look_up(space: dict[str, Any], name: str) -> Any:
    if name not in space:
        raise NameError(name)
    return space[name]
