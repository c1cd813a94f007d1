"""What is read off a repository without running it: functions, files, names, and the forms of findings."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from sstar_code.agent.repository.find import git, places
from sstar_code.agent.repository.find.assess import check_files, why_impossible
from sstar_code.agent.repository.find.places import locate
from sstar_code.agent.repository.find.project_files import (
    find_root,
    is_test_file,
    list_files,
    list_names,
    list_tests,
    parse_source,
    read_source,
    read_targets,
)
from sstar_code.agent.repository.find.stubs import Shape, all_functions, find_function, find_stubs, statements
from sstar_code.agent.repository.findings import FORMATS, Finding, write_markdown
from sstar_code.problems import UserError
from tests.support.growth import assert_linear

CLASS = '''import functools
class Outer:
    class Inner:
        @functools.cached_property
        def cached(self): ...
        @staticmethod
        async def static(): ...
    def method(self):
        """Do.

        More."""
        def local(): ...
    @classmethod
    def made(cls): ...
    def __new__(cls): ...
    @property
    def value(self): ...
    @value.setter
    def value(self, new): ...
    @value.deleter
    def value(self): ...
@property
def alone(): ...
'''


def parse(text, path="a.py"):
    return parse_source(Path(path), text.encode())


def functions(text):
    return {stub.qualname: stub for stub in all_functions(parse(text))}


def test_functions_are_told_with_their_shape():
    """A decorator gives a function of a class its shape; the same decorator outside of one gives none."""
    found = [(stub.qualname, stub.shape, stub.line, stub.is_async) for stub in all_functions(parse(CLASS))]
    assert found == [
        ("Outer.Inner.cached", Shape.PROPERTY, 5, False),
        ("Outer.Inner.static", Shape.STATIC, 7, True),
        ("Outer.method", Shape.METHOD, 8, False),
        ("Outer.method.<locals>.local", Shape.FUNCTION, 12, False),
        ("Outer.made", Shape.CLASS, 14, False),
        ("Outer.__new__", Shape.CLASS, 15, False),
        ("Outer.value", Shape.PROPERTY, 17, False),
        ("Outer.value", Shape.SETTER, 19, False),
        ("Outer.value", Shape.SETTER, 21, False),
        ("alone", Shape.FUNCTION, 23, False),
    ]
    method = functions(CLASS)["Outer.method"]
    assert (method.docstring, method.label, method.name) == ("Do.\n\nMore.", "a.py::Outer.method", "method")
    assert functions(CLASS)["alone"].docstring == ""
    assert [stub.is_nested for stub in all_functions(parse(CLASS))].count(True) == 1


def test_open_ones_are_told_with_the_reason():
    """What is nested or of one statement more is not open."""
    source = parse(
        "def a(): ...\n"
        "def b() -> int: pass\n"
        "def c(): raise NotImplementedError\n"
        "def d():  # sstar: implement\n    return 1\n"
        "def e(): raise AttributeError\n"
        "def f(): raise\n"
        "def g():\n    ...\n    ...\n"
        "def h(): 'text'\n"
        "def i():\n    def j(): ...\n"
        "def k(): None\n"
        "def l(): raise errors.NotImplementedError('x')\n"
    )
    assert [(stub.name, stub.why) for stub in find_stubs(source)] == [
        ("a", "..."),
        ("b", "pass"),
        ("c", "raise NotImplementedError"),
        ("d", "marked"),
        ("l", "raise NotImplementedError"),
    ]


def test_a_mark_belongs_to_the_innermost_function():
    """The outer one is open only where it has a mark of its own."""
    inner = "    def g():\n        # sstar: implement\n        return 1\n"
    assert [stub.name for stub in find_stubs(parse(f"def f():\n{inner}    return g\n"))] == ["g"]
    both = f"def f():  # sstar: implement\n{inner}    return g\n"
    assert [stub.name for stub in find_stubs(parse(both))] == ["f", "g"]


def test_a_function_is_found_by_its_name():
    """The last of that name that is no overload and no setter; where all are, the last."""
    overloads = "@overload\ndef f(x): ...\n@overload\ndef f(y): ...\n"
    assert find_function(parse(overloads + "def f(z): return 1\n"), "f").line == 5
    assert find_function(parse("def f(z): return 1\n" + overloads), "f").line == 1
    assert find_function(parse(overloads), "f").line == 4
    assert find_function(parse(CLASS), "Outer.value").line == 21
    assert find_function(parse(CLASS), "Inner.cached") is None


def test_statements_of_all_branches_that_run():
    """What stands under `if TYPE_CHECKING` is for the type checker; its `else` runs."""
    source = parse(
        "if TYPE_CHECKING:\n    a = 1\nelse:\n    b = 1\n"
        "try:\n    c = 1\nexcept E:\n    d = 1\nelse:\n    e = 1\nfinally:\n    f = 1\n"
        "for x in y:\n    g = 1\nwith z:\n    h = 1\ndef i():\n    j = 1\n"
    )
    found = [node.targets[0].id for node in statements(source.tree.body) if hasattr(node, "targets")]
    assert found == ["b", "c", "e", "f", "d", "g", "h"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(x): ...", "0 examples, named in 1 test file, not typed; `sstar fix` can write it"),
        (
            'def g(x: int) -> int:\n    """Do."""\n    ...',
            (
                "0 examples, named in 0 test files, typed; `sstar fix` can write it, but nothing verifies "
                "it: add an example or a test"
            ),
        ),
        (
            'def g(x):\n    """\n    >>> g(1)\n    1\n    >>> g(2)\n    2\n    """\n    ...',
            "2 examples, named in 0 test files, not typed; `sstar fix` can write it",
        ),
        (
            "def g(x): ...",
            (
                "0 examples, named in 0 test files, not typed; cannot be written by `sstar fix`: "
                "no docstring, type, example or test says what it has to do"
            ),
        ),
        (
            "class T:\n    def g(self, *, x: int) -> int: ...",
            (
                "0 examples, named in 0 test files, typed; `sstar fix` can write it, but nothing verifies "
                "it: add an example or a test"
            ),
        ),
        (
            "class T:\n    @staticmethod\n    def g(x) -> int: ...",
            (
                "0 examples, named in 0 test files, not typed; `sstar fix` can write it, but nothing "
                "verifies it: add an example or a test"
            ),
        ),
        (
            "class f:\n    def __init__(self): ...",
            "0 examples, named in 1 test file, not typed; `sstar fix` can write it",
        ),
    ],
)
def test_what_is_known_of_a_function(tmp_path, text, message):
    """Examples and tests are counted, and the advice follows from them."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "test_a.py").write_text("f()\n")
    (tmp_path / "a.py").write_text(text)
    (finding,) = check_files([(tmp_path / "a.py", "")])
    assert finding.message == f"left open (...); {message}"
    assert finding.rule == ("cannot-be-written" if "cannot" in message else "open-function")
    with pytest.raises(UserError, match="no function 'other'; open ones are: "):
        check_files([(tmp_path / "a.py", "other")])


def test_what_no_program_can_fill():
    """A stub file holds no code."""
    assert why_impossible(functions("def f(): ...")["f"]) == ""
    (stub,) = all_functions(parse("def f(): ...", "a.pyi"))
    assert why_impossible(stub) == "a .pyi file holds no code"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"x = (\n", r"a.py:1: does not parse as Python 3[.]\d+: '\(' was never closed"),
        (b"x = '\xff'\n", "does not parse as Python 3[.]\\d+: .*"),
        (b"# coding: nonsense\n", "a.py: does not parse as Python 3[.]\\d+: unknown encoding: nonsense"),
        (b"x = '\0'\n", "does not parse as Python 3[.]\\d+: .*null bytes"),
    ],
)
def test_a_file_that_does_not_parse_is_named(data, said):
    """With the line where one is known."""
    with pytest.raises(UserError, match=said):
        parse_source(Path("a.py"), data)


@pytest.mark.parametrize(
    ("text", "newline"), [("a", "\n"), ("a\r\nb\n", "\r\n"), ("a\rb", "\r"), ("a\nb\r\n", "\n")]
)
def test_line_ends_are_those_of_the_file(text, newline):
    """The first one counts."""
    assert parse(text).newline == newline
    assert parse(text).data == text.encode()


def test_a_missing_file_is_named(tmp_path):
    """With what was wanted."""
    with pytest.raises(UserError, match=r"none\.py: No such file or directory; give Python files"):
        read_source(tmp_path / "none.py")
    with pytest.raises(UserError, match="no such file; give Python files, folders, or FILE::FUNCTION"):
        read_targets([str(tmp_path / "none.py::f")])


def test_the_root_is_the_repository_else_the_project(tmp_path):
    """A `.git` further up comes before a project file; without either it is the folder itself."""
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    file = inner / "m.py"
    file.touch()
    assert find_root(file) == find_root(inner) == inner
    (tmp_path / "a" / "setup.cfg").touch()
    assert find_root(file) == tmp_path / "a"
    (tmp_path / ".git").mkdir()
    assert find_root(file) == tmp_path


@pytest.mark.parametrize(
    ("path", "packages", "module", "base"),
    [
        ("m.py", (), "m", "."),
        ("p/m.py", (), "m", "p"),
        ("p/q/m.py", ("p", "p/q"), "p.q.m", "."),
        ("p/q/__init__.py", ("p", "p/q"), "p.q", "."),
        ("src/p/q/m.py", (), "p.q.m", "src"),
        ("lib/p/m.py", ("lib/p",), "p.m", "lib"),
        ("src/p/m.py", ("src", "src/p"), "src.p.m", "."),
        ("__init__.py", (), "__init__", "."),
    ],
)
def test_how_a_file_is_imported(tmp_path, path, packages, module, base):
    """From the folder above its outermost package; folders under `src` need no file of their own."""
    root = tmp_path / "root"
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    for package in packages:
        (root / package / "__init__.py").touch()
    place = locate(root / path, root)
    assert (place.module, place.base) == (module, root / base)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("test_a.py", True),
        ("x/a_test.py", True),
        ("conftest.py", True),
        ("x/conftest.py", True),
        ("atest_a.py", False),
        ("test_a.pyi", False),
        ("tests/a.py", False),
        ("my_conftest.py", False),
    ],
)
def test_files_of_tests_go_by_their_name(name, is_one):
    """As pytest finds them."""
    assert is_test_file(name) is is_one


FILES = (
    "a.py",
    "p/b.py",
    "p/test_b.py",
    ".hidden/c.py",
    ".hidden.py",
    "build/d.py",
    "env/pyvenv.cfg",
    "env/lib/e.py",
    "p/__pycache__/f.py",
    "p/.env",
    "p/.env.local",
    "p/server.key",
    "p/credentials.json",
    "p/made.so",
    "p/notes.txt",
)


@pytest.mark.parametrize("has_git", [False, True])
def test_files_of_a_folder(tmp_path, monkeypatch, has_git):
    """Hidden files, caches, environments and secrets are left out; git decides where there is one."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    if has_git:
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        (tmp_path / ".gitignore").write_text("*.so\nnotes.txt\nbuild/\nenv/\n__pycache__\np/made.py\n")
        (tmp_path / "p" / "made.py").touch()
        plain = [".gitignore", ".hidden.py", ".hidden/c.py", "a.py", "p/b.py", "p/test_b.py"]
        assert list_files(tmp_path) == plain
        made = {"p/made.py": False, "p/made.so": False}
        names = list_names(tmp_path, generated=True)
        assert {name: tracked for name, tracked in names.items() if not tracked} == made
        assert set(plain) < set(names)
    else:
        monkeypatch.setenv("PATH", "")
        assert list_files(tmp_path) == ["a.py", "p/b.py", "p/made.so", "p/notes.txt", "p/test_b.py"]
        assert set(list_files(tmp_path)) < set(list_names(tmp_path, generated=True))
    assert list_tests(tmp_path) == ["p/test_b.py"]
    targets = read_targets([str(tmp_path / "p"), f"{tmp_path / 'a.py'}::f", str(tmp_path / "p/notes.txt")])
    kept = ["p/b.py", "p/test_b.py"]
    assert targets == [*((tmp_path / name, "") for name in kept), (tmp_path / "a.py", "f")]


def test_a_git_that_hangs_is_as_none(tmp_path, monkeypatch):
    """The folder is walked then."""

    def run(*_, **options):
        raise subprocess.TimeoutExpired("git", options["timeout"])

    (tmp_path / "a.py").touch()
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(git.subprocess, "run", run)
    assert list_files(tmp_path) == ["a.py"]


FINDINGS = [
    Finding("open-function", "failure", "a.py", 3, "A.f", "left"),
    Finding("function-written", "passed", "b.py", 4, "g", "written"),
]


def test_findings_in_text_and_json():
    """A line each; an object with the number of each outcome."""
    assert FORMATS["text"](FINDINGS) == "a.py:3: A.f: left\nb.py:4: g: written\n"
    told = json.loads(FORMATS["json"](FINDINGS))
    assert {name: told[name] for name in ("failure", "error", "skipped", "passed")} == {
        "failure": 1,
        "error": 0,
        "skipped": 0,
        "passed": 1,
    }
    assert told["findings"][1]["line"] == 4
    assert [len(item.fingerprint) for item in FINDINGS] == [64, 64]
    assert FORMATS["github"](FINDINGS) == (
        "::error file=a.py,line=3,title=sstar%3A A.f::left\n"
        "::notice file=b.py,line=4,title=sstar%3A g::written\n"
    )


def test_a_summary_counts_what_is_left():
    """What was written is told where something was."""
    assert write_markdown(FINDINGS).splitlines()[0] == "### sstar: 1 to do, 1 written"
    assert write_markdown(FINDINGS[:1]).splitlines()[0] == "### sstar: 1 to do"
    assert write_markdown([]) == "### sstar: nothing is open\n\n"
    assert "The rest is left out" not in write_markdown(FINDINGS)
    many = write_markdown([Finding("open-function", "failure", "a.py", 3, "f", "x" * 1000)] * 1000)
    assert many.endswith("\nThe rest is left out.\n\n")
    assert 890_000 < len(many) < 900_100


@pytest.mark.parametrize(
    ("form", "out"), [("text", ""), ("json", '{"findings": []'), ("md", "### sstar: nothing")]
)
def test_nothing_open_is_said_in_the_form_that_was_asked_for(fix, tmp_path, monkeypatch, form, out):
    """Text says it on stderr alone."""
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_text("x = 1\n")
    ended = fix({}, "a.py", "--format", form)
    assert (ended.code, ended.err) == (0, "sstar: nothing is open\n")
    assert ended.out.startswith(out)
    assert bool(ended.out) == (form != "text")


def test_one_repository_at_a_time(fix, tmp_path, monkeypatch):
    """The files of two are refused."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name / ".git").mkdir(parents=True)
        (tmp_path / name / "m.py").write_text("def f() -> int: ...\n")
    ended = fix({}, "a/m.py", "b/m.py")
    assert ended.code == 2
    assert "the files belong to 2 repositories; give those of one at a time" in ended.err


def test_files_of_findings_are_written(fix, tmp_path, monkeypatch):
    """Each form to its file; GitHub's summary goes where its variable says, after what is there."""
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_text("def f(): ...\n")
    Path("summary.md").write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    ended = fix({}, "a.py", "--sarif", "s.json", "--junit", "j.xml", "--format", "github", command="check")
    assert ended.code == 1
    assert ended.out.startswith("::error file=a.py,line=1")
    assert json.loads(Path("s.json").read_text())["version"] == "2.1.0"
    assert Path("j.xml").read_text().startswith("<?xml")
    assert Path("summary.md").read_text().startswith("before\n### sstar: 1 to do")
    fix({}, "a.py", "--format", "text", command="check")
    assert Path("summary.md").read_text().count("###") == 1
    ended = fix({}, "a.py", "--junit", "none/j.xml", command="check")
    assert ended.code == 2
    assert "none/j.xml: there is no folder none; make it, or name another file" in ended.err


def test_imports_of_any_form_are_read_in_linear_time(tmp_path):
    """Lists of names that never close, a long name of a module, and no more than the beginning of a file."""

    def read(count):
        (tmp_path / "m.py").write_text("from a import (\n" * count)
        return places._list_imports.__wrapped__(tmp_path)

    assert_linear(read, 2000)
    assert read(3) == {"a"}
    (tmp_path / "m.py").write_text(
        f"import b\nfrom {'a' * 5000} import {'c, ' * 5000}\n{' ' * (5 << 20)}\nimport d\n"
    )
    assert places._list_imports.__wrapped__(tmp_path) == {"b"}
