"""What a training leaves: the network's file, and its description."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgerig import __version__, files, formats
from edgerig.artifact import UNTRAINED, WARNING, Artifact, Origin
from edgerig.models.training.checkpoint import EpochRecord
from edgerig.models.training.job import Job, plain
from edgerig.models.training.learner import Learner
from edgerig.models.training.scores import Score


def save(
    job: Job,
    learner: Learner,
    history: tuple[EpochRecord, ...],
    score: Score | None,
    doubts: Sequence[str],
    out: Path,
) -> Artifact:
    """Write the network with its description to ``out``.

    Args:
        score: On the test split, None where it was not trained. doubts: Why that is no better than a guess.

    Raises:
        StorageError: It cannot be written.
    """
    wrapper = job.wrapper
    path = out / f"{wrapper.name}{formats.named(wrapper.makes).suffixes[0]}"
    learner.save(path)
    inputs, outputs = learner.specs()
    artifact = Artifact(
        name=wrapper.name,
        format=wrapper.makes,
        sha256=files.sha256_file(path),
        size=path.stat().st_size,
        inputs=inputs,
        outputs=outputs,
        path=str(path),
        preprocessing=job.preprocessing,
        classes=job.dataset.classes,
        origins=(_origin(job, learner, history, score, doubts),),
    )
    artifact.save()
    return artifact


def _origin(
    job: Job, learner: Learner, history: tuple[EpochRecord, ...], score: Score | None, doubts: Sequence[str]
) -> Origin:
    options: dict[str, Any] = {
        "model": job.wrapper.name,
        "model_settings": job.identity.model_settings,
        "train_settings": plain(job.settings),
        "dataset": job.dataset.name,
        "dataset_settings": plain(job.dataset.settings),
        "train_samples": len(job.samples),
        "fingerprints": {
            "train": job.identity.train_fingerprint,
            "validation": job.identity.validation_fingerprint,
            "test": job.dataset.split("test").fingerprint,
        },
        "parameters": learner.parameters,
    }
    if score is None:
        options[UNTRAINED] = True
    else:
        last = history[-1]
        options |= {
            score.metric: score.value,
            "loss": score.loss,
            "test_samples": len(job.learnt_from("test")),
            f"val_{score.metric}": getattr(last, f"val_{score.metric}"),
            "val_loss": last.val_loss,
        }
        if doubts:
            options[WARNING] = " ".join(doubts)
    return Origin(
        tool="train",
        options=options,
        versions={"edgerig": __version__, **{name: version(name) for name in learner.packages}},
        seconds=round(sum(record.seconds for record in history), 3),
    )
