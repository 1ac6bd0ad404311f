"""Models that XGBoost 3.2 saved, and what it predicts itself: read as ONNX they say the same, in C as well.

``predictions.npz`` has 300 samples, of which a twentieth of the values is missing, and its ``Booster.predict`` of each
model. ``boosters.npz`` has other samples, with categories and what is none, for the models of
``scripts/make_xgboost_models.py``.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.errors import CompileError, EdgerigError, ModelError
from edgerig.formats import format_of
from edgerig.models.files import open_artifact
from edgerig.models.graph.ubjson import read_ubjson
from edgerig.models.graph.xgboost_file import onnx_of_xgboost

MODELS = Path(__file__).parent / "xgboost_models"
FILES = ("regression.ubj", "two.json", "three.ubj", "dart.ubj", "categories.ubj", "one_hot.ubj", "two_sums.ubj")
#: Whose predictions are sums.
SUMS = ("regression.ubj", "dart.ubj", "categories.ubj", "one_hot.ubj")


def predictions(file: str) -> tuple[np.ndarray, np.ndarray]:
    """The samples, and what XGBoost predicts."""
    stored = np.load(
        MODELS / ("predictions.npz" if file in ("regression.ubj", "two.json", "three.ubj") else "boosters.npz")
    )
    return stored["x"], stored[Path(file).stem]


@pytest.mark.parametrize("file", FILES)
def test_onnx_runtime_says_what_xgboost_says(file: str) -> None:
    import onnxruntime

    artifact = open_artifact(MODELS / file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(artifact.read(), options)
    samples, wanted = predictions(file)
    (got,) = session.run(None, {"input": samples})
    check(got, wanted, exact=file in SUMS)
    assert (artifact.format, artifact.inputs[0].shape) == ("onnx", (1, 5))
    assert artifact.outputs[0].shape == (1, wanted.shape[1])


@pytest.mark.slow
@pytest.mark.parametrize("file", [file for file in FILES if file not in ("dart.ubj", "one_hot.ubj")])
def test_generated_c_says_what_xgboost_says(file: str, tmp_path: Path) -> None:
    from edgerig.micro import Options, compile_model
    from edgerig.testing.networks.generated import run_sanitized

    samples, wanted = predictions(file)
    source = compile_model(open_artifact(MODELS / file).read(), "net", Options(), file)
    (outputs,) = run_sanitized([source], [[[row[np.newaxis]] for row in samples]], tmp_path)
    got = np.concatenate([output[0].reshape(1, -1) for output in outputs])
    check(got, wanted, exact=file in SUMS)


def test_a_softmax_along_the_batch_is_no_scores_in_c() -> None:
    """Two classes with a sum each are trees and a Softmax: C has that of the last axis alone."""
    import onnx

    from edgerig.micro import Options, compile_model

    model = onnx.load_from_string(open_artifact(MODELS / "two_sums.ubj").read())
    assert [node.op_type for node in model.graph.node] == ["TreeEnsembleRegressor", "Softmax"]
    model.graph.node[1].attribute[0].i = 0
    with pytest.raises(CompileError, match="not along the last axis"):
        compile_model(model.SerializeToString(), "net", Options(), "net.onnx")


def check(got: np.ndarray, wanted: np.ndarray, exact: bool) -> None:
    """Sums are equal to the bit, probabilities to the rounding of the exponential; classes are the same."""
    if exact:
        np.testing.assert_array_equal(got, wanted)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=3e-7)
    np.testing.assert_array_equal(got.argmax(-1), wanted.argmax(-1))


def test_both_forms_hold_the_same() -> None:
    """JSON and UBJSON of one model: what is read of the one, written as the other."""
    content = plain(read_ubjson((MODELS / "three.ubj").read_bytes()))
    assert onnx_of_xgboost(json.dumps(content).encode(), "a") == onnx_of_xgboost(
        (MODELS / "three.ubj").read_bytes(), "b"
    )


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [plain(entry) for entry in value] if isinstance(value, list) else value


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    content = msgspec.json.decode((MODELS / "two.json").read_bytes())
    change(content["learner"])
    return msgspec.json.encode(content)


def tree(learner: dict[str, Any]) -> Any:
    return learner["gradient_booster"]["model"]["trees"][0]


def categorical(learner: dict[str, Any]) -> Any:
    """The first tree, whose root branches by the category 0."""
    tree(learner).update(categories=[0], categories_nodes=[0], categories_segments=[0], categories_sizes=[1])
    tree(learner)["split_type"][0] = 1
    return tree(learner)


def dart(learner: dict[str, Any]) -> Any:
    """The booster, made one of dart."""
    learner["gradient_booster"] = {"name": "dart", "gbtree": learner["gradient_booster"]}
    return learner["gradient_booster"]


def stopped(learner: dict[str, Any], best: int, scikit_learn: bool = True) -> None:
    """As if early stopping had found that iteration, of XGBClassifier or of a Booster."""
    learner["attributes"] = {"best_iteration": str(best)} | ({"scikit_learn": "{}"} if scikit_learn else {})


def first_rounds(learner: dict[str, Any], rounds: int) -> None:
    model = learner["gradient_booster"]["model"]
    model.update(trees=model["trees"][:rounds], tree_info=model["tree_info"][:rounds])


def test_early_stopping_counts_where_the_class_that_saved_it_heeds_it() -> None:
    """XGBClassifier predicts with the trees up to its best iteration, a Booster with all of them."""
    whole, cut = changed(lambda own: None), changed(lambda own: first_rounds(own, 3))
    by_classifier = changed(lambda own: stopped(own, 2))
    by_booster = changed(lambda own: stopped(own, 2, scikit_learn=False))
    assert onnx_of_xgboost(by_classifier, "a") == onnx_of_xgboost(cut, "b") != onnx_of_xgboost(whole, "c")
    assert onnx_of_xgboost(by_booster, "d") == onnx_of_xgboost(whole, "c")


def test_arrays_of_constants_are_refused() -> None:
    """They take no byte each: a small file would ask for all memory."""
    array = b"[$Z#l" + (100_000).to_bytes(4, "big")
    with pytest.raises(ValueError, match="an array is of constants"):
        read_ubjson(b"[#l" + (1000).to_bytes(4, "big") + 1000 * array + bytes(100_000))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda own: categorical(own)["categories"].__setitem__(0, -1), "a category is out of range"),
        (lambda own: categorical(own)["categories"].__setitem__(0, 2**24), "a category is out of range"),
        (lambda own: categorical(own)["categories"].clear(), "a branch's categories are none"),
        (lambda own: categorical(own)["categories_sizes"].__setitem__(0, 0), "a branch's categories are none"),
        (lambda own: categorical(own)["categories_nodes"].__setitem__(0, 1), "not those that have categories"),
        (lambda own: dart(own).update(weight_drop=[1.0]), "not a number for each tree"),
        (lambda own: dart(own).update(weight_drop=[1e300] * 99), "not a number for each tree"),
        (lambda own: own["objective"].update(name="count:poisson"), "its objective is count:poisson"),
        (lambda own: tree(own)["split_type"].__setitem__(0, 1), "not those that have categories"),
        (lambda own: tree(own)["left_children"].__setitem__(0, 99), "a child is no node"),
        (lambda own: tree(own)["left_children"].pop(), "different lengths"),
        (lambda own: tree(own)["split_indices"].__setitem__(0, 5), "a feature that there is not"),
        (lambda own: own["gradient_booster"]["model"].update(tree_info=[0]), "belong to no target"),
        (lambda own: own["learner_model_param"].update(base_score="[1.5E0]"), "base_score"),
        (lambda own: own.pop("objective"), "no model of XGBoost"),
        (lambda own: tree(own).update(tree_param=None), "is damaged: AttributeError"),
        (lambda own: own.update(attributes=[1]), "no model of XGBoost"),
        (lambda own: own["learner_model_param"].update(num_class="4000000000"), "belong to no target"),
        (lambda own: own["learner_model_param"].update(base_score="[1E0]"), "labels of a single class"),
        (lambda own: own["objective"].update(name="multi:softprob"), "it has a single class"),
        (lambda own: own["gradient_booster"]["model"].update(trees=[], tree_info=[]), "it has no trees"),
        (lambda own: stopped(own, 9999), "it has no iteration 9999"),
        (lambda own: stopped(own, -3), "it has no iteration -3"),
    ],
)
def test_what_cannot_be_read_is_named(change: Callable[[dict[str, Any]], object], message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(changed(change))
    with pytest.raises(ModelError, match=message):
        open_artifact(path)


def deep_tree(rng: np.random.Generator, depth: int, categories: int) -> dict[str, Any]:
    """A whole tree whose branches are by categories of two features, and now and then by a number."""
    branches, nodes = 2**depth - 1, 2 ** (depth + 1) - 1
    by_category = (rng.random(branches) < 0.8).tolist() + [False] * (nodes - branches)
    sets = [rng.choice(categories, rng.integers(1, categories), False).tolist() for own in by_category if own]
    leaf = [-1] * (nodes - branches)
    return {
        "tree_param": {"size_leaf_vector": "1"},
        "left_children": [2 * node + 1 for node in range(branches)] + leaf,
        "right_children": [2 * node + 2 for node in range(branches)] + leaf,
        "split_indices": [int(rng.integers(2)) if own else 2 for own in by_category],
        "split_conditions": rng.normal(size=nodes).astype(np.float32).tolist(),
        "default_left": rng.integers(0, 2, nodes).tolist(),
        "split_type": [int(own) for own in by_category],
        "categories_nodes": [node for node, own in enumerate(by_category) if own],
        "categories_segments": np.cumsum([0, *map(len, sets)])[:-1].tolist(),
        "categories_sizes": list(map(len, sets)),
        "categories": [category for own in sets for category in own],
    }


def leaf_of(raw: dict[str, Any], sample: np.ndarray) -> np.float32:
    """The leaf that XGBoost comes to (`GetDecision` of its src/tree)."""
    node, sets = 0, {}
    for own, start, size in zip(*(raw[f"categories_{name}"] for name in ("nodes", "segments", "sizes")), strict=True):
        sets[own] = set(raw["categories"][start : start + size])
    while raw["left_children"][node] != -1:
        value = sample[raw["split_indices"][node]]
        if np.isnan(value):
            left = bool(raw["default_left"][node])
        elif node in sets:
            left = not (0 <= value < 2**24 and int(value) in sets[node])
        else:
            left = bool(value < np.float32(raw["split_conditions"][node]))
        node = raw["left_children" if left else "right_children"][node]
    return np.float32(raw["split_conditions"][node])


@pytest.mark.slow
def test_deep_trees_of_many_categories_are_as_exact_and_grow_little(tmp_path: Path) -> None:
    """Three of depth 6 with 40 categories would be millions of branches by ranges: chains repeat nothing."""
    import onnx
    import onnxruntime

    from edgerig.micro import Options, compile_model
    from edgerig.testing.networks.generated import run_sanitized

    rng, content = np.random.default_rng(7), plain(read_ubjson((MODELS / "regression.ubj").read_bytes()))
    trees = [deep_tree(rng, 6, 40) for _ in range(3)]
    learner = content["learner"]
    learner["attributes"] = {}
    learner["gradient_booster"]["model"].update(trees=trees, tree_info=[0, 0, 0])
    learner["learner_model_param"]["base_score"] = "2.5E-1"
    data = onnx_of_xgboost(json.dumps(content).encode(), "deep.json")
    (ids,) = (a.ints for a in onnx.load_from_string(data).graph.node[0].attribute if a.name == "nodes_nodeids")
    bounds = sum(2 * len(tree["categories"]) + 130 for tree in trees)
    assert len(ids) < bounds

    samples = rng.normal(size=(400, 5)).astype(np.float32)
    samples[:, :2] = rng.integers(-1, 43, (400, 2)) + rng.choice([0, 0, 0.5, 2**24], (400, 2))
    samples[rng.random(samples.shape) < 0.1] = np.nan
    samples[:3, :2] = [[np.inf, -np.inf], [-0.5, -0.0], [39.99, 40]]
    wanted = np.full(len(samples), 0.25, np.float32)
    for raw in trees:
        wanted += np.array([leaf_of(raw, sample) for sample in samples], np.float32)
    assert len(np.unique(wanted)) > 200
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options)
    np.testing.assert_array_equal(session.run(None, {"input": samples})[0][:, 0], wanted)
    source = compile_model(data, "net", Options(), "deep.json")
    (outputs,) = run_sanitized([source], [[[row[np.newaxis]] for row in samples]], tmp_path)
    np.testing.assert_array_equal(np.concatenate([output[0].reshape(-1) for output in outputs]), wanted)


@pytest.mark.parametrize("file", ["categories.ubj", "one_hot.ubj"])
def test_chains_say_what_ranges_say(file: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import onnxruntime

    from edgerig.micro import Options, compile_model
    from edgerig.testing.networks.generated import run_sanitized

    monkeypatch.setattr("edgerig.models.graph.xgboost_file.MOST_GROWTH", 0)
    monkeypatch.setattr("edgerig.models.graph.xgboost_file.SOME", 0)
    data = onnx_of_xgboost.__wrapped__((MODELS / file).read_bytes(), file)
    assert b"BRANCH_LEQ" in data
    samples, wanted = predictions(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    got = onnxruntime.InferenceSession(data, options).run(None, {"input": samples})[0]
    np.testing.assert_array_equal(got, wanted)
    source = compile_model(data, "net", Options(), file)
    (outputs,) = run_sanitized([source], [[[row[np.newaxis]] for row in samples[:100]]], tmp_path)
    np.testing.assert_array_equal(np.concatenate([output[0].reshape(1, -1) for output in outputs]), wanted[:100])


def test_a_node_of_two_parents_is_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(learner: dict[str, Any]) -> None:
        own = categorical(learner)
        own["right_children"][0] = own["left_children"][0]

    monkeypatch.setattr("edgerig.models.graph.xgboost_file.MOST_GROWTH", 0)
    monkeypatch.setattr("edgerig.models.graph.xgboost_file.SOME", 0)
    with pytest.raises(ModelError, match="a node of a tree has two parents"):
        onnx_of_xgboost(changed(twice), "net.json")


def test_linear_boosters_are_refused() -> None:
    with pytest.raises(ModelError, match="its booster is gblinear, whose sums"):
        open_artifact(MODELS / "linear.ubj")


def test_other_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_text('{"a": 1}')
    with pytest.raises(ModelError, match=r"notes\.json is no model of XGBoost"):
        format_of(path).payload(path)


@given(st.sampled_from(["regression.ubj", "categories.ubj", "dart.ubj"]), st.integers(0, 20000), st.integers(0, 255))
def test_a_damaged_file_is_refused_or_read(file: str, position: int, value: int) -> None:
    data = bytearray((MODELS / file).read_bytes())
    data[1 + position % (len(data) - 1)] = value
    with contextlib.suppress(EdgerigError):
        onnx_of_xgboost.__wrapped__(bytes(data), "net.ubj")


@given(st.integers(1, 3000))
def test_a_cut_file_is_refused(size: int) -> None:
    data = (MODELS / "regression.ubj").read_bytes()
    with pytest.raises(ModelError, match="no model of XGBoost"):
        onnx_of_xgboost.__wrapped__(data[: min(size, len(data) - 1)], "net.ubj")
