"""What the documents show is what the program does."""

from __future__ import annotations

import ast
import contextlib
import doctest
import functools
import importlib
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import ROOT
from tests.support.documents import BLOCK, DOCS, PAGES, name_page, read_anchors, read_commands, read_links

if TYPE_CHECKING:
    from pathlib import Path

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
COMMAND_PAGES = sorted((DOCS / "commands").rglob("*.md"))
_LONG = (
    "docs/recipes.md",
    "docs/tutorial.md",
    *(
        f"docs/commands/{page}.md"
        for page in ("eval", "problem-sets/harden", "report", "run-folders/view", "select", "solve")
    ),
)
"""Pages whose examples take longer than those of all others."""
SHOWN = [page for page in PAGES if "```console" in page.read_text(encoding="utf-8")]
PACKAGES = ("problems", "sandbox", "selection", "agent")
OTHERS_MODULES = {"pytest", "lcb_runner.runner.custom_evaluator"}
NO_SANDBOX = ("check", "completion", "doctor", "help", "init", "ls", "mcp", "merge", "runs", "serve", "view")


def clean_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("SSTAR_", "OPENAI_"))}


def run(command: str, folder: Path, code: int = 0) -> str:
    words = shlex.split(command)
    assert words[0] == "sstar"
    sandbox = [] if words[1] in NO_SANDBOX else ["--sandbox", "local"]
    script = "from sstar_code.agent.cli.main import main; main()"
    process = subprocess.run(
        [sys.executable, "-c", script, *words[1:], *sandbox],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == code, process.stderr
    return process.stdout


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.slow if name_page(page) in _LONG else ()) for page in SHOWN],
    ids=name_page,
)
def test_examples_of_a_page_run(page, tmp_path, sandbox_local):
    """Every console block gives the output shown (`...` varies) and the exit code that it names, else 0."""
    for language, name, body in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "console":
            command, _, expected = body.removeprefix("$ ").partition("\n")
            output = run(command, tmp_path, int(name or 0))
            assert doctest.OutputChecker().check_output(expected, output, FLAGS), f"{command}\n{output}"
        elif name and name != "sstar.toml":
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(body, encoding="utf-8")


def test_every_command_has_a_page_with_an_example():
    """A command without a page is not documented; a page without a command is stale."""
    assert {page.stem for page in COMMAND_PAGES} - {"README"} == set(commands())
    assert {page for page in COMMAND_PAGES if page.stem != "README"} <= set(SHOWN)
    listed = {line.words[1] for line in read_commands(DOCS / "commands" / "README.md") if line.whole}
    assert listed == set(commands())


@functools.cache
def commands() -> dict[str, Any]:
    import typer

    from sstar_code.agent.cli.main import app

    return dict(typer.main.get_command(app).commands)


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_every_command_line_of_a_page_would_be_taken(page):
    """No page names a command, a flag, a module or a make target that there is not."""
    faults = [f"{line}: {fault}" for line in read_commands(page) for fault in find_faults(line, page)]
    assert faults == []


def find_faults(line: Any, page: Path) -> list[str]:
    program, *words = (word.strip("[]") for word in line.words)
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        return [f"no target {word}" for word in words[:1] if word not in targets]
    if program.startswith("python"):
        return find_module_faults(words, page)
    if words[0].startswith("-") or words[0].isupper():
        return [] if words[0] in ("--help", "-h", "--version") or words[0].isupper() else ["no such option"]
    if words[0] not in commands():
        return ["no such command"]
    command = commands()[words[0]]
    known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    flags = {word.partition("=")[0] for word in words[1:] if re.match(r"--?[a-z]", word)}
    faults = [f"no option {flag}" for flag in flags - known - {"--help"}]
    if line.whole and not faults:
        try:
            command.make_context(
                words[0], [word for word in words[1:] if word != "..."], resilient_parsing=False
            )
        except Exception as error:  # noqa: BLE001 - whatever the command line says of it
            faults = [str(getattr(error, "message", error))]
    return faults


def find_module_faults(words: list[str], page: Path) -> list[str]:
    if words[0] != "-m":  # a log entry names a file as it stood at the commit of the entry
        missing = [
            word for word in words if word.endswith(".py") and "/" in word and not (ROOT / word).exists()
        ]
        return [] if page.stem == "log" else [f"no file {word}" for word in missing]
    if words[1] in OTHERS_MODULES:
        return []
    if importlib.util.find_spec(words[1]) is None:
        return [f"no module {words[1]}"]
    shown = help_of_module(words[1])
    flags = [word.partition("=")[0] for word in words[2:] if word.startswith("--")]
    return [f"no option {flag}" for flag in flags if not re.search(rf"{re.escape(flag)}\b", shown)]


@functools.cache
def help_of_module(name: str) -> str:
    process = subprocess.run(
        [sys.executable, "-m", name, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return process.stdout + process.stderr


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_links_lead_somewhere(page):
    """No relative link of a page is dead, and no anchor."""
    dead = []
    for target in read_links(page):
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and anchor not in read_anchors(place)):
            dead.append(target)
    assert dead == []


def test_the_index_lists_every_page():
    """Whoever starts at docs/index.md finds all pages, and the site's menu has the same ones."""
    listed = {target for target in read_links(DOCS / "index.md") if target.endswith(".md")}
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"index.md"}
    assert {target for target in listed if not target.startswith("../")} == pages
    menu = re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(menu) == {target.removeprefix("../") for target in listed} | {"index.md"}
    assert len(menu) == len(set(menu))


def test_readme_opens_with_the_two_commands():
    """The first screen shows how to run and how to test."""
    first = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:20]
    assert any(line.strip().startswith("make demo") for line in first)
    assert any(line.strip().startswith("make test") for line in first)


def test_nothing_says_to_install_a_package_of_somebody_else():
    """`sstar` on the public index is not ours and nothing of ours is there: nothing says to install it so."""
    places = [*PAGES, ROOT / "action.yml", ROOT / "Makefile"]
    places += [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    wrong = re.compile(r"(pip|pipx|uv tool) install (-\S+ )*['\"]?sstar\b|\bsstar(-code)?\\*\[")
    found = [str(path.relative_to(ROOT)) for path in places if wrong.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_the_action_installs_its_own_checkout():
    """What runs in CI is the revision that the workflow names."""
    action = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert re.findall(r"pip\"? install .*", action) == ['pip" install --quiet "$GITHUB_ACTION_PATH"']


def test_the_action_runs_nothing_of_the_repository(tmp_path):
    """Its steps begin in the checkout, where a module may be called like one of Python's own."""
    action = (ROOT / "action.yml").read_text(encoding="utf-8")
    install = re.findall(r"run: \|\n((?: {8}.*\n)+)", action)[0]
    (repository := tmp_path / "repository").mkdir()
    (temporary := tmp_path / "temporary").mkdir()
    for name in ("venv", "ensurepip", "pip", "subprocess", "sitecustomize"):
        (repository / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", "utf-8")
    prepare = "\n".join(line for line in install.splitlines() if "GITHUB_ACTION_PATH" not in line)
    environment = clean_environment() | {"RUNNER_TEMP": str(temporary)}
    subprocess.run(["bash", "-ec", prepare], cwd=repository, env=environment, check=True)
    assert (temporary / "sstar" / "bin" / "pip").exists()
    assert not (tmp_path / "ran").exists()


@functools.cache
def product_strings() -> str:
    """Every text of the product's sources, values left out, one a line."""
    texts = []
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


def test_every_message_of_the_troubleshooting_page_is_one_of_the_program():
    """A message that was reworded is reworded on the page, too."""
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8").partition("## No message")[0]
    rows = [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `")]
    messages = [message for row in rows for message in re.findall(r"`([^`]+)`", row)]
    assert len(messages) > 40
    assert [message for message in messages if message not in product_strings()] == []


def test_the_architecture_page_shows_every_folder():
    """The tree of docs/architecture.md has the folders of the four packages, and no others."""
    tree = (
        (DOCS / "architecture.md").read_text(encoding="utf-8").partition("```text\n")[2].partition("```")[0]
    )
    shown, above = set(), []
    for line in tree.splitlines():
        name = line.split()[0].rstrip("/")
        depth = (len(line) - len(line.lstrip())) // 2
        above = [*above[:depth], name]
        shown.add("/".join(above))
    holds_python = {path.parent for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    data = {
        "problems/bundled",
        "agent/prompts/cpp",
        "agent/prompts/presets",
        "agent/prompts/repository",
        "agent/prompts/text",
        "agent/prompts/text/strategies",
        "agent/robustness/texts",
    }
    assert shown == {str(folder.relative_to(ROOT)) for folder in holds_python} | data


def docstrings_and_helps() -> dict[str, str]:
    """Every docstring and every help text of the command line, with its place."""
    texts = {}
    folders = (*PACKAGES, "scripts", "benchmarks", "tests")
    for path in (path for package in folders for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                texts[f"{path.relative_to(ROOT)}:{node.lineno}"] = str(node.value.value)
    for name, command in commands().items():
        texts[f"sstar {name}"] = command.help or ""
        for parameter in command.params:
            texts[f"sstar {name} {parameter.name}"] = getattr(parameter, "help", None) or ""
    return texts


def test_no_text_begins_with_a_fragment():
    """A docstring or a help text is a sentence or a noun phrase: none begins with `Of` or `Likewise`."""
    fragments = [
        place for place, text in docstrings_and_helps().items() if re.match(r"\s*(Of|Likewise)\b", text)
    ]
    assert fragments == []


def run_python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script_of_the_python_page_runs(tmp_path, sandbox_local):
    """The blocks of docs/python.md, one after the other, are a script that does what the page says."""
    blocks = BLOCK.findall((DOCS / "python.md").read_text(encoding="utf-8"))
    code = "\n".join(body for language, _, body in blocks if language == "python")
    ended = run_python(code, tmp_path)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[:3] == ["True", "def is_even(n):", "    return n % 2 == 0"]
    assert "def double(n):" in lines
    assert [line for line in lines if line.startswith("OK")] == ["OK 42", ""][:1]
    assert "RE" in lines


def test_the_parts_of_add_your_own_do_what_they_say():
    """The set of the page is read, its method takes the shortest program, its checker decides."""
    import anyio

    from sstar_code.problems import Problem
    from sstar_code.sandbox.fake import FakeSandbox
    from sstar_code.selection import Candidate, Pool

    names: dict[str, Any] = {}
    for language, _, body in BLOCK.findall((DOCS / "add-your-own.md").read_text(encoding="utf-8")):
        if language == "python":
            exec(compile(body, "add-your-own.md", "exec"), names)
    (problem,) = names["read_problems"](None)
    assert isinstance(problem, Problem)
    candidates = (Candidate("longer program", 1, 1), Candidate("short", 1, 1), Candidate("", 0, 1))
    pool = Pool(problem, candidates, FakeSandbox({}))
    assert anyio.run(names["select_shortest"], pool).chosen == 1
    assert names["is_factorisation"]("12", "3 4", None)
    assert not names["is_factorisation"]("12", "12 1", None)
    assert names["is_factorisation"](12, [2, 2, 3], "3")


@pytest.mark.slow  # the same functions run in a loop in tests/agent/test_api.py
def test_the_notebook_runs(tmp_path, sandbox_local):
    """Every cell of docs/notebooks/from_python.ipynb runs in a kernel, and the notebook holds no outputs."""
    for name in ("nbclient", "ipykernel"):
        pytest.importorskip(name, reason=f"{name} is not installed here: make setup installs it")
    path = DOCS / "notebooks" / "from_python.ipynb"
    assert all(not cell.get("outputs") for cell in json.loads(path.read_text(encoding="utf-8"))["cells"])
    script = (
        "import sys, nbclient, nbformat\n"
        "from jupyter_client.manager import AsyncKernelManager\n"
        "book = nbformat.read(sys.argv[1], as_version=4)\n"
        "kernel = AsyncKernelManager(kernel_name='python3', transport='ipc')\n"
        "nbclient.NotebookClient(book, km=kernel, timeout=300).execute()\n"
        "(cell,) = (cell for cell in book.cells if cell.source.endswith('solution.solved'))\n"
        "print(cell.outputs[-1]['data']['text/plain'])\n"
    )
    with tempfile.TemporaryDirectory(prefix="sstar-") as runtime:  # sockets need a short path
        ended = subprocess.run(
            [sys.executable, "-c", script, str(path)],
            cwd=tmp_path,
            env=clean_environment() | {"JUPYTER_RUNTIME_DIR": runtime},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "True"


def test_the_site_builds_and_needs_no_network(tmp_path):
    """The site builds without a warning; no page takes a script, a style or a font from another host."""
    pytest.importorskip("material", reason="mkdocs-material is not installed here: make docs installs it")
    made = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    foreign = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*(?:src|href)=["']?(?:https?:)?//""")
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 40
    assert [str(page) for page in pages if foreign.search(page.read_text(encoding="utf-8"))] == []
    assert not any("url(http" in sheet.read_text(encoding="utf-8") for sheet in tmp_path.rglob("*.css"))


def test_every_entry_of_the_log_has_its_date_and_its_commit():
    """A number without the state it was measured at cannot be measured again."""
    text = (DOCS / "measurements" / "log.md").read_text(encoding="utf-8")
    entries = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    line = re.compile(r"[^\n]+\n\n\*20\d\d-\d\d-\d\d, commits? [0-9a-f]{7}")
    assert [entry.partition("\n")[0] for entry in entries if not line.match(entry)] == []


PLACE = re.compile(
    r"`((?:agent|selection|sandbox|problems|tests|benchmarks|scripts|docs)/[\w/.*-]+|"
    r"(?:sstar_code\.)?(?:agent|selection|sandbox|problems)\.[\w.]+)"
)


def exists(name: str) -> bool:
    if "/" in name:
        return bool(list(ROOT.glob(name.rstrip("/."))))
    found: Any = importlib.import_module("sstar_code")
    for part in name.removeprefix("sstar_code.").split("."):
        if not hasattr(found, part) and hasattr(found, "__path__"):
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(f"{found.__name__}.{part}")
        found = getattr(found, part, None)
    return found is not None


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_names_of_files_and_modules_are_those_of_today(page):
    """No page names a file, module or attribute that there is not; the log alone speaks of the past."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    names = [] if page.stem == "log" else PLACE.findall(text)
    other = {"problems.jsonl", "selection.made"}  # a file of a run, an event
    assert [name for name in names if name not in other and not exists(name)] == []


def test_the_citation_names_the_version_of_the_package():
    """Whoever cites the program cites the version that is installed."""
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert re.search(r"^version: (.+)$", text, re.MULTILINE)[1] == project["version"]
