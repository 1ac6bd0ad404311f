"""Convolutions, pools, padding and resizing: what ONNX computes channels first."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerig.compilers.tflite_to_onnx.builder import AXIS_IN_FIRST, Builder, UnsupportedError
from edgerig.models.graph.types import Operator

Pads = list[int]


def conv_2d(b: Builder, op: Operator) -> None:
    """Kernel (out, height, width, in) to (out, in, height, width)."""
    data, kernel = op.inputs[:2]
    channels, inner = b.shape(data)[3], b.shape(kernel)[3]
    _convolution(b, op, (0, 3, 1, 2), b.shape(kernel)[1:3], channels // inner)


def depthwise_conv_2d(b: Builder, op: Operator) -> None:
    """Kernel (1, height, width, out) to (out, 1, height, width), one group for each input channel."""
    data, kernel = op.inputs[:2]
    _convolution(b, op, (3, 0, 1, 2), b.shape(kernel)[1:3], b.shape(data)[3])


def _convolution(b: Builder, op: Operator, order: tuple[int, ...], window: tuple[int, ...], groups: int) -> None:
    strides, dilations = _pair(op, "stride"), _pair(op, "dilation", "_factor")
    inputs = [b.get(op.inputs[0], first=True), b.permuted(op.inputs[1], order), *_bias(b, op, 2)]
    value = b.node(
        "Conv",
        inputs,
        kernel_shape=list(window),
        strides=strides,
        dilations=dilations,
        group=groups,
        pads=_pads(op, b.shape(op.inputs[0]), window, strides, dilations),
    )
    b.finish(op, value, first=True)


def transpose_conv(b: Builder, op: Operator) -> None:
    """Kernel (out, height, width, in) to (in, out, height, width); the output size is given."""
    _, kernel, data = op.inputs[:3]
    strides, window = _pair(op, "stride"), b.shape(kernel)[1:3]
    before, after, extra = [], [], []
    for axis in (0, 1):
        reach = (b.shape(data)[axis + 1] - 1) * strides[axis] + window[axis]
        surplus = reach - b.shape(op.outputs[0])[axis + 1]
        before.append(max(surplus, 0) // 2)
        after.append(max(surplus, 0) - max(surplus, 0) // 2)
        extra.append(max(-surplus, 0))
    value = b.node(
        "ConvTranspose",
        [b.get(data, first=True), b.permuted(kernel, (3, 0, 1, 2)), *_bias(b, op, 3)],
        kernel_shape=list(window),
        strides=strides,
        pads=before + after,
        output_padding=extra,
    )
    b.finish(op, value, first=True)


def max_pool(b: Builder, op: Operator) -> None:
    """Padding counts as minus infinity in both formats."""
    _pool(b, op, "MaxPool", {})


def average_pool(b: Builder, op: Operator) -> None:
    """Excluding padding, as TFLite's mean does."""
    _pool(b, op, "AveragePool", {"count_include_pad": 0})


def _pool(b: Builder, op: Operator, kind: str, attributes: dict[str, Any]) -> None:
    window, strides = _pair(op, "filter", names=("height", "width")), _pair(op, "stride")
    pads = _pads(op, b.shape(op.inputs[0]), tuple(window), strides, [1, 1])
    value = b.get(op.inputs[0], first=True)
    value = b.node(kind, [value], kernel_shape=window, strides=strides, pads=pads, **attributes)
    b.finish(op, value, first=True)


def pad(b: Builder, op: Operator) -> None:
    """PAD, PADV2 and MIRROR_PAD."""
    widths = b.content(op.inputs[1], "padding").astype(np.int64).reshape(-1, 2)
    first = b.prefers_first(op.inputs[:1])
    if first:
        # Row i is TFLite's axis i; ONNX needs them in the order of its own axes.
        widths = widths[np.argsort(AXIS_IN_FIRST)]
    inputs = [b.get(op.inputs[0], first), b.integers([*widths[:, 0], *widths[:, 1]], "pads")]
    mode = "constant"
    if op.op == "PADV2":
        value = b.content(op.inputs[2], "pad value")
        inputs.append(b.constant(value.reshape(()), f"{b.scope}/value"))
    elif op.op == "MIRROR_PAD":
        if op.options.get("mode") != "REFLECT":
            raise UnsupportedError("its mode is SYMMETRIC")
        mode = "reflect"
    b.put(op.outputs[0], b.node("Pad", inputs, mode=mode), first)


def resize(b: Builder, op: Operator) -> None:
    """RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR with all their conventions about pixel centres."""
    height, width = b.shape(op.outputs[0])[1:3]
    batch, channels = b.shape(op.inputs[0])[0], b.shape(op.inputs[0])[3]
    attributes: dict[str, Any] = {"mode": "linear"}
    if op.options.get("align_corners"):
        attributes["coordinate_transformation_mode"] = "align_corners"
    elif op.options.get("half_pixel_centers"):
        attributes["coordinate_transformation_mode"] = "half_pixel"
    else:
        attributes["coordinate_transformation_mode"] = "asymmetric"
    if op.op == "RESIZE_NEAREST_NEIGHBOR":
        asymmetric = attributes["coordinate_transformation_mode"] == "asymmetric"
        attributes.update(mode="nearest", nearest_mode="floor" if asymmetric else "round_prefer_ceil")
    sizes = b.integers([batch, channels, height, width], "sizes")
    value = b.node("Resize", [b.get(op.inputs[0], first=True), "", "", sizes], **attributes)
    b.put(op.outputs[0], value, first=True)


def depth_to_space(b: Builder, op: Operator) -> None:
    """Blocks are spread in TensorFlow's order, which ONNX calls DCR."""
    value = b.node("DepthToSpace", [b.get(op.inputs[0], first=True)], blocksize=op.options["block_size"], mode="DCR")
    b.put(op.outputs[0], value, first=True)


def space_to_depth(b: Builder, op: Operator) -> None:
    """The reverse; ONNX has one order only, and it is the same."""
    value = b.node("SpaceToDepth", [b.get(op.inputs[0], first=True)], blocksize=op.options["block_size"])
    b.put(op.outputs[0], value, first=True)


def _pair(op: Operator, what: str, suffix: str = "", names: tuple[str, str] = ("h", "w")) -> list[int]:
    """Height and width of an option such as ``stride_h``, ``stride_w``; 1 where TFLite left it out."""
    return [int(op.options.get(f"{what}_{name}{suffix}", 1)) for name in names]


def _bias(b: Builder, op: Operator, position: int) -> list[str]:
    return [b.get(op.inputs[position])] if len(op.inputs) > position and op.inputs[position] >= 0 else []


def _pads(
    op: Operator, shape: tuple[int, ...], window: tuple[int, ...], strides: list[int], dilations: list[int]
) -> Pads:
    """ONNX's pads for TFLite's SAME (an odd pixel is added at the end) or VALID."""
    before, after = [0, 0], [0, 0]
    if op.options.get("padding") == "SAME":
        for axis in (0, 1):
            size, stride = shape[axis + 1], strides[axis]
            reach = (window[axis] - 1) * dilations[axis] + 1
            total = max((-(-size // stride) - 1) * stride + reach - size, 0)
            before[axis], after[axis] = total // 2, total - total // 2
    return before + after
