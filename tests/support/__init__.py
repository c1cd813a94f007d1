"""What several test folders share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

__all__ = ["ROOT", "skip_unless_required"]

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""


def skip_unless_required(what: str, reason: str) -> NoReturn:
    """Skip the test, or fail it where `SSTAR_REQUIRE_` and `what` (`DOCKER`, `DATA`) is 1."""
    variable = f"SSTAR_REQUIRE_{what}"
    if os.environ.get(variable) == "1":
        pytest.fail(f"{variable}=1, but {reason}")
    pytest.skip(reason)
