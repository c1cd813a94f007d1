"""Adapters: trained in a process of their own, loaded when a call needs them, and none is left."""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest

from sstar_code.agent.models import Message, ModelError, OpenAIModel, Purpose, Request, Stage
from sstar_code.agent.models.adapters import trainer as training_process
from sstar_code.agent.models.adapters.loaded import Adapters
from sstar_code.agent.models.adapters.trainer import Trainer, find_python
from sstar_code.agent.models.adapters.training import Training, Trial
from sstar_code.agent.models.request import ModelUserError
from sstar_code.agent.models.retry import TransientError
from sstar_code.agent.testing.adapter_server import AdapterServer
from sstar_code.agent.testing.server import chat, failure
from tests.support import ROOT

pytestmark = pytest.mark.anyio
FAKE = str(ROOT / "tests" / "support" / "fake_trainer.py")


def make_training(feedback="wrong", **fields) -> Training:
    trial = Trial((Message("user", "add"),), "```python\n```", feedback)
    return Training(((trial,),), **{"rate": 1e-5, "seed": 0} | fields)


def make_request(name="tiny") -> Request:
    return Request((Message("user", "add"),), Purpose("p", Stage.DEBUG), extra={"model": name})


@asynccontextmanager
async def serve(folder: Path, server: AdapterServer):
    """A way to ask `server`, whose start has a number, through adapters that are written to `folder`."""
    trainer = Trainer(sys.executable, "model", words=[FAKE])
    trainer.log = folder / "training.log"
    async with OpenAIModel("tiny", base_url=server.base_url) as model:

        async def post(path, body):
            response = await model._connection.send(f"{server.base_url}{path}", body, timeout_s=10)
            return response.status_code, response.text

        adapters = Adapters(trainer, post, folder / "adapters")
        (folder / "adapters").mkdir()

        async def ask(name, start=1):
            return (await model.attempt(await adapters.place(make_request(name), start))).text

        try:
            yield adapters, ask
        finally:
            await trainer.aclose()
    assert server.loaded == {}
    assert list((folder / "adapters").iterdir()) == []


def answer(_body, weights):
    return chat(weights or "base")


async def test_a_call_asks_the_adapter_and_it_is_gone_behind_the_block(tmp_path):
    """Loaded once for several calls at once; a call that names no adapter asks the model itself."""
    said = []
    with AdapterServer(answer) as server:
        async with serve(tmp_path, server) as (adapters, ask):
            async with adapters.hold(make_training()) as name:
                assert server.loads == []

                async def note():
                    said.append(await ask(name))

                async with anyio.create_task_group() as group:
                    for _ in range(4):
                        group.start_soon(note)
                assert await ask("tiny") == "base"
                assert len(server.loaded) == 1
            assert server.loaded == {}
    assert said == ["wrong"] * 4
    assert len(server.loads) == 1


async def test_nothing_is_trained_for_what_nobody_asks(tmp_path):
    """Answers that are stored need no adapter."""
    with AdapterServer(answer) as server:
        async with serve(tmp_path, server) as (adapters, _), adapters.hold(make_training(device="dies")):
            pass
    assert server.loads == []


async def test_no_name_and_no_folder_is_used_twice(tmp_path):
    """The server keeps what it computed under a name and a path, so what is new has to have both new.

    The same training again too: its files may differ, as after a change of the number of threads.
    """
    with AdapterServer(answer) as server:
        async with serve(tmp_path, server) as (adapters, ask):
            for feedback in ("first", "second", "first", "third"):
                async with adapters.hold(make_training(feedback)) as name:
                    assert await ask(name) == feedback
    names, folders = zip(*server.loads, strict=True)
    assert len(set(names)) == len(set(folders)) == 4


async def test_one_name_for_two_adapters_is_what_the_double_would_show(tmp_path):
    """The double answers by the first weights of a name and a path: the test above can fail."""
    with AdapterServer(answer) as server:
        (tmp_path / "a").mkdir()
        for weights in ("first", "second"):
            (tmp_path / "a" / "adapter.txt").write_text(weights)
            body = json.dumps({"lora_name": "a", "lora_path": str(tmp_path / "a")}).encode()
            server.answer("POST", "/v1/load_lora_adapter", {}, body)
            async with OpenAIModel("a", base_url=server.base_url) as model:
                assert (await model.attempt(make_request("a"))).text == "first"
            server.answer("POST", "/v1/unload_lora_adapter", {}, body)


async def test_a_server_that_was_started_again_gets_the_adapter_again(tmp_path):
    """Under another name; the files of the first are gone."""
    with AdapterServer(answer) as server:
        async with serve(tmp_path, server) as (adapters, ask), adapters.hold(make_training()) as name:
            assert await ask(name, start=1) == "wrong"
            server.loaded.clear()
            server.models = ("tiny",)
            assert await ask(name, start=2) == "wrong"
            assert len(list((tmp_path / "adapters").iterdir())) == 1
    assert len({name for name, _ in server.loads}) == 2


async def test_an_error_or_a_cancel_inside_leaves_none(tmp_path):
    """Whatever ends the block, also in the middle of a load."""
    with AdapterServer(answer) as server:
        async with serve(tmp_path, server) as (adapters, ask):
            with suppress(RuntimeError):
                async with adapters.hold(make_training()) as name:
                    await ask(name)
                    raise RuntimeError
            with anyio.CancelScope() as scope:
                async with adapters.hold(make_training("other")) as name:
                    await ask(name)
                    scope.cancel()
                    await anyio.sleep(10)
            with anyio.move_on_after(0.1) as scope:
                async with adapters.hold(make_training(device="slow")) as name:
                    await ask(name)
            assert scope.cancelled_caught
            async with adapters.hold(make_training("after")) as name:
                assert await ask(name) == "after", "the process starts again"


@pytest.mark.parametrize(("status", "error"), [(400, ModelError), (500, TransientError)])
async def test_a_load_that_is_refused_is_told(tmp_path, status, error):
    """A server that is ending is asked again by the one who asks; any other refusal ends the call."""
    with AdapterServer(answer) as server:
        async with serve(tmp_path, server) as (adapters, ask), adapters.hold(make_training()) as name:
            server.refuses = failure(status, "no LoRA here")
            with pytest.raises(error, match="no LoRA here"):
                await ask(name)
            assert await ask(name) == "wrong", "the next call tries again"


@pytest.mark.parametrize(
    ("device", "told"),
    [
        ("fails", "CUDA out of memory.*learn:device=cpu"),
        ("dies", r"it was killed.*its log is .*training\.log"),
    ],
)
async def test_a_training_that_fails_says_why(tmp_path, device, told):
    """The line of the library, and what to do; the next training starts the process again."""
    trainer = Trainer(sys.executable, "model", words=[FAKE])
    trainer.log = tmp_path / "training.log"
    try:
        with pytest.raises(ModelError, match=told):
            await trainer.train(make_training(device=device), tmp_path / "a")
        assert await trainer.train(make_training(), tmp_path / "b") == [1.0]
    finally:
        await trainer.aclose()


def test_equal_trainings_have_equal_names():
    """The name is a function of what changes the weights, so stored answers are found again."""
    assert make_training().name == make_training(device="cpu").name
    others = [make_training("other"), make_training(rate=1e-4), make_training(seed=1)]
    assert len({one.name for one in [make_training(), *others]}) == 4


def test_a_learned_optimizer_is_part_of_the_name_by_its_content(tmp_path):
    """The same file elsewhere makes the same adapter, another file another one; without one names are old."""
    places = [tmp_path / name for name in ("a", "b", "c")]
    for place, content in zip(places, (b"one", b"one", b"two"), strict=True):
        place.write_bytes(content)
    one, same, other = (make_training(optimizer=str(place)) for place in places)
    assert one.name == same.name
    assert len({one.name, other.name, make_training().name}) == 3
    assert "optimizer" not in make_training().as_json()


async def test_the_process_is_told_where_the_optimizer_is(tmp_path):
    """The file goes with the job, and nothing where there is none."""
    told = tmp_path / "told.py"
    told.write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    print(json.dumps({'error': json.loads(line)['optimizer_file'] or 'none'}), flush=True)\n"
    )
    (tmp_path / "optimizer").write_bytes(b"one")
    trainer = Trainer(sys.executable, "model", words=[str(told)])
    try:
        for file, said in ((str(tmp_path / "optimizer"), "optimizer"), ("", "none")):
            with pytest.raises(ModelError, match=rf"{said}\)$"):
                await trainer.train(make_training(optimizer=file), tmp_path / "adapter")
    finally:
        await trainer.aclose()


def test_without_the_libraries_one_line_says_what_to_install(monkeypatch, tmp_path):
    """This Python first, then the one of the vllm that is started; neither is run."""
    here, there = tmp_path / "here", tmp_path / "there"
    for place, names in ((here, []), (there, ["torch", "transformers"])):
        packages = place / "lib" / "python3.11" / "site-packages"
        (place / "bin").mkdir(parents=True)
        (place / "bin" / "python").touch()
        for name in names:
            (packages / f"{name}-9.dist-info").mkdir(parents=True)
            (packages / f"{name}-9.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: 9\n")
    listed = training_process._list_missing
    monkeypatch.setattr(
        training_process, "_list_missing", lambda folders: listed([str(here)] if folders is None else folders)
    )
    with pytest.raises(ModelUserError, match=r"peft missing in .*: pip install 'peft>=0\.18' in one of them"):
        find_python(str(there / "bin" / "vllm"))
    packages = there / "lib" / "python3.11" / "site-packages"
    (packages / "peft-9.dist-info").mkdir()
    (packages / "peft-9.dist-info" / "METADATA").write_text("Name: peft\nVersion: 9\n")
    assert find_python(str(there / "bin" / "vllm")) == str(there / "bin" / "python")
