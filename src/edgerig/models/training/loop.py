"""Training of a network on a dataset: epochs, checkpoints, logs, and the artifact at the end."""

from __future__ import annotations

import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import __version__, files, formats
from edgerig.artifact import UNTRAINED, Artifact, Origin
from edgerig.datasets.base import Dataset, Samples
from edgerig.errors import DatasetError, IncompatibleError, Interrupted
from edgerig.models.base import TakesSamples, TrainSettings, check_input, check_trainable
from edgerig.models.training import checkpoint as checkpoints
from edgerig.models.training.batches import Feed
from edgerig.models.training.checkpoint import Checkpoint, EpochRecord, Identity
from edgerig.models.training.event_log import EventLog, event_log
from edgerig.models.training.learner import Learner
from edgerig.models.training.phase import Phase
from edgerig.models.training.scores import Score, check_losses, score_of
from edgerig.progress import Progress, Task

#: Samples per batch for evaluation.
EVALUATION_BATCH = 256
#: The same for networks that give a class for each pixel, whose activations are large.
MASKS_AT_ONCE = 16
#: Steps between two reads of the loss. Each read waits for the device.
LOOK_EVERY = 16
#: Axes of masks: (n, H, W).
MASK_AXES = 3


def checkpoint_path(out: Path, name: str) -> Path:
    """The path of the checkpoint that a training writes into ``out``."""
    return out / f"{name}.checkpoint.npz"


def history_path(out: Path, name: str) -> Path:
    """The path of the losses and accuracies that a training writes into ``out``, by epoch, as JSON."""
    return out / f"{name}.history.json"


class Trainable(TakesSamples, Protocol):
    """A network that one framework builds, with its settings and training phases.

    Attributes:
        makes: Name of the format in which it is saved.
        per_pixel: Whether it learns a class for each pixel, from masks.
    """

    makes: ClassVar[str]
    per_pixel: ClassVar[bool]
    settings: Any

    def learner(self, classes: int, seed: int) -> Learner:
        """A fresh network with ``classes`` outputs, whose weights follow from ``seed``, within its framework."""

    def augment(self, batch: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """A changed copy of a training batch, shape (n, ...)."""

    def augment_masked(
        self, batch: NDArray[np.float32], masks: NDArray[np.int32], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Changed copies of a batch of images and of their masks, moved alike."""

    @property
    def class_weights(self) -> tuple[float, ...]:
        """Weight of each class's pixels in the loss; empty for 1 each."""

    def phases(self, settings: TrainSettings) -> tuple[Phase, ...]:
        """The phases of a training, in order."""


def train(
    wrapper: Trainable,
    dataset: Dataset,
    settings: TrainSettings,
    out: Path,
    *,
    resume: bool,
    logdir: Path | None,
    progress: Progress,
) -> Artifact:
    """Train ``wrapper`` on ``dataset``; see `edgerig.models.base.ModelWrapper.train`.

    Equal settings, dataset, machine and library versions give equal weights, interrupted and resumed or not.

    Raises:
        IncompatibleError: Dataset and network, or checkpoint and settings, do not fit.
        ModelError: The loss became NaN or infinite; the last checkpoint is damaged.
    """
    files.check_writable(out)
    check_trainable(wrapper, dataset)
    dataset.prepare(progress)
    run = _Run(wrapper, dataset, settings, out, progress)
    if resume:
        run.restore()
    try:
        with run.learner.session():
            with event_log(logdir, len(run.history)) as log:
                run.train(log)
            score = run.evaluate() if run.plan else None
        return run.save(score)
    except KeyboardInterrupt:
        raise _interrupted(run) from None


class _Run:
    """One training in progress."""

    def __init__(
        self, wrapper: Trainable, dataset: Dataset, settings: TrainSettings, out: Path, progress: Progress
    ) -> None:
        self.wrapper, self.dataset, self.settings = wrapper, dataset, settings
        self.out, self.progress = out, progress
        self.preprocessing = wrapper.preprocessing(dataset)
        self.plan = _plan(wrapper, settings)
        train, validation = dataset.split("train"), dataset.split("validation")
        if settings.train_samples is not None:
            train = train.take(np.arange(min(settings.train_samples, len(train))))
        masked = wrapper.per_pixel
        _check_form(wrapper, dataset, train.truth(slice(0, 1), self.preprocessing).ndim)
        if not masked:
            _check_labels(dataset, train, validation)
        self.train_feed = Feed(train, self.preprocessing, settings.batch_size, masked=masked)
        check_input(wrapper, dataset, self.train_feed.shape)
        self.evaluation_batch = MASKS_AT_ONCE if masked else EVALUATION_BATCH
        self.validation_feed = Feed(validation, self.preprocessing, self.evaluation_batch, masked=masked)
        self.identity = self._identity(train, validation)
        self.learner = wrapper.learner(len(dataset.classes), settings.seed)
        self.phase: Phase | None = None
        self.history: tuple[EpochRecord, ...] = ()

    def _identity(self, train: Samples, validation: Samples) -> Identity:
        train_settings = _plain(self.settings)
        # A larger number of epochs is compatible, unless another phase follows.
        if len({id(phase) for phase, _ in self.plan}) <= 1:
            del train_settings["epochs"]
        return Identity(
            model=self.wrapper.name,
            model_settings=_plain(self.wrapper.settings),
            train_settings=train_settings,
            dataset=self.dataset.name,
            classes=self.dataset.classes,
            train_fingerprint=train.fingerprint,
            validation_fingerprint=validation.fingerprint,
            preprocessing=self.preprocessing.hash,
        )

    @property
    def checkpoint(self) -> Path:
        return checkpoint_path(self.out, self.wrapper.name)

    def restore(self) -> None:
        """Restore the last checkpoint, if there is one."""
        if not self.checkpoint.exists():
            return
        stored = checkpoints.load(self.checkpoint)
        checkpoints.check_identity(stored.identity, self.identity, self.checkpoint)
        done = len(stored.history)
        if done > len(self.plan):
            raise IncompatibleError(
                f"{self.checkpoint} is {done} epochs old, more than the {len(self.plan)} that were asked for.",
                f"Ask for --epochs {done} or more, or leave out --resume to start from the beginning.",
            )
        self._enter_phase(self.plan[done - 1][0])
        self.learner.restore(stored.model, stored.optimizer)
        self.history = stored.history
        self.progress.log(f"Resuming after epoch {done} of {len(self.plan)}.")

    def train(self, log: EventLog) -> None:
        for epoch in range(len(self.history), len(self.plan)):
            record = self._epoch(epoch)
            self.history = (*self.history, record)
            self._keep()
            log.write(record)

    def _enter_phase(self, phase: Phase) -> None:
        """Set the trainable layers, with a new optimizer if they differ from those before."""
        if phase is self.phase:
            return
        self.phase = phase
        self.learner.enter(phase)

    def _epoch(self, epoch: int) -> EpochRecord:
        started = time.monotonic()
        phase, rate = self.plan[epoch]
        self._enter_phase(phase)
        title = f" ({phase.title})" if phase.title else ""
        name = f"Training {self.wrapper.name}, epoch {epoch + 1} of {len(self.plan)}{title}"
        with self.progress.task(name, self.train_feed.steps) as task:
            trained = self._steps(epoch, rate, task)
            validated = score_of(self.learner.predict, self.validation_feed.in_order())
            record = EpochRecord(
                epoch=epoch + 1,
                loss=trained.loss,
                accuracy=trained.accuracy,
                val_loss=validated.loss,
                val_accuracy=validated.accuracy,
                learning_rate=rate,
                seconds=round(time.monotonic() - started, 3),
            )
            task.advance(0, _note(trained) + f", validation accuracy {validated.accuracy:.2%}")
        return record

    def _steps(self, epoch: int, rate: float, task: Task) -> Score:
        losses: list[float] = []
        accuracies: list[float] = []
        waiting: list[tuple[Any, Any]] = []

        def look() -> None:
            first = len(losses) + 1
            losses.extend(float(loss) for loss, _ in waiting)
            accuracies.extend(float(accuracy) for _, accuracy in waiting)
            waiting.clear()
            check_losses(losses[first - 1 :], first, epoch + 1, rate)
            task.advance(len(losses) + 1 - first, _note(_mean(losses, accuracies)))

        self.learner.start(rate, epoch)
        together = self.wrapper.augment_masked if self.wrapper.per_pixel else None
        for inputs, labels in self.train_feed.shuffled(self.settings.seed, epoch, self.wrapper.augment, together):
            waiting.append(self.learner.step(inputs, labels))
            if len(waiting) == LOOK_EVERY:
                look()
        look()
        self.learner.finish()
        return _mean(losses, accuracies)

    def _keep(self) -> None:
        network, optimizer = self.learner.state()
        state = Checkpoint(identity=self.identity, history=self.history, model=network, optimizer=optimizer)
        checkpoints.save(state, self.checkpoint)
        files.write_json(history_path(self.out, self.wrapper.name), {"identity": self.identity, "epochs": self.history})

    def evaluate(self) -> Score:
        """Evaluate on the test split."""
        test = self.dataset.split("test")
        with self.progress.task(f"Evaluating {self.wrapper.name} on {len(test)} test samples") as task:
            feed = Feed(test, self.preprocessing, self.evaluation_batch, masked=self.wrapper.per_pixel)
            score = score_of(self.learner.predict, feed.in_order())
            task.advance(0, f"accuracy {score.accuracy:.2%}")
        return score

    def save(self, score: Score | None) -> Artifact:
        """Write the model with its description; ``score``: None where it was not trained."""
        path = self.out / f"{self.wrapper.name}{formats.named(self.wrapper.makes).suffixes[0]}"
        self.learner.save(path)
        inputs, outputs = self.learner.specs()
        artifact = Artifact(
            name=self.wrapper.name,
            format=self.wrapper.makes,
            sha256=files.sha256_file(path),
            size=path.stat().st_size,
            inputs=inputs,
            outputs=outputs,
            path=str(path),
            preprocessing=self.preprocessing,
            classes=self.dataset.classes,
            origins=(self._origin(score),),
        )
        artifact.save()
        return artifact

    def _origin(self, score: Score | None) -> Origin:
        options: dict[str, Any] = {
            "model": self.wrapper.name,
            "model_settings": self.identity.model_settings,
            "train_settings": _plain(self.settings),
            "dataset": self.dataset.name,
            "dataset_settings": _plain(self.dataset.settings),
            "train_samples": len(self.train_feed.samples),
            "fingerprints": {
                "train": self.identity.train_fingerprint,
                "validation": self.identity.validation_fingerprint,
                "test": self.dataset.split("test").fingerprint,
            },
            "parameters": self.learner.parameters,
        }
        if score is None:
            options[UNTRAINED] = True
        else:
            last = self.history[-1]
            options |= {
                "accuracy": score.accuracy,
                "loss": score.loss,
                "test_samples": score.n,
                "val_accuracy": last.val_accuracy,
                "val_loss": last.val_loss,
            }
        packages = {name: version(name) for name in self.learner.packages}
        return Origin(
            tool="train",
            options=options,
            versions={"edgerig": __version__, **packages},
            seconds=round(sum(record.seconds for record in self.history), 3),
        )


def _plan(wrapper: Trainable, settings: TrainSettings) -> tuple[tuple[Phase, float], ...]:
    """Phase and learning rate of each epoch."""
    return tuple(
        (phase, float(phase.learning_rate * settings.learning_rate_decay**epoch))
        for phase in wrapper.phases(settings)
        for epoch in range(phase.epochs)
    )


def _check_form(wrapper: Trainable, dataset: Dataset, axes: int) -> None:
    """Check that there are masks for a network of class maps, and labels for others; ``axes`` of what is right."""
    if wrapper.per_pixel != (axes == MASK_AXES):
        has = "masks" if axes == MASK_AXES else "one label a sample"
        learns = "a class for each pixel" if wrapper.per_pixel else "one class a sample"
        raise IncompatibleError(
            f"Model {wrapper.name!r} learns {learns}, dataset {dataset.name!r} has {has}.",
            "Choose a model and a dataset for the same task: edgerig list datasets, edgerig list models.",
        )
    weights, count = wrapper.class_weights, len(dataset.classes)
    if weights and (len(weights) != count or not any(weights)):
        raise IncompatibleError(
            f"Model {wrapper.name!r} has {len(weights)} class weights for the {count} classes of dataset "
            f"{dataset.name!r}.",
            "Give one weight for each class, not all of them 0.",
        )


def _check_labels(dataset: Dataset, *splits: Samples) -> None:
    if not dataset.classes:
        raise IncompatibleError(
            f"Dataset {dataset.name!r} has no classes to learn.", "Train on a dataset for classification."
        )
    for samples in splits:
        bad = np.flatnonzero((samples.labels < 0) | (samples.labels >= len(dataset.classes)))
        if bad.size:
            raise DatasetError(
                f"Sample {bad[0]} of dataset {dataset.name!r} has the label {samples.labels[bad[0]]}, "
                f"which is none of its {len(dataset.classes)} classes.",
                "Correct the labels; they count from 0.",
            )


def _plain(settings: msgspec.Struct) -> dict[str, Any]:
    """Settings as they are after a round trip through JSON: tuples are lists."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(settings))
    return plain


def _mean(losses: list[float], accuracies: list[float]) -> Score:
    return Score(float(np.mean(losses)), float(np.mean(accuracies)), len(losses))


def _note(score: Score) -> str:
    return f"loss {score.loss:.4f}, accuracy {score.accuracy:.2%}"


def _interrupted(run: _Run) -> Interrupted:
    done = len(run.history)
    if not done:
        return Interrupted("Training was stopped before the end of its first epoch; nothing was kept.")
    return Interrupted(
        f"Training was stopped after epoch {done} of {len(run.plan)}, which is kept in {run.checkpoint}.",
        "Repeat the command with --resume to go on from there.",
    )
