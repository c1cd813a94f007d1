"""Strategies by name: what a wrong one is told, entry points, and what goes with `--n`."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.generation.lineage import Lineage, Round
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.strategies import table
from sstar_code.agent.strategies.sample import Sample
from sstar_code.agent.strategies.search.beam import Beam
from sstar_code.agent.strategies.table import STRATEGIES, choose_strategy, parse_strategy
from sstar_code.agent.strategies.waves import Waves
from sstar_code.problems import UserError
from sstar_code.problems.plugins import Plugin
from tests.agent.strategies.known import KnownModel, grow
from tests.support.documents import BLOCK, DOCS


def test_settings_are_read_by_the_type_of_their_key():
    """Numbers, and yes or no; what is not given has its default."""
    assert parse_strategy("beam:width=2, dvts=yes") == Beam(width=2, dvts=True)
    assert parse_strategy("beam") == Beam()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("beem", "unknown strategy 'beem' (did you mean 'beam'?); choose one of sample, waves, beam"),
        ("beam:widht=2", "beam: unknown key 'widht' (did you mean 'width'?); its keys are width, lookahead"),
        ("sample:a=1", "sample: unknown key 'a'; it has no settings"),
        ("beam:width=two", "beam: width='two': it must be a whole number"),
        ("beam:dvts=maybe", "beam: dvts='maybe': it must be yes or no"),
        ("beam:width=0", "beam: width must be at least 1"),
        ("beam:width", "beam: 'width' is no key=value"),
        ("beam:", "beam: '' is no key=value"),
        ("tree:batch=1,batch=2", "tree: batch is given twice"),
        ("depth:r=0", "depth: r must be at least 1"),
        ("depth:r=2,first=4", "depth: first must be from 1 to r, or 0 for r"),
        ("depth:r=2.5", "depth: r='2.5': it must be a whole number"),
    ],
)
def test_a_wrong_strategy_is_one_line(text, told):
    """It names what is wrong, and what there is."""
    with pytest.raises(UserError) as raised:
        parse_strategy(text)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


@given(st.text(max_size=40) | st.from_regex(r"(beam|tree|waves):[a-z=,0-9.-]{0,30}", fullmatch=True))
def test_any_text_is_a_strategy_or_a_users_error(text):
    """Nothing else is raised."""
    with contextlib.suppress(UserError):
        parse_strategy(text)


def test_the_strategy_goes_with_the_number_of_samples():
    """A number alone is `sample`, a range `waves`; each is refused with the other's."""
    assert choose_strategy(Settings(n=4)) == Sample()
    assert choose_strategy(Settings(n=4, least=2)) == Waves()
    for wrong in (Settings(n=4, strategy="waves"), Settings(n=4, least=2, strategy="beam")):
        with pytest.raises(UserError, match=r"range"):
            choose_strategy(wrong)


@dataclass(frozen=True)
class Numbered:
    """A strategy of another package; `first` is the number of its first sample."""

    first: int = 0

    async def __call__(self, problem, context, on_sample):
        lineage = Lineage(self.first, (Round(0, "print(1)"),))
        on_sample(lineage)
        return (lineage,)

    def most_calls(self, settings):
        return settings.n


@pytest.fixture
def _package(monkeypatch):
    """A package that brings `numbered`."""
    point = EntryPoint("numbered", "numbered:Numbered", "sstar_code.strategies")
    monkeypatch.setitem(sys.modules, "numbered", sys.modules[__name__])
    monkeypatch.setattr(
        table, "list_strategies", lambda: {"numbered": Plugin("strategy", "numbered", "numbered 1.0", point)}
    )


@pytest.mark.anyio
@pytest.mark.usefixtures("_package")
async def test_a_package_brings_a_strategy_with_settings():
    """It is used by name with its own keys; what it does wrong is told as its package's fault."""
    assert (await grow(KnownModel({}), "numbered"))[0].code == "print(1)"
    with pytest.raises(UserError, match=r"numbered 1\.0.*not numbered from 0"):
        await grow(KnownModel({}), "numbered:first=1")
    assert table.parse_strategy("numbered").most_calls(Settings(n=3)) == 3
    with pytest.raises(UserError, match=r"its keys are first"):
        parse_strategy("numbered:last=1")


def test_every_strategy_says_where_it_comes_from():
    """The docstring of its file names a source; the file is short."""
    for kind in STRATEGIES.values():
        module = sys.modules[kind.__module__]
        assert "Source" in (module.__doc__ or ""), kind


@pytest.mark.anyio
async def test_the_example_of_the_page_is_a_strategy(monkeypatch):
    """The code that the document shows is taken, with its setting, and stops where it says."""
    page = (DOCS / "method" / "strategies.md").read_text(encoding="utf-8")
    (source,) = [body for language, _, body in BLOCK.findall(page) if language == "python"]
    names = {"__name__": "my_parts"}
    monkeypatch.setitem(sys.modules, "my_parts", ModuleType("my_parts"))
    exec(compile(source, "strategies.md", "exec"), names)
    monkeypatch.setattr(table, "STRATEGIES", {**STRATEGIES, "hopeful": names["Hopeful"]})
    model = KnownModel({"1.1": "1111", "2.0": "1111"})
    samples = await grow(model, "hopeful:least=2", n=5, rounds=1)
    assert [len(sample.rounds) for sample in samples] == [2, 2, 1]
