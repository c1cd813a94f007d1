"""Run folders that somebody damaged or made: one line, and nothing runs, hangs or swells."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import zlib
from contextlib import closing, nullcontext

import pytest

from sstar_code.agent.report.data.run import read_verdicts
from sstar_code.agent.run.folder import read_manifest, read_summary
from sstar_code.agent.run.history.starts import Starts
from sstar_code.agent.run.store import Store
from sstar_code.problems import UserError
from tests.support.small_run import make_small_run

FORMATS = ("md", "json", "junit")
EVIL = [None, True, -1, 10**18, 1.5, 1e308, "", "<script>", [], [1], {}, {"a": 1}, [[]], "9" * 5000]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "run"
    make_small_run(folder)
    return folder


@pytest.fixture
def run(made, folder):
    """A copy of a run that was finished."""
    shutil.copytree(made, folder / "run")
    return folder / "run"


@pytest.fixture
def report(sstar):
    """Report on `run`: it is told in one line where it cannot be, and never as an error of ours."""

    def ask(*words):
        ended = sstar("report", "run", *words)
        assert ended.code in (0, 2), ended.err
        assert "unexpected" not in ended.err
        last = ended.err.splitlines()[-1]
        assert last.startswith("sstar: ")
        return ended.code, last

    return ask


def change(run, *scripts):
    with closing(sqlite3.connect(run / "run.db")) as database:
        for script in scripts:
            database.executescript(script)


ENDLESS = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x FROM r) SELECT"


@pytest.mark.parametrize(
    "script",
    [
        "UPDATE selections SET selection = '{\"evil\": 1}'",
        "UPDATE selections SET selection = '[]'",
        "UPDATE selections SET selection = json_set(selection, '$.chosen', 99)",
        "UPDATE selections SET selection = json_set(selection, '$.chosen', -1)",
        "UPDATE selections SET selection = json_set(selection, '$.clusters', json('[[77]]'))",
        "UPDATE selections SET selection = json_set(selection, '$.confidence', 'x')",
        "UPDATE selections SET selection = json_set(selection, '$.confidence', 1e999)",
        "UPDATE selections SET selection = 5",
        "UPDATE selections SET selection = x'ff00'",
        "UPDATE problems SET outcome = '[1]'",
        "UPDATE problems SET outcome = '{'",
        "UPDATE problems SET outcome = json_set(outcome, '$.samples', 'abc')",
        "UPDATE problems SET outcome = json_set(outcome, '$.samples[0].public_passed', 'x')",
        "UPDATE problems SET outcome = json_set(outcome, '$.chosen.adaptive', 44)",
        "UPDATE problems SET outcome = json_set(outcome, '$.tier', json('[9]'))",
        "UPDATE problems SET outcome = json_set(outcome, '$.problem_id', 'another')",
        f"UPDATE problems SET outcome = '{'[' * 100_000}'",
        "UPDATE problems SET problem_id = x'00' WHERE rowid = 1",
        "UPDATE problems SET outcome = CAST(x'22ff22' AS TEXT)",
        "UPDATE calls SET answer = '7'",
        "UPDATE calls SET answer = json_set(answer, '$.usage', 'x')",
        "UPDATE calls SET answer = json_set(answer, '$.usage.prompt', '1')",
        "UPDATE calls SET request = '{}'",
        "UPDATE calls SET stage = 5; UPDATE calls SET created_at = x'00'",
        "UPDATE candidates SET sample = 'x' WHERE rowid = 1",
        "UPDATE candidates SET round = 1000000000000 WHERE rowid = 1",
        "UPDATE candidates SET code = x'00'",
        "UPDATE executions SET cpu_s = 9e999",
        f"DROP TABLE calls; CREATE VIEW calls AS {ENDLESS} x AS problem_id, x AS stage, x AS answer FROM r",
        f"DROP TABLE problems; CREATE VIEW problems AS {ENDLESS} x AS problem_id, x AS outcome FROM r",
        "CREATE TRIGGER t AFTER DELETE ON problems BEGIN DELETE FROM calls; END",
        "CREATE VIRTUAL TABLE v USING fts5(x)",
        "CREATE TABLE more (x)",
        "CREATE INDEX other ON calls (request)",
        "DROP INDEX calls_by_problem",
        "DROP TABLE steps",
        "ALTER TABLE calls ADD COLUMN x GENERATED ALWAYS AS (zeroblob(1000000000)) VIRTUAL",
        "PRAGMA user_version = 99",
        "PRAGMA user_version = -1",
        "PRAGMA user_version = 1",
    ],
)
def test_tampered_store(run, report, script):
    """A value of another type or shape, another schema, a trigger, a view without end."""
    change(run, script)
    code, said = report()
    assert (code, "run.db" in said) == (2, True), said


def test_store_is_refused_before_it_is_written(run):
    """A trigger would run where the run goes on, or is merged."""
    change(run, "CREATE TRIGGER t AFTER DELETE ON problems BEGIN DELETE FROM calls; END")
    with pytest.raises(UserError, match="other tables than ours, views or triggers"):
        Store(run / "run.db")
    with closing(Store(run / "new.db")) as store, pytest.raises(UserError, match=r"run\.db: damaged"):
        store.absorb(run / "run.db")


@pytest.mark.parametrize("place", [16, 28, 100, 4096, 4100, 5000, 9000])
def test_damaged_pages(run, report, place):
    """Bytes that are not SQLite's any more."""
    change(run, "PRAGMA wal_checkpoint(TRUNCATE)")
    with (run / "run.db").open("r+b") as file:
        file.seek(place)
        file.write(b"\xff\x00\x13" * 400)
    report()


def test_page_that_names_itself(run, report):
    """A tree of pages in which every page is below itself has rows without end."""
    change(run, "PRAGMA wal_checkpoint(TRUNCATE)")
    with closing(sqlite3.connect(run / "run.db")) as database:
        (size,) = database.execute("PRAGMA page_size").fetchone()
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'problems'").fetchone()
    cells = 100
    inner = bytes([5, 0, 0]) + cells.to_bytes(2) + (size - 5 * cells).to_bytes(2) + b"\0" + page.to_bytes(4)
    places = b"".join((size - 5 * number).to_bytes(2) for number in range(cells, 0, -1))
    content = b"".join(page.to_bytes(4) + bytes([number]) for number in range(cells))
    with (run / "run.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write((inner + places).ljust(size - len(content), b"\0") + content)
    assert report()[0] == 2


def test_execution_that_unpacks_without_end(run):
    """It is not unpacked further than any that is written."""
    packed = zlib.compress(b'{"status": "OK", "stdout": "' + bytes(400 << 20), 9)
    with closing(sqlite3.connect(run / "run.db")) as database:
        database.execute("UPDATE executions SET execution = ?, key = rowid", (packed,))
        database.commit()
    with closing(Store(run / "run.db", read_only=True)) as store, pytest.raises(UserError, match="too long"):
        store.get_execution("1")


def test_values_that_share_their_pages(run):
    """A query gives no more text than the file holds."""
    with closing(Store(run / "run.db", read_only=True)) as store:
        with pytest.raises(UserError, match="gives more than it holds"):
            list(store._read((str,), "SELECT a.request FROM calls a, calls b, calls c, calls d, calls e"))
        with pytest.raises(UserError, match="damaged"):
            list(store._read((int,), f"{ENDLESS} COUNT(*) FROM r"))


@pytest.mark.parametrize("name", ["run.db", "run.db-wal", "run.db-shm"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_store_that_is_a_link(run, report, folder, name, kind):
    """Nothing is followed or waited for, when reading or writing."""
    for old in run.glob("run.db-*"):
        old.unlink()
    place = run / name
    if place.exists():
        place.rename(folder / "victim")
    else:
        (folder / "victim").write_bytes(b"x")
    place.symlink_to(folder / "victim") if kind == "link" else os.mkfifo(place)
    before = (folder / "victim").read_bytes()
    assert report()[0] == 2
    with pytest.raises(UserError, match="a link, or no file"):
        Store(run / "run.db")
    assert (folder / "victim").read_bytes() == before


def write_journal(database, victim):
    """A journal of one page, to be rolled back, that ends with the name of `victim` (SQLite, section 3.2)."""
    data = database.read_bytes()
    size = int.from_bytes(data[16:18]) % 65535 or 65536
    page, magic = data[:size], bytes.fromhex("d9d505f920a163d7")
    head = [1, 7, len(data) // size, 512, size]
    check = (7 + sum(page[place] for place in range(size - 200, 0, -200))) & 0xFFFFFFFF
    numbers = [0x40000000 // size + 1, len(name := bytes(victim)), sum(name) & 0xFFFFFFFF]
    place, *rest = (number.to_bytes(4) for number in numbers)
    content = (magic + b"".join(number.to_bytes(4) for number in head)).ljust(512, b"\0")
    content += (1).to_bytes(4) + page + check.to_bytes(4) + place + name + b"".join(rest) + magic
    database.with_name(f"{database.name}-journal").write_bytes(content)


def test_a_journal_deletes_no_other_file(run, report, folder):
    """SQLite itself takes away the file that a journal names; a run's store is not opened with such a one."""
    (victim := folder / "victim").write_text("precious")
    change(run, "PRAGMA journal_mode = DELETE")
    shutil.copy(run / "run.db", plain := folder / "plain.db")
    write_journal(plain, victim)
    with closing(sqlite3.connect(plain)) as database:
        database.execute("SELECT * FROM calls").fetchall()
    assert not victim.exists()
    victim.write_text("precious")
    write_journal(run / "run.db", victim)
    assert report()[0] == 2
    for read_only in (False, True):
        with pytest.raises(UserError, match="for SQLite to delete"):
            Store(run / "run.db", read_only=read_only)
    with closing(Store(folder / "new.db")) as store, pytest.raises(UserError, match="for SQLite to delete"):
        store.absorb(run / "run.db")
    assert victim.read_text() == "precious"


_BESIDE = ("manifest.json", "summary.json", "before_added_methods.json", "starts.json", "verdicts.jsonl")


@pytest.mark.parametrize("name", _BESIDE)
@pytest.mark.parametrize("kind", ["link", "pipe", "holes", "deep"])
def test_a_file_beside_the_store_is_bounded_and_no_link(run, report, folder, name, kind):
    """It is not waited for, not read without a bound, and what a link leads to is not read at all."""
    place = run / name
    (folder / "elsewhere").write_bytes(place.read_bytes() if place.exists() else b"{}")
    place.unlink(missing_ok=True)
    if kind == "link":
        place.symlink_to(folder / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.write_text("[" * 300_000)
        os.truncate(place, 1 << 42 if kind == "holes" else 300_000)
    assert report()[0] == (2 if name == "manifest.json" else 0)
    with pytest.raises(UserError) if name == "manifest.json" else nullcontext():
        read_manifest(run)
    assert read_summary(run) == {} or name != "summary.json"
    Starts(run)
    if name == "verdicts.jsonl":
        with pytest.raises(UserError, match=r"verdicts\.jsonl"):
            read_verdicts(run, "")


def mutate(data, draw):
    """`data` with one value somewhere in it replaced by one of another kind."""
    if isinstance(data, dict | list) and data and draw.random() < 0.8:
        place = draw.choice(list(data) if isinstance(data, dict) else range(len(data)))
        copy = dict(data) if isinstance(data, dict) else list(data)
        copy[place] = mutate(copy[place], draw)
        return copy
    return draw.choice(EVIL)


@pytest.mark.parametrize("seed", range(24))
def test_one_value_is_another(run, report, seed):
    """Manifest, summary, and every column of JSON: the report is made, or one line says why not."""
    draw = random.Random(seed)
    for name in ("manifest.json", "summary.json"):
        if draw.random() < 0.3:
            (run / name).write_text(json.dumps(mutate(json.loads((run / name).read_text()), draw)))
    columns = [
        ("selections", "selection"),
        ("problems", "outcome"),
        ("calls", "answer"),
        ("calls", "request"),
    ]
    table, column = draw.choice(columns)
    with closing(sqlite3.connect(run / "run.db")) as database:
        rows = database.execute(f"SELECT rowid, {column} FROM {table}").fetchall()
        row, text = draw.choice(rows)
        changed = json.dumps(mutate(json.loads(text), draw))
        database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (changed, row))
        database.commit()
    for form in FORMATS:
        report("--format", form)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "5", '{"config": 1}', '{"config": {"problems": 5, "select": "a", "n": 1}}', "\xff",
     '{"config": {"problems": [[]], "select": "a", "n": 1}}', "[" * 100_000],
)  # fmt: skip
def test_manifest_that_is_none(run, report, text):
    """It is named, and the command to use another folder."""
    (run / "manifest.json").write_text(text, encoding="latin-1")
    code, said = report()
    assert (code, "manifest" in said) == (2, True)


@pytest.mark.parametrize("change", [{"problems": ["\ud800"]}, {"shard": "1/" + "9" * 4_500}])
def test_manifest_that_nothing_can_be_written_with(run, report, change):
    """Half of a character in an id, a part of more digits than Python reads: told in one line."""
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["config"] |= change
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert report()[0] == 2


def test_verdicts_whose_id_cannot_be_written(tmp_path):
    """Half of a character in an id is told with the file."""
    row = {"problem_id": "\ud800", "verdict": "AC", "total_tests": 1, "passed_tests": 1}
    (tmp_path / "verdicts.jsonl").write_text(json.dumps(row))
    with pytest.raises(UserError, match=r"verdicts\.jsonl: .*half of a character"):
        read_verdicts(tmp_path, "")
