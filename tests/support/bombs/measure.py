"""Runs readers of files, each in a process of its own, and says what came of it and what it cost.

Standard input has a JSON list [reader, path] a line; standard output gets an object for each.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from pathlib import Path

from sstar_code.problems.sets.readers import READERS as SETS

MIB = 1 << 20
_ADDRESS_SPACE = 3 << 30
"""A reader that is not stopped by its own bounds ends here, and not with the machine."""
_CPU_S = 30


def _read_set(name):
    from sstar_code.problems import load_set

    return lambda path: [list(problem.hidden_tests) for problem in load_set(f"{name}:{path}").problems]


def _read_samples(path):
    from sstar_code.agent.cli.samples import digest
    from sstar_code.problems.samples import read_samples

    digest(Path(path))
    return read_samples(path)


def _read_recording(path):
    from sstar_code.agent.models.recorded import ReplayModel

    return ReplayModel(Path(path))


def _read_statement(path):
    from sstar_code.agent.cli.commands.solve import read_problem

    return read_problem(path)


def _read_templates(path):
    from sstar_code.agent.prompts.templates import Prompts

    return Prompts(Path(path))


def _read_run(path):
    from sstar_code.agent.run.folder import read_manifest, read_summary

    read_summary(Path(path))
    return read_manifest(Path(path))


def _read_prices(path):
    from sstar_code.agent.run.prices import read_price_list

    return read_price_list(Path(path))


READERS = {name: _read_set(name) for name in SETS} | {
    "prices": _read_prices,
    "samples": _read_samples,
    "recording": _read_recording,
    "statement": _read_statement,
    "templates": _read_templates,
    "run": _read_run,
}


def _run(reader, path):
    """Exit code of the command line for what the reader raises; its line goes to standard error."""
    from sstar_code.agent.cli import main

    try:
        READERS[reader](path)
    except BaseException as error:  # noqa: BLE001 - as the command line does
        return main._report(error, debugging=False)
    return 0


def measure(reader, path):
    """What came of reading `path` in a child: rc, err, cpu_s, and mb, the growth of its resident memory."""
    with tempfile.TemporaryFile() as log:
        before_kb = _resident_kb()
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
            resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
            os.dup2(log.fileno(), 2)
            code = 70
            try:
                code = _run(reader, path)
            finally:
                sys.stderr.flush()
                os._exit(code)
        _, status, usage = os.wait4(child, 0)
        log.seek(0)
        err = log.read(20_000).decode("utf-8", "replace")
    return {
        "rc": os.waitstatus_to_exitcode(status),
        "err": err,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "mb": (usage.ru_maxrss - before_kb) / 1024,
    }


def _resident_kb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


def _main():
    import sstar_code.agent.cli.main
    import sstar_code.agent.cli.samples
    import sstar_code.agent.models.recorded
    import sstar_code.agent.prompts.templates  # noqa: F401 - all before the first fork

    for line in sys.stdin:
        sys.stdout.write(json.dumps(measure(*json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
