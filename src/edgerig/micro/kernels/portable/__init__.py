"""Kernels in C99 for any CPU. Together they run every operator that the compiler knows."""

from __future__ import annotations

from edgerig.micro.kernels.base import Kernel
from edgerig.micro.kernels.portable.convolution import (
    ConvPoolS8,
    ConvS8,
    DenseRowsS8,
    DenseS8,
    DepthwiseS8,
    TransposeConvS8,
)
from edgerig.micro.kernels.portable.detection import DetectionKernel
from edgerig.micro.kernels.portable.elementwise import (
    BinaryF32,
    BinaryS8,
    CastKernel,
    CurveF32,
    DequantizeTo32,
    QuantizeFrom32,
    Table8,
)
from edgerig.micro.kernels.portable.extremes import ArgExtremeKernel, ExtremeKernel
from edgerig.micro.kernels.portable.float32 import (
    ConvF32,
    ConvPoolF32,
    DenseF32,
    DepthwiseF32,
    PoolF32,
    ResizeF32,
    TransposeConvF32,
)
from edgerig.micro.kernels.portable.int16 import KERNELS_16
from edgerig.micro.kernels.portable.joins import Concatenate, PackKernel, SplitKernel, UnpackKernel
from edgerig.micro.kernels.portable.labels import LabelKernel
from edgerig.micro.kernels.portable.lstm import LstmKernel
from edgerig.micro.kernels.portable.matmul import MatMul
from edgerig.micro.kernels.portable.recurrent import SvdfKernel
from edgerig.micro.kernels.portable.reduce import AveragePoolS8, MaxPoolS8, MeanF32, MeanS8
from edgerig.micro.kernels.portable.resize import NearestPixel, ResizeS8, ResizeS16
from edgerig.micro.kernels.portable.shapes import (
    AssignState,
    Copy,
    Fill,
    GatherKernel,
    MoveRowsKernel,
    Permute,
    ReadState,
    Rearranged,
    Repeat,
    ShiftStateKernel,
    SliceKernel,
)
from edgerig.micro.kernels.portable.softmax import LogSoftmaxKernel, SoftmaxF32, SoftmaxS8
from edgerig.micro.kernels.portable.trees import TreesKernel
from edgerig.micro.kernels.portable.windows import (
    PackedConv,
    PackedDense,
    PackedDepthwise,
    WideConv,
    WideDense,
    WideDepthwise,
)

PORTABLE: tuple[Kernel, ...] = (
    ConvPoolS8(),
    ConvS8(),
    DepthwiseS8(),
    DenseS8(),
    DenseRowsS8(),
    TransposeConvS8(),
    WideConv(),
    WideDepthwise(),
    WideDense(),
    PackedConv(),
    PackedDepthwise(),
    PackedDense(),
    MatMul(),
    SvdfKernel(),
    LstmKernel(),
    DetectionKernel(),
    TreesKernel(),
    LabelKernel(),
    MaxPoolS8(),
    AveragePoolS8(),
    MeanS8(),
    Table8(),
    BinaryS8(),
    SoftmaxS8(),
    *KERNELS_16,
    ResizeS8(),
    ResizeS16(),
    QuantizeFrom32(),
    DequantizeTo32(),
    CastKernel(),
    ConvPoolF32(),
    ConvF32(),
    DenseF32(),
    DepthwiseF32(),
    TransposeConvF32(),
    PoolF32(),
    MeanF32(),
    CurveF32(),
    BinaryF32(),
    SoftmaxF32(),
    LogSoftmaxKernel(),
    ResizeF32(),
    NearestPixel(),
    ExtremeKernel(),
    ArgExtremeKernel(),
    Concatenate(),
    SplitKernel(),
    UnpackKernel(),
    PackKernel(),
    GatherKernel(),
    SliceKernel(),
    Permute(),
    Repeat(),
    Rearranged(),
    Fill(),
    ShiftStateKernel(),
    MoveRowsKernel(),
    ReadState(),
    AssignState(),
    Copy(),
)
