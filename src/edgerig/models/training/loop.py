"""Training of a network on a dataset: epochs, checkpoints, logs, and the artifact at the end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from edgerig import files
from edgerig.artifact import Artifact
from edgerig.datasets.base import Dataset, Samples
from edgerig.errors import IncompatibleError, Interrupted
from edgerig.freed_memory import keep_freed_memory
from edgerig.models.base import TrainSettings, check_input, check_trainable
from edgerig.models.training import checkpoint as checkpoints
from edgerig.models.training import result
from edgerig.models.training.batches import AugmentTogether, Feed
from edgerig.models.training.checkpoint import Checkpoint, EpochRecord
from edgerig.models.training.event_log import EventLog, event_log
from edgerig.models.training.guess import Guess
from edgerig.models.training.hooks import TrainingHooks
from edgerig.models.training.job import Job
from edgerig.models.training.objectives import metric_of, told
from edgerig.models.training.phase import Phase
from edgerig.models.training.scores import Score, check_losses, score_of
from edgerig.progress import Progress, Task

#: Samples per batch for evaluation.
EVALUATION_BATCH = 256
#: The same for networks that give a class for each pixel, whose activations are large.
MASKS_AT_ONCE = 16
#: Steps between two reads of the loss. Each read waits for the device.
LOOK_EVERY = 16


def checkpoint_path(out: Path, name: str) -> Path:
    """The path of the checkpoint that a training writes into ``out``."""
    return out / f"{name}.checkpoint.npz"


def history_path(out: Path, name: str) -> Path:
    """The path of the losses and metrics that a training writes into ``out``, by epoch, as JSON."""
    return out / f"{name}.history.json"


def train(
    wrapper: TrainingHooks,
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
    # Before the framework is imported, which fixes how its threads get memory.
    keep_freed_memory(1 << 30, ahead=64 << 20)
    files.check_writable(out)
    check_trainable(wrapper, dataset)
    dataset.prepare(progress)
    run = _Run(Job(wrapper, dataset, settings), out, progress)
    if resume:
        run.restore()
    try:
        with run.learner.session():
            with event_log(logdir, len(run.history)) as log:
                run.train(log)
            score, doubts = run.evaluate() if run.plan else (None, [])
        return result.save(run.job, run.learner, run.history, score, doubts, out)
    except KeyboardInterrupt:
        raise _interrupted(run) from None


class _Run:
    """One training in progress."""

    def __init__(self, job: Job, out: Path, progress: Progress) -> None:
        self.job, self.out, self.progress = job, out, progress
        self.wrapper, self.plan = job.wrapper, job.plan
        self.evaluation_batch = MASKS_AT_ONCE if self.wrapper.objective == "pixels" else EVALUATION_BATCH
        self.train_feed = self._feed(job.samples, job.settings.batch_size)
        check_input(self.wrapper, job.dataset, self.train_feed.shape)
        self.validation_feed = self._feed(job.validation, self.evaluation_batch)
        self.learner = self.wrapper.learner(job.outputs, job.settings.seed)
        self.metric = metric_of(self.wrapper.objective)
        self.phase: Phase | None = None
        self.history: tuple[EpochRecord, ...] = ()

    def _feed(self, samples: Samples, batch_size: int) -> Feed:
        return Feed(samples, self.job.preprocessing, batch_size, self.wrapper.objective, self.wrapper.own_loss)

    @property
    def checkpoint(self) -> Path:
        return checkpoint_path(self.out, self.wrapper.name)

    def restore(self) -> None:
        """Restore the last checkpoint, if there is one."""
        if not self.checkpoint.exists():
            return
        stored = checkpoints.load(self.checkpoint)
        checkpoints.check_identity(stored.identity, self.job.identity, self.checkpoint)
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
            validated = score_of(self.learner.predict, self.validation_feed.in_order(), self.learner.own_loss)
            record = EpochRecord(
                epoch=epoch + 1,
                loss=trained.loss,
                val_loss=validated.loss,
                learning_rate=rate,
                seconds=round(time.monotonic() - started, 3),
                **{self.metric: trained.value, f"val_{self.metric}": validated.value},
            )
            task.advance(0, _note(trained) + f", validation {told(self.metric, validated.value)}")
        return record

    def _steps(self, epoch: int, rate: float, task: Task) -> Score:
        losses: list[float] = []
        values: list[float] = []
        waiting: list[tuple[Any, Any]] = []

        def look() -> None:
            first = len(losses) + 1
            losses.extend(float(loss) for loss, _ in waiting)
            values.extend(float(value) for _, value in waiting)
            waiting.clear()
            check_losses(losses[first - 1 :], first, epoch + 1, rate)
            task.advance(len(losses) + 1 - first, _note(self._mean(losses, values)))

        self.learner.start(rate, epoch)
        wrapper = self.wrapper
        moved: dict[str, AugmentTogether] = {"pixels": wrapper.augment_masked, "boxes": wrapper.augment_boxed}
        together = moved.get(wrapper.objective)
        for inputs, truth in self.train_feed.shuffled(self.job.settings.seed, epoch, self.wrapper.augment, together):
            waiting.append(self.learner.step(inputs, truth))
            if len(waiting) == LOOK_EVERY:
                look()
        look()
        self.learner.finish()
        return self._mean(losses, values)

    def _mean(self, losses: list[float], values: list[float]) -> Score:
        return Score(float(np.mean(losses)), float(np.mean(values)), len(losses), self.metric)

    def _keep(self) -> None:
        network, optimizer = self.learner.state()
        state = Checkpoint(identity=self.job.identity, history=self.history, model=network, optimizer=optimizer)
        checkpoints.save(state, self.checkpoint)
        files.write_json(
            history_path(self.out, self.wrapper.name), {"identity": self.job.identity, "epochs": self.history}
        )

    def evaluate(self) -> tuple[Score, list[str]]:
        """Evaluate on the test split; and why that is no better than a guess, if it is not."""
        test = self.job.learnt_from("test")
        with self.progress.task(f"Evaluating {self.wrapper.name} on {len(test)} test samples") as task:
            feed = self._feed(test, self.evaluation_batch)
            guess = Guess(self.wrapper.objective, self.job.dataset.classes)
            score = score_of(self.learner.predict, feed.in_order(), self.learner.own_loss, guess.see)
            task.advance(0, told(score.metric, score.value))
        return score, guess.doubts(score)


def _note(score: Score) -> str:
    return f"loss {score.loss:.4f}, {told(score.metric, score.value)}"


def _interrupted(run: _Run) -> Interrupted:
    done = len(run.history)
    if not done:
        return Interrupted("Training was stopped before the end of its first epoch; nothing was kept.")
    return Interrupted(
        f"Training was stopped after epoch {done} of {len(run.plan)}, which is kept in {run.checkpoint}.",
        "Repeat the command with --resume to go on from there.",
    )
