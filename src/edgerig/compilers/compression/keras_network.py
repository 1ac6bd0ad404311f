"""A Keras network as the compressors see it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.compilers.compression.kernels import kernels_of
from edgerig.compilers.compression.network import Costs, Held, Kernels, Learner, Network
from edgerig.datasets.base import Dataset
from edgerig.errors import IncompatibleError
from edgerig.models.base import Objective
from edgerig.models.graph.analysis import analyse
from edgerig.models.graph.keras_file import read_keras
from edgerig.models.keras.engine import seeded
from edgerig.models.keras.fast_gradients import fast_gradients
from edgerig.models.keras.files import load_keras, save_keras
from edgerig.models.keras.steps import Evaluator, Project, Trainer
from edgerig.models.training.batches import Feed


class KerasNetwork(Network):
    """A Sequential or Functional model."""

    def __init__(self, model: Any) -> None:
        self.model = model

    @classmethod
    def load(cls, path: Path, name: str) -> Self:
        model = load_keras(path)
        if not hasattr(model, "_nodes_by_depth") and getattr(model, "_functional", None) is None:
            raise IncompatibleError(
                f"{name} is neither a Sequential nor a Functional model.",
                "Build it with keras.Sequential or keras.Model(inputs, outputs).",
            )
        return cls(model)

    @classmethod
    def costs_of(cls, path: Path) -> Costs:
        counts = analyse(read_keras(path.read_bytes(), path))
        return Costs(counts.macs, counts.parameters)

    def kernels(self) -> Kernels:
        return {name: np.asarray(variable.value) for name, variable in kernels_of(self.model).items()}

    def put(self, kernels: Kernels) -> None:
        variables = kernels_of(self.model)
        for name, array in kernels.items():
            variables[name].assign(array)

    def without_channels(self, share: float) -> tuple[Network, dict[str, tuple[int, int]], dict[str, str]]:
        from edgerig.compilers.compression.keras_channels import pruned

        smaller, widths, obstacles = pruned(self.model, share)
        return KerasNetwork(smaller), widths, obstacles

    def learner(
        self, artifact: Artifact, dataset: Dataset, feed: Feed, objective: Objective, held: Held, seed: int
    ) -> Learner:
        _check_fit(self.model, dataset, feed)
        return KerasLearner(self.model, held, seed)

    def save(self, path: Path) -> None:
        save_keras(self.model, path)


class KerasLearner(Learner):
    """Trains a model by JAX."""

    def __init__(self, model: Any, held: Held, seed: int) -> None:
        self.model, self.held, self.seed = model, held, seed
        self._trainer: Trainer | None = None
        self._evaluator = Evaluator(model)

    @contextlib.contextmanager
    def session(self) -> Iterator[None]:
        self.model.trainable = True
        with seeded(self.seed), fast_gradients(self.model):
            self._trainer = Trainer(self.model, project=projection(self.model, self.held))
            yield

    @property
    def trainer(self) -> Trainer:
        assert self._trainer is not None, "a session is begun before its first step"
        return self._trainer

    def start(self, learning_rate: float) -> None:
        self.trainer.start(learning_rate)

    def step(self, inputs: NDArray[np.float32], truth: NDArray[Any]) -> Any:
        return self.trainer.step(inputs, truth)[0]

    def finish(self) -> None:
        self.trainer.finish()

    def outputs(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._evaluator.predict(inputs)


def projection(model: Any, held: Held) -> Project | None:
    """What keeps true what is held of the kernels of ``model``, whose layers are all trainable; JAX traces it."""
    if not held.masks and not held.members:
        return None
    names = {id(variable): name for name, variable in kernels_of(model).items()}
    ordered = [names.get(id(variable)) for variable in model.trainable_variables]

    def project(weights: list[Any]) -> list[Any]:
        return [_held(weight, held, name) for weight, name in zip(weights, ordered, strict=True)]

    return project


def _held(weight: Any, held: Held, name: str | None) -> Any:
    import jax.numpy as jnp

    if name is None:
        return weight
    if name in held.members:
        weight = means(weight, held.members[name])
    return jnp.where(held.masks[name], weight, 0) if name in held.masks else weight


def means(weight: Any, members: NDArray[np.int32]) -> Any:
    """``weight`` with each value replaced by the mean of its cluster; JAX traces it."""
    import jax
    import jax.numpy as jnp

    count = int(members.max()) + 1
    sizes = jnp.asarray(np.maximum(np.bincount(members.reshape(-1), minlength=count), 1), weight.dtype)
    means = jax.ops.segment_sum(weight.reshape(-1), members.reshape(-1), count) / sizes
    return means[members]


def _check_fit(model: Any, dataset: Dataset, feed: Feed) -> None:
    from edgerig.compilers.compression.fine_tuning import NO_TUNING

    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise IncompatibleError("Only a network of one input and one output can be fine-tuned.", NO_TUNING)
    batch, *shape = model.inputs[0].shape
    if batch is not None:
        raise IncompatibleError(
            f"The network's batch is fixed to {batch}, with which it cannot be fine-tuned.", NO_TUNING
        )
    if len(shape) != len(feed.shape) or any(
        size not in (None, own) for size, own in zip(shape, feed.shape, strict=True)
    ):
        raise IncompatibleError(
            f"The network takes samples of shape {tuple(shape)}, and dataset {dataset.name!r} has {feed.shape}.",
            "Name the dataset that the network was trained on.",
        )
