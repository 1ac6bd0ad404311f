"""The base class of networks that edgerig's own loop trains, whatever their framework."""

from __future__ import annotations

from pathlib import Path

from edgerig.artifact import Artifact
from edgerig.datasets.base import Dataset
from edgerig.models.base import TrainSettings
from edgerig.models.training.hooks import TrainingHooks
from edgerig.models.training.loop import train
from edgerig.progress import Progress


class TrainedModel(TrainingHooks):
    """A network that edgerig's own loop trains; a framework's base class derives from it and fills in `learner`."""

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
        self.require()
        return train(self, dataset, settings, out, resume=resume, logdir=logdir, progress=progress or Progress())
