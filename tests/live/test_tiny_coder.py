"""The tiny coder, a model that really samples, on two real servers: its tokens; the whole method; one killed.

The servers run few sequences at once, so that most of the work is ahead when the first answers are there,
however fast the machine is.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from sstar_code.agent.models.recorded import find_prompts
from sstar_code.problems.sets.load import load_set

VLLM = os.environ.get("SSTAR_LIVE_VLLM", "")
READY_S = 2 * int(os.environ.get("SSTAR_LIVE_TIMEOUT_S", "300"))
FOLDER = Path(__file__).with_name("tiny_coder")
SEQUENCES = 4
PROBLEMS = 8
ENCODE = """
import json, sys
from tokenizers import Tokenizer
tokenizer = Tokenizer.from_file(sys.argv[1])
print(json.dumps([tokenizer.encode(text).ids for text in json.load(sys.stdin)]))
"""
FLAGS = (
    f"--served-model-name coder --host 127.0.0.1 --max-model-len 2048 --max-num-batched-tokens 4096 "
    f"--max-num-seqs {SEQUENCES} --no-enable-chunked-prefill --dtype bfloat16 --enforce-eager"
)

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not VLLM, reason="no vLLM to start: run make test-live"),
    pytest.mark.skipif(not (FOLDER / "model").is_dir(), reason="no model: run make tiny-coder"),
]


@dataclass(frozen=True)
class Server:
    """One vLLM with a session of its own."""

    process: subprocess.Popen
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def read(self, page: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{page}", timeout=60) as answer:
            return answer.read().decode()

    def tokenize(self, text: str) -> list[int]:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/tokenize",
            json.dumps({"model": "coder", "prompt": text}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.loads(answer.read())["tokens"]

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-4000:]
        try:
            self.read("health")
        except OSError:
            return False
        return True

    def count(self, name: str) -> int:
        """The sum of the metric `name` over its labels."""
        values = re.findall(rf"^vllm:{name}\{{.*\}} (\S+)$", self.read("metrics"), re.MULTILINE)
        return sum(int(float(value)) for value in values)

    @property
    def answered(self) -> int:
        """Requests that it has answered; the count follows the answer by a step of the engine."""
        return self.count("request_success_total")

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def start_server(folder: Path, number: int) -> Server:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / f"server-{number}.log"
    python = Path(VLLM).with_name("python")
    command = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", FOLDER / "model"]
    with log.open("w") as file:
        process = subprocess.Popen(
            [*map(str, command), *FLAGS.split(), "--port", str(port)],
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                **os.environ,
                "VLLM_CPU_KVCACHE_SPACE": "1",
                "OMP_NUM_THREADS": "1",
                "TORCHDYNAMO_DISABLE": "1",
            },
        )
    return Server(process, port, log)


def wait_until(condition, what: str, limit_s: float = READY_S) -> None:
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, f"{limit_s:g} s have passed without {what}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Two servers of the tiny coder."""
    folder = tmp_path_factory.mktemp("servers")
    both = [start_server(folder, number) for number in range(2)]
    try:
        for server in both:
            wait_until(server.is_ready, "a server that answers")
        yield both
    finally:
        for server in both:
            server.kill()


def test_programs_are_read_in_the_tokens_of_the_models_file(servers):
    """The server splits a program as `tokenizer.json` says, whatever it knows of models of this kind."""
    programs = [problem.metadata["reference"] for problem in load_set("lists").problems]
    ended = subprocess.run(
        [Path(VLLM).with_name("python"), "-c", ENCODE, FOLDER / "model" / "tokenizer.json"],
        input=json.dumps(programs),
        capture_output=True,
        text=True,
        check=True,
    )
    assert [servers[0].tokenize(program) for program in programs] == json.loads(ended.stdout)


def start_eval(folder: Path, servers: list[Server], words: str) -> subprocess.Popen:
    urls = [word for server in servers for word in ("--base-url", server.url)]
    own = f"--prompts {find_prompts('replay:lists')}"
    options = f"-m coder {own} --max-tokens 300 --sandbox local --json --out run {words}".split()
    command = [str(Path(sys.executable).parent / "sstar"), "eval", f"jsonl:{FOLDER / 'problems.jsonl'}"]
    with (folder / "stderr").open("w") as log:
        return subprocess.Popen(
            [*command, *options, *urls], cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True
        )


def finish(folder: Path, run: subprocess.Popen) -> dict:
    out, _ = run.communicate(timeout=900)
    assert run.returncode == 0, (folder / "stderr").read_text()
    return json.loads(out)


def count_calls(folder: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{folder / 'run' / 'run.db'}?mode=ro", uri=True)) as db:
            return db.execute("SELECT COUNT(*) FROM calls").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


@pytest.mark.parametrize("method", ["adaptive", "sstar"])
def test_each_stage_is_worth_something_on_a_model_that_samples(servers, tmp_path, method):
    """Some samples are right, some wrong, repairs mend some, both servers are used."""
    before = [server.answered for server in servers]
    result = finish(tmp_path, start_eval(tmp_path, servers, f"--limit 8 --n 8 --rounds 1 --select {method}"))
    calls = result["tokens"]["calls"]
    wait_until(lambda: sum(server.answered for server in servers) - sum(before) >= calls, "counts", 120)
    shares = [(server.answered - earlier) / calls for server, earlier in zip(servers, before, strict=True)]
    assert min(shares) > 1 / 8, shares
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    rates = {name: rate["value"] for name, rate in summary["methods"].items()}
    assert (result["problems"], result["errors"], summary["unfinished"]) == (8, 0, 0)
    assert 0.05 < rates["pass@1"] < rates["debugged@1"] < rates["oracle"]
    assert 0 < rates[method] <= rates["oracle"]  # eight problems are too few to say more
    assert summary["stages"]["debug"]["calls"] > 0
    programs = [json.loads(line) for line in (tmp_path / "run" / "candidates.jsonl").read_text().splitlines()]
    assert len({row["solution"] for row in programs}) > 16


def test_one_of_two_servers_is_killed_and_nothing_is_asked_again(servers, tmp_path):
    """One of two servers dies in the middle: the other does the rest, and no answer is asked for twice."""
    victim = servers[1]
    words = f"--limit {PROBLEMS} --n 8 --rounds 1 --select first --record calls.jsonl"
    run = start_eval(tmp_path, servers, words)
    wait_until(lambda: count_calls(tmp_path) >= 2 * SEQUENCES or run.poll() is not None, "answers")
    victim.kill()
    answered = count_calls(tmp_path)
    result = finish(tmp_path, run)
    assert f"{victim.url.removesuffix('/v1')}" in (tmp_path / "stderr").read_text()
    assert (result["problems"], result["errors"]) == (PROBLEMS, 0)
    calls = result["tokens"]["calls"]
    assert calls == count_calls(tmp_path) > answered
    assert calls >= 8 * PROBLEMS
    keys = [json.loads(line)["key"] for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    assert len(keys) == len(set(keys)) == calls  # an answer to a call asked again would stand there twice
