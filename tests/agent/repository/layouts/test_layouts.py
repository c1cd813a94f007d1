"""`sstar fix` in repositories of many layouts, beside what else the user runs, in both sandboxes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest

from sstar_code.agent.repository.find.project_files import list_python, read_source
from sstar_code.agent.repository.find.pytest_settings import SETTINGS_FILES
from sstar_code.agent.repository.find.stubs import find_stubs
from sstar_code.sandbox.docker.engine import connect_engine
from sstar_code.sandbox.docker.probe import probe_engine
from sstar_code.sandbox.image.build import ensure_image
from tests.support import skip_unless_required

TEXTS = ("layouts.txt", "more_layouts.txt")
QUICK = {("local", "monorepo"), ("docker", "beside")}
"""Those that run where `SSTAR_ALL_LAYOUTS` is not set, so that the suite stays quick."""
ALL = "SSTAR_ALL_LAYOUTS" in os.environ
PROCESSES = 300
_NOBODY = 65534


@dataclass
class Layout:
    files: dict[str, str] = field(default_factory=dict)
    """Path, with how its lines end where that is special, -> text."""
    right: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)

    def lay_down(self, root):
        (root / ".git").mkdir(parents=True)
        for name, text in self.files.items():
            path, _, ends = name.partition(" ")
            lines = text.splitlines()
            parts = [
                line + ("\r\n" if is_windows(ends, number) else "\n") for number, line in enumerate(lines)
            ]
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes("".join(parts).encode())


def is_windows(ends, number):
    return ends == "[crlf]" or (ends == "[mixed]" and number // 4 % 2 == 1)


def read_layouts():
    """Name -> layout."""
    layouts = {}
    for text in TEXTS:
        for part in (Path(__file__).parent / text).read_text("utf-8").split("##### layout ")[1:]:
            name, _, rest = part.partition("\n")
            layouts[name] = layout = Layout()
            for section in rest.split("=== ")[1:]:
                head, _, body = section.partition("\n")
                kind, _, function = head.partition("/")
                place = {"answers": layout.right, "wrong": layout.wrong}.get(kind, layout.files)
                place[head if place is layout.files else function] = body
    return layouts


LAYOUTS = read_layouts()


@pytest.fixture(scope="module")
def company():
    """Three hundred processes of the user that rooms run as: root's run as somebody else, or as nobody."""
    user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    words = ["/bin/sh", "-c", f"for _ in $(seq {PROCESSES}); do sleep 86400 & done; echo ready; wait"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True, cwd="/", **user) as parent:
        try:
            assert parent.stdout.readline() == b"ready\n"
            yield
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def docker_image():
    """The sandbox's image; skipped where no engine answers, failed where SSTAR_REQUIRE_DOCKER=1."""
    state = probe_engine(timeout_s=10)
    if not state.reachable:
        skip_unless_required("DOCKER", str(state.reason))
    client = connect_engine(timeout_s=600)
    ensure_image(client, build=True)
    client.close()


def run_own_tests(root):
    """What the repository's own pytest says, in each of its projects."""
    settings = [path.parent for name in SETTINGS_FILES for path in root.rglob(name)]
    for folder in settings if len(settings) > 1 else [root]:
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q"],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{root / 'src'}:{root}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout
        assert re.search(r"\d+ passed", ran.stdout), ran.stdout


def write_all(layout, root, fix, *words):
    layout.lay_down(root)
    found = {stub.qualname for path in list_python(root) for stub in find_stubs(read_source(path))}
    assert found == set(layout.right)
    answers = {name: [layout.wrong[name], layout.wrong[name], right] for name, right in layout.right.items()}
    ended = fix(answers, "--n", "3", "--write", *words, root)
    count = len(found)
    assert ended.code == 0, ended.out + ended.err
    assert f"sstar: {count} of {count} functions written, in " in ended.err
    run_own_tests(root)
    return ended


def test_there_are_many_layouts():
    """Forty functions in ten layouts is the least."""
    assert len(LAYOUTS) >= 10
    assert sum(len(layout.right) for layout in LAYOUTS.values()) >= 40
    assert all(set(layout.right) == set(layout.wrong) for layout in LAYOUTS.values())


@pytest.mark.parametrize(
    ("sandbox", "name"),
    [
        pytest.param(
            *case, marks=() if ALL or case in QUICK else pytest.mark.skip("SSTAR_ALL_LAYOUTS is not set")
        )
        for case in product(("local", "docker"), LAYOUTS)
    ],
)
@pytest.mark.usefixtures("company")
def test_every_function_is_written(sandbox, name, fix, tmp_path, request):
    """All open functions of the layout are, though most answers are wrong; its own pytest then passes."""
    request.getfixturevalue("sandbox_local" if sandbox == "local" else "docker_image")
    write_all(LAYOUTS[name], tmp_path / name, fix, "--sandbox", sandbox)
