"""Calls recorded to a file and played back.

    {"key": "<request_key>", "model": "...", "request": {..., "purpose": {...}}, "answer": {...}}

The file may be packed with gzip afterwards. `key` is for people who search; reading computes it anew.
"""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from importlib import resources
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from anyio.lowlevel import checkpoint

from sstar_code.agent.models.request import Answer, ReplayMissError, Request, request_key
from sstar_code.agent.run.outcomes import read_record
from sstar_code.problems import InfrastructureError, ProblemFileError, UserError
from sstar_code.problems.bounds import LineReader, open_file, parse_json, row_bytes
from sstar_code.problems.errors import blame_path, shorten, suggest
from sstar_code.problems.files import open_to_append
from sstar_code.problems.sets.load import BUNDLED

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Answer, Model, Purpose


def find_recording(spec: str) -> Path | None:
    """The recording that `replay:NAME` means; None where NAME is no bundled set, or a file is called so."""
    kind, _, name = spec.partition(":")
    if kind != "replay" or name not in BUNDLED or Path(name).is_file():
        return None
    return Path(str(resources.files("sstar_code.problems") / "bundled" / name / "calls.jsonl.gz"))


def find_prompts(spec: object) -> Path | None:
    """The folder of templates that the bundled recording `spec` was made with; None where it has none."""
    recording = find_recording(spec) if isinstance(spec, str) else None
    folder = None if recording is None else recording.with_name("prompts")
    return folder if folder is not None and folder.is_dir() else None


def describe_recording(recording: Path) -> str:
    """Who gave the answers of a bundled recording and what they prove, in one line."""
    about = json.loads(recording.with_name("recording.json").read_text(encoding="utf-8"))
    return str(about["answers"])


@dataclass(frozen=True, slots=True)
class Call:
    """One recorded call."""

    request: Request
    answer: Answer


def write_call(call: Call, model: str) -> str:
    """`call` as one line of JSON text, newline included; `model` is the name that was asked."""
    record = {
        "key": request_key(call.request),
        "model": model,
        "request": asdict(call.request),
        "answer": asdict(call.answer),
    }
    return json.dumps(record) + "\n"


def _read_call(data: Any) -> Call:
    call = read_record(Call, data)
    unknown = set(data["request"]) - {field.name for field in fields(Request)}
    if unknown:  # it may have changed the answer, so the call could be taken for another one
        raise TypeError(f"a request has no {', '.join(sorted(unknown))}")
    texts = (message.content for message in call.request.messages)
    if not all(isinstance(text, str) for text in (call.answer.text, call.request.purpose.problem_id, *texts)):
        raise TypeError("a text is not a string")
    return call


def read_calls(path: Path) -> list[Call]:
    """The calls recorded in `path`, plain or gzip, in the order they were answered.

    A last line without its end was being written when its writer was killed; it is left out.

    Raises:
        UserError: the file is not there, or holds no call.
        ProblemFileError: it cannot be read, or a line is not a recorded call; path and line are named.
    """
    if not path.exists():
        names = ", ".join(f"replay:{name}" for name in BUNDLED)
        meant = suggest(str(path), [name for name in BUNDLED if not Path(name).exists()])
        raise UserError(
            f"{path}: no such recording{meant}; make one with --record {path}, or take {names}, "
            "which are bundled"
        )
    calls: list[Call] = []
    with open_file(path) as stream:
        lines = LineReader(path, stream)
        for line in lines:
            try:
                data = parse_json(line.data)
            except ValueError as error:
                if lines.is_last:
                    break
                raise ProblemFileError(path, line.number, f"not JSON: {error}") from error
            try:
                calls.append(_read_call(data))
            except (ValueError, TypeError, KeyError) as error:
                told = shorten(repr(error), 300)
                raise ProblemFileError(path, line.number, f"not a recorded call: {told}") from error
    if not calls:
        raise UserError(f"{path}: holds no recorded call")
    return calls


class Recorder:
    """Asks `model` and appends each answered call to `path` before it hands the answer on.

    An existing file is continued. Failed calls are not written.

    Raises:
        UserError: `path` cannot be opened for writing.
    """

    def __init__(self, model: Model, path: Path) -> None:
        self.name = model.name
        self.path = path
        self._model = model
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = FileIO(open_to_append(path), "a+b")
            try:
                self._size = _mend_end(self._file.fileno())
            except OSError:
                self._file.close()
                raise
        except OSError as error:
            advice = "give --record another file"
            raise blame_path(error, f"{path}: cannot record there: {error.strerror}; {advice}") from error

    async def ask(self, request: Request) -> Answer:
        """The model's answer, once it is on record; raises what the model raises.

        Raises:
            InfrastructureError: the file cannot be written; it keeps what it had.
        """
        answer = await self._model.ask(request)
        line = write_call(Call(request, answer), self.name).encode()
        try:
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
        except OSError as error:
            with suppress(OSError):  # a device has no end to cut
                os.ftruncate(self._file.fileno(), self._size)
            raise InfrastructureError(
                f"{self.path}: cannot record: {error.strerror}; make room and run again"
            ) from error
        self._size += len(line)
        return answer

    def close(self) -> None:
        """Close the file; the model stays open."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _mend_end(descriptor: int) -> int:
    """Make the file end with a whole line, dropping a torn one; its size then, in bytes.

    Raises:
        OSError: its end is no line that was ever recorded; the file may be anybody's.
    """
    size = os.fstat(descriptor).st_size
    tail_start = size
    while tail_start > 0:
        if size - tail_start > row_bytes():
            raise OSError(errno.EFBIG, "its last line is longer than any recording's")
        block_start = max(0, tail_start - 65536)
        block = os.pread(descriptor, tail_start - block_start, block_start)
        cut = block.rfind(b"\n")
        if cut >= 0:
            tail_start = block_start + cut + 1
            break
        tail_start = block_start
    tail = os.pread(descriptor, size - tail_start, tail_start)
    if not tail:
        return size
    try:
        parse_json(tail)
    except ValueError:
        os.ftruncate(descriptor, tail_start)
        return tail_start
    return size + os.write(descriptor, b"\n")


class ReplayModel:
    """Answers from the calls recorded in `path`.

    A request is looked up by its content. Where several calls have that content, the one made for the same
    purpose answers, else the sample's number picks one in recorded order. Where none has it (a prompt was
    edited since), the call made for the same purpose answers, unless `strict`; `by_purpose` counts these.
    Which answer is given never depends on the order of asking. Of two calls with one content and purpose the
    later counts.

    Raises:
        UserError: the file is missing or malformed.
    """

    def __init__(self, path: Path, *, strict: bool = False) -> None:
        self.name = f"replay:{path}"
        self.path = path
        self.strict = strict
        self.exact = 0
        """Answers given to a request with the recorded content."""
        self.by_purpose = 0
        """Answers given by place in the method: their prompts differ from the recording."""
        self._by_key: dict[str, dict[Purpose, Call]] = {}
        self._by_purpose: dict[Purpose, Call] = {}
        for call in read_calls(path):
            self._by_key.setdefault(request_key(call.request), {})[call.request.purpose] = call
            self._by_purpose[call.request.purpose] = call

    async def ask(self, request: Request) -> Answer:
        """The recorded answer.

        Raises:
            ReplayMissError: no recorded call fits.
        """
        await checkpoint()
        purpose = request.purpose
        same = self._by_key.get(request_key(request), {})
        if same:
            self.exact += 1
            calls = list(same.values())
            return same.get(purpose, calls[purpose.sample % len(calls)]).answer
        call = self._by_purpose.get(purpose)
        if call is None or self.strict:
            place = f"{purpose.problem_id}, {purpose.stage} of sample {purpose.sample}, round {purpose.round}"
            ordinal = f", {purpose.ordinal}" if purpose.ordinal else ""
            known = "with another prompt" if call else "not at all"
            raise ReplayMissError(f"{self.path} holds this call {known}: {place}{ordinal}; record it again")
        self.by_purpose += 1
        return call.answer
