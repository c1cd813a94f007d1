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
from pathlib import Path

import pytest

from tests.support import ROOT

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
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # from 3.11.4 on
        archive.extractall(folder, **safely)
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
    extras = {"contest", "vllm", "serve", "mcp", "hub", "parquet", "ray", "otel", "plot", "train"}
    extras |= {"mutants", "fuzz", "docs", "dev"}
    assert set(metadata.get_all("Provides-Extra") or []) == extras
    assert not any(line.startswith(("vllm", "torch", "huggingface")) for line in plain)


def make_environment(target: Path) -> Path:
    """The Python of a new environment; what ours depends on is taken from this one: no network is needed."""
    venv.EnvBuilder(with_pip=False, symlinks=True).create(target)
    site = next((target / "lib").glob("python3*/site-packages"))
    own = "\n".join(path for path in sys.path if path.endswith("site-packages"))
    (site / "dependencies.pth").write_text(own)
    return target / "bin" / "python"


@pytest.mark.slow  # the demo itself, and the wheel, have tests of their own
def test_installed_command_runs_the_demo_elsewhere(wheel, tmp_path, sandbox_local):
    """In an environment of its own, from another folder, without the checkout, the command works."""
    target = tmp_path / "env"
    python = make_environment(target)
    install = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    made = call(*install, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    where = call(python, "-c", "from sstar_code import agent, problems; print(agent, problems)", cwd=tmp_path)
    assert where.stdout.count(f"from '{target}/") == 2, where
    command = target / "bin" / "sstar"
    assert "solve" in call(command, "--help", cwd=tmp_path).stdout
    words = "eval examples -m replay:examples --n 6 --limit 3 --sandbox local --json"
    demo = call(command, *words.split(), cwd=tmp_path)
    assert demo.returncode == 0, demo.stderr
    assert json.loads(demo.stdout)["selected@1"] == 1.0
    assert (tmp_path / "runs").is_dir()


def write_wheel(folder: Path, name: str, text: str) -> Path:
    """A wheel of another package that installs one top-level package called `name`."""
    path, info = folder / f"{name}-9.9-py3-none-any.whl", f"{name}-9.9.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", text)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(
            f"{info}/RECORD", f"{name}/__init__.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return path


OTHERS = ("agent", "sandbox", "selection", "problems")


@pytest.mark.slow  # below, the same names are not installed but lie in the way
@pytest.mark.parametrize("ours_first", [True, False])
def test_packages_of_the_same_names_live_beside_it(wheel, tmp_path, ours_first):
    """Distributions called like our folders are installed and removed before or after ours: all work."""
    python = make_environment(tmp_path / "env")
    others = [write_wheel(tmp_path, name, f"OURS = {name!r}\n") for name in OTHERS]
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")

    def check(there: bool) -> None:
        ours = call(
            python, "-c", "from sstar_code.selection import METHODS; print(len(METHODS))", cwd=tmp_path
        )
        assert ours.stdout.strip() == "13", ours.stderr
        for name in OTHERS if there else ():
            assert call(python, "-c", f"import {name}; assert {name}.OURS", cwd=tmp_path).returncode == 0

    order = [wheel, *others] if ours_first else [*others, wheel]
    for item in order:
        made = call(*pip, "install", "--no-deps", "--no-index", item, cwd=tmp_path)
        assert made.returncode == 0, made.stderr
    check(there=True)
    call(*pip, "uninstall", "--yes", *OTHERS, cwd=tmp_path)
    check(there=False)
    call(*pip, "install", "--no-deps", "--no-index", *others, cwd=tmp_path)
    call(*pip, "uninstall", "--yes", "sstar-code", cwd=tmp_path)
    for name in OTHERS:
        assert call(python, "-c", f"import {name}; assert {name}.OURS", cwd=tmp_path).returncode == 0


def test_the_users_own_packages_change_nothing(tmp_path, sandbox_local):
    """A folder with an `agent/`, a `sandbox/`, a `selection/` and a `problems.py`, also on PYTHONPATH."""
    for name in ("agent", "sandbox", "selection"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the user's own code was run')\n")
    (tmp_path / "problems.py").write_text("raise SystemExit('the user's own code was run')\n")
    words = ["eval", "lists", "-m", "replay:lists", "--n", "1", "--limit", "1", "--select", "first"]
    command = Path(sys.executable).parent / "sstar"
    for environment in ({}, {"PYTHONPATH": "."}):
        ended = call(command, *words, "--sandbox", "local", "--fresh", cwd=tmp_path, **environment)
        assert ended.returncode == 0, ended.stderr
        module = call(
            sys.executable, "-m", "sstar_code.agent.testing.simulator", "--help", cwd=tmp_path, **environment
        )
        assert "usage" in module.stdout, module.stderr
