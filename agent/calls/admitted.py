"""Marks of calls that were let pass under a problem's cap and are not answered yet, kept beside the store.

Which call the last tokens of a problem pay for hangs on the order in which calls are let pass. A run that is
killed and started again asks in another order: what it knows it has at once. So the calls that were under way
are kept whole, and the next start asks them before any other of the problem, whatever the cap says by then.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from io import FileIO
from pathlib import Path

from sstar_code.agent.models.request import Request, as_plain, request_key
from sstar_code.agent.run.bounds import read_own_json
from sstar_code.agent.run.outcomes import read_record
from sstar_code.problems import InfrastructureError, ProblemFileError, UserError
from sstar_code.problems.files import open_to_append

_FOLDER = "under-way"
_NAME = re.compile(r"([0-9a-f]{64})\.json")
_MOST = 4_096
"""Marks that are read: more calls than are ever under way at once."""


class AdmittedCalls:
    """A file for each such call, named by its key, in a folder that is there only while there are any."""

    def __init__(self, store_path: Path | None) -> None:
        """Read the marks of an earlier start; without a store on disk there are none, and none are made.

        Raises:
            UserError: something else is in the folder's place.
        """
        self.left: dict[str, dict[str, Request]] = {}
        """Problem -> key -> call that an earlier start let pass, and that was not asked again since."""
        self._folder = None if store_path is None else store_path.with_name(_FOLDER)
        self._marked: set[str] = set()
        if self._folder is None or not os.path.lexists(self._folder):
            return
        if self._folder.is_symlink() or not self._folder.is_dir():
            raise UserError(f"{self._folder}: a link, or no folder of ours; remove it")
        for path in sorted(self._folder.iterdir())[:_MOST]:
            if (name := _NAME.fullmatch(path.name)) is not None:
                self._read(name[1], path)

    def mark(self, request: Request, key: str) -> None:
        """Note that `request` is let pass, before it is sent.

        Raises:
            InfrastructureError: the mark cannot be written.
        """
        if self._folder is None or key in self._marked:
            return
        path = self._folder / f"{key}.json"
        try:
            self._folder.mkdir(exist_ok=True)
            with FileIO(open_to_append(path), "ab") as file:
                file.truncate(0)
                file.write(json.dumps(as_plain(request)).encode())
        except OSError as error:
            raise InfrastructureError(
                f"{path}: cannot write ({error.strerror}); free some space and run the same command again"
            ) from error
        self._marked.add(key)

    def unmark(self, problem_id: str, key: str) -> None:
        """The call was answered, failed or was withdrawn: nothing of it is left to do."""
        calls = self.left.get(problem_id, {})
        calls.pop(key, None)
        if not calls:
            self.left.pop(problem_id, None)
        if self._folder is None or key not in self._marked:
            return
        self._marked.discard(key)
        with suppress(OSError):
            (self._folder / f"{key}.json").unlink(missing_ok=True)
            if not self._marked:
                self._folder.rmdir()

    def _read(self, key: str, path: Path) -> None:
        """A mark; one that was being written when its writer was killed belongs to a call never sent."""
        self._marked.add(key)
        problem_id = ""
        with suppress(ProblemFileError, ValueError, TypeError, KeyError, RecursionError):
            request = read_record(Request, read_own_json(path))
            if request_key(request) == key:
                problem_id = request.purpose.problem_id
                self.left.setdefault(problem_id, {})[key] = request
        if not problem_id:
            self.unmark("", key)
