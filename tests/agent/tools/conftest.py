"""A sandbox for the tools."""

from __future__ import annotations

import pytest

from sstar_code.sandbox.local.sandbox import LocalSandbox


@pytest.fixture
async def sandbox(sandbox_local):
    async with LocalSandbox(2) as opened:
        yield opened
