"""The page: one file that runs nothing but its own script, whatever the candidates wrote."""

from __future__ import annotations

import base64
import gzip
import json
import re
from contextlib import closing
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from sstar_code.agent.report.data.run import open_run
from sstar_code.agent.report.render.page import LEVELS, Caps, pack, pack_all, read_details, write_page
from sstar_code.agent.run.store import Store
from sstar_code.problems import Kind, Test
from tests.support.browser import browse, find_browser
from tests.support.made_up_run import make_run

OWN = "document.title='owned'"
HOSTILE = f'</script></details><img src=x onerror="{OWN}"><script>{OWN}</script>&\x00\ud800'
SECTIONS = (
    "headline",
    "flow",
    "methods",
    "samples",
    "confidence",
    "cost",
    "groups",
    "problems",
    "details",
    "about",
)


class Elements(HTMLParser):
    """The tags of a page and the data of its scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.scripts, self.policy = [], set(), {}, ""
        self._inside = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append((tag, values))
        self.ids.add(values.get("id"))
        self._inside = values.get("id", "own") if tag == "script" else None
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"]

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside:
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The page of a run in which every text tries to break out."""
    folder = tmp_path_factory.mktemp("run")
    problems = make_run(folder, problems=12, samples=4, unfinished=1, errors=1, text=HOSTILE)
    return write_page(folder, problems)


def unpack(page, place):
    """The data of one problem's section."""
    return json.loads(gzip.decompress(base64.b64decode(page.scripts[f"d-{place}"])))


def test_page_needs_no_network_and_runs_one_script(hostile):
    """Nothing is fetched, nothing is an event handler, and the policy names the one script and style."""
    page = Elements(hostile.read_text())
    assert set(SECTIONS) <= page.ids
    running = [values for tag, values in page.tags if tag == "script" and values.get("type") != "text/plain"]
    assert running == [{}]
    assert not any(name.startswith("on") or name == "style" for _, values in page.tags for name in values)
    assert not any(
        "://" in value
        for tag, values in page.tags
        for value in [values.get("src") or values.get("href") or ""]
    )
    assert "img" not in {tag for tag, _ in page.tags}
    assert "default-src 'none'" in page.policy
    assert "unsafe" not in page.policy
    assert len(re.findall("sha256-", page.policy)) == 2


def test_sections_hold_everything(hostile):
    """A section has statement, rounds, methods with evidence, inputs, answers, and hostile text as text."""
    data = unpack(Elements(hostile.read_text()), 0)
    assert data["statement"].endswith(HOSTILE)
    assert len(data["samples"]) == 4
    assert data["methods"][0]["method"] == "adaptive"
    assert {"clusters", "distinguishing", "asked", "derived", "evidence"} <= set(data["methods"][0])
    assert len(data["answers"]) == 4
    assert data["stages"]


def test_errors_and_unfinished_are_named(hostile):
    """Both are said with their ids at the head of the page, and stand in the table."""
    text = hostile.read_text()
    assert "1 problems errored and count as wrong" in text
    assert "<li>made-10: the sandbox lost a run (IE)&lt;/script&gt;" in text
    assert "1 problems are unfinished" in text
    assert "<li>made-11</li>" in text


def test_long_texts_are_cut_and_say_so(tmp_path):
    """A text over the cap ends with the number of characters left out."""
    problems = make_run(tmp_path, problems=1, samples=2, text="x" * 50_000)
    data = unpack(Elements(write_page(tmp_path, problems).read_text()), 0)
    shown, left_out = data["statement"]
    assert len(shown) == 20_000
    assert len(shown) + left_out > 50_000


def test_more_is_cut_the_larger_the_run(tmp_path):
    """The first of five levels is taken with which the details of all problems are estimated to fit."""
    problems = make_run(tmp_path, problems=30, samples=2)
    with open_run(tmp_path, problems) as run:
        assert pack_all(run, 10**9)[1] == Caps()
        packed, caps = pack_all(run, 1)
        assert caps == Caps(1_500, 1_500, 100, 0, 0)
        assert list(packed) == list(problems)
        sizes = [sum(len(pack(read_details(run, one, level))) for one in problems) for level in LEVELS]
        for level, size in zip(LEVELS, sizes, strict=True):
            if sizes.count(size) == 1:
                assert pack_all(run, round(size * 1.02))[1] == level
        assert sizes == sorted(sizes, reverse=True)
        assert len(set(sizes)) > 2


def test_page_without_the_set_shows_what_the_model_was_asked(tmp_path):
    """Where the set is gone, the first prompt stands for the statement."""
    make_run(tmp_path, problems=2, samples=2)
    data = unpack(Elements(write_page(tmp_path).read_text()), 1)
    assert "statement" not in data
    assert data["prompt"].startswith("Problem 1.")


def test_inputs_are_calls_and_marked_where_they_are_not_allowed(tmp_path):
    """A function's input is a call, its output a Python value; what the contract does not admit is marked."""
    made = make_run(tmp_path, problems=1, samples=3)["made-0"]
    problem = replace(
        made,
        kind=Kind.FUNCTION,
        entry_point="work",
        public_tests=(Test("[1]", "true"), Test("[2, 3]", "false")),
    )
    with closing(Store(tmp_path / "run.db")) as store:
        row = json.loads(store.selections("made-0")["adaptive"])
        row["distinguishing"] = [
            {"input": text, "outputs": {"0": "true", "1": "null"}} for text in ("null", "[7]")
        ]
        outcome = store.outcomes()["made-0"]
        store.put_selections("made-0", outcome, [("adaptive", json.dumps({**row, "confidence": None}))])
    data = unpack(Elements(write_page(tmp_path, {"made-0": problem}).read_text()), 0)
    first, second = data["methods"][0]["distinguishing"]
    assert (first["input"], first["outside"], first["outputs"]["0"]) == ("work(None)", 1, "True")
    assert (second["input"], "outside" in second) == ("work([7])", False)
    assert data["public"][0] == ["work([1])", "True"]
    assert "confidence not known" in data["methods"][0]["why"]
    assert not {"confidence", "evidence"} & set(data["methods"][0])


def test_page_of_a_run_without_a_verdict(tmp_path):
    """Before the first problem is finished there is a page, which says what is not there yet."""
    problems = make_run(tmp_path, problems=3, samples=2, unfinished=3)
    text = write_page(tmp_path, problems).read_text()
    assert "Nothing is graded yet." in text
    assert "3 problems are unfinished" in text
    assert set(SECTIONS) <= Elements(text).ids


@pytest.fixture(scope="module")
def browser(hostile):
    """The page in a headless browser."""
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium here (chromium or google-chrome on PATH, or SSTAR_TEST_BROWSER)")
    with browse(program) as opened:
        opened.open(hostile)
        yield opened


ROWS = "[...document.querySelectorAll('#table tbody tr')].filter((row) => !row.hidden)"


def tab_to(browser, script, most=80):
    """Press Tab until the expression, of the focused element `here`, is true."""
    for _ in range(most):
        browser.press("Tab")
        if browser.run(f"((here) => {script})(document.activeElement)"):
            return
    raise AssertionError(f"Tab never reached {script}")


def test_browser_has_nothing_to_say(browser):
    """No console message, no request but the page itself, and hostile text changed nothing."""
    browser.run("document.querySelectorAll('details.problem').forEach((one) => { one.open = true; })")
    browser.wait("document.querySelectorAll('details.problem .body h3').length >= 20")
    browser.run("document.querySelectorAll('details details').forEach((one) => { one.open = true; })")
    browser.wait("document.querySelectorAll('details.problem pre').length > 100")
    assert browser.messages == []
    assert {url.partition("#")[0] for url in browser.requests} == {browser.run("location.href.split('#')[0]")}
    assert browser.run("document.title") == "made-up, none"
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert browser.run("document.querySelector('.body pre').textContent.includes('<img src=x')")


def test_sorting_by_keyboard(browser):
    """Enter on a column's button sorts up, again sorts down, and says so to a screen reader."""
    browser.run("document.querySelector('#words').focus()")
    tab_to(browser, "here.textContent === 'confidence'")
    values = f"{ROWS}.map((row) => Number(row.cells[2].dataset.v))"
    browser.press("Enter")
    up = browser.run(values)
    assert up == sorted(up)
    assert browser.run("document.activeElement.parentNode.getAttribute('aria-sort')") == "ascending"
    browser.press("Enter")
    assert browser.run(values) == sorted(up, reverse=True)
    assert browser.run("document.activeElement.parentNode.getAttribute('aria-sort')") == "descending"


def test_filtering_by_keyboard(browser):
    """Typed words leave the problems that have them, in the table and the list below; the count is said."""
    browser.run("document.querySelector('a.skip').focus()")
    tab_to(browser, "here.id === 'words'")
    for letter in "hard made-2":
        browser.press(letter)
    assert browser.run(f"{ROWS}.map((row) => row.cells[0].textContent)") == ["made-2"]
    assert browser.run("document.querySelector('#shown').textContent") == "1 of 12 problems"
    assert browser.run("document.querySelectorAll('details.problem:not([hidden])').length") == 1


def test_focus_is_visible_and_the_first_stop_skips(browser):
    """The first stop of Tab is the skip link, and it shows."""
    browser.run("document.activeElement.blur(), scrollTo(0, 0)")
    browser.run("document.querySelector('a.skip').focus()")
    assert browser.run("document.querySelector('a.skip').getBoundingClientRect().left") >= 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_contrast_of_all_texts(browser, dark):
    """Every colour of text on its ground has the 4.5 of WCAG's level AA."""
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.call("Emulation.setEmulatedMedia", features=scheme)
    style = "getComputedStyle(document.documentElement)"
    names = ("ink", "soft", "link", "chosen", "good", "bad", "lost", "word", "string", "number", "name")
    grounds = ("paper", "card", "code")
    for name in names:
        for ground in grounds if name in ("ink", "soft", *names[-4:]) else grounds[:2]:
            pair = [browser.run(f"{style}.getPropertyValue('--{one}')").strip() for one in (name, ground)]
            assert contrast(*pair) >= 4.5, (name, ground, pair)


def contrast(first, second):
    """WCAG 2's contrast ratio of two colours like `#aabbcc`."""

    def luminance(colour):
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        ]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_a_program_is_in_colours(browser):
    """Words of Python, strings and names have their class; the text is the program's to the letter."""
    browser.run("document.querySelector('#p-0').open = true")
    browser.wait("document.querySelectorAll('#p-0 .body details').length > 2")
    browser.run("document.querySelectorAll('#p-0 .body details').forEach((one) => { one.open = true; })")
    browser.wait("document.querySelectorAll('#p-0 pre.code').length > 0")
    first = "document.querySelector('#p-0 pre.code')"
    words = browser.run(f"[...{first}.querySelectorAll('.tok-w')].map((one) => one.textContent)")
    assert {"import", "def", "return"} <= set(words)
    assert browser.run(f"{first}.querySelector('.tok-f').textContent") == "solve"
    assert browser.run(f"{first}.textContent").startswith("import sys\n\ndef solve(data):\n")


def test_a_problem_says_why_and_explains_its_words(browser):
    """The sentence stands first; the columns of evidence have a legend below them."""
    browser.run("document.querySelector('#p-0').open = true")
    browser.wait("document.querySelectorAll('#p-0 dl.legend').length > 0")
    assert browser.run("document.querySelector('#p-0 .body').firstChild.textContent").startswith(
        "Chosen: sample"
    )
    told = browser.run("[...document.querySelectorAll('#p-0 dl.legend dt')].map((one) => one.textContent)")
    assert told == ["agreement", "size", "before", "after"]


def test_phone_width_cuts_no_chart(browser):
    """At 390 pixels each chart is there once, whole, and the table of problems shows every column."""
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True
    )
    shown = (
        "[...document.querySelectorAll('.chart svg')].filter((one) => one.getBoundingClientRect().width > 0)"
    )
    charts = browser.run("document.querySelectorAll('.chart').length")
    assert browser.run(f"{shown}.length") == charts > 5
    assert browser.run(f"{shown}.every((one) => one.getBoundingClientRect().right <= 390)")
    outside = "(one) => { const box = one.getBBox(); return box.x < -1.5 || box.x + box.width > 341; }"
    assert (
        browser.run(f"{shown}.flatMap((one) => [...one.querySelectorAll('text')]).filter({outside}).length")
        == 0
    )
    cells = browser.run(
        "[...[...document.querySelectorAll('#table tbody tr')].find((row) => row.offsetHeight > 0).cells]"
        ".map((one) => one.offsetWidth > 0)"
    )
    assert all(cells)
    browser.call("Emulation.clearDeviceMetricsOverride")


def test_phone_width_does_not_scroll_sideways(browser):
    """At 390 pixels the page itself fits; wide tables scroll in boxes of their own."""
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True
    )
    assert browser.run("document.documentElement.scrollWidth") <= 390
