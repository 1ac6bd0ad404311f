"""Checkpoints of a training: the complete state before the next epoch, in one file that is written atomically."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.errors import IncompatibleError, ModelError

VERSION = 1


class EpochRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one epoch; ``seconds`` are wall clock.

    Of classes losses are mean cross-entropies in nats, and accuracies shares; of real values losses are mean squared
    errors, and ``mae`` is the mean absolute error. Those without ``val_`` are means over the epoch's batches as they
    were trained; the others are those of the network after the epoch.
    """

    epoch: int
    loss: float
    val_loss: float
    learning_rate: float
    seconds: float
    accuracy: float | msgspec.UnsetType = msgspec.UNSET
    val_accuracy: float | msgspec.UnsetType = msgspec.UNSET
    mae: float | msgspec.UnsetType = msgspec.UNSET
    val_mae: float | msgspec.UnsetType = msgspec.UNSET


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that must be equal for a training to resume from a checkpoint.

    The order of samples and their augmentation follow from the seed and the epoch's number alone, so that these two
    are the whole state of shuffling.
    """

    model: str
    model_settings: dict[str, Any]
    train_settings: dict[str, Any]
    dataset: str
    classes: tuple[str, ...]
    train_fingerprint: str
    validation_fingerprint: str
    preprocessing: str

    @property
    def hash(self) -> str:
        """Hex SHA-256 of all of it."""
        return files.digest(self)


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """State after ``len(history)`` epochs: the model's variables in their order (random state of layers included),
    the optimizer's, and what was trained how."""

    identity: Identity
    history: tuple[EpochRecord, ...]
    model: list[NDArray[Any]]
    optimizer: list[NDArray[Any]]


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    hash: str
    identity: Identity
    history: tuple[EpochRecord, ...]
    model: int
    optimizer: int


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write ``checkpoint`` to ``path`` atomically: a kill at any moment leaves the previous one.

    Raises:
        StorageError: The file cannot be written.
    """
    header = _Header(
        version=VERSION,
        hash=checkpoint.identity.hash,
        identity=checkpoint.identity,
        history=checkpoint.history,
        model=len(checkpoint.model),
        optimizer=len(checkpoint.optimizer),
    )
    arrays = {f"v{index}": array for index, array in enumerate([*checkpoint.model, *checkpoint.optimizer])}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, header=np.frombuffer(msgspec.json.encode(header), np.uint8), **arrays)
    files.write_bytes(path, buffer.getbuffer())


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ModelError: The file is missing, damaged, or no checkpoint.
    """
    hint = f"Delete {path}, or leave out --resume, to start from the beginning."
    try:
        with np.load(path, allow_pickle=False) as archive:
            header = msgspec.json.decode(archive["header"].tobytes(), type=_Header)
            arrays = [archive[f"v{index}"] for index in range(header.model + header.optimizer)]
    except OSError as error:
        raise ModelError(f"Cannot read the checkpoint {path}: {error.strerror or error}.", hint) from error
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, msgspec.MsgspecError) as error:
        raise ModelError(f"The checkpoint {path} is damaged: {error}.", hint) from error
    if header.version != VERSION or header.hash != header.identity.hash:
        raise ModelError(f"The checkpoint {path} was written by another version of edgerig.", hint)
    return Checkpoint(
        identity=header.identity,
        history=header.history,
        model=arrays[: header.model],
        optimizer=arrays[header.model :],
    )


def check_identity(stored: Identity, wanted: Identity, path: Path) -> None:
    """Refuse a checkpoint of another training.

    Raises:
        IncompatibleError: Something differs; names what, with both values.
    """
    if stored.hash == wanted.hash:
        return
    before, now = _flat(stored), _flat(wanted)
    different = [
        f"{key} was {_short(before.get(key))}, is {_short(now.get(key))}"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    ]
    raise IncompatibleError(
        f"The checkpoint {path} belongs to another training: {'; '.join(different)}.",
        "Use the same settings, or another --out, or leave out --resume to start from the beginning.",
    )


def _flat(identity: Identity) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in msgspec.to_builtins(identity).items():
        if isinstance(value, dict):
            prefix = "model setting " if key == "model_settings" else ""
            flat |= {f"{prefix}{name}": item for name, item in value.items()}
        else:
            flat[key.replace("_", " ")] = value
    return flat


def _short(value: Any) -> str:
    if isinstance(value, str) and len(value) == 64:
        return value[:12]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value[:12]))}{', ...' if len(value) > 12 else ''}]"
    return str(value)
