"""What an inference of a network takes, and how samples become that: an array for each input, in its order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact, TensorSpec
from edgerig.datasets.batches import in_calls
from edgerig.datasets.fitting import check_fixed, fit
from edgerig.datasets.input_fit import measure_fit
from edgerig.datasets.preprocess import quantize_input
from edgerig.errors import IncompatibleError

Array = NDArray[Any]

#: Largest size of a network's inputs as float32, in bytes: preprocessing and messages need several times as much.
LARGEST_INPUT = 1 << 30
#: Fewest axes of an input that takes several samples: the batch axis, and one for the values.
MOST_SIMPLE = 2
#: What TensorFlow's converter puts around the name of an input: ``serving_default_image:0``.
PREFIX, SUFFIX = "serving_default_", ":0"


class NetworkInputs(msgspec.Struct, frozen=True):
    """The inputs of a network.

    Attributes:
        specs: The inputs in the network's order; the first axis of each counts the samples of an inference.
        batch: Samples of an inference.
    """

    specs: tuple[TensorSpec, ...]
    batch: int

    @property
    def names(self) -> list[str]:
        """The names of the inputs."""
        return [spec.name for spec in self.specs]

    @property
    def elements(self) -> int:
        """Values of an inference, over all inputs."""
        return sum(spec.elements for spec in self.specs)

    @property
    def nbytes(self) -> int:
        """Bytes of an inference, over all inputs."""
        return sum(spec.nbytes for spec in self.specs)

    def fitted(self, values: Mapping[str, Array], dataset: str, *, judged: bool = True) -> list[Array]:
        """Preprocessed values of n samples, by the dataset's names, in the inputs' order, shapes and layouts.

        Args:
            values: As `edgerig.datasets.base.Samples.named_inputs` gives them, each (n, ...).
            dataset: The dataset's name, for messages.
            judged: Whether the position of a value matters; it does not for random numbers.

        Raises:
            IncompatibleError: An input is missing, or does not fit.
        """
        sources = matched(self.names, list(values), dataset)
        return [
            fit(_as_taken(values[source], spec), spec, dataset, judged=judged)
            for source, spec in zip(sources, self.specs, strict=True)
        ]

    def quantized(self, values: Sequence[Array]) -> list[Array]:
        """Values of n samples in the dtypes of the inputs, by the scale and zero point of each."""
        return [quantize_input(array, spec) for array, spec in zip(values, self.specs, strict=True)]

    def calls(self, arrays: Sequence[Array]) -> list[Array]:
        """Samples as inferences take them, see `edgerig.datasets.batches.in_calls`."""
        return [in_calls(array, self.batch) for array in arrays]

    def fit_counts(self, values: Sequence[Array], quantized: Sequence[Array]) -> NDArray[np.float64]:
        """Counts of how n samples fit the inputs, those of `measure_fit` one input after another, shape (n, counts)."""
        counts = [measure_fit(*entry) for entry in zip(values, quantized, self.specs, strict=True)]
        return counts[0] if len(counts) == 1 else np.concatenate(counts, axis=1)


def _as_taken(values: Array, spec: TensorSpec) -> Array:
    """Real values in float32, from which those of all other types are made, but for an input of float64."""
    narrow = values.dtype == np.float64 and spec.dtype != "float64"
    return values.astype(np.float32) if narrow else values


def inputs_of(artifact: Artifact) -> NetworkInputs:
    """The inputs of a network as a dataset has to feed them, see `network_inputs`."""
    return network_inputs(artifact.name, artifact.inputs)


def network_inputs(name: str, inputs: Sequence[TensorSpec]) -> NetworkInputs:
    """The inputs of a network, called ``name`` in messages, as a dataset has to feed them.

    Inputs that all begin with an axis of the same size take so many samples an inference. Else an inference takes one
    sample, of which an input without a batch axis of 1 takes all of its own.

    Raises:
        IncompatibleError: The network has no input, no batch axis, axes of unknown size, or is too large.
    """
    if not inputs:
        raise IncompatibleError(f"{name} has no input: there is nothing to feed.", "Export the network with an input.")
    for spec in inputs:
        check_fixed(name, spec)
    size = 4 * sum(spec.elements for spec in inputs)
    if size > LARGEST_INPUT:
        raise IncompatibleError(
            f"{name} takes {size:,} B of float32 an inference; edgerig feeds at most {LARGEST_INPUT:,} B.",
            "Cut the network's input into smaller ones.",
        )
    batches = {spec.batch for spec in inputs}
    batch = batches.pop() if len(batches) == 1 else 1
    for spec in inputs:
        if len(spec.shape) < MOST_SIMPLE and batch != 1:
            raise IncompatibleError(
                f"{name} takes {list(spec.shape)}, which has no axis for the samples of a batch.",
                "Export the model with a batch axis in front, of 1 or of as many samples as it runs at once.",
            )
    if batch > 1:
        return NetworkInputs(tuple(inputs), batch)
    whole = (msgspec.structs.replace(spec, shape=(1, *spec.call_shape)) for spec in inputs)
    return NetworkInputs(tuple(whole), batch)


def matched(inputs: Sequence[str], given: Sequence[str], dataset: str) -> list[str]:
    """The dataset's name for each input of a network: the same one, or the only one of either.

    Args:
        inputs: Names of the network's inputs.
        given: Names of what the dataset gives; one that gives a single, unnamed array has the name ``""``.
        dataset: The dataset's name, for messages.

    Raises:
        IncompatibleError: The dataset does not give one of them.
    """
    if len(inputs) == len(given) == 1:
        return list(given)
    if list(given) == [""]:
        raise IncompatibleError(
            f"The network has {len(inputs)} inputs ({', '.join(inputs)}), and dataset {dataset!r} gives one.",
            "Use a dataset that gives each of them by its name, as npz does with arrays x_NAME.",
        )
    plain = {plain_name(name): name for name in given}
    missing = [name for name in inputs if name not in given and plain_name(name) not in plain]
    if missing:
        raise IncompatibleError(
            f"The network takes {', '.join(map(repr, inputs))}, and dataset {dataset!r} gives "
            f"{', '.join(map(repr, given))}: nothing is there for {', '.join(map(repr, missing))}.",
            "Name the dataset's arrays after the network's inputs.",
        )
    sources = [name if name in given else plain[plain_name(name)] for name in inputs]
    if len(set(sources)) < len(sources):
        raise IncompatibleError(
            f"Several inputs of the network, {', '.join(map(repr, inputs))}, would take the same array of dataset "
            f"{dataset!r}.",
            "Name the dataset's arrays exactly as the network's inputs.",
        )
    return sources


def plain_name(name: str) -> str:
    """An input's name without what TensorFlow's converter puts around it."""
    return name.removeprefix(PREFIX).removesuffix(SUFFIX)
