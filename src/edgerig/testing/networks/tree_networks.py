"""Trees in ONNX for tests, table by table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_LABELS: dict[str, Any] = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [1, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_values": [0.5, 0.0, 0.0],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
    "class_treeids": [0] * 6,
    "class_nodeids": [1, 1, 1, 2, 2, 2],
    "class_ids": [0, 1, 2, 0, 1, 2],
    "class_weights": [0.1, 0.2, 0.7, 0.5, 0.3, 0.2],
    "classlabels_int64s": [4, 5, 6],
    "post_transform": "NONE",
}


_LINEAR: dict[str, Any] = {
    "coefficients": [1.0, -1.0, 0.5, 2.0, 0.0, -2.0],
    "intercepts": [0.1, 0.2, 0.3],
    "classlabels_ints": [4, 5, 6],
    "post_transform": "NONE",
}


def stump(
    features: int = 2,
    dtype: str = "float",
    zip_map: bool = False,
    operator: str = "TreeEnsembleClassifier",
    **changes: Any,
) -> bytes:
    """A classifier of one branch, or a linear one, and three classes, with other attributes; None leaves one out."""
    usual = _LABELS if operator == "TreeEnsembleClassifier" else _LINEAR
    tables = {name: value for name, value in {**usual, **changes}.items() if value is not None}
    return ensemble_onnx(operator, tables, features, dtype, zip_map)


def ensemble_onnx(
    operator: str, tables: Mapping[str, Any], features: int, dtype: str = "float", zip_map: bool = False
) -> bytes:
    """An ONNX file of one operator of trees: input X, outputs label (of a classifier) and scores."""
    from onnx import TensorProto, helper

    classifier = operator.endswith("Classifier")
    texts = "classlabels_strings" in tables
    names = ["label", "scores"] if classifier else ["scores"]
    nodes = [helper.make_node(operator, ["X"], names, domain="ai.onnx.ml", **tables)]
    real, label = TensorProto.FLOAT, TensorProto.STRING if texts else TensorProto.INT64
    outputs = [helper.make_tensor_value_info(names[-1], real, [None, None])]
    if zip_map:
        labels = {"classlabels_int64s": tables["classlabels_int64s"]}
        nodes.append(helper.make_node("ZipMap", ["scores"], ["zipped"], domain="ai.onnx.ml", **labels))
        entry = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(real, None))
        outputs = [helper.make_value_info("zipped", helper.make_sequence_type_proto(entry))]
    if classifier:
        outputs.insert(0, helper.make_tensor_value_info("label", label, [None]))
    kind = TensorProto.DataType.Value(dtype.upper())
    source = helper.make_tensor_value_info("X", kind, [None, features or None])
    graph = helper.make_graph(nodes, "trees", [source], outputs)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def random_trees(
    rng: np.random.Generator, thresholds: Sequence[float], aggregate: str, targets: int = 1, trees: int = 5
) -> bytes:
    """A regressor of four features: branches of every mode in random order, thresholds drawn of those given."""
    modes = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT")
    tables: dict[str, list[Any]] = {
        f"nodes_{name}": []
        for name in (
            "treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids",
            "missing_value_tracks_true",
        )
    } | {f"target_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")}  # fmt: skip
    for tree in range(trees):
        branches = int(rng.integers(0, 8))
        # Children of branch k are the nodes 2k + 1 and 2k + 2, in the order of a heap.
        for node in range(2 * branches + 1):
            leaf = node >= branches
            children = rng.permutation([2 * node + 1, 2 * node + 2]).tolist() if not leaf else [0, 0]
            row = {
                "treeids": tree, "nodeids": node, "featureids": int(rng.integers(0, 4)),
                "modes": "LEAF" if leaf else str(rng.choice(modes)), "values": float(rng.choice(thresholds)),
                "truenodeids": children[0], "falsenodeids": children[1],
                "missing_value_tracks_true": int(rng.integers(0, 2)),
            }  # fmt: skip
            for name, value in row.items():
                tables[f"nodes_{name}"].append(value)
            for target in range(targets if leaf else 0):
                own = {"treeids": tree, "nodeids": node, "ids": target, "weights": float(rng.normal())}
                for name, value in own.items():
                    tables[f"target_{name}"].append(value)
    attributes: dict[str, Any] = {**tables, "n_targets": targets, "aggregate_function": aggregate}
    attributes["base_values"] = rng.normal(0, 1, targets).tolist()
    return ensemble_onnx("TreeEnsembleRegressor", attributes, 4)
