"""A vLLM process: start, health, log, and why it died."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import anyio

from sstar_code.problems.files import open_to_append
from sstar_code.sandbox.ownership import HOST_LABEL, OWNER_LABEL, Owner, describe_owner, is_orphan

_PREFIX = re.compile(
    r"^(?:\([\w .:-]*pid=\d+\)\s*)?"  # (EngineCore pid=123)
    r"(?:(?:INFO|WARNING|ERROR|CRITICAL|DEBUG)\s+[\d-]+ [\d:.]+\s*(?:\[[^\]]*\])?\s?)?"
)
_ERROR = re.compile(r"^(?:[A-Za-z_]\w*\.)*[A-Za-z_]*(?:Error|Exception|Exit|Interrupt)\b(?::\s*(.*))?$")
_USAGE = re.compile(r"^\S.*?\berror: (.+)$")
_REFUSED = re.compile(r"unrecognized arguments: (.+)$|ambiguous option: (\S+)")
_BAR = re.compile(r"\d+%\|")
_ECHO = ("Engine core initialization failed", "Engine core proc", "See root cause", "EngineCore encountered")
_ENDED_BY_US = ("KeyboardInterrupt", "SystemExit")
_MAX_CHARS = 300
_HINTS = (
    (
        re.compile(
            r"out of memory|free memory on device|no available memory|gpu.memory.utilization", re.IGNORECASE
        ),
        "free the GPU, or give --vllm-args '--gpu-memory-utilization 0.8 --max-model-len 8192'",
    ),
    (
        re.compile(r"kv cache|max.?seq.?len|max_model_len|max_num_batched_tokens", re.IGNORECASE),
        "give --vllm-args '--max-model-len 8192'",
    ),
    (
        re.compile(r"gated repo|401 client error|access to model", re.IGNORECASE),
        "accept the model's licence and set HF_TOKEN",
    ),
    (
        re.compile(
            r"not a valid model identifier|repository not found|is not a local folder|can't load|"
            r"cannot find the requested files|couldn't connect|offline",
            re.IGNORECASE,
        ),
        "check the model's name, the network and HF_HUB_OFFLINE",
    ),
)


def _plain_lines(log: str) -> list[str]:
    """Lines without process and level, the last part of those that a progress bar wrote over."""
    lines = [line.rpartition("\r")[2] if "\r" in line.rstrip("\r") else line for line in log.split("\n")]
    return [_PREFIX.sub("", line.rstrip("\r").rstrip()) for line in lines]


def explain_end(log: str, code: int) -> str:
    """One line: the error at the bottom of it all, as far as the `log` of one start tells, and a hint.

    vLLM's front reports that the engine failed; why stands before, in the engine's own lines.

    Args:
        log: everything that start wrote.
        code: the exit code; 128 + signal where it was killed.
    """
    if code == 137:  # errors behind it are those of what the front left alone
        return "it was killed (SIGKILL): mostly the kernel's, for want of memory; `dmesg` tells"
    lines = _plain_lines(log)
    for line in reversed(lines):
        if (usage := _USAGE.match(line)) and not _ERROR.match(line):
            return _shorten(usage[1])
    errors = [(place, line) for place, line in enumerate(lines) if _ERROR.match(line)]
    roots = [
        item
        for item in errors
        if not any(mark in item[1] for mark in _ECHO) and not item[1].startswith(_ENDED_BY_US)
    ]
    if roots:
        place, line = roots[-1]
        return _add_hint(_shorten(f"{line.rstrip(':')} {_find_detail(lines, place)}".strip()))
    if errors:
        return _shorten(errors[-1][1])
    if code > 128:
        return f"it ended by signal {code - 128}"
    last = next((line for line in reversed(lines) if line.strip()), "")
    return _shorten(f"it ended with code {code}" + (f", last: {last.strip()}" if last else ""))


def _find_detail(lines: list[str], place: int) -> str:
    """The text of a validation error below its first line."""
    if "validation error" not in lines[place]:
        return ""
    below = [line.strip() for line in lines[place + 1 : place + 6] if line.startswith(" ")]
    return next((line for line in below if "error" in line.lower()), "")


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_CHARS else line[: _MAX_CHARS - 1] + "…"


def _add_hint(line: str) -> str:
    return next((f"{line}; {hint}" for pattern, hint in _HINTS if pattern.search(line)), line)


def find_refused_flag(log: str) -> str | None:
    """The first flag that this vLLM does not know, where it ended for that."""
    for line in reversed(_plain_lines(log)):
        if found := _REFUSED.search(line):
            return (found[1] or found[2]).split()[0].partition("=")[0]
    return None


def find_step(log: str) -> str:
    """The step that a start is at: its last line that says something, short."""
    for line in reversed(_plain_lines(log)):
        text = " ".join(line.split())
        if len(text) > 8 and not _BAR.search(text) and text[0].isalpha():
            return text if len(text) <= 70 else text[:69] + "…"
    return ""


_GUARDIAN = Path(__file__).with_name("guardian.py")
_MARK = "SSTAR_VLLM_OWNER"
_END_S = 20.0


class ServerProcess:
    """A server that is running or was; it ends with everything it started when `stop` is called or we end."""

    def __init__(self, process: anyio.abc.Process, log: Path, log_start: int) -> None:
        self._process = process
        self._log = log
        self._log_start = log_start

    @classmethod
    async def start(
        cls, words: Sequence[str], environment: Mapping[str, str], log: Path, *, grace_s: float = 10.0
    ) -> Self:
        """Start `words`; what they write is appended to `log`.

        Args:
            words: the command line.
            environment: all of it; a mark by which a later start finds orphans is added.
            log: a file.
            grace_s: between asking the server to end and killing it.
        """
        with os.fdopen(open_to_append(log), "ab") as output:
            log_start = output.tell()
            process = await anyio.open_process(
                [sys.executable, "-I", str(_GUARDIAN), str(grace_s), *words],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                # vLLM names its processes; the library that does would write over the mark otherwise.
                env={**environment, **_mark(), "SPT_NOENV": "1"},
                start_new_session=True,
            )
        return cls(process, log, log_start)

    @property
    def code(self) -> int | None:
        """Exit code, 128 + signal where it was killed; None while it runs."""
        code = self._process.returncode
        return 128 - code if code is not None and code < 0 else code

    def read_log(self) -> str:
        """The log of this start so far, its last megabyte."""
        with self._log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._log_start, end - 2**20))
            return file.read().decode("utf-8", "replace")

    def log_size(self) -> int:
        """Size of the log in bytes."""
        return self._log.stat().st_size

    async def wait(self) -> int:
        """The exit code, once everything has ended."""
        await self._process.wait()
        return self.code or 0

    async def stop(self) -> None:
        """End it and everything it started, even while being cancelled."""
        with anyio.CancelScope(shield=True):
            if self._process.stdin is not None:
                await self._process.stdin.aclose()
            with anyio.move_on_after(_END_S):
                await self._process.wait()
            if self._process.returncode is None:
                self._process.kill()  # what is below is asked to end by the kernel then
                await self._process.wait()


def _mark() -> dict[str, str]:
    return {_MARK: describe_owner().to_labels()[OWNER_LABEL]}


def reap_orphans() -> int:
    """Kill what is left of servers whose `sstar` is dead; how many processes that were.

    A guardian does this at once; this is for when it was killed too, as by a memory limit that hits all.
    """
    here = describe_owner()
    reaped = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == here.pid:
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # another user's, or it has ended
        text = next((item.decode() for item in variables if item.startswith(_MARK.encode() + b"=")), "")
        labels = {OWNER_LABEL: text.partition("=")[2], HOST_LABEL: here.host}
        if text and is_orphan(Owner.from_labels(labels), here, running=True):
            try:
                os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue
            reaped += 1
    return reaped
