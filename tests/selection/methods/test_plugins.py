"""Selection methods that other packages bring."""

from __future__ import annotations

import sys

import pytest

from sstar_code.problems import InfrastructureError, UserError
from sstar_code.selection import METHODS, Candidate, Pool, choose, select_all
from sstar_code.selection.methods.registry import list_methods
from tests.support.plugins import install_example

pytestmark = pytest.mark.anyio

MODULE = """\
from sstar_code.problems import InfrastructureError
from sstar_code.selection import Selection

async def last(pool):
    return Selection("another name", len(pool.candidates) - 1, 0.25)

async def fail(pool):
    raise RuntimeError("no\\nluck")

async def break_down(pool):
    raise InfrastructureError("the engine is gone")

async def wrong(pool):
    return 0

async def beyond(pool):
    return Selection("beyond", 2, 0.5)

async def before(pool):
    return Selection("before", -1, 0.5)

constant = 7
"""
POINTS = """\
[sstar_code.methods]
last = methods_of_a_test:last
failing = methods_of_a_test:fail
down = methods_of_a_test:break_down
strange = methods_of_a_test:wrong
beyond = methods_of_a_test:beyond
before = methods_of_a_test:before
constant = methods_of_a_test:constant
gone = no_such_module_here:select
first = methods_of_a_test:fail
"""


def lay_down(folder, package, version, points):
    """A distribution as pip leaves it: metadata in a folder on the path."""
    info = folder / f"{package.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(points)


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    lay_down(folder, "my-methods", "1.2", POINTS)
    (folder / "methods_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("methods_of_a_test", None)


@pytest.fixture
def pool(square_problem, trusting_sandbox):
    return Pool(square_problem, (Candidate("a = 1", 1, 1), Candidate("b = 1", 1, 1)), trusting_sandbox)


async def test_an_installed_package_brings_a_method(site, pool):
    """Its name works like one of ours, alone or beside them, and is the name in the record."""
    assert (await choose("last")(pool)).chosen == 1
    found = await select_all(pool, ["first", "last"])
    assert {name: (item.method, item.chosen) for name, item in found.items()} == {
        "first": ("first", 0),
        "last": ("last", 1),
    }
    assert found["last"].confidence == 0.25


def test_nothing_is_imported_before_it_is_used(site):
    """The names are known without any code of the package."""
    assert set(list_methods()) == {
        "last", "failing", "down", "strange", "beyond", "before", "constant", "gone", "first",
    }  # fmt: skip
    assert "methods_of_a_test" not in sys.modules


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("failing", "of my-methods 1.2: RuntimeError: no; that package is at fault"),
        ("strange", "of my-methods 1.2: TypeError: gives a int where a Selection is expected; that package"),
        ("beyond", "of my-methods 1.2: ValueError: chose 2 of 2 candidates; that package"),
        ("before", "of my-methods 1.2: ValueError: chose -1 of 2 candidates; that package"),
        ("constant", "of my-methods 1.2: TypeError: a int where a callable is expected; that package"),
        (
            "gone",
            "of my-methods 1.2: ModuleNotFoundError: No module named 'no_such_module_here'; that package",
        ),
    ],
)
async def test_a_broken_package_is_one_line_and_breaks_nothing_else(site, pool, name, message):
    """The method, the package and the fault are named; the package's other methods go on working."""
    with pytest.raises(UserError, match=message) as caught:
        await select_all(pool, [name])
    assert str(caught.value).startswith(f"selection method {name!r}")
    assert "\n" not in str(caught.value)
    assert (await choose("last")(pool)).chosen == 1


async def test_what_cannot_be_imported_is_told_before_anything_is_run(site, pool):
    """A fault of importing is found when the method is named, not when it is needed."""
    with pytest.raises(UserError, match="gone"):
        choose("gone")
    with pytest.raises(UserError, match="constant"):
        choose("constant")


async def test_an_error_of_the_house_stays_what_it_is(site, pool):
    """A method in another package may say that the sandbox broke, like ours."""
    with pytest.raises(InfrastructureError, match="the engine is gone"):
        await choose("down")(pool)


async def test_a_name_of_ours_is_not_taken_over(site, pool):
    """`first` stays our method, whoever else brings one."""
    assert choose("first") is METHODS["first"]
    assert (await choose("first")(pool)).chosen == 0


def test_a_name_that_two_packages_bring_is_refused(site):
    """Neither wins: both packages are named."""
    lay_down(site, "other-methods", "0.1", "[sstar_code.methods]\nlast = methods_of_a_test:last\n")
    with pytest.raises(UserError, match=r"'last' is brought by .*1.* and .*; uninstall one") as caught:
        choose("last")
    assert "my-methods 1.2" in str(caught.value)
    assert "other-methods 0.1" in str(caught.value)


def test_an_unknown_name_lists_all_and_suggests_the_nearest(site):
    """Methods of packages are listed after ours, each once, and suggested like ours."""
    with pytest.raises(
        UserError, match=r"unknown selection method 'lasst' \(did you mean 'last'\?\)"
    ) as caught:
        choose("lasst")
    listed = str(caught.value).partition("choose one of ")[2].split(", ")
    assert listed[: len(METHODS)] == list(METHODS)
    assert listed.count("first") == 1
    assert "gone" in listed


async def test_the_example_package_works(tmp_path, monkeypatch, pool):
    """The example in tests/support/plugins, built and unpacked like any wheel, brings `shortest`."""
    monkeypatch.syspath_prepend(str(install_example("method_example", tmp_path / "site")))
    (plugin,) = list_methods().values()
    assert plugin.package.startswith("sstar-method-example ")
    short = Pool(pool.problem, (*pool.candidates, Candidate("a=1", 1, 1), Candidate("", 1, 1)), pool.sandbox)
    selection = await choose("shortest")(short)
    assert (selection.method, selection.chosen, selection.confidence) == ("shortest", 2, 1 / 3)
    sys.modules.pop("sstar_method_example", None)
