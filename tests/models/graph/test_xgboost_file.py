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


def test_categories_that_become_too_many_branches_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is the whole file's: none of its trees alone has so many."""
    data = (MODELS / "categories.ubj").read_bytes()
    monkeypatch.setattr("edgerig.models.graph.xgboost_file.MOST_ADDED", 1000)
    with pytest.raises(ModelError, match="more than 1,000 branches by numbers"):
        onnx_of_xgboost.__wrapped__(data, "net.ubj")
    monkeypatch.setattr("edgerig.models.graph.xgboost_file.MOST_ADDED", 100_000)
    onnx_of_xgboost.__wrapped__(data, "net.ubj")


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
