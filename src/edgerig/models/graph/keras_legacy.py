"""Keras files in HDF5 (.h5) of Keras 2 and 3: their configuration, converted for Keras 3."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

from edgerig.errors import MissingExtraError, ModelError
from edgerig.text import cause_of

Config = dict[str, Any]
SIGNATURE = b"\x89HDF\r\n\x1a\n"
SUFFIXES = (".h5", ".hdf5")
#: Initializers and training settings of weights, which are not needed: the weights come from the file.
_ABOUT_TRAINING = ("_initializer", "_regularizer", "_constraint")
#: Settings that Keras 3 does not have, with the value at which they have no effect.
_GONE: dict[str, dict[str, Any]] = {
    **{
        kind: {"groups": 1}
        for kind in (
            "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D", "Conv1DTranspose",
            "Conv2DTranspose", "Conv3DTranspose",
        )
    },
    **{kind: {"time_major": False} for kind in ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "ConvLSTM2D")},
    "BatchNormalization": {"renorm": False, "virtual_batch_size": None, "adjustment": None},
    "InputLayer": {"ragged": False, "sparse": False},
}  # fmt: skip
#: Settings of Keras 2 that change how something is computed, not what.
_HOW = ("fused", "implementation", "input_dtype", "input_length")
#: Layers that are TensorFlow code, or the user's own.
CODE = frozenset(
    {
        "TFOpLambda",
        "SlicingOpLambda",
        "ClassMethod",
        "InstanceMethod",
        "InstanceProperty",
        "TensorFlowOpLayer",
        "Lambda",
    }
)
_REBUILD = "Build the model with Keras 3, load the weights (model.load_weights), and save it as .keras."


def is_hdf5(data: bytes) -> bool:
    """Whether a file's content is HDF5."""
    return data.startswith(SIGNATURE)


def legacy_config(data: bytes, name: str) -> Config:
    """The configuration in the .h5 file with the content ``data``, without the settings that Keras 3 does not know.

    Raises:
        ModelError: It is no valid Keras file, has only weights, or a layer has a meaning that Keras 3 lacks.
        MissingExtraError: h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(f"Reading {name}", "train", "h5py") from error
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            content, version = file.attrs.get("model_config"), file.attrs.get("keras_version", b"2")
            weights = "layer_names" in file.attrs
    except Exception as error:
        raise ModelError(f"{name} is no sound HDF5 file: {cause_of(error)}.", "Was it copied whole?") from error
    if content is None:
        what = "weights, but not the network that they belong to" if weights else "no Keras model"
        raise ModelError(f"{name} holds {what}.", "Save the whole model: model.save('x.keras').")
    try:
        config = json.loads(content)
        mended = _mended_model(config, name, _text(version).startswith("3"))
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{name}: its configuration does not describe a model.", _REBUILD) from error
    return mended


def _mended_model(model: Config, file: str, new: bool) -> Config:
    config = model["config"]
    # Before Keras 2.2.3 a Sequential model was the list of its layers.
    config = {"name": "sequential", "layers": config} if isinstance(config, list) else dict(config)
    if "layers" in config:
        config["layers"] = [_mended_layer(layer, file, new) for layer in config["layers"]]
        if model["class_name"] == "Sequential":
            config["layers"] = list(_with_input(config["layers"]))
    return {**model, "config": config}


def _with_input(layers: list[Config]) -> Iterator[Config]:
    """The layers of a Sequential model, an InputLayer first."""
    first = layers[0]
    shape = first["config"].get("batch_input_shape")
    if first["class_name"] != "InputLayer" and shape is not None:
        name = f"{first['config']['name']}_input"
        yield {"class_name": "InputLayer", "config": {"name": name, "batch_shape": shape, "dtype": "float32"}}
    for layer in layers:
        yield {**layer, "config": {k: v for k, v in layer["config"].items() if k != "batch_input_shape"}}


def _mended_layer(layer: Config, file: str, new: bool) -> Config:
    kind, config = layer["class_name"], dict(layer["config"]) if isinstance(layer["config"], dict) else layer["config"]
    if kind in CODE:
        name = layer.get("name") or config.get("name")
        raise ModelError(
            f"{file}: layer {name!r} is a {kind}, which is code and not a layer.",
            "Replace operations on tensors in the model by layers (Add, Multiply, Rescaling ..), or convert it with "
            "TensorFlow: tf.lite.TFLiteConverter.from_keras_model(model).",
        )
    if isinstance(config, list) or "layers" in config:
        return _mended_model(layer, file, new)
    name = config.get("name", kind)
    for inner in ("layer", "backward_layer", "cell"):
        if isinstance(config.get(inner), dict) and "class_name" in config[inner]:
            config[inner] = _mended_layer(config[inner], file, new)
    for key, neutral in _GONE.get(kind, {}).items():
        value = config.pop(key, neutral)
        if value not in (neutral, None):
            raise ModelError(f"{file}: layer {name!r} ({kind}) has {key}={value!r}, which Keras 3 lacks.", _REBUILD)
    for key in [key for key in config if key.endswith(_ABOUT_TRAINING) or key in _HOW]:
        del config[key]
    if not new:
        _refuse_other_meanings(config, f"{file}: layer {name!r} ({kind})")
    if kind == "InputLayer" and "batch_input_shape" in config:
        config["batch_shape"] = config.pop("batch_input_shape")
    if isinstance(config.get("axis"), list) and len(config["axis"]) == 1:
        config["axis"] = config["axis"][0]
    if isinstance(config.get("dtype"), dict):
        # A dtype policy: {"class_name": "Policy", "config": {"name": "mixed_float16"}}.
        config["dtype"] = config["dtype"]["config"]["name"]
    return {**layer, "config": config}


def _refuse_other_meanings(config: Config, where: str) -> None:
    """hard_sigmoid is clip(0.2 x + 0.5, 0, 1) in Keras 2 and clip(x / 6 + 0.5, 0, 1) in Keras 3."""
    for key in ("activation", "recurrent_activation"):
        if config.get(key) == "hard_sigmoid":
            raise ModelError(
                f"{where} uses hard_sigmoid, which is another function in Keras 3 than in Keras 2.",
                "Convert the model with the TensorFlow that it was trained with: "
                "tf.lite.TFLiteConverter.from_keras_model(model).",
            )


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
