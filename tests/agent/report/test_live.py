"""`sstar runs` and `sstar view`: how far runs have come, as a list and as a live page."""

from __future__ import annotations

import http.client
import json
import re
import sys
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sstar_code.agent.report.data.state import is_held
from sstar_code.agent.report.live.server import RunServer
from sstar_code.agent.run.files import write_json
from sstar_code.agent.run.lock import lock
from sstar_code.agent.run.store import Store
from sstar_code.problems import UserError
from tests.support.browser import browse, find_browser
from tests.support.made_up_run import make_run

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">"


@contextmanager
def serving(folder, problems=None):
    """The pages of a run, served in a thread."""
    with RunServer(folder, problems or {}) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def get(server, path=None, method="GET", **headers):
    """Status, headers and text of a request."""
    place = urlsplit(server.url)
    with closing(http.client.HTTPConnection(place.hostname, place.port, timeout=180)) as connection:
        connection.putrequest(method, path or place.path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()


def test_runs_are_listed(sstar, folder):
    """Finished, interrupted, held by a process, and not ours; one folder deeper too; nothing is locked."""
    make_run(folder / "runs" / "done", problems=3, samples=2)
    make_run(folder / "runs" / "deep" / "half", problems=4, samples=2, unfinished=1)
    make_run(folder / "runs" / "now", problems=4, samples=2, unfinished=3)
    summary = {"selected@1": 0.5, "failed": {}}
    write_json(folder / "runs" / "done" / "summary.json", summary)
    (folder / "runs" / "odd").mkdir()
    (folder / "runs" / "odd" / "manifest.json").write_text("{}")
    with closing(lock(folder / "runs" / "now" / "run.lock")):
        found = {row["folder"]: row for row in sstar("runs", "--json").json["runs"]}
        assert is_held(folder / "runs" / "now" / "run.lock")
    assert {name: row["state"] for name, row in found.items()} == {
        "runs/deep/half": "can be resumed",
        "runs/done": "finished",
        "runs/now": "running",
        "runs/odd": "cannot be read",
    }
    assert (found["runs/deep/half"]["done"], found["runs/deep/half"]["problems"]) == (3, 4)
    assert found["runs/done"]["value"] == 0.5
    ended = sstar("runs")
    heads, *lines = ended.out.splitlines()
    assert heads.split() == ["folder", "command", "set", "model", "changed", "problems", "rate", "state"]
    assert re.search(r"runs/done +eval +made-up +none +\S+ \S+ +3/3 +selected@1 50.0% +finished", lines[1])
    assert "not a manifest of ours" in ended.err
    assert not is_held(folder / "runs" / "now" / "run.lock")


def test_runs_without_runs(sstar, folder):
    """A folder that is not there is a mistake, an empty one is said; names are no control characters."""
    assert sstar("runs").code == 2
    (folder / "runs").mkdir()
    ended = sstar("runs")
    assert (ended.code, ended.out, "no run folder" in ended.err) == (0, "", True)
    make_run(folder / "runs" / "a\x1b[31mb", problems=1, samples=1)
    assert "\x1b" not in sstar("runs").out


def test_view_says_where_and_ends(sstar, folder):
    """The address alone on stdout; what is no run is one line."""
    make_run(folder / "run", problems=1, samples=1)
    ended = sstar("view", "run", "--for", "0.2")
    assert ended.code == 0, ended.err
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{22}/\n", ended.out)
    assert sstar("view", "nothing").code == 2
    with RunServer(folder / "run", {}) as server, pytest.raises(UserError, match="--port"):
        RunServer(folder / "run", {}, port=server.server_port)


def test_the_browser_is_opened_without_the_address_among_its_arguments(sstar, folder, monkeypatch):
    """Every user of the machine can read those; the file that they name only this user can."""
    make_run(folder / "run", problems=1, samples=1)
    browser = folder / "browser"
    browser.write_text(
        f"#!{sys.executable}\nimport os, pathlib, sys, urllib.parse\n"
        "page = pathlib.Path(urllib.parse.urlsplit(sys.argv[1]).path)\n"
        "modes = [oct(path.stat().st_mode & 0o777) for path in (page.parent, page)]\n"
        f"told = [' '.join(sys.argv), *modes, str(page), page.read_text()]\n"
        f"pathlib.Path({str(folder)!r}, 'told').write_text(chr(10).join(told))\n"
    )
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    ended = sstar("view", "run", "--open", "--for", "0.2")
    assert ended.code == 0, ended.err
    (arguments, of_folder, of_page, page, text) = (folder / "told").read_text().split("\n", 4)
    url = ended.out.strip()
    assert url in text
    assert urlsplit(url).path.strip("/") not in arguments
    assert (of_folder, of_page) == ("0o700", "0o600")
    assert not Path(page).exists()


def test_only_who_has_the_address_is_answered(tmp_path):
    """Another Host (DNS rebinding), a wrong secret, files and other methods get nothing."""
    make_run(tmp_path, problems=1, samples=1)
    with serving(tmp_path) as server:
        assert server.server_address[0] == "127.0.0.1"
        status, headers, _ = get(server)
        assert status == 200
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert (headers["X-Content-Type-Options"], headers["Server"]) == ("nosniff", "sstar")
        assert "Access-Control-Allow-Origin" not in headers
        port, start = server.server_port, urlsplit(server.url).path
        assert get(server, Host=f"localhost:{port}")[0] == 200
        for host in (
            "evil.example",
            f"evil.example:{port}",
            "127.0.0.1",
            "",
            f"127.0.0.1:{port}.evil.example",
        ):
            assert get(server, Host=host)[0] == 403, host
        for path in ("/", "/progress.json", f"{start}run.db", f"{start}manifest.json", f"{start}../", "/x/"):
            assert get(server, path)[0] == 404, path
        for path in (start[:-1], start[:-2] + "/", f"{start}%2e%2e/run.db"):
            assert get(server, path)[0] == 404, path
        assert get(server, method="POST")[0] == 501
        assert get(server, method="HEAD")[2] == ""


def test_progress_follows_the_run(tmp_path):
    """Problems as they end, what is right so far, and the reason where the store cannot be read."""
    make_run(tmp_path, problems=4, samples=2, unfinished=2)
    with serving(tmp_path) as server:
        path = urlsplit(server.url).path + "progress.json"
        found = json.loads(get(server, path)[2])
        assert [row[0] for row in found["rows"]] == ["made-0", "made-1"]
        assert (found["state"]["done"], found["state"]["state"]) == (2, "can be resumed")
        assert found["graded"] == 2
        assert found["calls"] > 0
        assert found["runs"] == 40
        (tmp_path / "run.db").write_bytes(b"no store at all, but long enough to be looked at" * 40)
        status, _, text = get(server, path)
        assert (status, "run.db" in text) == (503, True)


def test_report_is_made_anew_where_the_run_went_on(tmp_path):
    """The same page while nothing changes, with a header that lets its own script run."""
    problems = make_run(tmp_path, problems=2, samples=2)
    with serving(tmp_path, problems) as server:
        path = urlsplit(server.url).path + "report.html"
        _, headers, page = get(server, path)
        (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
        assert headers["Content-Security-Policy"] == policy.replace("&#39;", "'") + "; frame-ancestors 'none'"
        first = server.read_report()
        assert server.read_report() is first
        with closing(Store(tmp_path / "run.db")) as store:
            store.reopen(["made-1"])
        assert "made-1</li>" in server.read_report()  # unfinished now


def test_a_browser_shows_the_run_as_it_goes(tmp_path):
    """Progress, a problem that ends while the page is open, the report with its script, no complaint."""
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium here (chromium or google-chrome on PATH, or SSTAR_TEST_BROWSER)")
    problems = make_run(tmp_path / "run", problems=3, samples=2, unfinished=1)
    make_run(tmp_path / "later", problems=3, samples=2, text=HOSTILE)
    with serving(tmp_path / "run", problems) as server, browse(program) as browser:
        browser.call("Page.navigate", url=server.url)
        browser.wait("document.querySelectorAll('#rows tr').length === 2")
        assert browser.run("document.querySelector('#done').textContent") == "2 of 3"
        assert browser.run("document.querySelector('#bar').value") == 2
        with closing(Store(tmp_path / "later" / "run.db", read_only=True)) as other:
            outcome = json.dumps(json.loads(other.outcomes()["made-2"]) | {"problem_id": HOSTILE})
        with closing(Store(tmp_path / "run" / "run.db")) as store:
            store.absorb(tmp_path / "later" / "run.db")
            store.put_problem(HOSTILE, outcome, [], [])
        browser.wait("document.querySelectorAll('#rows tr').length === 4")
        assert browser.run("document.querySelector('#rows td').textContent") == HOSTILE
        assert browser.run("document.querySelectorAll('img').length") == 0
        browser.run("document.querySelector('#report a').click()")
        browser.wait("document.querySelectorAll('details.problem').length === 3")
        browser.run("document.querySelector('#p-0').open = true")
        browser.wait("document.querySelectorAll('#p-0 .body h3').length > 0")
        assert browser.messages == []
        assert {urlsplit(url).netloc for url in browser.requests if not url.startswith("data:")} == {
            f"127.0.0.1:{server.server_port}"
        }
