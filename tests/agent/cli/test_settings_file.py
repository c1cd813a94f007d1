"""Settings from a file."""

from __future__ import annotations

import pytest

from sstar_code.agent.cli.settings_file import load_config
from sstar_code.problems import UserError

KNOWN = {"n", "rounds", "max_tokens"}


def test_nearest_file_counts(tmp_path):
    """sstar.toml of this folder wins over pyproject.toml above; dashes are underscores."""
    (tmp_path / "pyproject.toml").write_text("[tool.sstar]\nn = 3\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    assert load_config(KNOWN, inner) == {"n": 3}
    (inner / "sstar.toml").write_text("max-tokens = 5\n")
    assert load_config(KNOWN, inner) == {"max_tokens": 5}


def test_unknown_key_is_named_with_the_near_one(tmp_path):
    """A misspelt key is an error that says which was meant."""
    (tmp_path / "sstar.toml").write_text("round = 2\n")
    with pytest.raises(UserError, match=r"sstar\.toml: unknown key 'round'.*'rounds'"):
        load_config(KNOWN, tmp_path)


def test_broken_file_is_named(tmp_path):
    """A file that is no TOML is named with the fault."""
    (tmp_path / "sstar.toml").write_text("n = = 2\n")
    with pytest.raises(UserError, match=r"sstar\.toml: cannot be read as TOML"):
        load_config(KNOWN, tmp_path)
