"""The agent of docs/operating/mcp.md, as a reader runs it: a real server as model, the command for tools."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("mcp", reason="the extra `mcp` is not installed")

from sstar_code.agent.testing.server import ServerDouble, chat
from tests.support import ROOT
from tests.support.documents import BLOCK, DOCS


def read_agent():
    """The program on the page."""
    blocks = BLOCK.findall((DOCS / "operating" / "mcp.md").read_text("utf-8"))
    (code,) = [body for language, name, body in blocks if (language, name) == ("python", "agent.py")]
    return code


def call_tool(name, **arguments):
    """A model's message that wants a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"id": "call-1", "type": "function", "function": function}
    return chat(None, finish_reason="tool_calls", message={"tool_calls": [call]})


def respond(body):
    """Wants a difference, makes a mistake, and then says what the tool said."""
    told = [json.loads(row["content"]) if row["content"][0] == "{" else row["content"]
            for row in body["messages"] if row["role"] == "tool"]  # fmt: skip
    if not told:
        first, second = "print(int(input()) * 2)", "print(int(input()) ** 2)"
        return call_tool("distinguish", first=first, second=second, inputs=["2\n"])
    if len(told) == 1:
        return call_tool("choose", candidates=[])
    return chat(f"{told[0]['first'].strip()} and {told[0]['second'].strip()}; {told[1]}")


def test_the_agent_calls_tools_and_answers_from_what_they_say(tmp_path, sandbox_local):
    """The tools are offered to the model, a result and an error come back to it, and words end the loop."""
    starter = tmp_path / "bin" / "sstar"
    starter.parent.mkdir()
    starter.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT / 'src')!r})\n"
        "sys.argv += ['--sandbox', 'local', '--workers', '1']\n"
        "from sstar_code.agent.cli.main import main\nmain()\n"
    )
    starter.chmod(0o755)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OPENAI_", "SSTAR_"))}
    with ServerDouble(respond) as server:
        ended = subprocess.run(
            [sys.executable, "-c", read_agent(), "tiny", "Are they the same?"],
            env={
                **clean,
                "PATH": f"{starter.parent}:{os.environ['PATH']}",
                "OPENAI_BASE_URL": server.base_url,
                "OPENAI_API_KEY": "none",
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        offered = [tool["function"]["name"] for tool in server.received[-1].body["tools"]]
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("2 and 1; ")
    assert "from 1 to 32" in ended.stdout
    assert offered == ["distinguish", "choose", "run_tests"]
