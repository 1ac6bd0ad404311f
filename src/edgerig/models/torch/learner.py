"""A PyTorch network as the loop of a training sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.errors import IncompatibleError, ModelError
from edgerig.models.base import Objective
from edgerig.models.torch.archive import Archive
from edgerig.models.torch.engine import deterministic, import_torch
from edgerig.models.torch.files import program_of, save_program
from edgerig.models.training.hooks import TrainingHooks
from edgerig.models.training.learner import Array, State
from edgerig.models.training.objectives import REAL, SMALLEST_WEIGHT, check_values
from edgerig.models.training.own_loss import OwnLoss
from edgerig.models.training.phase import Phase
from edgerig.text import cause_of

#: Axes of outputs (n, numbers, rows, columns).
GRID_AXES = 4
#: What Adam keeps of each parameter, with the number of its steps.
MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class TorchLearner:
    """See `edgerig.models.training.learner.Learner`. Of classes it trains logits; what it saves ends in a softmax."""

    packages = ("torch", "numpy")

    def __init__(self, wrapper: TrainingHooks, classes: int, seed: int) -> None:
        own = wrapper.own_loss
        self.own_loss = None if own is None else OfTensors(own)
        with deterministic(seed):
            self.network = wrapper.build(classes)
        self.seed, self.objective, self.class_weights = seed, wrapper.objective, wrapper.class_weights
        self.input_shape = channels_first(np.zeros((1, *wrapper.input_shape), np.float32)).shape
        self.frozen: list[Any] = []
        self.optimizer: Any = None
        self._specs: tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]] | None = None

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.network.parameters())

    def session(self) -> AbstractContextManager[None]:
        return deterministic()

    def enter(self, phase: Phase) -> None:
        torch = import_torch()
        self.frozen = []
        for module in self.network.modules():
            own = list(module.parameters(recurse=False))
            learns = phase.learns(module)
            if own and not learns:
                self.frozen.append(module)
            for parameter in own:
                parameter.requires_grad_(learns)
        self.learning = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(self.learning, eps=1e-7)

    def start(self, learning_rate: float, epoch: int) -> None:
        torch = import_torch()
        # Random layers draw by seed and epoch alone, so that a training that resumes draws the same.
        torch.manual_seed(int(np.random.default_rng([self.seed, epoch]).integers(2**62)))
        self.network.train()
        for module in self.frozen:
            module.eval()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate

    def step(self, inputs: NDArray[np.float32], truth: Array) -> tuple[Any, Any]:
        torch = import_torch()
        self.optimizer.zero_grad()
        outputs = self.network(torch.from_numpy(channels_first(inputs)))
        if self.own_loss is not None:
            loss, metric = self.own_loss.mean(outputs, truth)
        else:
            loss, metric = loss_of(self.objective, self.class_weights)(outputs, truth)
        loss.backward()
        try:
            self.optimizer.step()
        except RuntimeError as error:
            rate = self.optimizer.param_groups[0]["lr"]
            raise ModelError(
                f"PyTorch cannot take a step of the learning rate {rate:g}: {cause_of(error)}.",
                f"Try a learning rate below {rate:g}.",
            ) from error
        return loss.detach(), metric

    def finish(self) -> None:
        self.network.eval()

    def predict(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        torch = import_torch()
        self.network.eval()
        with torch.no_grad():
            outputs = with_head(self.network, self.objective)(torch.from_numpy(channels_first(inputs)))
        result: NDArray[np.float32] = outputs.numpy()
        if self.objective == "reconstruction":
            result = result.reshape(len(inputs), *self.input_shape[1:])
        moved: NDArray[np.float32] = channels_last(result, self.objective)
        return moved

    def state(self) -> State:
        moments = []
        for parameter in self.learning:
            state = self.optimizer.state.get(parameter, {})
            empty = {"step": np.zeros((), np.float32)}
            for key in MOMENTS:
                value = state.get(key)
                zeros = empty.get(key, np.zeros(tuple(parameter.shape), np.float32))
                moments.append(zeros if value is None else value.numpy().copy())
        return [value.numpy().copy() for value in self.network.state_dict().values()], moments

    def restore(self, network: list[Array], optimizer: list[Array]) -> None:
        torch = import_torch()
        names = self.network.state_dict().keys()
        self.network.load_state_dict(
            {name: torch.from_numpy(value) for name, value in zip(names, network, strict=True)}
        )
        # Writable copies, each of its own shape: numpy makes those without axes into scalars.
        values = iter([torch.from_numpy(np.array(value)) for value in optimizer])
        for parameter in self.learning:
            self.optimizer.state[parameter] = {key: next(values) for key in MOMENTS}

    def save(self, path: Path) -> None:
        save_program(program_of(with_head(self.network, self.objective), self.input_shape), path)
        specification = Archive(path.read_bytes(), path.name).specification()
        self._specs = specification.inputs, specification.outputs

    def specs(self) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        assert self._specs is not None, "the network is saved first"
        return self._specs


def channels_first(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples (n, ..., C) as PyTorch takes them, (n, C, ...); those of one axis, (n, values), as they are."""
    return np.ascontiguousarray(np.moveaxis(samples, -1, 1)) if samples.ndim > 2 else np.ascontiguousarray(samples)


def channels_last(outputs: Any, objective: Objective) -> Any:
    """Outputs (n, C, ...) of pixels, pictures and grids of boxes, arrays or tensors, turned to (n, ..., C)."""
    moved = objective in ("reconstruction", "pixels") or (objective == "boxes" and outputs.ndim == GRID_AXES)
    if not moved:
        return outputs
    return np.moveaxis(outputs, 1, -1) if isinstance(outputs, np.ndarray) else outputs.movedim(1, -1)


class OfTensors(OwnLoss):
    """A network's own loss, which takes tensors, for arrays of numpy."""

    def __init__(self, own: OwnLoss) -> None:
        self.own = own

    def targets(self, truth: Array) -> NDArray[np.float32]:
        return self.own.targets(truth)

    def losses(self, targets: Array, outputs: Array) -> Array:
        torch = import_torch()
        losses: Array = self.own.losses(torch.from_numpy(targets), torch.from_numpy(outputs)).numpy()
        return losses

    def hits(self, targets: Array, outputs: Array) -> tuple[Array, Array]:
        torch = import_torch()
        hits, parts = self.own.hits(torch.from_numpy(targets), torch.from_numpy(outputs))
        return hits.numpy(), parts.numpy()

    def mean(self, outputs: Any, targets: Array) -> tuple[Any, Any]:
        """Mean loss of a batch of tensors as the network gives them, and the share of its parts that is right."""
        torch = import_torch()
        outputs, right = channels_last(outputs, "boxes"), torch.from_numpy(targets)
        hits, parts = self.own.hits(right, outputs.detach())
        return self.own.losses(right, outputs).mean(), hits.sum() / parts.sum().clamp(min=1)


def with_head(network: Any, objective: Objective) -> Any:
    """The module with what makes probabilities of logits behind it, where it learns any; its input is ``input``.

    Classes are the second axis, of pixels, (n, classes, H, W), too.
    """
    torch = import_torch()
    bare = objective in REAL or objective == "boxes"
    head = [] if bare else [torch.nn.Sigmoid() if objective == "labels" else torch.nn.Softmax(1)]
    return torch.nn.Sequential(network, *head)


def loss_of(objective: Objective, weights: Sequence[float]) -> Callable[[Any, Array], tuple[Any, Any]]:
    if objective == "labels":
        return _of_labels
    if objective == "pixels":
        return partial(_of_pixels, weights=weights)
    return _mean_errors if objective in REAL else partial(_of_classes, weights=weights)


def _of_labels(logits: Any, labels: Array) -> tuple[Any, Any]:
    """Mean binary cross-entropy of the labels that are known, and the share of right ones."""
    torch = import_torch()
    truth = torch.from_numpy(labels)
    check_values(tuple(logits.shape), tuple(truth.shape))
    known = truth >= 0
    present, values = (truth == 1)[known].float(), logits.reshape(truth.shape)[known]
    count = max(values.numel(), 1)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(values, present, reduction="sum") / count
    return loss, ((values >= 0).float() == present).sum() / count


def _of_classes(logits: Any, labels: Array, weights: Sequence[float]) -> tuple[Any, Any]:
    """Mean cross-entropy, each sample with its class's weight, and the share of right classes."""
    torch = import_torch()
    truth = torch.from_numpy(labels.astype(np.int64))
    right = (logits.argmax(-1) == truth).float().mean()
    if not weights:
        return torch.nn.functional.cross_entropy(logits, truth), right
    share = torch.tensor(weights)[truth]
    losses = torch.nn.functional.cross_entropy(logits, truth, reduction="none")
    return (share * losses).sum() / share.sum().clamp(min=SMALLEST_WEIGHT), right


def _of_pixels(logits: Any, masks: Array, weights: Sequence[float]) -> tuple[Any, Any]:
    """Mean cross-entropy of the pixels that are not ignored, each with its class's weight, and the share of right ones.

    Args:
        logits: Shape (n, classes, H, W). masks: Shape (n, H, W), negative where a pixel is ignored.
        weights: One for each class; empty for 1 each.
    """
    torch = import_torch()
    truth = torch.from_numpy(masks.astype(np.int64))
    if logits.ndim != truth.ndim + 1 or (logits.shape[0], *logits.shape[2:]) != truth.shape:
        raise IncompatibleError(
            f"The network gives {list(logits.shape[1:])} a sample, and is to give {['classes', *truth.shape[1:]]}.",
            "Give logits of (n, classes, H, W), with the height and width of the input.",
        )
    known, classes = truth >= 0, truth.clamp(min=0)
    share = torch.tensor(weights)[classes] * known if weights else known.float()
    losses = torch.nn.functional.cross_entropy(logits, classes, reduction="none")
    right = ((logits.argmax(1) == truth) & known).sum()
    return (share * losses).sum() / share.sum().clamp(min=SMALLEST_WEIGHT), right / known.sum().clamp(min=1)


def _mean_errors(outputs: Any, values: Array) -> tuple[Any, Any]:
    """Mean squared and mean absolute error over the values that are known."""
    torch = import_torch()
    truth = torch.from_numpy(channels_first(values))
    check_values(tuple(outputs.shape), tuple(truth.shape))
    errors = (outputs.reshape(truth.shape) - truth)[torch.isfinite(truth)]
    count = max(errors.numel(), 1)
    return (errors**2).sum() / count, errors.detach().abs().sum() / count
