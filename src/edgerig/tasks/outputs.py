"""Checks that the scored output of a network has one value for each class of a dataset."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgerig.artifact import TensorSpec
from edgerig.errors import IncompatibleError


def columns_of(spec: TensorSpec, batch: int) -> int | None:
    """Values per sample of an output; None where only the engine knows its shape.

    Args:
        spec: The output.
        batch: Samples per inference.

    Raises:
        IncompatibleError: The output does not divide into ``batch`` samples.
    """
    if any(size < 1 for size in spec.shape):
        return None
    values = math.prod(spec.shape)
    if values % batch:
        raise IncompatibleError(
            f"The network runs {batch} samples an inference, but its output {spec.name!r} has the shape "
            f"{list(spec.shape)}.",
            "Judge an output whose first axis counts the samples: --output NAME.",
        )
    return values // batch


def check_scores(
    outputs: Sequence[TensorSpec], judged: int, batch: int, classes: int, dataset: str, left_out: Sequence[str] = ()
) -> None:
    """Check that output ``judged`` has a score for each class, as far as its shape is known; see `check_columns`."""
    columns = columns_of(outputs[judged], batch)
    if columns is not None:
        check_columns(columns, outputs, judged, batch, classes, dataset, left_out)


def check_columns(
    columns: int,
    outputs: Sequence[TensorSpec],
    judged: int,
    batch: int,
    classes: int,
    dataset: str,
    left_out: Sequence[str] = (),
) -> None:
    """Check that there are as many values per sample (``columns``) of output ``judged`` as classes.

    Raises:
        IncompatibleError: The numbers differ; the message names an output that would fit.
    """
    if columns == classes:
        return
    fitting = [
        spec.name
        for spec in outputs
        if all(size > 0 for size in spec.shape) and math.prod(spec.shape) == classes * batch
    ]
    name, dtype = outputs[judged].name, outputs[judged].dtype
    several = f"The output {name!r}, which is judged," if len(outputs) + len(left_out) > 1 else "The network"
    hint = "Choose the dataset that the network was trained for, or `random` to measure speed alone."
    if left_out:
        hint = (
            f"It also gives {', '.join(left_out)}, which cannot be judged: export it as a tensor, which for "
            "scikit-learn is the option zipmap=False."
        )
    if fitting:
        hint = f"Judge the output that has as many: --output {fitting[0]}; in a rig file, the model's 'output'."
    if columns == 1 and dtype in ("int32", "int64"):
        if not fitting and not left_out:
            hint = "Export the scores of the classes as an output, too, or choose `random` to measure speed alone."
        raise IncompatibleError(
            f"{several} gives a label ({dtype}) a sample, not a score for each of the {classes} classes of dataset "
            f"{dataset!r}.",
            hint,
        )
    values = "1 value" if columns == 1 else f"{columns} values"
    raise IncompatibleError(f"{several} gives {values} a sample, dataset {dataset!r} has {classes} classes.", hint)
