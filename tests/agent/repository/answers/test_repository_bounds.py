"""What is too long or too large for a repository's checks, just at the bound and one beyond."""

from __future__ import annotations

import pytest

from sstar_code.agent.repository.find import assess
from sstar_code.agent.repository.find.assess import check_files
from sstar_code.agent.repository.find.project_files import read_source
from sstar_code.agent.repository.find.stubs import find_function
from sstar_code.agent.repository.task.checks import Survey, find_checks


@pytest.mark.parametrize(("length", "kept"), [(3999, 3999), (4000, 4000), (4001, 4000)])
def test_a_long_test_is_cut(tmp_path, length, kept):
    """A prompt holds 4,000 letters of it."""
    head = "def test_f():\n    '"
    (tmp_path / "t.py").write_text(head + "x" * (length - len(head) - 1) + "'")
    (tmp_path / "a.py").write_text("def f() -> int: ...\n")
    stub = find_function(read_source(tmp_path / "a.py"), "f")
    seen = Survey({stub.label: (("t.py", "t.py::test_f"),)})
    (test,) = find_checks(stub, seen, tmp_path).tests
    assert len(test.source) == kept


@pytest.mark.parametrize(("most", "count"), [(4, "1 test file"), (3, "0 test files"), (5, "1 test file")])
def test_a_large_test_file_is_not_read(tmp_path, monkeypatch, most, count):
    """It is data, mostly."""
    monkeypatch.setattr(assess, "_MOST_BYTES", most)
    (tmp_path / ".git").mkdir()
    (tmp_path / "test_a.py").write_text("f()\n")
    (tmp_path / "a.py").write_text("def f() -> int: ...\n")
    (finding,) = check_files([(tmp_path / "a.py", "")])
    assert f"named in {count}" in finding.message
