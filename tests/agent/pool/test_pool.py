"""`sstar pool` as clients meet it: on a port, with a real sandbox or a scripted one behind."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import ExitStack
from urllib.parse import urlsplit

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")

import sstar_code
from sstar_code.agent.jobs.choices import SandboxChoice
from sstar_code.agent.pool import app as pool_app
from sstar_code.agent.pool import jobs as pool_jobs
from sstar_code.agent.pool.run import Pool, serve_pool
from sstar_code.agent.testing import FakeSandbox
from sstar_code.problems import InfrastructureError, UserError
from sstar_code.sandbox import Execution, Status
from tests.support import ROOT
from tests.support.servers.served import PATIENCE_S, RIGHT, SQUARE, run_known

IN_CPP = (ROOT / "tests" / "support" / "testlib" / "sum.cpp").read_text()
CHECKED = {
    "code": "print(1, 6)",
    "tests": [{"input": "7\n", "output": "3 4\n"}],
    "checker": {"program": IN_CPP, "language": "cpp"},
}


@pytest.fixture
def start():
    """Start a pool; its address is returned."""
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())

        def begin(sandbox=None, **options):
            started, addresses = threading.Event(), []

            def note(address):
                addresses.append(address)
                started.set()

            made = sandbox or FakeSandbox(run_known, workers=2)

            async def main():
                await serve_pool(Pool(port=0, **options), made, say=lambda _: None, on_start=note)

            running = portal.start_task_soon(main)
            running.add_done_callback(lambda _: started.set())
            stack.callback(running.cancel)
            assert started.wait(PATIENCE_S)
            if running.done():
                running.result()
            return addresses[0]

        yield begin


def ask(address, method, path, body=None, **headers):
    """Status, headers and text of a response."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE_S)
    try:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()


def run(address, *jobs, **more):
    status, _, text = ask(address, "POST", "/v1/run", {"jobs": list(jobs), **more})
    assert status == 200, text
    return json.loads(text)["results"]


def test_programs_are_run_and_judged_by_a_real_sandbox(start):
    """Inputs give executions, tests give verdicts, calls and checkers included; a crash is data."""
    address = start(sstar_code.make_sandbox("local", workers=1, say=lambda _: None))
    ran, called, judged, wrong, crashed = run(
        address,
        {"id": "mine", "code": RIGHT, "inputs": ["2\n", "x\n"]},
        {"code": "def f(a, b):\n    return a + b", "entry_point": "f", "inputs": [[1, 2], "[3]\n[4]"]},
        {"code": RIGHT, "tests": [{"input": "3\n", "output": "6"}]},
        {"code": SQUARE, "tests": [{"input": "2\n", "output": "4"}, {"input": "3\n", "output": "6"}]},
        {"code": "import sys; sys.exit(3)", "inputs": [""]},
    )
    assert [run["status"] for run in ran["executions"]] == ["OK", "RE"]
    assert (ran["id"], ran["executions"][0]["stdout"]) == ("mine", "4\n")
    assert ran["executions"][1]["failure"]["type"] == "ValueError"
    assert [run["result"] for run in called["executions"]] == ["3", "[3, 4]"]
    assert (judged["verdict"], judged["passed_tests"], judged["total_tests"]) == ("AC", 1, 1)
    assert (wrong["verdict"], wrong["passed_tests"], wrong["first_failure"]["got"]) == ("WA", 1, "9\n")
    assert crashed["executions"][0]["failure"]["type"] == "exit status 3"


@pytest.mark.usefixtures("cpp_tools")
def test_a_pool_that_compiles_runs_checkers_in_cpp(start):
    """Against the header that it was started with; without it the job is refused in one line."""
    compiles = SandboxChoice("local", workers=1, languages=("cpp17",))
    header = (ROOT / "tests" / "support" / "testlib" / "testlib.h").read_text()
    address = start(compiles, testlib=header)
    results = run(address, CHECKED, CHECKED | {"code": "print(1, 1)"})
    assert [made["verdict"] for made in results] == ["AC", "WA"]
    status, _, text = ask(start(compiles), "POST", "/v1/run", {"jobs": [CHECKED]})
    assert (status, "`sstar pool --testlib PATH`" in text) == (400, True)


@pytest.mark.usefixtures("cpp_tools")
def test_a_pool_that_compiles_runs_several_languages(start):
    """A job names its language; the same from Python, through the pool and without it."""
    code = "#include <iostream>\nint main() { int n; std::cin >> n; std::cout << 2 * n << std::endl; }"
    address = start(SandboxChoice("local", workers=1, languages=("cpp17",)))
    (compiled, plain) = run(
        address, {"code": code, "language": "cpp", "inputs": ["4\n"]}, {"code": RIGHT, "inputs": ["4\n"]}
    )
    assert compiled["executions"][0]["stdout"] == plain["executions"][0]["stdout"] == "8\n"
    for place in ({"pool": address}, {"sandbox": "local"}):
        ((made,),) = sstar_code.run_many([(code, ["4\n"])], language="cpp", **place)
        assert made.stdout == "8\n"
    with pytest.raises(UserError, match="reads standard input; it is not called"):
        sstar_code.run(code, [(1,)], entry_point="f", language="cpp")


@pytest.mark.parametrize("key", ["time_limit_s", "memory_limit_mb", "int_digits", "language"])
def test_integers_of_any_length_are_refused_in_words(start, key):
    """Python reads them by parts, and does not write them into a message."""
    body = f'{{"jobs": [{{"code": "", "inputs": [""], "{key}": {"9" * 5000}}}]}}'
    status, _, text = ask(start(), "POST", "/v1/run", body.encode())
    assert (status, json.loads(text)["error"]["code"]) == (400, "invalid_request")


def test_results_are_as_long_as_memory_bears(start, monkeypatch):
    """What programs write is counted while they run, of one job and of all jobs together."""
    seen = []

    def write(_program, text):
        seen.append(text)
        return Execution(Status.OK, stdout="x" * 50_000)

    monkeypatch.setattr(pool_jobs, "MOST_ANSWER_MB", 1)
    monkeypatch.setattr(pool_app, "MOST_ANSWER_MB", 1)
    monkeypatch.setattr(pool_jobs, "_AT_ONCE", 10)
    address = start(FakeSandbox(write, workers=1))
    for jobs in ([{"code": "", "inputs": [""] * 1000}], [{"code": "", "inputs": [""] * 4}] * 20):
        status, _, text = ask(address, "POST", "/v1/run", {"jobs": jobs})
        assert (status, json.loads(text)["error"]["code"]) == (413, "results_too_large")
    assert len(seen) < 200
    assert len(run(address, {"code": "", "inputs": [""] * 15})[0]["executions"]) == 15
    monkeypatch.setattr(pool_jobs, "MOST_RUNS", 10)
    status, _, text = ask(address, "POST", "/v1/run", {"jobs": [{"code": "", "inputs": [""] * 11}]})
    assert (status, "at most 10" in text) == (400, True)


def test_a_job_in_parts_ends_at_the_first_failure(start, monkeypatch):
    """`stop_on_failure` holds across the parts in which inputs are run, and all are run without it."""
    monkeypatch.setattr(pool_jobs, "_AT_ONCE", 2)
    address = start()
    job = {"code": RIGHT, "inputs": ["1", "2", "3", "x", "5", "6"]}
    (whole,) = run(address, job)
    (cut,) = run(address, {**job, "stop_on_failure": True})
    assert [one["status"] for one in whole["executions"]] == ["OK", "OK", "OK", "RE", "OK", "OK"]
    assert [one["status"] for one in cut["executions"]] == ["OK", "OK", "OK", "RE"]


def test_a_fault_of_ours_is_told_as_one(start):
    """The client gets an object of the API that names no more than that."""

    def fail(_program, _text):
        raise ValueError("private")

    status, _, text = ask(
        start(FakeSandbox(fail, workers=1)), "POST", "/v1/run", {"jobs": [{"code": "", "inputs": [""]}]}
    )
    assert (status, json.loads(text)["error"]["code"], "private" in text) == (500, "server_failed", False)


def test_results_come_as_they_end_where_a_stream_is_asked_for(start):
    """One JSON object a line, each with the place of its job; all of them."""
    status, headers, text = ask(
        start(),
        "POST",
        "/v1/run",
        {"jobs": [{"code": RIGHT, "inputs": [f"{n}\n"]} for n in range(20)], "stream": True},
    )
    assert (status, headers["content-type"]) == (200, "application/x-ndjson")
    rows = [json.loads(line) for line in text.splitlines()]
    assert sorted(row["index"] for row in rows) == [*range(20)]
    assert all(row["executions"][0]["stdout"] == f"{2 * row['index']}\n" for row in rows)


def test_python_gets_the_same_from_a_pool_as_from_its_own_sandbox(start):
    """`run_many` with and without `pool`, programs and calls."""
    address = start(sstar_code.make_sandbox("local", workers=1, say=lambda _: None))
    jobs = [(RIGHT, ["1\n", "2\n"]), ("print(1 / 0)", [""]), ("def", [""])]
    own = sstar_code.run_many(jobs, sandbox="local")
    theirs = sstar_code.run_many(jobs, pool=address)
    assert [[(r.status, r.stdout, r.failure) for r in runs] for runs in own] == [
        [(r.status, r.stdout, r.failure) for r in runs] for runs in theirs
    ]
    called = sstar_code.run_many([("f = max", [(1, 5), (7, 2)])], entry_point="f", pool=address)
    assert [execution.result for execution in called[0]] == ["5", "7"]


def test_many_clients_get_each_their_own(start):
    """Eight clients at once, each with hundreds of jobs: no result is lost or mixed, however full it is."""
    address = start(max_waiting=300)
    found = {}

    def use(client):
        jobs = [(RIGHT, [f"{client * 1000 + n}\n"]) for n in range(150)]
        found[client] = [int(runs[0].stdout) for runs in sstar_code.run_many(jobs, pool=address)]

    threads = [threading.Thread(target=use, args=(client,)) for client in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert found == {client: [2 * (client * 1000 + n) for n in range(150)] for client in range(8)}
    _, _, text = ask(address, "GET", "/metrics")
    assert "sstar_pool_runs_total 1200\n" in text
    assert "sstar_pool_runs_waiting 0\n" in text


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "the body must be a JSON object"),
        (b"[]", "the body must be a JSON object"),
        ({}, "`jobs` must be a list"),
        ({"jobs": []}, "at least one job"),
        ({"jobs": ["x"]}, "jobs[0]: a job must be a JSON object"),
        ({"jobs": [{"code": "x", "inputs": [""], "input": 1}]}, "jobs[0]: unknown key 'input'"),
        ({"jobs": [{"code": "x", "inputs": [""], "k" * 100_000: 1}]}, "jobs[0]: unknown key 'kkk"),
        ({"jobs": [{"inputs": [""]}]}, "jobs[0]: `code` must be"),
        ({"jobs": [{"code": "x"}]}, "jobs[0]: give `inputs`"),
        ({"jobs": [{"code": "x", "inputs": [""], "tests": []}]}, "jobs[0]: give `inputs`"),
        ({"jobs": [{"code": "x", "tests": []}]}, "at least one test"),
        ({"jobs": [{"code": "x", "inputs": [1]}]}, "each of `inputs` must be a text"),
        ({"jobs": [{"code": "x", "inputs": [""], "language": "ada"}]}, "unknown language 'ada'"),
        ({"jobs": [{"code": "x", "inputs": [""], "language": "cpp"}]}, "sstar pool --language cpp17"),
        ({"jobs": [CHECKED]}, "its checker is in C++, and this pool has Python alone"),
        ({"jobs": [{"code": "x", "inputs": [""], "time_limit_s": "soon"}]}, "time_limit_s"),
        ({"jobs": [{"code": "x", "inputs": [""], "entry_point": "1f"}]}, "entry_point"),
        ({"jobs": [{"code": "x", "inputs": [""], "checker": "nearly"}]}, "checker"),
        ({"jobs": [{"code": "x", "inputs": [""]}], "priority": "high"}, "`priority` must be an integer"),
        ({"jobs": [{"code": "x", "inputs": [""]}], "stream": 1}, "`stream` must be true or false"),
        (b'{"jobs":' + b"[" * 100_000, "deep"),
    ],
)
def test_a_request_in_another_form_is_refused_by_name(start, body, told):
    """400 and one line: which job, which key, what it must be; the pool goes on."""
    address = start()
    status, _, text = ask(address, "POST", "/v1/run", body)
    message = json.loads(text)["error"]["message"]
    assert status == 400
    assert told in message
    assert "\n" not in message
    assert len(text) < 3000
    assert run(address, {"code": RIGHT, "inputs": ["1\n"]})[0]["executions"][0]["stdout"] == "2\n"


def test_who_has_no_key_is_not_served(start):
    """With a key nobody runs anything without it; pages of browsers and foreign names never do."""
    address = start(key="secret")
    job = {"jobs": [{"code": RIGHT, "inputs": ["1\n"]}]}
    assert ask(address, "POST", "/v1/run", job)[0] == 401
    assert ask(address, "POST", "/v1/run", job, Authorization="Bearer secret")[0] == 200
    assert ask(address, "GET", "/health")[0] == 200
    with pytest.raises(UserError, match="a wrong key, or none"):
        sstar_code.run_many([(RIGHT, ["1\n"])], pool=address)
    open_one = start()
    assert ask(open_one, "POST", "/v1/run", job, Origin="http://evil.example")[0] == 403
    assert ask(open_one, "POST", "/v1/run", job, Host="evil.example")[0] == 403
    with pytest.raises(UserError, match="other machines could run programs there"):
        Pool("0.0.0.0")


def test_pages_that_are_not_there(start):
    """404 and 405 name the pages that are; a body over the limit is refused before it is read."""
    address = start(max_body_mb=1)
    assert ask(address, "GET", "/v1/jobs")[0] == 404
    status, _, text = ask(address, "GET", "/v1/run")
    assert status == 405
    assert "POST /v1/run, GET /health, GET /metrics" in text
    length = {"Content-Length": str(2 << 20)}
    assert ask(address, "POST", "/v1/run", b"", **length)[0] == 413


def test_a_client_that_hangs_up_frees_its_place(start):
    """Its jobs are forgotten and what runs is cancelled: the next client is served at once."""
    begun, cancelled = threading.Event(), threading.Event()

    class Stuck(FakeSandbox):
        async def run(self, program, inputs, limits, *, stop_on_failure=False):
            if program.code != "stuck":
                return [Execution(Status.OK, stdout="2\n") for _ in inputs]
            begun.set()
            try:
                await anyio.sleep_forever()
            finally:
                cancelled.set()

    address = start(Stuck({}, workers=1))
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE_S)
    body = json.dumps({"jobs": [{"code": "stuck", "inputs": [""]}] * 50})
    connection.request("POST", "/v1/run", body)
    assert begun.wait(PATIENCE_S)
    connection.close()
    assert cancelled.wait(PATIENCE_S)
    assert run(address, {"code": RIGHT, "inputs": ["1\n"]})[0]["executions"][0]["stdout"] == "2\n"


def test_no_pool_is_one_line(monkeypatch):
    """An address where nothing answers, or something else does."""
    monkeypatch.setattr("sstar_code.agent.pool.client._TRIES", 1)
    with pytest.raises(InfrastructureError, match=r"no pool answers .*start one with `sstar pool`"):
        sstar_code.run_many([(RIGHT, ["1\n"])], pool="http://127.0.0.1:9")
