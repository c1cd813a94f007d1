"""Settings from files: what a project's file may set, what only the user's may, and which are read at all."""

from __future__ import annotations

import os

import pytest
import typer

from sstar_code.agent.cli.main import _WITHOUT_SETTINGS, app
from sstar_code.agent.cli.settings_file import PROJECT_KEYS, TRUSTED_KEYS, load_config
from sstar_code.problems import UserError

KNOWN = {"n", "rounds", "max_tokens", *PROJECT_KEYS, *TRUSTED_KEYS}


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """A home folder without settings."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return folder


def _flags():
    for name, command in typer.main.get_command(app).commands.items():
        if name in _WITHOUT_SETTINGS:
            continue
        for parameter in command.params:
            for flag in parameter.opts:
                if flag.startswith("--"):
                    yield name, flag.lstrip("-").replace("-", "_")


def test_nearest_file_counts(tmp_path):
    """sstar.toml of this folder wins over pyproject.toml above; dashes are underscores; the file is told."""
    (tmp_path / "pyproject.toml").write_text("[tool.sstar]\nn = 3\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    found = load_config(KNOWN, inner)
    assert (found.values, found.notes) == ({"n": 3}, [f"settings from {tmp_path / 'pyproject.toml'}"])
    (inner / "sstar.toml").write_text("max-tokens = 5\n")
    assert load_config(KNOWN, inner).values == {"max_tokens": 5}


def test_a_project_spends_no_more_than_its_user_allows(tmp_path, home):
    """Bounds of the user's own file are lowered and never raised, its sandbox stays, and that is said."""
    own = home / ".config" / "sstar" / "sstar.toml"
    own.parent.mkdir(parents=True)
    own.write_text(
        'max-tokens-total = 1000\nmax-seconds = 60\nmax-in-flight = 4\nn = 4\nsandbox = "docker"\n'
    )
    theirs = tmp_path / "sstar.toml"
    theirs.write_text(
        'max-tokens-total = 1000000\nmax-seconds = "inf"\nmax-in-flight = 2\nn = 8\nsandbox = "local"\n'
    )
    found = load_config(KNOWN, tmp_path)
    assert found.values == {
        "max_tokens_total": 1000,
        "max_seconds": 60,
        "max_in_flight": 2,
        "n": 8,
        "sandbox": "docker",
    }
    held = "max_tokens_total, max_seconds, sandbox"
    assert found.notes[-1] == f"settings from {theirs} without {held}: what {own} says holds"
    own.write_text('sandbox = "auto"\n')
    theirs.write_text('max-tokens-total = 5\nsandbox = "docker"\n')
    assert load_config(KNOWN, tmp_path).values == {"max_tokens_total": 5, "sandbox": "docker"}


def test_unknown_key_is_named_with_the_near_one(tmp_path):
    """A misspelt key is an error that says which was meant."""
    (tmp_path / "sstar.toml").write_text("round = 2\n")
    with pytest.raises(UserError, match=r"sstar\.toml: unknown key 'round'.*'rounds'"):
        load_config(KNOWN, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        *("n = = 2\n", "a = " + "[" * 100_000, "\xff", "# " + "x" * (1 << 20)),
        *("a." * 500_000 + "a = 1", "[" + "a . " * 200_000 + "a]", '"\\""."=".' * 90_000 + "a = 1"),
    ],
)
def test_broken_file_is_named(tmp_path, text):
    """A file that is no TOML, nested without end, not UTF-8 or far too long is named with the fault.

    So is one with a name of very many parts, for which the parser would take for ever.
    """
    (tmp_path / "sstar.toml").write_text(text, encoding="latin-1")
    with pytest.raises(
        UserError, match=r"sstar\.toml: (cannot be read as TOML|has more than 1 MiB|is not UTF-8 text)"
    ):
        load_config(KNOWN, tmp_path)


def test_every_option_is_classified():
    """A new flag has to be put into one of the two tables: may a project's file set it?"""
    keys = {key for _, key in _flags()}
    assert set(PROJECT_KEYS) & TRUSTED_KEYS == set()
    assert set(PROJECT_KEYS) | TRUSTED_KEYS == keys


@pytest.mark.parametrize("key", sorted(TRUSTED_KEYS))
def test_what_reaches_out_is_refused_from_a_project(tmp_path, key):
    """The line names file and key, and where the setting belongs."""
    (tmp_path / "sstar.toml").write_text(f'{key.replace("_", "-")} = "x"\n')
    with pytest.raises(UserError) as refused:
        load_config(KNOWN, tmp_path)
    said = str(refused.value)
    assert said.startswith(f"{tmp_path / 'sstar.toml'}: {key} is not taken from a project's file")
    assert f"--{key.replace('_', '-')}, set SSTAR_{key.upper()}" in said
    assert ".config/sstar/sstar.toml" in said


@pytest.mark.parametrize(
    "line",
    [
        'model = "vllm:x"', 'model = " VLLM:x"', 'model = "replay:/etc/passwd"', "model = 1",
        'sandbox = "unsafe"', 'sandbox = "another"', 'sandbox = ["unsafe"]', 'filter = "(a+)+$"',
        'filter = ["kind=stdin", "(a|a)*b"]',
    ],
)  # fmt: skip
def test_value_that_reaches_out_is_refused_from_a_project(tmp_path, line):
    """A model that starts a server or reads a file, no isolation, a regular expression."""
    (tmp_path / "pyproject.toml").write_text(f"[tool.sstar]\n{line}\n")
    with pytest.raises(UserError, match=r"pyproject\.toml: \w+ = .* is not taken"):
        load_config(KNOWN, tmp_path)


def test_harmless_settings_of_a_project_are_taken(tmp_path):
    """Counts, limits, names of methods, a model at the user's endpoint."""
    lines = ["n = 4", 'model = "org/name:7b"', 'sandbox = "docker"', 'filter = "difficulty=hard"']
    (tmp_path / "sstar.toml").write_text("\n".join(lines))
    values = {"n": 4, "model": "org/name:7b", "sandbox": "docker", "filter": "difficulty=hard"}
    assert load_config(KNOWN, tmp_path).values == values


def test_own_file_may_set_everything(tmp_path, home):
    """The user's file sets what a project's may not; where both speak the project's counts."""
    own = home / ".config" / "sstar" / "sstar.toml"
    own.parent.mkdir(parents=True)
    own.write_text('base-url = "http://host/v1"\nvllm-command = "v"\nn = 2\n')
    (tmp_path / "sstar.toml").write_text("n = 7\n")
    found = load_config(KNOWN, tmp_path)
    assert found.values == {"base_url": "http://host/v1", "vllm_command": "v", "n": 7}
    assert found.notes == [f"settings from {own}", f"settings from {tmp_path / 'sstar.toml'}"]
    assert load_config(KNOWN, own.parent).values["vllm_command"] == "v"  # not a project's there either


@pytest.mark.parametrize("mark", [".git", ".hg", "home"])
def test_search_ends_at_the_repository_or_home(tmp_path, monkeypatch, mark):
    """What lies above the repository's root, or above home, is not read."""
    (tmp_path / "sstar.toml").write_text("n = 3\n")
    root = tmp_path / "root"
    (root / "inner").mkdir(parents=True)
    assert load_config(KNOWN, root / "inner").values == {"n": 3}
    if mark == "home":
        monkeypatch.setenv("HOME", str(root))
    else:
        (root / mark).mkdir()
    assert load_config(KNOWN, root / "inner").values == {}


def test_search_ends_below_a_shared_folder(tmp_path):
    """Into a folder that everybody may write to, like /tmp, somebody else may have put the file."""
    (tmp_path / "sstar.toml").write_text("n = 3\n")
    (tmp_path / "inner").mkdir()
    tmp_path.chmod(0o1777)
    assert load_config(KNOWN, tmp_path / "inner").values == {}


@pytest.mark.parametrize("name", ["sstar.toml", "pyproject.toml"])
@pytest.mark.parametrize("mode", [0o646, 0o666])
def test_file_that_others_may_write_is_not_read(tmp_path, name, mode):
    """It is said, and what to do."""
    file = tmp_path / name
    file.write_text("[tool.sstar]\nvllm-command = 'x'\n")
    file.chmod(mode)
    found = load_config(KNOWN, tmp_path)
    assert found.values == {}
    assert "other users may write to it; chmod go-w it" in found.notes[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_file_of_another_user_is_not_read(tmp_path):
    """Nor is one above; it is said."""
    file = tmp_path / "sstar.toml"
    file.write_text("n = 3\n")
    os.chown(file, 12345, 12345)
    (tmp_path / "inner").mkdir()
    found = load_config(KNOWN, tmp_path / "inner")
    assert found.values == {}
    (note,) = found.notes
    assert note.startswith(f"settings in {file} are not read: it belongs to another user; chown it")


def test_link_and_pipe_are_not_read(tmp_path):
    """A link may lead anywhere; a pipe would be waited for."""
    (tmp_path / "else.toml").write_text("n = 3\n")
    (tmp_path / "sstar.toml").symlink_to("else.toml")
    os.mkfifo(tmp_path / "pyproject.toml")
    found = load_config(KNOWN, tmp_path)
    assert (found.values, len(found.notes)) == ({}, 1)
    assert "it is a link" in found.notes[0]


def test_help_version_and_doctor_work_with_a_broken_file(sstar, folder):
    """They are what one looks at when something is broken."""
    (folder / "sstar.toml").write_text("= 1\n")
    assert sstar("--version").code == 0
    assert sstar("eval", "--help").code == 0
    ended = sstar("doctor", "--json")
    assert ended.json["checks"]
    assert "cannot be read as TOML" in ended.err
    assert sstar("ls").code == 2


def test_settings_file_is_told_once(sstar, folder):
    """Nothing takes effect unseen."""
    (folder / "sstar.toml").write_text("limit = 1\n")
    ended = sstar("ls", "examples")
    assert ended.err == f"sstar: settings from {folder / 'sstar.toml'}\n"
    assert len(ended.out.splitlines()) == 2
