"""The MCP inspector, unchanged, as `.ci/clients` installs it from npm: it lists and calls the tools."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.support import ROOT

PLACE = ROOT / ".venv-clients" / "inspector"
PATIENCE_S = 300
PATIENT = ["--connect-timeout", str(PATIENCE_S * 1000)]
SSTAR = [
    sys.executable,
    "-c",
    "from sstar_code.agent.cli.main import main; main()",
    "mcp",
    "--sandbox",
    "local",
]
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}

pytestmark = [
    pytest.mark.slow,  # each of its runs starts Node.js and a server
    pytest.mark.skipif(
        not (PLACE / "installed").is_file(), reason="no inspector is installed (.ci/clients, which needs npm)"
    ),
    pytest.mark.skipif(
        sys.platform != "linux", reason="programs are run by the local sandbox, which needs Linux"
    ),
]


@pytest.fixture
def inspect(tmp_path):
    """Run the inspector's command line; exit code and the JSON that it prints."""

    def run(*words):
        environment = {
            **ENVIRONMENT,
            "PATH": f"{PLACE / 'bin'}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "MCP_INSPECTOR_SECRET_STORE": "memory",
        }
        command = [PLACE / "node_modules" / ".bin" / "mcp-inspector", "--cli", *words, *PATIENT]
        done = subprocess.run(
            command,
            env=environment,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


@contextmanager
def over_stdio(folder):
    """The words by which the inspector starts the server itself, as clients' settings name it."""
    entry = {"command": SSTAR[0], "args": SSTAR[1:], "env": ENVIRONMENT}
    settings = folder / "mcp.json"
    settings.write_text(json.dumps({"mcpServers": {"sstar": entry}}))
    yield ["--config", str(settings), "--server", "sstar"]


@contextmanager
def over_http(_folder):
    """The words by which it finds a server that is running."""
    with subprocess.Popen([*SSTAR, "--http", "--port", "0"], stdout=subprocess.PIPE, text=True) as server:
        try:
            yield [server.stdout.readline().strip()]
        finally:
            server.send_signal(signal.SIGINT)


@pytest.mark.parametrize("over", [over_stdio, over_http])
def test_the_inspector_lists_and_calls(inspect, sandbox_local, tmp_path, over):
    """Strict about schemas it finds no fault; a call gives what the programs do, a wrong one its line."""
    with over(tmp_path) as server:
        code, listed = inspect(*server, "--method", "tools/list", "--strict")
        assert code == 0
        assert [tool["name"] for tool in listed["tools"]] == ["distinguish", "choose", "run_tests"]
        ask = [*server, "--method", "tools/call", "--tool-name"]
        words = ["first=print(int(input()) * 2)", "second=print(int(input()) ** 2)", 'inputs=["2\\n"]']
        code, made = inspect(*ask, "distinguish", *(word for item in words for word in ("--tool-arg", item)))
        assert code == 0
        assert made["structuredContent"]["input"].strip() == "1"
        if over is over_http:  # here alone, since a start takes long
            _, made = inspect(
                *ask, "distinguish", "--tool-arg", "first=1 / 0", "--tool-arg", "second=1 / 0.0"
            )
            assert made["isError"]
            assert "give one or two" in made["content"][0]["text"]
