"""Learning at test time on a real vLLM: the tiny coder is trained, asked and cleared up."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from sstar_code.agent.models import Message, Purpose, Request, Stage
from sstar_code.agent.models.adapters.trainer import Trainer
from sstar_code.agent.models.adapters.training import Training, Trial
from sstar_code.agent.models.recorded import find_prompts
from sstar_code.agent.models.vllm.plan import make_plan
from sstar_code.agent.models.vllm.server import ManagedModel
from tests.live.test_vllm_managed import VLLM, list_marked, read_err, start, wait_until

__all__ = ["start"]
CODER = Path(__file__).with_name("tiny_coder")
FLAGS = "--max-model-len 2048 --max-num-batched-tokens 4096 --max-num-seqs 4"
ROUNDING = float(os.environ.get("SSTAR_LIVE_ROUNDING", "0.02"))

pytestmark = [
    pytest.mark.live,
    pytest.mark.anyio,
    pytest.mark.skipif(not VLLM, reason="no vLLM to start: run make test-live"),
    pytest.mark.skipif(not (CODER / "model").is_dir(), reason="no model: run make tiny-coder"),
]


def read_calls(run: Path) -> dict[str, tuple[str, str]]:
    """Key -> request and answer of every call that is stored."""
    try:
        with closing(sqlite3.connect(f"file:{run / 'run.db'}?mode=ro", uri=True)) as db:
            return {
                key: (asked, answer)
                for key, asked, answer in db.execute("SELECT key, request, answer FROM calls")
            }
    except sqlite3.OperationalError:
        return {}


def count_learnt(run: Path) -> int:
    return sum('"learnt"' in asked for asked, _ in read_calls(run).values())


def read_adapters(run: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """Name and path of what the server has loaded and names of what it removed, by its log of all starts."""
    log = (run / "vllm.log").read_text()
    loaded = re.findall(r"Loaded new LoRA adapter: name '(\S+?)', path '(\S+?)'", log)
    return loaded, re.findall(r"Removed LoRA adapter: name '(\S+?)'", log)


def names(loaded: list[tuple[str, str]]) -> list[str]:
    return sorted(name for name, _ in loaded)


def list_folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("sstar-*/learn-*"))


def test_adapters_come_and_go_however_the_command_ends(start, tmp_path):
    """Ctrl-C, kill -9, and the end: no adapter, process or file is left, and no answer is asked for twice."""
    run, before = tmp_path / "run", list_folders()
    words = (
        f"eval jsonl:{CODER / 'problems.jsonl'} --limit 6 --n 4 --rounds 3 --strategy learn:rate=1e-3 "
        f"--prompts {find_prompts('replay:lists')} --max-tokens 300 --sandbox local --select first "
        f"--record {tmp_path / 'calls.jsonl'} -m vllm:{CODER / 'model'} --json --out run"
    )
    known: dict[str, tuple[str, str]] = {}
    for number, least in ((signal.SIGINT, 2), (signal.SIGKILL, 5)):
        process = start(*words.split(), f"--vllm-args={FLAGS}")
        wait_until(lambda least=least: count_learnt(run) >= least, "answers of a model that learnt")
        process.send_signal(number)
        assert process.wait(timeout=300) == (130 if number == signal.SIGINT else -9), read_err(tmp_path)
        wait_until(lambda process=process: not list_marked(process.pid), "an end of the server", 120)
        if number == signal.SIGINT:
            loaded, removed = read_adapters(run)
            assert names(loaded) == sorted(removed)
            assert list_folders() <= before
        now = read_calls(run)
        assert known.items() <= now.items()
        known = now
    by_then = [len(found) for found in read_adapters(run)]  # kill -9 takes the server, and what it has, along
    process = start(*words.split(), f"--vllm-args={FLAGS}")
    out, _ = process.communicate(timeout=1800)
    assert process.returncode == 0, read_err(tmp_path)
    assert json.loads(out)["errors"] == 0
    calls = read_calls(run)
    assert known.items() <= calls.items()
    keys = [json.loads(line)["key"] for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    assert sorted(keys) == sorted(calls), "an answer to a call asked again would stand there twice"
    loaded, removed = read_adapters(run)
    assert len(set(loaded)) == len(loaded)
    assert names(loaded[by_then[0] :]) == sorted(removed[by_then[1] :])
    assert list_folders() <= before


def make_training(feedback: str) -> Training:
    """Steps large enough that the answers of two such adapters differ."""
    trial = Trial((Message("user", "Write a function."),), "```python\npass\n```", feedback)
    return Training(((trial,),) * 3, rate=0.05, seed=0)


async def ask(model: ManagedModel, name: str, salt: str = "") -> float:
    """Mean log probability of a greedy answer; with `salt` nothing that was computed before is used."""
    text = "Take the list, keep only the even numbers, then return the sum. " * 12
    extra = {"model": name, "logprobs": True, "return_token_ids": True}
    extra |= {"cache_salt": salt} if salt else {}
    request = Request(
        (Message("user", text),), Purpose("p", Stage.DEBUG), temperature=0.0, max_tokens=8, extra=extra
    )
    answer = await model.ask(request)
    return answer.tokens.logprob


async def test_an_adapter_is_never_given_what_another_had_computed(tmp_path):
    """What the prefix cache holds is kept by name and path: under new ones each adapter's answer is its own.

    The same server, given two adapters under one name and path, answers the second with the first one's work.
    """
    plan = make_plan(str(CODER / "model"), command=VLLM, arguments=FLAGS, learns=True)
    async with ManagedModel(plan) as model:
        for feedback in ("On 1 it gives 2.", "zzz qqq xxx vvv"):
            async with model.adapters.hold(make_training(feedback)) as name:
                assert await ask(model, name) == pytest.approx(await ask(model, name, "own"), abs=ROUNDING)

        trainer = Trainer(plan.python, str(CODER / "model"))
        try:
            for name, feedback in (("one", "On 1 it gives 2."), ("two", "zzz qqq xxx vvv")):
                await trainer.train(make_training(feedback), tmp_path / name)
        finally:
            await trainer.aclose()
        place = tmp_path / "same"
        for name in ("one", "two"):
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(tmp_path / name, place)
            await model._post("/load_lora_adapter", {"lora_name": "same", "lora_path": str(place)})
            stale = await ask(model, "same")
            own = await ask(model, "same", f"own {name}")
            await model._post("/unload_lora_adapter", {"lora_name": "same"})
        assert stale != pytest.approx(own, abs=ROUNDING), "this vLLM has no such trap any more"


def read_memory_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def test_training_needs_no_more_memory_each_time(tmp_path):
    """Forty trials of as many lengths take the process little more than ten; equal ones write equal files."""
    plan = make_plan(str(CODER / "model"), command=VLLM, learns=True)
    trainer = Trainer(plan.python, str(CODER / "model"))
    sizes, texts = [], []
    try:
        for number in (*range(40), 0):
            folder = tmp_path / str(number)
            await trainer.train(make_training("On 1 it gives 2." + " 3" * number), folder)
            texts.append((folder / "adapter_model.safetensors").read_bytes())
            shutil.rmtree(folder)
            sizes.append(read_memory_mib(trainer._process.pid))
    finally:
        await trainer.aclose()
    assert sizes[39] - sizes[9] < 100, sizes
    assert texts[40] == texts[0]
    assert len(set(texts)) == 40
