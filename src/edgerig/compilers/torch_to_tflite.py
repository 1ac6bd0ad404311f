"""PyTorch to float TFLite by litert-torch, which is large and therefore an extra of its own."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

from edgerig.compilers import flatbuffer
from edgerig.errors import CompileError, EdgerigError
from edgerig.models.torch.archive import Archive
from edgerig.models.torch.engine import import_torch, quiet
from edgerig.models.torch.files import load_program
from edgerig.text import cause_of


def convert_torch(path: Path) -> bytes:
    """Float TFLite bytes of a ``.pt2`` file; batch 1. Inputs keep their shape, channels first, and their names.

    Raises:
        ModelError: The file cannot be read.
        CompileError: The network has an operation that TFLite lacks.
    """
    torch = import_torch()
    specification = Archive(path.read_bytes(), path.name).specification()
    program = load_program(path)
    arguments = tuple(torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in specification.inputs)
    try:
        # It prints its steps to standard output.
        with quiet(), contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder:
            import litert_torch

            target = Path(folder) / "net.tflite"
            litert_torch.convert(program.module(), arguments).export(str(target))
            model = flatbuffer.unpack(target.read_bytes())
    except EdgerigError:
        raise
    except Exception as error:
        raise CompileError(
            f"{path.name} cannot be converted to TFLite: {cause_of(error)}.",
            "Does it use an operation that TFLite does not have? Compiler onnx may take it.",
        ) from error
    graph = model.subgraphs[0]
    for spec, index in zip(specification.inputs, graph.inputs, strict=True):
        graph.tensors[index].name = spec.name.encode()
    return flatbuffer.pack(model)
