"""Errors of asking a model.

ModelError (infrastructure, exit 3)  no answer after every retry; other calls will likely fail too
`-- CallError                        this call alone failed; the run goes on without its answer
    |-- ContextError                 prompt and answer do not fit the model
    `-- ReplayMissError              the recording does not hold this call
ModelUserError (user, exit 2)        key, model name, URL or setting is wrong; no call can succeed
"""

from __future__ import annotations

from sstar_code.problems import InfrastructureError, UserError


class ModelError(InfrastructureError):
    """The endpoint gave no answer; the message says what to do."""


class CallError(ModelError):
    """This call can never be answered, others can: a failed call, not a failed run."""


class ContextError(CallError):
    """Prompt and answer together are longer than the model takes."""

    def __init__(self, message: str, max_length: int | None = None) -> None:
        """Keep the model's `max_length` in tokens, None where the server does not say."""
        super().__init__(message)
        self.max_length = max_length


class ReplayMissError(CallError):
    """A recording was asked for a call that it does not hold."""


class ModelUserError(UserError):
    """The endpoint refuses what the user configured; the message says what to change."""
