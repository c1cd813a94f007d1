"""Every situation at an endpoint: how the command ends, what was paid for, and that none of it is lost.

After a change of the situations the page is written anew by

    SSTAR_WRITE_EXPECTED=1 python -m pytest tests/agent/models/endpoints
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from sstar_code.agent.jobs import session
from sstar_code.agent.models import RetryPolicy
from sstar_code.agent.testing import FakeSandbox
from tests.agent.models.endpoints import addresses, completions, fields, outages, prompts
from tests.agent.models.endpoints.situation import PROGRAM, Server, count_stored, run_program
from tests.support import ROOT

PAGE = ROOT / "docs" / "operating" / "endpoints.md"
WRITES = bool(os.environ.get("SSTAR_WRITE_EXPECTED"))  # read here: a fixture takes such variables away
GROUPS = {
    "A response that claims success": completions.SITUATIONS,
    "Fields and roles that a server refuses": fields.SITUATIONS,
    "One prompt of many": prompts.SITUATIONS,
    "Outages, keys and quotas": outages.SITUATIONS,
    "Addresses, lists of models, certificates, proxies": addresses.SITUATIONS,
}
ALL = [situation for group in GROUPS.values() for situation in group]
LEAST = 90
ADJUSTED = ("is not sent", "part of the user's", "as a stream", "is sent", "sent as max_completion_tokens")
SECRETS = ("sk-of-nobody-at-all", "sk-of-somebody")


def make_problem(name):
    return {
        "id": name,
        "statement": f"{name}: read an integer and print twice its value.",
        "kind": "stdin",
        "public_tests": [{"input": "2\n", "output": "4"}],
        "hidden_tests": [{"input": "5\n", "output": "10"}],
    }


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Certificate and key of a server on this machine, signed by themselves, in one PEM file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    path = folder / "both.pem"
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out", folder / "certificate.pem"]
    subprocess.run(words, check=True, capture_output=True)
    path.write_text(path.read_text() + (folder / "certificate.pem").read_text())
    return str(path)


@pytest.fixture
def quick(monkeypatch):
    """Three attempts a call without a wait, and programs that run in this process: they are ours."""
    make = session.make_asked

    def make_impatient(*given):
        model = make(*given)
        model.retry_policy = RetryPolicy(attempts=3, first_wait_s=0.0, max_retry_after_s=0.0)
        return model

    monkeypatch.setattr(session, "make_asked", make_impatient)
    monkeypatch.setattr(session, "make_chosen", lambda *_: FakeSandbox(run_program))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(situation, id=situation.what, marks=pytest.mark.slow if place % 2 else ())
        for place, situation in enumerate(ALL)
    ],
)
def test_a_situation(situation, sstar, folder, monkeypatch, request):
    """The exit code, what is printed, the answers paid for, and all of them in the store."""
    certificate = request.getfixturevalue("certificate") if situation.secure else None
    with Server(situation, certificate) as server:
        port = server.base_url.rpartition(":")[2].partition("/")[0]
        for name, value in situation.environment.items():
            monkeypatch.setenv(name, value.format(port=port, certificate=certificate))
        ended = sstar(*make_words(situation, folder, situation.address(server.base_url)))
    stored = count_stored(folder)
    assert (ended.code, server.paid) == (situation.code, situation.paid), ended.err
    assert server.paid - stored == 0 or situation.command == "doctor"
    assert situation.says in " ".join(f"{ended.err} {ended.out}".split()), ended.err
    least = situation.paid if situation.calls is None else situation.calls
    if situation.calls is None and server.calls > least:
        assert situation.says.endswith(ADJUSTED)  # a refused call is asked again without what was refused
    elif situation.code == 3 and situation.calls != -1:  # the first call to give up ends the other's attempts
        assert server.calls <= least
    elif situation.calls != -1:
        assert server.calls == least
    assert situation.sees(server.received)
    check_outcome(situation, ended, folder)
    told = ended.err + ended.out
    written = "".join(path.read_text(errors="replace") for path in folder.glob("runs/*/manifest.json"))
    assert "Traceback" not in told
    assert "please report it" not in told
    assert not any(secret in told + written for secret in SECRETS)
    assert situation.kept in written


def make_words(situation, folder, base_url):
    if situation.command == "doctor":
        return ["doctor", "-m", situation.model, "--base-url", base_url]
    names = ("a", "b", "c") if situation.command == "eval" else ("a",)
    (folder / "set.jsonl").write_text("".join(json.dumps(make_problem(name)) + "\n" for name in names))
    spec = "jsonl:set.jsonl" + ("" if situation.command == "eval" else "#a")
    words = [situation.command, spec, "-m", situation.model, "--base-url", base_url, "--n", situation.n]
    return [*words, "--rounds", "0", *situation.words]


def check_outcome(situation, ended, folder):
    """Right programs are printed, or counted as solved, and nothing else is."""
    if situation.command == "doctor":
        return
    if situation.command == "eval":
        (path,) = folder.glob("runs/*/summary.json")
        solved = json.loads(path.read_text())["methods"]["oracle"]
        assert round(solved["value"] * solved["problems"]) == int(situation.outcome[0])
        return
    is_printed = situation.is_solved or "is printed" in situation.outcome
    if "adaptive" in situation.words:
        assert ended.out.startswith(("print(", "n = int("))
    else:
        assert ended.out == (PROGRAM if is_printed else "")


def write_page():
    """The page, from the situations."""
    lines = [
        "# Endpoints and their ways",
        "",
        "What is done where an endpoint is not as expected. Each row is a test with a real server on the",
        "loopback address (`tests/agent/models/endpoints`): how the command ends, how many answers were",
        "paid for, and how many of those were lost. `solve` asks for two samples (four where a question of",
        "selection matters), `eval` for two of each of three problems. What servers say is in the words of",
        "their documents and of bug reports; they themselves were not asked. Where no call was answered yet,",
        "a refusal in unknown words costs one short question more.",
        "",
        f"{len(ALL)} situations.",
        "",
    ]
    for title, group in GROUPS.items():
        lines += [f"## {title}", ""]
        lines += ["| what the server does | command | outcome | what is said | exit | answers paid | lost |"]
        lines += ["|---|---|---|---|--:|--:|--:|"]
        for item in group:
            said = f"`{item.says}`".replace("|", "\\|") if item.says else ""
            what = item.what.replace("|", "\\|")
            lines.append(
                f"| {what} | {item.command} | {item.outcome} | {said} | {item.code} | {item.paid} | 0 |"
            )
        lines.append("")
    return "\n".join(lines)


def test_the_page_has_every_situation():
    """The table in the documents is that of the tests."""
    if WRITES:
        PAGE.write_text(write_page())
    assert len(ALL) >= LEAST
    assert len({item.what for item in ALL}) == len(ALL)
    assert PAGE.read_text() == write_page()
