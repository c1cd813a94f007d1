"""The flags that commands share: each is spelled here, and has the default of the field that it fills.

`agent.cli.grouped` gives them to the commands that name the records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sstar_code.agent.cli.display import complete
from sstar_code.agent.cli.options.arguments import FRESH, JSON, TESTLIB
from sstar_code.agent.cli.options.flag import flag
from sstar_code.agent.cli.options.method import METHOD_FLAGS
from sstar_code.agent.cli.options.model import MODEL_FLAGS
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice, Watch
from sstar_code.agent.solving.settings import Settings


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Which problems of the set."""

    limit: int | None = None
    filter_: list[str] | None = None
    start_date: str | None = None
    end_date: str | None = None
    testlib: Path | None = None


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Where results go."""

    out: Path | None = None
    fresh: bool = False
    json_: bool = False


_run, _data, _output = (partial(flag, panel=panel) for panel in ("Running programs", "Problems", "Output"))

FLAGS: Mapping[type, Mapping[str, Any]] = {
    **MODEL_FLAGS,
    **METHOD_FLAGS,
    SandboxChoice: {
        "name": _run(
            "--sandbox",
            metavar="NAME",
            autocompletion=complete.list_sandboxes,
            help="auto, docker, local, or unsafe (no isolation; only for programs you trust).",
        ),
        "runtime": _run("--runtime", metavar="NAME", help="Container runtime for docker, like runsc."),
        "packages": _run(
            "--packages",
            metavar="NAME,...",
            help="Libraries that programs can import beside numpy and sortedcontainers, like scipy,networkx.",
        ),
        "workers": _run(
            "--workers", metavar="N", min=1, help="Programs run at once. (default: the usable cores)"
        ),
        "ray": _run(
            "--ray",
            metavar="ADDRESS",
            help="Run programs on every node of this Ray cluster (`auto`, or HOST:PORT), --workers on each; "
            "needs the extra `ray`.",
        ),
    },
    DataOptions: {
        "limit": _data("--limit", metavar="N", min=1, help="Only the first problems."),
        "filter_": _data(
            "--filter",
            metavar="TERM",
            help="Only problems whose id matches this regular expression, or that say so of themselves: "
            "difficulty=hard, platform!=leetcode, difficulty=easy,medium, date=2024-08. Repeat it for both.",
        ),
        "start_date": _data(
            "--start-date", metavar="DATE", help="Only problems published on this day or later (YYYY-MM-DD)."
        ),
        "end_date": _data(
            "--end-date", metavar="DATE", help="Only problems published on this day or earlier."
        ),
        "testlib": TESTLIB,
    },
    Watch: {
        "log_file": _output(
            "--log-file",
            metavar="FILE",
            help="Append events (calls, programs, choices) to this file as JSON lines.",
        ),
        "otel": _output(
            "--otel",
            help="Send OpenTelemetry spans of model calls, to where OTEL_EXPORTER_OTLP_ENDPOINT says; needs "
            "the extra `otel`.",
        ),
    },
    OutputOptions: {
        "out": _output(
            "--out", metavar="DIR", help="Run folder. (default: runs/ and a name made from the command)"
        ),
        "fresh": FRESH,
        "json_": JSON,
    },
}
"""Record -> field -> its flag. A field without a flag keeps its default."""

AS_TYPED = {
    (Endpoint, "base_urls"): list[str] | None,
    (Endpoint, "role_models"): list[str] | None,
    (Settings, "n"): str,
    (Settings, "context"): str,
    (SandboxChoice, "packages"): str | None,
}
"""What is typed on the command line where the field holds something else."""
