"""Which interpreter and packages an isolated repository gets: what it names itself is not followed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from sstar_code.agent.repository.verify.interpreter import find_python
from sstar_code.agent.repository.verify.runner import RepositoryRunner
from sstar_code.problems import UserError
from sstar_code.sandbox.interpreter import find_packages, list_own_folders, read_environment

BASE = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"
CONNECT = """
import socket
seen = []
for path in PATHS:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(path)
            seen.append('connected')
        except OSError as error:
            seen.append('refused')
"""


@pytest.fixture
def bare(monkeypatch):
    """No active environment."""
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)


def make_environment(root, home=BASE.parent, name=".venv"):
    """An environment with a package in it, as a repository may bring it along."""
    place = root / name
    packages = place / "lib" / VERSION / "site-packages"
    (packages / "there").mkdir(parents=True)
    (packages / "there" / "__init__.py").write_text("HERE = 'package'\n")
    (place / "bin").mkdir()
    (place / "bin" / "python").symlink_to(BASE)
    (place / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
    return place


def test_a_configuration_mounts_nothing_of_the_host(root, tmp_path, monkeypatch, bare):
    """`home` counts only where an interpreter of the user's lies; it is said, and another one is taken."""
    secret = tmp_path / "home" / ".ssh"
    secret.mkdir(parents=True)
    (secret / "python").symlink_to(BASE)
    (secret / "id_rsa").write_text("geheim")
    for home in (secret, "/run", "/", "/etc", tmp_path, root, "bin", "../.ssh", ""):
        place = make_environment(root, home)
        said = []
        python = find_python(root, None, said.append)
        assert not Path(python).is_relative_to(root), home
        assert said[0].startswith("sstar: .venv is not used: its pyvenv.cfg names ")
        shown = find_packages(python, root)
        for tree in (*shown.trees, *shown.files, *(folder for folder, _ in shown.programs)):
            assert not Path(tree).is_relative_to(tmp_path / "home"), home
            assert tree not in ("/", "/run", "/etc", "/home", str(tmp_path), str(Path.home())), home
        with pytest.raises(ValueError, match="name an interpreter outside the repository with --python"):
            find_packages(str(place / "bin" / "python"), root)
        shutil.rmtree(place)


@pytest.mark.parametrize("link", [".venv", ".venv/lib", f".venv/lib/{VERSION}", ".venv/pyvenv.cfg", "site"])
def test_an_environment_behind_a_link_is_not_used(root, tmp_path, link):
    """Wherever the link is on the way to its packages."""
    place = make_environment(root)
    path = root / link if link != "site" else place / "lib" / VERSION / "site-packages"
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    assert isinstance(read_environment(root, ".venv"), str)


def test_a_script_of_the_repository_is_not_run(root, tmp_path, monkeypatch, bare):
    """Not as the interpreter of an environment, not by PATH, not in a folder of tools, not by its name."""
    mark = tmp_path / "ran"
    place = make_environment(root)
    for path in (place / "bin" / "python", root / "tools" / "python3"):
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/sh\ntouch {mark}\nexec {BASE} "$@"\n')
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{root}/tools:tools:.:/usr/bin:/bin")
    monkeypatch.chdir(root)
    assert find_python(root) == str(place / "bin" / "python")  # made anew in the sandbox, see below
    find_packages(str(place / "bin" / "python"), root)
    (place / "pyvenv.cfg").unlink()
    assert not Path(find_python(root)).is_relative_to(root)
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.setenv(variable, str(place))
        assert not Path(find_python(root)).is_relative_to(root)
    for name in ("python3", "tools/python3", str(place / "bin" / "python")):
        with pytest.raises((ValueError, UserError)):
            find_packages(find_python(root, name), root)
    assert not mark.exists()


def test_own_folders_are_not_of_the_repository(root, monkeypatch):
    """Whatever PATH says."""
    make_environment(root)
    monkeypatch.setenv("PATH", f"{root}/.venv/bin:{os.environ['PATH']}")
    folders = list_own_folders(root)
    assert str(BASE.parent) in folders
    assert not any(Path(folder).is_relative_to(root) for folder in folders)


@pytest.mark.parametrize("below", ["versions/3.99.1/bin", "installs/python/3.99.1/bin"])
def test_an_environment_behind_a_shim_is_used(root, tmp_path, monkeypatch, bare, below):
    """PATH has only scripts of pyenv, asdf or mise, installed in no usual place: they are seen through."""
    tool = tmp_path / "opt" / "tool"
    (tool / "shims").mkdir(parents=True)
    (tool / "shims" / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tool / "shims" / "python3").chmod(0o755)
    (tool / below).mkdir(parents=True)
    (tool / below / "python3").symlink_to(BASE)
    place = make_environment(root, tool / below)
    for name in ("PYENV_ROOT", "ASDF_DATA_DIR", "MISE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert isinstance(read_environment(root, ".venv"), str)
    monkeypatch.setenv("PATH", str(tool / "shims"))
    assert find_python(root) == str(place / "bin" / "python")


def test_an_honest_environment_works(held, root, bare):
    """Its packages are there, in every sandbox, its scripts run, and nothing in it can be changed."""
    place = make_environment(root)
    script = place / "bin" / "tool"
    script.write_text(f"#!{place}/bin/python\nimport there\nprint(there.HERE)\n")
    script.chmod(0o755)
    (place / "run").mkdir()
    (place / "run" / "pid").write_text("geheim")
    code = (
        "import subprocess, sys, there, os\n"
        "printed = subprocess.run(['tool'], capture_output=True, text=True).stdout.strip()\n"
        "seen = [there.HERE, sys.prefix, printed,\n"
        "        os.path.exists(sys.prefix + '/run'), os.access(there.__file__, os.W_OK)]"
    )
    (seen,) = held.look(root, code, python=find_python(root))
    assert seen == ["package", str(place), "package", False, False]


def test_environments_of_tools_work(held_ways, root, bare):
    """Those of `python -m venv` with links and with copies, of uv and virtualenv where they are there."""
    held = held_ways("user namespaces")
    venv.create(root / ".venv", symlinks=True)
    assert held.look(root, "import sys; seen = sys.prefix", python=find_python(root)) == [str(root / ".venv")]
    shutil.rmtree(root / ".venv")
    venv.create(root / "venv", symlinks=False)
    assert held.look(root, "import sys; seen = sys.prefix", python=find_python(root)) == [str(root / "venv")]
    shutil.rmtree(root / "venv")
    for tool in ("uv", "virtualenv"):
        command = [tool, *(["venv"] if tool == "uv" else []), "--python", str(BASE), str(root / ".venv")]
        if shutil.which(tool):
            subprocess.run(command, check=True, capture_output=True)
            assert held.look(root, "import sys; seen = sys.prefix", python=find_python(root)) == [
                str(root / ".venv")
            ]
            shutil.rmtree(root / ".venv")


def test_no_socket_of_the_host_can_be_reached(held, root, bare, monkeypatch):
    """Not one that listens in a folder of packages that is shown, nor elsewhere in the repository."""
    place = make_environment(root)
    paths = [place / "lib" / VERSION / "site-packages" / "s", place / "bin" / "s", place / "s", root / "s"]
    servers = []
    for path in paths:
        server = socket.socket(socket.AF_UNIX)
        monkeypatch.chdir(path.parent)  # a name of a socket is short
        server.bind(path.name)
        path.chmod(0o777)
        server.listen()
        servers.append(server)
    code = CONNECT.replace("PATHS", repr([os.path.relpath(path, root) for path in paths]))
    (seen,) = held.look(root, f"import os; os.chdir({str(root)!r})\n{code}", python=find_python(root))
    assert seen == ["refused"] * 4
    for server in servers:
        server.close()


def test_a_mount_that_was_changed_is_found_out(held_ways, root, tmp_path, bare, monkeypatch):
    """A folder that becomes a link between the look at it and the mount is not shown."""
    held = held_ways("user namespaces")
    place = make_environment(root)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("geheim")
    python = find_python(root)
    real = RepositoryRunner._start

    async def swap(self, *rest):
        packages = place / "lib" / VERSION / "site-packages"
        if not packages.is_symlink():
            packages.rename(tmp_path / "moved")
            packages.symlink_to(secret)
        return await real(self, *rest)

    monkeypatch.setattr(RepositoryRunner, "_start", swap)
    with pytest.raises(Exception, match="was changed while it was being mounted"):
        held.look(root, "seen = 1", python=python)


def test_no_group_is_kept(held, root):
    """But the first, and what the kernel lets nobody drop in a user namespace."""
    (seen,) = held.look(root, "import os; seen = os.getgroups()")
    assert set(seen) <= {0, 65534, 1000, os.getgid(), *os.getgroups()}


def test_a_hook_of_pre_commit_runs_the_code_under_the_users_python(tmp_path, monkeypatch):
    """pre-commit puts the environment that it made first on PATH; the user's own comes behind it."""
    theirs = tmp_path / "theirs"
    venv.create(theirs, with_pip=False)
    ours = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{ours}:{theirs / 'bin'}:/usr/bin")
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    (tmp_path / "repository").mkdir()
    monkeypatch.delenv("PRE_COMMIT", raising=False)
    assert find_python(tmp_path / "repository") == sys.executable
    monkeypatch.setenv("PRE_COMMIT", "1")
    assert find_python(tmp_path / "repository") == str(theirs / "bin" / "python3")
