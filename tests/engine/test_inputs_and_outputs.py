"""Networks of other layouts, batches, outputs and shapes than the usual ones: every number is of what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import edgerig
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.engine.references.choice import compared_output
from edgerig.engine.rounds.journal import Journal
from edgerig.errors import EdgerigError, IncompatibleError, UnknownNameError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.models.declared import declare
from edgerig.models.files import open_artifact
from edgerig.plugins import make
from edgerig.results.bundle import Bundle
from edgerig.results.remarks import remarks
from edgerig.results.types import RunResult
from edgerig.tasks.judgement import Agreement
from edgerig.testing.networks import channel_means_tflite, dense_tflite, dense_weights, two_output_tflite
from edgerig.testing.networks.onnx_networks import Axes, colour_images, torch_like_onnx, tree_onnx

SIZE = (5, 7)
NOTHING = Preprocessing()
QUICK = {"samples": None, "warmup": 1, "rounds": 1, "seconds": 0, "profile_samples": 2, "transport_samples": 2}


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 coloured images of 5 by 7 pixels, and what class they are."""
    return npz(tmp_path_factory.mktemp("colours") / "colours.npz", *colour_images(30, SIZE))


def npz(path: Path, x: Any, y: Any) -> Path:
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    return path


def run(model: dict[str, Any], data: Path | dict[str, Any], out: Path, runtime: str = "onnxruntime") -> RunResult:
    dataset = {"use": "npz", "file": str(data)} if isinstance(data, Path) else data
    matrix = [{"runtimes": [runtime]}]
    return edgerig.run({"name": "t", "model": model, "dataset": dataset, "matrix": matrix, "measure": QUICK}, out=out)


def accuracy(result: RunResult) -> float:
    (cell,) = result.cells
    return cell.quality.metrics[0].value


@pytest.mark.slow
@pytest.mark.parametrize("said", [{}, {"layout": "nchw"}])
def test_channels_first_gets_its_images_turned(said: dict[str, Any], colours: Path, tmp_path: Path) -> None:
    result = run({"file": str(torch_like_onnx(tmp_path / "net.onnx")), **said}, colours, tmp_path / "out")
    (cell,) = result.cells
    assert accuracy(result) == 1.0
    assert cell.artifact.inputs[0].layout == "nchw"
    assert cell.agreement.same_class == 1.0  # type: ignore[union-attr]
    assert any("nchw" in text for text in remarks(result.cells))


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["litert", "tflm"])
def test_channels_first_tflite_gets_its_images_turned_too(runtime: str, colours: Path, tmp_path: Path) -> None:
    result = run({"file": str(channel_means_tflite(tmp_path / "net.tflite"))}, colours, tmp_path / "out", runtime)
    assert accuracy(result) == 1.0
    assert result.cells[0].artifact.inputs[0].layout == "nchw"


@pytest.mark.slow
@pytest.mark.parametrize("axes", [(1, 3, 5, 7), ("batch_size", 3, 5, 7), (4, 3, 5, 7)])
@pytest.mark.parametrize(("opset", "ir"), [(9, 4), (11, 6), (13, 7), (17, 8), (21, 10)])
def test_quantized_exports_of_pytorch_are_calibrated_in_their_layout(
    axes: Axes, opset: int, ir: int, colours: Path, tmp_path: Path
) -> None:
    """In the wrong layout the brightest channel could not be told: calibration, reference and cells are all turned."""
    net = torch_like_onnx(tmp_path / "net.onnx", axes, opset, ir)
    matrix = [{"compilers": ["onnx-int8"], "runtimes": ["onnxruntime"]}]
    rig = {"name": "t", "model": {"file": str(net)}, "dataset": {"use": "npz", "file": str(colours)}}
    (cell,) = edgerig.run({**rig, "matrix": matrix, "measure": QUICK}, out=tmp_path / "out").cells
    assert cell.artifact.scheme == "int8"
    assert cell.artifact.inputs[0].layout == "nchw"
    assert cell.quality.metrics[0].value == 1.0
    assert cell.agreement.same_class == 1.0  # type: ignore[union-attr]
    assert cell.agreement.max_abs_error < 0.02  # type: ignore[union-attr]
    assert cell.batch == (4 if axes[0] == 4 else 1)


@pytest.mark.slow
def test_a_layout_that_the_shape_does_not_tell_is_asked_for(tmp_path: Path) -> None:
    data = npz(tmp_path / "square.npz", *colour_images(30, (3, 3)))
    net = torch_like_onnx(tmp_path / "net.onnx", (1, 3, 3, 3))
    with pytest.raises(IncompatibleError, match="both channels last and channels first"):
        run({"file": str(net)}, data, tmp_path / "out")
    first = run({"file": str(net), "layout": "nchw"}, data, tmp_path / "first")
    last = run({"file": str(net), "layout": "nhwc"}, data, tmp_path / "last")
    assert accuracy(first) == 1.0
    assert accuracy(last) < 0.8, "the stages of one layout must not serve the other"
    again = run({"file": str(net), "layout": "nchw"}, data, tmp_path / "again")
    assert accuracy(again) == 1.0
    assert again.cells[0].agreement.same_class == 1.0  # type: ignore[union-attr]


@pytest.mark.parametrize("batch", [4, 7])
def test_a_fixed_batch_runs_whole_batches_and_judges_every_sample_once(
    batch: int, colours: Path, tmp_path: Path
) -> None:
    net = torch_like_onnx(tmp_path / "net.onnx", (batch, 3, *SIZE))
    result = run({"file": str(net)}, colours, tmp_path / "out")
    (cell,) = result.cells
    assert (cell.batch, cell.quality.samples, accuracy(result)) == (batch, 30, 1.0)
    arrays = Bundle(tmp_path / "out").samples(cell.id)
    assert len(arrays["scores"]) == 30
    assert len(arrays["times_ns"]) == -(-30 // batch), "one time an inference, and no more inferences than it takes"
    steady, each = cell.latency.steady, cell.latency.per_sample
    assert isinstance(steady, Measurement)
    assert isinstance(each, Measurement)
    assert each.value == pytest.approx(steady.value / batch)
    assert isinstance(cell.latency.throughput, Measurement)
    assert cell.latency.throughput.value == pytest.approx(batch / steady.value)
    assert f"batch of {batch} samples" in " ".join(remarks(result.cells))
    assert f"{batch} samples" in steady.method
    assert cell.agreement.same_class == 1.0  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_batch_gives_the_scores_of_single_samples(colours: Path, tmp_path: Path) -> None:
    scores = []
    for batch in (1, 4):
        net = torch_like_onnx(tmp_path / f"net{batch}.onnx", (batch, 3, *SIZE))
        result = run({"file": str(net)}, colours, tmp_path / f"out{batch}")
        scores.append(Bundle(tmp_path / f"out{batch}").samples(result.cells[0].id)["scores"])
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["litert", "tflm"])
def test_a_batch_of_a_tflite_network(runtime: str, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(61, 8)).astype(np.float32)
    weights, bias = dense_weights(8, 4)
    data = npz(tmp_path / "d.npz", x, (x @ weights.T + bias).argmax(1))
    net = dense_tflite(tmp_path / "net.tflite", batch=3)
    result = run({"file": str(net)}, data, tmp_path / "out", runtime)
    assert (result.cells[0].batch, accuracy(result), result.cells[0].quality.samples) == (3, 1.0, 61)


def test_a_batch_without_an_axis_for_it_is_refused(tmp_path: Path) -> None:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [8]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "net", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "n.onnx")
    with pytest.raises(IncompatibleError, match="no axis for the samples"):
        run({"file": str(tmp_path / "n.onnx")}, {"use": "random", "shape": [8], "samples": 4}, tmp_path / "out")


@pytest.mark.slow
def test_the_judged_output_is_the_one_that_is_named(tmp_path: Path) -> None:
    net = two_output_tflite(tmp_path / "net.tflite", sizes=(4, 3))
    x = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    for place, (name, other, classes) in enumerate((("a", "b", 4), ("b", "a", 3))):
        weights, bias = dense_weights(8, classes, place)
        best = (x @ weights.T + bias).argmax(1)
        best[:classes] = np.arange(classes)  # every class must be there
        data = npz(tmp_path / f"{name}.npz", x, best)
        result = run({"file": str(net), "output": name}, data, tmp_path / name, "litert")
        right = (best == (x @ weights.T + bias).argmax(1)).mean()
        assert accuracy(result) == pytest.approx(right)
        assert (result.cells[0].quality.output, result.cells[0].quality.others) == (name, (other,))
        assert f"output {name!r} alone" in remarks(result.cells)[0]
    with pytest.raises(IncompatibleError, match="'a', which is judged, gives 4 values") as caught:
        run({"file": str(net), "output": "a"}, tmp_path / "b.npz", tmp_path / "out", "litert")
    assert "--output b" in str(caught.value)
    both = two_output_tflite(tmp_path / "both.tflite", sizes=(3, 3))
    with pytest.raises(IncompatibleError, match=r"has 2 outputs \(a, b\), and task 'classification' judges") as caught:
        run({"file": str(both)}, tmp_path / "b.npz", tmp_path / "out", "litert")
    assert "--output a" in str(caught.value)
    assert "a, b would fit" in str(caught.value)
    assert not (tmp_path / "out").exists()
    with pytest.raises(UnknownNameError, match="bb"):
        run({"file": str(net), "output": "bb"}, tmp_path / "b.npz", tmp_path / "out", "litert")


@pytest.mark.slow
def test_a_named_output_of_a_reference_is_the_same_output(tmp_path: Path) -> None:
    """The second of three models with outputs in another order is compared by the output's name."""
    net = two_output_tflite(tmp_path / "net.tflite", sizes=(4, 4))
    data = {"use": "random", "shape": [8], "samples": 12}
    model = {"file": str(net), "output": "b", "reference": str(two_output_tflite(tmp_path / "r.tflite", sizes=(4, 4)))}
    (cell,) = run(model, data, tmp_path / "out", "litert").cells
    assert cell.agreement.max_abs_error == 0.0  # type: ignore[union-attr]


@pytest.mark.slow
def test_an_output_of_a_reference_is_told_by_its_name_and_not_by_its_place(tmp_path: Path) -> None:
    """The reference has ``b`` first, with the weights that the network's own ``b`` has."""
    net = two_output_tflite(tmp_path / "net.tflite", sizes=(4, 4))
    other = two_output_tflite(tmp_path / "other.tflite", sizes=(4, 4), seed=1, names=("b", "a"))
    data = {"use": "random", "shape": [8], "samples": 12}
    (cell,) = run({"file": str(net), "output": "b", "reference": str(other)}, data, tmp_path / "b", "litert").cells
    assert cell.agreement.max_abs_error == 0.0  # type: ignore[union-attr]
    (cell,) = run({"file": str(net), "reference": str(other)}, data, tmp_path / "all", "litert").cells
    assert isinstance(cell.agreement, Unavailable)
    assert "outputs in another order (b, a) than net (a, b)" in cell.agreement.reason


@pytest.mark.parametrize(
    ("names", "sizes", "position", "words"),
    [
        (("a", "b"), (4, 4), 1, ""),
        (("b", "a"), (4, 4), 0, ""),
        (("x", "y"), (4, 3), 0, "the only output of its size"),
        (("x", "y"), (4, 4), None, "none is called 'b'"),
    ],
)
def test_which_output_of_a_reference_is_compared(
    names: tuple[str, str], sizes: tuple[int, int], position: int | None, words: str, tmp_path: Path
) -> None:
    own = declare(open_artifact(two_output_tflite(tmp_path / "net.tflite", sizes=(4, 4))), None, output="b")
    compared = compared_output(own, open_artifact(two_output_tflite(tmp_path / "r.tflite", sizes=sizes, names=names)))
    if isinstance(compared, Unavailable):
        assert position is None
        assert words in compared.reason
    else:
        assert compared.position == position
        assert words in compared.note


@pytest.mark.slow
def test_all_outputs_are_kept_and_compared_where_nothing_is_judged(tmp_path: Path) -> None:
    net = two_output_tflite(tmp_path / "net.tflite", sizes=(4, 3))
    other = two_output_tflite(tmp_path / "other.tflite", sizes=(4, 3), seed=12)
    data = {"use": "random", "shape": [8], "samples": 40}
    (cell,) = run({"file": str(net), "reference": str(other)}, data, tmp_path / "out", "litert").cells
    scores = Bundle(tmp_path / "out").samples(cell.id)["scores"]
    samples = make("dataset", "random", Dataset, {"shape": [8], "samples": 40}).split("test")
    x = samples.inputs(slice(0, 40), NOTHING)
    ours, theirs = (
        np.concatenate(
            [x @ weights.T + bias for weights, bias in (dense_weights(8, 4, s), dense_weights(8, 3, s + 1))], 1
        )
        for s in (0, 12)
    )
    np.testing.assert_allclose(scores, ours, atol=1e-5)
    agreement = cell.agreement
    assert isinstance(agreement, Agreement)
    assert agreement.max_abs_error == pytest.approx(np.abs(ours - theirs).max(), rel=1e-4)
    assert agreement.same_class == pytest.approx((ours.argmax(1) == theirs.argmax(1)).mean())
    assert cell.quality.output is None
    (cell,) = run({"file": str(net), "output": "b"}, data, tmp_path / "b", "litert").cells
    np.testing.assert_allclose(Bundle(tmp_path / "b").samples(cell.id)["scores"], ours[:, 4:], atol=1e-5)
    assert (cell.quality.output, cell.quality.others) == ("b", ("a",))


@pytest.mark.slow
def test_a_tree_of_scikit_learn_is_judged_by_its_probabilities(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((30, 4), np.float32)
    y = np.where(x[:, 0] <= 0.5, 0, 2)
    y[:1] = 1  # every class must be there
    data = npz(tmp_path / "d.npz", x, y)
    net = tree_onnx(tmp_path / "tree.onnx", zipmap=False)
    with pytest.raises(IncompatibleError, match=r"'output_label', which is judged, gives a label \(int64\)") as caught:
        run({"file": str(net), "output": "output_label"}, data, tmp_path / "out")
    assert "--output probabilities" in str(caught.value)
    # Of its outputs one alone can be judged, so that nobody needs to name it; it is told.
    result = run({"file": str(net)}, data, tmp_path / "out")
    assert accuracy(result) == pytest.approx(29 / 30)
    (cell,) = result.cells
    assert (cell.quality.output, cell.quality.others) == ("probabilities", ("output_label",))
    assert any(
        "the only one that fits task 'classification' is judged: probabilities" in text for text in result.warnings
    )


@pytest.mark.slow
def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    net = tree_onnx(tmp_path / "tree.onnx", zipmap=True)
    x = np.random.default_rng(0).random((6, 4), np.float32)
    with pytest.raises(IncompatibleError) as caught:
        run({"file": str(net)}, npz(tmp_path / "d.npz", x, np.arange(6) % 3), tmp_path / "out")
    assert "zipmap=False" in str(caught.value)
    with pytest.raises(IncompatibleError, match=r"output_probability.*seq\(map\(int64,tensor\(float\)\)\)"):
        run({"file": str(net), "output": "output_probability"}, tmp_path / "d.npz", tmp_path / "out")
    result = run({"file": str(net)}, {"use": "random", "shape": [4], "samples": 4}, tmp_path / "out")
    (cell,) = result.cells
    assert cell.artifact.left_out == ("output_probability: seq(map(int64,tensor(float)))",)
    assert "output_probability" in " ".join(remarks(result.cells))


@pytest.mark.slow
def test_free_axes_need_a_shape_and_take_it(colours: Path, tmp_path: Path) -> None:
    net = torch_like_onnx(tmp_path / "net.onnx", ("N", 3, "height", "width"))
    with pytest.raises(IncompatibleError, match=r"axes 2 and 3 of the input 'input\.1'"):
        run({"file": str(net)}, colours, tmp_path / "out")
    for batch in (1, 4):
        model = {"file": str(net), "shapes": {"input.1": [batch, 3, *SIZE]}}
        result = run(model, colours, tmp_path / f"out{batch}")
        assert (accuracy(result), result.cells[0].batch) == (1.0, batch)
        assert result.cells[0].artifact.outputs[0].shape == (batch, 3)
        assert result.cells[0].artifact.origins[-1].tool == "fixed shapes"
    with pytest.raises(IncompatibleError, match=r"\[1, 4, 5, 7\] does not fit.*\[N, 3, height, width\]"):
        run({"file": str(net), "shapes": {"input.1": [1, 4, *SIZE]}}, colours, tmp_path / "out")
    with pytest.raises(UnknownNameError, match="other"):
        run({"file": str(net), "shapes": {"other": [1, 3, *SIZE]}}, colours, tmp_path / "out")


@pytest.mark.slow
def test_a_judged_output_whose_shape_only_the_engine_knows(tmp_path: Path) -> None:
    """Compress takes the columns that a constant tells; how many, shape inference does not know."""
    from onnx import numpy_helper

    flags = numpy_helper.from_array(np.array([True, False, True, True]), "flags")
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])]
    outs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, "k"])]
    graph = helper.make_graph([helper.make_node("Compress", ["x", "flags"], ["y"], axis=1)], "net", ends, outs, [flags])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "n.onnx")
    x = np.random.default_rng(0).random((12, 4), np.float32)
    data = npz(tmp_path / "d.npz", x, x[:, [0, 2, 3]].argmax(1))
    result = run({"file": str(tmp_path / "n.onnx")}, data, tmp_path / "out")
    assert accuracy(result) == 1.0
    assert result.cells[0].artifact.outputs[0].shape == (1, -1)
    wrong = npz(tmp_path / "w.npz", x, np.arange(12) % 4)
    with pytest.raises(EdgerigError, match="3 values a sample"):
        run({"file": str(tmp_path / "n.onnx")}, wrong, tmp_path / "wrong")


def test_a_journal_of_batches_goes_on_after_whole_inferences(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", "key", batch=4)
    for samples, inferences in ((8, 2), (4, 1), (3, 1)):
        scores, fit = np.zeros((samples, 2), np.float32), np.zeros((samples, 0))
        finite = np.ones(len(scores), np.uint8)
        journal.append(scores=scores, times_ns=np.ones(inferences, np.int64), fit=fit, finite=finite)
    again = Journal(tmp_path / "j", "key", batch=4)
    again.load()
    assert again.samples == 15
    assert len(again.joined("times_ns")) == 4
    other = Journal(tmp_path / "j", "key", batch=1)
    other.load()
    assert other.samples == 0, "two times do not belong to eight samples one by one"


@pytest.mark.slow
def test_a_rig_may_judge_nothing(tmp_path: Path) -> None:
    """With another number of outputs than the dataset has classes."""
    rng = np.random.default_rng(0)
    data = npz(tmp_path / "data.npz", rng.random((30, 8), np.float32), np.arange(30) % 3)
    dataset = {"use": "npz", "file": str(data)}
    rig = {"model": {"file": str(dense_tflite(tmp_path / "n.tflite", 8, 7))}, "dataset": dataset, "measure": QUICK}
    with pytest.raises(EdgerigError, match="7 values a sample, dataset 'npz' has 3 classes"):
        edgerig.run(rig, out=tmp_path / "judged")
    (cell,) = edgerig.run(rig | {"task": "none"}, out=tmp_path / "out").cells
    assert cell.quality.metrics == ()
    assert Bundle(tmp_path / "out").samples(cell.id)["scores"].shape == (30, 7)
    (again,) = edgerig.run(tmp_path / "out" / "rig.yaml", out=tmp_path / "again").cells
    assert again.quality.metrics == ()
