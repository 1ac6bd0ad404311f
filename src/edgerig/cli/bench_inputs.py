"""The options of ``edgerig bench`` about inputs and outputs, applied to one file or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgerig.artifact import Artifact, TensorSpec
from edgerig.datasets.base import Dataset
from edgerig.datasets.fitting import IMAGE_AXES, likely_layout
from edgerig.datasets.network_inputs import NetworkInputs, inputs_of, matched
from edgerig.datasets.preprocess import affine
from edgerig.errors import IncompatibleError, UsageError
from edgerig.formats import named
from edgerig.plugins import describe, find


def layout_of(artifact: Artifact, layout: str | None, several: bool) -> str | None:
    """The layout that was declared, where it is meant for this file.

    Beside others, a file whose shape speaks plainly for the other layout, such as a TFLite file beside ONNX, is not.
    """
    likely = likely_layout(artifact.inputs[0].shape) if several and artifact.inputs else None
    return layout if likely in (None, layout) else None


def ends_of(
    artifact: Artifact,
    layout: str | None,
    output: str | None,
    shapes: dict[str, list[int]],
    several: bool,
) -> dict[str, Any]:
    """What the rig says of a model's inputs and outputs; beside others, a file gets what it has."""
    names = [spec.name for spec in artifact.inputs]
    outputs = [spec.name for spec in artifact.outputs]
    if several:
        free = named(artifact.format).free_axes
        shapes = {name: shape for name, shape in shapes.items() if name in names and free}
        output = output if output in outputs or len(outputs) > 1 else None
    declared = {"layout": layout, "output": output, "shapes": shapes, "state": artifact.state}
    return {key: value for key, value in declared.items() if value}


Ranges = dict[str, tuple[float, float]]


def random_settings(
    models: Sequence[Path],
    artifacts: Sequence[Artifact],
    shapes: dict[str, list[int]],
    layouts: Sequence[str | None],
    ranges: Ranges,
) -> dict[str, Any]:
    """The settings of random samples that fit all the networks: ``shape``, or ``inputs`` by name.

    Several inputs, and integers without a scale, are given by name, each within the range of its tensor, or of
    ``ranges``.

    Raises:
        IncompatibleError: No samples fit all of them. UsageError: A range is of no input.
    """
    networks = [_with_shapes(artifact, shapes) for artifact in artifacts]
    samples = [
        {spec.name: _sample(spec, layout, ranges) for spec in network.specs}
        for network, layout in zip(networks, layouts, strict=True)
    ]
    for name in ranges:
        if not any(name in sample for sample in samples):
            raise UsageError(f"--range {name}: there is no such input.", f"Inputs: {', '.join(samples[0])}.")
    if not ranges and all(len(network.specs) == 1 and _is_plain(network.specs[0]) for network in networks):
        return {"shape": one_shape(models, [next(iter(sample.values()))["shape"] for sample in samples])}
    for model, sample in zip(models, samples, strict=True):
        if len(sample) != len(samples[0]):
            raise _no_sample(models[0], list(samples[0]), model, list(sample))
        try:
            sources = matched(list(sample), list(samples[0]), models[0].name)
        except IncompatibleError as error:
            raise _no_sample(models[0], list(samples[0]), model, list(sample)) from error
        for name, source in zip(sample, sources, strict=True):
            one_shape([models[0], model], [samples[0][source]["shape"], sample[name]["shape"]])
    return {"inputs": samples[0]}


def _with_shapes(artifact: Artifact, shapes: dict[str, list[int]]) -> NetworkInputs:
    """The inputs of a network with the shapes that were asked for."""
    specs = [msgspec.structs.replace(spec, shape=tuple(shapes.get(spec.name, spec.shape))) for spec in artifact.inputs]
    for spec in specs:
        if not spec.shape:
            raise IncompatibleError(
                f"{artifact.name} takes a single number, {spec.name!r}, which has no axis for the samples of a batch.",
                "Export the model with a batch axis in front, of 1 or of as many samples as it runs at once.",
            )
    return inputs_of(msgspec.structs.replace(artifact, inputs=tuple(specs)))


def _is_plain(spec: TensorSpec) -> bool:
    """Whether an input takes real numbers, quantized or not."""
    return np.dtype(spec.dtype).kind == "f" or spec.quantization is not None


def _sample(spec: TensorSpec, layout: str | None, ranges: Ranges) -> dict[str, Any]:
    """What a random sample of an input is, channels last where the network has them first."""
    shape = list(spec.shape[1:])
    if (layout or spec.layout) == "nchw" and len(shape) == IMAGE_AXES:
        shape = [*shape[1:], shape[0]]
    result: dict[str, Any] = {"shape": shape}
    if not _is_plain(spec):
        result["dtype"] = spec.dtype
    if spec.name in ranges:
        return result | dict(zip(("low", "high"), ranges[spec.name], strict=True))
    if spec.quantization is not None and np.dtype(spec.dtype).kind in "iu":
        limits = np.iinfo(np.dtype(spec.dtype))
        scale, zero_point = affine(spec, len(spec.shape), np.float64)
        result["low"] = float(np.min(scale * (limits.min - zero_point)))
        result["high"] = float(np.max(scale * (limits.max - zero_point)))
    return result


def image_size(
    artifacts: Sequence[Artifact], shapes: dict[str, list[int]], layouts: Sequence[str | None]
) -> int | None:
    """Height and width of the images that all the networks take, if they are square; else None."""

    sizes = set()
    for artifact, layout in zip(artifacts, layouts, strict=True):
        spec = artifact.inputs[0] if artifact.inputs else None
        shape = tuple(shapes.get(spec.name, spec.shape)) if spec else ()
        order = layout or likely_layout(shape)
        if len(shape) != 1 + IMAGE_AXES or order is None:
            return None
        sizes.add(shape[2:] if order == "nchw" else shape[1:3])
    height, width = sizes.pop() if len(sizes) == 1 else (0, -1)
    return height if height == width > 0 else None


def has_size(dataset: str) -> bool:
    """Whether a dataset resizes its images to a setting of its own."""

    return any(key == "size" for key, _, _ in describe(find("dataset", dataset, Dataset).Settings))


def one_shape(models: Sequence[Path], shapes: Sequence[list[int]]) -> list[int]:
    """The shape of a random sample for all networks; some may have channels first and others last."""

    for base in (shapes[0], [*shapes[0][1:], *shapes[0][:1]]):
        if all(shape in (base, [*base[-1:], *base[:-1]]) for shape in shapes):
            return base
    model, other = next((m, shape) for m, shape in zip(models, shapes, strict=True) if shape != shapes[0])
    raise _no_sample(models[0], shapes[0], model, other)


def _no_sample(first: Path, its: object, model: Path, other: object) -> IncompatibleError:
    return IncompatibleError(
        f"{first} takes {its} and {model} takes {other}: no random sample fits both.",
        "Measure them apart, or give a --dataset that both were made for.",
    )
