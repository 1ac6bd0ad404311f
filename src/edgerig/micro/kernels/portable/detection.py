"""TFLite_Detection_PostProcess."""

from __future__ import annotations

from edgerig.micro.ir import Node
from edgerig.micro.ir.operators.detection import DetectionPostProcess
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import FOLDER, Portable, struct


class DetectionKernel(Portable):
    """TFLite_Detection_PostProcess."""

    name = "portable-detection"
    node = DetectionPostProcess
    types = (("float32", "float32"),)
    supports = "float32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, DetectionPostProcess)
        _, anchors, code = node.input.shape
        text = struct(
            anchors=anchors,
            code=code,
            classes=node.classes,
            background=node.background,
            most=node.most,
            classes_of_each=node.classes_of_each,
            of_each_class=node.of_each_class,
            threshold=float(node.threshold),
            overlap=float(node.overlap),
            scales=[float(scale) for scale in node.scales],
        )
        settings = context.struct("detection", "micro_detection", text)
        inputs = ", ".join(context.read(value) for value in node.inputs)
        outputs = ", ".join(context.write(value) for value in node.outputs)
        work, dropped = context.scratch(5 * 4 * anchors, "float"), context.scratch(anchors, "uint8_t")
        function = "micro_detection_regular" if node.regular else "micro_detection_fast"
        body = f"micro_detections to = {{ {outputs} }};\n{function}(&{settings}, {inputs}, &to, {work}, {dropped});"
        sources = ("micro_detection.c", "micro_detection.h", "micro_curves_f32.c")
        return Lowered(body, tuple(FOLDER / source for source in sources), ("micro_detection.h",))
