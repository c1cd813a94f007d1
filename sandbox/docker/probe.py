"""Says quickly whether a Docker engine answers and has the sandbox's image."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from sstar_code.sandbox.docker.engine import connect_engine, engine_address, explain, explain_silence
from sstar_code.sandbox.image import build
from sstar_code.sandbox.outcome import SandboxError


@dataclass(frozen=True, slots=True)
class EngineState:
    """The result of `probe_engine`."""

    address: str
    """Where it looked, like `unix:///var/run/docker.sock`."""
    version: str | None = None
    """The engine's version; None: it does not answer."""
    reason: str | None = None
    """One line on what is missing and what to do; None: ready to run programs."""
    image: str | None = None
    """Tag of the sandbox's image where the engine has it."""

    @property
    def reachable(self) -> bool:
        """Whether an engine answered."""
        return self.version is not None


def probe_engine(timeout_s: int = 2, packages: tuple[str, ...] = (), *, cpp: bool = False) -> EngineState:
    """Ask for the engine's version and for the image, in `timeout_s` at most; nothing missing is raised.

    At once where there is no socket. A stuck engine, or a slow `ssh`, is given up on after `timeout_s`.
    `packages`: libraries that the image has to have beside the usual ones; `cpp`: and C++.
    """
    address = engine_address()
    found: list[EngineState] = []

    def ask() -> None:
        found.append(_ask_engine(address, timeout_s, packages, cpp=cpp))

    # A thread of its own: an engine that answers byte by byte outlives every time-out of a socket.
    asking = threading.Thread(target=ask, name="probe-engine", daemon=True)
    asking.start()
    asking.join(timeout_s)
    if found:
        return found[0]
    return EngineState(address, reason=explain_silence(address, timeout_s))


def _ask_engine(address: str, timeout_s: int, packages: tuple[str, ...], *, cpp: bool) -> EngineState:
    try:
        client = connect_engine(timeout_s)
    except SandboxError as error:
        return EngineState(address, reason=str(error))
    try:
        version = str(client.version()["Version"])
        tag = build.image_tag(packages, cpp=cpp)
        if build.find_image(client, tag):
            return EngineState(address, version, image=tag)
        if packages or cpp:
            return EngineState(address, version, reason=build.advise_to_build(packages, cpp=cpp))
        return EngineState(
            address,
            version,
            reason=f"its image {tag} is missing: run `make image` (or `sstar doctor --build-image`)",
        )
    except OSError as error:
        return EngineState(address, reason=explain(address, error, timeout_s))
    finally:
        client.close()
