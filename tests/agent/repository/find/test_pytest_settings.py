"""What is a test, and from where modules are imported, is as pytest is configured."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sstar_code.agent.repository.find.places import locate
from sstar_code.agent.repository.find.project_files import list_tests
from sstar_code.agent.repository.find.pytest_settings import PytestSettings, find_settings, read_settings

FILES = (
    "conftest.py", "test_a.py", "b_test.py", "check_c.py", "tests/test_d.py", "tests/check_e.py",
    "tests/deep/test_f.py", "docs/use.rst", "docs/test_g.txt", "docs/h.md", "vendor/test_i.py",
)  # fmt: skip
TOML = "[tool.pytest.ini_options]\n"
SETTINGS = {
    "none": {},
    "empty": {"pytest.ini": "", "tox.ini": "[pytest]\npython_files = check_*.py\n"},
    "files": {"tox.ini": "[pytest]\npython_files = check_*.py\n  b_test.py\n"},
    "places": {"setup.cfg": "[tool:pytest]\ntestpaths = tests docs/*.txt\n"},
    "gone places": {"pytest.ini": "[pytest]\ntestpaths = nowhere\n"},
    "texts": {"pyproject.toml": f"{TOML}addopts = \"--doctest-glob=*.rst --doctest-glob 'h.*'\""},
    "list": {"pyproject.toml": f'{TOML}addopts = ["--doctest-glob=docs/*"]\ntestpaths = ["docs"]'},
    "below": {"tests/pytest.ini": "[pytest]\npython_files = check_*.py\n"},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_tests_are_the_files_that_pytest_collects(tmp_path, settings):
    """With each kind of settings file, and without any; what it does not know it ignores."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        is_text = not name.endswith(".py")
        test = ">>> 1\n1\n" if is_text else "def test_x(): pass\n" if name != "conftest.py" else ""
        (tmp_path / name).write_text(test)
    for name, text in settings.items():
        (tmp_path / name).write_text(text)
    words = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"]
    folders = ["tests", "."] if "tests/pytest.ini" in settings else ["."]
    collected = set()
    for folder in folders:
        more = ["--ignore=tests"] if folders == ["tests", "."] and folder == "." else []
        where = tmp_path / folder
        ran = subprocess.run([*words, *more], cwd=where, capture_output=True, text=True, check=False)
        lines = [line.partition("::")[0] for line in ran.stdout.splitlines() if "::" in line]
        collected |= {line if folder == "." else f"{folder}/{line}" for line in lines}
    assert collected
    assert set(list_tests(tmp_path)) == collected | {"conftest.py"}


def test_the_nearest_settings_count(tmp_path):
    """A repository of several projects has settings for each; above the repository nothing counts."""
    root = tmp_path / "root"
    (root / "a" / "deep").mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\npython_files = x.py\n")
    assert find_settings(root / "a" / "deep" / "m.py", root) == (root, PytestSettings())
    (root / "a" / "pytest.toml").write_text('[pytest]\npython_files = ["y.py"]\n')
    (root / "a" / "deep" / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    found = PytestSettings(python_files=("y.py",))
    assert find_settings(root / "a" / "deep" / "m.py", root) == (root / "a", found)
    assert read_settings(root / "a" / "deep") is None


@pytest.mark.parametrize(
    ("path", "used", "module", "base"),
    [
        ("acme/tools/units.py", "from acme.tools.units import f", "acme.tools.units", "."),
        ("acme/tools/units.py", "from acme.tools import (\n    units,\n)", "acme.tools.units", "."),
        ("acme/tools/units.py", "import os, acme.tools.units as u", "acme.tools.units", "."),
        ("acme/tools/units.py", "from tools import units", "tools.units", "acme"),
        ("acme/tools/units.py", "import units", "units", "acme/tools"),
        ("code/inner/m.py", "import code.inner.m", "inner.m", "code"),
    ],
)
def test_a_module_has_the_name_by_which_it_is_imported(tmp_path, path, used, module, base):
    """Also in folders without `__init__.py`; what pytest's `pythonpath` says comes first."""
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text("")
    (tmp_path / "test_a.py").write_text(f"{used}\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = code ../elsewhere\n")
    place = locate(tmp_path / path, tmp_path)
    assert (place.module, place.base) == (module, tmp_path / base)


def test_a_file_that_imports_by_dots_is_in_a_package(tmp_path):
    """As many folders above as it has dots, whoever imports it."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "m.py").write_text("from .. import x\nfrom . import y\n")
    place = locate(tmp_path / "a" / "b" / "m.py", tmp_path)
    assert (place.module, place.base) == ("a.b.m", tmp_path)


def test_what_cannot_be_read_says_nothing(tmp_path):
    """A file that does not parse is passed over, as is one of another kind; pytest itself will say so."""
    (tmp_path / "pyproject.toml").write_text("[tool")
    (tmp_path / "setup.cfg").write_text("[pytest]\npython_files = check_*.py\n")
    (tmp_path / "tox.ini").write_text("python_files = check_*.py\n")
    assert read_settings(tmp_path) is None
