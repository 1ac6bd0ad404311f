"""Fine-tuning of a program of torch.export, which was exported for one sample and in evaluation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.compilers.compression.fine_tuning import NO_TUNING, are_probabilities
from edgerig.compilers.compression.network import Held, Learner
from edgerig.compilers.compression.torch_graph import SHAPED, operator_of, shape_of, unlifted
from edgerig.datasets.network_inputs import NetworkInputs
from edgerig.errors import IncompatibleError
from edgerig.models.base import Objective
from edgerig.models.torch.engine import deterministic, import_torch
from edgerig.models.torch.learner import channels_last, loss_of
from edgerig.models.training.batches import Feed
from edgerig.models.training.scores import EPSILON
from edgerig.text import cause_of

#: The position of the argument that says whether an operator is trained.
TRAINS_AT = {"batch_norm": 5, "instance_norm": 5, "dropout": 2, "feature_dropout": 2, "alpha_dropout": 2}
#: How far outputs of samples by themselves and together may be apart, times the largest of them.
TOLERANCE = 1e-4


class ProgramLearner(Learner):
    """Trains the parameters of a program, and lets its normalizations take the statistics of batches."""

    def __init__(
        self,
        program: Any,
        inputs: NetworkInputs,
        dataset: str,
        feed: Feed,
        objective: Objective,
        held: Held,
        seed: int,
    ) -> None:
        self.program, self.inputs, self.dataset = program, inputs, dataset
        self.objective, self.held, self.seed = objective, held, seed
        self.network, self.evaluated = unlifted(program), unlifted(program)
        for module in (self.network, self.evaluated):
            _let_batches_in(module)
        # The statistics of one sample alone are none.
        _set_training(self.network, normalizes=feed.batch_size > 1)
        first, _ = next(iter(feed.in_order()))
        self._check_batches(first)
        self.probabilities = objective != "targets" and are_probabilities(self.outputs(first), objective)
        self.optimizer: Any = None

    @contextlib.contextmanager
    def session(self) -> Iterator[None]:
        torch = import_torch()
        parameters = dict(self.network.named_parameters())
        for parameter in parameters.values():
            parameter.requires_grad_(True)
        masks = {name: torch.from_numpy(np.array(mask)) for name, mask in self.held.masks.items()}
        members = {name: torch.from_numpy(own.astype(np.int64)) for name, own in self.held.members.items()}
        self._masks = [(parameters[name], mask) for name, mask in masks.items()]
        self._members = [(parameters[name], own, own.reshape(-1).bincount()) for name, own in members.items()]
        self.optimizer = torch.optim.Adam(parameters.values(), eps=1e-7)
        with deterministic(self.seed):
            yield
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                self.program.state_dict[name].copy_(value)
        self.evaluated = unlifted(self.program)
        _let_batches_in(self.evaluated)

    def start(self, learning_rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate

    def step(self, inputs: NDArray[np.float32], truth: NDArray[Any]) -> Any:
        self.optimizer.zero_grad()
        outputs = self.network(self._tensor(inputs))
        loss, _ = loss_of(self.objective, ())(self._logits(outputs), truth)
        loss.backward()
        self.optimizer.step()
        self._hold()
        return loss.detach()

    def finish(self) -> None:
        """Nothing to do: what was learned is put back at the end of the session."""

    def outputs(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        torch = import_torch()
        with torch.no_grad():
            outputs = self.evaluated(self._tensor(inputs)).numpy()
        moved: NDArray[np.float32] = channels_last(outputs, self.objective)
        return moved

    def _tensor(self, inputs: NDArray[np.float32]) -> Any:
        (fitted,) = self.inputs.fitted({"": inputs}, self.dataset)
        return import_torch().from_numpy(np.ascontiguousarray(fitted, np.float32))

    def _logits(self, outputs: Any) -> Any:
        """What the losses of PyTorch take: probabilities are turned back, clipped as Keras clips them."""
        if not self.probabilities:
            return outputs
        if self.objective == "labels":
            return import_torch().logit(outputs, EPSILON)
        return outputs.clamp(EPSILON, 1 - EPSILON).log()

    def _hold(self) -> None:
        torch = import_torch()
        with torch.no_grad():
            for parameter, own, sizes in self._members:
                sums = torch.zeros(len(sizes)).index_add_(0, own.reshape(-1), parameter.reshape(-1))
                parameter.copy_((sums / sizes.clamp(min=1))[own])
            for parameter, mask in self._masks:
                parameter.mul_(mask)

    def _check_batches(self, samples: NDArray[np.float32]) -> None:
        """Refuse a network that computes something else for samples that come together.

        Raises:
            IncompatibleError: It does, or cannot take several.
        """
        torch = import_torch()
        few = self._tensor(samples[:3])
        try:
            with torch.no_grad():
                together = self.evaluated(few)
                alone = torch.cat([self.evaluated(few[i : i + 1]) for i in range(len(few))])
            apart = float((together - alone).abs().max()) > TOLERANCE * max(1.0, float(alone.abs().max()))
            cause = "their outputs depend on each other" if apart else None
        except (RuntimeError, IndexError, TypeError) as error:
            cause = cause_of(error)
        if cause is not None:
            raise IncompatibleError(
                f"The network was exported for one sample, and cannot be trained on several at once: {cause}.",
                f"Does its `forward` count on a batch of one? {NO_TUNING}",
            )


def _let_batches_in(module: Any) -> None:
    """Let the graph of a module that was exported for one sample take several."""
    for node in module.graph.nodes:
        if operator_of(node) not in SHAPED:
            continue
        before, after = shape_of(node.args[0]), shape_of(node)
        if before and after and before[0] == after[0] == 1:
            node.update_arg(1, [-1, *after[1:]])
    module.recompile()


def _set_training(module: Any, *, normalizes: bool) -> None:
    for node in module.graph.nodes:
        position = TRAINS_AT.get(operator_of(node))
        if position is not None and position < len(node.args) and (normalizes or "norm" not in operator_of(node)):
            node.update_arg(position, True)
    module.recompile()
