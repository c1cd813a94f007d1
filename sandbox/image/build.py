"""Builds the sandbox's image where the engine lacks it: from a registry's Python, else from Debian packages.

Both ways run `collect.py` inside a Debian with Python 3.11 and keep what it copies out: an interpreter, its
standard library and the libraries it maps. The tag is a hash of the recipe, so an image is never stale and
building twice costs nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.problems import UserError
from sstar_code.problems.errors import shorten
from sstar_code.sandbox.docker.engine import connect_engine
from sstar_code.sandbox.environment import DEFAULT_LIBRARIES
from sstar_code.sandbox.image.packages import CPP_PACKAGES, unpack_packages
from sstar_code.sandbox.outcome import SandboxError

if TYPE_CHECKING:
    from docker import APIClient

REPOSITORY = "sstar-sandbox"
_BASE = "python:3.11-slim"
_HERE = Path(__file__).parent
_RECIPE = ("Dockerfile", "collect.py", "packages.py")
_TOOLCHAIN = _HERE.parent / "languages" / "toolchain.py"
_FACTS = "etc/sstar-image.json"
_START = "/usr/bin/python3"


@cache
def image_tag(packages: tuple[str, ...] = (), *, cpp: bool = False) -> str:
    """Name and tag of the image that this version needs: `sstar-sandbox:` and a hash of the recipe.

    `packages` are libraries beside the usual ones. With `cpp` it has C++ beside Python.
    """
    content = hashlib.sha256(" ".join(list_libraries(packages)).encode() + b"\0")
    if cpp:
        content.update(_TOOLCHAIN.read_bytes() + b"\0")
    for name in _RECIPE:
        content.update((_HERE / name).read_bytes() + b"\0")
    return f"{REPOSITORY}:{content.hexdigest()[:12]}"


def list_libraries(packages: Sequence[str]) -> list[str]:
    """Import names of the libraries in an image with `packages`, sorted."""
    return sorted({*DEFAULT_LIBRARIES, *packages})


def find_image(client: APIClient, tag: str) -> dict[str, Any] | None:
    """The engine's record of image `tag`; None where it has none."""
    from docker.errors import ImageNotFound

    try:
        found: dict[str, Any] = client.inspect_image(tag)  # type: ignore[no-untyped-call]
    except ImageNotFound:
        return None
    return found


def ensure_image(
    client: APIClient,
    *,
    build: bool,
    progress: Callable[[str], None] | None = None,
    base: str = _BASE,
    packages: tuple[str, ...] = (),
    cpp: bool = False,
) -> str:
    """The tag of an image that the engine has; built when it lacks it and `build` allows.

    `progress` is given one line a step. `base` is the registry's image that the Dockerfile starts from.
    `packages` are libraries beside the usual ones. With `cpp` it has C++ beside Python.

    Raises:
        SandboxError: it is missing and `build` is False, or neither way of building works; says what to do.
        UserError: the image with `packages` or C++ is missing and `build` is False.
    """
    tag = image_tag(packages, cpp=cpp)
    if find_image(client, tag):
        return tag
    if not build and (packages or cpp):
        wanted = ["C++"] if cpp else []
        wanted += [f"--packages {','.join(packages)}"] if packages else []
        raise UserError(f"{' and '.join(wanted)}: {advise_to_build(packages, cpp=cpp)}")
    if not build:
        raise SandboxError(
            f"the sandbox's image {tag} is missing: run `make image` "
            "(or `sstar doctor --build-image`), or use `--sandbox local`"
        )
    say = progress or (lambda _line: None)
    try:
        _build_from_registry(client, tag, base, list_libraries(packages), say, cpp=cpp)
    except SandboxError as no_registry:
        say(f"{no_registry}; building from Debian packages")
        try:
            _build_from_packages(client, tag, list_libraries(packages), say, cpp=cpp)
        except SandboxError as no_packages:
            raise SandboxError(
                f"cannot build the sandbox's image: {no_registry}, and {no_packages}; "
                "make one of the two work, or use `--sandbox local`"
            ) from no_packages
    labels = (find_image(client, tag) or {}).get("Config", {}).get("Labels") or {}
    say(f"built {tag}: Python {labels.get('sstar.python')}")
    return tag


def advise_to_build(packages: Sequence[str], *, cpp: bool = False) -> str:
    """What to do where the image with `packages`, or with C++, is missing."""
    command = "sstar doctor --build-image" + (" --language cpp" if cpp else "")
    command += f" --packages {','.join(packages)}" if packages else ""
    missing = (
        "the Docker engine has no image with them yet"
        if packages
        else "the Docker engine has no image with it yet"
    )
    return f"{missing}: run `{command}`, or use `--sandbox local`"


def build_image(
    progress: Callable[[str], None] | None = None, packages: tuple[str, ...] = (), *, cpp: bool = False
) -> str:
    """Build the image on the engine of this environment unless it is there; its tag.

    `packages` are libraries beside the usual ones. With `cpp` it has C++ beside Python.

    Raises:
        SandboxError: no engine, or the image cannot be built.
    """
    client = connect_engine(timeout_s=900)
    try:
        return ensure_image(client, build=True, progress=progress, packages=packages, cpp=cpp)
    finally:
        client.close()


def main() -> int:
    """Build the image and print its tag; progress goes to standard error."""

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    try:
        sys.stdout.write(f"{build_image(say)}\n")
    except SandboxError as error:
        say(str(error))
        return 3
    return 0


def _build_from_registry(
    client: APIClient, tag: str, base: str, libraries: list[str], say: Callable[[str], None], *, cpp: bool
) -> None:
    from docker.errors import APIError

    try:
        if not find_image(client, base):
            say(f"asking the registry for {base}")
            client.pull(base)
        say(f"building from {base}")
        draft = _run_dockerfile(client, base, libraries, cpp=cpp)
    except (APIError, OSError) as error:
        detail = shorten(str(getattr(error, "explanation", None) or error), 200)
        raise SandboxError(f"no registry gave {base} ({detail})") from error
    container = client.create_container(draft)["Id"]
    try:
        (chunks, _stat) = client.get_archive(container, f"/{_FACTS}")
        facts = _read_facts(io.BytesIO(b"".join(chunks)), Path(_FACTS).name)
        changes = _describe(facts, source=base)
        (repository, name) = tag.split(":")
        client.commit(container, repository, name, changes="\n".join(changes))
    finally:
        client.remove_container(container, force=True)
        # the first stage: twice the size of the image, and nobody's any more
        client.prune_images({"dangling": True, "label": ["sstar.stage"]})  # type: ignore[no-untyped-call]


def _run_dockerfile(client: APIClient, base: str, libraries: list[str], *, cpp: bool) -> str:
    """The id of the image that the Dockerfile makes out of `base`, with `libraries`."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for path in (_HERE / "Dockerfile", _HERE / "collect.py", _TOOLCHAIN):
            archive.add(path, arcname=path.name)
    context.seek(0)
    steps = client.build(
        fileobj=context,
        custom_context=True,
        buildargs={
            "BASE": base,
            "DEBIAN": " ".join(CPP_PACKAGES) if cpp else "",
            "LIBRARIES": " ".join([*(["--cpp"] if cpp else []), *libraries]),
        },
        rm=True,
        forcerm=True,
        decode=True,
    )
    image = said = ""
    for step in steps:
        if "error" in step:
            raise SandboxError(f"the Dockerfile failed on {base}: {step['error']} ({said[-200:].strip()})")
        said += step.get("stream", "")
        image = step.get("aux", {}).get("ID", image)
    return image


def _build_from_packages(
    client: APIClient, tag: str, libraries: list[str], say: Callable[[str], None], *, cpp: bool
) -> None:
    architecture = str(client.version()["Arch"])
    with tempfile.TemporaryDirectory(prefix="sstar-image-") as folder:
        target = Path(folder) / "image.tar"
        say("unpacking Debian packages (mmdebstrap)")
        unpack_packages(_HERE / "collect.py", target, architecture, libraries, _TOOLCHAIN if cpp else None)
        with target.open("rb") as stream:
            facts = _read_facts(stream, _FACTS)
        say(f"importing {target.stat().st_size / 1e6:.0f} MB")
        (repository, name) = tag.split(":")
        changes = _describe(facts, source="Debian packages")
        answer = client.import_image(str(target), repository, name, changes=changes)
    if not find_image(client, tag):
        raise SandboxError(f"the engine did not import the image: {shorten(answer, 200)}")


def _read_facts(stream: Any, name: str) -> dict[str, Any]:
    with tarfile.open(fileobj=stream) as archive:
        member = archive.extractfile(name)
        if member is None:
            raise SandboxError(f"the collected files lack {name}")
        facts: dict[str, Any] = json.load(member)
        return facts


def _describe(facts: dict[str, Any], *, source: str) -> list[str]:
    """Dockerfile instructions that say what the image runs and what is in it."""
    (packages, libraries, languages) = (
        " ".join(f"{name}={version}".replace(" ", "-") for name, version in facts[key].items())
        for key in ("packages", "libraries", "languages")
    )
    return [
        f'ENTRYPOINT ["{_START}"]',
        f'LABEL sstar.source="{source}"',
        f'LABEL sstar.python="{facts["python"]}"',
        f'LABEL sstar.packages="{packages}"',
        f'LABEL sstar.libraries="{libraries}"',
        f'LABEL sstar.languages="{languages}"',
    ]


if __name__ == "__main__":
    raise SystemExit(main())
