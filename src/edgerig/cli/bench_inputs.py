"""The options of ``edgerig bench`` about inputs and outputs, applied to one file or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgerig.artifact import Artifact
from edgerig.datasets.base import Dataset
from edgerig.datasets.fitting import IMAGE_AXES, check_fixed, likely_layout
from edgerig.errors import IncompatibleError
from edgerig.formats import named
from edgerig.plugins import describe, find


def layout_of(artifact: Artifact, layout: str | None, several: bool) -> str | None:
    """The layout that was declared, where it is meant for this file.

    Beside others, a file whose shape speaks plainly for the other layout, such as a TFLite file beside ONNX, is not.
    """
    likely = likely_layout(artifact.inputs[0].shape) if several and artifact.inputs else None
    return layout if likely in (None, layout) else None


def ends_of(
    artifact: Artifact, layout: str | None, output: str | None, shapes: dict[str, list[int]], several: bool
) -> dict[str, Any]:
    """What the rig says of a model's inputs and outputs; beside others, a file gets what it has."""
    names = [spec.name for spec in artifact.inputs]
    outputs = [spec.name for spec in artifact.outputs]
    if several:
        free = named(artifact.format).free_axes
        shapes = {name: shape for name, shape in shapes.items() if name in names and free}
        output = output if output in outputs or len(outputs) > 1 else None
    declared = {"layout": layout, "output": output, "shapes": shapes}
    return {key: value for key, value in declared.items() if value}


def sample_shape(artifact: Artifact, shapes: dict[str, list[int]], layout: str | None) -> list[int]:
    """The shape of one sample of a network's first input, channels last where the network has them first."""

    if not artifact.inputs:
        raise IncompatibleError(f"{artifact.name} has no input: there is nothing to feed.")
    spec = artifact.inputs[0]
    spec = msgspec.structs.replace(spec, shape=tuple(shapes.get(spec.name, spec.shape)))
    check_fixed(artifact.name, spec)
    if not spec.shape:
        raise IncompatibleError(
            f"{artifact.name} takes a single number, {spec.name!r}, which has no axis for the samples of a batch.",
            "Export the model with a batch axis in front, of 1 or of as many samples as it runs at once.",
        )
    if len(artifact.inputs) > 1:
        names = ", ".join(spec.name for spec in artifact.inputs)
        raise IncompatibleError(f"{artifact.name} has {len(artifact.inputs)} inputs ({names}); a dataset feeds one.")
    sample = list(spec.shape[1:])
    first = (layout or spec.layout) == "nchw" and len(sample) == IMAGE_AXES
    return [*sample[1:], sample[0]] if first else sample


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
    raise IncompatibleError(
        f"{models[0]} takes {shapes[0]} and {model} takes {other}: no random sample fits both.",
        "Measure them apart, or give a --dataset that both were made for.",
    )
