"""A pytest plugin: notes which test executes which lines, or runs only the tests that it is told.

MUTANTS_NOTE=FILE    write {test that passed: seconds} there; under `coverage run` a context for each test
MUTANTS_TESTS=FILE   run only the tests named there, one a line, in that order
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_seconds: dict[str, float] = defaultdict(float)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """What is executed from here on belongs to this test."""
    if "MUTANTS_NOTE" in os.environ:
        import coverage

        if measured := coverage.Coverage.current():
            measured.switch_context(item.nodeid)
    return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up the time of a test with its fixtures; one that does not pass can find nothing."""
    _seconds[report.nodeid] += report.duration if report.outcome == "passed" else float("inf")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the named tests, in their order."""
    if "MUTANTS_TESTS" in os.environ:
        names = Path(os.environ["MUTANTS_TESTS"]).read_text(encoding="utf-8").split("\n")
        wanted = {name: number for number, name in enumerate(names)}
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in wanted])
        kept = [item for item in items if item.nodeid in wanted]
        items[:] = sorted(kept, key=lambda item: wanted[item.nodeid])


def pytest_sessionfinish() -> None:
    """Write the seconds of the tests that passed."""
    if "MUTANTS_NOTE" in os.environ:
        passed = {name: spent for name, spent in _seconds.items() if spent != float("inf")}
        Path(os.environ["MUTANTS_NOTE"]).write_text(json.dumps(passed), encoding="utf-8")
