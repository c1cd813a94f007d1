"""A model that answers from recorded calls: no server, no cost, the same answers each time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from anyio.lowlevel import checkpoint

from sstar_code.agent.models.errors import ReplayMissError
from sstar_code.agent.models.recorded.recording import read_calls
from sstar_code.agent.models.request import request_key

if TYPE_CHECKING:
    from sstar_code.agent.models.recorded.recording import Call
    from sstar_code.agent.models.request import Answer, Purpose, Request


class ReplayModel:
    """Answers from the calls recorded in `path`.

    A request is looked up by its content. Where several calls have that content, the one made for the same
    purpose answers, else the sample's number picks one in recorded order. Where none has it (a prompt was
    edited since), the call made for the same purpose answers, unless `strict`; `by_purpose` counts these.
    Which answer is given never depends on the order of asking. Of two calls with one content and purpose the
    later counts.

    Raises:
        UserError: the file is missing or malformed.
    """

    def __init__(self, path: Path, *, strict: bool = False) -> None:
        self.name = f"replay:{path}"
        self.path = path
        self.strict = strict
        self.exact = 0
        """Answers given to a request with the recorded content."""
        self.by_purpose = 0
        """Answers given by place in the method: their prompts differ from the recording."""
        self._by_key: dict[str, dict[Purpose, Call]] = {}
        self._by_purpose: dict[Purpose, Call] = {}
        for call in read_calls(path):
            self._by_key.setdefault(request_key(call.request), {})[call.request.purpose] = call
            self._by_purpose[call.request.purpose] = call

    async def ask(self, request: Request) -> Answer:
        """The recorded answer.

        Raises:
            ReplayMissError: no recorded call fits.
        """
        await checkpoint()
        purpose = request.purpose
        same = self._by_key.get(request_key(request), {})
        if same:
            self.exact += 1
            calls = list(same.values())
            return same.get(purpose, calls[purpose.sample % len(calls)]).answer
        call = self._by_purpose.get(purpose)
        if call is None or self.strict:
            place = f"{purpose.problem_id}, {purpose.stage} of sample {purpose.sample}, round {purpose.round}"
            ordinal = f", {purpose.ordinal}" if purpose.ordinal else ""
            known = "with another prompt" if call else "not at all"
            raise ReplayMissError(f"{self.path} holds this call {known}: {place}{ordinal}; record it again")
        self.by_purpose += 1
        return call.answer
