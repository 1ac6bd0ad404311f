"""Event files that TensorBoard reads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from edgerig.errors import storing
from edgerig.models.training.checkpoint import EpochRecord

#: The scalars of each epoch, by the names of `EpochRecord`; those that an epoch has.
SCALARS = ("loss", "accuracy", "mae", "val_loss", "val_accuracy", "val_mae", "learning_rate")


class EventLog:
    """Writes scalars by epoch to the folder ``logdir``; without a folder does nothing."""

    def __init__(self, writer: Any = None) -> None:
        self.writer = writer

    def write(self, record: EpochRecord) -> None:
        """Write the scalars of one epoch, through to the disk.

        Raises:
            StorageError: The folder cannot be written.
        """
        if self.writer is None:
            return
        with storing(self.writer.logdir):
            for name in SCALARS:
                value = getattr(record, name)
                if value is not msgspec.UNSET:
                    self.writer.add_scalar(name, value, record.epoch)
            self.writer.flush()


@contextlib.contextmanager
def event_log(logdir: Path | None, epochs_done: int) -> Iterator[EventLog]:
    """A log for the epochs after the first ``epochs_done``.

    Raises:
        StorageError: The folder cannot be made.
    """
    if logdir is None:
        yield EventLog()
        return
    from tensorboardX import SummaryWriter

    with storing(logdir):
        logdir.mkdir(parents=True, exist_ok=True)
        # TensorBoard must ignore what a killed training wrote beyond its last checkpoint.
        writer = SummaryWriter(str(logdir), purge_step=epochs_done + 1 if epochs_done else None)
    try:
        yield EventLog(writer)
    finally:
        writer.close()
