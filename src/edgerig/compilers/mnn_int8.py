"""Networks of MNN in int8, by MNN's own quantizer (`mnnquant`), calibrated on the dataset."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.compilers.calibration import calibration_inputs
from edgerig.compilers.mnn import Mnn, MnnSettings
from edgerig.compilers.program import run_python
from edgerig.datasets.base import Dataset
from edgerig.errors import ArtifactCheckError, CompileError
from edgerig.models.graph.mnn_file import ends_of, wide_ends, with_identity_of_content
from edgerig.plugins import Settings
from edgerig.progress import Progress
from edgerig.tensors import TensorSpec

_QUANTIZE = "import _tools; _tools.mnnquant(['mnnquant', *sys.argv[2:]])"
#: What MNN says behind the type of an operator whose tensors are quantized.
_QUANTIZED = "[ DT_INT8 ]"
#: Operators that compute with weights; others are let through in float32 without a word.
_WEIGHTED = (
    "Convolution", "ConvolutionDepthwise", "Deconvolution", "DeconvolutionDepthwise", "MatMul", "ConvInt8",
    "DepthwiseConvInt8",
)  # fmt: skip


class MnnInt8Settings(MnnSettings, frozen=True, kw_only=True):
    """Settings of MNN's quantizer."""

    calibration_samples: Annotated[
        int, msgspec.Meta(description="samples of the training split to calibrate with, all classes alike", ge=1)
    ] = 100
    activations: Annotated[
        Literal["KL", "ADMM"],
        msgspec.Meta(
            description="how scales of activations are found: KL, by the divergence of histograms, from 100 samples; "
            "ADMM, from few. MNN's third way, EMA, writes networks without outputs"
        ),
    ] = "KL"
    weights: Annotated[
        Literal["MAX_ABS", "ADMM"], msgspec.Meta(description="how scales of weights are found; one for each channel")
    ] = "MAX_ABS"


class MnnInt8(Mnn):
    """Convolutions and matrix products in int8; inputs and outputs stay float32."""

    name = "mnn-int8"
    summary = "MNN's network in int8 by its own quantizer, calibrated"
    scheme = "int8"
    needs_dataset = True
    Settings: ClassVar[type[Settings]] = MnnInt8Settings
    settings: MnnInt8Settings

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        assert dataset is not None, "the pipeline refuses to calibrate without a dataset"
        network = work / "float.mnn"
        network.write_bytes(super()._compile(artifact, work, None, progress))
        specs = artifact.inputs
        arrays = calibration_inputs(dataset, artifact.preprocessing, specs, self.settings.calibration_samples)
        folder, count = work / "calibration", len(arrays[0])
        with progress.task(f"calibrate {artifact.name} on {count} samples", count) as task:
            outputs = ends_of(network.read_bytes(), network.name)[1]
            for index, sample in enumerate(zip(*arrays, strict=True)):
                _write_sample(folder / f"input_{index}", specs, sample, outputs)
                task.advance()
            data = _quantized(network, folder, count, self.settings)
        self._kinds = operators_in_int8(data, work)
        _check_int8(self._kinds, artifact.name, progress)
        return data

    def _record(self) -> dict[str, Any]:
        return {"operators": {kind: {"int8": some, "all": every} for kind, (some, every) in self._kinds.items()}}


def _write_sample(
    folder: Path, specs: Sequence[TensorSpec], sample: Sequence[NDArray[Any]], ends: Sequence[str]
) -> None:
    """A sample as the quantizer reads it: a text of numbers for each input.

    Raises:
        CompileError: The name of an input is none that a file could have.
    """
    folder.mkdir(parents=True)
    described = {"inputs": [{"name": spec.name, "shape": spec.shape} for spec in specs], "outputs": list(ends)}
    (folder / "input.json").write_text(json.dumps(described))
    for spec, value in zip(specs, sample, strict=True):
        file = folder / f"{spec.name}.txt"
        if not file.resolve().is_relative_to(folder.resolve()):
            raise CompileError(
                f"MNN's quantizer takes the samples of {spec.name!r} from a file of that name, which leads out of its "
                "folder.",
                "Give the input another name.",
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(file, value.reshape(-1), fmt="%.9g")


def _quantized(network: Path, folder: Path, count: int, settings: MnnInt8Settings) -> bytes:
    """What the quantizer makes of ``network`` with the samples in ``folder``.

    Raises:
        CompileError: It fails, in its own words, or hangs.
    """
    target, configuration = network.with_name("int8.mnn"), network.with_name("settings.json")
    options = {
        "path": f"{folder}/", "used_sample_num": count, "batch_size": 1, "input_type": "sequence", "quant_bits": 8,
        "feature_quantize_method": settings.activations, "weight_quantize_method": settings.weights,
    }  # fmt: skip
    configuration.write_text(json.dumps(options))
    ended = run_python(_QUANTIZE, [str(network), str(target), str(configuration)], network.parent, "MNN's quantizer")
    if ended.fault or not target.is_file():
        raise CompileError(
            f"MNN's quantizer cannot quantize the network: {ended.fault or 'it wrote no network'}; its last words: "
            f"{ended.last_words}",
            "Does it run in float32? edgerig bench net.mnn",
        )
    data = with_identity_of_content(target.read_bytes())
    before = network.read_bytes()
    if (ends_of(data, "its network"), wide_ends(data)) != (ends_of(before, network.name), wide_ends(before)):
        raise CompileError(
            f"MNN's quantizer has changed the inputs or outputs of the network to {ends_of(data, 'its network')}.",
            "Take compiler mnn-dynamic, which quantizes weights alone.",
        )
    return data


def operators_in_int8(data: bytes, work: Path) -> dict[str, tuple[int, int]]:
    """For each type of operator that computes with weights how many run in int8, and how many there are, as MNN tells
    in a run."""
    import MNN

    file = work / "checked.mnn"
    file.write_bytes(data)
    interpreter = MNN.Interpreter(str(file))
    session = interpreter.createSession({"backend": "CPU", "numThread": 1, "precision": "high"})
    kinds: list[str] = []

    def after(_: Any, operator: Any) -> bool:
        kinds.append(operator.getType().strip())
        return True

    interpreter.runSessionWithCallBackInfo(session, lambda *_: True, after)
    counts: dict[str, tuple[int, int]] = {}
    for kind in kinds:
        name = kind.removesuffix(_QUANTIZED).rstrip()
        if name in _WEIGHTED:
            some, every = counts.get(name, (0, 0))
            counts[name] = some + (kind.endswith(_QUANTIZED) or "Int8" in name), every + 1
    return counts


def _check_int8(kinds: dict[str, tuple[int, int]], name: str, progress: Progress) -> None:
    """Say which of the operators with weights stay in float32.

    Raises:
        ArtifactCheckError: All of them do.
    """
    some, every = (sum(counts[index] for counts in kinds.values()) for index in (0, 1))
    if not some:
        raise ArtifactCheckError(
            f"MNN's quantizer left all of {name} in float32.",
            "It quantizes convolutions and products with constant weights: has the network any?",
        )
    if some < every:
        left = [f"{every - some} {kind}" for kind, (some, every) in kinds.items() if some < every]
        progress.log(f"{every - some} of {every} operators with weights stay in float32: {', '.join(left)}")
