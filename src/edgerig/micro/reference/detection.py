"""TFLite_Detection_PostProcess, with sorted lists as TensorFlow Lite has it."""

from __future__ import annotations

import numpy as np

from edgerig.micro.ir import Node
from edgerig.micro.ir.operators.detection import DetectionPostProcess
from edgerig.micro.reference.operation import Array, Operation


def post_process(node: DetectionPostProcess, inputs: list[Array]) -> list[Array]:
    """TFLite_Detection_PostProcess."""
    boxes, scores = decoded(node, inputs[0][0], inputs[2]), inputs[1][0][:, node.background :]
    rows = _regular(node, boxes, scores) if node.regular else _fast(node, boxes, scores)
    count = node.most * node.classes_of_each
    outputs = [np.zeros((1, count, 4)), np.zeros((1, count)), np.zeros((1, count))]
    for row, (anchor, label) in rows.items():
        outputs[0][0, row], outputs[1][0, row] = boxes[anchor], label
        outputs[2][0, row] = scores[anchor, label]
    number = len(rows) if node.regular else len(rows) // node.classes_of_each
    return [*(output.astype(np.float32) for output in outputs), np.array([number], np.float32)]


def decoded(node: DetectionPostProcess, encodings: Array, anchors: Array) -> Array:
    """Boxes (anchors, 4): top, left, bottom, right."""
    code = encodings[:, :4].astype(np.float64) / np.array(node.scales, np.float32)
    centre = (code[:, :2] * anchors[:, 2:] + anchors[:, :2]).astype(np.float32)
    half = (0.5 * np.exp(code[:, 2:]) * anchors[:, 2:]).astype(np.float32)
    return np.concatenate([centre - half, centre + half], 1)


def _fast(node: DetectionPostProcess, boxes: Array, scores: Array) -> dict[int, tuple[int, int]]:
    order = np.argsort(-scores, 1, kind="stable")
    rows = {}
    for index, anchor in enumerate(_kept(node, boxes, scores.max(1), node.most)):
        for column in range(node.classes_of_each):
            rows[index * node.classes_of_each + column] = anchor, int(order[anchor, column])
    return rows


def _regular(node: DetectionPostProcess, boxes: Array, scores: Array) -> dict[int, tuple[int, int]]:
    best: list[tuple[int, int]] = []
    for label in range(node.classes):
        best += [(anchor, label) for anchor in _kept(node, boxes, scores[:, label], node.of_each_class)]
        best = sorted(best, key=lambda pair: -scores[pair])[: node.most]
    return dict(enumerate(best))


def _kept(node: DetectionPostProcess, boxes: Array, scores: Array, most: int) -> list[int]:
    """Anchors whose boxes overlap none that is better, the best first."""
    kept: list[int] = []
    for anchor in np.argsort(-scores, kind="stable"):
        if scores[anchor] < np.float32(node.threshold) or len(kept) == most:
            break
        if all(_overlap(boxes[anchor], boxes[other]) <= np.float32(node.overlap) for other in kept):
            kept.append(int(anchor))
    return kept


def _overlap(first: Array, second: Array) -> float:
    """Intersection over union."""
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    if min(areas) <= 0:
        return 0.0
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    shared = max(sides[0], 0) * max(sides[1], 0)
    return float(shared / (areas[0] + areas[1] - shared))


OPERATIONS: dict[type[Node], Operation] = {DetectionPostProcess: post_process}
