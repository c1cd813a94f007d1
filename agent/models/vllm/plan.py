"""Plans a server: command line, environment and reasons. Making a plan starts nothing."""

from __future__ import annotations

import os
import secrets
import shlex
import socket
from dataclasses import dataclass, replace
from typing import Any

from sstar_code.agent.models.adapters.trainer import find_python
from sstar_code.agent.models.request import ModelUserError
from sstar_code.agent.models.vllm.command import (
    Flag,
    VllmCommand,
    choose_environment,
    choose_flags,
    find_command,
    read_user_flags,
)
from sstar_code.agent.models.vllm.facts import Hardware, ModelFacts, find_facts, find_hardware


@dataclass(frozen=True, slots=True)
class Plan:
    """A server that would be started."""

    command: VllmCommand
    hardware: Hardware
    facts: ModelFacts
    cpu: bool
    flags: tuple[Flag, ...]
    """The flags that we choose."""
    user_words: tuple[str, ...]
    """The words that the user gave, which win."""
    environment: tuple[Flag, ...]
    """The variables that we set, without the key."""
    served: str
    host: str
    port: int | None
    """The port that the user gave; None: a free one is taken at each start."""
    key: str
    """Made for this server; it reaches it by the environment alone."""
    python: str | None = None
    """The Python that trains adapters; None: the server loads none."""

    def words(self, port: int) -> list[str]:
        """The command line."""
        ours = [word for flag in self.flags for word in flag.words]
        where = ["--host", self.host, "--port", str(port)]
        return [*self.command.words, "serve", self.facts.name, *where, *ours, *self.user_words]

    def base_url(self, port: int) -> str:
        """The address of the server's API at `port`."""
        host = "127.0.0.1" if self.host == "0.0.0.0" else self.host  # noqa: S104 - not ours
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"

    def without(self, name: str) -> Plan | None:
        """This plan without our flag `name`; None where it is not ours."""
        left = tuple(flag for flag in self.flags if flag.name != name)
        return None if len(left) == len(self.flags) else replace(self, flags=left)

    def full_environment(self) -> dict[str, str]:
        """The server's variables: those of this process without keys for others, then ours."""
        kept = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
        ours = {flag.name: flag.value or "" for flag in self.environment}
        return {**kept, **ours, "VLLM_API_KEY": self.key}

    def as_json(self) -> dict[str, Any]:
        """The part that the manifest keeps; it holds no secret."""
        return {
            "command": shlex.join(self.words(self.port or 0)),
            "environment": {flag.name: flag.value for flag in self.environment},
            "vllm": self.command.version,
            "model": self.facts.name,
            "revision": self.facts.revision,
            "hardware": str(self.hardware),
        }


def make_plan(
    model: str,
    *,
    command: str | None = None,
    arguments: str = "",
    max_thinking: int | None = None,
    learns: bool = False,
) -> Plan:
    """Plan the server that `-m vllm:MODEL` starts here.

    Args:
        model: a folder or a name on the hub.
        command: the words of `--vllm-command`; None looks for vLLM.
        arguments: the words of `--vllm-args`.
        max_thinking: thinking tokens an answer may have, which the server has to be set up for.
        learns: whether adapters are trained while it runs.

    Raises:
        ModelUserError: no vLLM, no such model folder, arguments that cannot be passed on, or nothing that
            trains adapters.
    """
    if not model.strip():
        raise ModelUserError("-m vllm: names no model; give vllm:NAME or vllm:FOLDER")
    words, user = read_user_flags(arguments)
    facts = find_facts(model, revision=user.get("--revision"))
    found, hardware = find_command(command), find_hardware()
    cpu = found.cpu_build or not hardware.gpus
    flags = choose_flags(facts, hardware, user, cpu=cpu, max_thinking=max_thinking, learns=learns)
    return Plan(
        command=found,
        hardware=hardware,
        facts=facts,
        cpu=cpu,
        flags=tuple(flags),
        user_words=words,
        environment=tuple(choose_environment(hardware, flags, cpu=cpu, learns=learns)),
        served=user.get("--served-model-name") or facts.served,
        host=user.get("--host") or "127.0.0.1",
        port=_read_port(user.get("--port")),
        key=secrets.token_urlsafe(32),
        python=find_python(found.words[0]) if learns else None,
    )


def _read_port(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ModelUserError(f"--vllm-args: --port {text}: not a port")
    return int(text)


def find_free_port(host: str) -> int:
    """A port on which nothing listens at `host`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
