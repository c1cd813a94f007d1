"""The command with a second judge and a repair after the choice: counted, told, and never asked twice."""

from __future__ import annotations

import json
import re

from sstar_code.agent.testing.server import chat

RIGHT, WRONG, MENDED = "return abs(n)", "return n", "return n if n > 0 else -n"
DISTANCE = {
    "id": "distance",
    "statement": "Write `distance(n)`: how far n is from 0.",
    "kind": "function",
    "entry_point": "distance",
    "public_tests": [{"input": "2", "output": "2"}, {"input": "5", "output": "5"}],
    "hidden_tests": [{"input": "-7", "output": "7"}],
}


def answer(body):
    """A sample by its seed, a mended program, or the right answer to a question about `distance`."""
    text = body["messages"][-1]["content"]
    if "# The program to repair" in text:
        return chat(f"```python\ndef distance(n):\n    {MENDED}\n```")
    if "# Output A" in text:
        shown = re.search(r"distance\((-?\d+)\)", text.partition("# Input")[2])
        outputs = re.findall(r"# Output ([A-D])\n+`+\w*\n(.*?)\n`+", text, re.DOTALL)
        right = [letter for letter, output in outputs if shown and output == str(abs(int(shown[1])))]
        return chat(f"ANSWER: {right[0] if right else 'invalid'}")
    return chat(f"```python\ndef distance(n):\n    {[WRONG, RIGHT][body['seed'] % 2]}\n```")


def test_both_are_counted_and_told_and_asked_once(sstar, serve, write_set, isolated, folder):
    """The second judge is in the manifest, the repair in the summary, and resuming asks nothing."""
    main, second = serve(answer), serve(answer, models=("other",))
    words = ["eval", write_set(DISTANCE), "-m", "tiny", "--base-url", main.base_url, "--n", "2"]
    words += ["--rounds", "0", "--repair-confirmed", "--out", "run", *isolated]
    words += ["--role-model", f"selector2=other@{second.base_url}"]
    ended = sstar(*words)
    assert ended.code == 0, ended.err
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert summary["selected@1"] == 1.0
    assert summary["confirmed"] == {"problems": 1, "repaired": 1, "passing": 1}
    assert summary["stages"]["debug"]["calls"] == 1
    manifest = json.loads((folder / "run" / "manifest.json").read_text())
    assert manifest["config"]["role_models"] == {"selector2": "other"}
    assert manifest["config"]["repair_confirmed"] is True
    assert {call.body["model"] for call in second.received} == {"other"}
    assert all("# Output A" in call.body["messages"][-1]["content"] for call in second.received)
    assert (folder / "run" / "report.html").exists()
    asked = len(main.received) + len(second.received)
    assert sstar(*words).code == 0
    assert len(main.received) + len(second.received) == asked
    without = [word for word in words if word != "--repair-confirmed"]
    assert sstar(*without).code == 2  # another method: another run
