"""What is built is what is installed: sdist, wheel, an environment of its own, the command elsewhere."""

from __future__ import annotations

import email
import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = ("problems", "sandbox", "selection", "agent")


def call(*words: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SSTAR_", "PYTHON"))}
    return subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel made from the sdist, as an index would have it."""
    folder = tmp_path_factory.mktemp("dist")
    build = "import sys, hatchling.build as b; print(getattr(b, sys.argv[1])(sys.argv[2]))"
    made = call(sys.executable, "-c", build, "build_sdist", folder, cwd=ROOT)
    if "No module named 'hatchling'" in made.stderr:
        pytest.skip("hatchling is not installed here: make setup installs it")
    assert made.returncode == 0, made.stderr
    with tarfile.open(folder / made.stdout.strip().splitlines()[-1]) as archive:
        archive.extractall(folder, filter="data")
    (source,) = (path for path in folder.iterdir() if path.is_dir())
    made = call(sys.executable, "-c", build, "build_wheel", folder, cwd=source)
    assert made.returncode == 0, made.stderr
    return folder / made.stdout.strip().splitlines()[-1]


def test_wheel_holds_the_four_packages_and_their_data(wheel):
    """Templates, examples, the image's recipe and the type markers travel; tests do not."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    expected = {"sstar_code/__init__.py", "sstar_code/py.typed"}
    expected |= {
        f"sstar_code/{path.relative_to(ROOT)}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix in {".py", ".j2", ".json", ".jsonl", ".gz"} | {""}
    }
    assert expected - names == set()
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"sstar_code"}


def test_metadata_says_what_it_needs(wheel):
    """The server is an extra: a client or a CI job must not download CUDA."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    needed = metadata.get_all("Requires-Dist") or []
    plain = [line for line in needed if "extra ==" not in line]
    assert metadata["Requires-Python"] == ">=3.11"
    extras = {"serve", "hub", "parquet", "ray", "otel", "plot", "dev"}
    assert set(metadata.get_all("Provides-Extra") or []) == extras
    assert not any(line.startswith(("vllm", "torch", "huggingface")) for line in plain)


def test_installed_command_runs_the_demo_elsewhere(wheel, tmp_path, sandbox_local):
    """In an environment of its own, from another folder, without the checkout, the command works."""
    target = tmp_path / "env"
    venv.EnvBuilder(with_pip=False, symlinks=True).create(target)
    python = target / "bin" / "python"
    # The wheel by pip; what it depends on is taken from this environment, so that no network is needed.
    install = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    made = call(*install, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    site = next((target / "lib").glob("python3*/site-packages"))
    (site / "dependencies.pth").write_text(
        "\n".join(path for path in sys.path if path.endswith("site-packages"))
    )
    where = call(python, "-c", "from sstar_code import agent, problems; print(agent, problems)", cwd=tmp_path)
    assert where.stdout.count(f"from '{target}/") == 2, where
    command = target / "bin" / "sstar"
    assert "solve" in call(command, "--help", cwd=tmp_path).stdout
    words = "eval examples -m replay:examples --n 6 --limit 3 --sandbox local --json"
    demo = call(command, *words.split(), cwd=tmp_path)
    assert demo.returncode == 0, demo.stderr
    assert json.loads(demo.stdout)["selected@1"] == 1.0
    assert (tmp_path / "runs").is_dir()
