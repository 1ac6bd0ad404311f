"""From a request's tensors to what inferences take, and from their outputs to the request's answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.batches import from_calls, in_calls
from edgerig.datasets.network_inputs import network_inputs, plain_name
from edgerig.errors import RequestError
from edgerig.serve.conversions import Conversion, dequantizer, quantizer
from edgerig.tensors import TensorSpec
from edgerig.text import one_line

Array = NDArray[Any]
#: Rows of a request: for each input of the network, in its order, an array (n, *shape of a sample).
Rows = tuple[Array, ...]


class NetworkTensors:
    """The tensors of a served network.

    Args:
        name: The network's name, for messages.
        inputs, outputs: Its tensors as the device's engine sees them.

    Attributes:
        inputs, outputs: The same; of inputs without a batch axis of 1, with one.
        batch: Samples of an inference.
        row_shapes: The shape of one sample, for each input. answer_shapes: The same for each output; an axis of -1 is
            known only after an inference.
        row_bytes: Bytes of a sample as float32 or, if that is more, in the inputs' dtypes.

    Raises:
        IncompatibleError: The network has no input, or axes of unknown size.
    """

    def __init__(self, name: str, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
        network = network_inputs(name, inputs)
        self.inputs, self.outputs, self.batch = network.specs, tuple(outputs), network.batch
        self.row_shapes = tuple(spec.shape[1:] for spec in self.inputs)
        self.answer_shapes = tuple(_answer_shape(spec, self.batch) for spec in self.outputs)
        self.dtypes = tuple(np.dtype(spec.dtype) for spec in self.inputs)
        elements = [spec.elements // self.batch for spec in self.inputs]
        self.row_bytes = sum(count * max(4, dtype.itemsize) for count, dtype in zip(elements, self.dtypes, strict=True))
        self._quantizers = tuple(map(quantizer, self.inputs))
        #: Of the only input of a network whose inferences have one sample.
        self._quantizer = self._quantizers[0] if len(self.inputs) == 1 and self.batch == 1 else None
        self._dequantizers = tuple(map(dequantizer, self.outputs))
        self._plain = {plain_name(spec.name): spec.name for spec in self.inputs}

    def quantize_by(self, better: Callable[[TensorSpec, Conversion], Conversion]) -> None:
        """Have ``better`` take the place of each input's conversion; it gets the input and the conversion that there
        is, and gives one that does the same."""
        quantizers = zip(self.inputs, self._quantizers, strict=True)
        self._quantizers = tuple([better(spec, quantize) for spec, quantize in quantizers])
        if self._quantizer is not None:
            self._quantizer = self._quantizers[0]

    def rows(self, tensors: Mapping[str, Array], *, raw: bool = False) -> Rows:
        """The rows of a request, checked.

        Args:
            tensors: For each input, by its name, an array (n, *shape of a sample): real numbers, or with ``raw`` what
                the network itself takes, in exactly its dtype.

        Raises:
            RequestError: A name, shape or dtype is wrong, or the inputs differ in n.
        """
        named = {self.own_name(name): array for name, array in tensors.items()}
        names = [spec.name for spec in self.inputs]
        if len(named) != len(tensors) or sorted(named) != sorted(names):
            raise RequestError(
                f"The network takes {', '.join(map(repr, names))}, not "
                f"{one_line(', '.join(map(repr, tensors)) or 'nothing')}.",
                "Give each input once, by its name.",
            )
        rows = tuple(named[name] for name in names)
        for array, spec, shape, dtype in zip(rows, self.inputs, self.row_shapes, self.dtypes, strict=True):
            if array.ndim == 0 or array.shape[1:] != shape or len(array) == 0:
                wanted = ", ".join(["n", *map(str, shape)])
                raise RequestError(
                    f"Input {spec.name!r} takes the shape [{wanted}], n of 1 or more, not {list(array.shape)}."
                )
            if array.dtype != dtype if raw else array.dtype.kind not in "fiub":
                wanted = spec.dtype if raw else "numbers"
                raise RequestError(f"Input {spec.name!r} takes {wanted}, not {array.dtype.name}.")
        if len({len(array) for array in rows}) > 1:
            raise RequestError(
                f"The inputs must have the same number of samples; they have {[len(array) for array in rows]}."
            )
        return rows

    def own_name(self, name: str) -> str:
        """The network's name of the input that a request calls ``name``, or that itself."""
        return self._plain.get(name, name)

    def calls(self, requests: Sequence[Rows], *, raw: bool) -> list[Array]:
        """The rows of several requests as inferences take them, one array for each input, quantized unless ``raw``.

        Raises:
            DatasetError: A value cannot be quantized: NaN, or an integer beyond the input's.
        """
        if self._quantizer is not None and len(requests) == 1:
            # What is usual, without what it does not need: that would take as long as the arithmetic.
            array = requests[0][0]
            return [array if raw else self._quantizer(array)]
        whole = (
            requests[0]
            if len(requests) == 1
            else tuple(np.concatenate(column) for column in zip(*requests, strict=True))
        )
        if raw:
            calls = list(whole)
        else:
            calls = [quantize(array) for array, quantize in zip(whole, self._quantizers, strict=True)]
        return calls if self.batch == 1 else [in_calls(array, self.batch) for array in calls]

    def answers(self, outputs: Sequence[Array], count: int, *, raw: bool) -> Rows:
        """The outputs of ``count`` rows, an array (n, ...) for each output: real numbers, or with ``raw`` as the
        network gives them.

        Raises:
            InferenceError: An output does not divide into samples.
        """
        rows = outputs if self.batch == 1 else [from_calls(array, self.batch, count) for array in outputs]
        if raw:
            return tuple(rows)
        return tuple([real(array) for array, real in zip(rows, self._dequantizers, strict=True)])

    def by_name(self, answers: Rows) -> dict[str, Array]:
        """Outputs by their names."""
        return {spec.name: array for spec, array in zip(self.outputs, answers, strict=True)}


def _answer_shape(spec: TensorSpec, batch: int) -> tuple[int, ...]:
    """The shape of one sample of an output, as `edgerig.datasets.batches.from_calls` gives it."""
    if batch == 1:
        return spec.call_shape
    if spec.shape[:1] == (batch,):
        return spec.shape[1:]
    return (spec.elements // batch,) if min(spec.shape, default=1) > 0 else (-1,)
