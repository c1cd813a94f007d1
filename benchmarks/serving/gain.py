"""Whether `sstar serve` keeps the gain of `sstar eval`: pass@1 of a model and of `sstar-MODEL` there.

    python -m benchmarks.serving.gain [--folder build/serving-gain]

The model behind is the recording of the tiny coder on the set `lists` (`-m replay:lists`), served as an
endpoint. The model is asked with the prompts of the recording, eight samples a problem; the method with each
problem's statement and its public tests, and with the demo's settings. The server reads a stub out of a
statement that names a function, so some of its prompts differ from the recorded ones by that: they get the
answer to the same question (its first line) about the same problem with the same seed. How many were answered
in which way is printed. Programs are graded by `sstar grade`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai

from benchmarks.serving.load import running
from sstar_code.agent.models.recorded import Call, find_prompts, find_recording, read_calls
from sstar_code.agent.testing.server import Reply, ServerDouble, chat, failure

if TYPE_CHECKING:
    from collections.abc import Iterable

_SCRIPT = "from sstar_code.agent.cli.main import main; main()"
_MODEL = "tiny-coder"


class Recorded:
    """Answers chat requests from the recorded `calls`."""

    def __init__(self, calls: list[Call], statements: dict[str, str]) -> None:
        self.how: Counter[str] = Counter()
        self._statements = statements
        self._exact: dict[Any, Call] = {}
        self._plain: dict[Any, Call] = {}
        self._alike: dict[Any, Call] = {}
        for call in calls:
            texts = tuple(message.content for message in call.request.messages)
            seed, id_ = call.request.seed, call.request.purpose.problem_id
            self._exact.setdefault((texts, seed), call)
            self._plain.setdefault(texts, call)
            self._alike.setdefault((id_, heads(texts), seed), call)

    def tell(self) -> str:
        """How many requests were answered in which way."""
        return "answered by " + ", ".join(f"{name}: {count}" for name, count in self.how.most_common())

    def __call__(self, body: dict[str, Any]) -> Reply:
        texts, seed = tuple(message["content"] for message in body["messages"]), body.get("seed")
        call, how = self._exact.get((texts, seed)), "its own messages and seed"
        if call is None:
            call, how = self._alike.get((self._find_problem(texts), heads(texts), seed)), "kind and seed"
        if call is None:
            call, how = self._plain.get(texts), "its own messages"
        self.how["nothing" if call is None else how] += 1
        if call is None:
            return failure(404, "not recorded")
        usage = call.answer.usage
        counts = {"prompt_tokens": usage.prompt or 0, "completion_tokens": usage.output or 0}
        return chat(call.answer.text, finish_reason=call.answer.finish_reason or "stop", usage=counts)

    def _find_problem(self, texts: Iterable[str]) -> str | None:
        text = "\n".join(texts)
        return next((id_ for id_, statement in self._statements.items() if statement in text), None)


def heads(texts: Iterable[str]) -> tuple[str, ...]:
    """The first lines, which are a template's own words: they tell what is asked."""
    return tuple(text.partition("\n")[0] for text in texts)


def ask_base(client: openai.OpenAI, calls: list[Call]) -> list[dict[str, str]]:
    """The model's own answers to the recorded prompts of first samples, passed through."""

    def ask(call: Call) -> dict[str, str]:
        messages: Any = [{"role": item.role, "content": item.content} for item in call.request.messages]
        made = client.chat.completions.create(model=_MODEL, messages=messages, seed=call.request.seed)
        return {"task_id": call.request.purpose.problem_id, "solution": made.choices[0].message.content or ""}

    first = [call for call in calls if call.request.purpose.stage == "generate"]
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(ask, first))


def ask_method(
    client: openai.OpenAI, problems: list[dict[str, Any]]
) -> tuple[list[dict[str, str]], list[Any]]:
    """The answer to each problem's statement, and what the choice says of it."""

    def ask(problem: dict[str, Any]) -> tuple[dict[str, str], Any]:
        tests = [{"input": test["input"], "output": test["output"]} for test in problem["public_tests"]]
        field: dict[str, Any] = {"tests": tests}
        if problem["entry_point"]:
            field["entry_point"] = problem["entry_point"]
        message: Any = {"role": "user", "content": problem["statement"]}
        extra = {"sstar": field}
        try:
            made = client.chat.completions.create(
                model=f"sstar-{_MODEL}", messages=[message], extra_body=extra
            )
        except openai.APIStatusError as error:
            return {"task_id": problem["id"], "solution": ""}, {"code": error.code}
        choice = made.choices[0]
        return {"task_id": problem["id"], "solution": choice.message.content or ""}, choice.model_extra

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(ask, problems))
    return [row for row, _ in done], [told for _, told in done]


def grade(rows: list[dict[str, str]], name: str, folder: Path) -> dict[str, Any]:
    """The figures of `sstar grade`."""
    file = folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["grade", "lists", str(file), "--extract", "--sandbox", "local", "--fresh", "--json"]
    command = [sys.executable, "-c", _SCRIPT, *words, "--out", str(folder / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("build/serving-gain"))
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    recording, prompts = find_recording("replay:lists"), find_prompts("replay:lists")
    assert recording is not None
    calls = read_calls(recording)
    with recording.with_name("problems.jsonl").open() as lines:
        problems = [json.loads(line) for line in lines]
    recorded = Recorded(calls, {problem["id"]: problem["statement"] for problem in problems})
    with ServerDouble(recorded, models=(_MODEL,), max_model_len=8192) as upstream:
        words = ["serve", "-m", _MODEL, "--base-url", upstream.base_url, "--port", "0", "--sandbox", "local"]
        words += ["--n", "8", "--rounds", "2", "--prompts", str(prompts)]
        with running("-c", _SCRIPT, *words) as server:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
                base = grade(ask_base(client, calls), "base", folder)
                print(f"{_MODEL}: pass@1 {base['pass@1']:.1%}; {recorded.tell()}", flush=True)
                recorded.how.clear()
                rows, told = ask_method(client, problems)
    method = grade(rows, "method", folder)
    print(f"sstar-{_MODEL}: pass@1 {method['pass@1']:.1%}; {recorded.tell()}")
    (folder / "told.json").write_text(json.dumps(told, indent=1))
    print("errors: " + (", ".join(row["code"] for row in told if "code" in row) or "none"))


if __name__ == "__main__":
    main()
