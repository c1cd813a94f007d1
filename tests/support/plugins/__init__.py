"""Example packages that plug into this one, and how a test installs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

__all__ = ["install_example", "install_examples"]

_BUILD = "import hatchling.build as build; print(build.build_wheel('.'))"


def install_example(name: str, site: Path) -> Path:
    """Build the example package `name` as a wheel and unpack it into `site`, as pip would; `site`."""
    source = site.parent / f"{name}-source"
    shutil.copytree(Path(__file__).parent / name, source)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    built = subprocess.run(
        [sys.executable, "-c", _BUILD],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    with zipfile.ZipFile(source / built.stdout.split()[-1]) as wheel:
        wheel.extractall(site)
    return site


def install_examples(folder: Path) -> Path:
    """The folder for `PYTHONPATH` into which the wheels of all examples have been unpacked."""
    site = folder / "site"
    for source in sorted(Path(__file__).parent.glob("*_example")):
        install_example(source.name, site)
    return site
