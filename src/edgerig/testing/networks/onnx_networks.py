"""ONNX networks as PyTorch's and scikit-learn's exporters write them, with known correct outputs.

They need the onnx package. `colour_images` are the samples that `torch_like_onnx` classifies.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Axes of an image batch in PyTorch's order, with names for the free ones.
Axes = tuple[int | str, int | str, int | str, int | str]
#: How much brighter the colour of an image's class is than the others.
CONTRAST = 100


def colour_images(count: int, size: tuple[int, int], seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (n, height, width, 3) of noise with one brighter channel, and its index, which is their class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 256 - CONTRAST, (count, *size, 3), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[..., label] += CONTRAST
    return images, labels.astype(np.int64)


def torch_like_onnx(path: Path, axes: Axes = (1, 3, 5, 7), opset: int = 17, ir: int = 8) -> Path:
    """A network that finds the brightest of three channels, in the form of PyTorch's exporter.

    Channels first, names such as ``input.1`` and ``onnx::Conv_12``, a Constant node, int64 arithmetic on shapes, an
    Identity before the output. A first axis that is a name is a free batch; other names are free axes.
    """
    from onnx import TensorProto, helper, numpy_helper

    weights = {
        "onnx::Conv_12": np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1),
        "onnx::Conv_13": np.zeros(3, np.float32),
        "fc.weight": np.eye(3, dtype=np.float32),
        "fc.bias": np.full(3, 0.25, np.float32),
    }
    minus_one = numpy_helper.from_array(np.array([-1], np.int64), "")
    zero = numpy_helper.from_array(np.array(0, np.int64), "")
    nodes = [
        helper.make_node(
            "Conv",
            ["input.1", "onnx::Conv_12", "onnx::Conv_13"],
            ["/conv/Conv_output_0"],
            name="/conv/Conv",
            kernel_shape=[1, 1],
            group=1,
        ),
        helper.make_node("Relu", ["/conv/Conv_output_0"], ["/relu/Relu_output_0"], name="/relu/Relu"),
        helper.make_node("GlobalAveragePool", ["/relu/Relu_output_0"], ["/pool_output_0"], name="/pool"),
        helper.make_node("Shape", ["/pool_output_0"], ["/Shape_output_0"], name="/Shape"),
        helper.make_node("Constant", [], ["/Constant_output_0"], name="/Constant", value=zero),
        helper.make_node("Gather", ["/Shape_output_0", "/Constant_output_0"], ["/Gather_output_0"], axis=0),
        helper.make_node("Constant", [], ["/Constant_1_output_0"], name="/Constant_1", value=minus_one),
        *_unsqueeze(opset),
        helper.make_node("Concat", ["/Unsqueeze_output_0", "/Constant_1_output_0"], ["/Concat_output_0"], axis=0),
        helper.make_node("Reshape", ["/pool_output_0", "/Concat_output_0"], ["/Reshape_output_0"], name="/Reshape"),
        helper.make_node(
            "Gemm", ["/Reshape_output_0", "fc.weight", "fc.bias"], ["/fc/Gemm_output_0"], name="/fc/Gemm", transB=1
        ),
        helper.make_node("Identity", ["/fc/Gemm_output_0"], ["24"], name="/Identity"),
    ]
    graph = helper.make_graph(
        nodes,
        "main_graph",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, axes)],
        [helper.make_tensor_value_info("24", TensorProto.FLOAT, [axes[0], 3])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return save_onnx(path, graph, {"": opset}, ir, "pytorch")


def _unsqueeze(opset: int) -> list[Any]:
    """``Unsqueeze`` of a scalar, whose axes became an input with version 13."""
    from onnx import helper, numpy_helper

    ends = ["/Gather_output_0"], ["/Unsqueeze_output_0"]
    if opset < 13:
        return [helper.make_node("Unsqueeze", *ends, name="/Unsqueeze", axes=[0])]
    axes = numpy_helper.from_array(np.array([0], np.int64), "")
    return [
        helper.make_node("Constant", [], ["/Constant_2_output_0"], name="/Constant_2", value=axes),
        helper.make_node("Unsqueeze", [*ends[0], "/Constant_2_output_0"], ends[1], name="/Unsqueeze"),
    ]


def tree_onnx(path: Path, *, zipmap: bool) -> Path:
    """A decision tree over four features, in the form of scikit-learn's exporter.

    Its class is 0 where the first feature is at most 0.5, else 2. Outputs: the class as an int64, and the
    probabilities of three classes; with ``zipmap`` as a sequence of maps.
    """
    from onnx import TensorProto, helper

    scaler = helper.make_node(
        "Scaler", ["float_input"], ["scaled"], domain="ai.onnx.ml", offset=[0.0] * 4, scale=[1.0] * 4
    )
    tree = helper.make_node(
        "TreeEnsembleClassifier",
        ["scaled"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        nodes_treeids=[0] * 3,
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[0, 0, 0],
        nodes_values=[0.5, 0.0, 0.0],
        nodes_hitrates=[1.0] * 3,
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        nodes_missing_value_tracks_true=[0] * 3,
        class_treeids=[0] * 6,
        class_nodeids=[1, 1, 1, 2, 2, 2],
        class_ids=[0, 1, 2, 0, 1, 2],
        class_weights=[0.75, 0.125, 0.125, 0.125, 0.25, 0.625],
        classlabels_int64s=[0, 1, 2],
        post_transform="NONE",
    )
    nodes = [scaler, tree, helper.make_node("Identity", ["label"], ["output_label"])]
    outputs = [helper.make_tensor_value_info("output_label", TensorProto.INT64, [None])]
    if zipmap:
        nodes.append(
            helper.make_node(
                "ZipMap", ["probabilities"], ["output_probability"], domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2]
            )
        )
        number = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
        maps = helper.make_sequence_type_proto(helper.make_map_type_proto(TensorProto.INT64, number))
        outputs.append(helper.make_value_info("output_probability", maps))
    else:
        outputs.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 3]))
    ends = [helper.make_tensor_value_info("float_input", TensorProto.FLOAT, [None, 4])]
    graph = helper.make_graph(nodes, "tree", ends, outputs)
    return save_onnx(path, graph, {"": 13, "ai.onnx.ml": 3}, 8, "skl2onnx")


def pixel_classes_onnx(path: Path, side: int = 128, channels: int = 3) -> Path:
    """A network of one 1x1 convolution: of each pixel, (1, channels, side, side), the scores of two classes; the second
    is higher where the channels' mean is above 0.5."""
    from onnx import TensorProto, helper, numpy_helper

    weights = np.full((2, channels, 1, 1), 1 / channels, np.float32)
    weights[0] *= -1
    bias = np.array([0.5, -0.5], np.float32)
    values = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weights", "bias"], ["scores"], name="conv")],
        "pixels",
        [values("image", TensorProto.FLOAT, [1, channels, side, side])],
        [values("scores", TensorProto.FLOAT, [1, 2, side, side])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    return save_onnx(path, graph, {"": 17}, 8, "edgerig")


def save_onnx(path: Path, graph: Any, opsets: dict[str, int], ir: int, producer: str) -> Path:
    """Write a graph as an ONNX file; returns its path."""
    import onnx
    from onnx import helper

    versions = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    onnx.save(helper.make_model(graph, opset_imports=versions, ir_version=ir, producer_name=producer), str(path))
    return path
