"""What the names of IREE's functions tell."""

from __future__ import annotations

import re

from edgerig.models.cpu_module import Kernel

#: Types in the names of IREE's functions.
_DTYPES = {
    "f32": "float32", "f16": "float16", "bf16": "bfloat16", "f64": "float64", "i8": "int8", "i16": "int16",
    "i32": "int32", "i64": "int64",
}  # fmt: skip


def kernel_of(name: str) -> Kernel:
    """What a function of IREE's computes, by its name.

    >>> kernel_of("main$async_dispatch_0_matmul_1x4x8_f32")
    Kernel(name='main$async_dispatch_0_matmul_1x4x8_f32', op='matmul', dtype='float32')
    >>> kernel_of("main$async_dispatch_2_conv_8x26x26x1x3x3_i8xi8xi32").dtype
    'int8'
    """
    rest = re.sub(r"^.*?_dispatch_\d+_?", "", name) or name
    # Of products of integers the operands come first, then the sum.
    shaped = re.match(r"(.*?)_[\dD]+(?:x[\dD]+)*[x_](bf16|[fi]\d+)(?=x|_|$)", rest)
    return Kernel(name=name, op=shaped[1], dtype=_DTYPES.get(shaped[2], "")) if shaped else Kernel(name=name, op=rest)
