"""The image on a real engine: built from packages, found again, and nothing but Python in it."""

from __future__ import annotations

import shutil

import pytest
from docker.errors import APIError

from sstar_code.sandbox.image import build
from tests.support import skip_unless_required

pytestmark = pytest.mark.docker

MODULES = (
    "bisect bz2 cmath collections ctypes dataclasses datetime decimal fractions functools hashlib heapq "
    "itertools json lzma math operator pickle queue random re sqlite3 ssl statistics string "
    "threading typing uuid zlib"
)


@pytest.fixture
def run_python(engine, docker_image):
    """Runs source in the image, its output."""

    def run(source, *, start="/usr/bin/python3"):
        host = engine.create_host_config(network_mode="none", read_only=True)
        container = engine.create_container(
            docker_image,
            entrypoint=[start, "-c", source],
            host_config=host,
            environment={"LC_ALL": "C.UTF-8"},
        )["Id"]
        try:
            engine.start(container)
            engine.wait(container)
            return engine.logs(container).decode()
        finally:
            engine.remove_container(container, force=True)

    return run


@pytest.mark.slow
def test_image_is_built_from_packages_once(engine, monkeypatch):
    """Without a registry the image comes from Debian packages; the second time there is nothing to do."""
    if shutil.which("mmdebstrap") is None:
        skip_unless_required("DOCKER", "mmdebstrap is not installed")
    monkeypatch.setattr(build, "image_tag", lambda *_, **__: "sstar-sandbox:test-of-packages")
    steps = []
    try:
        tag = build.ensure_image(engine, build=True, progress=steps.append, base="localhost:1/none:none")
        assert any("Debian packages" in step for step in steps)
        labels = engine.inspect_image(tag)["Config"]["Labels"]
        assert labels["sstar.python"].startswith("3.11.")
        assert "libc6=" in labels["sstar.packages"]
        assert {part.partition("=")[0] for part in labels["sstar.libraries"].split()} == {
            "numpy",
            "sortedcontainers",
        }
        steps.clear()
        assert build.ensure_image(engine, build=True, progress=steps.append) == tag
        assert steps == []
    finally:
        engine.remove_image("sstar-sandbox:test-of-packages", force=True)


@pytest.mark.slow
def test_image_is_built_by_the_dockerfile(engine, docker_image, monkeypatch):
    """Where a base with Python can be had, the Dockerfile makes of it an image that runs."""
    tag = "sstar-sandbox:test-of-dockerfile"
    monkeypatch.setattr(build, "image_tag", lambda *_, **__: tag)
    steps = []
    try:
        assert build.ensure_image(engine, build=True, progress=steps.append, base=docker_image) == tag
        assert not any("Debian packages" in step for step in steps)
        assert engine.images(filters={"dangling": True, "label": "sstar.stage"}) == []
        labels = engine.inspect_image(tag)["Config"]["Labels"]
        assert labels["sstar.source"] == docker_image
        host = engine.create_host_config(network_mode="none")
        command = [
            "-c",
            "import ssl, sys; sys.path.append('/libraries'); import numpy; print(numpy.int64(6) * 7)",
        ]
        container = engine.create_container(tag, command, host_config=host)["Id"]
        engine.start(container)
        engine.wait(container)
        assert engine.logs(container) == b"42\n"
        engine.remove_container(container)
    finally:
        engine.remove_image(tag, force=True)


def test_standard_library_is_whole_and_compiled(run_python):
    """What contest programs import is there and was compiled before, the C locale knows UTF-8."""
    source = f"""
import importlib, locale
for name in {MODULES.split()!r}:
    module = importlib.import_module(name)
    cached = getattr(module.__spec__, "cached", None)
    if module.__spec__.origin.endswith(".py"):
        open(cached).close()
print(locale.setlocale(locale.LC_ALL, ""))
"""
    assert run_python(source) == "C.UTF-8\n"


def test_threads_may_be_daemons(run_python):
    """A daemon thread that outlives the main one needs libgcc_s, which nothing links."""
    thread = "threading.Thread(target=time.sleep, args=(9,), daemon=True)"
    source = f"import threading, time; {thread}.start(); print(1)"
    assert run_python(source) == "1\n"


@pytest.mark.parametrize("program", ["/bin/sh", "/usr/bin/env", "/usr/bin/dpkg", "/usr/bin/perl"])
def test_there_is_no_other_program(run_python, program):
    """Neither a shell nor any other program is there to be started."""
    with pytest.raises(APIError, match="no such file or directory"):
        run_python("", start=program)


def test_interpreter_is_the_only_program(run_python):
    """Beside the interpreter there are only shared libraries and Python source."""
    source = """
import os
for folder, _, names in os.walk("/usr"):
    for name in names:
        path = os.path.join(folder, name)
        with open(path, "rb") as file:
            if file.read(4) == bytes([127]) + b"ELF" and ".so" not in name and not os.path.islink(path):
                print(path)
"""
    (program,) = run_python(source).split()
    assert program.startswith(("/usr/bin/python3.", "/usr/local/bin/python3."))
