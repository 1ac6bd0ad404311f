"""The label of a classifier of ONNX (ai.onnx.ml); TFLite has none, so that it has no record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgerig.micro.ir.core import DataMovement, Sizes


@dataclass(eq=False)
class ClassLabel(DataMovement):
    """The label (1,), int64, of the greatest of scores (1, classes), the first of those that are equal."""

    op: ClassVar[str] = "CLASS_LABEL"
    labels: tuple[int, ...] = ()

    def output_shapes(self) -> tuple[Sizes, ...]:
        return ((1,),)
