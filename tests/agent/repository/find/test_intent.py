"""Which empty bodies are meant to stay: what other files, imports, names and words say of them."""

from __future__ import annotations

import pytest

from sstar_code.agent.repository.find.assess import check_files
from sstar_code.agent.repository.find.project_files import read_targets

BASE = "class Base:\n    def f(self, x):\n        raise NotImplementedError\n"
BELOW = "from a import Base\nclass B(Base):\n    def f(self, x): return x\n"
HOOK = 'class Base:\n    def f(self, x):\n        """Sort the rows."""\n        pass\n'
SPECIAL = ("__init_subclass__", "__enter__", "__exit__", "__del__")
STAYS = {
    "overridden in another file": {"a.py": BASE, "b.py": BELOW},
    "overridden under another name": {
        "a.py": BASE,
        "b.py": "from a import Base as Other\nclass Base(Other):\n    def f(self, x): return x",
    },
    "overridden two classes below": {
        "a.py": BASE,
        "b.py": "import a\nclass B(a.Base): pass",
        "c.py": "from b import B\nclass C(B):\n    def f(self, x): return x",
    },
    "overridden by an attribute": {"a.py": BASE, "b.py": "from a import Base\nclass B(Base):\n    f = len"},
    "overridden below a class that a call makes": {
        "a.py": BASE + "Made = Meta('Made', (Base,), {})\nclass C(Made):\n    def f(self, x): return x"
    },
    "given by a mixin": {
        "a.py": BASE,
        "b.py": "from a import Base\nclass M:\n    def f(self, x): return x\nclass B(M, Base): pass",
    },
    "overridden in a function of a test": {
        "a.py": BASE,
        "tests/test_a.py": "import a\ndef test():\n    class B(a.Base):\n        def f(self, x): return x\n",
    },
    "a documented hook that is overridden": {
        "a.py": HOOK,
        "b.py": "from a import Base\nclass B(Base):\n    def f(self, x): super().f(x); return x",
    },
    "switched off by a subclass": {
        "a.py": "from b import B\nclass A(B):\n"
            '    def f(self, x):\n        """Nothing is sorted."""\n        pass\n',
        "b.py": "class B:\n    def f(self, x): return sorted(x)\n",
    },
    "one of many hooks": {
        "a.py": HOOK + "".join(f"    def on_{n}(self):\n        pass\n" for n in range(3)),
    },
    "protocol under another name": {
        "a.py": "from typing import Protocol as P\nclass C(P):\n    def f(self) -> int: ...\n"
    },
    "overload under another name": {
        "a.py": "from typing import overload as o\n@o\ndef f(x: int) -> int: ...\ndef f(x): return x\n"
    },
    "not for the type checker": {
        "a.py": "if not TYPE_CHECKING:\n    from b import f\nelse:\n    def f(x: int) -> int: ...\n"
    },
    "stands in for an import": {
        "a.py": "try:\n    from numpy import dot\nexcept ImportError:\n"
            "    def dot(a, b):\n        raise NotImplementedError('dot')\n"
    },
    "another branch has the code": {
        "a.py": "if FAST:\n    class C:\n        def f(self): return 1\n"
            "else:\n    class C:\n        def f(self): raise NotImplementedError\n"
    },
    "a refusal": {
        "a.py": "class Pipe:\n    def seek(self, at):\n        raise NotImplementedError('cannot seek')\n"
    },
    "removed": {"a.py": "def f(): raise NotImplementedError('removed in 2.0')\n"},
    "use another": {"a.py": "def f(): raise NotImplementedError('use `g` instead')\n"},
    "a message about its argument": {"a.py": "def f(node): raise NotImplementedError(node.name)\n"},
    "a message about the subclass": {
        "a.py": "class A:\n    def f(self): raise NotImplementedError(f'{type(self).__name__}.f')\n"
    },
    "it says that it raises": {
        "a.py": 'def f():\n    """Raises L{NotImplementedError}."""\n    raise NotImplementedError\n'
    },
    "a no-op": {"a.py": 'def flush(self):\n    """No-op; a pipe does not buffer."""\n    pass\n'},
    "does nothing": {"a.py": 'def flush(self):\n    """Do nothing."""\n    pass\n'},
    "a comment that says so": {"a.py": 'def f():\n    """Flush."""\n    pass  # nothing to do here\n'},
    "called by others": {
        "a.py": 'class A:\n    def f(self, x):\n        """Called when a user joins."""\n        pass\n'
    },
    "command group": {
        "a.py": '@click.group()\ndef f():\n    """Tool."""\n    pass\n@click.group()\ndef g(): return 1\n'
    },
    "null object": {"a.py": "class NullWriter:\n    def write(self, data: bytes) -> None: ...\n"},
    "null object by its docstring": {
        "a.py": 'class Sink:\n    """Does nothing with what it gets."""\n'
            '    def write(self, data: bytes) -> None: ...\n'
    },
    "never returns": {"a.py": "def f() -> NoReturn:\n    raise NotImplementedError\n"},
    "fixture": {"a.py": "@pytest.fixture\ndef backend():\n    raise NotImplementedError('backend')\n"},
    "test helper": {"tests/helpers.py": "def f(): ...\n"},
    "package of tests": {"src/test/__init__.py": "def f(): ...\n"},
    "special methods": {
        "a.py": "class A:\n"
        + "".join(f"    def {name}(self, *a): ...\n" for name in SPECIAL)
    },
    "an interface demands it": {
        "a.py": "class A:\n    def f(self):\n        # ITransport.f\n        raise NotImplementedError\n"
    },
    "left to coverage": {"a.py": "def f():  # pragma: no cover\n    raise NotImplementedError\n"},
    "returned as it is": {
        "a.py": "def _inner(*args): raise NotImplementedError\ndef overload(f): return _inner\n"
    },
}  # fmt: skip
FORGOTTEN = {
    "an abstract method that is to be written": {
        "a.py": 'from b import S\nclass C(S):\n    def f(self):\n        """The area."""\n        pass\n',
        "b.py": "class S:\n    def f(self): raise NotImplementedError\n",
    },
    "subclasses count on its code": {
        "a.py": BASE,
        "b.py": "from a import Base\nclass B(Base):\n    def f(self, x): return super().f(x) + 1",
    },
    "a promise": {
        "a.py": 'def f():\n    """Do nothing."""\n    raise NotImplementedError("not supported yet")\n'
    },
    "a promise in a base class": {
        "a.py": BASE.replace("Error", "Error('later')"),
        "b.py": BELOW,
    },
    "under a decorator that others with code have": {
        "a.py": '@timed\ndef f():\n    """Sort."""\n    ...\n@timed\ndef g(): return 1\n'
    },
    "no protocol of types": {
        "a.py": "from twisted.internet.protocol import Protocol\n"
        "class A(Protocol):\n    def f(self) -> int: ...\n"
    },
    "another class of that name": {
        "a.py": BASE,
        "b.py": "class Base:\n    def g(self): return 1\nclass B(Base):\n    def f(self, x): return x",
    },
    "a setter beside a property": {
        "a.py": "class A:\n    @property\n    def f(self): return 1\n"
            "    @f.setter\n    def f(self, x) -> None: raise NotImplementedError\n"
    },
    "words of an ordinary docstring": {
        "a.py": 'def f(x):\n    """Raise ValueError where `x` cannot be read.\n\n    Old names are '
        'not supported; use `g` instead. Subclasses are found too.\n    """\n    raise NotImplementedError\n'
    },
    "tests in the name above the repository": {"a.py": "def f(): ...\n"},
}  # fmt: skip


def check(folder, files):
    """The names that are reported of a repository with `files`."""
    root = folder / "tests" / "repository"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "pyproject.toml").touch()
    return [finding.qualname for finding in check_files(read_targets([str(root)]))]


@pytest.mark.parametrize("files", STAYS.values(), ids=STAYS)
def test_a_body_that_is_meant_to_stay_empty_is_left_alone(tmp_path, files):
    """Other files of the repository count, too."""
    assert check(tmp_path, files) == []


@pytest.mark.parametrize("files", FORGOTTEN.values(), ids=FORGOTTEN)
def test_what_was_forgotten_is_reported(tmp_path, files):
    """What looks nearly like that is not left alone."""
    (name,) = check(tmp_path, files)
    assert name.rpartition(".")[2] == "f"


def test_one_file_is_seen_with_the_classes_of_the_others(tmp_path):
    """As a hook gives it: one changed file, whose base class a file that is not given overrides."""
    check(tmp_path, STAYS["overridden two classes below"])
    root = tmp_path / "tests" / "repository"
    assert check_files([(root / "a.py", "")]) == []
    (root / "c.py").unlink()
    assert [item.qualname for item in check_files([(root / "a.py", "")])] == ["Base.f"]


def test_a_folder_without_a_mark_of_a_repository(tmp_path):
    """The package counts as a whole."""
    (tmp_path / "p" / "q").mkdir(parents=True)
    for name, text in {
        "__init__.py": "",
        "q/__init__.py": "",
        "a.py": BASE,
        "q/b.py": "from p.a import Base\nclass B(Base):\n    def f(self, x): return x",
    }.items():
        (tmp_path / "p" / name).write_text(text)
    assert check_files(read_targets([str(tmp_path / "p" / "a.py")])) == []
