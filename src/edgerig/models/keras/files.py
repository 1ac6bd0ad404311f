"""Files of Keras models, and a model's input and output tensors."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from edgerig import files
from edgerig.artifact import TensorSpec
from edgerig.errors import EdgerigError, ModelError
from edgerig.models.graph.keras_legacy import is_hdf5
from edgerig.models.keras.custom import check_known, custom_objects
from edgerig.models.keras.engine import import_keras
from edgerig.models.keras.hdf5 import load_hdf5
from edgerig.text import cause_of


def load_keras(path: Path, custom: str | None = None) -> Any:
    """The Keras model in a ``.keras`` or ``.h5`` file, uncompiled. Code within the file is never run.

    Args:
        path: The file.
        custom: The module that defines layers and functions of the file that are not of Keras.

    Raises:
        ModelError: The file is missing, corrupt, contains code (a Lambda layer), or layers that neither Keras nor the
            module has; the module cannot be imported.
    """
    keras = import_keras()
    if not path.is_file():
        raise ModelError(f"There is no model file {path}.")
    objects = custom_objects(custom)
    check_known(keras, path, objects, custom)
    try:
        data = path.read_bytes()
        if is_hdf5(data):
            return load_hdf5(keras, data, path, objects)
        del data
        return keras.models.load_model(path, custom_objects=objects, compile=False, safe_mode=True)
    except EdgerigError:
        raise
    except Exception as error:
        if "lambda" in str(error).lower():
            hint = "It holds a Lambda layer, which is code. Replace it by a layer of Keras and save the model again."
        else:
            hint = "Is it complete, and saved by Keras 3 as .keras?"
        raise ModelError(f"{path.name} is not a model that Keras can read: {cause_of(error)}", hint) from error


def save_keras(model: Any, path: Path) -> None:
    """Write ``model`` to ``path`` (``.keras``), atomically; equal models give equal bytes.

    Raises:
        StorageError: The file cannot be written.
    """
    with files.atomic_path(path) as temporary:
        model.save(temporary)
        temporary.write_bytes(_reproducible(temporary.read_bytes()))


def _reproducible(archive: bytes) -> bytes:
    """An archive of Keras without what differs from one saving to the next.

    That is the time, in the zip's members and in metadata.json; and addresses in memory, by which objects that layers
    share are known in config.json.
    """
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(result, "w") as target:
        for name in sorted(source.namelist()):
            data = source.read(name)
            if name == "metadata.json":
                metadata = msgspec.json.decode(data)
                metadata["date_saved"] = "1980-01-01@00:00:00"
                data = msgspec.json.encode(metadata)
            elif name == "config.json":
                data = _with_numbered_objects(data)
            target.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_STORED)
    return result.getvalue()


def _with_numbered_objects(config: bytes) -> bytes:
    """A configuration whose shared objects, such as a regularizer of several layers, are numbered as they come."""
    numbers: dict[bytes, int] = {}

    def numbered(match: re.Match[bytes]) -> bytes:
        return match[1] + str(numbers.setdefault(match[2], len(numbers) + 1)).encode()

    return re.sub(rb'("shared_object_id": ?)(\d+)', numbered, config)


def tensor_specs(model: Any) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs of a built Keras model, with a batch of one."""
    # A Sequential has no output_names.
    names = getattr(model, "output_names", None) or [model.layers[-1].name]
    outputs = zip(model.outputs, names, strict=True)
    return (
        tuple(_spec(tensor, tensor.name) for tensor in model.inputs),
        tuple(_spec(tensor, name) for tensor, name in outputs),
    )


def as_taken(model: Any, inputs: Sequence[Any]) -> Any:
    """Arrays for the inputs of a Keras model, in the order of ``model.inputs``, in the structure that it is called
    with: one by itself, several as a list, or a dict by their names."""
    structure = getattr(model, "_inputs_struct", None)
    if structure is None:
        return inputs[0] if len(inputs) == 1 else list(inputs)
    return import_keras().tree.pack_sequence_as(structure, list(inputs))


def flat_outputs(outputs: Any) -> list[Any]:
    """The outputs of a Keras model in the order of ``model.outputs``, whatever lists and dicts they are nested in."""
    return list(import_keras().tree.flatten(outputs))


def stateless(model: Any) -> Callable[[Sequence[Any]], list[Any]]:
    """A Keras model as a function that JAX compiles, in inference: each call starts from the state in the file.

    Whatever a layer keeps from one call to the next (``stateful=True``, a counter of the user's own) is lost, so that
    outputs depend on nothing but the inputs.

    Returns:
        A function of arrays in the order of ``model.inputs``, to outputs in the order of ``model.outputs``.
    """
    import jax

    trainable = [variable.value for variable in model.trainable_variables]
    fixed = [variable.value for variable in model.non_trainable_variables]

    def call(inputs: Sequence[Any]) -> list[Any]:
        return flat_outputs(model.stateless_call(trainable, fixed, as_taken(model, inputs), training=False)[0])

    return cast("Callable[[Sequence[Any]], list[Any]]", jax.jit(call))


def specification_of(path: Path, custom: str | None) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """`tensor_specs` of the model in a file; see `load_keras`."""
    return tensor_specs(load_keras(path, custom))


def _spec(tensor: Any, name: str) -> TensorSpec:
    sizes = (-1 if size is None else int(size) for size in tensor.shape[1:])
    return TensorSpec(name, (1, *sizes), str(tensor.dtype))
