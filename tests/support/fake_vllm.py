"""Behaves like `vllm serve` as far as its keeper can see, and ends as it is told to.

    python fake_vllm.py serve MODEL --host 127.0.0.1 --port 8000 ...

FAKE_VLLM names a folder. There: `plan.json` says what this start does, `starts.jsonl` gets a line a start,
`asked.jsonl` and `weights.jsonl` one a call, `adapters.jsonl` one an end, `pids` the process and the children
that a careless end would leave.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from sstar_code.agent.testing.adapter_server import AdapterServer
from sstar_code.agent.testing.server import chat, failure

FOLDER = Path(os.environ["FAKE_VLLM"])
TEXT = "```python\nprint(int(input()) * 2)\n```"
METRICS = """# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_waiting{engine="0",model_name="m"} 1.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 100.0
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 50.0
"""


def add(name: str, line: str) -> int:
    """Append a line; how many there are."""
    with (FOLDER / name).open("a") as file:
        file.write(line + "\n")
    return len((FOLDER / name).read_text().splitlines())


def start_children() -> None:
    """One below us, one in a session of its own, and one whose parent is gone."""
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    add("pids", str(subprocess.Popen(sleep).pid))
    add("pids", str(subprocess.Popen(sleep, start_new_session=True).pid))
    quiet = "start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL"
    orphan = f"import subprocess; print(subprocess.Popen({sleep!r}, {quiet}).pid)"
    made = subprocess.run([sys.executable, "-c", orphan], capture_output=True, text=True, check=True)
    add("pids", made.stdout.strip())


def main(words: list[str]) -> int:
    plan = json.loads((FOLDER / "plan.json").read_text())
    learns = os.environ.get("VLLM_ALLOW_RUNTIME_LORA_UPDATING")
    start = {"words": words, "key": os.environ["VLLM_API_KEY"], "learns": learns}
    number = add("starts.jsonl", json.dumps(start))
    plan = plan.get(str(number), plan.get("else", {}))
    add("pids", str(os.getpid()))
    if plan.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if plan.get("children"):
        start_children()
    time.sleep(plan.get("slow_s", 0.0))
    if "refuses" in plan and plan["refuses"] in words:
        sys.stderr.write(f"usage: vllm serve\nvllm: error: unrecognized arguments: {plan['refuses']}\n")
        return 2
    if "log" in plan:
        sys.stderr.write(plan["log"])
        return 1
    given = {name: words[place + 1] for place, name in enumerate(words[:-1])}
    lives = plan.get("answers")
    ended = threading.Event()
    answered = 0

    def respond(body, weights):
        nonlocal answered
        if ended.is_set():
            return failure(
                500, "EngineCore encountered an issue. See stack trace (above) for the root cause."
            )
        answered += 1
        if lives is not None and answered > lives:
            ended.set()
            threading.Timer(plan.get("dying_s", 0.0), os.kill, (os.getpid(), signal.SIGKILL)).start()
            return failure(
                500, "EngineCore encountered an issue. See stack trace (above) for the root cause."
            )
        add("asked.jsonl", json.dumps({"seed": body.get("seed")}))
        add("weights.jsonl", json.dumps([body["model"], weights]))
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        reason = plan.get("finish_reason", "stop")
        return chat(TEXT, finish_reason=reason, usage=usage, delay_s=plan.get("call_s", 0.0))

    server = AdapterServer(
        respond,
        models=(given["--served-model-name"],),
        api_key=os.environ["VLLM_API_KEY"],
        version="0.99.0",
        pages={"/health": "", "/metrics": METRICS},
        port=int(given["--port"]),
    )
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])  # for `sigwait`
    with server:
        signal.pause() if plan.get("deaf") else signal.sigwait([signal.SIGTERM, signal.SIGINT])
        add("adapters.jsonl", json.dumps([server.loads, server.loaded]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
