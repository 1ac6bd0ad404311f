"""Kernels for Arm's M profile with Helium (MVE), from the best to the worst."""

from __future__ import annotations

from edgerig.micro.kernels.base import Kernel
from edgerig.micro.kernels.helium.binary import ProductVectors, SidesVectors
from edgerig.micro.kernels.helium.conv import ConvPoolVectors, ConvVectors
from edgerig.micro.kernels.helium.conv_f32 import ConvPoolVectorsF32, ConvVectorsF32, DenseVectorsF32
from edgerig.micro.kernels.helium.depthwise import DepthwiseVectors
from edgerig.micro.kernels.helium.layers_f32 import (
    BinaryVectorsF32,
    DepthwiseVectorsF32,
    MeanVectorsF32,
    PoolVectorsF32,
)
from edgerig.micro.kernels.helium.pool import AveragePoolVectors, MaxPoolVectors
from edgerig.micro.kernels.helium.sums import AddVectors

HELIUM: tuple[Kernel, ...] = (
    ConvPoolVectors(),
    DepthwiseVectors(),
    ConvVectors(),
    AddVectors(),
    SidesVectors(),
    ProductVectors(),
    MaxPoolVectors(),
    AveragePoolVectors(),
    ConvPoolVectorsF32(),
    DenseVectorsF32(),
    ConvVectorsF32(),
    DepthwiseVectorsF32(),
    PoolVectorsF32(),
    MeanVectorsF32(),
    BinaryVectorsF32(),
)
