"""A detector with TensorFlow Lite's post-processing operator, small enough to know its answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.testing.networks.tflite_builder import TfliteBuilder

#: Anchors, classes without the background, and detections at most.
ANCHORS, CLASSES, MOST = 6, 3, 5
#: Numbers of an anchor in the input: four of its box, a score for the background and one for each class.
NUMBERS = 4 + 1 + CLASSES
#: The operator's scales of centre and sides.
CENTRE_SCALE, SIDE_SCALE = 10.0, 5.0
#: Where the operator puts what.
OUTPUTS = tuple(f"TFLite_Detection_PostProcess{end}" for end in ("", ":1", ":2", ":3"))


def anchors() -> NDArray[np.float32]:
    """Centre (y, x), height and width of each anchor, in shares of the input's sides."""
    y, x = np.divmod(np.arange(ANCHORS), 3)
    sides = np.full((ANCHORS, 2), 0.3)
    return np.concatenate([np.stack([(y + 0.5) / 2, (x + 0.5) / 3], axis=1), sides], axis=1).astype(np.float32)


def ssd_tflite() -> bytes:
    """A network whose input (1, 6, 8, 1) is what a detector's convolutions would give: a row for each anchor."""
    from flatbuffers import flexbuffers

    net = TfliteBuilder()
    image = net.tensor("image", (1, ANCHORS, NUMBERS, 1), "float32")
    rows = net.tensor("rows", (1, ANCHORS, NUMBERS), "float32")
    net.operator("RESHAPE", [image, net.tensor("s", (3,), "int32", np.array([1, ANCHORS, NUMBERS]))], [rows])
    parts = []
    for name, first, size in (("boxes", 0, 4), ("scores", 4, 1 + CLASSES)):
        part = net.tensor(name, (1, ANCHORS, size), "float32")
        begin = net.tensor(f"{name}/begin", (3,), "int32", np.array([0, 0, first]))
        length = net.tensor(f"{name}/size", (3,), "int32", np.array([1, ANCHORS, size]))
        net.operator("SLICE", [rows, begin, length], [part])
        parts.append(part)
    constant = net.tensor("anchors", (ANCHORS, 4), "float32", anchors())
    shapes = (1, MOST, 4), (1, MOST), (1, MOST), (1,)
    outputs = [net.tensor(name, shape, "float32") for name, shape in zip(OUTPUTS, shapes, strict=True)]
    options: dict[str, Any] = {
        "max_detections": MOST,
        "max_classes_per_detection": 1,
        "detections_per_class": MOST,
        "use_regular_nms": False,
        "nms_score_threshold": 0.1,
        "nms_iou_threshold": 0.6,
        "num_classes": CLASSES,
        "y_scale": CENTRE_SCALE,
        "x_scale": CENTRE_SCALE,
        "h_scale": SIDE_SCALE,
        "w_scale": SIDE_SCALE,
    }
    net.custom("TFLite_Detection_PostProcess", [*parts, constant], outputs, bytes(flexbuffers.Dumps(options)))
    return net.build([image], outputs)
