"""Every sandbox says which Python and which libraries programs find."""

from __future__ import annotations

import contextlib
import sys

import pytest

from sstar_code.agent.telemetry.spans import ObservedSandbox
from sstar_code.sandbox import Environment, SandboxError
from sstar_code.sandbox.choose import PluginSandbox
from sstar_code.sandbox.fake import FakeSandbox
from sstar_code.sandbox.local.sandbox import LocalSandbox
from sstar_code.sandbox.memo import MemoSandbox

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
TELL = "import sys; print('%d.%d' % sys.version_info[:2])"


@pytest.mark.parametrize("name", ["sandbox_local", pytest.param("sandbox_docker", marks=pytest.mark.docker)])
def test_a_sandbox_says_what_it_has(name, request):
    """The version it names is the one that a program finds."""
    held = request.getfixturevalue(name)
    (run,) = held.run(TELL)
    assert held.sandbox.environment.python == run.stdout.strip()


def test_before_it_is_entered_nothing_is_known():
    """A worker tells, and there is none yet."""
    with pytest.raises(SandboxError, match="known once it is entered"):
        _ = LocalSandbox(1).environment


def test_wrappers_say_what_is_inside():
    """The double is asked through both wrappers."""
    wanted = Environment("3.9", ("numpy",))
    fake = FakeSandbox({}, environment=wanted)
    assert MemoSandbox(ObservedSandbox(fake)).environment is wanted
    assert FakeSandbox({}).environment == Environment(HERE)


class _Plugin:
    """Stands for an installed package's sandbox, which may say what it has."""

    name, package = "theirs", "theirs 1"

    def __init__(self, **more):
        self._more = more

    def load(self):
        return lambda _: type("Theirs", (), {"workers": 1, **self._more})()

    def blamed(self, *_):
        return contextlib.nullcontext()


def test_an_installed_sandbox_may_say_it():
    """One that says nothing is taken to have this Python and no library; nonsense is its fault."""
    assert PluginSandbox(_Plugin()).environment == Environment(HERE)
    told = Environment("3.13", ("numpy", "scipy"))
    assert PluginSandbox(_Plugin(environment=told)).environment == told
    with pytest.raises(TypeError, match="gives a str where an Environment is expected"):
        _ = PluginSandbox(_Plugin(environment="3.13")).environment
