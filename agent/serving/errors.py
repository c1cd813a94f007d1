"""What a client is told when its request is refused here, in the words of the OpenAI API."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from sstar_code.problems.errors import shorten

_MOST_CHARS = 1000
"""What is wrong is told in so many characters, however long what was sent is."""


class RefusedError(Exception):
    """A request that is not served; `status` is that of HTTP."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        param: str | None = None,
        retry_after_s: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep what the client is told.

        Args:
            status: 400 and up.
            message: one line: what is wrong, and what to do.
            code: a word for programs.
            param: the field at fault.
            retry_after_s: when the same request may be served.
            headers: further headers of the response.
        """
        super().__init__(shorten(message, _MOST_CHARS))
        self.status = status
        self.code = code
        self.param = None if param is None else shorten(param, _MOST_CHARS)
        self.headers = dict(headers or {})
        if retry_after_s is not None:
            self.headers["retry-after"] = str(max(1, math.ceil(retry_after_s)))

    @property
    def body(self) -> dict[str, Any]:
        """The error object."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        return {"error": error}

    @property
    def content(self) -> bytes:
        """The error object as JSON text."""
        return json.dumps(self.body).encode()


def bad_request(message: str, param: str | None = None) -> RefusedError:
    """The error for a request that can never be served as it is."""
    return RefusedError(400, message, code="invalid_request", param=param)
