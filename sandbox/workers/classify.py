"""Turns what the parent of a run measured into its record. Trusts the run's own report for words only."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Mapping
from typing import Any

from sstar_code.sandbox.languages import cpp
from sstar_code.sandbox.languages.table import PYTHON
from sstar_code.sandbox.outcome import JUDGE_ERROR, Execution, Failure, Limits, Mode, Status, decode_output

_STDERR_CHARS = 2000
_REPORT_BYTES = 64 * 1024
"""Longer than any report of ours: more is made to cost its reader memory."""
_LARGEST_LINE = 1 << 31
_WITHOUT_REPORT = (Mode.MAIN, Mode.FILES, Mode.ARGUMENTS, Mode.INTERACT)
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that would command a terminal, turn text around, or fit into no file."""


def compile_failure(why: Mapping[str, Any]) -> Execution:
    """The record of a program that does not compile."""
    is_judge = "judge" in why
    if "errors" in why:
        (message, line) = cpp.describe_errors(why["errors"])
        why = {"type": cpp.COMPILE_ERROR, "message": message, "line": line}
    if is_judge:
        why = {**why, "type": JUDGE_ERROR, "line": None}
    return Execution(Status.CE, failure=_failure({"failure": [why["type"], why["message"], why["line"]]}))


def lost(message: str) -> Execution:
    """The record of a run that the sandbox failed to make."""
    return Execution(Status.IE, failure=Failure("SandboxError", message))


def classify(
    head: Mapping[str, Any],
    blob: bytes,
    mode: Mode,
    limits: Limits,
    language: str = PYTHON,
    *,
    sanitized: bool = False,
) -> Execution:
    """The record of one run; `head` and `blob` are the inside's answer."""
    out_size = head["sizes"][0]
    cut = out_size + head["tail"]
    (out, err, raw) = (blob[:out_size], blob[out_size:cut], blob[cut:])
    (report, _, result) = raw.partition(b"\n")
    told = _read_report(report, head["token"])
    oversized = max(head["sizes"]) > limits.output_kb * 1024
    (status, failure, limit) = _decide(head, told, mode, limits, oversized=oversized)
    if sanitized and (said := cpp.describe_sanitizers(decode_output(err))) is not None:
        (status, failure) = (Status.RE, Failure(cpp.SANITIZERS, _plain(said.message), said.line))
    elif status is Status.RE and failure is not None and language != PYTHON:
        (status, failure) = _explain_native(failure, decode_output(err), limits)
    most = limits.output_kb * 1024
    has_result = mode is Mode.CALL and status is Status.OK
    return Execution(
        status,
        stdout=decode_output(out[:most], limits.kept_chars),
        stderr=decode_output(err)[-_STDERR_CHARS:],
        result=decode_output(result, limits.kept_chars) if has_result else None,
        failure=failure,
        cpu_s=head["cpu_s"],
        wall_s=head["wall_s"],
        memory_mb=head["memory_kb"] / 1024,
        limit=limit,
    )


def _explain_native(failure: Failure, stderr: str, limits: Limits) -> tuple[Status, Failure]:
    """What a compiled program's standard error adds to how it ended."""
    told = cpp.describe_end(stderr)
    if failure.type == "SIGABRT" and told is not None and told.out_of_memory:
        return Status.MLE, Failure("MemoryError", f"over {limits.memory_mb} MB")
    if told is None:
        return Status.RE, failure
    return Status.RE, Failure(failure.type, _plain(told.message[:500]), told.line)


def _plain(text: str) -> str:
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def _read_report(report: bytes, token: str) -> dict[str, Any]:
    """The run's own words about its end; empty unless well formed and with this run's token."""
    if len(report) > _REPORT_BYTES:
        return {}
    try:
        told = json.loads(report)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) and told.get("token") == token else {}


def _decide(  # noqa: PLR0911 - one return a verdict, in order of precedence
    head: Mapping[str, Any], told: Mapping[str, Any], mode: Mode, limits: Limits, *, oversized: bool
) -> tuple[Status, Failure | None, Any]:
    if head["killed"] == "wall":
        return Status.TLE, Failure("TimeLimit", f"over {limits.wall_ceiling_s:g} s of wall time"), "wall"
    last_resort = head["status"] & 0x7F == signal.SIGXCPU  # the kernel's own limit, far beyond ours
    if head["killed"] == "cpu" or head["cpu_s"] > limits.cpu_s or last_resort:
        return Status.TLE, Failure("TimeLimit", f"over {limits.cpu_s:g} s of CPU time"), "cpu"
    if oversized:
        return Status.OLE, Failure("OutputLimit", f"over {limits.output_kb} KB of output"), None
    (number, exit_status) = (head["status"] & 0x7F, head["status"] >> 8)  # as wait(2) packs them
    memory_mb = head["memory_kb"] / 1024
    starved = number == signal.SIGKILL and memory_mb * 2 > limits.memory_mb
    if head["killed"] == "memory" or told.get("memory") is True or starved or memory_mb > limits.memory_mb:
        return Status.MLE, Failure("MemoryError", f"over {limits.memory_mb} MB"), None
    if number:
        return Status.RE, Failure(_signal_name(number)), None
    if isinstance(told.get("missing"), str):
        return Status.CE, Failure("EntryPointMissing", _plain(told["missing"][:500])), None
    if exit_status:
        return Status.RE, _failure(told) or Failure(f"exit status {exit_status}"), None
    if told.get("failure") is not None or (mode not in _WITHOUT_REPORT and not told):
        return Status.RE, _failure(told) or Failure("exit status 0", "it ended before it was done"), None
    return Status.OK, None, None


def _failure(told: Mapping[str, Any]) -> Failure | None:
    match told.get("failure"):
        case [str(kind), str(message), int() | None as line]:
            known = line is not None and 0 < line < _LARGEST_LINE
            return Failure(_plain(kind)[:100], _plain(message[:500])[:600], line if known else None)
    return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
