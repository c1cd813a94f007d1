"""`sstar check`: which functions are left open; offline, and nothing of the repository is run."""

from __future__ import annotations

import sys

from agent.cli import groups
from agent.cli.common import say
from agent.cli.findings import FilesArg, FindingOptions, publish

NAME = "check"


@groups.grouped
def command(files: FilesArg = None, *, reports: FindingOptions) -> int:
    """Find functions that are left open. Offline and fast: nothing is imported, run or asked.

    Example: sstar check src
    """
    from agent.repository.assess import check_files
    from agent.repository.layout import read_targets

    findings = check_files(read_targets(files or ["."]))
    sys.stdout.write(publish(findings, reports))
    if findings:
        what = "function is" if len(findings) == 1 else "functions are"
        advice = "`sstar fix FILE::NAME` writes one, `# sstar: ignore` keeps it"
        say(f"sstar: {len(findings)} {what} left open; {advice}")
    return 1 if findings else 0
