"""OpTune: a step that a learned optimiser makes of a gradient. PyTorch only; for `train_lora.py` alone.

Source: OpTune (arXiv 2502.15771; LaVi-Lab/FTTT), which builds on MEND (arXiv 2110.11309). The gradient of a
linear layer is a sum over tokens of the gradient of its output times its input. A small network, one for all
layers of a shape, rewrites both for each token, and the sum of the new products is the step.

Departures: a step has the size that was learnt for its layer, whatever the size of the gradient; and all
steps together are cut to rank `RANK`, so that they are an adapter which an engine loads.

The optimiser is a file of tensors: `IN*OUT.down`, `.bias` and `.up` of the network of a shape, and of each
layer that is changed `NAME.scale` (of its input and output) and `NAME.size`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Self

import torch

RANK = 8
"""The greatest that a server of adapters is set up for, `training.SERVED_RANK`."""
LOUDNESS = 30.0
"""A step's size is `exp(LOUDNESS * NAME.size)`: it is learnt so much faster than a weight of the network."""

Weights = dict[str, Any]
Change = tuple[Any, Any]
"""A low-rank change of a layer's weights, `second @ first`: (batch, RANK, in) and (batch, out, RANK)."""


def list_layers(weights: Weights) -> list[str]:
    """The layers that the optimiser changes."""
    return [name.removesuffix(".scale") for name in weights if name.endswith(".scale")]


def check_fit(weights: Weights, base: Any, path: str) -> None:
    """Raise where the optimiser in the file `path` was not made for a model of these layers.

    Raises:
        ValueError: it has no layers, or the model `base` lacks one or has it in another shape.
    """
    shapes = {name: layer.weight.shape for name, layer in base.named_modules() if hasattr(layer, "weight")}
    layers = list_layers(weights)
    if not layers:
        raise ValueError(f"{path} is no optimizer as make tiny-coder TECHNIQUE=optune writes one")
    for name in layers:
        if len(shapes.get(name, ())) != 2 or sum(shapes[name]) != len(weights[f"{name}.scale"]):
            raise ValueError(f"{path} was trained for another model: this one has no {name} of its shape")


class Watch:
    """Keeps the inputs and outputs of layers of `base` in its last pass, made with `changes` of weights.

    A context: behind it the model is as it was.
    """

    def __init__(self, base: Any, layers: list[str]) -> None:
        self.changes: dict[str, Change] = {}
        self._seen: dict[str, tuple[Any, Any]] = {}
        self._hooks = [
            base.get_submodule(name).register_forward_hook(partial(self._see, name)) for name in layers
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _see(self, name: str, _layer: Any, inputs: tuple[Any], output: Any) -> Any:
        (x,) = inputs
        if name in self.changes:
            first, second = (part.to(x.dtype) for part in self.changes[name])
            output = output + (x @ first.mT) @ second.mT
        if not output.requires_grad:  # nothing before it is learnt
            output = output.detach().requires_grad_()
        self._seen[name] = x.detach(), output
        return output

    def read_gradients(self, loss: Any) -> dict[str, tuple[Any, Any]]:
        """Each layer's input and the gradient of `loss` by its output: (texts, tokens, in) and (…, out)."""
        seen = dict(self._seen)  # what is computed again on the way back replaces it
        grads = torch.autograd.grad(loss, [output for _, output in seen.values()])
        return {name: (x, grad) for (name, (x, _)), grad in zip(seen.items(), grads, strict=True)}


def add_step(
    weights: Weights, changes: dict[str, Change], gradients: dict[str, tuple[Any, Any]]
) -> dict[str, Change]:
    """`changes` with one more step; differentiable by the optimiser's weights, not by earlier steps.

    Args:
        weights: the optimiser.
        changes: what earlier steps came to; empty before the first.
        gradients: of each layer inputs (batch, tokens, in) and gradients (batch, tokens, out).
    """
    made = {}
    for name, (inputs, grads) in gradients.items():
        step = make_step(weights, name, inputs.float(), grads.float())
        if name in changes:
            first, second = changes[name]
            step = step + (second @ first).detach()
        made[name] = cut(step)
    return made


def make_step(weights: Weights, name: str, inputs: Any, grads: Any) -> Any:
    """The change of the layer `name`: (batch, out, in). Before training it points against the gradient."""
    used = grads.abs().amax(-1, keepdim=True) > 0
    inputs, grads = (_normalize(one, used) for one in (inputs, grads))
    shape = f"{inputs.shape[-1]}*{grads.shape[-1]}"
    down, bias, up = (weights[f"{shape}.{part}"] for part in ("down", "bias", "up"))
    both = torch.cat((inputs, grads), -1)
    rewritten = both * weights[f"{name}.scale"] + torch.relu(both @ down.mT + bias) @ up.mT
    new_inputs, new_grads = (rewritten * used).split((inputs.shape[-1], grads.shape[-1]), -1)
    size = torch.exp(LOUDNESS * weights[f"{name}.size"])
    length = torch.linalg.matrix_norm(grads.mT @ inputs).clamp_min(1e-30)
    return -(size / length)[..., None, None] * (new_grads.mT @ new_inputs)


def _normalize(values: Any, used: Any) -> Any:
    """Those of the used tokens with a mean square of 1 in each batch, else 0."""
    values = values * used
    squares = values.square().mean(-1, keepdim=True).sum(1, keepdim=True)
    return values * (used.sum(1, keepdim=True) / squares.clamp_min(1e-30)).sqrt()


def cut(change: Any) -> Change:
    """The nearest change of rank `RANK` to (batch, out, in); which directions remain is taken as given."""
    fixed = change.detach()
    basis = torch.linalg.eigh(fixed @ fixed.mT).eigenvectors[..., -RANK:]
    return basis.mT @ change, basis


def take_steps(
    base: Any, weights: Weights, steps: list[list[tuple[list[int], list[int]]]], device: str
) -> tuple[list[float], dict[str, Change]]:
    """The loss before each step, and what the steps come to, in a batch of one.

    Args:
        base: the model, whose weights stay as they are.
        weights: the optimiser.
        steps: of each its trials, as tokens and labels.
        device: where both are.
    """
    losses = []
    with Watch(base, list_layers(weights)) as watch:
        for trials in steps:
            total, parts = 0.0, []
            for tokens, labels in trials:
                ids, asked = (torch.tensor([row], device=device) for row in (tokens, labels))
                loss = base(input_ids=ids, labels=asked).loss / len(trials)
                parts.append(watch.read_gradients(loss))
                total += loss.item()
            joined = {
                name: tuple(torch.cat([part[name][side] for part in parts], 1) for side in (0, 1))
                for name in parts[0]
            }
            with torch.no_grad():
                watch.changes = add_step(weights, watch.changes, joined)
            losses.append(total)
        return losses, watch.changes


def write_adapter(changes: dict[str, Change], base: str, folder: str) -> None:
    """Write a change, in a batch of one, as peft and vLLM read LoRA adapters."""
    import peft
    from safetensors.torch import save_file

    Path(folder).mkdir(parents=True)
    config = peft.LoraConfig(
        r=RANK,
        lora_alpha=RANK,
        target_modules=sorted({name.rpartition(".")[2] for name in changes}),
        layers_to_transform=sorted({int(name.split(".layers.")[1].split(".")[0]) for name in changes}),
        task_type="CAUSAL_LM",
        inference_mode=True,
        base_model_name_or_path=base,
    )
    config.save_pretrained(folder)
    tensors = {
        f"base_model.model.{name}.lora_{side}.weight": part[0].float().cpu().contiguous()
        for name, change in changes.items()
        for side, part in zip("AB", change, strict=True)
    }
    save_file(tensors, f"{folder}/adapter_model.safetensors")


def read_optimizer(path: str, base: Any, device: str) -> Weights:
    """The optimiser in a file, for the model `base`.

    Raises:
        Exception: what safetensors raises.
        ValueError: it is not for this model.
    """
    from safetensors.torch import load_file

    weights: Weights = load_file(path, device=device)
    check_fit(weights, base, path)
    return weights
