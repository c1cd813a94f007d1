"""Runs the repository's code: in which sandbox, and what fails."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from doctest import Example
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Self

import anyio
from anyio import to_thread

from sstar_code.agent.repository.find.doctest_settings import find_namespace_files
from sstar_code.agent.repository.find.places import find_outermost, list_bases
from sstar_code.agent.repository.find.project_files import list_names
from sstar_code.agent.repository.find.pytest_settings import SETTINGS_FILES, find_settings
from sstar_code.agent.repository.verify.pytest_run import TestRun, explain_start, join_runs
from sstar_code.problems import UserError
from sstar_code.sandbox.interpreter import find_packages, find_special, identify
from sstar_code.sandbox.outcome import Limits, SandboxError
from sstar_code.sandbox.ownership import make_folder, reap_folders
from sstar_code.sandbox.repository import CONTROL, IsolatedRepository, ProjectSession, write_control
from sstar_code.sandbox.secret_files import mask_secrets
from sstar_code.sandbox.snapshot import open_up, write_snapshot

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.places import Place
    from sstar_code.sandbox.interpreter import Packages
    from sstar_code.sandbox.snapshot import LeftOut

_log = logging.getLogger(__name__)
_MOST_NAMES = 5
_QUOTED = re.compile(r"['\"]([^'\"]+)['\"]")


def _say_nothing(line: str) -> None:
    """Take a line for nobody."""


TEST_LIMITS = Limits(cpu_s=60.0, memory_mb=2048)
"""Limits of one test or group of examples."""
TEST_TOTAL_S = 600.0
"""How long the tests asked for may take together."""
_ROOM_UID = 1000
_MOST_OPEN = 8


@dataclass(slots=True)
class _Open:
    session: ProjectSession
    users: int = 0


class RepositoryRunner:
    """Runs versions of one repository in `sandbox`, a Docker or local one that has been entered."""

    def __init__(
        self,
        root: Path,
        python: str,
        sandbox: Any,
        *,
        workers: int = 1,
        say: Callable[[str], None] = _say_nothing,
    ) -> None:
        """Nothing is copied or started before it is entered; `say` takes a line about what is left out."""
        self.root = root
        self.python = python
        self.left_out: dict[str, str] = {}
        """Path of a file in the repository -> why it is not in the copy, or not as it is."""
        self._say = say
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
            UserError: it is too large, its interpreter cannot be used, or this kind of sandbox cannot hold a
                repository.
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
        reap_folders()
        self._folder = folder = make_folder()
        shown = find_packages(self.python, self.root)
        names = list_names(self.root, generated=True)
        (folder / "files").mkdir()
        write_control(folder / "control", _ROOM_UID)
        inner = [tree for tree in shown.trees if self.root in Path(tree).parents]
        made = self._make_folders(shown)
        own = [path for _, path in made if self.root in Path(path).parents]
        ignored = frozenset(name for name, tracked in names.items() if not tracked)
        left_out = write_snapshot(self.root, names, folder / "copy", own or inner, untracked=ignored)
        self.left_out = {item.name: item.why for item in left_out}
        self._tell(left_out)
        self.digest = _digest(folder / "copy", names)
        places = {tree: identify(self.root, Path(tree).relative_to(self.root).as_posix()) for tree in inner}
        self._original = IsolatedRepository(
            self.root,
            folder / "copy",
            folder / "control",
            shown.python,
            shown.trees,
            shown.files,
            shown.links,
            self._list_bases([name for name in names if name not in self.left_out]),
            {},
            tuple(made),
            tuple(find_special(shown.trees)),
            {tree: place or (0, 0) for tree, place in places.items()},
        )

    def _make_folders(self, shown: Packages) -> list[tuple[str, str]]:
        """(folder, path inside) of folders that we lay down: names of an interpreter, an environment."""
        assert self._folder is not None
        made = []
        for number, (path, target) in enumerate(shown.programs):
            folder = self._folder / f"programs-{number}"
            folder.mkdir()
            for name in {"python", "python3", Path(target).name, Path(self.python).name}:
                (folder / name).symlink_to(target)
            made.append((folder, path))
        if shown.environment is not None:
            folder = self._folder / "environment"
            shown.environment.build(self.root, folder)
            made.append((folder, str(self.root / shown.environment.name)))
        for folder, _ in made:
            open_up(folder)
        return [(str(folder), path) for folder, path in made]

    def _tell(self, left_out: Sequence[LeftOut]) -> None:
        """Say in a line how many files are left out, why, and the first names; the log has all."""
        if not left_out:
            return
        counts = Counter(item.why for item in left_out)
        kinds = ", ".join(f"{why}: {count}" for why, count in counts.items())
        names = [
            "".join(letter if letter.isprintable() else "?" for letter in item.name) for item in left_out
        ]
        more = ", ..." if len(names) > _MOST_NAMES else ""
        what = "1 file is" if len(left_out) == 1 else f"{len(left_out)} files are"
        shown = ", ".join(names[:_MOST_NAMES]) + more
        self._say(f"sstar: {what} not in the sandbox as in the repository ({kinds}): {shown}")
        for item in left_out:
            _log.info("not in the sandbox as it is: %s (%s)", item.name, item.why)

    def _list_bases(self, names: Sequence[str]) -> tuple[str, ...]:
        """Folders from which the repository's modules are imported: `src`, the root, those above packages."""
        first, bases = [*list_bases(self.root / "x.py", self.root)], [self.root]
        for name in names:
            folder = PurePosixPath(name).parent
            if PurePosixPath(name).name in SETTINGS_FILES and folder.parts:
                first += list_bases(self.root / name, self.root)
            if name.endswith("/__init__.py") and "test" not in name.partition("/")[0]:
                bases.append(find_outermost(self.root / name))
        first = [folder for folder in first if not (folder / "__init__.py").exists()]
        return tuple(dict.fromkeys(map(str, [*first, *bases])))

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
            file.write_bytes(mask_secrets(data))
            file.chmod(0o644)
            overlay[str(self._place(path))] = str(file)
        paths = tuple(dict.fromkeys([*([str(base)] if base else []), *self._original.path]))
        variant = replace(self._original, path=paths, overlay=overlay)
        return await ProjectSession(self._sandbox, variant).__aenter__()

    def _place(self, path: Path) -> Path:
        """Where `path` is in the copy, by no link: a link would lead out of it while it is mounted."""
        assert self._folder is not None
        copy = self._folder / "copy"
        name = path.relative_to(self.root)
        real = Path(os.path.realpath(copy / name))
        if not real.is_relative_to(copy) or not real.is_file():
            raise UserError(
                f"{path} is not in the sandbox; it is ignored by git, or no file of the repository"
            )
        return self.root / real.relative_to(copy)

    async def _close_oldest(self) -> None:
        for key, item in list(self._open.items()):
            if len(self._open) <= _MOST_OPEN:
                return
            if not item.users:
                del self._open[key]
                await item.session.close()

    async def run_tests(self, texts: Mapping[Path, bytes], select: Sequence[str]) -> TestRun:
        """Run the tests that `select` (arguments of pytest) names on the version with `texts` in place.

        Those of each project of the repository run by themselves, so that its settings hold for them.

        Raises:
            SandboxError: as `ask`.
        """
        groups: dict[Path, list[str]] = {}
        for word in select:
            file = self.root / word.partition("::")[0]
            groups.setdefault(find_settings(file, self.root)[0], []).append(word)
        if any(word.startswith("-") for word in select):  # an option stands for all, and its value is no path
            groups = {self.root: list(select)}
        return join_runs([await self._run_project(texts, words) for words in groups.values()])

    async def _run_project(self, texts: Mapping[Path, bytes], select: Sequence[str]) -> TestRun:
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
        is_over = any("over" in item for item in answers)
        ended = next((int(item["ended"]) for item in answers if "ended" in item), 0)
        fault = "" if results or missing or is_over else explain_start(log, ended)
        return TestRun(results, not missing, is_over, fault)

    async def run_examples(
        self, texts: Mapping[Path, bytes], place: Place, groups: Iterable[Sequence[Example]]
    ) -> list[dict[str, Any]]:
        """Run the examples of each group, one after the other, in the module's name space; an answer a group.

        Raises:
            SandboxError: as `ask`.
        """
        sources = [[example.source for example in group] for group in groups]
        limits = limits_as_json(TEST_LIMITS)
        file = place.base.joinpath(*place.module.split("."))
        request = {
            "do": "examples",
            "module": place.module,
            "groups": sources,
            "limits": limits,
            "conftests": find_namespace_files(file, self.root),
        }
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
                answers = await session.ask(request, timeout_s)
        except SandboxError:
            async with self._session(texts, base) as session:
                answers = await session.ask(request, timeout_s)
        return [self._explain(answer) for answer in answers]

    def _explain(self, answer: dict[str, Any]) -> dict[str, Any]:
        """`answer`, whose failure says so where a file was not found that is in the repository."""
        kind, message = [*answer.get("failure", ()), "", ""][:2]
        for quoted in _QUOTED.findall(str(message)):
            path = Path(os.path.normpath(self.root / quoted))
            name = path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else ""
            why = self.left_out.get(name, "")
            if not why and kind == "FileNotFoundError" and name and os.path.lexists(path):
                why = "ignored by git"
            if why:
                note = f"; {name} is not in the sandbox as it is in the repository: {why}"
                return {**answer, "failure": [kind, f"{message[:300]}{note}"]}
        return answer


def _digest(copy: Path, names: Iterable[str]) -> str:
    content = hashlib.sha256()
    for name in names:
        path = copy / name
        if os.path.lexists(path):
            data = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            content.update(os.fsencode(name) + b"\0" + data + b"\0")
    return content.hexdigest()[:16]


def limits_as_json(limits: Limits) -> dict[str, Any]:
    """The limits as `inside.project_fork.run_apart` takes them."""
    return {
        "cpu_s": limits.cpu_s,
        "wall_s": limits.wall_ceiling_s,
        "memory_mb": limits.memory_mb,
        "output_kb": limits.output_kb,
    }
