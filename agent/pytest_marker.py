"""A plugin of pytest: tests that `--emit-tests` wrote carry the marker `sstar_derived`.

Such a file needs no plugin. With `-p sstar_code.agent.pytest_marker`, which can stand in `addopts`,
`-m sstar_derived` runs these tests alone and `-m 'not sstar_derived'` all others. It is loaded where it is
asked for and nowhere else: a plugin of every pytest would stop those that cannot import it, as in a sandbox.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_MARKER = "sstar_derived"
_SIGN = "DERIVED_BY_SSTAR"
"""What `selection.pytest_export` puts into the files that it writes."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, for `--strict-markers` and `pytest --markers`."""
    config.addinivalue_line(
        "markers", f"{_MARKER}: written by sstar --emit-tests; what it demands was confirmed, not proved"
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test of a file that was written so."""
    module = getattr(item, "module", None)
    if isinstance(module, ModuleType) and vars(module).get(_SIGN) is True:
        item.add_marker(_MARKER)
