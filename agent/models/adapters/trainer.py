"""The process that trains adapters, started when the first one is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from sstar_code.agent.models.request import ModelError, ModelUserError
from sstar_code.problems.files import open_to_append

if TYPE_CHECKING:
    from anyio.abc import Process

    from sstar_code.agent.models.adapters.training import Training

_PROGRAM = Path(__file__).with_name("train_lora.py")
_NEEDED = {"torch": "2.6", "transformers": "4.56", "peft": "0.18"}
_QUIET = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "TOKENIZERS_PARALLELISM": "false"}
"""Threads that wait without spinning: the server and the programs need the same cores."""
_MOST_REPLY = 2**20
_END_S = 10.0


def find_python(vllm: str) -> str:
    """A Python that has what training needs: this one, else that of the program `vllm`; it is not started.

    Raises:
        ModelUserError: neither has; the message says what to install.
    """
    if not (missing := _list_missing(None)):
        return sys.executable
    program = Path(vllm)
    for root in dict.fromkeys([program.parent.parent, program.resolve().parent.parent]):
        folders = [str(folder) for folder in root.glob("lib/python3*/*-packages")]
        python = root / "bin" / "python"
        if folders and python.exists():
            if not (missing := _list_missing(folders)):
                return str(python)
            break
    wanted = " ".join(f"'{name}>={release}'" for name, release in _NEEDED.items() if name in missing)
    raise ModelUserError(
        f"--strategy learn: {', '.join(missing)} missing in this Python and in that of vLLM: pip install "
        f"{wanted} in one of them"
    )


def _list_missing(folders: Sequence[str] | None) -> list[str]:
    """What training needs and is not installed in `folders`; None: where this Python looks."""
    found: Iterable[Any] = distributions() if folders is None else distributions(path=list(folders))
    names = {item.metadata["Name"].lower() for item in found if item.metadata["Name"]}
    return [name for name in _NEEDED if name not in names]


def _advise(error: str) -> str:
    """What to do about an error of training, where that is known."""
    if "memory" not in error.lower():
        return ""
    return (
        "; where a GPU's memory is short, give the server less of it (--vllm-args '--gpu-memory-utilization "
        "0.6') or train elsewhere (--strategy learn:device=cpu)"
    )


class Trainer:
    """Trains adapters of one model, one after the other, by `train_lora.py`.

    Args:
        python: an interpreter that has PyTorch, transformers and peft.
        model: a folder, or a name on the hub that has been fetched.
        words: what is run instead of `train_lora.py`, in tests.
    """

    def __init__(self, python: str, model: str, *, words: Sequence[str] = ()) -> None:
        self.log: Path | None = None
        """The file that gets what the process says beside its replies; None: nothing is kept."""
        self._command = [python, "-I", *(words or [str(_PROGRAM)]), model]
        self._process: Process | None = None
        self._replies: BufferedByteReceiveStream | None = None
        self._lock = anyio.Lock()

    async def train(self, training: Training, folder: Path) -> list[float]:
        """Write the adapter of `training` to `folder`; the loss before each step.

        Raises:
            ModelError: it cannot be trained: no memory, a model without the layers, the process has ended.
        """
        async with self._lock:
            if self._process is None or self._process.returncode is not None:
                self._process = await self._start()
            job = {
                **training.as_json(),
                "device": training.device,
                "folder": str(folder),
                "optimizer_file": training.optimizer,
            }
            try:
                reply = await self._talk(json.dumps(job).encode() + b"\n")
            except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, OSError) as error:
                with anyio.move_on_after(_END_S):
                    await self._process.wait()  # so that it is known how it ended
                await self._end()
                raise ModelError(f"training ended in the middle: {self._tell_end()}") from error
            except BaseException:  # given up: nothing may be written any more
                await self._end()
                raise
        if "error" in reply:
            raise ModelError(f"an adapter cannot be trained ({reply['error']}){_advise(reply['error'])}")
        losses: list[float] = reply["losses"]
        return losses

    async def _start(self) -> Process:
        with os.fdopen(open_to_append(self.log or Path(os.devnull)), "ab") as output:
            process = await anyio.open_process(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env={**_QUIET, **os.environ, "HF_HUB_OFFLINE": "1"},
                start_new_session=True,  # Ctrl-C is for the one who asks; this one ends with its input
            )
        assert process.stdout is not None
        self._replies = BufferedByteReceiveStream(process.stdout)
        return process

    async def _talk(self, line: bytes) -> dict[str, Any]:
        """The reply to a job."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._replies is not None
        await self._process.stdin.send(line)
        reply: dict[str, Any] = json.loads(await self._replies.receive_until(b"\n", _MOST_REPLY))
        return reply

    def _tell_end(self) -> str:
        code = self._process.returncode if self._process else None
        where = "" if self.log is None else f"; its log is {self.log}"
        return ("it was killed, mostly for want of memory" if code == -9 else f"exit code {code}") + where

    async def _end(self) -> None:
        """Make the process end: there is nothing that it would have to write."""
        process = self._process
        if process is None:
            return
        with anyio.CancelScope(shield=True):
            if process.stdin is not None:
                await process.stdin.aclose()
            if process.returncode is None:
                process.kill()
            with anyio.move_on_after(_END_S):
                await process.wait()
            if process.stdout is not None:
                await process.stdout.aclose()

    async def aclose(self) -> None:
        """End the process; a job under way is given up."""
        await self._end()
        self._process = None
