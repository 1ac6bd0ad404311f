"""TFLite_Detection_PostProcess: what is dropped and what is kept, against LiteRT, and files that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.errors import CompileError, ModelError
from edgerig.micro import Options, compile_model
from edgerig.micro.frontend.read import read_program
from edgerig.micro.ir.operators.detection import NAME
from edgerig.micro.reference import Machine
from edgerig.testing.networks.detector_networks import ssd_tflite
from edgerig.testing.networks.generated import run_sanitized
from edgerig.testing.networks.reference_runs import Oracle, difference
from edgerig.testing.networks.tflite_builder import TfliteBuilder

SETTINGS: dict[str, Any] = {
    "max_detections": 6, "max_classes_per_detection": 1, "detections_per_class": 4, "use_regular_nms": False,
    "nms_score_threshold": 0.1, "nms_iou_threshold": 0.3, "num_classes": 3,
    "y_scale": 10.0, "x_scale": 9.0, "h_scale": 5.0, "w_scale": 4.5,
}  # fmt: skip


def detector(dtype: str = "float32", options: bytes | None = None, anchors: int = 12, **changes: Any) -> bytes:
    """The operator alone, its anchors in a row so near to one another that their boxes overlap."""
    from flatbuffers import flexbuffers

    settings = {key: value for key, value in {**SETTINGS, **changes}.items() if value is not None}
    net = TfliteBuilder()
    codes, scores = (
        net.tensor(name, (1, 12, size), dtype, scale=0.1 if dtype == "int8" else None)
        for name, size in (("codes", 4), ("scores", 4))
    )
    places = np.stack(
        [np.full(anchors, 0.5), np.linspace(0.2, 0.8, anchors), np.full(anchors, 0.3), np.full(anchors, 0.2)], 1
    )
    places_ = net.tensor("anchors", places.shape, "float32", places)
    count = settings["max_detections"] * settings["max_classes_per_detection"]
    shapes = (1, count, 4), (1, count), (1, count), (1,)
    outputs = [net.tensor(f"y{index}", shape, "float32") for index, shape in enumerate(shapes)]
    net.custom(NAME, [codes, scores, places_], outputs, options or bytes(flexbuffers.Dumps(settings)))
    return net.build([codes, scores], outputs)


@pytest.mark.parametrize(
    "changes",
    [{}, {"max_classes_per_detection": 2}, {"use_regular_nms": True}, {"use_regular_nms": True, "max_detections": 3}],
)
def test_boxes_that_overlap_a_better_one_are_dropped_as_litert_drops_them(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    data = detector(**changes)
    rng = np.random.default_rng(0)
    samples = [
        [rng.normal(0, 1, (1, 12, 4)).astype(np.float32), rng.uniform(-0.3, 1, (1, 12, 4)).astype(np.float32)]
        for _ in range(40)
    ]
    oracle, machine = Oracle(data), Machine(read_program(data, "net"))
    (results,) = run_sanitized([compile_model(data, "net", Options())], [samples], tmp_path)
    counts = set()
    for sample, found in zip(samples, results, strict=True):
        expected = oracle.run(sample)
        counts.add(number := int(expected[3][0]))
        filled = number * (1 if changes.get("use_regular_nms") else changes.get("max_classes_per_detection", 1))
        for outputs in (found, machine.run(sample)):
            assert outputs[3][0] == number
            assert all(
                difference(a[:, :filled], b[:, :filled]) < 1e-5 for a, b in zip(expected[:3], outputs[:3], strict=True)
            )
            # LiteRT leaves these undefined.
            assert not any(output[:, filled:].any() for output in outputs[:3])
    assert len(counts) > 1 or changes.get("use_regular_nms")


def test_equal_scores_stay_in_their_order(tmp_path: Path) -> None:
    data = detector(nms_iou_threshold=1.0)
    sample = [np.zeros((1, 12, 4), np.float32), np.full((1, 12, 4), 0.5, np.float32)]
    (((boxes, classes, scores, number),),) = run_sanitized(
        [compile_model(data, "net", Options())], [[sample]], tmp_path
    )
    assert number[0] == 6
    assert (np.diff(boxes[0, :, 1]) > 0).all()
    assert not classes.any()
    assert (scores == 0.5).all()


def test_a_detector_is_compiled_with_its_end(tmp_path: Path) -> None:
    data = ssd_tflite()
    source = compile_model(data, "net", Options())
    assert "portable-detection" in {layer.kernel for layer in source.manifest.layers}
    samples = [[np.random.default_rng(seed).uniform(0, 1, (1, 6, 8, 1)).astype(np.float32)] for seed in range(10)]
    (results,) = run_sanitized([source], [samples], tmp_path)
    oracle = Oracle(data)
    for sample, found in zip(samples, results, strict=True):
        expected = oracle.run(sample)
        number = int(expected[3][0])
        assert all(
            difference(a[:, :number], b[:, :number]) < 1e-5 for a, b in zip(expected[:3], found[:3], strict=True)
        )
        assert found[3][0] == number


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (
            lambda: detector("int8"),
            CompileError,
            "it is int8; float32 is needed, behind a DEQUANTIZE",
        ),
        (lambda: detector(num_classes=2), ModelError, r"\[1, 12, 4\], \[1, 12, 4\], \[12, 4\] for 2 classes"),
        (lambda: detector(anchors=11), ModelError, r"\[11, 4\] for 3 classes"),
        (lambda: detector(max_classes_per_detection=5), ModelError, "keeps 6 boxes, 5 of 3 classes each"),
        (lambda: detector(y_scale=0.0), ModelError, "a scale of 0"),
        (lambda: detector(w_scale=None), ModelError, "a scale that is no number"),
        (lambda: detector(nms_iou_threshold=1.5), ModelError, "more than 1.5, which is no share"),
        (lambda: detector(options=b"\x05\x04\x01"), ModelError, "corrupt"),
    ],
)
def test_settings_that_cannot_be_are_told(data: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        compile_model(data(), "net", Options())
