"""What stands before every request: the key, the name that was called, and the bounds of what is read."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio

from sstar_code.agent.serving.errors import RefusedError
from sstar_code.problems.bounds import parse_json

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

_BODY_TIMEOUT_S = 120.0
_MOST_HELD_MB = 512
"""Megabytes of all requests that are held at once."""
_OPEN = ("/health",)
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "[::1]"))


class Guard:
    """Decides who is served.

    With a key, who has it. Without one, programs of this machine: no page of a browser, which sends an
    `Origin`, and no name but this machine's own (DNS rebinding).

    Args:
        key: None where none is needed.
    """

    def __init__(self, key: str | None) -> None:
        self._digest = None if key is None else _digest(key.encode())

    def check(self, scope: Scope) -> None:
        """Raises RefusedError where the request of `scope` is not served."""
        if scope["path"] in _OPEN:
            return
        if self._digest is not None:
            self._check_key(scope, self._digest)
            return
        hosts = [value.decode("latin-1") for value in _find(scope, b"host")]
        if len(hosts) != 1 or not {hosts[0], hosts[0].rpartition(":")[0]} & _LOOPBACK:
            raise RefusedError(403, "this server answers to localhost alone", code="wrong_host")
        if _find(scope, b"origin"):
            raise RefusedError(
                403, "pages in a browser are not served without a key (--api-key-env)", code="wrong_origin"
            )

    @staticmethod
    def _check_key(scope: Scope, digest: bytes) -> None:
        given = [
            value for name in (b"authorization", b"api-key", b"x-api-key") for value in _find(scope, name)
        ]
        key = given[0] if len(given) == 1 else b""
        if key[:7].lower() == b"bearer ":
            key = key[7:].strip()
        if not hmac.compare_digest(_digest(key), digest):
            raise RefusedError(
                401,
                "a wrong key, or none: give the key of this server as `Authorization: Bearer KEY`",
                code="invalid_api_key",
                headers={"www-authenticate": "Bearer"},
            )


def _digest(key: bytes) -> bytes:
    """A digest has one length for all keys, so comparing two takes the same time whatever they are."""
    return hashlib.sha256(key).digest()


def _find(scope: Scope, name: bytes) -> list[bytes]:
    return [value for found, value in scope["headers"] if found == name]


class BodyReader:
    """Reads the bodies of requests, none longer than `most` bytes, and together no more than memory bears."""

    def __init__(self, most: int, *, most_held: int = _MOST_HELD_MB << 20) -> None:
        self._most = most
        self._most_held = max(most_held, most)
        self.held = 0
        """Bytes that are held now."""

    @contextmanager
    def holding(self) -> Iterator[Callable[[int], None]]:
        """Gives what counts further bytes of a request; they are let go when the block ends.

        Raises, when counting:
            RefusedError: the request is too long, or all together hold too much.
        """
        own = 0

        def add(count: int) -> None:
            nonlocal own
            if own + count > self._most:
                raise RefusedError(
                    413,
                    f"the request is longer than {self._most >> 20} MB (--max-body-mb)",
                    code="request_too_large",
                    headers={"connection": "close"},
                )
            if self.held + count > self._most_held:
                raise RefusedError(
                    429, "too much is being read at once", code="too_many_requests", retry_after_s=2
                )
            own += count
            self.held += count

        try:
            yield add
        finally:
            self.held -= own

    async def read(self, scope: Scope, receive: Receive, add: Callable[[int], None]) -> bytes:
        """The body.

        Raises:
            RefusedError: it is packed, too long, or does not come to its end in time.
            ClientGoneError: the client went first.
        """
        if any(
            value.strip().lower() not in (b"", b"identity") for value in _find(scope, b"content-encoding")
        ):
            raise RefusedError(
                415, "a packed request is not read: send it as it is", code="unsupported_encoding"
            )
        told = _find(scope, b"content-length")
        if told and int(told[0]) > self._most:
            add(int(told[0]))
        pieces = []
        with anyio.move_on_after(_BODY_TIMEOUT_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                piece = message.get("body", b"")
                add(len(piece))
                pieces.append(piece)
                if not message.get("more_body", False):
                    return b"".join(pieces)
        raise RefusedError(408, "the request did not come to its end in time", code="request_timeout")


class ClientGoneError(Exception):
    """The client hung up."""


def parse_body(content: bytes) -> dict[str, Any] | None:
    """The JSON object that a body holds; None where it is something else, which the server behind may judge.

    Raises:
        RefusedError: it is nested too deep, or too large to be read.
    """
    try:
        body = parse_json(content)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None
    except ValueError as error:
        raise RefusedError(400, f"the request: {error}", code="invalid_request") from error
    return body if isinstance(body, dict) else None
