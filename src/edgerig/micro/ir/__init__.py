"""The typed intermediate representation: values, and one small class per operator."""

from edgerig.micro.ir.core import Fused, Node, Padding, Program, Value
from edgerig.micro.ir.operators import RECORDS
from edgerig.micro.ir.operators.data_movement import (
    BroadcastTo,
    Concatenation,
    MoveRows,
    Pack,
    Pad,
    Reshape,
    Split,
    Transpose,
)
from edgerig.micro.ir.operators.elementwise import Add, Binary, Mul, Sides, Sub
from edgerig.micro.ir.operators.functions import (
    Dequantize,
    HardSwish,
    Logistic,
    Lookup,
    Mean,
    Quantize,
    Relu,
    Softmax,
    Tanh,
    Unary,
)
from edgerig.micro.ir.operators.images import AveragePool2D, MaxPool2D, Pool2D, Resize, ResizeBilinear, ResizeNearest
from edgerig.micro.ir.operators.matmul import BatchMatMul
from edgerig.micro.ir.operators.shape_arithmetic import Shape
from edgerig.micro.ir.operators.slices import Slice
from edgerig.micro.ir.operators.state import AssignVariable, ReadVariable, ShiftState
from edgerig.micro.ir.operators.weighted import Conv2D, DepthwiseConv2D, FullyConnected, TransposeConv, Weighted

__all__ = [
    "RECORDS",
    "Add",
    "AssignVariable",
    "AveragePool2D",
    "BatchMatMul",
    "Binary",
    "BroadcastTo",
    "Concatenation",
    "Conv2D",
    "DepthwiseConv2D",
    "Dequantize",
    "FullyConnected",
    "Fused",
    "HardSwish",
    "Logistic",
    "Lookup",
    "MaxPool2D",
    "Mean",
    "MoveRows",
    "Mul",
    "Node",
    "Pack",
    "Pad",
    "Padding",
    "Pool2D",
    "Program",
    "Quantize",
    "ReadVariable",
    "Relu",
    "Reshape",
    "Resize",
    "ResizeBilinear",
    "ResizeNearest",
    "Shape",
    "ShiftState",
    "Sides",
    "Slice",
    "Softmax",
    "Split",
    "Sub",
    "Tanh",
    "Transpose",
    "TransposeConv",
    "Unary",
    "Value",
    "Weighted",
]
