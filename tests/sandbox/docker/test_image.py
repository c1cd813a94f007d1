"""Which image is wanted, and what is said where it cannot be had."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from docker.errors import APIError, ImageNotFound

from sstar_code.sandbox import SandboxError
from sstar_code.sandbox.image import build, packages
from tests.support import skip_unless_required


class EmptyEngine:
    """An engine without images and without a registry."""

    def inspect_image(self, tag):
        raise ImageNotFound(f"No such image: {tag}")

    def pull(self, tag):
        raise APIError("no such host")

    def version(self):
        return {"Arch": packages._MACHINES.get(packages.platform.machine(), packages.platform.machine())}


class FullEngine(EmptyEngine):
    def inspect_image(self, tag):
        return {"Id": "sha256:1", "Config": {"Labels": None}}


def test_tag_follows_the_recipe(tmp_path, monkeypatch):
    """The tag is the same for the same recipe and another for every change of it."""
    before = build.image_tag()
    assert before.startswith("sstar-sandbox:")
    for name in build._RECIPE:
        shutil.copy(build._HERE / name, tmp_path / name)
    monkeypatch.setattr(build, "_HERE", tmp_path)
    seen = {before}
    for name in build._RECIPE:
        build.image_tag.cache_clear()
        assert build.image_tag() in seen
        with (tmp_path / name).open("a") as file:
            file.write("# changed\n")
        build.image_tag.cache_clear()
        assert build.image_tag() not in seen
        seen.add(build.image_tag())
    build.image_tag.cache_clear()


def test_image_at_hand_is_used():
    """With the image at hand nothing is built and nothing is said."""
    said = []
    assert build.ensure_image(FullEngine(), build=True, progress=said.append) == build.image_tag()
    assert said == []


def test_missing_image_offers_the_command():
    """Without permission to build, the message names the command that does."""
    with pytest.raises(SandboxError, match="make image"):
        build.ensure_image(EmptyEngine(), build=False)


def test_neither_way_says_both_reasons(monkeypatch):
    """Where neither registry nor mmdebstrap can be had, one line says what to install."""
    monkeypatch.setattr(packages.shutil, "which", lambda name: None)
    with pytest.raises(SandboxError) as caught:
        build.ensure_image(EmptyEngine(), build=True)
    text = str(caught.value)
    assert "no such host" in text
    assert "apt-get install mmdebstrap" in text
    assert "\n" not in text


def test_foreign_architecture_is_refused(tmp_path):
    """Packages of another architecture cannot be unpacked into something that runs here."""
    if shutil.which("mmdebstrap") is None:
        skip_unless_required("DOCKER", "mmdebstrap is not installed")
    with pytest.raises(SandboxError, match="the engine is s390x"):
        packages.unpack_packages(tmp_path / "collect.py", tmp_path / "image.tar", "s390x")


@pytest.mark.parametrize(
    ("stderr", "advice"),
    [
        ("E: cannot find newuidmap", "uidmap"),
        ("E: GPG error: NO_PUBKEY 1", "debian-archive-keyring"),
        ("E: apt-get update failed", "apt-get update failed"),
    ],
)
def test_failed_unpacking_gives_advice(tmp_path, monkeypatch, stderr, advice):
    """What mmdebstrap complains of is passed on, with what to install."""
    monkeypatch.setattr(packages.shutil, "which", lambda name: f"/usr/bin/{name}")
    failed = subprocess.CompletedProcess([], 1, "", stderr + "\n")
    monkeypatch.setattr(packages.subprocess, "run", lambda *_, **__: failed)
    architecture = EmptyEngine().version()["Arch"]
    with pytest.raises(SandboxError, match=advice):
        packages.unpack_packages(tmp_path / "collect.py", tmp_path / "image.tar", architecture)
