"""What Coral's ``edgetpu_compiler`` writes on standard output: how many operators it maps, and why not the others.

Its lines are those of versions 14 to 16; a line that is not known is passed over.
"""

from __future__ import annotations

import re

import msgspec

#: How the table of operators (``-s``) calls those that run on the Edge TPU.
MAPPED = "Mapped to Edge TPU"
_VERSION = re.compile(r"^Edge TPU Compiler version (\S+)", re.MULTILINE)
_ON_TPU = re.compile(r"^Number of operations that will run on Edge TPU: (\d+)", re.MULTILINE)
_ON_CPU = re.compile(r"^Number of operations that will run on CPU: (\d+)", re.MULTILINE)
_TOTAL = re.compile(r"^Total number of operations: (\d+)", re.MULTILINE)
_SUBGRAPHS = re.compile(r"^Number of Edge TPU subgraphs: (\d+)", re.MULTILINE)
_CACHED = re.compile(r"^On-chip memory used for caching model parameters: (\S+)", re.MULTILINE)
_STREAMED = re.compile(r"^Off-chip memory used for streaming uncached model parameters: (\S+)", re.MULTILINE)
_ROW = re.compile(r"^([A-Z][A-Z0-9_]+)\s+(\d+)\s+(\S.*?)\s*$", re.MULTILINE)
_SIZE = re.compile(r"([\d.]+)(B|KiB|MiB|GiB)")
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
#: Beginnings of the lines that say why it failed.
_FAULTS = ("ERROR:", "Invalid model", "Model could not be parsed", "Model not quantized", "Internal compiler error")


class Operators(msgspec.Struct, frozen=True):
    """Operators of one type with one fate; ``status`` is the compiler's own words."""

    op: str
    count: int
    status: str


class EdgeTpuLog(msgspec.Struct, frozen=True, kw_only=True):
    """What the compiler said.

    Attributes:
        version: Of the compiler; empty where it does not tell.
        mapped: Operators of the input that run on the Edge TPU. on_cpu: those that do not.
        subgraphs: Parts of the network that run there; between two of them tensors travel.
        cached, streamed: Bytes of parameters in the chip's own memory, and of those that travel with each inference.
        operators: Each type with its count and fate, where the table was asked for.
        faults: The lines that say why it failed.
    """

    version: str = ""
    mapped: int | None = None
    on_cpu: int | None = None
    subgraphs: int | None = None
    cached: int | None = None
    streamed: int | None = None
    operators: tuple[Operators, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def left(self) -> tuple[Operators, ...]:
        """The operators that run on the CPU."""
        return tuple(each for each in self.operators if each.status != MAPPED)

    @property
    def warning(self) -> str | None:
        """That part of the network runs on the CPU, or its parameters travel, in a sentence; None where neither."""
        parts = []
        if self.on_cpu:
            which = "; ".join(f"{each.count} {each.op}: {each.status}" for each in self.left)
            total = self.on_cpu + (self.mapped or 0)
            reasons = f" ({which})" if which else ""
            parts.append(f"{self.on_cpu} of {total} operators run on the CPU and not on the Edge TPU{reasons}.")
        if self.streamed:
            parts.append(
                f"{self.streamed:,} B of its parameters do not fit into the Edge TPU's memory, and travel with each "
                "inference."
            )
        return " ".join(parts) or None


def parse_log(text: str) -> EdgeTpuLog:
    """The log of one compilation.

    Without a line about operators on the CPU all of them are mapped.
    """
    mapped, on_cpu, total = (_number(pattern, text) for pattern in (_ON_TPU, _ON_CPU, _TOTAL))
    if mapped is None and total is not None:
        mapped, on_cpu = total - (on_cpu or 0), on_cpu or 0
    version = _VERSION.search(text)
    return EdgeTpuLog(
        version=version[1] if version else "",
        mapped=mapped,
        on_cpu=on_cpu,
        subgraphs=_number(_SUBGRAPHS, text),
        cached=_bytes(_CACHED, text),
        streamed=_bytes(_STREAMED, text),
        operators=tuple(Operators(row[1], int(row[2]), row[3]) for row in _ROW.finditer(text)),
        faults=tuple(line.strip() for line in text.splitlines() if line.strip().startswith(_FAULTS)),
    )


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    return int(match[1]) if match else None


def _bytes(pattern: re.Pattern[str], text: str) -> int | None:
    """A size such as ``3.67MiB`` in bytes, as exact as it was written."""
    match = pattern.search(text)
    size = _SIZE.fullmatch(match[1]) if match else None
    return round(float(size[1]) * _UNITS[size[2]]) if size else None
