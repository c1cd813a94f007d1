"""Rows of Parquet files as JSON Lines, made by a process of its own that can take so much memory and no more.

What a page of such a file unpacks to is not known before the library has taken the memory for it, so that no
check from outside holds.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

_ROWS_AT_ONCE = 4
_BUFFER_BYTES = 1 << 20


@contextmanager
def open_parquet(path: Path, memory_bytes: int) -> Iterator[BinaryIO]:
    """The rows of the Parquet file at `path`, a JSON object a line; the reader may take `memory_bytes`.

    Raises:
        ProblemFileError: it cannot be read, or pyarrow is missing.
    """
    from sstar_code.problems.errors import ProblemFileError

    if importlib.util.find_spec("pyarrow") is None:
        raise ProblemFileError(path, None, "is a Parquet file: pip install 'pyarrow>=20', or give JSON Lines")
    # One thread: each has a heap of its own, which counts.
    settings = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    environment = {**os.environ, **settings, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", __file__, str(path), str(memory_bytes)]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log) as process,  # noqa: S603 - ours
    ):
        assert process.stdout is not None
        try:
            yield cast("BinaryIO", process.stdout)
            if process.wait():
                log.seek(0)
                told = log.read()[-2000:].decode("utf-8", "replace").strip().rpartition("\n")[2]
                raise ProblemFileError(path, None, f"cannot be read as Parquet: {told or 'its reader died'}")
        finally:
            process.kill()


def _main(path: str, memory_bytes: int) -> None:
    """Write the rows of `path` to standard output."""
    parquet: Any = importlib.import_module("pyarrow.parquet")

    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    file = parquet.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, use_threads=False):
        for row in batch.to_pylist():
            sys.stdout.write(json.dumps(row, default=_as_text) + "\n")


def _as_text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    try:
        _main(sys.argv[1], int(sys.argv[2]))
    except BrokenPipeError:  # whoever reads has seen enough
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - one line of it is shown
        what = "it takes more memory than a row may" if isinstance(error, MemoryError) else f"{error}"
        sys.stderr.write(" ".join(what.split())[:300] or type(error).__name__)
        sys.stderr.flush()
        os._exit(1)
