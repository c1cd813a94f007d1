"""What a machine and a model are told to be, at the edges."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sstar_code.agent.models import ModelUserError
from sstar_code.agent.models.thinking import END_OF_THINKING
from sstar_code.agent.models.vllm import facts
from sstar_code.agent.models.vllm.command import (
    Flag,
    choose_environment,
    choose_flags,
    find_command,
    read_user_flags,
)
from sstar_code.agent.models.vllm.facts import Gpu, Hardware, ModelFacts, find_facts, find_hardware, read_gpus

TABLE = "0, GPU-aa11, A100, 40960, 1024\n1, GPU-ab22, A100, 40960, 20480\n2, GPU-c, T4, 16384, 16384\n"


def make_facts(weights_gib, heads=None, max_length=None):
    return ModelFacts("m", "m", None, None, weights_gib, heads, max_length)


def choose(model, gpus, total_gib=80.0, arguments="", **options):
    hardware = Hardware((Gpu("H100", total_gib, total_gib),) * gpus, 4, 64.0)
    flags = choose_flags(model, hardware, read_user_flags(arguments)[1], cpu=gpus == 0, **options)
    return {flag.name: flag for flag in flags}


@pytest.mark.parametrize(
    ("gpus", "words"),
    [
        ((), "no NVIDIA GPU; 4 cores, 12.5 GiB of memory available"),
        ((Gpu("T4", 16, 15.04),), "1 x T4 (15.0 of 16.0 GiB free); 4 cores, 12.5 GiB of memory available"),
        (
            (Gpu("T4", 16, 15), Gpu("A100", 40, 39), Gpu("T4", 16, 3)),
            (
                "2 x T4 (3.0 of 16.0 GiB free), 1 x A100 (39.0 of 40.0 GiB free); "
                "4 cores, 12.5 GiB of memory available"
            ),
        ),
    ],
)
def test_hardware_in_words(gpus, words):
    """GPUs of a kind together, with the least that is free on one of them."""
    assert str(Hardware(gpus, 4, 12.5)) == words


def test_a_row_that_is_none_is_passed_over():
    """Only rows of five cells with memory in numbers are GPUs."""
    rows = TABLE + "3, GPU-d, L4, [N/A], 5\n4, GPU-e, L4, 5, [N/A]\n5, GPU-f, L4, 7\n\n"
    assert read_gpus(rows, None) == (Gpu("A100", 40.0, 1.0), Gpu("A100", 40.0, 20.0), Gpu("T4", 16.0, 16.0))
    assert read_gpus(rows, " 2 , 0 ") == (Gpu("T4", 16.0, 16.0), Gpu("A100", 40.0, 1.0))
    assert read_gpus(rows, "GPU-aa,GPU-a,2") == (Gpu("A100", 40.0, 1.0),)  # the second names two
    assert read_gpus(rows, "A1") == ()


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        (subprocess.CompletedProcess([], 0, TABLE), 3),
        (subprocess.CompletedProcess([], 9, TABLE), 0),
        (OSError(), 0),
        (subprocess.TimeoutExpired("nvidia-smi", 1), 0),
    ],
)
def test_a_driver_that_does_not_answer_has_no_gpu(monkeypatch, answer, count):
    """It would serve no model either."""

    def run(words, **options):
        assert words[0] == "/bin/nvidia-smi"
        assert (options["text"], options["capture_output"]) == (True, True)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(facts.shutil, "which", lambda _: "/bin/nvidia-smi")
    monkeypatch.setattr(facts.subprocess, "run", run)
    hardware = find_hardware()
    assert len(hardware.gpus) == count
    assert hardware.cores >= 1
    assert 0 < hardware.memory_gib < 100_000


@pytest.mark.parametrize(
    ("name", "gib"),
    [
        ("org/m-7B", 14e9),
        ("org/m-1.5b-fp8", 1.5e9),
        ("org/m-8B-AWQ", 4.8e9),
        ("org/m-10B-int4", 6e9),
        ("org-3B/m", None),
        ("org/m-7Bit", None),
        ("org/v2.7Ba", None),
    ],
)
def test_size_is_guessed_by_the_name(name, gib):
    """Two bytes a weight unless the name tells of less; the owner's name says nothing."""
    assert facts._guess_gib(name) == (None if gib is None else pytest.approx(gib / 2**30))


def test_a_folder_tells_of_its_model(tmp_path, monkeypatch):
    """The inner configuration of a model of pictures, the safe weights before others, the folder's name."""
    folder = tmp_path / "tiny-model"
    folder.mkdir()
    with pytest.raises(ModelUserError, match=r"the folder holds no config\.json, so it is no model"):
        find_facts(str(folder))
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelUserError, match=r"config\.json: cannot be read"):
        find_facts(str(folder))
    (folder / "config.json").write_text("[]")
    assert (find_facts(str(folder)).heads, find_facts(str(folder)).weights_gib) == (None, None)
    inner = {"num_attention_heads": 8, "max_position_embeddings": "long"}
    (folder / "config.json").write_text(json.dumps({"num_attention_heads": 2, "text_config": inner}))
    (folder / "a.bin").write_bytes(b"x" * 100)
    found = find_facts(str(folder))
    assert (found.served, found.heads, found.max_length) == ("tiny-model", 8, None)
    assert found.weights_gib == 100 / 2**30
    (folder / "a.safetensors").write_bytes(b"x" * 40)
    (folder / "b.safetensors").write_bytes(b"x" * 60 + b"y" * 20)
    found = find_facts(str(folder))
    assert found.weights_gib == 120 / 2**30
    assert (found.folder, len(found.revision)) == (folder, len("folder:") + 12)
    for missing in ("./none", "/none", "~/none", "a/b/c"):
        with pytest.raises(ModelUserError, match="no such folder"):
            find_facts(missing)


def test_a_revision_may_be_named(tmp_path, monkeypatch):
    """A branch or a commit of the hub's cache, wherever that is."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--m" / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    assert find_facts("m", revision="c0ffee").revision == "c0ffee"
    assert find_facts("m").folder is None


def test_weights_take_at_most_their_share():
    """65% of a GPU exactly is enough for one copy each; a little more takes two."""
    assert "--tensor-parallel-size" not in choose(make_facts(52.0), 2)
    assert choose(make_facts(52.0), 2)["--data-parallel-size"].value == "2"
    assert choose(make_facts(52.1), 2)["--tensor-parallel-size"].value == "2"
    shared = choose(make_facts(104.0), 4)
    assert (shared["--tensor-parallel-size"].value, shared["--data-parallel-size"].value) == ("2", "2")
    assert shared["--tensor-parallel-size"].why == "104 GiB of weights leave room for samples on 2 x 80 GiB"
    assert (
        choose(make_facts(900.0), 4)["--tensor-parallel-size"].why
        == "900 GiB of weights need every GPU there is"
    )
    assert choose(make_facts(None, heads=6), 4)["--tensor-parallel-size"].value == "2"
    assert "--tensor-parallel-size" not in choose(make_facts(900.0), 1)
    assert "--tensor-parallel-size" not in choose(make_facts(900.0), 4, arguments="-pp 4")


@pytest.mark.parametrize(("given", "copies"), [("1", "4"), ("2", "2"), ("0", "4"), ("x", "4")])
def test_copies_are_what_the_given_size_leaves(given, copies):
    """A size that is no number counts as not given."""
    flags = choose(make_facts(1.0), 4, arguments=f"--tensor-parallel-size {given}")
    assert flags["--data-parallel-size"].value == copies


def test_thinking_needs_its_marks():
    """Only where thinking is to be ended in time."""
    assert "--reasoning-config" not in choose(make_facts(1.0), 1)
    flag = choose(make_facts(1.0), 1, max_thinking=5)["--reasoning-config"]
    assert json.loads(flag.value) == {"reasoning_start_str": "<think>", "reasoning_end_str": END_OF_THINKING}


@pytest.mark.parametrize(("length", "told"), [(None, "8192"), (8191, "8191"), (8193, "8192"), (100, "100")])
def test_a_processor_serves_a_bounded_context(length, told):
    """At most 8192 tokens."""
    assert choose(make_facts(1.0, max_length=length), 0)["--max-model-len"].value == told


@pytest.mark.parametrize(("memory_gib", "space"), [(3.0, "1"), (8.0, "2"), (11.9, "2"), (12.0, "3")])
def test_a_processor_keeps_a_quarter_of_the_memory(monkeypatch, memory_gib, space):
    """At least one GiB; on GPUs nothing is set."""
    for name in ("VLLM_NO_USAGE_STATS", "VLLM_CPU_KVCACHE_SPACE", "TORCHDYNAMO_DISABLE"):
        monkeypatch.delenv(name, raising=False)
    hardware, eager = Hardware((), 1, memory_gib), [Flag("--enforce-eager", None, "")]
    found = [(one.name, one.value) for one in choose_environment(hardware, eager, cpu=True)]
    assert found == [
        ("VLLM_NO_USAGE_STATS", "1"),
        ("VLLM_CPU_KVCACHE_SPACE", space),
        ("TORCHDYNAMO_DISABLE", "1"),
    ]
    assert len(choose_environment(hardware, [], cpu=True)) == 2
    assert [one.name for one in choose_environment(hardware, eager, cpu=False)] == ["VLLM_NO_USAGE_STATS"]


def test_flags_of_the_user_are_read_with_their_values():
    """A number below zero is a value, `--no-x` is `--x`, and the last of several words is kept."""
    words, flags = read_user_flags("--a=1 --b -1 -tp 2 --no-c --d_e x y")
    assert words == ("--a=1", "--b", "-1", "-tp", "2", "--no-c", "--d_e", "x", "y")
    assert flags == {"--a": "1", "--b": "-1", "--tensor-parallel-size": "2", "--c": None, "--d-e": "y"}
    assert read_user_flags("") == ((), {})


def test_a_command_that_is_none():
    """Quotes that do not match, and no word at all."""
    with pytest.raises(ModelUserError, match=r"--vllm-command .*: No closing quotation"):
        find_command("vllm 'x")
    with pytest.raises(ModelUserError, match="no such program"):
        find_command("")


def test_the_vllm_beside_this_python_comes_first(tmp_path, monkeypatch):
    """Before one on PATH; where there is neither the message says how to get one."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "other"))
    with pytest.raises(ModelUserError, match="there is no vllm beside this Python or on PATH"):
        find_command()
    (tmp_path / "vllm").write_text("")
    with pytest.raises(ModelUserError):
        find_command()  # it cannot be executed
    (tmp_path / "vllm").chmod(0o755)
    assert (find_command().where, find_command().words) == ("beside this Python", (str(tmp_path / "vllm"),))
