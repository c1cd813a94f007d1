"""A repository is copied, shown in a sandbox, and answers requests from inside."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import anyio
import pytest

from sstar_code.sandbox import SandboxError, snapshot
from sstar_code.sandbox import repository as module
from sstar_code.sandbox.interpreter import find_packages
from sstar_code.sandbox.repository import (
    IsolatedRepository,
    ProjectSession,
    RepositoryLostError,
    write_control,
)
from sstar_code.sandbox.snapshot import LEADS_OUT, LeftOut, open_up, write_snapshot

MODULE = """import asyncio
import os
import sys

print("imported")
LOG = []


class Box:
    def __init__(self, size, name="b"):
        self.size, self.name = size, name

    def grow(self, by, *, times=1):
        self.size += by * times
        return self.size

    @property
    def half(self):
        return self.size / 2

    @half.setter
    def half(self, value):
        self.size = 2 * value

    class Inner:
        @staticmethod
        def twice(x):
            return 2 * x


def add(x, y=0):
    return x + y


def change(items):
    items.append(1)
    print("changed", len(items))


def count(n):
    yield from range(n)


async def later(x):
    await asyncio.sleep(0)
    return x


async def stream(n):
    for number in range(n):
        yield number


def fail(kind):
    raise {"value": ValueError("no"), "key": KeyError("k"), "exit": SystemExit(3)}[kind]


def end(kind):
    if kind == "exit":
        os._exit(5)
    if kind == "kill":
        os.kill(os.getpid(), 11)
    if kind == "spin":
        while True:
            pass
    if kind == "sleep":
        import time
        time.sleep(60)
    if kind == "eat":
        return len(bytearray(1 << 30))
    if kind == "write":
        import signal
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
        while True:
            os.write(1, b"x" * (1 << 16))
    if kind == "say":
        os.write(2, b"said")
    return kind


def open_still():
    import builtins
    builtins._sstar_reached("a.py::open_still")
    raise NotImplementedError("open")
"""
TESTS = """import pytest
from a import add, open_still


def test_good():
    assert add(1, 2) == 3


@pytest.mark.parametrize("x", [1, 2])
def test_some(x):
    assert add(x) == 1


def test_skipped():
    pytest.skip("no")


@pytest.mark.xfail
def test_expected():
    assert add(1) == 2


def test_open():
    open_still()


@pytest.fixture
def broken():
    raise RuntimeError("fixture")


def test_fixture(broken):
    pass
"""


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "a.py").write_text(MODULE)
    (folder / "test_a.py").write_text(TESTS)
    (folder / "test_b.py").write_text("import nothing_of_this_name\n")
    return folder


def make(root, names=("a.py", "test_a.py", "test_b.py"), **more):
    """The repository as it is shown, with the interpreter of the tests."""
    folder = root.parent
    shown = find_packages(sys.executable, root)
    write_control(folder / "control", 1000)
    write_snapshot(root, names, folder / "copy")
    return IsolatedRepository(
        root,
        folder / "copy",
        folder / "control",
        sys.executable,
        shown.trees,
        shown.files,
        shown.links,
        (str(root),),
        {},
        **more,
    )


LIMITS = {"cpu_s": 1.0, "wall_s": 10.0, "memory_mb": 200, "output_kb": 64}


def target(*path, how="function", constructor=None, keywords=(), raises=()):
    return {
        "module": "a",
        "path": list(path),
        "how": how,
        "constructor": constructor,
        "keywords": list(keywords),
        "raises": list(raises),
    }


def ask(held, root, *requests):
    """The answers to each request, without what was measured."""

    async def run():
        async with ProjectSession(held.sandbox, make(root)) as session:
            assert session.python == ".".join(map(str, sys.version_info[:3]))
            found = []
            for request in requests:
                answers = await session.ask(request, 60.0)
                for answer in answers:
                    if "cpu_s" in answer:
                        assert 0 <= answer.pop("cpu_s") < 5
                        assert 0 < answer.pop("wall_s") < 60
                        assert 1 < answer.pop("memory_mb") < 1000
                found.append(answers)
        assert session.is_closed
        return found

    return held.call(run)


def call(where, inputs, plain=False, **limits):
    return {
        "do": "call",
        "target": where,
        "inputs": inputs,
        "plain": [plain] * len(inputs),
        "limits": LIMITS | limits,
    }


def good(value, stdout=""):
    return {"status": "OK", "result": value, "reached": [], "stdout": stdout}


def test_functions_are_called_with_plain_values(sandbox_local, root):
    """What they return, change, print, promise to raise, await or yield."""
    found = ask(
        sandbox_local,
        root,
        call(target("add"), ["1\n2", "1"]),
        call(target("add", keywords=["y"]), ["1\n5"]),
        call(target("change"), ["[7]"]),
        call(target("change"), ["[7]"], plain=True),
        call(target("count"), ["3"]),
        call(target("later"), ["3"]),
        call(target("stream"), ["2"]),
        call(target("Box", "grow", how="method", constructor=1, keywords=["times"]), ["1\n2\n3"]),
        call(target("Box", "half", how="property", constructor=2), ['3\n"x"']),
        call(target("Box", "half", how="property setter", constructor=1), ["3\n4"]),
        call(target("Box", "Inner", "twice", how="static method"), ["4"]),
        call(target("fail", raises=["LookupError"]), ['"key"']),
    )
    box = '{"name": "b", "size": %d}'
    found = [[json.loads(item.pop("result")), item] for answers in found for item in answers]
    expected = [
        3,
        1,
        6,
        {"returned": None, "arguments": [[7, 1]], "printed": "changed 2\n"},
        None,
        {"yields": [0, 1, 2]},
        3,
        {"yields": [0, 1]},
        {"returned": 7, "object": json.loads(box % 7)},
        1.5,
        {"returned": None, "object": json.loads(box % 8)},
        8,
        {"raised": "KeyError"},
    ]
    assert [value for value, _ in found] == expected
    assert [rest.pop("is_behaviour", False) for _, rest in found] == [
        isinstance(item, dict) for item in expected
    ]
    assert [rest for _, rest in found] == [{"status": "OK", "reached": [], "stdout": ""}] * 13


def test_how_a_call_ends_badly(sandbox_local, root):
    """The exception with the lines it went through, and each limit under its name."""
    end = target("end")
    raised, key, missing, *ends = (
        answers[0]
        for answers in ask(
            sandbox_local,
            root,
            call(target("fail"), ['"value"']),
            call(target("fail", raises=["ValueError"]), ['"exit"']),
            call(target("open_still"), [""]),
            *(call(end, [f'"{kind}"']) for kind in ("exit", "kill", "say", "eat", "write")),
            call(end, ['"spin"'], cpu_s=0.2),
            call(end, ['"sleep"'], wall_s=0.2),
        )
    )
    assert (raised["status"], raised["failure"]) == ("RE", ["ValueError", "no"])
    lines = MODULE.splitlines()
    file, line = raised["places"][-1]
    assert (Path(file).name, lines[line - 1].strip()[:5]) == ("a.py", "raise")
    assert key["failure"] == ["SystemExit", "3"]
    assert missing["reached"] == ["a.py::open_still"]
    left, killed, said, eaten, written, spun, slept = ends
    assert left["failure"] == ["exit status 5", "it ended its own process"]
    assert killed["failure"] == ["SIGSEGV", "it ended its own process"]
    assert (said["result"], said["stdout"]) == ('"say"', "said")
    assert eaten["status"] == "MLE"
    assert written["status"] == "OLE"
    assert len(written["stdout"]) <= 4000
    assert [(one["status"], one["limit"]) for one in (spun, slept)] == [("TLE", "cpu"), ("TLE", "wall")]


def test_examples_run_in_the_name_space_of_the_module(sandbox_local, root):
    """Each group in its own; a module that cannot be imported fails every group."""
    groups = [["add(1, 2)\n", "y = 4\n", "y\n", "print('a')\n", "1 / 0\n"], ["y\n"]]
    found, broken = ask(
        sandbox_local,
        root,
        {"do": "examples", "module": "a", "groups": groups, "limits": LIMITS},
        {"do": "examples", "module": "test_b", "groups": groups, "limits": LIMITS},
    )
    gone = "No module named 'nothing_of_this_name'"
    assert [answer["outcomes"] for answer in found] == [
        [["3\n", ""], ["", ""], ["4\n", ""], ["a\n", ""], ["", "ZeroDivisionError: division by zero"]],
        [["", "NameError: name 'y' is not defined"]],
    ]
    assert (
        broken
        == [
            {
                "status": "CE",
                "failure": [
                    "ModuleNotFoundError",
                    f"the module cannot be imported: ModuleNotFoundError: {gone}",
                ],
            }
        ]
        * 2
    )


def test_tests_run_each_in_a_process_of_its_own(sandbox_local, root):
    """What passed, failed and where, was skipped or expected, could not be collected, and was reached."""
    request = {"do": "tests", "control": module.CONTROL, "limits": LIMITS | {"cpu_s": 20.0}, "total_s": 60.0}
    (answers,) = ask(
        sandbox_local,
        root,
        request | {"select": ["test_a.py", "test_b.py", "--continue-on-collection-errors"]},
    )
    *tests, log = answers
    assert (set(log), log["ended"]) == ({"log", "ended"}, 1)
    told = {
        item["test"].partition("::")[2] or item["test"]: (
            item["status"],
            item.get("outcome"),
            item.get("when"),
            item.get("failure"),
            item.get("line"),
            item.get("starts"),
        )
        for item in tests
    }
    no_end = "it was not run to its end"
    lines = TESTS.splitlines()
    assert told == {
        "test_b.py": (
            "CE",
            None,
            None,
            ["CollectError", "E   ModuleNotFoundError: No module named 'nothing_of_this_name'"],
            None,
            None,
        ),
        "test_good": ("OK", "passed", None, None, None, 5),
        "test_some[1]": ("OK", "passed", None, None, None, 9),
        "test_some[2]": (
            "RE",
            "failed",
            "call",
            ["AssertionError", "assert 2 == 1\n +  where 2 = add(2)"],
            11,
            9,
        ),
        "test_skipped": ("RE", "skipped", "call", ["skipped", no_end], 0, 14),
        "test_expected": (
            "RE",
            "xfailed",
            "call",
            ["xfailed", no_end],
            lines.index("def test_expected():") + 2,
            18,
        ),
        "test_open": ("RE", "failed", "call", ["NotImplementedError", "open"], 24, 23),
        "test_fixture": ("RE", "failed", "setup", ["RuntimeError", "fixture"], 29, 32),
    }
    (reaching,) = (item for item in tests if item["test"].endswith("test_open"))
    assert reaching["reached"] == ["a.py::open_still"]
    assert reaching["file"] == "test_a.py"


def test_tests_that_take_too_long_are_cut(sandbox_local, root):
    """What came to an end until then is told."""
    request = {
        "do": "tests",
        "control": module.CONTROL,
        "limits": LIMITS,
        "total_s": 0.0,
        "select": ["test_a.py"],
    }
    ((over, log),) = ask(sandbox_local, root, request)
    assert (over, set(log)) == ({"over": True}, {"log", "ended"})


def test_the_tests_under_way_tell_of_their_cpu_time(sandbox_local, root):
    """The outside hears how much they got, collecting included, so that it waits as long as they work."""
    (root / "test_a.py").write_text("import time\ndef test():\n    while time.process_time() < 1: pass\n")
    shown = make(root)
    kernel = root.parent / "control" / "sstar_code" / "sandbox" / "inside" / "kernel.py"
    kernel.write_text(kernel.read_text().replace("HEARTBEAT_S = 5.0", "HEARTBEAT_S = 0.01"))
    heard = []

    class Listening(ProjectSession):
        def _line(self, deadline_s):
            heard.append(super()._line(deadline_s))
            return heard[-1]

    async def run():
        async with Listening(sandbox_local.sandbox, shown) as session:
            request = {"do": "tests", "control": module.CONTROL, "limits": LIMITS | {"cpu_s": 20.0}}
            return await session.ask({**request, "total_s": 60.0, "select": ["test_a.py"]}, 60.0)

    (test, _) = sandbox_local.call(run)
    assert test["status"] == "OK"
    used = [line["heartbeat"] for line in heard if "heartbeat" in line]
    assert len(set(used)) > 1
    assert used[-1] > 1.0


class Inside:
    """A worker that says what it is told to, piece by piece."""

    def __init__(self, *pieces, log="one\nlast words\n"):
        self.sent, self.killed, self.waits = [], 0, []
        self._pieces = list(pieces)
        self._log = log

    def start(self):
        pass

    def send(self, data):
        self.sent.append(data)

    def receive(self, timeout_s):
        self.waits.append(timeout_s)
        piece = self._pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    def log(self):
        return self._log

    def kill(self):
        self.killed += 1

    def make_repository_worker(self, repository):
        return self


@pytest.fixture
def shown(root):
    return make(root)


@pytest.mark.anyio
async def test_answers_come_in_any_pieces(shown):
    """Until the one that says that it is done; the patience is that of the request and two minutes."""
    inside = Inside(
        b'{"ready": ', b'"3.11.9"}\n{"a"', b': 1}\n{"b": 2}\n{"done": true}\n', b'{"done": true}\n'
    )
    async with ProjectSession(inside, shown) as session:
        assert (session.python, session.is_closed) == ("3.11.9", False)
        assert await session.ask({"do": "x"}, 5.0) == [{"a": 1}, {"b": 2}]
        assert await session.ask({"do": "y"}, 0.0) == []
    assert session.is_closed
    assert inside.killed == 1
    settings, *requests = [json.loads(data) for data in inside.sent]
    assert settings["root"] == str(shown.root)
    assert "seccomp" in settings
    assert requests == [{"do": "x"}, {"do": "y"}]
    assert [round(wait) for wait in inside.waits] == [180, 180, 125, 120]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("piece", "reason"),
    [
        (b"", "the repository's sandbox ended"),
        (b"[1]\n", "the repository's sandbox talks nonsense"),
        (TimeoutError("no answer"), "no answer"),
    ],
)
async def test_a_sandbox_that_is_lost_is_closed(shown, piece, reason):
    """With what the inside said last."""
    inside = Inside(b'{"ready": "3"}\n', piece)
    async with ProjectSession(inside, shown) as session:
        with pytest.raises(RepositoryLostError) as caught:
            await session.ask({}, 1.0)
        assert session.is_closed
    assert caught.value.reason == reason
    assert f"is lost ({reason}: last words); run the command again" in str(caught.value)
    assert "is lost (why); run" in str(RepositoryLostError("why"))


@pytest.mark.anyio
@pytest.mark.parametrize(("log", "why"), [("a\nb\n", "b"), ("", "the repository's sandbox ended")])
async def test_an_inside_that_does_not_start_says_why(shown, log, why):
    """Its last words, else what happened."""
    inside = Inside(b"", log=log)
    with pytest.raises(SandboxError, match=f"does not start in the sandbox: {why}"):
        await ProjectSession(inside, shown).__aenter__()
    assert inside.killed == 1


@pytest.mark.anyio
async def test_a_start_that_is_withdrawn_is_ended(shown):
    """Nothing of it is left."""
    inside = Inside()
    inside.receive = lambda _: __import__("time").sleep(0.2) or b""
    with anyio.move_on_after(0.05) as scope:
        await ProjectSession(inside, shown).__aenter__()
    assert scope.cancelled_caught
    assert inside.killed >= 1


def test_what_is_seen_inside(root):
    """The copy at the repository's place, then what lies in it, files of a version, and ours."""
    tree = str(root / "env")
    shown = IsolatedRepository(
        root, Path("/copy"), Path("/control"), "/p/bin/python", ("/usr/lib", tree), (), (), ("/x", "/y"),
        {f"{root}/a.py": "/file"},
    )  # fmt: skip
    assert shown.binds == [
        ("/copy", str(root)),
        (tree, tree),
        ("/file", f"{root}/a.py"),
        ("/control", module.CONTROL),
        ("/control/passwd", "/etc/passwd"),
        ("/control/hosts", "/etc/hosts"),
    ]
    assert shown.outer_trees == ["/usr/lib"]
    assert shown.scratch == [("/tmp", 256, 20_000), ("/dev/shm", 64, 20_000)]
    assert shown.memory_mb == 2048
    assert shown.command[:6] == ["/p/bin/python", "-s", "-B", "-X", "utf8", "-c"]
    environment = shown.settings["environment"]
    assert environment["PATH"] == "/p/bin:/usr/bin:/bin"
    assert environment["PYTHONPATH"] == "/x:/y"
    assert (environment["PYTHONHASHSEED"], environment["PYTHONDONTWRITEBYTECODE"]) == ("0", "1")
    assert shown.settings["path"] == ["/x", "/y"]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_copy_can_be_read_by_all(tmp_path):
    """Links that stay inside are kept, others left out; places for what is shown over it are made."""
    root, copy = tmp_path / "root", tmp_path / "copy"
    (root / "p").mkdir(parents=True)
    (root / "p" / "run.sh").write_text("x")
    (root / "p" / "run.sh").chmod(0o700)
    (root / "p" / "secret.py").write_text("y")
    (root / "p" / "secret.py").chmod(0o600)
    (root / "inner").symlink_to("p/run.sh")
    (root / "absolute").symlink_to(root / "p" / "run.sh")
    (tmp_path / "outside.txt").write_text("z")
    (root / "outer").symlink_to("../outside.txt")
    names = ["p/run.sh", "p/secret.py", "inner", "absolute", "outer"]
    left_out = write_snapshot(root, names, copy, [str(root / "env" / "lib"), "/usr/lib"])
    assert left_out == [LeftOut("outer", LEADS_OUT)]
    assert (mode(copy / "p"), mode(copy / "p/run.sh"), mode(copy / "p/secret.py")) == (0o755, 0o755, 0o644)
    assert [(copy / name).is_symlink() for name in names[2:]] == [True, True, False]
    assert (copy / "env" / "lib").is_dir()
    assert sorted(path.name for path in copy.iterdir()) == ["absolute", "env", "inner", "p"]


@pytest.mark.parametrize(("most", "fits"), [(10, True), (9, False)])
def test_a_copy_has_a_largest_size(tmp_path, monkeypatch, most, fits):
    """All files together, just as many bytes allowed."""
    monkeypatch.setattr(snapshot, "_MOST_BYTES", most)
    for name in ("a", "b"):
        (tmp_path / name).write_text("x" * 5)
    if fits:
        write_snapshot(tmp_path, ["a", "b"], tmp_path / "copy")
    else:
        with pytest.raises(ValueError, match="has more than 1 GiB or 200,000 files to copy; let git ignore"):
            write_snapshot(tmp_path, ["a", "b"], tmp_path / "copy")


def test_an_environment_is_known_by_its_configuration(tmp_path):
    """It and the interpreter behind it are seen, whatever links lead there; nothing is run."""
    base = Path(os.path.realpath(sys.executable))
    home = tmp_path / "venv"
    (home / "bin").mkdir(parents=True)
    (home / "pyvenv.cfg").write_text(f"version = 3\nhome = {base.parent}\n")
    (home / "bin" / "python3").symlink_to(base)
    (home / "bin" / "python").symlink_to("python3")
    shown = find_packages(str(home / "bin" / "python"), tmp_path / "repo")
    trees, files, links = shown.trees, shown.files, shown.links
    assert str(home / "bin") in trees
    assert str(home) not in trees
    assert str(base) in files or any(base.is_relative_to(tree) for tree in trees)
    assert list(trees) == sorted(trees)
    assert not any(one != other and Path(one).is_relative_to(other) for one in trees for other in trees)
    assert not any(file.startswith(f"{tree}/") for file in files for tree in trees)
    assert (("/bin", "usr/bin") in links) == Path("/bin").is_symlink()
    alone = find_packages(str(base), tmp_path / "repo")
    assert not any(tree.startswith(str(tmp_path)) for tree in alone.trees)


def test_what_the_inside_needs_is_laid_down(tmp_path):
    """Its source, and a user's name for the number."""
    write_control(tmp_path / "control", 4321)
    assert "4321" in (tmp_path / "control" / "passwd").read_text()
    assert "localhost" in (tmp_path / "control" / "hosts").read_text()
    inside = tmp_path / "control" / "sstar_code" / "sandbox" / "inside"
    assert {"project.py", "project_fork.py", "project_tests.py"} <= {path.name for path in inside.iterdir()}
    assert mode(inside / "project.py") == 0o644
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "link").symlink_to("/nowhere")
    open_up(tmp_path / "x")
