"""A candidate's body in its place, and nothing else changed."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.repository.find.project_files import parse_source, split_lines
from sstar_code.agent.repository.find.stubs import find_again, find_function, find_stubs
from sstar_code.agent.repository.task.checks import mark_open
from sstar_code.agent.repository.write.changes import make_diff
from sstar_code.agent.repository.write.splice import MisfitError, indent_block, put_candidate


def fill(text, code, name="f", data=None):
    source = parse_source(Path("/r/a.py"), data if data is not None else text.encode())
    return put_candidate(find_function(source, name), code).source


@pytest.mark.parametrize(
    ("before", "code", "after"),
    [
        ("def f(x): ...  # later\n", "def f(x):\n    return x", "def f(x):\n    return x\n"),
        (
            "def f(x):\n\t...\ny = 1",
            "def f(x):\n  if x:\n    return x",
            "def f(x):\n\tif x:\n\t\treturn x\ny = 1",
        ),
        ("def f(x):\r\n  ...", "def f(x):\n    return x\n", "def f(x):\r\n  return x"),
        (
            '@d  # why\ndef f(  x ,y=1 ):\n    """Doc."""\n    # kept\n    pass\n# after\n',
            'def f(x, y):\n    """Other."""\n    # new\n    return x',
            '@d  # why\ndef f(  x ,y=1 ):\n    """Doc."""\n    # kept\n    # new\n    return x\n# after\n',
        ),
        (
            "def f(x):\n    ...\n",
            "import math\nK = 2\ndef g(y): return math.sin(y) * K\ndef f(x):\n    return g(x)\nprint(1)",
            "def f(x):\n    import math\n    K = 2\n    def g(y): return math.sin(y) * K\n    return g(x)\n",
        ),
        (
            "import math\ndef g(y): return y\ndef f(x):\n    ...\n",
            "import math\ndef g(y):\n    return 2\ndef f(x):\n    return math.sin(g(x))",
            "import math\ndef g(y): return y\ndef f(x):\n    return math.sin(g(x))\n",
        ),
        (
            "class A:\n    def f(self): ...\n",
            'class A:\n    def f(self):\n        return """a\n  b"""\n',
            'class A:\n    def f(self):\n        return """a\n  b"""\n',
        ),
        (
            "def f(x):\n    # sstar: implement\n    return 1\n",
            "def f(x): return 2",
            "def f(x):\n    return 2\n",
        ),
        ("def f(x):  # sstar: implement\n    return 1\n", "def f(x): return 2", "def f(x):\n    return 2\n"),
        (
            'def f(x):\n    """Only."""  # sstar: implement\n',
            "def f(x): return 2",
            'def f(x):\n    """Only."""\n    return 2\n',
        ),
        (
            "def f(x):\n    # sstar: implement\n    @d\n    def g(): return x\n    return g\n",
            "def f(x): return 2",
            "def f(x):\n    return 2\n",
        ),
        (
            "class A:\n    def f(self):  # sstar: implement\n        pass\n\n    y = 1",
            "class A:\n    def f(self):\n        if 1:\n            return 2",
            "class A:\n    def f(self):\n        if 1:\n            return 2\n\n    y = 1",
        ),
        ("def f(x): ...\r\ny = 1\n", "def f(x):\n    return x", "def f(x):\r\n    return x\r\ny = 1\n"),
        (
            "a = 1\r\ndef f(x):\r\n    ...\ny = 1\r\n",
            "def f(x):\n    x += 1\n    return x",
            "a = 1\r\ndef f(x):\r\n    x += 1\n    return x\ny = 1\r\n",
        ),
        ("x = 1\ndef f(x):\r\n    ...", "def f(x): return x", "x = 1\ndef f(x):\r\n    return x"),
        ("def f(x, /, *, y): ...\n", "def f(x, y): return y", "def f(x, /, *, y):\n    return y\n"),
        ("def f(x, y): ...\n", "def f(x, /, *, y): return y", "def f(x, y):\n    return y\n"),
        (
            "class A:\n    def f(self): ...\n",
            '\n    @d\n    def f(self):\n        s = """a\n  b"""\n        return s\n',
            'class A:\n    def f(self):\n        s = """a\n  b"""\n        return s\n',
        ),
        (
            "class A:\n    def f(self): ...\n",
            "\tdef f(self):\n\t\tif self:\n\t\t\treturn 1\n\n\tdef g(self):\n\t\treturn 2\n",
            "class A:\n    def f(self):\n        if self:\n            return 1\n",
        ),
    ],
)
def test_only_the_body_changes(before, code, after):
    """Signature, decorators, comments, indentation and line ends are the file's."""
    name = "A.f" if before.startswith("class") else "f"
    assert fill(before, code, name).data.decode() == after


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("def g(x): return x", "does not define f"),
        ("def f(y): return y", "parameters have to be (x), not (y)"),
        ("def f(*x): return x", "parameters have to be (x), not (*x)"),
        ("    def f(x):\n  return x", "does not parse"),
        ("async def f(x): return x", "a plain def"),
        ("def f(x): ...", "left open"),
        ("def f(x):\n    'Only a docstring.'", "has no body"),
        ("def f(x):\n    global N\n    N = x", "module-level variables (N)"),
        ("def f(x:", "does not parse"),
    ],
)
def test_misfits_are_told_why(code, why):
    """A candidate that cannot stand there is refused with a reason a model can use."""
    with pytest.raises(MisfitError) as error:
        fill("def f(x): ...\n", code)
    assert why in str(error.value)


@pytest.mark.parametrize(
    ("code", "carried"),
    [
        ("from typing import List\nclass R: pass\ndef f(x: List) -> R:\n    return x", []),
        ("K = 1\nfrom functools import cache\n@cache\ndef f(x=K):\n    return x", []),
        (
            "from functools import cache\nK = 1\n@cache\ndef g(y=K): return y\ndef f(x):\n    return g()",
            [0, 1, 2],
        ),
        ("class R: pass\ndef g(y: R): return y\ndef f(x):\n    return g(x)", [0, 1]),
        ("import os\ndef f(x):\n    os = x\n    return os", []),
        ("import os\ndef f(x):\n    def g(os): return os\n    return g(os)", [0]),
        ("import os\ndef f(x):\n    return [os for os in x]", []),
        ("import os\ndef f(x):\n    y: os = x\n    return y", [0]),
        ("import os.path as p, sys\ndef f(x):\n    return p", [0]),
        ("import known\nimport typed\ndef f(x):\n    return known, typed, looped", [1]),
        ("def print(y): pass\ndef f(x):\n    return print(x)", []),
        ("a = b = 1; c = 2\ndef f(x):\n    return a", [0, 1]),
        ("class G:\n    def m(self): return K\nK = 1\ndef f(x):\n    return G()", [0, 1]),
        ("from __future__ import annotations\nfrom os import *\ndef f(x):\n    return annotations", []),
        ("def g(y): return f(y)\ndef f(x):\n    return g(x)", [0]),
    ],
)
def test_what_the_body_needs_travels_with_it(code, carried):
    """Imports, helpers and constants that the body reads and the file lacks; nothing for the own head."""
    before = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import typed\nelse:\n    import known\n"
        "for looped in (): pass\ndef f(x): ...\n"
    )
    own = ast.parse(code).body
    source = fill(before, code)
    body = find_function(source, "f").node.body
    wanted = [own[index] for index in carried]
    assert [ast.unparse(item) for item in body[: len(wanted)]] == [ast.unparse(item) for item in wanted]
    node = next(item for item in own if isinstance(item, ast.FunctionDef) and item.name == "f")
    assert [ast.unparse(item) for item in body[len(wanted) :]] == [ast.unparse(item) for item in node.body]


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("class A:\n  def f(self): return 1\ndef f(self): return 2", 1),
        ("def f(self): return 2\nclass A:\n  def f(self): return 1", 1),
        ("class A:\n  def f(self): ...\ndef f(self): return 2", 2),
        ("class A:\n  def f(self): return 1\nclass A:\n  def f(self): return 3", 3),
        ("class A:\n  def f(self): return 1\nclass A:\n  def f(self): pass", 1),
        ("class B:\n  def f(self): return 1\ndef f(self): return 2", 2),
        ("class O:\n  class A:\n    def f(self): return 1", 1),
    ],
)
def test_the_definition_that_is_meant_is_taken(code, value):
    """In the class of its name before the margin, one with a body before an open one, then the last."""
    assert fill("class A:\n  def f(self): ...\n", code, "A.f").text.endswith(f"return {value}\n")


def test_a_candidate_that_does_not_compile_is_refused():
    """What parses but cannot be compiled is told like what does not parse."""
    with pytest.raises(MisfitError, match="does not compile"):
        fill("def f(x): ...\n", "def f(x):\n    global x\n    return x")


def test_further_methods_are_refused():
    """Helpers have to be inside the function: the class stays as it is."""
    code = "class A:\n    def f(self):\n        return self._g()\n    def _g(self):\n        return 1\n"
    with pytest.raises(MisfitError, match="further methods"):
        fill("class A:\n    def f(self): ...\n", code, "A.f")


def test_encodings_stay():
    """A file in another encoding, or with a byte order mark, keeps it."""
    latin = '# coding: latin-1\nX = "é"\ndef f(x): ...\n'.encode("latin-1")
    assert fill("", "def f(x): return x", data=latin).data == latin.replace(b" ...", b"\n    return x")
    marked = b"\xef\xbb\xbfdef f(x): ...\n"
    assert fill("", "def f(x): return x", data=marked).data == marked.replace(b" ...", b"\n    return x")
    with pytest.raises(MisfitError, match="fit into the file"):
        fill("", 'def f(x): return "\u4e00"', data=latin)


LINE = st.sampled_from(
    [
        "x = 1",
        "if x:\n    y = (1,\n         2)\nelse:\n    y = 2",
        's = """a\n b"""',
        "# note",
        "for i in x:\n  # in\n  pass",
    ]
)


@given(
    st.lists(LINE, min_size=1, max_size=6),
    st.sampled_from(["    ", "\t", "        "]),
    st.sampled_from(["  ", "\t"]),
)
def test_moved_blocks_mean_the_same(parts, base, unit):
    """Another margin and another unit change no statement."""
    block = "\n".join([*parts, "z = 0"])
    moved = "\n".join(indent_block(textwrap.indent(block, "    ", lambda _: False) or block, base, unit))
    assert ast.dump(ast.parse(f"if 1:\n{moved}").body[0].body[-1]) == ast.dump(ast.parse("z = 0").body[0])
    assert ast.dump(ast.parse(block)) == ast.dump(ast.Module(ast.parse(f"if 1:\n{moved}").body[0].body, []))


@pytest.mark.parametrize("margin", ["", " ", "\t"])
def test_a_block_is_moved_from_any_margin(margin):
    """Statements keep their depth, lines that go on one their distance from it."""
    block = f"{margin}if x:\n{margin}  y = (1,\n{margin}       2)\n\n{margin}# note\n{margin}z = 0"
    assert indent_block(block, "        ", "    ") == [
        "        if x:", "            y = (1,", "                 2)", "", "        # note", "        z = 0",
    ]  # fmt: skip


@given(st.text(alphabet="ab\r\n\f ", max_size=40))
def test_lines_lose_nothing(text):
    """The lines of a text make the text."""
    assert "".join(split_lines(text)) == text


def test_a_diff_can_be_applied(tmp_path):
    """`git apply` makes the new file of the old one, whatever the line ends."""
    import subprocess

    for number, text in enumerate(
        ["def f(x): ...\n", "a = 1\r\ndef f(x):\r\n    ...\r\nb = 2", "def f(x): ..."]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / "a.py"
        path.write_bytes(text.encode())
        source = parse_source(path, text.encode())
        after = put_candidate(find_stubs(source)[0], "def f(x):\n    return x").source
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        diff = make_diff(source, after, folder)
        subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], cwd=folder, input=diff, check=True)
        assert path.read_bytes() == after.data


ACCESSORS = """class A:
    @property
    def x(self) -> int:
        ...

    @x.setter
    def x(self, value: int) -> None:
        ...
"""
BOTH = """class A:
    @property
    def x(self):
        return self._x

    @x.setter
    def x(self, value):
        self._x = value
"""


def test_a_setter_is_told_from_its_property():
    """Both have one qualified name; each is found again, and takes its own body of an answer with both."""
    source = parse_source(Path("/r/a.py"), ACCESSORS.encode())
    getter, setter = find_stubs(source)
    assert (getter.label, setter.label) == ("/r/a.py::A.x", "/r/a.py::A.x (setter)")
    for stub in (getter, setter):
        assert find_again(source, stub) == replace(stub, why="asked for")
    text = put_candidate(setter, BOTH).source.text
    assert text == ACCESSORS.replace("-> None:\n        ...", "-> None:\n        self._x = value")
    getter = find_again(parse_source(Path("/r/a.py"), text.encode()), getter)
    text = put_candidate(getter, BOTH).source.text
    assert text.count("return self._x\n") == text.count("self._x = value\n") == 1
    assert find_again(parse_source(Path("/r/a.py"), b"def x(): ..."), setter) is None


def test_an_open_async_function_reports_its_call():
    """Whether it is awaited or iterated over, the call itself is what is seen."""
    source = parse_source(Path("/r/a.py"), b"@final\nasync  def f(x):\n    ...\n\n\nasync def g(): ...\n")
    marked = mark_open(find_stubs(source)[0]).source
    assert marked.text.startswith(
        "@final\ndef f(x):\n    getattr(__import__('builtins'), '_sstar_reached', str)"
    )
    assert marked.text.endswith("async def g(): ...\n")
