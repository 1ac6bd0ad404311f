"""What a user chooses when compiling to C, and what the CPUs can do."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from edgerig.errors import UnknownNameError

#: CPU to features. ``dsp``: Arm's 16-bit SIMD instructions (SMLAD, SMMLAR); ``fpu``: single-precision VFMA in
#: hardware; ``fpv5``: its rounding conversions (VCVTA) as well; ``thumb2``: Arm assembly of this profile; ``thumb1``:
#: of Armv6-M, which Armv8-M Baseline runs as well, with eight registers that can do everything and products of 32 bits
#: alone; ``scalar``: a core of either without ``dsp``; ``mve``: Helium, vectors of 128 bits (which a Cortex-M55 may be
#: made without: ``+nomve``). ``rv32m``: RISC-V assembly with 31 registers and multiplication. ``simd``: vectors of
#: x86-64 or aarch64, by GCC's and clang's extensions.
CPUS: dict[str, frozenset[str]] = {
    "portable": frozenset(),
    "simd": frozenset({"simd"}),
    "cortex-m0": frozenset({"thumb1", "scalar"}),
    "cortex-m0plus": frozenset({"thumb1", "scalar"}),
    "cortex-m23": frozenset({"thumb1", "scalar"}),
    "cortex-m3": frozenset({"thumb2", "scalar"}),
    "cortex-m4": frozenset({"thumb2", "dsp", "fpu"}),
    "cortex-m4+nofp": frozenset({"thumb2", "dsp"}),
    "cortex-m7": frozenset({"thumb2", "dsp", "fpu", "fpv5", "dual-issue"}),
    "cortex-m7+nofp": frozenset({"thumb2", "dsp", "dual-issue"}),
    "cortex-m33": frozenset({"thumb2", "dsp", "fpu", "fpv5"}),
    "cortex-m33+nofp": frozenset({"thumb2", "dsp"}),
    "cortex-m55": frozenset({"thumb2", "dsp", "fpu", "fpv5", "mve"}),
    "cortex-m55+nomve": frozenset({"thumb2", "dsp", "fpu", "fpv5"}),
    "cortex-m55+nofp": frozenset({"thumb2", "dsp"}),
    "cortex-m85": frozenset({"thumb2", "dsp", "fpu", "fpv5", "mve", "dual-issue"}),
    "cortex-m85+nomve": frozenset({"thumb2", "dsp", "fpu", "fpv5", "dual-issue"}),
    "cortex-m85+nofp": frozenset({"thumb2", "dsp", "dual-issue"}),
    "rv32imc": frozenset({"rv32m"}),
}

Optimize = Literal["speed", "size"]
Io = Literal["file", "integer"]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Options of one compilation.

    Attributes:
        cpu: A name of `CPUS`.
        optimize: What decides where a faster kernel takes more flash.
        io: ``file``: inputs and outputs have the types that the file gives them. ``integer``: a QUANTIZE of an input
            and a DEQUANTIZE of an output are left to the caller, who reads scale and zero point from the tables;
            float buffers at the ends are saved.
        ram: Bytes that the arena may have: the fastest plan within is taken. None: the smallest arena of layers that
            are not slower for it.
        flash: Bytes that constants may have, weights and tables: the fastest layers within are taken. Code comes on
            top. None: as many as it takes.
    """

    cpu: str = "portable"
    optimize: Annotated[Optimize, msgspec.Meta(description="speed or size")] = "speed"
    io: Io = "file"
    ram: int | None = None
    flash: int | None = None

    @property
    def features(self) -> frozenset[str]:
        """What the CPU can do.

        Raises:
            UnknownNameError: The CPU is not known.
        """
        if self.cpu not in CPUS:
            raise UnknownNameError("CPU", self.cpu, CPUS)
        return CPUS[self.cpu]
