"""The end of detectors."""

from __future__ import annotations

import numpy as np

from edgerig.micro.ir.operators.detection import NAME
from edgerig.testing.networks.random_operators.draw import Draw, Generator


def post_process(draw: Draw) -> bytes:
    """TFLite_Detection_PostProcess with all its settings.

    LiteRT leaves undefined what is beyond the number of boxes unless each class is by itself; so there are as many then
    as may be.
    """
    from flatbuffers import flexbuffers

    anchors, classes, regular = draw.whole(2, 12), draw.whole(1, 4), bool(draw.whole(0, 1))
    each = 1 if regular else draw.whole(1, classes)
    most = draw.whole(1, anchors)
    x = draw.input((1, anchors, draw.whole(4, 6)), "boxes")
    scores = draw.input((1, anchors, classes + draw.whole(0, 1)), "scores")
    centres = draw.rng.uniform(0.1, 0.9, (anchors, 4))
    shapes = (1, most * each, 4), (1, most * each), (1, most * each), (1,)
    outputs = [draw.net.tensor(f"y{index}", shape, "float32") for index, shape in enumerate(shapes)]
    options = {
        "max_detections": most,
        "max_classes_per_detection": each,
        "detections_per_class": draw.whole(1, 5),
        "use_regular_nms": regular,
        "nms_score_threshold": 0.2 if regular else -1e9,
        "nms_iou_threshold": 0.3 if regular else 1.0,
        "num_classes": classes,
        "y_scale": 10.0,
        "x_scale": 9.0,
        "h_scale": 5.0,
        "w_scale": 4.5,
    }
    inputs = [x, scores, draw.net.tensor("anchors", centres.shape, "float32", centres.astype(np.float32))]
    draw.net.custom(NAME, inputs, outputs, bytes(flexbuffers.Dumps(options)))
    return draw.build([x, scores], outputs)


GENERATORS: dict[str, Generator] = {NAME: post_process}
