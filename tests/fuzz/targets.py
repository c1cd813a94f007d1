"""What is fuzzed: every parser of text that others wrote, as functions of bytes.

Each target lets through the errors that its parser documents and nothing else, and ends within a work that is
far beyond what its input is worth.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sstar_code.agent.generation.extract import extract_code
from sstar_code.agent.models.openai.completion import NoCompletionError, read_answer, read_completion
from sstar_code.agent.models.openai.refusal import read_refusal
from sstar_code.agent.models.openai.served import read_models
from sstar_code.agent.models.recorded import read_calls
from sstar_code.agent.models.request import Answer
from sstar_code.agent.models.think_tags import cut_later_thinking, split_thinking
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.run.folder import read_manifest, read_summary
from sstar_code.problems import Kind, Problem, UserError, load_set, values
from sstar_code.problems.formats.jsonl import to_json
from sstar_code.problems.samples import read_samples
from sstar_code.problems.sets.faults import find_faults
from sstar_code.problems.sets.readers import READERS
from sstar_code.problems.statements.examples import find_examples
from sstar_code.problems.statements.parse import read_statement
from sstar_code.sandbox.inside import frames
from sstar_code.sandbox.workers.protocol import find_imports

_MOST_S, _MOST_S_PER_MB = 10.0, 120.0
"""CPU time that no input is worth; a slow machine under a fuzzer's instruments takes a tenth."""
_MOST_MB = 400
"""Growth of the resident memory by one input, what the allocator keeps included."""
_PROBLEMS = (
    Problem("s", "s", Kind.STDIN),
    Problem("f", "s", Kind.FUNCTION, "f", "def f(a):\n"),
    Problem("m", "s", Kind.FUNCTION, "Solution.f", "class Solution:\n    def f(self, a: int) -> int:\n"),
)


def run(name: str, data: bytes) -> None:
    """Give `data` to the target `name`.

    Raises:
        AssertionError: it took more time or memory than anything may.
        Exception: whatever the parser lets out and does not document.
    """
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started_s = time.process_time()
    TARGETS[name](data)
    spent_s = time.process_time() - started_s
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    assert spent_s < _MOST_S + _MOST_S_PER_MB * len(data) / 1e6, f"{spent_s:.1f} s for {len(data)} bytes"
    assert grown_mb < _MOST_MB, f"{grown_mb:.0f} MB for {len(data)} bytes"


@contextmanager
def _file(data: bytes) -> Iterator[str]:
    """The path of a file in memory."""
    descriptor = os.memfd_create("fuzzed")
    try:
        os.write(descriptor, data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


@contextmanager
def _one_line() -> Iterator[None]:
    """A user's error is let through where it is one line that a file can hold."""
    told = ""
    try:
        yield
    except UserError as error:
        told = str(error)
    assert "\n" not in told, told
    told.encode("utf-8", "backslashreplace")


def _read_set(form: str, data: bytes) -> None:
    with _file(data) as path, _one_line():
        problems = load_set(f"{form}:{path}").problems
        for problem in problems:
            json.dumps(to_json(problem)).encode()
            problem.id.encode()
            problem.statement.encode()
        list(find_faults(problems))


def _read_samples(data: bytes) -> None:
    with _file(data) as path, _one_line():
        for sample in read_samples(path):
            assert not (sample.fault and sample.code)


def _read_recording(data: bytes) -> None:
    with _file(data) as path, _one_line():
        read_calls(Path(path))


def _read_run(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, _one_line():
        for name in ("manifest.json", "summary.json"):
            (Path(folder) / name).write_bytes(data)
        read_summary(Path(folder))
        read_manifest(Path(folder))


def _read_template(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, _one_line():
        (Path(folder) / "generate.j2").write_bytes(data)
        Prompts(Path(folder))


def _read_statement(data: bytes) -> None:
    problem = read_statement(_text(data), id="x").problem
    json.dumps(to_json(problem))


def _read_examples(data: bytes) -> None:
    find_examples(_text(data), "f")


def _extract(data: bytes) -> None:
    text = _text(data)
    for problem in _PROBLEMS:
        found = extract_code(Answer(text), problem)
        assert (found.code is None) == (found.how == "none")


def _split_thinking(data: bytes) -> None:
    text = _text(data)
    rest, _ = split_thinking(text)
    assert text.endswith(rest)
    cut_later_thinking(text)


def _decode_value(data: bytes) -> None:
    try:
        value = values.decode(_text(data))
    except ValueError:
        return
    text = values.encode(value)
    assert values.encode(values.decode(text)) == text


def _cut_frames(data: bytes) -> None:
    whole, pieces = frames.Decoder(), frames.Decoder()
    try:
        expected = whole.feed(data)
    except ValueError:
        expected = None
    got: list[tuple[dict[str, object], bytes]] = []
    try:
        for place in range(0, len(data), 7):
            got += pieces.feed(data[place : place + 7])
    except ValueError:
        assert expected is None
    else:
        assert got == expected


def _read_response(data: bytes) -> None:
    text = _text(data)
    read_models(text)
    read_refusal(400, text, secret="sk-test")
    try:
        body = read_completion(data)
    except NoCompletionError:
        return
    answer = read_answer(body, model="m", seconds=0.0)
    json.dumps([answer.text, answer.reasoning]).encode()


def _find_imports(data: bytes) -> None:
    find_imports(_text(data))


def _text(data: bytes) -> str:
    """Any text, lone surrogates included."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("latin-1")


SETS = tuple(name for name in READERS if name != "lcb-pro")  # whose rows are all refused
TARGETS: dict[str, Callable[[bytes], None]] = {form: partial(_read_set, form) for form in SETS} | {
    "samples": _read_samples,
    "recording": _read_recording,
    "run": _read_run,
    "template": _read_template,
    "statement": _read_statement,
    "examples": _read_examples,
    "extract": _extract,
    "think": _split_thinking,
    "values": _decode_value,
    "frames": _cut_frames,
    "wire": _read_response,
    "imports": _find_imports,
}
"""By name; those of `SETS` read a file of that form."""
