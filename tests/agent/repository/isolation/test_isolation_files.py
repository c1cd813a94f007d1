"""Which files of a repository its sandbox shows: nothing by links, no secrets, no special files."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from sstar_code.agent.repository.find.project_files import list_names, read_source
from sstar_code.agent.repository.write.changes import check_outputs, write_changes
from sstar_code.problems import UserError
from sstar_code.sandbox import snapshot
from sstar_code.sandbox.secret_files import find_secret, is_secret_name, mask_secrets
from sstar_code.sandbox.snapshot import LEADS_OUT, MASKED, NO_FILE, SECRET, read_beneath, write_snapshot

READ_ALL = """
import os
seen = {}
for place, folders, files in os.walk('.', followlinks=True):
    folders[:] = [name for name in folders if place.count('/') < 6]
    for name in files:
        try: seen[place + '/' + name] = open(place + '/' + name, errors='replace').read()[:2000]
        except OSError as error: seen[place + '/' + name] = 'error ' + str(error.errno)
"""


def put(root, name, text="x\n"):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def link(root, name, target):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def copy(root, names=None):
    """(path in the copy -> its text, or its target after `->`; what was left out -> why)."""
    target = root.parent / "copy"
    left_out = write_snapshot(root, list_names(root, generated=True) if names is None else names, target)
    found = {}
    for place, folders, files in os.walk(target):
        for name in [*files, *folders]:
            path = Path(place, name)
            if path.is_symlink():
                found[path.relative_to(target).as_posix()] = f"-> {path.readlink()}"
            elif path.is_file():
                found[path.relative_to(target).as_posix()] = path.read_text()
    return found, {item.name: item.why for item in left_out}


@pytest.fixture
def linked(root, tmp_path):
    """A repository of links, those that are to be kept named `in...`."""
    put(tmp_path, "outside/secret.txt", "geheim\n")
    put(root, "d/real.txt", "real\n")
    put(root, ".env", "geheim\n")
    put(root, ".git/config", "geheim\n")
    link(root, "in_file", "d/real.txt")
    link(root, "in_folder", "d")
    link(root, "in_through", "in_folder/real.txt")
    link(root, "in_chain", "in_through")
    link(root, "in_absolute", root / "d" / "real.txt")
    link(root, "d/in_up", "../in_file")
    link(root, "d/in_round", "../../repo/d/real.txt")
    link(root, "out_relative", "../outside/secret.txt")
    link(root, "out_absolute", tmp_path / "outside" / "secret.txt")
    link(root, "out_proc", "/proc/self/environ")
    link(root, "out_descriptor", "/proc/self/fd/0")
    link(root, "out_folder", "../outside")
    link(root, "out_chain", "out_folder/secret.txt")
    link(root, "out_by_parts", "d/../../outside/secret.txt")
    link(root, "out_and_back", "../outside/../repo/d/real.txt")
    link(root, "out_cwd", "/proc/self/cwd/d/real.txt")
    link(root, "to_env", ".env")
    link(root, "to_git", ".git/config")
    link(root, "to_itself", "to_itself")
    link(root, "to_nothing", "d/none")
    link(root, "d/out_deep", "../in_folder/../../outside/secret.txt")
    return root


def test_a_link_is_kept_only_where_it_ends_inside(linked):
    """Whatever way it takes; one that is left out is named, and nothing from outside is in the copy."""
    names = [
        path.relative_to(linked).as_posix() for path in linked.rglob("*") if ".git" not in path.parts[:-1]
    ]
    found, left_out = copy(linked, names)
    links = {name for name, text in found.items() if text.startswith("-> ")}
    assert {name.rpartition("/")[2] for name in links} == {
        "in_file", "in_folder", "in_through", "in_chain", "in_absolute", "in_up", "in_round",
    }  # fmt: skip
    assert "geheim" not in str(found)
    assert {why for name, why in left_out.items() if name != ".env"} == {LEADS_OUT, SECRET}
    assert len([name for name, why in left_out.items() if why == LEADS_OUT]) == 14


def test_nothing_from_outside_is_seen(held, linked, monkeypatch):
    """In every sandbox; links that stay inside lead where they led; it is told in a line."""
    monkeypatch.setenv("OPENAI_API_KEY", "geheim")
    (seen,) = held.look(linked, READ_ALL)
    assert "geheim" not in str(seen)
    assert seen["./in_chain"] == seen["./in_folder/real.txt"] == seen["./d/in_round"] == "real\n"
    assert "./out_and_back" not in seen
    (line,) = held.lines
    assert line.startswith(
        "sstar: 14 files are not in the sandbox as in the repository (a link that leads out: 14): "
    )


def test_a_race_of_links_shows_nothing(root, tmp_path, monkeypatch):
    """A folder and a file that become links while the copy is made are never walked through."""
    put(tmp_path, "outside/b.txt", "geheim\n")
    put(tmp_path, "outside/c.txt", "geheim\n")
    for number in range(200):
        put(root, f"d{number}/b.txt", "plain\n")
        put(root, f"e{number}/c.txt", "plain\n")
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            for number in range(200):
                folder, file = root / f"d{number}", root / f"e{number}" / "c.txt"
                try:
                    folder.rename(root / "kept")
                    folder.symlink_to(tmp_path / "outside")
                    folder.unlink()
                    (root / "kept").rename(folder)
                    file.unlink()
                    file.symlink_to(tmp_path / "outside" / "c.txt")
                    file.unlink()
                    file.write_text("plain\n")
                except OSError:
                    pass

    names = [f"{letter}{number}/{name}.txt" for number in range(200) for letter, name in ("db", "ec")]
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for number in range(10):
            write_snapshot(root, names, tmp_path / f"copy-{number}")
    finally:
        stop.set()
        thread.join()
    for number in range(10):
        for path in (tmp_path / f"copy-{number}").rglob("*"):
            if path.is_file():
                assert "geheim" not in path.read_text()


def test_only_regular_files_of_real_file_systems_are_read(root):
    """No pipe that nobody fills, no socket, no device, no file that the kernel makes up."""
    os.mkfifo(root / "pipe.py")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "s.sock"))
        names = ["pipe.py", "s.sock"]
        if os.geteuid() == 0:
            os.mknod(root / "zero", 0o20666, os.makedev(1, 5))
            names.append("zero")
        assert copy(root, names) == ({}, dict.fromkeys(names, NO_FILE))
    assert read_beneath(root, "pipe.py", 10) is None
    assert read_beneath(Path("/proc/self"), "environ", 1 << 20) is None
    assert read_beneath(Path("/sys/kernel"), "mm/ksm/run", 1 << 20) is None


@pytest.mark.parametrize("what", ["_MOST_BYTES", "_MOST_FILES"])
def test_a_copy_has_an_end(root, monkeypatch, what):
    """In bytes and in files, by a line that says what to do."""
    monkeypatch.setattr(snapshot, what, 3)
    for number in range(5):
        put(root, f"{number}.txt")
    with pytest.raises(ValueError, match=r"has more than .* to copy; let git ignore what no test needs"):
        copy(root)


SECRETS = (
    "id_ecdsa", "keys/id_dsa", ".git-credentials", ".pgpass", ".docker/config.json", ".aws/config",
    "prod.env", "store.jks", "k.ppk", "secrets.toml", "service-account.json", "conf/my-service_account.json",
    ".netrc", ".streamlit/secrets.toml", "terraform.tfstate", "a.tfvars", "ID_RSA", ".ssh/config",
    ".kube/config", "app.secrets.yaml", "credentials.yml.enc", "deploy_rsa",
    "kubeconfig.yaml", ".pypirc", "x.p12", "db.kdbx",
)  # fmt: skip
PLAIN = ("a.py", "secrets.py", "credentials.py", "id_rsa.pub", "README.md", "tokens.json", "secret_santa.csv")


def test_names_of_secrets(root):
    """Credentials are known by their names; code and public keys are not among them."""
    assert [name for name in SECRETS if not is_secret_name(name)] == []
    assert [name for name in PLAIN if is_secret_name(name)] == []
    assert is_secret_name("conf/secrets.py", tracked=False)
    for name in (*SECRETS, *PLAIN):
        put(root, name)
    found, left_out = copy(root, [*SECRETS, *PLAIN])
    assert set(found) == set(PLAIN)
    assert set(left_out.values()) == {SECRET}


def token(*parts):
    """A token that is not in this file as it would be in another."""
    return "".join(parts)


KEY = "".join(f"{line:02d}{'AbCdEfGhIjKlMnOpQrStUvWxYz0123456789+/' * 2}"[:64] + "\n" for line in range(3))
TOKENS = {
    "private key": token("-----BEGIN RSA PRIV", "ATE KEY-----\n", KEY, "-----END RSA PRIV", "ATE KEY-----\n"),
    "AWS key": token("AK", "IA", "IOSFODNN7EXAMPLE"),
    "GitHub token": token("gh", "p_", "1a2B3c4D5e6F7g8H9i0JkLmNoPqRsTuVwXyZ"),
    "key of a model's endpoint": token("s", "k-proj-", "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6"),
    "Slack token": token("xo", "xb-", "123456789012-abcdefghijklmnop"),
    "Google key": token("AI", "za", "SyA1b2C3d4E5f6G7h8I9j0KaLbMcNdOePf0"),
}


@pytest.mark.parametrize("kind", TOKENS)
def test_secrets_by_content(root, kind):
    """A file with a token is left out; in code the token is masked, and the rest stays as it is."""
    secret = TOKENS[kind]
    put(root, "notes.txt", f"first\nkey = {secret}\n")
    put(root, "a.py", f"def f():\n    return 1\n\n\nKEY = '''{secret}'''\n")
    put(root, "big.log", "line\n" * 300_000 + secret)
    found, left_out = copy(root)
    assert left_out == {"a.py": MASKED, "notes.txt": SECRET, "big.log": SECRET}
    assert set(found) == {"a.py"}
    assert secret not in found["a.py"]
    assert len(found["a.py"]) == len((root / "a.py").read_text())
    assert found["a.py"].startswith("def f():\n    return 1\n")
    assert found["a.py"].count("\n") == (root / "a.py").read_text().count("\n")
    assert find_secret(secret.encode()) == kind
    masked = mask_secrets(secret.encode())
    assert mask_secrets(masked) == masked


@pytest.mark.parametrize(
    "text", ["task-force", "KEY = ghp_" + "x" * 36, "sk-learn", "AKIA", "-----BEGIN CERTIFICATE-----"]
)
def test_what_only_looks_like_a_token_stays(text):
    """Words, placeholders and certificates."""
    assert find_secret(text.encode()) == ""


def test_another_name_of_a_secret_does_not_expose_it(root):
    """A hard link to a file that is left out is left out."""
    secret = put(root, ".env", "geheim\n")
    (root / "notes.txt").hardlink_to(secret)
    git = put(root, ".git/config", "geheim\n")
    (root / "more.txt").hardlink_to(git)
    plain = put(root, "a.txt", "plain\n")
    (root / "b.txt").hardlink_to(plain)
    found, left_out = copy(root, ["notes.txt", "more.txt", "a.txt", "b.txt"])
    assert set(found) == {"a.txt", "b.txt"}
    assert left_out == {"notes.txt": SECRET, "more.txt": SECRET}


def test_a_test_that_needs_a_file_that_is_left_out_is_told(held_ways, root):
    """The failure says which file it was, and why it is not there."""
    held = held_ways("user namespaces")
    put(root, "prod.env", "A=1\n")
    put(root, "test_a.py", "def test_a():\n    assert open('prod.env').read() == 'A=1'\n")
    (run,) = held.run_tests(root, "test_a.py")
    ((result,)) = run.results
    assert "prod.env is not in the sandbox as it is in the repository: like a secret" in result["failure"][1]


def test_no_file_is_given_by_a_link_that_leads_out(root, tmp_path):
    """Neither by its name, nor as the member of a folder: its text would be sent to a model."""
    from sstar_code.agent.repository.find.project_files import list_files, read_targets

    put(tmp_path, "outside/a.py", "def f():\n    ...\n")
    put(root, "b.py", "def f():\n    ...\n")
    link(root, "a.py", "../outside/a.py")
    link(root, "d", "../outside")
    link(root, "test_a.py", "/proc/self/environ")
    link(root, "c.py", "b.py")
    assert list_files(root) == ["b.py", "c.py"]
    assert [path.name for path, _ in read_targets([str(root)])] == ["b.py", "c.py"]
    for name in ("a.py", "d/a.py"):
        with pytest.raises(
            UserError, match="a link that leads out of the repository; nothing is read or written"
        ):
            read_targets([str(root / name)])


def test_nothing_is_written_through_a_link_that_leads_out(root, tmp_path, monkeypatch):
    """Not to the file of a function, though the link was made later, and not by a folder of reports."""
    target = put(tmp_path, "outside/a.py", "x = 1\n")
    before = read_source(put(root, "a.py", "x = 1\n"))
    (root / "a.py").unlink()
    link(root, "a.py", "../outside/a.py")
    with pytest.raises(
        UserError, match="a link that leads out of the repository; nothing is written through"
    ):
        write_changes(before, before.with_text("x = 2\n"), root)
    assert target.read_text() == "x = 1\n"
    link(root, "out", "../outside")
    for name in ("out/r.sarif", "a.py", "out"):
        with pytest.raises(UserError, match="nothing is written through it"):
            check_outputs([None, root / name], root)
    check_outputs([root / "r.sarif", tmp_path / "outside" / "r.sarif", root / ".." / "r.sarif"], root)


def test_a_link_inside_changes_the_file_that_it_means(root):
    """The link stays."""
    put(root, "d/real.py", "x = 1\n")
    link(root, "a.py", "d/real.py")
    before = read_source(root / "a.py")
    write_changes(before, before.with_text("x = 2\n"), root)
    assert (root / "d" / "real.py").read_text() == "x = 2\n"
    assert (root / "a.py").is_symlink()
    assert sorted(path.name for path in (root / "d").iterdir()) == ["real.py"]
