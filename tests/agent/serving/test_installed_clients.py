"""Programs that people use already, unchanged, as `.ci/clients` installs them: only the address is ours."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap

import pytest

from sstar_code.agent.testing import FakeSandbox
from sstar_code.agent.testing.server import Reply, chat
from tests.support import ROOT
from tests.support.servers.served import PATIENCE_S, RIGHT, TASK, USAGE, fenced, run_known

BIN = ROOT / ".venv-clients" / "bin"

pytestmark = [
    pytest.mark.slow,  # each client takes seconds to start; the openai SDK is in test_clients.py
    pytest.mark.skipif(
        not (BIN.parent / "installed").is_file(), reason="no clients are installed (.ci/clients)"
    ),
]


def say(body, text):
    """A response with this text: whole, or as a stream where one is asked for."""
    if not body.get("stream"):
        return chat(text, usage=USAGE)
    delta = {"role": "assistant", "content": text}
    rows = [
        {"index": 0, "delta": delta, "finish_reason": None},
        {"index": 0, "delta": {}, "finish_reason": "stop"},
    ]
    head = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "tiny"}
    events = [f"data: {json.dumps({**head, 'choices': [row]})}\n\n" for row in rows]
    return Reply(iter([*(event.encode() for event in events), b"data: [DONE]\n\n"]))


def answer(body):
    """A task is answered with its program, anything else with a word."""
    return say(body, fenced(RIGHT) if "twice" in json.dumps(body["messages"]) else "Hello.")


@pytest.fixture
def run(tmp_path):
    """Run one of the clients in a folder of its own, with no setting of this machine; its standard output."""

    def begin(*words, url, cwd=tmp_path, **more):
        environment = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "LLM_USER_PATH": str(tmp_path / "llm"),
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": url,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # its prices come from the network otherwise
            "MSWEA_CONFIGURED": "true",
            "MSWEA_COST_TRACKING": "ignore_errors",
            "MSWEA_SILENT_STARTUP": "1",
            "HF_HUB_OFFLINE": "1",
            **more,
        }
        (tmp_path / "llm").mkdir(exist_ok=True)
        models = [
            f"- model_id: {name}\n  model_name: {name}\n  api_base: {url}\n"
            for name in ("tiny", "sstar-tiny")
        ]
        (tmp_path / "llm" / "extra-openai-models.yaml").write_text("".join(models))
        done = subprocess.run(
            [BIN / words[0], *words[1:]],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return begin


def count(served, kind):
    return served.metric(f'sstar_requests_total{{kind="{kind}",outcome="2xx"}}')


def test_llm(start, run):
    """`llm -m sstar-tiny` prints the program, in pieces as they come; `-m tiny` the model's own words."""
    served = start(answer)
    assert run("llm", "-m", "sstar-tiny", TASK, url=served.url).startswith(fenced(RIGHT))
    assert run("llm", "-m", "sstar-tiny", "-x", "--no-stream", TASK, url=served.url).strip() == RIGHT
    assert run("llm", "-m", "tiny", "Hello", url=served.url) == "Hello.\n"
    assert (count(served, "solved"), count(served, "passed")) == ("2", "1")


def test_litellm(start, run):
    """Whole and streamed, passed through and solved; the metadata and the sum of the usage arrive."""
    served = start(answer)
    script = f"""
        import json, litellm
        def ask(model, text, **more):
            messages = [{{"role": "user", "content": text}}]
            more["api_base"] = {served.url!r}
            return litellm.completion(model=f"openai/{{model}}", messages=messages, **more)
        def join(stream):
            return "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        made = ask("sstar-tiny", {TASK!r}, extra_body={{"sstar": {{"n": 3}}}})
        print(json.dumps([
            made.choices[0].message.content, made.usage.total_tokens, made.model_dump_json(),
            join(ask("sstar-tiny", {TASK!r}, stream=True)),
            ask("tiny", "Hello").choices[0].message.content,
            join(ask("tiny", "Hello", stream=True)),
        ]))
    """
    out = run("python", "-W", "ignore", "-c", textwrap.dedent(script), url=served.url)
    solved, tokens, whole, streamed, plain, pieces = json.loads(out.splitlines()[-1])
    assert solved.startswith(fenced(RIGHT))
    assert tokens == 45
    assert '"candidates":3' in whole.replace(" ", "")
    assert streamed.startswith(fenced(RIGHT))
    assert (plain, pieces) == ("Hello.", "Hello.")


def write_humaneval(path):
    """A file of one problem in the form of HumanEval+."""
    prompt = 'def double(n):\n    """Twice n.\n\n    >>> double(3)\n    6\n    """\n'
    row = {
        "task_id": "HumanEval/0",
        "prompt": prompt,
        "entry_point": "double",
        "contract": "",
        "canonical_solution": "",
        "atol": 0,
    }
    row |= {"base_input": [], "plus_input": []}
    path.write_text(json.dumps(row) + "\n")
    return path


def test_evalplus(start, run, tmp_path):
    """Its generation asks the model and the method in turn: the first wrong program is the model's alone."""
    asked = []

    def respond(body):
        asked.append(body)
        return chat(
            fenced(f"def double(n):\n    return n {'+ n' if len(asked) % 2 == 0 else '* n'}"), usage=USAGE
        )

    def run_double(program, text):
        double = "+ n" in program.code
        return f"{int(text) * (2 if double else int(text))}"

    served = start(respond, sandbox=FakeSandbox(run_double, workers=2))
    data = write_humaneval(tmp_path / "humaneval.jsonl")
    found = {}
    for model in ("tiny", "sstar-tiny"):
        words = ["--model", model, "--dataset", "humaneval", "--backend", "openai", "--base-url", served.url]
        words += ["--greedy", "--id_range", "[0,1]", "--root", str(tmp_path / model)]
        run("evalplus.codegen", *words, url=served.url, HUMANEVAL_OVERRIDE_PATH=str(data))
        (made,) = (tmp_path / model / "humaneval").glob("*0.jsonl")
        found[model] = json.loads(made.read_text())["solution"]
    assert "n * n" in found["tiny"]
    assert "n + n" in found["sstar-tiny"]


COMMANDS = [f"llm -m sstar-tiny -x '{TASK}' > double.py", "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"]


@pytest.mark.parametrize("form", ["tools", "text"])
def test_mini_swe_agent(start, run, tmp_path, form):
    """Its steps are the model's own, by tools or by text, though it has `sstar-tiny`; a command is solved."""

    def respond(body):
        text = json.dumps(body["messages"])
        if "mswea_bash_command" not in text and not body.get("tools"):
            return chat(fenced(RIGHT), usage=USAGE)
        command = COMMANDS[sum(message["role"] == "assistant" for message in body["messages"])]
        if form == "text":
            return chat(f"THOUGHT: go on.\n\n```mswea_bash_command\n{command}\n```", usage=USAGE)
        function = {"name": "bash", "arguments": json.dumps({"command": command})}
        call = {"id": "call-1", "type": "function", "function": function}
        return chat("Go on.", message={"tool_calls": [call]}, finish_reason="tool_calls", usage=USAGE)

    served = start(respond, sandbox=FakeSandbox(run_known, workers=2))
    (tmp_path / "repository").mkdir()
    words = [
        "--yolo",
        "--exit-immediately",
        "-m",
        "openai/sstar-tiny",
        "-o",
        str(tmp_path / "trajectory.json"),
    ]
    words += ["-t", "Write a program double.py that prints twice the integer that it reads."]
    if form == "text":
        words += ["--model-class", "litellm_textbased", "-c", "mini_textbased.yaml"]
    run("mini", *words, url=served.url, cwd=tmp_path / "repository")
    assert (tmp_path / "repository" / "double.py").read_text().strip() == RIGHT
    assert (count(served, "solved"), count(served, "passed")) == ("1", "2")


AIDER = BIN.parent / "aider"


@pytest.mark.skipif(not (AIDER / "installed").is_file(), reason="no aider is installed (.ci/clients)")
def test_aider(start, run, tmp_path):
    """Though it has `sstar-tiny`, its edit and commit message are the model's own; a question is solved."""

    def respond(body):
        text = json.dumps(body["messages"])
        if "commit message" in text:
            return say(body, "feat: print twice the number")
        return say(body, f"double.py\n{fenced(RIGHT)}" if "file listing" in text else fenced(RIGHT))

    served = start(respond, sandbox=FakeSandbox(run_known, workers=2))
    repository = tmp_path / "repository"
    repository.mkdir()
    names = {
        f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "begin"]):
        (repository / "double.py").write_text("print(input())\n")
        subprocess.run(["git", *words], cwd=repository, env={**os.environ, **names}, check=True)
    options = [
        "--model",
        "openai/sstar-tiny",
        "--yes-always",
        "--no-pretty",
        "--no-gitignore",
        "--no-check-update",
    ]
    options += [
        "--no-show-release-notes",
        "--no-show-model-warnings",
        "--analytics-disable",
        "--map-tokens",
        "0",
    ]

    def ask(*more):
        return run(
            AIDER / "bin" / "aider",
            *options,
            *more,
            "--message",
            TASK,
            url=served.url,
            cwd=repository,
            **names,
        )

    ask("--edit-format", "whole", "double.py")
    assert (repository / "double.py").read_text().strip() == RIGHT
    log = subprocess.run(
        ["git", "log", "-1", "--format=%s"], cwd=repository, capture_output=True, text=True, check=True
    )
    assert log.stdout.strip() == "feat: print twice the number"
    assert (count(served, "solved"), count(served, "passed")) == (None, "2")
    assert RIGHT in ask("--edit-format", "ask")
    assert (count(served, "solved"), count(served, "passed")) == ("1", "2")
