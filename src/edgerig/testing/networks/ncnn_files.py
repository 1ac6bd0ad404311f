"""Networks of ncnn, written by hand, so that its runtime is tested without pnnx."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.models.graph.ncnn_file import MAGIC, End, Ends, ends_file
from edgerig.testing.networks import dense_weights
from edgerig.testing.networks.several_ends import LEFT, OUTPUTS, RIGHT

#: What stands before weights in float32 and in float16.
_FLOAT32, _FLOAT16 = 0, 0x01306B47


def dense_ncnn(path: Path, features: int = 8, classes: int = 4, seed: int = 0, *, float16: bool = False) -> Path:
    """A network ``softmax(W x + b)``: input ``x`` (1, features), output ``y`` (1, classes)."""
    weights, bias = dense_weights(features, classes, seed)
    lines = [
        "Input x 0 1 in0",
        f"InnerProduct dense 1 1 in0 1 0={classes} 1=1 2={weights.size}",
        "Softmax softmax 1 1 1 out0 0=1 1=1",
    ]
    content = _weights(weights, bias, float16)
    inputs = (End(name="x", blob="in0", shape=(1, features), dtype="float32"),)
    outputs = (End(name="y", blob="out0", shape=(1, classes), dtype="float32"),)
    return _written(path, lines, 3, content, inputs, outputs)


def two_in_three_out_ncnn(path: Path) -> Path:
    """The network of `two_in_three_out_tflite` and its siblings."""
    lines = ["Input left 0 1 in0", "Split both 1 2 in0 1 2", "Input right 0 1 in1"]
    content, outputs, left = b"", [], iter(("1", "2"))
    for index, (name, (features, values)) in enumerate(OUTPUTS.items()):
        weights, bias = dense_weights(features, values, index)
        source = next(left) if features == LEFT else "in1"
        lines.append(f"InnerProduct {name} 1 1 {source} out{index} 0={values} 1=1 2={weights.size}")
        content += _weights(weights, bias, False)
        outputs.append(End(name=name, blob=f"out{index}", shape=(1, values), dtype="float32"))
    inputs = (
        End(name="left", blob="in0", shape=(1, LEFT), dtype="float32"),
        End(name="right", blob="in1", shape=(1, RIGHT), dtype="float32"),
    )
    return _written(path, lines, 7, content, inputs, tuple(outputs))


def _weights(weights: NDArray[np.float32], bias: NDArray[np.float32], float16: bool) -> bytes:
    kind = np.uint32(_FLOAT16 if float16 else _FLOAT32).tobytes()
    stored = weights.astype(np.float16 if float16 else np.float32).tobytes()
    return kind + stored + bytes(-len(stored) % 4) + bias.tobytes()


def _written(
    path: Path, lines: list[str], blobs: int, weights: bytes, inputs: tuple[End, ...], outputs: tuple[End, ...]
) -> Path:
    path.write_text("\n".join([MAGIC, f"{len(lines)} {blobs}", *lines, ""]))
    path.with_suffix(".bin").write_bytes(weights)
    ends_file(path).write_bytes(msgspec.json.encode(Ends(inputs=inputs, outputs=outputs, weights=len(weights))))
    return path
