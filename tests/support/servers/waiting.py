"""A model for tests of what happens while it is waited for."""

from __future__ import annotations

import anyio


class Waiting:
    """A model that never answers, and knows when it is no longer waited for."""

    name = "waiting"

    def __init__(self):
        self.asked, self.left = anyio.Event(), anyio.Event()

    async def ask(self, request):
        self.asked.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.left.set()
