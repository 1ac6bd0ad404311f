"""Programs of torch.export in files, and their export to ONNX."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from edgerig import files
from edgerig.errors import EdgerigError, ModelError
from edgerig.models.torch.archive import HINT, Archive
from edgerig.models.torch.engine import import_torch, quiet
from edgerig.text import cause_of

#: Operator set of exported ONNX files.
OPSET = 18


def program_of(network: Any, shape: tuple[int, ...]) -> Any:
    """The program of torch.export of a module for an input of ``shape``, (1, ...), float32.

    Raises:
        ModelError: torch.export cannot follow the module.
    """
    torch = import_torch()
    try:
        with quiet():
            return torch.export.export(network.eval(), (torch.zeros(shape),))
    except Exception as error:
        raise ModelError(
            f"torch.export cannot follow the network for an input of {list(shape)}: {cause_of(error)}.",
            "Does its `forward` branch on values, or expect another shape?",
        ) from error


def save_program(program: Any, path: Path) -> None:
    """Write a program to ``path`` (``.pt2``), atomically; equal programs give equal bytes.

    Raises:
        StorageError: The file cannot be written.
    """
    torch = import_torch()
    for node in program.graph.nodes:
        # The first holds paths of this machine, the second addresses in the memory of this process.
        for key in ("stack_trace", "from_node"):
            node.meta.pop(key, None)
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(program, buffer)
    files.write_bytes(path, buffer.getvalue())


def load_program(path: Path) -> Any:
    """The program of torch.export in a ``.pt2`` or ``.pt`` file. Code within the file is never run.

    Raises:
        ModelError: The file is missing, damaged, no such program, or holds more than tensors and a graph.
        MissingExtraError: PyTorch is not installed.
    """
    torch = import_torch()
    if not path.is_file():
        raise ModelError(f"There is no model file {path}.")
    data = path.read_bytes()
    try:
        samples = Archive(data, path.name).sample_inputs()
        if samples is not None:
            # PyTorch itself would read with code allowed where this fails.
            torch.load(io.BytesIO(samples), weights_only=True)
        with quiet():
            return torch.export.load(io.BytesIO(data))
    except EdgerigError:
        raise
    except Exception as error:
        raise ModelError(f"{path.name} is not a program that PyTorch can read: {cause_of(error)}.", HINT) from error


def onnx_of(path: Path) -> bytes:
    """Float ONNX bytes of a ``.pt2`` file; inputs and outputs keep their names, and channels come first.

    Raises:
        ModelError: The file cannot be read.
    """
    import onnx

    torch = import_torch()
    specification = Archive(path.read_bytes(), path.name).specification()
    arguments = tuple(torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in specification.inputs)
    with quiet():
        exported = torch.onnx.export(
            load_program(path),
            arguments,
            dynamo=True,
            input_names=[spec.name for spec in specification.inputs],
            output_names=[f"{spec.name}_output" for spec in specification.outputs],
            opset_version=OPSET,
            verbose=False,
        )
        assert exported is not None, "an export without a file is returned"
        model = exported.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]  # Paths of this machine among them.
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data
