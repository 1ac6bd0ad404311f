"""Which signature of a SavedModel is run, and the tensors that it takes and gives."""

from __future__ import annotations

from pathlib import Path

from edgerig.artifact import ITEM_SIZES, TensorSpec
from edgerig.errors import ModelError
from edgerig.models.graph.saved_model import Signature, SignatureTensor, read_saved_model

#: The signature that TensorFlow Serving and `Model.export` of Keras use.
USUAL = "serving_default"


def signature_of(path: Path) -> Signature:
    """The signature `USUAL` of the SavedModel in the folder ``path``, or its only one.

    Raises:
        ModelError: It cannot be read, has no signature, or several and none of that name.
    """
    signatures = [
        signature
        for graph in read_saved_model(path)
        for signature in graph.signatures
        # The operation that restores variables stands among them in old files.
        if signature.outputs
    ]
    usual = [signature for signature in signatures if signature.name == USUAL]
    chosen = usual[:1] or (signatures if len(signatures) == 1 else [])
    if not chosen:
        names = ", ".join(signature.name for signature in signatures) or "none"
        raise ModelError(
            f"{path.name} has no signature {USUAL!r}; it has {names}.",
            f"Export it with signatures={{'{USUAL}': function}}, or by Keras' model.export(folder).",
        )
    return chosen[0]


def tensors_of(signature: Signature, name: str) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """The inputs and outputs of a signature, by name, with 1 for a free first axis.

    Raises:
        ModelError: An input is no dense tensor of numbers, or another axis of one is free.
    """
    inputs = tuple(_input(tensor, name) for tensor in sorted(signature.inputs, key=lambda tensor: tensor.key))
    outputs = tuple(_output(tensor) for tensor in _numeric(signature))
    if not outputs:
        raise ModelError(f"No output of {name} is a tensor of numbers.", "Export the network with one that is.")
    return inputs, outputs


def left_out(signature: Signature) -> tuple[str, ...]:
    """Outputs that are no tensors of numbers, with their types."""
    numeric = {tensor.key for tensor in _numeric(signature)}
    return tuple(f"{tensor.key}: {tensor.dtype}" for tensor in signature.outputs if tensor.key not in numeric)


def _numeric(signature: Signature) -> list[SignatureTensor]:
    outputs = sorted(signature.outputs, key=lambda tensor: tensor.key)
    return [tensor for tensor in outputs if tensor.dtype in ITEM_SIZES]


def _input(tensor: SignatureTensor, name: str) -> TensorSpec:
    if tensor.dtype not in ITEM_SIZES or not tensor.shape:
        raise ModelError(
            f"Input {tensor.key!r} of {name} is no tensor of numbers of a known rank: {tensor.dtype}, "
            f"{'rank unknown' if tensor.shape is None else list(tensor.shape)}.",
            "Export the network with an input signature: tf.TensorSpec([None, 28, 28, 1], tf.float32).",
        )
    shape = (1 if tensor.shape[0] < 0 else tensor.shape[0], *tensor.shape[1:])
    if any(size < 1 for size in shape):
        raise ModelError(
            f"Input {tensor.key!r} of {name} has the shape {list(tensor.shape)}: only the batch axis may be free.",
            "Export the network with an input signature of fixed sizes.",
        )
    return TensorSpec(name=tensor.key, shape=shape, dtype=tensor.dtype)


def _output(tensor: SignatureTensor) -> TensorSpec:
    if not tensor.shape:
        return TensorSpec(name=tensor.key, shape=(-1,), dtype=tensor.dtype)
    return TensorSpec(
        name=tensor.key,
        shape=(1 if tensor.shape[0] < 0 else tensor.shape[0], *tensor.shape[1:]),
        dtype=tensor.dtype,
    )
