"""pnnx, which makes networks of ncnn out of ONNX: one program, whose Python package is not imported.

Importing it would import PyTorch, which it needs for PyTorch's files alone.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from edgerig.compilers.program import run_program
from edgerig.errors import CompileError
from edgerig.models.graph.ncnn_file import read_layers
from edgerig.tensors import TensorSpec

#: pnnx's names of types, by numpy's.
_TYPES = {
    "float32": "f32", "float64": "f64", "float16": "f16", "int64": "i64", "int32": "i32", "int16": "i16", "int8": "i8",
    "uint8": "u8", "bool": "bool",
}  # fmt: skip
#: In the script that pnnx writes: a blob, and the batch axis that ncnn's array of it lacks; 233: none.
_INPUT = re.compile(r'\.input\("(\w+)".*batch_index=(\d+)')
_OUTPUT = re.compile(r"from_numpy\((\w+)\.numpy\(.*?batch_index=(\d+)")
_PLAIN_INPUT, _PLAIN_OUTPUT = re.compile(r'\.input\("(\w+)"'), re.compile(r'\.extract\("(\w+)"')
_ALL_AXES = 233
#: What it says of an operator that it leaves out, and goes on.
_WARNINGS = re.compile(r"^.*(?:not supported|ignore \S+ \S+ param).*$", re.MULTILINE)


class Blob(NamedTuple):
    """An end of the network in ncnn: its name, and the batch axis that ncnn's array lacks, None if it has all."""

    name: str
    batch: int | None


class Converted(NamedTuple):
    """The files that pnnx wrote, the ends in the order of the ONNX file, and what it said of what it left out."""

    param: Path
    weights: Path
    inputs: tuple[Blob, ...]
    outputs: tuple[Blob, ...]
    warnings: tuple[str, ...]


def convert(source: Path, inputs: Sequence[TensorSpec], *, float16: bool = False) -> Converted:
    """Make ncnn's files of an ONNX file, beside it.

    Args:
        source: The ONNX file. inputs: All of its inputs, with fixed shapes.
        float16: Whether weights are stored in it; pnnx's own default.

    Raises:
        CompileError: pnnx fails, in its own words, or hangs; or the network needs a layer that ncnn lacks.
    """
    work = source.parent
    shapes = ",".join(_shape(spec) for spec in inputs)
    ended = run_program([str(binary()), source.name, f"fp16={int(float16)}", f"inputshape={shapes}"], work)
    # Other characters of the name than letters and digits would become _.
    stem = source.stem
    param, weights, script = work / f"{stem}.ncnn.param", work / f"{stem}.ncnn.bin", work / f"{stem}_ncnn.py"
    if ended.fault or not (param.is_file() and weights.is_file() and script.is_file()):
        raise CompileError(
            f"pnnx cannot convert the network: {ended.fault or 'it wrote no network'}; its last words: "
            f"{ended.last_words}",
            "Does the network have an operator that ncnn lacks? Trees and other classical models are none of its.",
        )
    warnings = tuple(dict.fromkeys(" ".join(line.split()) for line in _WARNINGS.findall(ended.text)))
    # What ncnn lacks keeps its name of PyTorch or ONNX, with a dot or a colon, such as torch.where or pnnx.Expression.
    foreign = sorted({layer.kind for layer in read_layers(param.read_bytes(), param.name) if not layer.kind.isalnum()})
    if foreign:
        said = f" ({'; '.join(warnings)[:300]})" if warnings else ""
        raise CompileError(
            f"ncnn has no layer for {', '.join(foreign)}, which is in the network{said}.",
            "Replace these operators, or take another engine.",
        )
    taken, given = _ends(script.read_text(errors="replace"))
    if len(taken) != len(inputs):
        raise CompileError(f"pnnx made {len(taken)} inputs of the network's {len(inputs)}.", "Is one of them not used?")
    return Converted(param, weights, taken, given, warnings)


def binary() -> Path:
    """The program, in the package that brings it."""
    spec = find_spec("pnnx")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return Path(folders[0]) / "pnnx" if folders else Path("pnnx")


def starts() -> str | None:
    """Why the program does not start, or None."""
    try:
        done = subprocess.run([str(binary())], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if b"pnnx" in done.stdout + done.stderr else "it does not say what it is"


def _shape(spec: TensorSpec) -> str:
    if any(size < 1 for size in spec.shape):
        raise CompileError(
            f"Input {spec.name!r} has the shape {list(spec.shape)}: ncnn's networks have fixed shapes.",
            f"Say the shape: --shape {spec.name}=1,... with a number for each axis.",
        )
    if spec.dtype not in _TYPES:
        raise CompileError(f"Input {spec.name!r} is {spec.dtype}, which pnnx does not take.")
    return f"[{','.join(map(str, spec.shape))}]{_TYPES[spec.dtype]}"


def _ends(script: str) -> tuple[tuple[Blob, ...], tuple[Blob, ...]]:
    """Inputs and outputs, by the script that pnnx writes to try the network; earlier versions always lack axis 0."""
    inputs, outputs = _blobs(_INPUT, script), _blobs(_OUTPUT, script)
    if inputs and outputs:
        return inputs, outputs
    names = (_PLAIN_INPUT.findall(script), _PLAIN_OUTPUT.findall(script))
    return tuple(Blob(name, 0) for name in names[0]), tuple(Blob(name, 0) for name in names[1])


def _blobs(pattern: re.Pattern[str], script: str) -> tuple[Blob, ...]:
    return tuple(Blob(name, None if int(axis) == _ALL_AXES else int(axis)) for name, axis in pattern.findall(script))
