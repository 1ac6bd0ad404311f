"""A network of class maps from a rig file to the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgerig import api
from edgerig.errors import IncompatibleError

HEIGHT, WIDTH, COUNT = 12, 10, 24


def _network(path: Path, stride: int = 1) -> Path:
    """Scores of two classes a pixel, (1, 2, H, W): bright is class 1."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.array([-8.0, 8.0], np.float32).reshape(2, 1, 1, 1)
    bias = np.array([4.0, -4.0], np.float32)
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], kernel_shape=[1, 1], strides=[stride, stride])
    graph = helper.make_graph(
        [node],
        "bright",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, HEIGHT, WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, HEIGHT // stride, WIDTH // stride])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (COUNT, HEIGHT, WIDTH)).astype(np.uint8)
    masks = (images > 127).astype(np.uint8)
    masks[:, :2] = 255
    flipped = rng.random(masks.shape) < 0.1
    masks[flipped] = np.where(masks[flipped] == 255, 255, 1 - masks[flipped])
    np.savez(tmp_path / "d.npz", x_train=images, y_train=masks, x_test=images, y_test=masks)
    _network(tmp_path / "net.onnx")
    text = "\n".join(
        (
            "name: bright",
            "model: {file: net.onnx, layout: nchw}",
            "dataset: {use: npz, file: d.npz, classes: [dark, bright]}",
            "measure: {rounds: 2, seconds: 0, warmup: 1}",
        )
    )
    (tmp_path / "rig.yaml").write_text(text + "\n")
    return tmp_path / "rig.yaml"


@pytest.mark.slow
def test_its_quality_is_that_of_a_plain_loop(rig: Path) -> None:
    out = rig.parent / "out"
    result = api.run(rig, out=out)
    with np.load(rig.parent / "d.npz") as arrays:
        images, masks = arrays["x_test"], arrays["y_test"]
    known, answers = masks != 255, images > 127
    overlaps = [
        ((masks == label) & (answers == label)).sum() / (known & ((masks == label) | (answers == label))).sum()
        for label in (0, 1)
    ]
    cell = result.cells[0]
    values = {metric.name: metric for metric in cell.quality.metrics}
    assert values["mean_iou"].value == pytest.approx(np.mean(overlaps), abs=1e-9)
    assert values["similarity_foreground"].value == pytest.approx(overlaps[1], abs=1e-9)
    assert values["mean_iou"].low is not None
    assert cell.agreement.same_class == 1.0
    assert "Overlap by class" in (out / "report.html").read_text()
    assert "nan" not in json.dumps([metric.value for metric in cell.quality.metrics]).lower()


def test_an_output_of_another_size_is_refused_before_the_device_is_bothered(rig: Path) -> None:
    _network(rig.parent / "net.onnx", stride=2)
    with pytest.raises(IncompatibleError, match=r"6x5 pixels, the masks of dataset 'npz' are 12x10"):
        api.run(rig, out=rig.parent / "out")
