"""Calls on record: nothing paid for is lost, and the same file gives the same answers."""

from __future__ import annotations

import gzip
import json
import os
import resource
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.models import (
    Answer,
    CallError,
    Message,
    ModelError,
    Purpose,
    Recorder,
    ReplayMissError,
    ReplayModel,
    Request,
    Stage,
    Usage,
    request_key,
)
from sstar_code.agent.models.recorded import Call, read_calls, write_call
from sstar_code.agent.testing import ScriptedModel
from sstar_code.problems import InfrastructureError, ProblemFileError, UserError

pytestmark = pytest.mark.anyio


def make_request(sample: int = 0, prompt: str = "hello", **purpose) -> Request:
    return Request((Message("user", prompt),), Purpose("p", Stage.GENERATE, sample, **purpose), seed=None)


def make_line(sample: int, text: str, prompt: str = "hello") -> str:
    return write_call(Call(make_request(sample, prompt), Answer(text)), "m")


async def record(path, *requests, answers=lambda request: f"{request.purpose.sample}"):
    with Recorder(ScriptedModel(answers), path) as recorder:
        for request in requests:
            await recorder.ask(request)


TEXT = st.text(st.characters(), max_size=20)
COUNT = st.none() | st.integers(0, 10**6)


@given(
    request=st.builds(
        Request,
        messages=st.lists(st.builds(Message, TEXT, TEXT), max_size=3).map(tuple),
        purpose=st.builds(Purpose, TEXT, st.sampled_from(Stage), st.integers(0, 99), st.integers(0, 9), TEXT),
        temperature=st.none() | st.floats(0, 2),
        max_tokens=COUNT,
        seed=COUNT,
        stop=st.lists(TEXT, max_size=2).map(tuple),
        extra=st.dictionaries(TEXT, st.integers() | TEXT | st.lists(st.integers()), max_size=2),
    ),
    answer=st.builds(
        Answer,
        text=TEXT,
        reasoning=TEXT,
        usage=st.builds(Usage, COUNT, COUNT, COUNT, COUNT),
        seconds=st.floats(0, 1e6),
    ),
)
def test_any_call_survives_the_file(request, answer, tmp_path_factory):
    """What is read is what was written, and its key is the same."""
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text(write_call(Call(request, answer), "m"))
    (call,) = read_calls(path)
    assert call == Call(request, answer)
    assert request_key(call.request) == json.loads(path.read_text())["key"]


@pytest.mark.parametrize("packed", [False, True])
async def test_recorded_calls_play_back(tmp_path, packed):
    """Every recorded request gets its own answer again, plain or packed, in any order of asking."""
    path = tmp_path / "runs" / "calls.jsonl"
    requests = [make_request(sample, prompt) for sample in range(3) for prompt in ("a", "b")]
    await record(path, *requests, answers=lambda r: r.messages[0].content + str(r.purpose.sample))
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    model = ReplayModel(path)
    got: dict[int, str] = {}

    async def ask(index: int) -> None:
        got[index] = (await model.ask(requests[index])).text

    async with anyio.create_task_group() as group:
        for index in reversed(range(len(requests))):
            group.start_soon(ask, index)
    assert [got[index] for index in range(len(requests))] == ["a0", "b0", "a1", "b1", "a2", "b2"]
    assert (model.exact, model.by_purpose) == (6, 0)
    assert model.name == f"replay:{path}"


async def test_an_answer_is_on_disk_before_it_is_used(tmp_path):
    """The line can be read by someone else at the moment `ask` returns."""
    path = tmp_path / "calls.jsonl"
    with Recorder(ScriptedModel(["one", "two"], name="m"), path) as recorder:
        for count, text in enumerate(["one", "two"], start=1):
            assert (await recorder.ask(make_request(count))).text == text
            assert len(read_calls(path)) == count
    line = json.loads(path.read_text().splitlines()[0])
    assert set(line) == {"key", "model", "request", "answer"}
    assert line["model"] == "m"


async def test_failed_calls_are_not_recorded(tmp_path):
    """A failure passes through and leaves nothing that a replay would take for an answer."""
    path = tmp_path / "calls.jsonl"
    with Recorder(ScriptedModel([ModelError("down"), "one"]), path) as recorder:
        with pytest.raises(ModelError, match="down"):
            await recorder.ask(make_request(0))
        await recorder.ask(make_request(1))
    assert [call.request.purpose.sample for call in read_calls(path)] == [1]


@given(st.integers(0, 10**6))
def test_a_torn_last_line_costs_only_itself(tmp_path_factory, place):
    """A file cut at any byte reads as its whole lines, and recording goes on after them."""
    path = tmp_path_factory.getbasetemp() / "torn.jsonl"
    whole = [make_line(sample, f"answer {sample}") for sample in range(3)]
    raw = "".join(whole).encode()
    first = len(whole[0])
    cut = first + place % (len(raw) - first + 1)
    path.write_bytes(raw[:cut])
    kept = len(read_calls(path))
    complete = raw[:cut].count(b"\n")
    assert complete <= kept <= complete + 1
    anyio.run(record, path, make_request(9))
    assert [call.request.purpose.sample for call in read_calls(path)] == [*range(kept), 9]


async def test_identical_requests_are_told_apart_by_purpose(tmp_path):
    """Samples without seeds share their content; each gets its own answer, and strangers one by number."""
    path = tmp_path / "calls.jsonl"
    path.write_text("".join(make_line(sample, f"answer {sample}") for sample in (2, 0, 1)))
    model = ReplayModel(path)
    assert [(await model.ask(make_request(sample))).text for sample in (1, 2, 0)] == [
        "answer 1",
        "answer 2",
        "answer 0",
    ]
    assert (await model.ask(make_request(4))).text == "answer 0"
    assert (await model.ask(make_request(4))).text == "answer 0"
    assert model.by_purpose == 0


async def test_the_later_of_two_recordings_counts(tmp_path):
    """A call recorded again has its new answer."""
    path = tmp_path / "calls.jsonl"
    path.write_text(make_line(0, "old") + make_line(0, "new"))
    assert (await ReplayModel(path).ask(make_request(0))).text == "new"
    assert (await ReplayModel(path).ask(make_request(0, "edited"))).text == "new"


async def test_an_edited_prompt_is_answered_by_place_and_counted(tmp_path):
    """Other words at the same place of the method get the recorded answer, unless strictness is asked for."""
    path = tmp_path / "calls.jsonl"
    path.write_text(make_line(0, "zero") + make_line(1, "one"))
    model = ReplayModel(path)
    assert (await model.ask(make_request(1, "edited"))).text == "one"
    assert (model.exact, model.by_purpose) == (0, 1)
    with pytest.raises(ReplayMissError, match="with another prompt"):
        await ReplayModel(path, strict=True).ask(make_request(1, "edited"))


async def test_a_call_that_was_never_made_fails_alone(tmp_path):
    """The miss names the call on one line and is a failed call, not a failed run."""
    path = tmp_path / "calls.jsonl"
    path.write_text(make_line(0, "zero"))
    request = Request((Message("user", "x"),), Purpose("two-sum", Stage.JUDGE, 0, 0, "0-1/swapped"))
    with pytest.raises(ReplayMissError) as caught:
        await ReplayModel(path).ask(request)
    assert isinstance(caught.value, CallError)
    assert "two-sum, judge of sample 0, round 0, 0-1/swapped" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ("{broken\n", "not JSON"),
        ("[]\n", "not a recorded call"),
        ('{"request": {}, "answer": {}}\n', "not a recorded call"),
        (make_line(1, "x").replace("generate", "dream"), "not a recorded call"),
        (make_line(1, "x").replace('"text": "x"', '"text": 5'), "not a recorded call"),
        (make_line(1, "x").replace('"seed"', '"sead"'), "not a recorded call"),
        (make_line(1, "x").replace('"stop": []', '"stop": 5'), "not a recorded call"),
        ('{"request": 5}', "not a recorded call"),
    ],
)
async def test_a_malformed_line_is_named(tmp_path, second, words):
    """Path and line of what is not a recorded call are in the message."""
    path = tmp_path / "calls.jsonl"
    path.write_text(make_line(0, "zero") + second)
    with pytest.raises(ProblemFileError, match=f"calls.jsonl:2: {words}"):
        ReplayModel(path)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (None, "no such recording"),
        (b"", "holds no recorded call"),
        (b"no call at all", "holds no recorded call"),
        (gzip.compress(b"x" * 1000)[:15], "damaged gzip file"),
        (b"\x1f\x8b garbage", "damaged gzip file"),
    ],
    ids=["missing", "empty", "torn", "cut gzip", "no gzip"],
)
async def test_a_file_that_is_no_recording_is_named(tmp_path, raw, words):
    """Missing, empty and damaged files are the user's to mend, in one line."""
    path = tmp_path / "calls.jsonl"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(UserError, match=f"calls.jsonl: .*{words}") as caught:
        ReplayModel(path)
    assert "\n" not in str(caught.value)


async def test_a_place_that_cannot_be_written_is_named(tmp_path):
    """A folder in the recording's place is a message before any call."""
    with pytest.raises(UserError, match="cannot record there"):
        Recorder(ScriptedModel([]), tmp_path)


@pytest.mark.parametrize("kind", ["deep", "holes"])
async def test_a_recording_that_is_none_is_not_gone_on_with(tmp_path, monkeypatch, kind):
    """A last line that is nested without end is dropped, one without end is refused before it is read."""
    monkeypatch.setenv("SSTAR_ROW_MB", "16")
    path = tmp_path / "calls.jsonl"
    path.write_text("[" * 200_000)
    if kind == "deep":
        Recorder(ScriptedModel([]), path).close()
        assert path.stat().st_size == 0
        return
    os.truncate(path, 1 << 36)
    with pytest.raises(UserError, match="cannot record there: its last line is longer"):
        Recorder(ScriptedModel([]), path)


async def test_a_device_that_is_full_is_an_error_of_one_line():
    """It has no end that could be cut."""
    told = r"cannot record: .*make room and run again"
    with (
        Recorder(ScriptedModel(["one"]), Path("/dev/full")) as recorder,
        pytest.raises(InfrastructureError, match=told),
    ):
        await recorder.ask(make_request(0))


async def test_a_full_disk_is_an_error_and_the_file_stays_whole(tmp_path):
    """What was recorded stays readable when a line does not fit, and the error says what to do."""
    path = tmp_path / "calls.jsonl"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Recorder(ScriptedModel(["one", "two", "three"]), path) as recorder:
        await recorder.ask(make_request(0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, hard))
        try:
            with pytest.raises(InfrastructureError, match=r"cannot record: .*make room and run again"):
                await recorder.ask(make_request(1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [call.answer.text for call in read_calls(path)] == ["one"]
        await recorder.ask(make_request(2))
    assert path.read_bytes().count(b"\n") == 2
    assert [call.answer.text for call in read_calls(path)] == ["one", "three"]


async def test_the_scripted_model_answers_as_told():
    """Texts, answers, errors and functions serve; what was asked is kept; the end of a script is told."""
    model = ScriptedModel(["text", Answer("whole", reasoning="hm"), ValueError("boom")], name="double")
    request = make_request(0)
    assert await model.ask(request) == Answer("text", model="double")
    assert (await model.ask(request)).reasoning == "hm"
    with pytest.raises(ValueError, match="boom"):
        await model.ask(request)
    with pytest.raises(CallError, match="3 answers, this is call 4"):
        await model.ask(request)
    assert model.requests == [request] * 4
    assert (await ScriptedModel(lambda r: r.messages[0].content).ask(request)).text == "hello"
