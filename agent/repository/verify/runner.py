"""Runs the repository's code: which interpreter, in which sandbox, and what fails."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from doctest import Example
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio
from anyio import to_thread

from sstar_code.agent.repository.find.project_files import list_files, locate
from sstar_code.problems import UserError
from sstar_code.sandbox.outcome import Limits, SandboxError
from sstar_code.sandbox.repository import (
    CONTROL,
    IsolatedRepository,
    ProjectSession,
    find_packages,
    write_control,
    write_snapshot,
)

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.project_files import Place

_FOLDERS = (".venv", "venv", "env")
_ANSWER_S = 30.0
_ELF = b"\x7fELF"


def find_python(root: Path, named: str | None = None) -> str:
    """Path of the interpreter: `named`, else of an environment in `root`, of the active one, or of PATH.

    A script that starts an interpreter, as those in pyenv's `shims` do, is asked in `root` which one it is.
    An environment that this program itself was installed into, as pre-commit does, is taken last.

    Raises:
        UserError: `named` is no program, or starts no interpreter.
    """
    if named is not None:
        found = shutil.which(named)
        if found is None:
            raise UserError(f"--python {named}: no such program; name the interpreter that the tests need")
        python = _follow_script(os.path.abspath(found), root)  # noqa: PTH100 - a link leads to packages
        if python is None:
            raise UserError(
                f"--python {named}: {found} is a script that starts no interpreter here; name the interpreter"
            )
        return python
    homes = [root / name for name in _FOLDERS]
    homes += [Path(os.environ[name]) for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if os.environ.get(name)]
    own = Path(sys.prefix)
    for home in homes:
        python = _follow_script(str(home / "bin" / "python"), root)
        if python is not None and (home != own or own.is_relative_to(root)):
            return python
    for name in ("python3", "python"):
        found_ones = (shutil.which(name, path=folder) for folder in os.get_exec_path())
        leads_to = (_follow_script(found, root) for found in found_ones if found is not None)
        first = next((python for python in leads_to if python is not None), None)
        if first is not None and not Path(first).is_relative_to(own):
            return first
    return sys.executable


def _follow_script(path: str, root: Path) -> str | None:
    """The program at `path`, or the interpreter that it starts in `root` if it is a script, or None."""
    try:
        with Path(path).open("rb") as file:
            if file.read(len(_ELF)) == _ELF:
                return path
        asked = subprocess.run(  # noqa: S603 - the user's own interpreter, found as their shell finds it
            [path, "-c", "import sys; print(sys.executable)"],
            cwd=root, capture_output=True, text=True, timeout=_ANSWER_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    started = asked.stdout.strip()
    return started if asked.returncode == 0 and Path(started).is_file() else None


TEST_LIMITS = Limits(cpu_s=60.0, memory_mb=2048)
"""Limits of one test or group of examples."""
TEST_TOTAL_S = 600.0
"""How long the tests asked for may take together."""
_ROOM_UID = 1000
_MOST_OPEN = 8


@dataclass(frozen=True, slots=True)
class TestRun:
    """The results of pytest on one version."""

    __test__ = False

    results: tuple[dict[str, Any], ...]
    """One a test or file that could not be collected: `test`, `status`, `outcome`, `reached`, ..."""
    log: str
    has_pytest: bool
    is_over: bool
    """Whether it ran out of time as a whole."""


@dataclass(slots=True)
class _Open:
    session: ProjectSession
    users: int = 0


class RepositoryRunner:
    """Runs versions of one repository in `sandbox`, a Docker or local one that has been entered."""

    def __init__(self, root: Path, python: str, sandbox: Any, *, workers: int = 1) -> None:
        """Nothing is copied or started before it is entered."""
        self.root = root
        self.python = python
        self.texts: dict[Path, bytes] = {}
        """Files that every version has otherwise than the user's: written functions, marks in open ones."""
        self._sandbox = sandbox
        self._limiter = anyio.CapacityLimiter(workers)
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._opening = anyio.Lock()
        self._folder: Path | None = None
        self._original: IsolatedRepository | None = None
        self.digest = ""
        """Hash of every file of the copy: another state of the repository has another one."""

    async def __aenter__(self) -> Self:
        """Copy the repository.

        Raises:
            UserError: it is too large, or this kind of sandbox cannot hold a repository.
        """
        if not hasattr(self._sandbox, "make_repository_worker"):
            raise UserError(
                f"--sandbox {self._sandbox.name} cannot run a repository's code; use docker or local"
            )
        try:
            await to_thread.run_sync(self._copy)
        except BaseException as error:
            self._remove()
            if isinstance(error, ValueError):
                raise UserError(str(error)) from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every version and remove the copy."""
        with anyio.CancelScope(shield=True):
            for item in self._open.values():
                await item.session.close()
            self._open.clear()
            await to_thread.run_sync(self._remove)

    def _copy(self) -> None:
        self._folder = folder = Path(tempfile.mkdtemp(prefix="sstar-"))
        trees, files, links = find_packages(self.python)
        names = list_files(self.root, generated=True)
        (folder / "files").mkdir()
        write_control(folder / "control", _ROOM_UID)
        inner = [tree for tree in trees if self.root in Path(tree).parents]
        write_snapshot(self.root, names, folder / "copy", inner)
        content = hashlib.sha256()
        for name in names:
            content.update(name.encode("utf-8", "surrogateescape") + b"\0")
            content.update((folder / "copy" / name).read_bytes() + b"\0")
        self.digest = content.hexdigest()[:16]
        self._original = IsolatedRepository(
            self.root, folder / "copy", folder / "control", self.python, trees, files, links,
            self._list_bases(names), {},
        )  # fmt: skip

    def _list_bases(self, names: Sequence[str]) -> tuple[str, ...]:
        """Folders from which the repository's modules are imported: `src`, the root, those above packages."""
        bases = {str(self.root): None}
        for name in names:
            if name.endswith("/__init__.py") and "test" not in name.partition("/")[0]:
                bases[str(locate(self.root / name, self.root).base)] = None
        source = self.root / "src"
        first = [str(source)] if source.is_dir() and not (source / "__init__.py").exists() else []
        return tuple(dict.fromkeys([*first, *bases]))

    def _remove(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @asynccontextmanager
    async def _session(self, texts: Mapping[Path, bytes], base: Path | None) -> AsyncIterator[ProjectSession]:
        """A session on the version with `texts` in place, at most `workers` of them at work at once."""
        version = {**self.texts, **texts}
        key = hashlib.sha256(repr((sorted(version.items()), base)).encode()).hexdigest()
        async with self._limiter:
            async with self._opening:
                item = self._open.get(key)
                if item is None or item.session.is_closed:
                    item = self._open[key] = _Open(await self._start(key, version, base))
                self._open.move_to_end(key)
                item.users += 1
                await self._close_oldest()
            try:
                yield item.session
            finally:
                item.users -= 1

    async def _start(self, key: str, version: Mapping[Path, bytes], base: Path | None) -> ProjectSession:
        assert self._original is not None
        assert self._folder is not None
        overlay = {}
        for number, (path, data) in enumerate(sorted(version.items())):
            file = self._folder / "files" / f"{key[:16]}-{number}.py"
            file.write_bytes(data)
            file.chmod(0o644)
            overlay[str(path)] = str(file)
        paths = tuple(dict.fromkeys([*([str(base)] if base else []), *self._original.path]))
        variant = replace(self._original, path=paths, overlay=overlay)
        return await ProjectSession(self._sandbox, variant).__aenter__()

    async def _close_oldest(self) -> None:
        for key, item in list(self._open.items()):
            if len(self._open) <= _MOST_OPEN:
                return
            if not item.users:
                del self._open[key]
                await item.session.close()

    async def run_tests(self, texts: Mapping[Path, bytes], select: Sequence[str]) -> TestRun:
        """Run the tests that `select` (arguments of pytest) names on the version with `texts` in place.

        Raises:
            SandboxError: as `ask`.
        """
        request = {
            "do": "tests",
            "control": CONTROL,
            "select": list(select),
            "limits": limits_as_json(TEST_LIMITS),
            "total_s": TEST_TOTAL_S,
        }
        answers = await self.ask(texts, request, TEST_TOTAL_S)
        results = tuple(item for item in answers if "test" in item)
        log = next((str(item["log"]) for item in answers if "log" in item), "")
        missing = any("missing" in item for item in answers)
        return TestRun(results, log, not missing, any("over" in item for item in answers))

    async def run_examples(
        self, texts: Mapping[Path, bytes], place: Place, groups: Iterable[Sequence[Example]]
    ) -> list[dict[str, Any]]:
        """Run the examples of each group, one after the other, in the module's name space; an answer a group.

        Raises:
            SandboxError: as `ask`.
        """
        sources = [[example.source for example in group] for group in groups]
        limits = limits_as_json(TEST_LIMITS)
        request = {"do": "examples", "module": place.module, "groups": sources, "limits": limits}
        return await self.ask(texts, request, len(sources) * TEST_LIMITS.wall_ceiling_s, place.base)

    async def ask(
        self, texts: Mapping[Path, bytes], request: dict[str, Any], timeout_s: float, base: Path | None = None
    ) -> list[dict[str, Any]]:
        """The answers of the version with `texts` in place to `request` (`inside.project`).

        `base` is put in front of `sys.path`. A sandbox that does not start or ends is started once more.

        Raises:
            RepositoryLostError: it ended twice.
            SandboxError: it does not start.
        """
        try:
            async with self._session(texts, base) as session:
                return await session.ask(request, timeout_s)
        except SandboxError:
            async with self._session(texts, base) as session:
                return await session.ask(request, timeout_s)


def limits_as_json(limits: Limits) -> dict[str, Any]:
    """The limits as `inside.project_fork.run_apart` takes them."""
    return {
        "cpu_s": limits.cpu_s,
        "wall_s": limits.wall_ceiling_s,
        "memory_mb": limits.memory_mb,
        "output_kb": limits.output_kb,
    }
