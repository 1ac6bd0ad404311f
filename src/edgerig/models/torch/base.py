"""The base class of networks that are built with PyTorch."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgerig.models.torch.engine import import_torch
from edgerig.models.torch.learner import TorchLearner, channels_first, channels_last, with_head
from edgerig.models.training.base import TrainedModel
from edgerig.models.training.phase import Phase

#: Public names for authors of networks.
__all__ = ["Phase", "TorchModel", "import_torch"]


class TorchModel(TrainedModel):
    """A network built and trained with PyTorch, and saved as a program of torch.export (``.pt2``), channels first.

    Subclasses fill in `input_shape`, `preprocessing` and `build`, and may override `augment` and `phases`.
    """

    makes = "torch"
    extra: ClassVar[str | None] = "torch"
    modules: ClassVar[tuple[str, ...]] = ("torch", "tensorboardX")

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample as datasets have it, channels last; `build` gets it with channels first."""

    @abstractmethod
    def build(self, classes: int) -> Any:
        """A fresh ``torch.nn.Module`` from (n, C, H, W) to logits, shape (n, classes) or of pixels (n, classes, H, W),
        or to real values; with boxes to (n, numbers, rows, columns), or whatever else its `own_loss` takes."""

    def learner(self, classes: int, seed: int) -> TorchLearner:
        return TorchLearner(self, classes, seed)

    def predict(self, network: Any, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        torch = import_torch()
        with torch.no_grad():
            outputs = with_head(network, self.objective).eval()(torch.from_numpy(channels_first(batch)))
        result: NDArray[np.float32] = outputs.numpy()
        return result if self.objective == "reconstruction" else channels_last(result, self.objective)
