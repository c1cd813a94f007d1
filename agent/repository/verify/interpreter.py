"""Which interpreter runs a repository's code. Nothing that the repository brings along is run to find out."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sstar_code.problems import UserError
from sstar_code.sandbox.interpreter import find_packages, is_beneath, is_interpreter, read_environment
from sstar_code.sandbox.snapshot import read_beneath

_FOLDERS = (".venv", "venv", "env")
_ANSWER_S = 30.0
_VERSION = re.compile(r"3(?:\.\d{1,3}){1,2}")


def find_python(root: Path, named: str | None = None, say: Callable[[str], None] = lambda _: None) -> str:
    """Path of the interpreter: `named`, else of an environment in `root`, of the active one, or of PATH.

    An environment in `root` counts where an interpreter of the user's own is behind it; `say` is told where
    not. A script that starts an interpreter, as those in pyenv's `shims` do, is asked outside `root` which
    one it is, for the version that a `.python-version` in `root` names. An environment that this program
    itself was installed into, as pre-commit does, is taken last.

    Raises:
        UserError: `named` is no program, or starts no interpreter.
    """
    if named is not None:
        return _find_named(named, root)
    return _find_inside(root, say) or _find_active(root) or _find_on_path(root) or _find_own(root)


def _find_named(named: str, root: Path) -> str:
    found = shutil.which(named)
    if found is None:
        raise UserError(f"--python {named}: no such program; name the interpreter that the tests need")
    python = _follow_script(os.path.abspath(found), root)  # noqa: PTH100 - a link leads to packages
    if python is None:
        raise UserError(
            f"--python {named}: {found} is a script that starts no interpreter here; name the interpreter"
        )
    return python


def _find_inside(root: Path, say: Callable[[str], None]) -> str | None:
    for name in _FOLDERS:
        if os.path.lexists(root / name / "bin" / "python"):
            environment = read_environment(root, name)
            if not isinstance(environment, str):
                return str(root / name / "bin" / "python")
            say(f"sstar: {name} is not used: {environment}; --python names an interpreter")
    return None


def _find_active(root: Path) -> str | None:
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        home = Path(os.environ.get(variable) or "/nowhere")
        python = _follow_script(str(home / "bin" / "python"), root)
        if python is not None and is_beneath(home, root):
            with contextlib.suppress(ValueError):
                return find_packages(python, root).python
        elif python is not None and home != Path(sys.prefix):
            return python
    return None


def _find_on_path(root: Path) -> str | None:
    folders = [folder for folder in os.get_exec_path() if folder.startswith("/")]
    for name in ("python3", "python"):
        found_ones = (shutil.which(name, path=folder) for folder in folders if not is_beneath(folder, root))
        leads_to = (_follow_script(found, root) for found in found_ones if found is not None)
        for python in leads_to:
            if python is not None and not Path(python).is_relative_to(sys.prefix):
                return python
            if python is not None and "PRE_COMMIT" not in os.environ:
                break  # the user's first is ours; pre-commit alone puts the environment of a hook before it
    return None


def _find_own(root: Path) -> str:
    if is_beneath(Path(sys.executable).parent, root):  # an environment of the repository that was refused
        return os.path.realpath(str(getattr(sys, "_base_executable", None) or sys.executable))
    return sys.executable


def _follow_script(path: str, root: Path) -> str | None:
    """The program at `path`, or the interpreter that it starts if it is a script, or None.

    What lies in the repository is never run, whatever it is: it is looked at later, as data.
    """
    if is_interpreter(path) or (is_beneath(Path(path).parent, root) and os.path.lexists(path)):
        return path
    version = (read_beneath(root, ".python-version", 200) or b"").decode("ascii", "replace").strip()
    chosen = {"PYENV_VERSION": version, "ASDF_PYTHON_VERSION": version} if _VERSION.fullmatch(version) else {}
    for more in (chosen, {}) if chosen else ({},):
        try:
            asked = subprocess.run(  # noqa: S603 - the user's own, found as their shell finds it
                [path, "-I", "-c", "import sys; print(sys.executable)"],
                cwd="/",
                env={**os.environ, **more},
                capture_output=True,
                text=True,
                timeout=_ANSWER_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        started = asked.stdout.strip()
        if asked.returncode == 0 and Path(started).is_file() and not is_beneath(started, root):
            return started
    return None
