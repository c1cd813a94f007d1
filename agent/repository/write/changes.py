"""Shows the changes of a file as a diff, and writes them.

Diffs are those that `git apply` and `patch` take, whatever the file's line ends and encoding are. A file is
written so that whoever looks, whenever the machine stops, finds the old or the new one.
"""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.repository.find.project_files import split_lines
from sstar_code.agent.repository.write.splice import MisfitError, put_candidate
from sstar_code.problems import InfrastructureError, UserError, files
from sstar_code.sandbox.snapshot import open_beneath, open_root, read_beneath
from sstar_code.selection.evidence.fingerprint import fingerprint

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.project_files import Source
    from sstar_code.agent.repository.find.stubs import Stub

_CONTEXT_LINES = 3


def normalise_change(stub: Stub, code: str) -> str:
    """Text that is equal for candidates that change the file of `stub` alike, comments and format aside.

    What of a candidate does not travel into the file makes no difference: its own docstring, annotations,
    examples of use. One that does not fit is its own text.
    """
    try:
        return fingerprint(put_candidate(stub, code).source.text)
    except MisfitError:
        return code


def make_diff(before: Source, after: Source, root: Path) -> bytes:
    """The changes of the file, in its own encoding; empty where there are none."""
    name = before.path.relative_to(root).as_posix()
    found = difflib.unified_diff(
        _lines(before), _lines(after), f"a/{name}", f"b/{name}", lineterm="\n", n=_CONTEXT_LINES
    )
    text = "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in found
    )
    return text.encode(before.encoding if before.encoding != "utf-8-sig" else "utf-8")


def _lines(source: Source) -> list[str]:
    """Lines as git counts them: a lone carriage return ends none."""
    joined: list[str] = []
    for line in split_lines(source.text):
        if joined and not joined[-1].endswith("\n"):
            joined[-1] += line
        else:
            joined.append(line)
    if source.encoding == "utf-8-sig" and joined:
        joined[0] = "\ufeff" + joined[0]
    return joined


def write_changes(before: Source, after: Source, root: Path) -> None:
    """Put `after` in the place of `before`, unless the file has been changed since it was read.

    Where it is a link to another file of the repository `root`, that file changes. No other link is followed,
    also none that is put there meanwhile.

    Raises:
        UserError: it has been changed, or a link leads out of the repository.
        InfrastructureError: it cannot be written; the old file is untouched.
    """
    top = Path(os.path.realpath(root))
    real = Path(os.path.realpath(before.path))
    if not real.is_relative_to(top):
        raise UserError(
            f"{before.path}: a link that leads out of the repository; nothing is written through it"
        )
    name = real.relative_to(top)
    now = read_beneath(top, name.as_posix(), max(len(before.data), 1) * 2)
    if now != before.data:
        raise UserError(f"{before.path}: changed while it was being worked on; it is left alone, run again")
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(open_root(top))
            if name.parent != Path():
                folder = open_beneath(folder, name.parent.as_posix())
                stack.callback(os.close, folder)
        except OSError as error:
            raise UserError(f"{before.path}: {error.strerror}; it was there a moment ago") from error
        replace_file(Path(f"/proc/self/fd/{folder}") / name.name, after.data, shown=before.path)


def check_outputs(paths: Iterable[Path | None], root: Path) -> None:
    """Refuse to write to `paths` where a link of the repository `root` leads out of it on the way.

    A folder in a file's place, or none to hold it, is told at once too, before anything is paid for.

    Raises:
        UserError: one does, or cannot be a file.
    """
    top = os.path.realpath(root)
    for path in paths:
        # `..` is taken away: what lies beside the repository is no link of it
        is_inside = path is not None and Path(os.path.abspath(path)).is_relative_to(root)  # noqa: PTH100
        if path is not None and is_inside and not Path(os.path.realpath(path)).is_relative_to(top):
            raise UserError(f"{path}: a link that leads out of the repository; nothing is written through it")
        if path is not None and path.is_dir():
            raise UserError(f"{path}: a folder; name a file")
        if path is not None and not path.parent.is_dir():
            raise UserError(f"{path}: there is no folder {path.parent}; make it, or name another file")


def replace_file(path: Path, data: bytes, *, shown: Path | None = None) -> None:
    """Give `path` the content `data`: a file beside it is written, flushed to the disk, and takes its name.

    `shown` is what messages call it.

    Raises:
        InfrastructureError: it cannot be written; the old file is untouched.
    """
    try:
        files.replace_file(path, data)
    except OSError as error:
        raise InfrastructureError(
            f"{shown or path}: not written ({error.strerror}); the old file is untouched"
        ) from error
