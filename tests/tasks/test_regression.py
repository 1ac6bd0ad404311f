"""Regression: real values judged, compared with the float model's, and what is not defined."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.later import Later

import edgerig
from edgerig.artifact import TensorSpec
from edgerig.datasets.friedman import Friedman
from edgerig.datasets.samples import ArraySamples
from edgerig.errors import DatasetError, IncompatibleError
from edgerig.measure.kinds import Unavailable
from edgerig.plugins import make
from edgerig.results.bundle import Bundle
from edgerig.results.types import RunResult
from edgerig.tasks.base import Array, Reference
from edgerig.tasks.judgement import Agreement
from edgerig.tasks.regression import Regression
from edgerig.tasks.samples import TargetVariable
from edgerig.testing.contracts.task import TaskContract
from edgerig.testing.networks import linear_tflite
from edgerig.views import Curve, Table

sk = Later("sklearn.metrics")

COUNT = 40
SIZE = (TargetVariable("length", "m"), TargetVariable("age", "years"))
QUICK = {"samples": None, "warmup": 1, "rounds": 1, "seconds": 0, "profile_samples": 2, "transport_samples": 2}


class TestRegression(TaskContract):
    @pytest.fixture
    def task(self) -> Regression:
        return Regression(targets=SIZE, dataset="people")

    @pytest.fixture
    def specs(self) -> list[TensorSpec]:
        return [TensorSpec(name="y", shape=(1, 2), dtype="float32")]

    @pytest.fixture
    def samples(self) -> ArraySamples:
        rng = np.random.default_rng(0)
        return ArraySamples(rng.random((COUNT, 3), np.float32), None, rng.normal(size=(COUNT, 2)))

    @pytest.fixture
    def outputs(self, samples: ArraySamples) -> list[Array]:
        assert samples.targets is not None
        noise = np.random.default_rng(1).normal(0, 0.3, (COUNT, 2))
        return [(samples.targets + noise).astype(np.float32)]

    @pytest.mark.parametrize("shape", [(1, 3), (1, 1), (1, 2, 2)])
    def test_another_number_of_values_is_refused(self, task: Regression, shape: tuple[int, ...]) -> None:
        with pytest.raises(IncompatibleError, match=r"'people' has 2 targets \(length, age\)"):
            task.check([TensorSpec(name="y", shape=shape, dtype="float32")], 0, 1)

    def test_an_output_that_would_fit_is_named(self, task: Regression) -> None:
        outputs = [TensorSpec("a", (1, 3), "float32"), TensorSpec("b", (1, 2), "float32")]
        with pytest.raises(IncompatibleError) as caught:
            task.check(outputs, 0, 1)
        assert "--output b" in caught.value.hint

    def test_targets_of_different_units_have_no_mean(
        self, task: Regression, samples: ArraySamples, outputs: Any
    ) -> None:
        quality = judged(task, samples, outputs[0])
        assert [metric.name for metric in quality.metrics] == ["r2"]
        assert any("different units" in text for text in quality.warnings)
        table, *curves = quality.views
        assert isinstance(table, Table)
        assert [row[:2] for row in table.rows] == [("length", "m"), ("age", "years")]
        assert samples.targets is not None
        for i, row in enumerate(table.rows):
            assert row[2] == pytest.approx(sk.mean_absolute_error(samples.targets[:, i], outputs[0][:, i]), rel=1e-9)
        assert [curve.x.unit for curve in curves if isinstance(curve, Curve)] == ["m", "years"]
        same = task.compare(kept(task, samples, outputs[0]), Reference("float", outputs[0]), samples, 0)
        assert isinstance(same, Agreement)
        assert same.max_abs_error is None


def kept(task: Regression, samples: ArraySamples, values: Array) -> dict[str, Array]:
    return task.keep(task.decode([values], 0), samples.truth(slice(None), None), None)  # type: ignore[arg-type]


def judged(task: Regression, samples: ArraySamples, values: Array) -> Any:
    return task.judge(kept(task, samples, values), samples)


def people(targets: Array) -> ArraySamples:
    return ArraySamples(np.random.default_rng(0).random((len(targets), 3), np.float32), None, targets)


def test_samples_without_a_target_are_not_judged() -> None:
    targets = np.array([[1.0], [2.0], [np.nan], [4.0]])
    values = np.array([[1.0], [3.0], [100.0], [4.0]], np.float32)
    quality = judged(Regression(targets=(TargetVariable("age", "years"),)), people(targets), values)
    assert quality.samples == 3
    assert quality.metrics[0].name == "mae"
    assert quality.metrics[0].value == pytest.approx(1 / 3)
    assert quality.metrics[0].text == "0.333 years"
    assert any("1 of 4 samples have no target" in text for text in quality.warnings)


def test_without_any_target_nothing_is_judged_and_it_is_said() -> None:
    quality = judged(Regression(), people(np.full((3, 1), np.nan)), np.arange(3, dtype=np.float32)[:, None])
    assert quality.metrics == ()
    assert quality.samples == 0
    assert any("nothing is judged" in text for text in quality.warnings)


def test_r2_of_a_constant_target_is_left_out_and_said() -> None:
    quality = judged(Regression(), people(np.full((5, 1), 0.1)), np.arange(5, dtype=np.float32)[:, None])
    assert [metric.name for metric in quality.metrics] == ["mae", "rmse"]
    assert any("R2 of target is not defined" in text for text in quality.warnings)


def test_a_network_no_better_than_the_mean_is_told() -> None:
    targets = np.arange(10.0)[:, None]
    quality = judged(Regression(), people(targets), targets[::-1].astype(np.float32))
    assert any("no better than its mean" in text for text in quality.warnings)


def test_likeness_is_within_the_tolerance() -> None:
    reference = np.arange(100, dtype=np.float32)[:, None]
    values = reference.copy()
    values[:10] += 0.4
    samples = people(np.zeros((100, 1)))
    limit = 0.4 / reference.std()
    for tolerance, share in ((limit * 0.99, 0.9), (limit * 1.01, 1.0)):
        task = make("task", "regression", Regression, {"tolerance": float(tolerance)})
        agreement = task.compare(kept(task, samples, values), Reference("float", reference), samples, 0)
        assert isinstance(agreement, Agreement)
        assert agreement.same_class == pytest.approx(share)
        assert agreement.max_abs_error == pytest.approx(0.4, rel=1e-4)
        assert agreement.mean_abs_error == pytest.approx(0.04, rel=1e-4)
        assert "standard deviations" in agreement.alike


def test_a_comparison_that_proves_nothing_is_not_made() -> None:
    task, samples = Regression(), people(np.zeros((5, 1)))
    constant, other = np.ones((5, 1), np.float32), np.arange(5, dtype=np.float32)[:, None]
    for values, reference in ((constant, other), (other, constant), (other, np.full_like(other, np.nan))):
        assert isinstance(task.compare(kept(task, samples, values), Reference("f", reference), samples, 0), Unavailable)


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The least squares fit to `friedman`, as a TFLite network of one layer."""
    return fitted(tmp_path_factory.mktemp("linear") / "linear.tflite", make("dataset", "friedman", Friedman))


def fitted(path: Path, dataset: Friedman) -> Path:
    train = dataset.split("train")
    x = train.inputs(slice(None), dataset.preprocessing)
    weights, *_ = np.linalg.lstsq(
        np.c_[x, np.ones(len(x))], train.truth(slice(None), dataset.preprocessing), rcond=None
    )
    return linear_tflite(path, np.ascontiguousarray(weights[:-1].T, np.float32), weights[-1].astype(np.float32))


def run(model: Path, out: Path, **rig: Any) -> RunResult:
    matrix = [{"runtimes": ["litert"]}]
    document = {"name": "t", "model": {"file": str(model)}, "dataset": "friedman", "matrix": matrix, "measure": QUICK}
    return edgerig.run({**document, **rig}, out=out)


@pytest.mark.slow
def test_a_regression_goes_through_the_device(linear: Path, tmp_path: Path) -> None:
    (cell,) = run(linear, tmp_path / "out").cells
    named = {metric.name: metric for metric in cell.quality.metrics}
    dataset = make("dataset", "friedman", Friedman)
    test = dataset.split("test")
    arrays = Bundle(tmp_path / "out").samples(cell.id)
    right = test.truth(slice(None), dataset.preprocessing)
    np.testing.assert_array_equal(arrays["kept_targets"], right)
    assert named["mae"].value == pytest.approx(sk.mean_absolute_error(right, arrays["kept_values"]), rel=1e-9)
    # Friedman's function is linear to about three quarters.
    assert 0.65 < named["r2"].value < 0.85
    assert named["mae"].low is not None
    assert isinstance(cell.agreement, Agreement)
    assert cell.agreement.same_class == 1.0


@pytest.mark.slow
def test_a_regression_is_trained_quantized_and_measured(tmp_path: Path) -> None:
    """Figures are those of scikit-learn on the values that were kept; int8 costs little, and more than nothing."""
    model = {"use": "mlp", "widths": [32, 32], "train": {"epochs": 15}}
    matrix = [
        {"compilers": ["float32", "int8"], "runtimes": ["litert"]},
        {"compilers": ["int8"], "runtimes": ["micro"]},
    ]
    cells = edgerig.run(
        {"name": "t", "model": model, "dataset": "friedman", "matrix": matrix, "measure": QUICK}, out=tmp_path / "out"
    ).cells
    figures = {}
    for cell in cells:
        arrays = Bundle(tmp_path / "out").samples(cell.id)
        right, values = arrays["kept_targets"], arrays["kept_values"].astype(np.float64)
        assert len(right) == 1000
        named = {metric.name: metric for metric in cell.quality.metrics}
        wanted = {
            "mae": sk.mean_absolute_error(right, values),
            "rmse": sk.root_mean_squared_error(right, values),
            "r2": sk.r2_score(right, values),
        }
        assert {name: metric.value for name, metric in named.items()} == pytest.approx(wanted, abs=1e-9)
        for metric in named.values():
            assert metric.low is not None
            assert metric.high is not None
            assert metric.low < metric.value < metric.high
        figures[cell.id] = wanted
    exact, int8, micro = (figures[f"{name}-local"] for name in ("float32-litert", "int8-litert", "int8-micro"))
    # Noise of standard deviation 1 alone leaves an RMSE of 1 and an R2 of 0.96.
    assert 1.0 < exact["rmse"] < 1.6
    assert exact["r2"] > 0.9
    assert exact["rmse"] != int8["rmse"]
    assert int8["rmse"] == pytest.approx(exact["rmse"], rel=0.05)
    assert micro["rmse"] == pytest.approx(int8["rmse"], rel=0.01)


def test_a_network_of_another_number_of_values_never_reaches_the_device(tmp_path: Path) -> None:
    wide = linear_tflite(tmp_path / "wide.tflite", np.ones((3, 10), np.float32), np.zeros(3, np.float32))
    with pytest.raises(IncompatibleError, match="gives 3 values a sample, dataset 'friedman' has 1 target"):
        run(wide, tmp_path / "out")


def npz(path: Path, **arrays: Any) -> dict[str, str]:
    np.savez(path, **arrays)
    return {"file": str(path)}


def regression_of(options: dict[str, Any]) -> Any:
    from edgerig.datasets.npz import Npz

    dataset = make("dataset", "npz", Npz, options)
    dataset.task = "regression"
    return dataset


@pytest.mark.slow
def test_an_npz_file_holds_real_targets(tmp_path: Path, linear: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((50, 10), np.float32), rng.normal(size=50)
    options = {
        **npz(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y),
        "units": ["m"],
        "targets": ["height"],
    }
    dataset = regression_of(options)
    assert dataset.targets == (TargetVariable("height", "m"),)
    np.testing.assert_array_equal(dataset.split("test").truth(slice(None), dataset.preprocessing), y[:, None])
    assert dataset.classes == ()
    (cell,) = run(linear, tmp_path / "out", dataset={"use": "npz", **options}, task="regression").cells
    assert [metric.unit for metric in cell.quality.metrics] == ["m", "m", "1"]


def test_splits_of_an_npz_file_keep_samples_and_targets_together(tmp_path: Path) -> None:
    x = np.arange(100, dtype=np.float32)[:, None]
    dataset = regression_of(npz(tmp_path / "d.npz", x=x, y=x[:, 0]))
    sizes = []
    for name in ("train", "validation", "test"):
        samples = dataset.split(name)
        np.testing.assert_array_equal(samples.truth(slice(None), dataset.preprocessing), samples.array)
        sizes.append(len(samples))
    assert sizes == [72, 8, 20]
    assert (
        dataset.split("test").fingerprint
        != regression_of(npz(tmp_path / "e.npz", x=x, y=x[:, 0] + 1)).split("test").fingerprint
    )


X = np.ones((6, 2), np.float32)


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (np.full(6, np.nan), {}, "no sample with all of its targets"),
        (np.array([1, 2, 3, np.inf, 5, 6]), {}, r"infinite for 1 of 6 samples \(the first is sample 3\)"),
        (np.ones(5), {}, "6 samples, and .*y_train has 5 rows"),
        (np.ones((6, 2, 2)), {}, r"float64 of shape \[6, 2, 2\]"),
        (np.array(list("abcdef")), {}, "must be numbers"),
        (np.ones(6, complex), {}, "must be numbers"),
        (np.ones((6, 2)), {"targets": ["a"]}, "has 2 targets, and the names a were given"),
        (np.ones((6, 2)), {"targets": ["a", "a"]}, "has 2 targets, and the names a, a"),
        (np.ones((6, 3)), {"units": ["m", "s"]}, "3 targets, and 2 units"),
    ],
)
def test_targets_that_are_none_are_refused(y: Array, options: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = npz(tmp_path / "d.npz", x_train=X, y_train=y, x_test=X, y_test=y)
    with pytest.raises(DatasetError, match=message):
        regression_of({**file, **options}).prepare()


def test_real_labels_name_the_task_that_reads_them(tmp_path: Path) -> None:
    from edgerig.datasets.npz import Npz

    file = npz(tmp_path / "d.npz", x_train=X, y_train=np.ones(6), x_test=X, y_test=np.ones(6))
    with pytest.raises(DatasetError, match="must be integers") as caught:
        make("dataset", "npz", Npz, file).prepare()
    assert "--task regression" in caught.value.hint
