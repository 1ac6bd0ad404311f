"""Statistics of pictures, of what a network said of them and of their labels, by which two versions are compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.datasets.images import read_image
from edgerig.datasets.stored.annotated import read_labels
from edgerig.datasets.stored.fetch import Wanted, fetch
from edgerig.datasets.stored.label_looks import Grouped, LabelRow, grouped, row_of, shares_of
from edgerig.datasets.stored.pin import Pinned
from edgerig.datasets.stored.samples import named_as
from edgerig.progress import Progress
from edgerig.store import Entry
from edgerig.store.parallel import in_parallel

#: Weights of red, green and blue in brightness, Rec. 601.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
#: What is measured of a picture, and its unit.
QUANTITIES = {
    "brightness": "mean of luma, 0 to 1",
    "contrast": "standard deviation of luma, 0 to 0.5",
    "saturation": "mean of (max - min) / max of RGB, 0 to 1",
    "warmth": "mean of red minus mean of blue, -1 to 1",
    "width": "pixels",
    "height": "pixels",
    "confidence": "of the network's prediction, 0 to 1",
}


class Looks(msgspec.Struct, frozen=True):
    """What is known of the pictures of a version.

    Attributes:
        address: Of the version.
        values: Of each quantity of `QUANTITIES` the values of the pictures that have it.
        predictions: The classes that a network predicted, a name for each picture that has one.
        pictures, all: How many pictures were looked at, and how many there are.
        labels: Of what they are labelled with, see `edgerig.datasets.stored.label_looks`; of those that are labelled.
    """

    address: str
    values: dict[str, NDArray[np.float64]]
    predictions: tuple[str, ...]
    pictures: int
    all: int
    labels: dict[str, Grouped] = {}


def looks_of(pinned: Pinned, most: int, progress: Progress) -> Looks:
    """Look at the pictures of a version, or at ``most`` of them, chosen by the hash of their names.

    Raises:
        DatasetError: One cannot be read; names it.
        DamagedObjectError: One is damaged in the store.
    """
    entries = sorted(pinned.version.entries, key=lambda entry: files.sha256(entry.name.encode()))[:most]
    paths = fetch(pinned, [Wanted(entry.sha256, entry.size, entry.name) for entry in entries], progress)
    names = {path: entry.name for path, entry in zip(paths, entries, strict=True)}
    # In the order of the entries, whichever is read first: bootstrap intervals depend on the order of the values.
    rows: list[dict[str, float]] = [{} for _ in paths]
    with progress.task(f"looking at {pinned.address}", len(paths)) as task, named_as(names):
        for number, row in in_parallel(lambda pair: (pair[0], look_at(pair[1])), enumerate(paths), 4):
            rows[number] = row
            task.advance()
    values = {name: np.array([row[name] for row in rows], np.float64) for name in (rows[0] if rows else {})}
    confidences = _confidences(entries)
    if confidences:
        values["confidence"] = np.array(confidences)
    predictions = tuple(entry.extra["prediction"] for entry in entries if entry.extra.get("prediction"))
    labels = {**_labels_of(pinned, entries, progress), **shares_of([e.label for e in entries if e.label is not None])}
    return Looks(pinned.address, values, predictions, len(entries), len(pinned.version.entries), labels)


def _labels_of(pinned: Pinned, entries: Sequence[Entry], progress: Progress) -> dict[str, Grouped]:
    """What is measured of annotations, of the entries that have one."""
    pairs = [(entry.name, entry.annotation) for entry in entries if entry.annotation is not None]
    if not pairs:
        return {}
    paths = fetch(pinned, [Wanted(sha256, None, "labels.json") for _, sha256 in pairs], progress)
    rows: list[LabelRow | None] = [None] * len(pairs)

    def look(number: int) -> tuple[int, LabelRow]:
        return number, row_of(read_labels(paths[number], pairs[number][0]), pinned.version.classes)

    with progress.task(f"looking at the labels of {pinned.address}", len(pairs)) as task:
        for number, row in in_parallel(look, range(len(pairs)), 4):
            rows[number] = row
            task.advance()
    return grouped([row for row in rows if row is not None])


def look_at(path: Path) -> dict[str, float]:
    """The quantities of one picture, see `QUANTITIES`.

    Raises:
        DatasetError: It cannot be read.
    """
    pixels = read_image(path, 3)
    height, width = pixels.shape[:2]
    rgb = pixels.reshape(-1, 3).astype(np.float32) / 255
    luma = rgb @ _LUMA
    largest, least = rgb.max(axis=1), rgb.min(axis=1)
    saturation = np.divide(largest - least, largest, out=np.zeros_like(largest), where=largest > 0)
    return {
        "brightness": float(luma.mean(dtype=np.float64)),
        "contrast": float(luma.std(dtype=np.float64)),
        "saturation": float(saturation.mean(dtype=np.float64)),
        "warmth": float(rgb[:, 0].mean(dtype=np.float64) - rgb[:, 2].mean(dtype=np.float64)),
        "width": float(width),
        "height": float(height),
    }


def _confidences(entries: Sequence[Entry]) -> list[float]:
    result = []
    for entry in entries:
        try:
            value = float(entry.extra.get("confidence", "nan"))
        except ValueError:
            continue
        if math.isfinite(value):
            result.append(value)
    return result
