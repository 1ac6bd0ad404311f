"""Keras 3 on JAX: importing it, seeding it, files, and the base class of the networks built with it."""

from __future__ import annotations

import contextlib
import io
import os
import random
import zipfile
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.artifact import Artifact, Preprocessing, TensorSpec
from edgerig.datasets.base import Dataset
from edgerig.errors import EdgerigError, MissingExtraError, ModelError, UsageError
from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.models.graph.keras_legacy import is_hdf5
from edgerig.models.keras.hdf5 import load_hdf5
from edgerig.progress import Progress

BACKEND = "jax"


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with one learning rate and one choice of layers that learn.

    Attributes:
        epochs: How many.
        learning_rate: Of the first of them; it decays by ``learning_rate_decay`` an epoch.
        learns: Tells of a layer if its weights change in this phase.
        title: Shown with the progress where there is more than one phase.
    """

    epochs: int
    learning_rate: float
    learns: Callable[[Any], bool] = lambda layer: True
    title: str = ""


class KerasModel(ModelWrapper):
    """A network built with Keras 3 and trained on JAX.

    Subclasses fill in `input_shape`, `preprocessing` and `build`, and may override `augment` and `phases`.
    """

    extra: ClassVar[str | None] = "train"
    modules: ClassVar[tuple[str, ...]] = ("keras", "jax", "tensorboardX")

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]: ...

    @abstractmethod
    def preprocessing(self, dataset: Dataset) -> Preprocessing: ...

    @abstractmethod
    def build(self, classes: int) -> Any: ...

    def augment(self, batch: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """A changed copy of a training batch, shape (n, ...), such as shifted pictures; by default ``batch``."""
        return batch

    def phases(self, settings: TrainSettings) -> tuple[Phase, ...]:
        """The phases of a training, in order."""
        return (Phase(settings.epochs, settings.learning_rate),)

    def train(
        self,
        dataset: Dataset,
        settings: TrainSettings,
        out: Path,
        *,
        resume: bool = False,
        logdir: Path | None = None,
        progress: Progress | None = None,
    ) -> Artifact:
        from edgerig.models.keras.training import train

        self.require()
        return train(self, dataset, settings, out, resume=resume, logdir=logdir, progress=progress or Progress())


def import_keras() -> ModuleType:
    """Keras, on JAX, quiet, with channels last.

    Raises:
        MissingExtraError: Keras or JAX is not installed.
        UsageError: The user chose another backend.
    """
    os.environ.setdefault("KERAS_BACKEND", BACKEND)
    # XLA's C++ logs (level 1 is info, 2 warning) would stand between the progress bars.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    _refuse_backend(os.environ["KERAS_BACKEND"])
    try:
        import jax  # noqa: F401 - else Keras itself would fail to, with a message of its own
        import keras
    except ImportError as error:
        raise MissingExtraError("Training", "train", error.name or "keras") from error
    _refuse_backend(keras.backend.backend())
    if keras.config.image_data_format() != "channels_last":
        keras.config.set_image_data_format("channels_last")
    module: ModuleType = keras
    return module


def _refuse_backend(name: str) -> None:
    if name != BACKEND:
        raise UsageError(
            f"Keras is set to the backend {name!r} (KERAS_BACKEND); edgerig trains with {BACKEND!r} only.",
            f"Run with KERAS_BACKEND={BACKEND}, or unset it.",
        )


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Keras draws weights by ``seed`` within the block; the caller's own random state is as before after it."""
    keras = import_keras()
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        keras.utils.set_random_seed(seed)
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


def load_keras(path: Path) -> Any:
    """The Keras model in a ``.keras`` or ``.h5`` file, uncompiled. Code within the file is never run.

    Raises:
        ModelError: The file is missing, corrupt, or holds something that only runs as code (a Lambda layer).
    """
    keras = import_keras()
    if not path.is_file():
        raise ModelError(f"There is no model file {path}.")
    try:
        data = path.read_bytes()
        if is_hdf5(data):
            return load_hdf5(keras, data, path)
        del data
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except EdgerigError:
        raise
    except Exception as error:
        if "lambda" in str(error).lower():
            hint = "It holds a Lambda layer, which is code. Replace it by a layer of Keras and save the model again."
        else:
            hint = "Is it complete, and saved by Keras 3 as .keras?"
        raise ModelError(f"{path.name} is not a model that Keras can read: {_first_line(error)}", hint) from error


def save_keras(model: Any, path: Path) -> None:
    """Write ``model`` to ``path`` (``.keras``), atomically; equal models give equal bytes.

    Raises:
        StorageError: The file cannot be written.
    """
    with files.atomic_path(path) as temporary:
        model.save(temporary)
        temporary.write_bytes(_without_dates(temporary.read_bytes()))


def _without_dates(archive: bytes) -> bytes:
    # Keras stamps the zip's members and metadata.json with the time of saving.
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(result, "w") as target:
        for name in sorted(source.namelist()):
            data = source.read(name)
            if name == "metadata.json":
                metadata = msgspec.json.decode(data)
                metadata["date_saved"] = "1980-01-01@00:00:00"
                data = msgspec.json.encode(metadata)
            target.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_STORED)
    return result.getvalue()


def tensor_specs(model: Any) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs of a built Keras model, with a batch of one."""
    # A Sequential has no output_names.
    names = getattr(model, "output_names", None) or [model.layers[-1].name]
    outputs = zip(model.outputs, names, strict=True)
    return (
        tuple(_spec(tensor, tensor.name) for tensor in model.inputs),
        tuple(_spec(tensor, name) for tensor, name in outputs),
    )


def _spec(tensor: Any, name: str) -> TensorSpec:
    return TensorSpec(name, (1, *(int(size) for size in tensor.shape[1:])), str(tensor.dtype))


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]
