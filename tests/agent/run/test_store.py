"""The run store keeps what was paid for."""

from __future__ import annotations

import os
import platform
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.models import Answer, Message, Purpose, Request, Stage, Usage
from sstar_code.agent.run.outcomes import RoundOutcome, StageCount
from sstar_code.agent.run.schema import MIGRATIONS
from sstar_code.agent.run.store import Store, StoreError
from sstar_code.agent.telemetry.events import working_on
from sstar_code.problems import UserError
from sstar_code.sandbox import Execution, Failure, Status


def make_request(text: str = "hello", seed: int = 0) -> Request:
    return Request((Message("user", text),), Purpose("p", Stage.GENERATE), seed=seed)


def test_answer_comes_back_equal(tmp_path):
    """An answer read from the file is the one that was written."""
    answer = Answer("text", "thought", "length", Usage(1, None, 2, 3), "m", 0.5)
    with closing(Store(tmp_path / "run.db")) as store:
        store.put_answer(make_request(), answer)
    with closing(Store(tmp_path / "run.db")) as store:
        assert store.get_answer(make_request()) == answer
        assert store.get_answer(make_request(seed=1)) is None


def test_any_thread_may_collect_a_store_that_nobody_closed(tmp_path, monkeypatch):
    """Its database is closed, and nothing is said of threads."""
    faults = []
    monkeypatch.setattr(sys, "unraisablehook", faults.append)
    stores = [Store(tmp_path / "run.db")]
    thread = threading.Thread(target=stores.clear)
    thread.start()
    thread.join()
    assert faults == []
    Store(tmp_path / "run.db").close()  # its lock is free again


@given(text=st.text(), message=st.text(), line=st.none() | st.integers(0, 10**6))
def test_execution_comes_back_equal(text, message, line):
    """Any execution survives the way through the store, lone surrogates included."""
    execution = Execution(Status.RE, stdout=text, failure=Failure("ValueError", message, line), cpu_s=0.25)
    with closing(Store()) as store:
        store.put_executions({"key": execution})
        assert store.get_execution("key") == execution


def test_first_answer_stays(tmp_path):
    """A second answer to the same request does not replace the one that was used."""
    with closing(Store(tmp_path / "run.db")) as store:
        store.put_answer(make_request(), Answer("first"))
        store.put_answer(make_request(), Answer("second"))
        answer = store.get_answer(make_request())
        assert answer is not None
        assert answer.text == "first"


def test_kill_keeps_every_written_answer(tmp_path):
    """After kill -9 every answer whose write returned is there."""
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from sstar_code.agent.models import Answer, Message, Purpose, Request, Stage
        from sstar_code.agent.run.store import Store
        store = Store(Path(sys.argv[1]))
        for number in range(10**9):
            message = Message("user", str(number))
            store.put_answer(Request((message,), Purpose("p", Stage.GENERATE)), Answer("x"))
            print(number, flush=True)
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "run.db")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    written = [int(process.stdout.readline()) for _ in range(50)]
    os.kill(process.pid, signal.SIGKILL)
    written += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    process.stdout.close()
    process.wait()
    with closing(Store(tmp_path / "run.db")) as store:
        missing = [number for number in written if store.get_answer(make_unseeded(str(number))) is None]
    assert missing == []


def make_unseeded(text: str) -> Request:
    return Request((Message("user", text),), Purpose("p", Stage.GENERATE))


def test_two_processes_do_not_share_a_folder(tmp_path):
    """A second run in the same folder is refused instead of paying twice, and told who holds it."""
    holder = rf"another sstar.*\(process {os.getpid()} on {re.escape(platform.node())}, since 2"
    with closing(Store(tmp_path / "run.db")), pytest.raises(UserError, match=holder):
        Store(tmp_path / "run.db")


def test_dead_process_holds_nothing(tmp_path):
    """After kill -9 the folder is free, though the file that names the holder is still there."""
    script = """
import sys, time
from pathlib import Path
from sstar_code.agent.run.store import Store
store = Store(Path(sys.argv[1]))
print("open", flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "run.db")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        with pytest.raises(UserError, match=f"process {process.pid} on"):
            Store(tmp_path / "run.db")
        process.kill()
        process.wait()
        Store(tmp_path / "run.db").close()


def test_holder_that_could_not_be_named_still_holds(tmp_path):
    """A lock file without a name in it, as on a full disk, refuses all the same."""
    with closing(Store(tmp_path / "run.db")):
        (tmp_path / "run.lock").write_text("")
        with pytest.raises(UserError, match="working in this folder; wait"):
            Store(tmp_path / "run.db")


def test_not_a_database_is_a_user_error(tmp_path):
    """A file that is no database is named, not overwritten."""
    path = tmp_path / "run.db"
    path.write_text("this is a text file, long enough to be looked at as a database header" * 3)
    with pytest.raises(UserError, match=r"run\.db"):
        Store(path)
    assert path.read_text().startswith("this is a text file")


def test_newer_schema_is_refused(tmp_path):
    """A store of a later version is not touched."""
    path = tmp_path / "run.db"
    Store(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(UserError, match="newer version"):
        Store(path)


def test_database_of_another_program_is_left_alone(tmp_path):
    """A database that is not ours gets no tables of ours."""
    path = tmp_path / "run.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(UserError, match="another program"):
        Store(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_every_older_schema_is_upgraded(tmp_path, version):
    """A store of any earlier version opens, keeps its rows and takes new ones."""
    path = tmp_path / "run.db"
    with closing(sqlite3.connect(path)) as db:
        for script in MIGRATIONS[:version]:
            db.executescript(script)
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("INSERT INTO problems VALUES ('old', '{}')")
        db.commit()
    with closing(Store(path)) as store:
        store.put_failure(make_request(), "refused")
        store.put_executions({"key": Execution(Status.OK, cpu_s=0.5)})
        assert store.outcomes() == {"old": "{}"}
        assert store.count_executions() == [("", "other", 1, 0.5)]
    with closing(Store(path)) as store:
        assert store.failures() == [("p", "generate", "refused")]


def test_upgrade_that_is_killed_is_done_again(tmp_path):
    """A migration is applied whole or not at all."""
    path = tmp_path / "run.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(f"{MIGRATIONS[0]}; PRAGMA user_version = 1;")
        with pytest.raises(sqlite3.OperationalError):
            db.executescript(f"BEGIN; {MIGRATIONS[1]}; SELECT nothing FROM nowhere; COMMIT;")
    with closing(Store(path)) as store:
        assert store.count_executions() == []


def test_failure_is_forgotten_once_answered(tmp_path):
    """A failed call counts until the same request is answered."""
    with closing(Store(tmp_path / "run.db")) as store:
        store.put_failure(make_request(), "refused \ud800")
        store.put_failure(make_request(seed=1), "refused")
        store.put_answer(make_request(), Answer("text"))
        assert store.failures() == [("p", "generate", "refused")]


def test_failure_of_an_earlier_start_is_forgotten_once_answered(tmp_path):
    """Failures that this process did not write, or that came from another store, go with the answer too."""
    for name in ("run", "other"):
        with closing(Store(tmp_path / f"{name}.db")) as store:
            store.put_failure(make_request(name), "refused")
            store.put_failure(make_request("never answered"), "refused")
    with closing(Store(tmp_path / "run.db")) as store:
        store.put_answer(make_request("run"), Answer("text"))
        store.put_answer(make_request("x"), Answer("text"))
        assert len(store.failures()) == 1
        store.reopen(["p"])
        store.put_answer(make_request("y"), Answer("text"))
        store.absorb(tmp_path / "other.db")
        store.put_answer(make_request("other"), Answer("text"))
        assert len(store.failures()) == 1


def test_reopened_problem_is_unfinished_and_keeps_its_answers(tmp_path):
    """Working on a problem again costs nothing of what was answered, and replaces what came of it whole."""
    with closing(Store(tmp_path / "run.db")) as store:
        store.put_answer(make_request(), Answer("text"))
        rounds = [(0, 0, "a", 0, 1, False, None), (0, 1, "b", 1, 1, True, "AC")]
        store.put_problem("p", "{}", rounds, [("first", "{}")])
        store.put_problem("q", "{}", [], [])
        store.reopen(["p"])
        assert store.outcomes() == {"q": "{}"}
        assert store.get_answer(make_request()) is not None
        store.put_problem("p", "{}", [(0, 0, "c", 1, 1, True, "AC")], [])
        assert store.candidates("p") == ["c"]
        assert store.selections("p") == {}


@pytest.mark.skipif(sys.platform != "linux", reason="needs a small tmpfs")
@pytest.mark.root
def test_full_disk_is_one_line_and_loses_nothing(tmp_path):
    """When the disk is full the error says so and what was written before is readable."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(tmp_path)], check=False, capture_output=True
    )
    if mount.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {mount.stderr.decode().strip()}")
    try:
        with closing(Store(tmp_path / "run.db")) as store:
            with pytest.raises(StoreError, match="free some space"):
                fill(store)
            kept = store.get_answer(make_request("0"))
            assert kept is not None
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def fill(store: Store) -> None:
    for number in range(1000):
        store.put_answer(make_request(str(number)), Answer("x" * 10_000))


def test_problem_is_written_whole(tmp_path):
    """Candidates, selections and outcome of a problem appear together."""
    with closing(Store(tmp_path / "run.db")) as store:
        store.put_problem(
            "p",
            "{}",
            [
                (0, 0, "bad \ud800", 0, 1, False, None),
                (0, 1, "good", 1, 1, True, "AC"),
                (1, 0, None, 0, 1, True, None),
            ],
            [("first", "{}")],
        )
        assert store.outcomes() == {"p": "{}"}
        assert store.candidates("p") == ["good", None]
        assert store.selections("p") == {"first": "{}"}


def test_read_only_sees_one_snapshot_and_writes_nothing(tmp_path):
    """While another holds the store it is read as it was when it was opened, without a lock of its own."""
    path = tmp_path / "run.db"
    with closing(Store(path)) as store:
        store.put_answer(make_request(), Answer("first"))
        with closing(Store(path, read_only=True)) as reader:
            store.put_answer(make_request(seed=1), Answer("second"))
            assert [answer.text for _, _, answer in reader.answers()] == ["first"]
            with pytest.raises(StoreError, match="readonly"):
                reader.put_failure(make_request(), "no")
    (tmp_path / "run.lock").unlink()
    with closing(Store(path, read_only=True)) as reader:
        assert len(list(reader.answers())) == 2
    assert not (tmp_path / "run.lock").exists()


@pytest.mark.parametrize("version", [0, 1, 99])
def test_read_only_refuses_what_it_cannot_read(tmp_path, version):
    """A schema that has too little, or more than is known, is named; the file is not brought up to date."""
    path = tmp_path / "run.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(f"{MIGRATIONS[0]}; PRAGMA user_version = {version};")
    with pytest.raises(UserError, match=f"schema {version}, this one reads 2 to {len(MIGRATIONS)}"):
        Store(path, read_only=True)
    with pytest.raises(StoreError, match="cannot read the run store"):
        Store(tmp_path / "none.db", read_only=True)
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("version", range(2, len(MIGRATIONS) + 1))
def test_read_only_reads_older_schemas_as_they_are(tmp_path, version):
    """Calls, candidates, selections and outcomes of every version from the second on."""
    path = tmp_path / "run.db"
    with closing(sqlite3.connect(path)) as db:
        for script in MIGRATIONS[:version]:
            db.executescript(script)
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("INSERT INTO problems VALUES ('old', '{}')")
        db.execute("INSERT INTO selections VALUES ('old', 'first', '{}')")
        db.execute("INSERT INTO candidates VALUES ('old', 0, 0, 'x', 1, 1, 1, 'AC')")
        db.commit()
    with closing(Store(path, read_only=True)) as store:
        assert store.outcomes() == {"old": "{}"}
        assert store.selections("old") == {"first": "{}"}
        assert store.rounds() == {"old": [RoundOutcome(0, 0, "x", 1, 1, is_best=True, hidden="AC")]}
        assert (store.count_stages(), store.calls("old"), store.answered_between()) == ({}, [], None)


def test_work_is_counted_by_problem_and_stage(tmp_path):
    """Every answer and every run of a program once; problems asked for come first, with or without work."""
    answer = Answer("", "hm", "length", Usage(10, 4, 5, 3), seconds=1.5)
    with closing(Store(tmp_path / "run.db")) as store:
        store.put_answer(make_request(), answer)
        store.put_answer(make_request(seed=1), Answer("x", usage=Usage(), seconds=0.5))
        with working_on("q", "grade"):
            store.put_executions({n: Execution(Status.OK, cpu_s=0.5) for n in "ab"})
        assert store.count_stages(["r", "q"]) == {
            "r": {},
            "q": {"grade": StageCount(executions=2, cpu_s=1.0)},
            "p": {
                "generate": StageCount(
                    calls=2,
                    prompt=10,
                    cached=4,
                    output=5,
                    reasoning=3,
                    seconds=2.0,
                    unknown=1,
                    cut=1,
                    cut_thinking=1,
                )
            },
        }
        assert list(store.count_stages(["r", "q"])) == ["r", "q", "p"]
        assert [(request.seed, kept.text) for request, kept in store.calls("p")] == [(0, ""), (1, "x")]
        first, last = store.answered_between() or ("", "")
        assert first <= last
        assert first.startswith("20")


@pytest.mark.root
def test_read_only_needs_no_right_to_write():
    """Somebody who may only read the folder gets what is in the file."""
    if os.geteuid() != 0:
        pytest.skip("becoming somebody else needs root")
    script = """
import os, sys, urllib.parse  # that somebody else may not read the interpreter's files is not the matter
from pathlib import Path
from sstar_code.agent.run.store import Store
os.setgid(65534), os.setuid(65534)
print(Store(Path(sys.argv[1]), read_only=True).outcomes())
"""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "run.db")
        with closing(Store(path)) as store:
            store.put_problem("p", "{}", [], [])
        Path(place).chmod(0o755)
        ended = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False
        )
        assert (ended.stdout, ended.stderr) == ("{'p': '{}'}\n", "")
        assert {item.name for item in Path(place).iterdir()} == {"run.db", "run.lock"}
