"""Attacks that files bring: `attacks.jsonl` here, and those that SSTAR_ATTACKS names (paths, `:` between).

A line is a JSON object. Programs have `program`, `kind`, `tests` (as problems do), `allowed_verdicts`, and
where they differ from the default `entry_point`, `checker`, `time_limit_s`; each runs on all four levels of
isolation. Inputs for the host's side have `input`: `files` (path -> text, or `-> target` for a link, where
`/outside` stands for a folder that is not theirs; `answers` is what a model says, `=====` between two) and
`command`. What such a line allows is told in words, so every command is held to the same: no secret is told
to anybody, no file outside the folder is changed, no command of the folder is run, no control character is
printed, the memory is bounded, and the command ends with one of its exit codes.
"""

from __future__ import annotations

import json
import re
from contextlib import ExitStack

import pytest

from sstar_code.agent.testing.server import ServerDouble, chat
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox.grade import run_tests
from tests.attacks.files.inputs import (
    INPUTS,
    KEY,
    PROGRAMS,
    SECRETS,
    hold_command,
    hold_files,
    is_told_in_words,
    lay_out,
    list_commands,
    listen,
    make_environment,
    named,
    run_command,
)


@pytest.mark.parametrize("row", named(PROGRAMS))
def test_program_ends_as_allowed(attacked, row):
    """A hostile program gets no other verdict than the file allows, and leaves its worker as it was."""
    problem = Problem(
        id="attack",
        statement="",
        kind=Kind(row["kind"]),
        entry_point=row.get("entry_point"),
        checker=row.get("checker", "exact"),
        hidden_tests=tuple(
            Test(test.get("input", ""), test.get("output"), test.get("program")) for test in row["tests"]
        ),
        time_limit_s=row.get("time_limit_s", 5.0),
    )
    report = attacked.call(run_tests, attacked.sandbox, problem, row["program"], problem.hidden_tests)
    assert str(report.verdict) in row["allowed_verdicts"], report.results
    attacked.check_worker()


@pytest.mark.parametrize("row", named(row for row in INPUTS if not is_told_in_words(row)))
def test_input_is_refused_or_harmless(tmp_path, row):
    """Whatever a folder holds, a command told to work on it keeps to the folder and tells no secret."""
    files = dict(row["input"].get("files", {}))
    answers = files.pop("answers", "def add(a, b):\n    return a + b").split("=====")
    ports = {int(port) for text in files.values() for port in re.findall(r"127\.0\.0\.1:(\d+)", text)}
    folder, home = lay_out(tmp_path, files), tmp_path / "home"
    heard: list[bytes] = []
    asked: list[str] = []

    def answer(body):
        asked.append(json.dumps(body))
        return chat(answers[len(asked) % len(answers)].strip("\n"))

    with ExitStack() as stack:
        for port in ports:
            stack.enter_context(listen(port, heard))
        server = stack.enter_context(ServerDouble(answer))
        # where a file names an address, nobody else does
        environment = make_environment(home, **({} if ports else {"OPENAI_BASE_URL": server.base_url}))
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        for words in list_commands(row):
            code, told, errors, most_mb = run_command(words, tmp_path, folder, environment)
            if words[0] == "sstar":
                hold_command(words, code, told, errors, most_mb)
                assert code == 0 or "rc 0" not in row["allowed_verdicts"][0], (words, errors)
    assert not [request for request in heard if KEY.encode() in request]
    assert not [request for request in asked if any(secret in request for secret in SECRETS)]
    hold_files(tmp_path, before, (folder, home))
