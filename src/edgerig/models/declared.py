"""Declarations of a user about a model file that the file lacks: shapes, layout, the output to score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from edgerig import files, formats
from edgerig.artifact import Artifact, Layout, Origin
from edgerig.datasets.base import Dataset
from edgerig.datasets.fitting import IMAGE_AXES, found_layout
from edgerig.datasets.network_inputs import inputs_of, matched
from edgerig.errors import DatasetError, IncompatibleError, UnknownNameError
from edgerig.models.files import specification_of
from edgerig.tensors import why_not_carried

#: Number of axes of a batch of samples that can have a layout.
LAYOUT_AXES = 2
#: Classes that are named in a message.
MOST_NAMES = 5


def declare(artifact: Artifact, layout: Layout | None = None, output: str | None = None) -> Artifact:
    """``artifact`` with the layout of its input and the output to score.

    Args:
        artifact: The model.
        layout: ``"nchw"`` or ``"nhwc"``; None to infer it from the shape.
        output: The name of an output; None for the one that the artifact's description names, if it does.

    Raises:
        IncompatibleError: The input has no axes for a layout, or the output is no tensor of numbers.
        UnknownNameError: There is no such output.
    """
    if layout is not None:
        # Of several inputs a layout is of the images.
        least = LAYOUT_AXES if len(artifact.inputs) == 1 else 1 + IMAGE_AXES
        meant = [len(spec.shape) >= least for spec in artifact.inputs]
        if not any(meant):
            shapes = ", ".join(str(list(spec.shape)) for spec in artifact.inputs)
            raise IncompatibleError(
                f"{artifact.name} takes {shapes}, which has no axes that a layout could be of.", "Leave the layout out."
            )
        inputs = tuple(
            msgspec.structs.replace(spec, layout=layout) if has_layout else spec
            for spec, has_layout in zip(artifact.inputs, meant, strict=True)
        )
        artifact = msgspec.structs.replace(artifact, inputs=inputs)
    if output is not None:
        index = output_index(artifact, output)
        artifact = msgspec.structs.replace(artifact, judged_output=index, output_named=True)
    return artifact


def with_state(artifact: Artifact, state: Mapping[str, str]) -> Artifact:
    """``artifact`` without the inputs that take an output of the inference before.

    An output that is no such one is judged, where it is the only one and none was named.

    Args:
        state: For each of those inputs the name of the output, see `Artifact.state`.

    Raises:
        IncompatibleError: An input and its output are not alike, or there are none of that name.
    """
    if not state:
        return artifact
    fault = why_not_carried(state, artifact.inputs, artifact.outputs)
    if fault is not None:
        raise IncompatibleError(f"The state of {artifact.name} cannot be carried: {fault}.", "Correct 'state'.")
    inputs = tuple(spec for spec in artifact.inputs if spec.name not in state)
    artifact = msgspec.structs.replace(artifact, inputs=inputs, state=dict(state))
    others = [index for index, spec in enumerate(artifact.outputs) if spec.name not in state.values()]
    if artifact.output_named or len(others) != 1:
        return artifact
    return msgspec.structs.replace(artifact, judged_output=others[0], output_named=True)


def output_index(artifact: Artifact, output: str) -> int:
    """The index of an output of a model, by its name.

    Raises:
        IncompatibleError: It is no tensor of numbers. UnknownNameError: There is none of that name.
    """
    names = [spec.name for spec in artifact.outputs]
    for left in artifact.left_out:
        if left.rpartition(": ")[0] == output:
            raise IncompatibleError(
                f"The output {output!r} of {artifact.name} is a {left.rpartition(': ')[2]}, which cannot be judged.",
                f"Judge a tensor of numbers: {', '.join(names)}.",
            )
    if output not in names:
        raise UnknownNameError(f"output of {artifact.name}", output, names)
    return names.index(output)


def with_found_layout(artifact: Artifact, dataset: Dataset) -> Artifact:
    """``artifact`` with the layouts that follow from the shapes of the dataset's samples, where none was declared.

    Raises:
        IncompatibleError: The dataset does not fit the network, or fits it in two ways.
    """
    if not artifact.inputs or dataset.task == "none":
        return artifact
    network = inputs_of(artifact)
    values = dataset.split("test").named_inputs(slice(0, 1), artifact.preprocessing)
    sources = matched(network.names, list(values), dataset.name)
    layouts = [
        found_layout(values[source].shape[1:], spec, dataset.name)
        for source, spec in zip(sources, network.specs, strict=True)
    ]
    inputs = tuple(
        spec if layout is None else msgspec.structs.replace(spec, layout=layout)
        for spec, layout in zip(artifact.inputs, layouts, strict=True)
    )
    return msgspec.structs.replace(artifact, inputs=inputs)


def check_classes(artifact: Artifact, dataset: Dataset) -> str | None:
    """Check that a network that knows its classes has those of a dataset, in their order.

    Returns:
        A warning where the names differ; None where they are equal, or where one of the two has none.

    Raises:
        IncompatibleError: They are the same in another order, so that correct predictions would count as errors.
    """
    own, wanted = artifact.classes, dataset.classes
    if dataset.task != "classification" or not own or not wanted or own == wanted:
        return None
    if sorted(own) == sorted(wanted):
        number = next(number for number, name in enumerate(own) if name != wanted[number])
        raise IncompatibleError(
            f"{artifact.name} was made for the classes of dataset {dataset.name!r} in another order: its output "
            f"{number} is {own[number]!r}, where the dataset's class {number} is {wanted[number]!r}.",
            "Number the dataset's classes as the network has them.",
        )
    return (
        f"{artifact.name} was made for the classes {_few(own)}, and dataset {dataset.name!r} has {_few(wanted)}: they "
        "are taken for the same by their order."
    )


def other_order(artifact: Artifact, dataset: Dataset) -> str | None:
    """A warning where a network was compiled with a dataset of the same classes in another order than ``dataset`` has
    them: one of the two orders is not that of the network's outputs. None where none was, or the order is one."""
    own, wanted = artifact.classes, dataset.classes
    if dataset.task != "classification" or own == wanted or not own or sorted(own) != sorted(wanted):
        return None
    number = next(number for number, name in enumerate(own) if name != wanted[number])
    return (
        f"{artifact.name} was compiled with a dataset whose class {number} is {own[number]!r}, and that of "
        f"{dataset.name} here is {wanted[number]!r}: with classes in another order than the network's outputs, right "
        "answers count as errors."
    )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMES]) + (", .." if len(names) > MOST_NAMES else "")


def with_likely_layout(artifact: Artifact, dataset: Dataset) -> Artifact:
    """As `with_found_layout`, but a dataset that does not fit is ignored: not everything needs its samples."""
    try:
        return with_found_layout(artifact, dataset)
    except (IncompatibleError, DatasetError):
        return artifact


def with_fixed_shapes(artifact: Artifact, shapes: Mapping[str, Sequence[int]], folder: Path) -> Artifact:
    """A copy in ``folder`` of the ONNX file ``artifact``, with inputs of the given shapes.

    Args:
        artifact: An ONNX file that leaves axes free.
        shapes: A shape, batch axis included, for each input that needs one, by its name.
        folder: Folder for the file and its description.

    Raises:
        IncompatibleError: It is no ONNX file, or a shape contradicts the file.
        UnknownNameError: There is no such input.
    """
    format = formats.named(artifact.format)
    if not format.free_axes:
        raise IncompatibleError(
            f"{artifact.name} is a {artifact.format} file, whose shapes are fixed: only ONNX files leave axes free.",
            "Leave the shapes out.",
        )
    for name in shapes:
        if name not in [spec.name for spec in artifact.inputs]:
            raise UnknownNameError(f"input of {artifact.name}", name, [spec.name for spec in artifact.inputs])
    path = folder / Path(artifact.path).name
    data = format.fix_axes(artifact.read(), shapes, Path(artifact.path))
    path = format.store(data, path)
    specification = specification_of(format, path)
    assert specification is not None, "a format with free axes tells its inputs"
    origin = Origin(
        tool="fixed shapes", options={name: list(shape) for name, shape in shapes.items()}, parent=artifact.sha256
    )
    fixed = msgspec.structs.replace(
        artifact,
        sha256=files.sha256(data),
        size=format.size(data),
        inputs=specification.inputs,
        outputs=specification.outputs,
        left_out=specification.left_out,
        path=str(path),
        origins=(*artifact.origins, origin),
    )
    fixed.save()
    return fixed
