"""weights.h and weights.c."""

from __future__ import annotations

import io
from collections.abc import Sequence

from edgerig.micro.c_text import c_array, comment, prefixed
from edgerig.micro.kernels.base import Constant
from edgerig.micro.limits import check_size

HEADER = """\
/* The constants of @P@, packed as its kernels read them. */
#ifndef @PU@_WEIGHTS_H
#define @PU@_WEIGHTS_H

#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__) || defined(__ARMCC_VERSION)
#define @PU@_ALIGN(bytes) __attribute__((aligned(bytes)))
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define @PU@_ALIGN(bytes) _Alignas(bytes)
#else
#error "Tell this compiler how to align an array."
#endif

@LIST@
#endif /* @PU@_WEIGHTS_H */
"""


def header(constants: Sequence[Constant], name: str) -> str:
    """weights.h."""
    lines = [f"extern const {constant.ctype} @P@_{constant.name}[{constant.data.size}];" for constant in constants]
    return prefixed(HEADER.replace("@LIST@", "".join(f"{line}\n" for line in lines)), name)


def code(constants: Sequence[Constant], name: str) -> bytes:
    """weights.c.

    Raises:
        CompileError: The constants are more than a microcontroller holds.
    """
    check_size(sum(constant.nbytes for constant in constants), name)
    text = io.BytesIO()
    text.write(b'#include "weights.h"\n')
    for constant in constants:
        carried = ", ".join(comment(value.name) for value in constant.stands_for)
        elements = constant.data.size
        head = f"\n/* {carried} */\n" if carried else ""
        head += f"\n@PU@_ALIGN({constant.alignment}) const {constant.ctype} @P@_{constant.name}[{elements}] = {{\n"
        text.write(prefixed(head, name).encode())
        for rows in c_array(constant.data):
            text.write(rows.encode())
        text.write(b"};\n")
    return text.getvalue()
