"""Example packages that bring a set, a checker and a sandbox, installed as pip would, without a network."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

from tests.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["install_examples"]

_BUILD = "import sys, hatchling.build as build; print(build.build_wheel(sys.argv[1]))"


def install_examples(folder: Path) -> Path:
    """The folder for `PYTHONPATH` in which the wheels of all three examples have been unpacked."""
    site = folder / "site"
    for source in sorted((ROOT / "tests" / "support" / "plugins").glob("*_example")):
        command = [sys.executable, "-c", _BUILD, str(folder)]
        made = subprocess.run(command, cwd=source, capture_output=True, text=True, check=True)
        with zipfile.ZipFile(folder / made.stdout.strip().splitlines()[-1]) as wheel:
            wheel.extractall(site)
    return site
