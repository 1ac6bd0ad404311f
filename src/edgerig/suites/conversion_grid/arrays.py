"""Samples of a network on disk: inputs by name, and outputs by position."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def store_inputs(path: Path, samples: Sequence[dict[str, Array]]) -> None:
    """Write samples as one .npz file; names may be anything."""
    names = list(samples[0])
    arrays: dict[str, Any] = {
        f"{index}_{names.index(name)}": value for index, sample in enumerate(samples) for name, value in sample.items()
    }
    np.savez(path, names=np.array(names), **arrays)


def load_inputs(path: Path) -> list[dict[str, Array]]:
    """What `store_inputs` wrote."""
    with np.load(path) as file:
        names = [str(name) for name in file["names"]]
        count = (len(file.files) - 1) // max(len(names), 1)
        return [{name: file[f"{index}_{at}"] for at, name in enumerate(names)} for index in range(count)]


def store_outputs(path: Path, samples: Sequence[Sequence[Array]]) -> None:
    """Write the outputs of each sample as one .npz file."""
    arrays: dict[str, Any] = {
        f"{index}_{at}": value for index, sample in enumerate(samples) for at, value in enumerate(sample)
    }
    np.savez(path, **arrays)


def load_outputs(path: Path) -> tuple[tuple[Array, ...], ...]:
    """What `store_outputs` wrote."""
    with np.load(path) as file:
        keys = [tuple(int(part) for part in name.split("_")) for name in file.files]
        samples, outputs = (max(key[side] for key in keys) + 1 for side in (0, 1))
        return tuple(tuple(file[f"{index}_{at}"] for at in range(outputs)) for index in range(samples))
