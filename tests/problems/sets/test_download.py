"""Sets that are fetched: the real hub client, and plain downloads, against servers on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sstar_code.problems import InfrastructureError, UserError, load_set
from sstar_code.problems.sets import releases
from sstar_code.problems.sets import releases as hub
from sstar_code.problems.sets.releases import Release, ReleasedFile, find_release, list_releases

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SCRIPT = """\
import sys
from sstar_code.problems import SstarError, load_set
from sstar_code.problems.sets import releases
from sstar_code.problems.sets.releases import Release, ReleasedFile
commit, *hashes = sys.argv[1:]
names = [f"test{number}.jsonl" for number in range(len(hashes))]
files = tuple(ReleasedFile(name, None if sha == "-" else sha, 1) for name, sha in zip(names, hashes))
releases._RELEASES["lcb"] = (Release("release_v1", "owner/set", commit, files),)
try:
    loaded = load_set("lcb")
    print(loaded.name, [problem.id for problem in loaded.problems], loaded.revision)
except SstarError as error:
    print(type(error).__name__, error)
"""


def row(name):
    return json.dumps({"question_id": name, "question_content": "s", "public_test_cases": "[]"}) + "\n"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def server():
    """A hub with one data set of two files; what it is asked is kept in `asked`."""
    files = {"test0.jsonl": row("a").encode(), "test1.jsonl": row("b").encode()}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def answer(self, *, body):
            httpd.asked.append((self.command, self.path))
            data = files.get(self.path.rpartition("/")[2])
            self.send_response(200 if data is not None else 404)
            if data is None:
                self.send_header("X-Error-Code", "EntryNotFound")
                data = b""
            else:
                self.send_header("ETag", f'"{sha256(data)}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.files, httpd.asked = files, []
    httpd.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield httpd
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def fetch(folder, url, *hashes, **more):
    """What a process of its own says, with the real client and its cache under `folder`."""
    pytest.importorskip("huggingface_hub")
    names = {"HF_HOME": str(folder / "hf"), "XDG_CACHE_HOME": str(folder / "cache"), "HF_ENDPOINT": url}
    quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_ETAG_TIMEOUT": "2"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, COMMIT, *hashes],
        env={**os.environ, **names, **quiet, **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    return done.stdout.strip()


def test_a_release_is_fetched_once_and_then_used_offline(server, tmp_path):
    """The pinned commit's files are fetched, compared and joined; a second start asks nobody anything."""
    hashes = [sha256(data) for data in server.files.values()]
    first = fetch(tmp_path, server.url, *hashes)
    assert first.startswith("lcb@release_v1 ['a', 'b'] ")
    assert {path for _, path in server.asked} == {
        f"/datasets/owner/set/resolve/{COMMIT}/{name}" for name in server.files
    }
    asked = len(server.asked)
    assert fetch(tmp_path, server.url, *hashes) == first
    assert fetch(tmp_path, "http://127.0.0.1:9", *hashes) == first
    assert len(server.asked) == asked


def test_a_file_that_is_not_the_published_one_is_refused(server, tmp_path):
    """A checksum that differs is one line that says which file and what to do."""
    said = fetch(tmp_path, server.url, "0" * 64)
    assert said.startswith("InfrastructureError ")
    assert "is not that of lcb release_v1 (000000000000...); delete the file" in said


def test_without_a_known_checksum_the_first_download_is_kept_in_mind(server, tmp_path):
    """The lock remembers what came first; another content later is refused."""
    first = fetch(tmp_path, server.url, "-")
    assert first.startswith("lcb@release_v1 ['a']")
    (entry,) = json.loads((tmp_path / "cache/sstar/sets.lock.json").read_text()).values()
    assert entry["sha256"] == sha256(server.files["test0.jsonl"])
    (path,) = (tmp_path / "hf").rglob("snapshots/*/test0.jsonl")
    path.resolve().write_text(row("changed"))
    assert "InfrastructureError" in fetch(tmp_path, server.url, "-")


def test_no_network_is_one_line(tmp_path):
    """The hub's offline mode gives no traceback; the way with a path is named."""
    said = fetch(tmp_path, "http://127.0.0.1:9", "-", HF_HUB_OFFLINE="1")
    assert said.startswith("InfrastructureError cannot fetch owner/set/test0.jsonl from the hub: ")
    assert said.endswith("give lcb:PATH")


def test_a_file_that_the_hub_lacks_is_one_line(server, tmp_path):
    """A file that was taken away is named."""
    server.files.clear()
    said = fetch(tmp_path, server.url, "-")
    assert said.startswith("InfrastructureError cannot fetch owner/set/test0.jsonl from the hub: ")


def test_a_set_from_github_is_fetched_once(server, tmp_path, monkeypatch):
    """The file is asked for at its commit, compared, kept, and damaged copies are refused."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(hub, "_GITHUB", server.url)
    line = json.dumps(
        {"task_id": 1, "text": "t", "code": "def f(): return 1", "test_list": ["assert f() == 1"]}
    )
    server.files["mbpp.jsonl"] = line.encode()
    good = sha256(server.files["mbpp.jsonl"])
    release = Release("v1", "o/r", COMMIT, (ReleasedFile("mbpp/mbpp.jsonl", good, 1),), on_hub=False)
    monkeypatch.setitem(releases._RELEASES, "mbpp", (release,))
    assert not hub.find_cached(release)
    loaded = load_set("mbpp")
    assert (loaded.name, loaded.revision, loaded.problems[0].id) == ("mbpp@v1", good[:16], "1")
    assert server.asked == [("GET", f"/o/r/{COMMIT}/mbpp/mbpp.jsonl")]
    assert hub.find_cached(release)
    assert load_set("mbpp@v1") == loaded
    assert len(server.asked) == 1
    (path,) = tmp_path.rglob("mbpp.jsonl")
    path.write_text("{}")
    with pytest.raises(InfrastructureError, match="is not that of mbpp v1"):
        load_set("mbpp")
    path.unlink()
    server.files.clear()
    with pytest.raises(InfrastructureError, match=r"mbpp\.jsonl: HTTP Error 404.*give mbpp:PATH"):
        load_set("mbpp")
    assert list(tmp_path.rglob("*.part")) == []


def test_without_the_hub_extra_the_user_is_told(monkeypatch):
    """A set from the hub names the extra and the other way."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"pip install 'huggingface_hub>=1\.0', or give lcb:PATH"):
        load_set("lcb")
    assert not hub.find_cached(list_releases("lcb")[0])


@pytest.mark.parametrize(
    ("tag", "files"),
    [
        (None, ["test.jsonl", *(f"test{n}.jsonl" for n in range(2, 7))]),
        ("release_v1", ["test.jsonl"]),
        ("release_v3", ["test.jsonl", "test2.jsonl", "test3.jsonl"]),
        ("v6", ["test6.jsonl"]),
        ("v4_v6", ["test4.jsonl", "test5.jsonl", "test6.jsonl"]),
    ],
)
def test_livecodebench_releases_are_its_own(tag, files):
    """Tags mean the files that the set's own loader gives them."""
    assert [file.name for file in find_release("lcb", tag).files] == files


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("lcb@v7", r"no release 'v7'; there are release_v6, .*range like v4_v6"),
        ("lcb@release_v61", r"did you mean 'release_v6'\?"),
        ("lcb@v3_v2", "no release 'v3_v2'"),
        ("humaneval+@v9", r"no release 'v9'.*there are v0\.1\.10"),
        ("jsonl@v1:x", r"published nowhere.*jsonl:PATH"),
        ("examples@v1", "has no releases; give examples"),
    ],
)
def test_an_unknown_release_says_which_there_are(spec, message, tmp_path):
    """A wrong tag is one line; nothing is fetched."""
    with pytest.raises(UserError, match=message):
        load_set(spec.replace(":x", f":{tmp_path}"))


def test_a_release_is_read_from_a_folder(tmp_path):
    """`NAME@RELEASE:FOLDER` reads the release's files of the folder and names one that is missing."""
    for name in ("test", "test2", "test3"):
        (tmp_path / f"{name}.jsonl").write_text(row(name))
    assert [problem.id for problem in load_set(f"lcb@v2_v3:{tmp_path}").problems] == ["test2", "test3"]
    with pytest.raises(UserError, match=r"lcb@release_v6 needs test4\.jsonl"):
        load_set(f"lcb@release_v6:{tmp_path}")
    with pytest.raises(UserError, match="not a folder"):
        load_set(f"lcb@v2:{tmp_path / 'test2.jsonl'}")


def test_every_pin_is_whole():
    """A pin is a full commit; every file but one has a full checksum."""
    unknown = []
    for name in ("lcb", "humaneval", "humaneval+", "mbpp", "mbpp+", "apps", "codecontests"):
        for release in list_releases(name):
            assert len(release.revision) == 40
            unknown += [file.name for file in release.files if file.sha256 is None]
            assert all(len(file.sha256 or "0" * 64) == 64 for file in release.files)
            assert release.size_mb > 0
    assert unknown == ["test.jsonl"]
