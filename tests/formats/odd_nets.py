"""Two formats that edgerig has never heard of, as a user's module: one of one file, one of several."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from edgerig.artifact import Artifact, TensorSpec
from edgerig.compilers.base import ModelCompiler
from edgerig.datasets.base import Dataset
from edgerig.errors import ModelError
from edgerig.formats import Format, Specification
from edgerig.models.graph import read_graph, read_weights
from edgerig.progress import Progress
from edgerig.runtimes.base import Array, Calls, Runtime

MAGIC = b"ODD1"


class Odd(Format):
    """``ODD1``, classes and features as uint32, then the weights and the bias as float32."""

    name = "odd"
    summary = "one dense layer in one file: .odd, .od2"
    suffixes = (".odd", ".od2")
    runtime = "odd_nets:OddEngine"

    def _specification(self, path: Path) -> Specification:
        return specification(read_odd(path))

    def _details(self, path: Path) -> Mapping[str, str]:
        return {"peculiarity": f"a file of {path.stat().st_size} odd bytes"}


class Parted(Format):
    """A text that names the files of the weights and the bias."""

    name = "parted"
    summary = "one dense layer in three files: .parted"
    suffixes = (".parted",)
    storage = "files"
    runtime = "odd_nets:PartedEngine"

    def _files(self, path: Path) -> Sequence[Path]:
        return [path.parent / name for name in names_in(path)]

    def _specification(self, path: Path) -> Specification:
        return specification(read_parted(path))


class ToOdd(ModelCompiler):
    """One file."""

    name = "to-odd"
    summary = "one odd file"
    takes = frozenset({"tflite"})
    makes = "odd"
    scheme = "float32"

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        weights, bias = layer_of(artifact)
        return odd(weights, bias)


class ToParted(ModelCompiler):
    """Three files, one of them in a folder below."""

    name = "to-parted"
    summary = "three files"
    takes = frozenset({"tflite", "odd"})
    makes = "parted"
    scheme = "float32"

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> Path:
        layer = read_odd(Path(artifact.path)) if artifact.format == "odd" else layer_of(artifact)
        return write_parted(work / "layer.parted", *layer)


class OddEngine(Runtime):
    """Numpy."""

    name = "odd-engine"
    summary = "numpy, for .odd"
    formats = frozenset({"odd"})

    @classmethod
    def version(cls) -> str:
        return np.__version__

    def _load(self, path: Path) -> None:
        self._layer = read_odd(path)

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return specification(self._layer).inputs

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return specification(self._layer).outputs

    def _calls(self) -> Calls:
        weights, bias = self._layer
        feed: list[Array] = []
        result: list[Array] = []

        def invoke() -> None:
            logits = feed[0] @ weights.T + bias
            exponents = np.exp(logits - logits.max())
            result[:] = [exponents / exponents.sum()]

        return lambda sample: feed.__setitem__(slice(None), sample), invoke, lambda: list(result)


class PartedEngine(OddEngine):
    """Numpy, too."""

    name = "parted-engine"
    summary = "numpy, for .parted"
    formats = frozenset({"parted"})

    def _load(self, path: Path) -> None:
        self._layer = read_parted(path)


def layer_of(artifact: Artifact) -> tuple[Array, Array]:
    path = Path(artifact.path)
    _, weights, bias = read_graph(path).operators[0].inputs
    constants = read_weights(path)
    return constants[weights], constants[bias]


def odd(weights: Array, bias: Array) -> bytes:
    return MAGIC + np.array(weights.shape, "<u4").tobytes() + weights.tobytes() + bias.tobytes()


def read_odd(path: Path) -> tuple[Array, Array]:
    data = path.read_bytes()
    if data[:4] != MAGIC:
        raise ModelError(f"{path.name} is not odd at all.")
    classes, features = (int(size) for size in np.frombuffer(data, "<u4", 2, 4))
    values = np.frombuffer(data, "<f4", offset=12)
    return values[: classes * features].reshape(classes, features), values[classes * features :].reshape(classes)


def write_parted(path: Path, weights: Array, bias: Array) -> Path:
    (path.parent / "parts").mkdir(parents=True, exist_ok=True)
    np.save(path.parent / "weights.npy", weights)
    np.save(path.parent / "parts" / "bias.npy", bias)
    path.write_bytes(msgspec.json.encode(["weights.npy", "parts/bias.npy"]))
    return path


def names_in(path: Path) -> list[str]:
    return msgspec.json.decode(path.read_bytes(), type=list[str])


def read_parted(path: Path) -> tuple[Array, Array]:
    weights, bias = (np.load(path.parent / name, allow_pickle=False) for name in names_in(path))
    return weights, bias


def specification(layer: tuple[Array, Array]) -> Specification:
    classes, features = layer[0].shape
    spec = (TensorSpec("x", (1, features), "float32"), TensorSpec("y", (1, classes), "float32"))
    return Specification(inputs=spec[:1], outputs=spec[1:])
