"""Trees in ONNX as C: against ONNX Runtime and scikit-learn itself, and files that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgerig
from edgerig.errors import CompileError, ModelError
from edgerig.micro import Options, Source, compile_model
from edgerig.micro.ir.operators.trees import order_key
from edgerig.testing.networks.generated import run_sanitized
from edgerig.testing.networks.onnx_networks import torch_like_onnx
from edgerig.testing.networks.tree_networks import ensemble_onnx, random_trees, stump

#: Where comparisons of floats go wrong.
EDGES = np.array(
    [0.0, -0.0, 1e-45, -1e-45, 1.0, np.nextafter(np.float32(1), np.float32(2)), -1.0, 3e38, np.inf, -np.inf, np.nan],
    np.float32,
)


def runtime_outputs(data: bytes, samples: np.ndarray) -> list[list[Any]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Several threads would add the trees in another order.
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options)
    name = session.get_inputs()[0].name
    return [session.run(None, {name: sample[np.newaxis]}) for sample in samples]


def compiled(data: bytes, name: str = "net") -> Source:
    return compile_model(data, name, Options(), f"{name}.onnx")


def in_c(sources: list[Source], samples: list[np.ndarray], folder: Path) -> list[list[list[np.ndarray]]]:
    return run_sanitized(sources, [[[row[np.newaxis]] for row in rows] for rows in samples], folder)


def estimators() -> dict[str, Any]:
    from sklearn import ensemble, linear_model, tree
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    small = {"max_depth": 5, "random_state": 0}
    return {
        "forest": ensemble.RandomForestClassifier(20, **small),
        "extra": ensemble.ExtraTreesClassifier(10, **small),
        "tree": tree.DecisionTreeClassifier(**small),
        "two": ensemble.RandomForestClassifier(20, **small),
        "scaled_two": make_pipeline(StandardScaler(), ensemble.RandomForestClassifier(10, **small)),
        "boosted": ensemble.GradientBoostingClassifier(n_estimators=5, **small),
        "boosted_two": ensemble.GradientBoostingClassifier(n_estimators=10, **small),
        "histograms": ensemble.HistGradientBoostingClassifier(max_iter=5, **small),
        "histograms_two": ensemble.HistGradientBoostingClassifier(max_iter=10, **small),
        "one": ensemble.RandomForestClassifier(3, **small),
        "real": ensemble.RandomForestRegressor(20, **small),
        "real_boosted": ensemble.HistGradientBoostingRegressor(max_iter=10, **small),
        "linear": linear_model.LogisticRegression(),
        "linear_two": make_pipeline(StandardScaler(), linear_model.LogisticRegression()),
        "real_linear": linear_model.LinearRegression(),
        "several": ensemble.RandomForestRegressor(10, **small),
    }


def drawn(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Samples and labels; those of histograms have values missing."""
    rng = np.random.default_rng(3)
    features = rng.normal(0, 1, (240, 7)).astype(np.float32)
    values = features @ rng.normal(0, 1, (7, 3)) + rng.normal(0, 0.3, (240, 3))
    labels: Any = values.argmax(1) + 4
    if name.endswith("two"):
        labels = labels > 4
    elif name == "one":
        labels = labels * 0 + 9
    elif name.startswith("real"):
        labels = values[:, 0]
    elif name == "several":
        labels = values
    if name.startswith("histograms") or name == "real_boosted":
        features[rng.random(features.shape) < 0.1] = np.nan
    return features, labels.astype(np.int64) if labels.dtype == bool else labels


@pytest.mark.slow
def test_what_scikit_learn_predicts_is_what_the_c_predicts(tmp_path: Path) -> None:
    from skl2onnx import to_onnx

    sources, samples, files, models = [], [], [], estimators()
    for name, model in models.items():
        features, labels = drawn(name)
        model.fit(features[:160], labels[:160])
        options = {"zipmap": False} if hasattr(model, "predict_proba") else None
        files.append(to_onnx(model, features[:1], options=options).SerializeToString())
        sources.append(compiled(files[-1], name))
        samples.append(features[160:])
    results = in_c(sources, samples, tmp_path)
    for (name, model), source, rows, data, ours in zip(models.items(), sources, samples, files, results, strict=True):
        by_runtime = runtime_outputs(data, rows)
        scores = np.array([outputs[-1][0] for outputs in ours])
        np.testing.assert_allclose(scores, [outputs[-1][0] for outputs in by_runtime], rtol=3e-7, atol=3e-7)
        if hasattr(model, "predict_proba"):
            assert [spec.dtype for spec in source.manifest.outputs] == ["int64", "float32"]
            assert [int(outputs[0][0]) for outputs in ours] == model.predict(rows).tolist(), name
            np.testing.assert_allclose(scores, model.predict_proba(rows), atol=1e-6)
        else:
            expected = model.predict(rows).reshape(len(rows), -1)
            np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_every_comparison_is_that_of_onnx_runtime_at_every_edge(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    aggregates = ("SUM", "AVERAGE", "MIN", "MAX")
    files = [random_trees(rng, EDGES[:-1], aggregates[index % 4], targets=1 + index % 3) for index in range(24)]
    samples = [rng.choice(EDGES, (60, 4)) for _ in files]
    results = in_c([compiled(data, f"net{index}") for index, data in enumerate(files)], samples, tmp_path)
    for data, rows, ours in zip(files, samples, results, strict=True):
        expected = [outputs[0] for outputs in runtime_outputs(data, rows)]
        np.testing.assert_array_equal(np.array([outputs[0] for outputs in ours]), np.array(expected))


def test_keys_are_in_the_order_of_the_numbers() -> None:
    numbers = np.sort(np.random.default_rng(0).integers(0, 2**32, 5000, np.uint32).view(np.float32))
    numbers = np.concatenate([EDGES[:-1], numbers[~np.isnan(numbers)]])
    keys = order_key(numbers)
    # One by one: order and equality.
    first, second = numbers[:100, None], numbers[None, :]
    assert ((first <= second) == (keys[:100, None] <= keys[None, :])).all()
    assert order_key([np.nan, np.inf]).tolist() == [2**31 - 1, 0x7F800000]


def test_texts_as_labels_are_named_and_left_out() -> None:
    source = compiled(stump(classlabels_int64s=None, classlabels_strings=["no", "yes", "both"]))
    assert [spec.name for spec in source.manifest.outputs] == ["scores"]
    assert any("no, yes, both" in note for note in source.manifest.notes)


def test_what_differs_from_the_file_in_words_only_is_followed(tmp_path: Path) -> None:
    data = stump(zip_map=True)
    (ours,) = in_c([compiled(data)], [np.zeros((1, 2), np.float32)], tmp_path)
    expected = runtime_outputs(data, np.zeros((1, 2), np.float32))[0][1][0]
    np.testing.assert_array_equal(ours[0][1][0], np.array(list(expected.values()), np.float32))


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"nodes_truenodeids": [0, 0, 0]}, ModelError, "node 0 is reached twice, by a cycle"),
        ({"nodes_truenodeids": [2, 0, 0]}, ModelError, "1 of 3 nodes are not reached"),
        ({"nodes_truenodeids": [7, 0, 0]}, ModelError, "node 0 has a child that is not there"),
        ({"nodes_truenodeids": [-1, 0, 0]}, ModelError, "node 0 has a child that is not there"),
        ({"nodes_nodeids": [0, 1, 1]}, ModelError, "two nodes of one number"),
        ({"nodes_modes": ["LEAF", "LEAF", "LEAF"]}, ModelError, "2 of 3 nodes are not reached"),
        ({"nodes_featureids": [2, 0, 0]}, ModelError, "looks at feature 2, and the input has 2 of them"),
        ({"nodes_featureids": [-1, 0, 0]}, ModelError, "looks at feature -1"),
        ({"nodes_values": [0.0, 0.0]}, ModelError, "nodes_values has 2 entries, and 3 are needed"),
        ({"nodes_values": [float("nan"), 0.0, 0.0]}, ModelError, "nodes_values has a NaN"),
        ({"nodes_modes": ["BRANCH_EQ", "LEAF", "LEAF"]}, CompileError, "branches by BRANCH_EQ"),
        ({"class_nodeids": [1, 1, 1, 2, 2, 5]}, ModelError, "a weight is of node 5 in tree 0"),
        ({"class_nodeids": [1, 1, 1, 2, 2, 0]}, ModelError, "node 0 is a branch and has a weight"),
        ({"class_ids": [0, 1, 2, 0, 1, 3]}, ModelError, "gives to class 3, and there are 3"),
        ({"class_ids": [0, 1, 2, 0, 1, 1]}, ModelError, "leaf 2 gives twice to one class"),
        ({"class_weights": [0.1, 0.2, 0.7, 0.5, 0.5, float("inf")]}, ModelError, "weight is infinite"),
        ({"class_weights": [0.1, 0.2]}, ModelError, "class_weights has 2 entries, and 6 are needed"),
        ({"base_values": [0.5]}, ModelError, "base_values has 1 entries for 3 sums"),
        ({"post_transform": "PROBIT"}, CompileError, "post_transform is PROBIT"),
        ({"classlabels_int64s": [4, 5]}, CompileError, "two classes have two sums"),
        ({"class_ids": [0, 1, 0, 1], "class_weights": [1.0, -2.0, 1.0, -1.0], "class_nodeids": [1, 1, 2, 2],
          "class_treeids": [0] * 4}, CompileError, "a class has a sum for some samples only"),
        ({"operator": "LinearClassifier", "coefficients": [1.0]}, ModelError, "1 coefficients and 3 intercepts"),
        ({"operator": "LinearClassifier", "coefficients": [float("nan")] * 6}, ModelError, "coefficient that is not"),
        ({"operator": "LinearClassifier", "post_transform": "LOGISTIC"}, CompileError, "3 classes, each by itself"),
        ({"features": 0}, CompileError, r"has the shape \[0, 0\]"),
        ({"dtype": "double"}, CompileError, "'X' of net.onnx is not float32"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_are_told(changes: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        compiled(stump(**changes))


@pytest.mark.slow
def test_a_cycle_and_a_tree_as_deep_as_it_is_large_end(tmp_path: Path) -> None:
    """Nothing recurs: neither the compiler nor the C."""
    depth = 20_000
    branches = list(range(depth))
    modes = ["BRANCH_LEQ"] * depth + ["LEAF"] * (depth + 1)
    tables = {
        "nodes_treeids": [0] * (2 * depth + 1),
        "nodes_nodeids": list(range(2 * depth + 1)),
        "nodes_featureids": [0] * (2 * depth + 1),
        "nodes_modes": modes,
        "nodes_values": [float(-index) for index in branches] + [0.0] * (depth + 1),
        "nodes_truenodeids": [*range(1, depth), 2 * depth] + [0] * (depth + 1),
        "nodes_falsenodeids": [depth + index for index in branches] + [0] * (depth + 1),
        "target_treeids": [0] * (depth + 1),
        "target_nodeids": list(range(depth, 2 * depth + 1)),
        "target_ids": [0] * (depth + 1),
        "target_weights": [float(index) for index in range(depth + 1)],
    }
    data = ensemble_onnx("TreeEnsembleRegressor", tables, 1)
    samples = np.array([[-1e9], [0.5], [-0.5], [-100.5]], np.float32)
    (ours,) = in_c([compiled(data)], [samples], tmp_path)
    assert [float(outputs[0][0, 0]) for outputs in ours] == [depth, 0.0, 1.0, 101.0]


def test_networks_in_onnx_are_told_the_way_by_tflite(tmp_path: Path) -> None:
    path = torch_like_onnx(tmp_path / "net.onnx")
    with pytest.raises(CompileError, match=r"not supported in C: operator 0 \(Conv\)") as caught:
        compiled(path.read_bytes())
    assert "Networks become C as TFLite" in (caught.value.hint or "")


@pytest.mark.slow
def test_boards_and_this_machine_predict_the_same(tmp_path: Path) -> None:
    from skl2onnx import to_onnx

    features, labels = drawn("forest")
    labels = labels - 4
    model = estimators()["forest"].fit(features[:160], labels[:160])
    (tmp_path / "net.onnx").write_bytes(to_onnx(model, features[:1], options={"zipmap": False}).SerializeToString())
    np.savez(
        tmp_path / "data.npz", x_train=features[:160], y_train=labels[:160], x_test=features[160:], y_test=labels[160:]
    )
    result = edgerig.run(
        {
            "dataset": {"use": "npz", "file": str(tmp_path / "data.npz")},
            "model": {"file": str(tmp_path / "net.onnx"), "output": "probabilities"},
            "matrix": [{"runtimes": ["micro"], "targets": ["local", "sim:stm32f746"]}],
            "measure": {"rounds": 1, "samples": 20},
        },
        out=tmp_path / "out",
    )
    agreements = [cell.agreement for cell in result.cells]
    assert len(agreements) == 2
    for agreement in agreements:
        assert agreement.same_class == 1
        assert agreement.max_abs_error < 1e-6


def test_leaves_that_are_equal_share_their_weights() -> None:
    source = compiled(stump(class_weights=[0.2, 0.3, 0.5] * 2))
    (layer,) = source.manifest.layers
    # Three nodes of two words, three sums, one root, labels of 8 bytes; and the weights with their classes once.
    assert layer.constant_bytes == 3 * 8 + 3 * 4 + 4 + 3 * 8 + 3 * (4 + 1)
