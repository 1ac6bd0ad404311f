"""A Keras model as the loop of a training sees it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.models.keras.engine import import_keras, seeded
from edgerig.models.keras.fast_gradients import fast_gradients
from edgerig.models.keras.files import save_keras, tensor_specs
from edgerig.models.keras.steps import Evaluator, Trainer
from edgerig.models.training.hooks import TrainingHooks
from edgerig.models.training.learner import Array, State
from edgerig.models.training.phase import Phase


class KerasLearner:
    """See `edgerig.models.training.learner.Learner`."""

    packages = ("keras", "jax", "numpy")

    def __init__(self, wrapper: TrainingHooks, classes: int, seed: int) -> None:
        import_keras()
        self.class_weights, self.own_loss = wrapper.class_weights, wrapper.own_loss
        with seeded(seed):
            self.model = wrapper.build(classes)
        self.evaluator = Evaluator(self.model)
        self.trainer: Trainer | None = None

    @property
    def parameters(self) -> int:
        return int(self.model.count_params())

    def session(self) -> AbstractContextManager[None]:
        return fast_gradients(self.model)

    def enter(self, phase: Phase) -> None:
        for layer in self.model.layers:
            layer.trainable = phase.learns(layer)
        self.trainer = Trainer(self.model, self.class_weights, self.own_loss)

    def start(self, learning_rate: float, epoch: int) -> None:
        self._entered.start(learning_rate)

    def step(self, inputs: NDArray[np.float32], truth: Array) -> tuple[Any, Any]:
        return self._entered.step(inputs, truth)

    def finish(self) -> None:
        self._entered.finish()

    def predict(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.evaluator.predict(inputs)

    def state(self) -> State:
        return (
            [np.asarray(variable.value) for variable in self.model.variables],
            [np.asarray(variable.value) for variable in self._entered.optimizer.variables],
        )

    def restore(self, network: list[Array], optimizer: list[Array]) -> None:
        for variables, values in ((self.model.variables, network), (self._entered.optimizer.variables, optimizer)):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def save(self, path: Path) -> None:
        save_keras(self.model, path)

    def specs(self) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        return tensor_specs(self.model)

    @property
    def _entered(self) -> Trainer:
        assert self.trainer is not None, "a phase is entered before its first epoch"
        return self.trainer
