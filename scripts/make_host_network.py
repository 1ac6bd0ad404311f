"""Write firmware/host/dense_weights.h: the network of `edgerig.testing.networks.dense_tflite_int8`, 64 to 10, as C."""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path

import numpy as np

from edgerig import files
from edgerig.testing import networks

FEATURES, CLASSES = 64, 10
PLACE = Path(__file__).parents[1] / "firmware" / "host" / "dense_weights.h"


def parameters() -> tuple[np.ndarray, np.ndarray]:
    """Weights int8 (classes, features) and bias int32 (classes,), as `dense_tflite_int8` quantizes them."""
    weights, bias = networks.dense_weights(FEATURES, CLASSES)
    quantized = np.clip(np.round(weights / networks.INT8_WEIGHT_SCALE), -127, 127).astype(np.int8)
    return quantized, np.round(bias / (networks.INT8_INPUT[0] * networks.INT8_WEIGHT_SCALE)).astype(np.int32)


def multiplier() -> tuple[int, int]:
    """The ratio of the scales as m / 2^shift with m of 31 bits, as TFLite's QuantizeMultiplier makes it."""
    real = float(
        np.float64(np.float32(networks.INT8_INPUT[0]))
        * np.float64(np.float32(networks.INT8_WEIGHT_SCALE))
        / np.float64(np.float32(networks.INT8_OUTPUT[0]))
    )
    fraction, exponent = math.frexp(real)
    return round(fraction * (1 << 31)), 31 - exponent


def text() -> str:
    """The header file."""
    weights, bias = parameters()
    with tempfile.TemporaryDirectory() as folder:
        path = networks.dense_tflite_int8(Path(folder) / "dense.tflite", FEATURES, CLASSES)
        digest = files.sha256(path.read_bytes())
    m, shift = multiplier()
    lines = [
        "/* Made by scripts/make_host_network.py; edit that. */",
        "#ifndef DENSE_WEIGHTS_H",
        "#define DENSE_WEIGHTS_H",
        "",
        "#include <stdint.h>",
        "",
        f'#define NETWORK_SHA256 "{digest}"',
        f"#define INPUT_SCALE {networks.INT8_INPUT[0]}f",
        f"#define INPUT_ZERO ({networks.INT8_INPUT[1]})",
        f"#define OUTPUT_SCALE {networks.INT8_OUTPUT[0]}f",
        f"#define OUTPUT_ZERO {networks.INT8_OUTPUT[1]}",
        f"#define MULTIPLIER {m}",
        f"#define SHIFT {shift}",
        "",
        f"static const int32_t bias[{CLASSES}] = {{{', '.join(map(str, bias))}}};",
        "",
        f"static const int8_t weights[{CLASSES}][{FEATURES}] = {{",
    ]
    for row in weights:
        lines.append("    {")
        lines += [f"        {', '.join(map(str, row[i : i + 16]))}," for i in range(0, FEATURES, 16)]
        lines.append("    },")
    return "\n".join([*lines, "};", "", "#endif", ""])


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    files.write_text(PLACE, text())
