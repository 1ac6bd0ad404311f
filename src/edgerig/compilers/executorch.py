"""ExecuTorch's programs of PyTorch networks: for XNNPACK, for its own kernels, or quantized by XNNPACK's quantizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from edgerig.artifact import Artifact
from edgerig.compilers.base import CompilerSettings, ModelCompiler
from edgerig.compilers.calibration import calibration_inputs
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError, EdgerigError
from edgerig.models.graph.pte_file import ENDS_METHOD, KERNELS, Ends, Program, read_pte
from edgerig.plugins import Settings
from edgerig.progress import Progress
from edgerig.tensors import TensorSpec
from edgerig.text import cause_of


class ExecuTorchSettings(CompilerSettings, frozen=True, kw_only=True):
    """What the operators are compiled for."""

    backend: Annotated[
        Literal["xnnpack", "portable"],
        msgspec.Meta(
            description="xnnpack: XNNPACK gets what it takes, the rest stays on ExecuTorch's kernels; portable: all of "
            "it on these"
        ),
    ] = "xnnpack"


class ExecuTorch(ModelCompiler):
    """A program in float32."""

    name = "executorch"
    summary = "ExecuTorch's program (.pte) of a PyTorch network, in float32"
    extra = "executorch"
    engine = "executorch"
    modules = ("executorch", "torch")
    takes = frozenset({"torch"})
    makes = "executorch"
    scheme = "float32"
    Settings: ClassVar[type[Settings]] = ExecuTorchSettings
    settings: ExecuTorchSettings

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        return _compiled(_program(artifact), artifact, self.settings.backend, progress)


class ExecuTorchInt8Settings(CompilerSettings, frozen=True, kw_only=True):
    """Settings of XNNPACK's quantizer."""

    calibration_samples: Annotated[
        int, msgspec.Meta(description="samples of the training split to calibrate with, all classes alike", ge=1)
    ] = 100
    per_channel: Annotated[
        bool, msgspec.Meta(description="a scale for each channel of a weight; false: one for the whole weight")
    ] = True


class ExecuTorchInt8(ModelCompiler):
    """A program in int8 on XNNPACK, calibrated; inputs and outputs stay float32."""

    name = "executorch-int8"
    summary = "ExecuTorch's program in int8 by XNNPACK's quantizer, calibrated"
    extra = "executorch"
    engine = "executorch"
    modules = ("executorch", "torch", "torchao")
    takes = frozenset({"torch"})
    makes = "executorch"
    scheme = "int8"
    needs_dataset = True
    Settings: ClassVar[type[Settings]] = ExecuTorchInt8Settings
    settings: ExecuTorchInt8Settings

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        assert dataset is not None, "the pipeline refuses to calibrate without a dataset"
        count = self.settings.calibration_samples
        arrays = calibration_inputs(dataset, artifact.preprocessing, artifact.inputs, count)
        with progress.task(f"calibrate {artifact.name} on {len(arrays[0])} samples", len(arrays[0])) as task:

            def samples() -> Iterator[tuple[Any, ...]]:
                for sample in zip(*arrays, strict=True):
                    task.advance()
                    yield sample

            quantized = _quantized(_program(artifact), artifact.inputs, samples(), self.settings.per_channel)
        return _compiled(quantized, artifact, "xnnpack", progress)


def _program(artifact: Artifact) -> Any:
    """The network as a program of torch.export."""
    from edgerig.models.torch.files import load_program

    artifact.read()
    return load_program(Path(artifact.path))


def _zeros(specs: Sequence[TensorSpec]) -> tuple[Any, ...]:
    """Inputs to export with, in PyTorch's own order of axes: those of an array of NumPy would stay in the file."""
    import torch

    return tuple(torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in specs)


def _quantized(program: Any, specs: Sequence[TensorSpec], samples: Iterable[Any], per_channel: bool) -> Any:
    """The program with scales from ``samples``; what the quantizer does not know stays in float32."""
    import torch
    from torch import export

    from edgerig.models.torch.engine import quiet

    with quiet():
        from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
            XNNPACKQuantizer,
            get_symmetric_quantization_config,
        )
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        try:
            quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=per_channel))
            network = prepare_pt2e(program.module(), quantizer)
            with torch.no_grad():
                for sample in samples:
                    network(*(torch.tensor(value) for value in sample))
            return export.export(convert_pt2e(network), _zeros(specs))
        except EdgerigError:
            raise
        except Exception as error:
            raise CompileError(f"XNNPACK's quantizer cannot quantize the network: {cause_of(error)}.") from error


def _compiled(program: Any, artifact: Artifact, backend: str, progress: Progress) -> bytes:
    """The bytes of the program, with the names of its inputs and outputs; what stays on which kernels is said."""
    from edgerig.models.torch.engine import quiet

    ends = Ends(tuple(spec.name for spec in artifact.inputs), tuple(spec.name for spec in artifact.outputs))
    try:
        with quiet():
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
            from executorch.exir import to_edge_transform_and_lower

            lowered = to_edge_transform_and_lower(
                program,
                partitioner=[XnnpackPartitioner()] if backend == "xnnpack" else [],
                constant_methods={ENDS_METHOD: msgspec.json.encode(ends).decode()},
            )
            data = bytes(lowered.to_executorch().buffer)
    except Exception as error:
        raise CompileError(
            f"ExecuTorch cannot compile {artifact.name}: {cause_of(error)}.",
            "Does the network use an operator that ExecuTorch has no kernel for?",
        ) from error
    contents = read_pte(data, artifact.name)
    if backend == "xnnpack":
        _say_what_stays(contents, artifact.name, progress)
    return data


def _say_what_stays(program: Program, name: str, progress: Progress) -> None:
    """Say which operators XNNPACK did not take.

    Raises:
        CompileError: It took none: the program would run on something else than what was asked for.
    """
    kinds = list(dict.fromkeys(operator.op for operator in program.operators if operator.placement == KERNELS))
    count = sum(operator.placement == KERNELS for operator in program.operators)
    if not program.delegates:
        raise CompileError(
            f"XNNPACK takes none of the operators of {name}: {', '.join(kinds) or 'it has none'}.",
            "Compile it for ExecuTorch's own kernels: --option backend=portable.",
        )
    if count:
        progress.log(f"{count} of {len(program.operators)} operators stay on {KERNELS}: {', '.join(kinds)}")
