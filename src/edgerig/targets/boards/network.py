"""From an artifact to a network in C, for one board."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from edgerig import files
from edgerig.artifact import Artifact, TensorSpec
from edgerig.errors import IncompatibleError, InferenceError
from edgerig.micro import Manifest, Options, compile_model
from edgerig.micro.source import MANIFEST
from edgerig.targets.boards.board import Board
from edgerig.targets.boards.firmware import BuildSettings, Network

#: The prefix of all names in the generated C, as the firmware expects it.
PREFIX = "model"
#: The side of the digits that come with edgerig.
_DIGIT = 28


def network_of(artifact: Artifact, board: Board, settings: BuildSettings) -> Network:
    """The network of a TFLite file as C, in a folder of the cache, with a sample built in.

    Raises:
        IncompatibleError: It is no TFLite file.
        ModelError, CompileError: It is not sound, or uses what the compiler does not know.
        UnknownNameError: `settings.kernels` is no CPU of the compiler.
    """
    if artifact.format != "tflite":
        raise IncompatibleError(
            f"Boards run .tflite files, not {artifact.format}.", "Convert it: edgerig compile MODEL --to float32"
        )
    cpu = settings.kernels or (board.kernels if settings.fpu or not board.fpu else "portable")
    options = Options(cpu=cpu, optimize=settings.optimize)
    source = compile_model(artifact.read(), PREFIX, options, Path(artifact.path).name)
    key = files.digest({name: files.sha256(data) for name, data in source.files.items()})[:32]
    folder = files.cache_folder() / "firmware" / "sources" / key
    if not (folder / MANIFEST).is_file():
        source.write(folder)
    return network_in(folder, source.manifest)


def network_in(folder: Path, manifest: Manifest | None = None) -> Network:
    """The network in a folder that ``edgerig compile --to c`` wrote with the prefix ``model``.

    Raises:
        InferenceError: It is no such folder. IncompatibleError: The prefix is another.
    """
    if manifest is None:
        try:
            manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
        except (OSError, msgspec.MsgspecError) as error:
            raise InferenceError(f"{folder} holds no network in C: {error}.", "edgerig compile MODEL --to c") from error
    if manifest.name != PREFIX:
        raise IncompatibleError(
            f"The network in {folder} has the prefix {manifest.name!r}; the firmware calls {PREFIX!r}.",
            f"Compile it with the prefix {PREFIX}: edgerig compile MODEL --to c --name {PREFIX}",
        )
    tensors = (*manifest.inputs, *manifest.outputs)
    sample, name = built_in_sample(manifest.inputs)
    return Network(
        # The C compiler works in a folder of its own.
        folder=str(folder.resolve()), sha256=manifest.source_sha256, kernels=manifest.cpu,
        shape_words=sum(len(spec.shape) for spec in tensors), tensors=len(tensors),
        sample_bytes=sum(spec.nbytes for spec in tensors), tensor_sum=manifest.memory.plain_sum, sample=sample,
        sample_name=name, layer_shapes=tuple(layer.outputs[0] for layer in manifest.layers),
    )  # fmt: skip


def built_in_sample(inputs: tuple[TensorSpec, ...]) -> tuple[bytes, str]:
    """Inputs for the console's CMD=2: a real digit where the network takes one, else a ramp; and what it is."""
    if len(inputs) == 1 and inputs[0].shape in ((1, _DIGIT, _DIGIT), (1, _DIGIT, _DIGIT, 1)):
        return _digit(inputs[0])
    return b"".join(_ramp(spec) for spec in inputs), "a ramp of numbers"


def _digit(spec: TensorSpec) -> tuple[bytes, str]:
    from edgerig.datasets.mnist import Mnist
    from edgerig.datasets.preprocess import quantize_input

    digits = Mnist()
    samples = digits.split("test")
    real = samples.inputs(slice(0, 1), digits.preprocessing)
    batch = quantize_input(real.reshape(1, *spec.shape[1:]), spec)
    return np.ascontiguousarray(batch).tobytes(), f"a handwritten digit, {digits.classes[int(samples.labels[0])]}"


def _ramp(spec: TensorSpec) -> bytes:
    values = np.arange(spec.elements) % 256
    if spec.dtype.startswith("float"):
        return (values / 255).astype(spec.dtype).tobytes()
    return (values - 128 if spec.dtype.startswith("int") else values).astype(spec.dtype).tobytes()
