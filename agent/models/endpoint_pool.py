"""One model at several endpoints: a problem's calls mostly go to one of them, and away from one that dies.

A server keeps the work on a prompt (its prefix cache), so the samples and repairs of a problem belong
together. Rendezvous hashing (Thaler and Ravishankar, 1998) gives each problem a favourite that stays the same
when others come and go; a favourite that is notably busier than the idlest is passed over.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import anyio

from sstar_code.agent.models.request import ModelError, ModelUserError
from sstar_code.agent.models.retry import RetryingModel, TransientError

if TYPE_CHECKING:
    from sstar_code.agent.models.openai.client import OpenAIModel
    from sstar_code.agent.models.openai.served import ServerInfo
    from sstar_code.agent.models.request import Answer, Request

_FIRST_REST_S = 1.0
_MAX_REST_S = 60.0


@dataclass(slots=True, eq=False)
class Place:
    """State of one endpoint."""

    model: OpenAIModel
    in_flight: int = 0
    failures: int = 0
    """Outages in a row."""
    back_at_s: float = 0.0
    """Not asked before this (monotonic) unless there is no other."""
    checking: bool = False
    """Someone is finding out whether it is back."""

    def weight(self, problem_id: str) -> bytes:
        """The problem's favourite has the greatest."""
        return hashlib.blake2b(f"{self.model.base_url}\0{problem_id}".encode(), digest_size=8).digest()


class EndpointPool(RetryingModel):
    """The model that every one of `models` serves, asked wherever there is least to do.

    `on_retry` gets a line also when an endpoint goes or comes back.

    Args:
        models: one for each endpoint, of one name.
        first_rest_s: how long an endpoint that failed is left alone; doubles with each failure in a row.
        retrying: further arguments of `RetryingModel`; `max_in_flight` counts the calls at all of them.
    """

    def __init__(
        self, models: Sequence[OpenAIModel], *, first_rest_s: float = _FIRST_REST_S, **retrying: Any
    ) -> None:
        super().__init__(models[0].name, **retrying)
        self.places = [Place(model) for model in models]
        self.infos: list[ServerInfo] = []
        """The answers to `check`, of those endpoints that gave one."""
        self._first_rest_s = first_rest_s
        for model in models:
            model.on_note = lambda line, *, changes_answers: self.on_note(
                line, changes_answers=changes_answers
            )
        self._open = AsyncExitStack()
        self._shows_metrics = False

    def __repr__(self) -> str:
        return f"EndpointPool({self.name!r}, {', '.join(place.model.url for place in self.places)})"

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as undo:
            for place in self.places:
                await undo.enter_async_context(place.model)
            self._open = undo.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def check(self, *, any_model: bool = False) -> ServerInfo:
        """Ask every endpoint what it serves, as `OpenAIModel.check` does; the shortest context counts.

        One that is down is left out, and tried again later.

        Raises:
            ModelUserError: an endpoint does not serve the model, or refuses the key.
            ModelError: none answers.
        """
        self.infos = []
        down: list[ModelError] = []
        for place in self.places:
            try:
                self.infos.append(await place.model.check(any_model=any_model))
            except ModelError as error:
                self._take_out(place, str(error))
                down.append(error)
        if not self.infos:
            raise down[0] if len(down) == 1 else self._nobody(down[0])
        versions = sorted({info.version or "unknown" for info in self.infos})
        if len(versions) > 1:
            listed = ", ".join(versions)
            self.on_retry(f"the endpoints differ in version ({listed}): a seed may mean two texts")
        lengths = [info.max_model_len for info in self.infos]
        known = [length for length in lengths if length is not None]
        first = self.infos[0]
        return type(first)(
            url=", ".join(info.url for info in self.infos),
            models=first.models,
            max_model_len=min(known, default=None),
            version=" and ".join(versions) if versions != ["unknown"] else None,
            seconds=max(info.seconds for info in self.infos),
        )

    def _nobody(self, error: ModelError) -> ModelError:
        urls = ", ".join(place.model.url for place in self.places)
        return ModelError(f"none of the {len(self.places)} endpoints answers ({urls}), the first: {error}")

    def describe(self) -> list[dict[str, Any]]:
        """The endpoints that answered `check`, for the manifest."""
        return [info.as_json() for info in self.infos]

    def give_up(self, fault: TransientError, seconds: float) -> ModelError:
        """The error when no endpoint answered; as `RetryingModel.give_up`."""
        return self._nobody(self.places[0].model.give_up(fault, seconds))

    async def attempt(self, request: Request) -> Answer:
        """Try the endpoints one after another until one answers or all have failed."""
        tried: list[Place] = []
        last: TransientError | None = None
        while (place := await self._choose(request.purpose.problem_id, tried)) is not None:
            if last is not None and last.is_busy:
                self.on_busy()  # `ask` sees only the last refusal
            place.in_flight += 1
            try:
                answer = await place.model.attempt(request)
            except TransientError as fault:
                last = fault
                tried.append(place)
                if fault.is_outage:
                    self._take_out(place, str(fault))
            else:
                place.failures = 0
                return answer
            finally:
                place.in_flight -= 1
        raise last or AssertionError("a pool has endpoints")

    async def _choose(self, problem_id: str, tried: Sequence[Place]) -> Place | None:
        """The endpoint for a call of this problem; None where all have been tried.

        One whose rest is over is looked at by the first call that could use it, others do not wait for that.
        """
        left = [place for place in self.places if place not in tried]
        for place in left:
            if place.failures and not place.checking and time.monotonic() >= place.back_at_s:
                await self._look(place)
        well = [place for place in left if not place.failures]
        if not well:
            return min(left, key=lambda place: place.back_at_s, default=None)
        idlest = min(well, key=lambda place: place.in_flight)
        favourite = max(well, key=lambda place: place.weight(problem_id))
        return favourite if favourite.in_flight <= self._bearable(idlest.in_flight) else idlest

    @staticmethod
    def _bearable(least: int) -> int:
        """Calls at a favourite at most, `least` being those at the idlest."""
        return least + 4 + least // 4

    async def _look(self, place: Place) -> None:
        place.checking = True
        try:
            await place.model.check()
        except (ModelError, ModelUserError) as error:  # it may serve another model by now
            self._take_out(place, str(error), quiet=True)
        else:
            place.failures = 0
            self.on_retry(f"{place.model.url} answers again")
        finally:
            place.checking = False

    def _take_out(self, place: Place, why: str, *, quiet: bool = False) -> None:
        now_s = time.monotonic()
        if place.failures and now_s < place.back_at_s:
            return  # calls that were under way fail together: one outage
        place.failures += 1
        rest_s = min(_MAX_REST_S, self._first_rest_s * 2.0 ** min(place.failures - 1, 30))
        place.back_at_s = now_s + rest_s
        if not quiet and place.failures == 1:
            self.on_retry(f"{place.model.url} is out for now: {why}")

    async def read_metrics(self) -> list[str] | None:
        """The pages of those endpoints that show one; None where none ever has."""
        while True:
            pages = [await place.model.read_metrics() for place in self.places if not place.failures]
            known = [page for shown in pages for page in shown or ()]
            if known:
                self._shows_metrics = True
                return known
            if pages and not self._shows_metrics:
                return None
            await anyio.sleep(_FIRST_REST_S)
