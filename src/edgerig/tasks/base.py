"""What a task is: how outputs become predictions, what of them is kept, and how it is judged and compared.

For each portion of n samples that a device has run, the engine calls `Task.decode` and `Task.keep`, and stores what
they return; after the last one it calls `Task.judge` and `Task.compare` on all of it. Neither the engine nor the report
knows more of a task.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.errors import IncompatibleError
from edgerig.measure.kinds import Unavailable
from edgerig.plugins import Plugin
from edgerig.tasks.evidence import Evidence
from edgerig.tasks.judgement import Agreement, Quality
from edgerig.tasks.metrics import Metric
from edgerig.tasks.samples import LabelledSamples, TargetVariable
from edgerig.tasks.tensors import NamedArrays

Array = NDArray[Any]
#: What is kept of n samples: arrays by name, each of shape (n, ...).
Kept = Mapping[str, Array]


class Reference:
    """What the float model predicts for the samples that are judged.

    Attributes:
        source: What made it, for sentences. predictions: As `Task.decode` returned them, shape (n, ...).
    """

    def __init__(self, source: str, predictions: Array) -> None:
        self.source, self.predictions = source, predictions


class Task(Plugin, ABC):
    """What a network is for.

    Args:
        settings: The task's settings.
        classes: The dataset's class names, in the order of labels; empty where it has none.
        metrics: Makes the metrics of a dataset that has its own.
        dataset: The dataset's name, for messages.
        targets: What a regression predicts, in the order of `Samples.truth`; empty where that is not known.

    Class attributes:
        judged: Whether labels mean something, so that there is a quality.
        kept: Names of the arrays that `keep` returns; lower-case letters and underscores.
        identity: The one of these that is equal for equal outputs.
        needs_inputs: Whether predictions depend on the inputs, too, as a reconstruction's error does; they are
            dequantized only then.
        in_order: Whether samples belong together in their order, as the frames of a stream do: where not all are run,
            the first ones are, and not some from all over the split.
        one_output: Whether it judges one output, which the user has to name where a network has several. A task that
            judges several gets all of them, or the named one alone.

    Attributes:
        chosen: What `choose` returned for the float model; empty before, and where nothing was chosen.
    """

    judged: ClassVar[bool] = True
    kept: ClassVar[tuple[str, ...]] = ("scores",)
    identity: ClassVar[str] = "scores"
    needs_inputs: ClassVar[bool] = False
    in_order: ClassVar[bool] = False
    one_output: ClassVar[bool] = True

    def __init__(
        self,
        settings: Any = None,
        *,
        classes: Sequence[str] = (),
        metrics: Callable[[], list[Metric]] | None = None,
        dataset: str = "",
        targets: Sequence[TargetVariable] = (),
    ) -> None:
        super().__init__(settings)
        self.classes, self.dataset, self.targets = tuple(classes), dataset, tuple(targets)
        self._metrics = metrics
        self.chosen: Mapping[str, float] = {}

    def check(self, outputs: Sequence[TensorSpec], judged: int, batch: int, left_out: Sequence[str] = ()) -> None:
        """Check, before the device is bothered, that a network's outputs fit the dataset.

        Args:
            outputs: All outputs of the network; an axis of unknown size is -1.
            judged: Which of them is judged.
            batch: Samples of an inference.
            left_out: Outputs that are no tensors, with their types.

        Raises:
            IncompatibleError: They do not fit.
        """

    def check_truth(self, outputs: Sequence[TensorSpec], judged: int, truth: Array) -> None:
        """Check, before the device is bothered, that outputs fit what the dataset says is right.

        Args:
            outputs, judged: As for `check`, which has accepted them.
            truth: Of one sample, shape (1, ...).

        Raises:
            IncompatibleError: They do not fit.
        """

    def check_with_input(self, outputs: Sequence[TensorSpec], judged: int, given: TensorSpec) -> None:
        """Check, beside `check`, that outputs fit what the network is fed; for tasks that `needs_inputs`.

        Args:
            outputs, judged: As for `check`.
            given: The network's input; its first axis counts the samples of an inference. Of several inputs, or none,
                see `fed_inputs`, one with all of their values.

        Raises:
            IncompatibleError: They do not fit.
        """

    def fed_inputs(self, names: Sequence[str]) -> tuple[int, ...]:
        """Which of a network's inputs `decode_with_inputs` gets, by their positions; for tasks that `needs_inputs`.

        Args:
            names: Of all inputs.

        Raises:
            IncompatibleError: There are several, as by default; or none of a name that was asked for.
        """
        if len(names) == 1:
            return (0,)
        raise IncompatibleError(
            f"The network has {len(names)} inputs ({', '.join(names)}), and task {self.name!r} judges a network by the "
            "only one.",
            "Choose another task; --task none measures speed alone.",
        )

    def decode(self, outputs: NamedArrays, judged: int) -> Array:
        """The predictions for n samples, shape (n, ...).

        Args:
            outputs: All outputs of the network for these samples, dequantized, each of shape (n, ...), by
                position or name: ``outputs[judged]``, ``outputs["scores"]``. One that is not read costs nothing.
            judged: Which of them is judged, for a task that judges `one_output`.
        """
        values = outputs[judged]
        return values.reshape(len(values), -1).astype(np.float32, copy=False)

    def decode_with_inputs(self, outputs: NamedArrays, judged: int, inputs: Array) -> Array:
        """`decode` of a task that `needs_inputs`; the engine calls this one then.

        Args:
            outputs, judged: As for `decode`.
            inputs: What the network was fed, shape (n, ...), in its layout and dequantized: with the error that
                quantizing its input made. Of several inputs, or none, see `fed_inputs`, all values one input after
                another, shape (n, values).
        """
        return self.decode(outputs, judged)

    def predictions(self, outputs: NamedArrays, judged: int, inputs: Callable[[], Array]) -> Array:
        """The predictions for n samples, by that one of the two which the task wants.

        Args:
            outputs, judged: As for `decode`.
            inputs: Makes those of `decode_with_inputs`.
        """
        return self.decode_with_inputs(outputs, judged, inputs()) if self.needs_inputs else self.decode(outputs, judged)

    def join(self, predictions: Array, windows: NDArray[np.int64]) -> Array:
        """The predictions for n samples that were cut into windows, shape (n, ...), out of those for their windows.

        Args:
            predictions: From `decode`, for the windows of one sample after another, shape (sum of ``windows``, ...).
            windows: How many each sample has, shape (n,).

        Raises:
            IncompatibleError: The task takes one inference a sample, as by default.
        """
        raise IncompatibleError(
            f"Dataset {self.dataset!r} cuts its samples into windows, and task {self.name!r} takes one inference a "
            "sample.",
            "Choose a task that puts windows together, such as anomaly, or none for speed alone.",
        )

    def keep(self, predictions: Array, truth: Array, reference: Array | None) -> dict[str, Array]:
        """What is kept of n samples, and stored in the bundle: the arrays named in `kept`, each of shape (n, ...).

        Large predictions, such as class maps, are reduced to counts here.

        Args:
            predictions: From `decode`.
            truth: What the dataset says is right, shape (n, ...).
            reference: The float model's predictions for these samples, where there is one.
        """
        return {"scores": predictions}

    @property
    def chooses(self) -> bool:
        """Whether `choose` is to be called: predictions for the validation split are made only then."""
        return False

    def choose(self, predictions: Array, truth: Array) -> dict[str, float]:
        """What the float model's predictions for the validation split decide, such as a threshold.

        All networks that are compared with that model are judged by it; see `with_choice`.

        Args:
            predictions: The float model's for the whole validation split, shape (n, ...), as from `decode`.
            truth: What is right, shape (n, ...).

        Raises:
            DatasetError: The validation split does not allow a choice. It is reported, and nothing is chosen.
        """
        return {}

    def with_choice(self, choice: Mapping[str, float]) -> Self:
        """This task with ``choice``, which `choose` made, as its ``chosen``."""
        other = copy.copy(self)
        other.chosen = choice
        return other

    @abstractmethod
    def judge(self, kept: Kept, samples: LabelledSamples) -> Quality:
        """The quality of the predictions.

        Args:
            kept: What was kept of the n samples: the arrays named in `kept`, each of shape (n, ...).
            samples: The samples, with what is right.
        """

    @abstractmethod
    def compare(
        self, kept: Kept, reference: Reference, samples: LabelledSamples, pictures: int
    ) -> Agreement | Unavailable:
        """The predictions against the float model's, sample by sample, or why there is no comparison.

        Args:
            kept: What was kept of the n samples.
            reference: The float model's predictions for the same samples.
            samples: The samples.
            pictures: Number of samples whose pictures are stored with it.
        """

    def stored(self, kept: Kept, samples: LabelledSamples) -> dict[str, Array]:
        """The arrays of n samples that the bundle stores; by default what was kept."""
        return dict(kept)

    def known(self, stored: Kept) -> NDArray[np.bool_]:
        """Which of n samples are judged, shape (n,); by default all, others lack a label or a finite value.

        Args:
            stored: What the bundle stores of them, as from `stored`.
        """
        return np.ones(len(next(iter(stored.values()), ())), bool)

    def evidence(self, stored: Kept) -> Evidence | None:
        """What verdicts on the quality of two networks are made of; None, as by default, where there are none.

        Args:
            stored: What the bundle stores of n samples, as from `stored`, all of them `known`. It may be of another
                run, and of fewer samples than that ran.
        """
        return None
