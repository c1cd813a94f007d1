"""Libraries that programs import: there in every sandbox, imported once a worker, and nobody's to change."""

from __future__ import annotations

import importlib.util
import sys

import anyio
import pytest

from sstar_code.agent.jobs.choices import SandboxChoice
from sstar_code.problems import UserError
from sstar_code.sandbox import Limits, Program, Status, make_sandbox
from sstar_code.sandbox.docker.sandbox import DockerSandbox
from sstar_code.sandbox.environment import check_packages, find_libraries
from sstar_code.sandbox.image import build
from sstar_code.sandbox.local.sandbox import LocalSandbox
from sstar_code.sandbox.workers.protocol import find_imports

_PROGRAMS = {
    "numpy": "import numpy as np\nprint(np.arange(int(input())).sum())",
    "sortedcontainers": "from sortedcontainers import SortedList as L\nprint(sum(L(range(int(input())))))",
    "imported late": "def f(n):\n import numpy\n return numpy.arange(n).sum()\nprint(f(int(input())))",
    "imported by name": "print(__import__('nu' + 'mpy').arange(int(input())).sum())",
    "linear algebra": (
        "import numpy as np\nn = int(input())\nprint(round(np.linalg.det(np.eye(3) * 1.0) * n * (n - 1) / 2))"
    ),
}


@pytest.mark.parametrize("code", _PROGRAMS.values(), ids=_PROGRAMS)
def test_what_contest_programs_import_is_there(sandbox_held, code):
    """Alone and among several inputs, within the memory that contests grant."""
    assert {"numpy", "sortedcontainers"} <= set(sandbox_held.sandbox.environment.libraries)
    for inputs in (["100"], ["100", "100"]):
        for run in sandbox_held.run(code, *inputs, memory_mb=256):
            assert (run.status, run.stdout) == (Status.OK, "4950\n"), run


def test_a_library_uses_one_core(sandbox_held):
    """A large product takes no more CPU time than wall time, and starts no thread."""
    code = """
import numpy, os
a = numpy.ones((300, 300))
for _ in range(5): a = a @ a / 300
print(len(os.listdir("/proc/self/task")), a[0, 0])
"""
    (run,) = sandbox_held.run(code, memory_mb=256)
    assert (run.status, run.stdout) == (Status.OK, "1 1.0\n"), run


def test_random_numbers_of_numpy_are_the_same_in_every_run(sandbox_held):
    """As those of `random`: a program that draws them does the same twice."""
    code = "import numpy as np\nprint(np.random.rand(3))"
    (one, other) = sandbox_held.run(code, "", "")
    (alone,) = sandbox_held.run(code)
    assert one.stdout == other.stdout == alone.stdout != ""


def test_a_program_cannot_change_a_library_for_another(sandbox_held):
    """What one run does to the imported module is gone with it."""
    spoil = "import numpy, sys\nnumpy.arange = None\nnumpy.left = sys.left = 1\nsys.modules['heapq'] = None"
    look = (
        "import heapq, numpy, sys\nprint(hasattr(numpy, 'left'), hasattr(sys, 'left'), numpy.arange(3).sum())"
    )
    for _ in range(3):
        sandbox_held.run(spoil, "", "")
        for run in (*sandbox_held.run(look), *sandbox_held.run(look, "", "")):
            assert run.stdout == "False False 3\n", run


def test_a_program_without_a_library_is_not_made_with_it(sandbox_held):
    """What others imported is in no other program's memory: no verdict depends on the order of programs."""
    look = "import sys\nprint('numpy' in sys.modules)"
    (before,) = sandbox_held.run(look)
    sandbox_held.run("import numpy", "", "")
    (after,) = sandbox_held.run(look)
    assert before.stdout == after.stdout == "False\n"
    assert abs(after.memory_mb - before.memory_mb) < 4


def test_more_sets_of_libraries_than_are_kept(sandbox_held):
    """Sets that are used rarely make way for others, and come back."""
    modules = ["numpy", "numpy.linalg", "numpy.fft", "sortedcontainers", "numpy.random", "numpy.polynomial"]
    for _ in range(2):
        for name in modules:
            (run,) = sandbox_held.run(f"import {name}\nprint({name}.__name__)")
            assert run.stdout == f"{name}\n", run


def test_an_import_that_fails_is_the_programs_failure(sandbox_held):
    """A module that a library does not have, and one that ends the process that imports it."""
    for code in ("import numpy.nothing_here", "import numpy.f2py.__main__"):
        (run,) = sandbox_held.run(code)
        assert run.status in (Status.RE, Status.OK), run
    assert sandbox_held.run("print(1)")[0].stdout == "1\n"


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import numpy as np, sys", {"numpy", "sys"}),
        ("from scipy.sparse import csgraph", {"scipy", "scipy.sparse"}),
        ("if 1:\n\timport a.b\n", {"a", "a.b"}),
        ("x = 'import os'", set()),
        ("import\nfrom import", set()),
        ("import numpy\nprint(numpy.random.rand())", {"numpy", "numpy.random"}),
    ],
)
def test_imports_are_found_in_lines(source, modules):
    """A line that imports tells what it imports and the package that this is in."""
    assert set(find_imports(source)) == modules


def test_packages_are_import_names():
    """What is there anyway is not asked for twice; what cannot be asked for is said to be so."""
    assert check_packages(["scipy", "numpy", "scipy"]) == ("scipy",)
    assert SandboxChoice(packages="scipy, networkx").packages == ("scipy", "networkx")
    for name, message in (("sci-py", "no import name"), ("math", "standard library"), ("", "no import name")):
        with pytest.raises(UserError, match=message):
            check_packages([name])


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    """One line says which and what to do, before anything is started."""
    with pytest.raises(
        UserError, match=r"--packages no_such_library: it is not installed beside sstar.*pip install"
    ):
        make_sandbox("local", packages=["no_such_library"])
    with pytest.raises(UserError, match="--packages no_such_library"):
        make_sandbox("unsafe", packages=["no_such_library"])
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "sstar_code.sandbox.environment.find_spec", lambda name: None if name == "numpy" else real(name)
    )
    assert "numpy" not in find_libraries()[0]


@pytest.mark.docker
def test_an_image_without_the_package_is_named(sandbox_docker):
    """It has to be built once, and the line says by what."""

    async def enter():
        async with DockerSandbox(1, packages=("no_such_library",)):
            raise AssertionError

    message = "--packages no_such_library: .*sstar doctor --build-image --packages no_such_library"
    with pytest.raises(UserError, match=message):
        anyio.run(enter)
    assert build.image_tag(("no_such_library",)) != build.image_tag()


@pytest.mark.anyio
async def test_more_libraries_are_shown_when_asked_for(tmp_path, monkeypatch):
    """A package of another folder of this interpreter, with what its distribution requires."""
    for name, requires in (("shown_here", "Requires-Dist: needed_there>1\n"), ("needed_there", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("import needed_there\n" if requires else "word = 7\n")
        info = tmp_path / f"{name}-2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2\n{requires}")
        (info / "RECORD").write_text(f"{name}/__init__.py,,\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    program = Program("import shown_here\nprint(shown_here.needed_there.word)")
    async with LocalSandbox(1, packages=("shown_here",)) as sandbox:
        assert "shown_here" in sandbox.environment.libraries
        assert "needed_there" not in sandbox.environment.libraries
        (run,) = await sandbox.run(program, [""], Limits())
    assert run.stdout == "7\n", run
    assert "shown_here" not in sys.modules
