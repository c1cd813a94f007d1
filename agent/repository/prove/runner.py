"""A repository's copy and the rooms in which versions of it run: one a version, the last few kept open."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import OrderedDict
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio import to_thread

from sstar_code.agent.repository.find.project_files import list_files, locate
from sstar_code.problems import UserError
from sstar_code.sandbox.repository.isolated_repository import (
    CONTROL,
    IsolatedRepository,
    find_packages,
    write_control,
    write_snapshot,
)
from sstar_code.sandbox.repository.session import ProjectSession, RepositoryLostError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from sstar_code.sandbox.outcome import Limits

__all__ = ["TestRun", "Workshop", "limits_as_json"]

_ROOM_UID = 1000
_MOST_OPEN = 8


@dataclass(frozen=True, slots=True)
class TestRun:
    """What pytest did in one room."""

    __test__ = False

    results: tuple[dict[str, Any], ...]
    """One a test or file that could not be collected: `test`, `status`, `outcome`, `reached`, ..."""
    log: str
    has_pytest: bool
    is_over: bool
    """It ran out of time as a whole."""


@dataclass(slots=True)
class _Open:
    session: ProjectSession
    users: int = 0


class Workshop:
    """Versions of one repository, run in `sandbox` (a Docker or local one that has been entered)."""

    def __init__(self, root: Path, python: str, sandbox: Any, *, workers: int = 1) -> None:
        """Nothing is copied or started before it is entered."""
        self.root = root
        self.python = python
        self.texts: dict[Path, bytes] = {}
        """Files that every version has otherwise than the user's: written functions, marks in open ones."""
        self._sandbox = sandbox
        self._limiter = anyio.CapacityLimiter(workers)
        self._rooms: OrderedDict[str, _Open] = OrderedDict()
        self._opening = anyio.Lock()
        self._folder: Path | None = None
        self._plain: IsolatedRepository | None = None
        self.digest = ""
        """Of every file of the copy: another state of the repository has another one."""

    async def __aenter__(self) -> Self:
        """Copy the repository.

        Raises:
            UserError: it is too large, or this kind of sandbox has no rooms.
        """
        if not hasattr(self._sandbox, "make_repository_worker"):
            raise UserError(
                f"--sandbox {self._sandbox.name} cannot run a repository's code; use docker or local"
            )
        try:
            await to_thread.run_sync(self._copy)
        except ValueError as error:
            self._remove()
            raise UserError(str(error)) from error
        except BaseException:
            self._remove()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every room and remove the copy."""
        with anyio.CancelScope(shield=True):
            for item in self._rooms.values():
                await item.session.close()
            self._rooms.clear()
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
        self._plain = IsolatedRepository(
            self.root,
            folder / "copy",
            folder / "control",
            self.python,
            trees,
            files,
            links,
            self._paths(names),
            {},
        )

    def _paths(self, names: Sequence[str]) -> tuple[str, ...]:
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

    def read(self, path: Path) -> bytes | None:
        """The copy's content of `path`; None where it was left out."""
        assert self._plain is not None
        copied = self._plain.snapshot / path.relative_to(self.root)
        return copied.read_bytes() if copied.is_file() else None

    @asynccontextmanager
    async def room(
        self, texts: Mapping[Path, bytes], base: Path | None = None
    ) -> AsyncIterator[ProjectSession]:
        """The room of the version with `texts` in place, at most `workers` of them at work at once.

        `base` is put in front of `sys.path` besides.

        Raises:
            SandboxError: it does not start.
        """
        version = {**self.texts, **texts}
        key = hashlib.sha256(repr((sorted(version.items()), base)).encode()).hexdigest()
        async with self._limiter:
            async with self._opening:
                item = self._rooms.get(key)
                if item is None or item.session.is_closed:
                    item = self._rooms[key] = _Open(await self._open(key, version, base))
                self._rooms.move_to_end(key)
                item.users += 1
                await self._close_oldest()
            try:
                yield item.session
            finally:
                item.users -= 1

    async def _open(self, key: str, version: Mapping[Path, bytes], base: Path | None) -> ProjectSession:
        assert self._plain is not None
        assert self._folder is not None
        overlay = {}
        for number, (path, data) in enumerate(sorted(version.items())):
            file = self._folder / "files" / f"{key[:16]}-{number}.py"
            file.write_bytes(data)
            file.chmod(0o644)
            overlay[str(path)] = str(file)
        plain = self._plain
        paths = tuple(dict.fromkeys([*([str(base)] if base else []), *plain.path]))
        room = IsolatedRepository(
            plain.root,
            plain.snapshot,
            plain.control,
            plain.python,
            plain.trees,
            plain.files,
            plain.links,
            paths,
            overlay,
        )
        session = ProjectSession(self._sandbox, room)
        return await session.__aenter__()

    async def _close_oldest(self) -> None:
        for key, item in list(self._rooms.items()):
            if len(self._rooms) <= _MOST_OPEN:
                return
            if not item.users:
                del self._rooms[key]
                await item.session.close()

    async def run_tests(
        self, texts: Mapping[Path, bytes], select: Sequence[str], limits: Limits, total_s: float
    ) -> TestRun:
        """Run the tests that `select` (arguments of pytest) names on the version with `texts` in place.

        Raises:
            SandboxError: the room does not start.
            RepositoryLostError: it ended twice.
        """
        request = {
            "do": "tests",
            "control": CONTROL,
            "select": list(select),
            "limits": limits_as_json(limits),
            "total_s": total_s,
        }
        answers = await self.ask(texts, request, total_s)
        results = tuple(item for item in answers if "test" in item)
        log = next((str(item["log"]) for item in answers if "log" in item), "")
        missing = any("missing" in item for item in answers)
        return TestRun(results, log, not missing, any("over" in item for item in answers))

    async def ask(
        self, texts: Mapping[Path, bytes], request: dict[str, Any], timeout_s: float, base: Path | None = None
    ) -> list[dict[str, Any]]:
        """The room's answers to `request`; a room that ends is opened once more.

        Raises:
            SandboxError: the room does not start.
            RepositoryLostError: it ended twice.
        """
        try:
            async with self.room(texts, base) as session:
                return await session.ask(request, timeout_s)
        except RepositoryLostError:
            async with self.room(texts, base) as session:
                return await session.ask(request, timeout_s)


def limits_as_json(limits: Limits) -> dict[str, Any]:
    """As `inside.project_fork.run_apart` takes them."""
    return {
        "cpu_s": limits.cpu_s,
        "wall_s": limits.wall_ceiling_s,
        "memory_mb": limits.memory_mb,
        "output_kb": limits.output_kb,
    }
