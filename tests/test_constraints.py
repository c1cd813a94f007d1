"""CI installs pinned releases: `.ci/constraints.txt` has all that the project names, within its bounds."""

from __future__ import annotations

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import ROOT

_EXTRAS = ("dev", "docs", "ray", "otel", "parquet")
"""As in `.ci/run`."""


def test_every_dependency_of_ci_is_pinned_within_its_bounds():
    """A bound that is raised without `make constraints` makes the installation of CI fail; this says why."""
    lines = (ROOT / ".ci" / "constraints.txt").read_text("utf-8").splitlines()
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    assert all(re.fullmatch(r"[\w.+!-]+", version) for version in pins.values())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in _EXTRAS:
        wanted += project["optional-dependencies"][extra]
    for requirement in map(Requirement, wanted):
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{requirement.name} is not pinned: make constraints"
        assert pin in requirement.specifier, f"{requirement} does not admit {pin}: make constraints"


def test_ci_installs_the_extras_that_are_pinned():
    """The extras of the list above are those that CI names."""
    run = (ROOT / ".ci" / "run").read_text("utf-8")
    named = {name for group in re.findall(r"-e '\.\[([\w,]+)\]'", run) for name in group.split(",")}
    assert named == set(_EXTRAS)
