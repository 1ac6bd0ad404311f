"""Kernels for Arm's M profile with DSP instructions and FPU, from the best to the worst."""

from __future__ import annotations

from edgerig.micro.kernels.base import Kernel
from edgerig.micro.kernels.cortex_m.conv.conv_block import ConvBlock, ConvPool
from edgerig.micro.kernels.cortex_m.conv.conv_first import FirstPool
from edgerig.micro.kernels.cortex_m.conv.conv_float import FloatConv, FloatConvPool
from edgerig.micro.kernels.cortex_m.conv.conv_pairs import ConvPairs
from edgerig.micro.kernels.cortex_m.conv.conv_winograd import ConvWinograd
from edgerig.micro.kernels.cortex_m.dense.dense import Dense
from edgerig.micro.kernels.cortex_m.dense.dense_f32 import DenseFloat
from edgerig.micro.kernels.cortex_m.dense.dense_rows import DenseRows
from edgerig.micro.kernels.cortex_m.depthwise.depthwise import Depthwise, Separable
from edgerig.micro.kernels.cortex_m.depthwise.depthwise_f32 import DepthwiseFloat
from edgerig.micro.kernels.cortex_m.depthwise.depthwise_line import SeparableLine
from edgerig.micro.kernels.cortex_m.depthwise.depthwise_window import DepthwiseWindow, SeparableWindow
from edgerig.micro.kernels.cortex_m.depthwise.taps import DepthwiseTaps
from edgerig.micro.kernels.cortex_m.elementwise.elementwise import AddBytes, QuantizeBytes
from edgerig.micro.kernels.cortex_m.elementwise.pool import AveragePool, MaxPool, PixelMean
from edgerig.micro.kernels.cortex_m.elementwise.products import ProductBytes
from edgerig.micro.kernels.cortex_m.elementwise.sum_tables import SumTables
from edgerig.micro.kernels.cortex_m.elementwise.sums import ChannelConstants
from edgerig.micro.kernels.cortex_m.wide.wide import PackedLayer, WideDepthwise, WideLayer

CORTEX_M: tuple[Kernel, ...] = (
    Separable(),
    SeparableLine(),
    SeparableWindow(),
    Depthwise(),
    DepthwiseTaps(),
    DepthwiseWindow(),
    Dense(),
    DenseRows(),
    DenseFloat(),
    DepthwiseFloat(),
    AddBytes(),
    SumTables(),
    ChannelConstants(),
    ProductBytes(),
    AveragePool(),
    MaxPool(),
    PixelMean(),
    QuantizeBytes(),
    FirstPool(),
    ConvPool(),
    ConvWinograd(),
    ConvBlock(),
    ConvPairs(),
    FloatConvPool(),
    FloatConv(),
    WideLayer(),
    WideDepthwise(),
    PackedLayer(),
)
