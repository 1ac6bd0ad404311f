"""Models that XGBoost saved (``save_model``, .json or .ubj) as ONNX, without XGBoost: its trees, bit by bit.

Sums begin with the base score, as XGBoost's do, by a tree of its own in front: ONNX adds base values at the end, which
rounds otherwise. The schema is XGBoost's (doc/model.schema); trees branch to the left where a feature is less than the
condition, in float32, or where its integer part is not among the branch's categories. The booster ``dart`` multiplies
the leaves of each tree by the tree's weight, in float32, before they are added.
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import ModelError
from edgerig.models.graph.branching_tree import MOST_CATEGORY, BranchingTree, categories_as_chains, categories_as_ranges
from edgerig.models.graph.ubjson import read_ubjson

#: Objectives whose predictions are the sums themselves.
_SUMS = ("reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror", "reg:quantileerror",
         "binary:logitraw", "rank:pairwise", "rank:ndcg", "rank:map")  # fmt: skip
_LOGISTIC = ("binary:logistic",)
_SOFTMAX = ("multi:softprob", "multi:softmax")
#: What reading content of another form than the schema's comes to.
_DAMAGED = (AttributeError, KeyError, TypeError, ValueError, IndexError, OverflowError)
#: The key of the ONNX file's metadata with the categories of each feature, in the order of their codes.
CATEGORIES = "edgerig.categories"
OPSETS = {"": 17, "ai.onnx.ml": 3}
#: Trees whose branches by categories become ranges may grow to so many times their nodes, and some; beyond that their
#: branches become chains, which are slower and repeat nothing.
MOST_GROWTH, SOME = 2, 64


def is_xgboost(data: bytes) -> bool:
    """Whether ``data`` may be a model of XGBoost; no ONNX file begins so."""
    return data[:1] == b"{"


@lru_cache(maxsize=2)
def onnx_of_xgboost(data: bytes, file: str) -> bytes:
    """The ONNX file of a model of XGBoost: features (n, features) to values or probabilities, (n, targets).

    Raises:
        ModelError: It is no such model, damaged, or has what ONNX's trees cannot express; names it.
    """
    try:
        content = msgspec.json.decode(data) if data[1:2] in b'"\n\r\t }' else read_ubjson(data)
        learner = content["learner"]
        booster, objective = learner["gradient_booster"], str(learner["objective"]["name"])
        parameters = learner["learner_model_param"]
        kind, attributes = str(booster["name"]), dict(learner.get("attributes", ()))
    except (msgspec.DecodeError, *_DAMAGED, RecursionError) as error:
        raise ModelError(
            f"{file} is no model of XGBoost: {error}.", "Save it with save_model('model.ubj') or as .json."
        ) from error
    if kind == "gblinear":
        why = "its booster is gblinear, whose sums ONNX's linear operator takes in another order"
        raise _refused(file, why, "Train it with booster='gbtree', or a linear model of scikit-learn.")
    if kind not in ("gbtree", "dart"):
        raise _refused(file, f"its booster is {kind}", "Train it with booster='gbtree' or 'dart'.")
    if objective not in (*_SUMS, *_LOGISTIC, *_SOFTMAX):
        known = ", ".join((*_SUMS, *_LOGISTIC, *_SOFTMAX))
        raise _refused(file, f"its objective is {objective}", f"Known are {known}.")
    try:
        rounds = _rounds(attributes)
        own = booster["gbtree"] if kind == "dart" else booster
        with np.errstate(over="ignore"):  # refused as infinite where it is used
            weights = np.asarray(booster["weight_drop"], np.float32) if kind == "dart" else None
        return _converted(own["model"], weights, parameters, objective, rounds, file)
    except _DAMAGED as error:
        raise ModelError(f"{file} is damaged: {type(error).__name__}: {error}.", "Save the model again.") from error


def _rounds(attributes: dict[str, Any]) -> int | None:
    """How many rounds of boosting predict; None for all.

    Those of XGBClassifier and its like end at the best iteration of early stopping, in a loaded model, too. Booster's
    do not, which names itself by the lack of ``scikit_learn``.
    """
    if "scikit_learn" not in attributes or "best_iteration" not in attributes:
        return None
    return int(attributes["best_iteration"]) + 1


def _converted(
    model: Any,
    weights: NDArray[np.float32] | None,
    parameters: Any,
    objective: str,
    rounds: int | None,
    file: str,
) -> bytes:
    features = int(parameters["num_feature"])
    sums = max(int(parameters["num_class"]), int(parameters.get("num_target", 1)), 1)
    if objective in _SOFTMAX and sums == 1:
        raise _refused(file, "it has a single class", "Train it on labels of several classes.")
    if not len(model["trees"]):
        raise _refused(file, "it has no trees", "Train it for at least one round.")
    trees = [_tree(raw, features, file) for raw in model["trees"]]
    if weights is not None:
        trees = _weighted(trees, weights)
    targets = [int(target) for target in model["tree_info"]]
    # Each sum has trees: what is damaged asks for no more memory than the file has.
    if len(targets) != len(trees) or set(targets) != set(range(min(sums, len(trees) + 1))):
        raise ModelError(f"{file} is damaged: its trees belong to no target.", "Save the model again.")
    if rounds is not None:
        parallel = max(1, int(model["gbtree_model_param"].get("num_parallel_tree", 1)))
        end = rounds * sums * parallel
        if not 0 < end <= len(trees):
            raise ModelError(f"{file} is damaged: it has no iteration {rounds - 1}.", "Save the model again.")
        trees, targets = trees[:end], targets[:end]
    bases = _bases(parameters, objective, sums, file)
    whole = [(_base_tree(base), target) for target, base in enumerate(bases)]
    whole += list(zip(trees, targets, strict=True))
    return _onnx(_tables(whole), objective, features, sums, _categories_of_features(model.get("cats") or {}))


def _tree(raw: Any, features: int, file: str) -> BranchingTree:
    """A tree without branches by categories."""
    if int(raw["tree_param"].get("size_leaf_vector", 1)) > 1:
        hint = "Train it with multi_strategy='one_output_per_tree'."
        raise _refused(file, "its trees have several values in a leaf", hint)
    names = ("left_children", "right_children", "split_indices", "split_conditions", "default_left")
    columns = [np.asarray(raw[name]) for name in names]
    nodes = len(columns[0])
    if any(column.shape != (nodes,) for column in columns) or not nodes:
        raise ModelError(f"{file} is damaged: the tables of a tree have different lengths.", "Save the model again.")
    left, right, feature = (column.astype(np.int64) for column in columns[:3])
    branches = left != -1
    for child in (left[branches], right[branches]):
        if ((child <= 0) | (child >= nodes)).any():
            raise ModelError(f"{file} is damaged: a child is no node of its tree.", "Save the model again.")
    if (feature[branches] >= features).any() or (feature[branches] < 0).any():
        raise ModelError(f"{file} is damaged: a branch asks for a feature that there is not.", "Save the model again.")
    tree = BranchingTree(left, right, feature, columns[3].astype(np.float32), columns[4].astype(np.int64))
    categories = _categories(raw, branches)
    if not categories:
        return tree
    try:
        return categories_as_ranges(tree, categories, MOST_GROWTH * nodes + SOME)
    except OverflowError:
        pass
    try:
        return categories_as_chains(tree, categories)
    except OverflowError:
        raise ModelError(f"{file} is damaged: a node of a tree has two parents.", "Save the model again.") from None


def _weighted(trees: list[BranchingTree], weights: NDArray[np.float32]) -> list[BranchingTree]:
    if weights.shape != (len(trees),) or not np.isfinite(weights).all():
        raise ValueError("weight_drop has not a number for each tree")
    with np.errstate(over="ignore"):  # a value out of range is infinite in XGBoost, too
        return [tree._replace(condition=np.where(tree.left == -1, tree.condition * weight, tree.condition))
                for tree, weight in zip(trees, weights, strict=True)]  # fmt: skip


def _categories(raw: Any, branches: NDArray[np.bool_]) -> dict[int, NDArray[np.int64]]:
    """The categories that go to the right, of each branch that has such."""
    marked = np.flatnonzero(np.asarray(raw.get("split_type", ())))
    names = ("categories_nodes", "categories_segments", "categories_sizes", "categories")
    nodes, starts, sizes, values = (np.asarray(raw.get(name, ()), np.int64).reshape(-1) for name in names)
    if set(nodes.tolist()) != set(marked.tolist()) or len(set(nodes.tolist())) != len(nodes):
        raise ValueError("its branches by categories are not those that have categories")
    if not branches[nodes].all() or ((starts < 0) | (sizes < 1) | (starts + sizes > len(values))).any():
        raise ValueError("a branch's categories are none")
    if ((values < 0) | (values > MOST_CATEGORY)).any():
        raise ValueError("a category is out of range")
    return {node: values[start : start + size]
            for node, start, size in zip(nodes.tolist(), starts.tolist(), sizes.tolist(), strict=True)}  # fmt: skip


def _bases(parameters: Any, objective: str, sums: int, file: str) -> NDArray[np.float32]:
    """The base score of each sum, before the objective's function."""
    text = str(parameters["base_score"])
    values = np.asarray(msgspec.json.decode(text) if text.startswith("[") else float(text), np.float32).reshape(-1)
    if objective in _LOGISTIC:
        if ((values == 0) | (values == 1)).any():
            raise _refused(file, "it was trained on labels of a single class", "Train it on labels of both.")
        with np.errstate(invalid="ignore"):
            values = -np.log(np.float32(1) / values - np.float32(1))
    if not np.isfinite(values).all() or len(values) not in (1, sums):
        raise ValueError(f"its base_score is {text}")
    return np.broadcast_to(values, sums)


def _base_tree(base: np.float32) -> BranchingTree:
    """A tree that always gives ``base``.

    Its other leaf, which no feature reaches, is negative: where all leaves of two classes are positive, ONNX's
    classifier takes their sum for a probability already.
    """
    return BranchingTree(
        np.array([1, -1, -1]), np.array([2, -1, -1]), np.zeros(3, np.int64),
        np.array([-np.inf, -1, base], np.float32), np.zeros(3, np.int64),
    )  # fmt: skip


def _tables(trees: list[tuple[BranchingTree, int]]) -> dict[str, Any]:
    """ONNX's lists of nodes and leaves; those of leaves begin with ``LEAF``."""
    tables: dict[str, list[Any]] = {}

    def add(name: str, values: Any) -> None:
        tables.setdefault(name, []).extend(np.asarray(values).tolist())

    for number, (tree, target) in enumerate(trees):
        leaf, count = tree.left == -1, len(tree.left)
        ids = np.arange(count)
        add("nodes_treeids", np.full(count, number))
        add("nodes_nodeids", ids)
        add("nodes_featureids", np.where(leaf, 0, tree.feature))
        add("nodes_values", np.where(leaf, np.float32(0), tree.condition))
        add("nodes_truenodeids", np.where(leaf, 0, tree.left))
        add("nodes_falsenodeids", np.where(leaf, 0, tree.right))
        add("nodes_missing_value_tracks_true", np.where(leaf, 0, tree.default_left))
        modes = np.where(leaf, "LEAF", "BRANCH_LT").astype("U10")
        # Below infinity infinity is not.
        modes[list(tree.always_left)] = "BRANCH_LEQ"
        add("nodes_modes", modes)
        add("LEAF_treeids", np.full(leaf.sum(), number))
        add("LEAF_nodeids", ids[leaf])
        add("LEAF_ids", np.full(leaf.sum(), target))
        add("LEAF_weights", tree.condition[leaf])
    return tables


def _categories_of_features(cats: Any) -> dict[str, list[Any]]:
    """The categories that XGBoost maps to codes where it gets a DataFrame, of each feature that has such."""
    named: dict[str, list[Any]] = {}
    for feature, encoded in enumerate(cats.get("enc", ())):
        values = np.asarray(encoded["values"])
        if "offsets" in encoded:
            ends, text = np.asarray(encoded["offsets"], np.int64).tolist(), values.astype(np.uint8).tobytes()
            own = [text[start:end].decode(errors="replace") for start, end in itertools.pairwise(ends)]
        else:
            own = values.tolist()
        if own:
            named[str(feature)] = own
    return named


def _onnx(tables: dict[str, Any], objective: str, features: int, sums: int, categories: dict[str, list[Any]]) -> bytes:
    from onnx import TensorProto, helper

    # Of two classes with a sum each, runtimes' classifiers make different scores: their softmax stands alone.
    softmax = objective in _SOFTMAX and sums == 2
    classes = objective in (*_LOGISTIC, *_SOFTMAX) and not softmax
    prefix = "class" if classes else "target"
    own = {name.replace("LEAF", prefix): values for name, values in tables.items()}
    count = max(2, sums) if classes else sums
    if classes:
        own |= {"classlabels_int64s": list(range(count)),
                "post_transform": "LOGISTIC" if objective in _LOGISTIC else "SOFTMAX"}  # fmt: skip
    else:
        own |= {"n_targets": sums, "post_transform": "NONE"}
    name = "TreeEnsembleClassifier" if classes else "TreeEnsembleRegressor"
    outputs = ["label", "output"] if classes else ["sums" if softmax else "output"]
    nodes = [helper.make_node(name, ["input"], outputs, domain="ai.onnx.ml", **own)]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["sums"], ["output"], axis=-1))
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, [None, size])
            for end, size in (("input", features), ("output", count))]  # fmt: skip
    graph = helper.make_graph(nodes, "xgboost", ends[:1], ends[1:])
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="edgerig")
    if categories:
        helper.set_model_props(model, {CATEGORIES: msgspec.json.encode(categories).decode()})
    return bytes(model.SerializeToString(deterministic=True))


def _refused(file: str, why: str, hint: str) -> ModelError:
    return ModelError(f"{file} cannot be read as ONNX: {why}.", hint)
