"""The files of `deploy/`: they are well formed, and a container with their options solves a request."""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import urllib.request
from pathlib import Path

import pytest
import yaml

from sstar_code.agent.testing.server import ServerDouble
from tests.support import ROOT, skip_unless_required
from tests.support.servers.served import PATIENCE_S, RIGHT, TASK, TESTS, answer_right, fenced

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVE = COMPOSE["services"]["serve"]
MANIFESTS = {item["kind"]: item for item in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())}
POD = MANIFESTS["Deployment"]["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]


@pytest.mark.parametrize("words", [SERVE["command"], CONTAINER["args"]], ids=["compose", "kubernetes"])
def test_the_command_is_one_that_sstar_serve_takes(sstar, words):
    """The real command line reads it, up to the key that is not there."""
    ended = sstar("serve", *(word.replace("${SSTAR_MODEL:-", "").rstrip("}") for word in words))
    assert ended.code == 2
    assert "SERVE_KEY: that variable must hold a key" in " ".join(ended.err.split())


def test_compose_and_the_manifest_harden_the_container_alike():
    """No root, no capability, no new privileges, a root that cannot be written, memory bounded."""
    assert SERVE["user"] == "65534:65534"
    assert SERVE["cap_drop"] == CONTAINER["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert SERVE["read_only"] is CONTAINER["securityContext"]["readOnlyRootFilesystem"] is True
    assert "no-new-privileges:true" in SERVE["security_opt"]
    assert CONTAINER["securityContext"]["allowPrivilegeEscalation"] is False
    assert POD["spec"]["securityContext"] == {"runAsNonRoot": True, "runAsUser": 65534, "runAsGroup": 65534}
    assert not POD["spec"]["hostUsers"]
    assert CONTAINER["resources"]["limits"]["memory"] == "8Gi"
    assert SERVE["mem_limit"] == "8g"
    assert not any("docker.sock" in json.dumps(item) for item in (SERVE, POD))


def test_the_parts_of_the_files_find_each_other():
    """Names, ports, volumes and secrets that one part speaks of are there in another."""
    assert set(SERVE["depends_on"]) <= set(COMPOSE["services"])
    volumes = [text.partition(":")[0] for text in COMPOSE["services"]["vllm"]["volumes"]]
    assert set(volumes) == set(COMPOSE["volumes"])
    assert (DEPLOY / SERVE["build"]["context"] / SERVE["build"]["dockerfile"]).resolve().is_file()
    (profile,) = (text for text in SERVE["security_opt"] if text.startswith("seccomp="))
    assert json.loads((DEPLOY / profile.partition("=")[2]).read_text())["defaultAction"] == "SCMP_ACT_ALLOW"
    labels = POD["metadata"]["labels"]
    assert MANIFESTS["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert MANIFESTS["Service"]["spec"]["selector"] == labels
    assert MANIFESTS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    assert {port["name"] for port in CONTAINER["ports"]} >= {
        MANIFESTS["Service"]["spec"]["ports"][0]["targetPort"]
    }
    assert {item["name"] for item in CONTAINER["volumeMounts"]} == {
        item["name"] for item in POD["spec"]["volumes"]
    }
    version = re.search(r'(?m)^version = "(.+)"$', (ROOT / "pyproject.toml").read_text())
    assert CONTAINER["image"].endswith(f":{version[1]}")


def test_what_the_image_copies_is_there():
    """Every folder that the recipe names is in the checkout, the four packages among them."""
    copied = re.findall(r"(?m)^COPY (.+) /src", (DEPLOY / "Dockerfile").read_text())
    names = {name for line in copied for name in line.split()}
    assert {"src", "problems", "sandbox", "selection", "agent"} <= names
    assert all((ROOT / name).exists() for name in names)


def test_what_is_not_copied_is_not_sent_to_the_engine():
    """The context is the checkout, which holds gigabytes of environments: what is not copied is left out."""
    copied = re.findall(r"(?m)^COPY (.+) /src", (DEPLOY / "Dockerfile").read_text())
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in lines
    assert {line[1:] for line in lines if line.startswith("!")} == {
        name for line in copied for name in line.split()
    }


def test_compose_itself_reads_the_file():
    """`docker compose config` knows every key and every value's form."""
    environment = {**os.environ, "SERVE_KEY": "key-of-the-test"}
    found = shutil.which("docker")
    if (
        not found
        or subprocess.run([found, "compose", "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("there is no docker here with the plug-in `compose`")
    command = ["docker", "compose", "-f", str(DEPLOY / "compose.yaml"), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("version", ["1.33", "1.37"])
def test_the_manifests_are_what_kubernetes_takes(version):
    """By the schemas of the oldest release that is named there and of a new one; unknown keys are faults."""
    program = ROOT / ".venv-clients" / "bin" / "kubernetes-validate"
    if not program.is_file():
        pytest.skip("kubernetes-validate is not installed (.ci/clients)")
    command = [program, "-k", version, "--strict", DEPLOY / "kubernetes.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def find_files(name, seen):
    """The installed files of a distribution and of all that it needs."""
    if name.lower() in seen:
        return
    seen.add(name.lower())
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return  # of an extra, or for another system
    for file in found.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            yield str(file), Path(str(found.locate_file(file)))
    for line in found.requires or ():
        if "extra ==" not in line:
            yield from find_files(re.match(r"[\w.-]+", line)[0], seen)


def build_image(client, base, tag):
    """An image of this checkout and of what it needs, as installed here, upon one with an interpreter."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        variables = "PYTHONPATH=/site LD_LIBRARY_PATH=/site/lib HOME=/tmp"
        text = f"FROM {base}\nCOPY site /site\nENV {variables}\n".encode()
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
        seen = set()
        for name in ("anyio", "docker", "jinja2", "openai", "rich", "structlog", "tenacity", "typer"):
            for inside, path in find_files(name, seen):
                tar.add(path, f"site/{inside}", recursive=False)
        for name in ("starlette", "uvicorn"):
            for inside, path in find_files(name, seen):
                tar.add(path, f"site/{inside}", recursive=False)
        for name in ("librt.so.1", "libpthread.so.0", "libdl.so.2"):  # empty since glibc 2.34, but looked for
            for path in Path("/lib").glob(f"*-linux-gnu/{name}"):
                tar.add(path.resolve(), f"site/lib/{name}")
        for name in ("problems", "sandbox", "selection", "agent"):
            tar.add(ROOT / name, f"site/sstar_code/{name}", filter=skip_caches)
        for path in (ROOT / "src" / "sstar_code").glob("*.*"):
            tar.add(path, f"site/sstar_code/{path.name}")
    packed.seek(0)
    for line in client.api.build(fileobj=packed, custom_context=True, tag=tag, rm=True, decode=True):
        assert "error" not in line, line


def skip_caches(member):
    return None if "__pycache__" in member.name else member


@pytest.mark.docker
@pytest.mark.slow  # builds an image, which takes longer than all else in this folder
def test_a_container_with_these_options_solves_a_request():
    """The sandbox isolates programs inside, as a user without capabilities and without an engine."""
    import docker

    from sstar_code.sandbox.docker.probe import probe_engine
    from sstar_code.sandbox.image.build import image_tag

    if (reason := probe_engine(120).reason) is not None:
        skip_unless_required("DOCKER", reason)
    if sys.version_info[:2] != (3, 11) or platform.libc_ver() != ("glibc", "2.36"):
        pytest.skip("what is installed here is for another Python or C library than the image's")
    client, tag = docker.from_env(), "sstar-serve-test"
    build_image(client, image_tag(), tag)
    words = ["--model=tiny", "--host=127.0.0.1", "--port=0", "--api-key-env=SERVE_KEY", "--sandbox=local"]
    with ServerDouble(answer_right) as upstream:
        container = start_container(
            client, tag, [*words, f"--base-url={upstream.base_url}", "--n=2", "--rounds=0"]
        )
        try:
            url = wait_for_address(container)
            body = {
                "model": "sstar-tiny",
                "messages": [{"role": "user", "content": TASK}],
                "sstar": {"tests": TESTS},
            }
            headers = {"authorization": "Bearer key-of-the-test", "content-type": "application/json"}
            asked = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers)
            with urllib.request.urlopen(asked, timeout=PATIENCE_S) as response:
                (choice,) = json.load(response)["choices"]
        finally:
            container.remove(force=True)
            client.images.remove(tag, force=True)
            client.close()
    assert choice["message"]["content"].startswith(fenced(RIGHT))
    assert choice["sstar"]["tests"] == {"from": "sstar.tests", "passed": 1, "total": 1}


def start_container(client, tag, words):
    """A container with the options of the compose file, on the network of this machine."""
    options = [text for text in SERVE["security_opt"] if not text.startswith(("seccomp=", "systempaths="))]
    host = client.api.create_host_config(
        read_only=SERVE["read_only"],
        tmpfs=dict(text.split(":", 1) for text in SERVE["tmpfs"]),
        cap_drop=SERVE["cap_drop"],
        security_opt=[*options, f"seccomp={(DEPLOY / 'seccomp.json').read_text()}"],
        mem_limit=SERVE["mem_limit"],
        pids_limit=SERVE["pids_limit"],
        init=SERVE["init"],
        network_mode="host",
    )
    assert "systempaths=unconfined" in SERVE["security_opt"]
    host |= {
        "MaskedPaths": [],
        "ReadonlyPaths": [],
    }  # what this option means; the engine's API has no word for it
    made = client.api.create_container(
        tag,
        ["-c", "from sstar_code.agent.cli.main import main; main()", "serve", *words],
        environment={"SERVE_KEY": "key-of-the-test"},
        user=SERVE["user"],
        host_config=host,
    )
    client.api.start(made)
    return client.containers.get(made["Id"])


def wait_for_address(container):
    """The line on standard output that says where requests are answered."""
    waiting = threading.Event()
    for _ in range(PATIENCE_S * 2):
        line = container.logs(stdout=True, stderr=False).decode()
        if line.endswith("\n"):
            return line.strip()
        container.reload()
        if container.status == "exited":
            break
        waiting.wait(0.5)
    pytest.fail(container.logs().decode())
