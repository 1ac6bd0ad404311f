"""A user's own arrays in an npz file."""

from __future__ import annotations

import errno
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import plugins
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset, SplitName
from edgerig.datasets.masks import USUAL_IGNORE, MaskedSamples, check_classes, read_masks
from edgerig.datasets.real_targets import checked_targets, variables_of
from edgerig.datasets.samples import ArraySamples
from edgerig.datasets.sources import fetch
from edgerig.datasets.splits import stratified_split
from edgerig.errors import DatasetError
from edgerig.progress import Progress
from edgerig.tasks.samples import TargetVariable

Array = NDArray[Any]

FORM = "It holds x_train, y_train, x_test and y_test (and perhaps x_validation, y_validation), or x and y to be split."
SHARED = ("classes",)
#: Names of the labels 0 and 1 where the task is to find what is anomalous.
ANOMALY_CLASSES = ("normal", "anomalous")
#: Axes of masks, and of grey images: (n, H, W).
MASK_AXES = 3
#: The errors of numpy and zipfile on damaged files.
_DAMAGED = (
    OSError,
    ValueError,
    EOFError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


class NpzSettings(plugins.Settings, frozen=True, kw_only=True):
    """Settings of ``npz``."""

    file: Annotated[str, msgspec.Meta(description="the npz file: a path, or https://.., pypi:.., npm:..")]
    sha256: Annotated[str | None, msgspec.Meta(description="SHA-256 that the file must have")] = None
    classes: Annotated[
        tuple[str, ...], msgspec.Meta(description="class names in label order; else from the file's array 'classes'")
    ] = ()
    targets: Annotated[
        tuple[str, ...], msgspec.Meta(description="names of a regression's targets, in the order of y's columns")
    ] = ()
    units: Annotated[
        tuple[str, ...], msgspec.Meta(description="their units: one for all, or one for each; for task regression")
    ] = ()
    scale: Annotated[
        float | None, msgspec.Meta(description="factor on raw values; 1/255 for uint8 and 1 otherwise if not given")
    ] = None
    mean: Annotated[
        tuple[float, ...], msgspec.Meta(description="subtracted after scaling, for each channel", min_length=1)
    ] = (0.0,)
    std: Annotated[
        tuple[float, ...], msgspec.Meta(description="divided by after that, for each channel", min_length=1)
    ] = (1.0,)
    validation: Annotated[float, msgspec.Meta(description="share of train to validate with", ge=0, lt=1)] = 0.1
    test: Annotated[float, msgspec.Meta(description="share of x and y to test with", gt=0, lt=1)] = 0.2
    ignore: Annotated[
        int | None, msgspec.Meta(description="value of a mask's pixels that are not judged; masks only")
    ] = USUAL_IGNORE


class Npz(Dataset):
    """Arrays in an npz file. Grey images (n, H, W) of dtype uint8 get a channel axis.

    Labels (n, H, W) are masks: class maps of the images, for segmentation. With task ``regression`` they are real.
    """

    name: ClassVar[str] = "npz"
    summary: ClassVar[str] = "your own arrays: x_train, y_train, x_test, y_test, or x and y, in an npz file"
    Settings: ClassVar[type[plugins.Settings]] = NpzSettings

    settings: NpzSettings
    _classes: tuple[str, ...] = ()
    _targets: tuple[TargetVariable, ...] = ()
    _uint8 = False

    @property
    def classes(self) -> tuple[str, ...]:
        self.prepare()
        return self._classes

    @property
    def targets(self) -> tuple[TargetVariable, ...]:
        self.prepare()
        return self._targets

    @property
    def preprocessing(self) -> Preprocessing:
        self.prepare()
        scale = self.settings.scale
        if scale is None:
            scale = 1 / 255 if self._uint8 else 1.0
        return Preprocessing(scale=scale, mean=self.settings.mean, std=self.settings.std)

    def _prepare(self, progress: Progress) -> None:
        path = fetch(self.settings.file, self.settings.sha256, progress)
        arrays = read_npz(path)
        parts = self._parts(arrays, path)
        self._uint8 = parts["train"].array.dtype == np.uint8
        _refuse_other_types(parts, path)
        shapes = {split: samples.array.shape[1:] for split, samples in parts.items()}
        for split, shape in shapes.items():
            if shape != shapes["train"]:
                raise DatasetError(
                    f"{path}: samples of {split} have the shape {list(shape)}, those of train {list(shapes['train'])}."
                )
        if self.task == "regression":
            self._targets = self._target_variables(parts, path)
        else:
            self._classes = self._class_names(arrays, parts, path)
        for split, samples in parts.items():
            # What is anomalous is rarely trained on.
            if self._classes and self.task != "anomaly":
                _check_classes(samples, self._classes, split, path)
        if self.task == Dataset.task and isinstance(parts["test"], MaskedSamples):
            self.task = "segmentation"
        for split, samples in parts.items():
            _tell_not_finite(samples.array, f"{path}, {split}", progress)
        self._splits = parts

    def _split(self, name: SplitName) -> ArraySamples:
        return self._splits[name]

    def _parts(self, arrays: dict[str, Array], path: Path) -> dict[SplitName, ArraySamples]:
        test_share, validation_share = self.settings.test, self.settings.validation
        parts: dict[SplitName, ArraySamples] = {}
        if "x" in arrays:
            train, test = _cut(self._samples(arrays, "", path), test_share)
        else:
            train, test = self._samples(arrays, "_train", path), self._samples(arrays, "_test", path)
        if "x_validation" in arrays:
            validation = self._samples(arrays, "_validation", path)
        else:
            train, validation = _cut(train, validation_share)
        if len({type(part) for part in (train, validation, test)}) > 1:
            raise DatasetError(f"{path} holds masks for some splits and labels for others.", "Save one kind.")
        parts["train"], parts["validation"], parts["test"] = train, validation, test
        return parts

    def _samples(self, arrays: dict[str, Array], part: str, path: Path) -> ArraySamples:
        if self.task == "regression":
            x = _inputs(arrays, part, path)
            return ArraySamples(x, None, checked_targets(arrays[f"y{part}"], f"{path}: y{part}", len(x)))
        if arrays[f"y{part}"].ndim == MASK_AXES:
            return _masked(arrays, part, path, self.settings.ignore)
        return _samples(arrays, part, path)

    def _target_variables(self, parts: dict[SplitName, ArraySamples], path: Path) -> tuple[TargetVariable, ...]:
        counts = {split: _target_count(samples) for split, samples in parts.items()}
        for split, count in counts.items():
            if count != counts["train"]:
                raise DatasetError(
                    f"{path}: samples of {split} have {count} targets, those of train {counts['train']}."
                )
        return variables_of(counts["train"], self.settings.targets, self.settings.units, str(path))

    def _class_names(
        self, arrays: dict[str, Array], parts: dict[SplitName, ArraySamples], path: Path
    ) -> tuple[str, ...]:
        count = 1 + max(int(_classes_of(samples).max(initial=-1)) for samples in parts.values())
        names = self.settings.classes or tuple(str(name) for name in arrays.get("classes", ()))
        if self.task == "anomaly" and not names:
            names = ANOMALY_CLASSES
        if names and len(names) < count:
            raise DatasetError(
                f"{path} has labels up to {count - 1}, but {len(names)} class names are given.",
                "Give a name for each class, in label order.",
            )
        return names or tuple(str(index) for index in range(count))


def read_npz(path: Path) -> dict[str, Array]:
    """The arrays of an npz file that this dataset knows; those of other names are not read.

    Raises:
        DatasetError: It is no npz file, or truncated, or contains pickled objects, which could run any code.
    """
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DatasetError(f"{path} holds a single array.", f"Save an npz file with np.savez. {FORM}")
        with archive:
            _refuse_wrong_names(archive.files, path)
            return {name: _read(archive, name, path) for name in archive.files if name in _known()}
    except _DAMAGED as error:
        # A damaged offset makes a seek fail with EINVAL: the file is at fault, not the disk.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise DatasetError(
                f"Cannot read {path}: {error.strerror}.", "Is the path right, and may you read it?"
            ) from error
        # numpy's own message advises allow_pickle=True, which would run any code in the file.
        why = "" if "pickle" in str(error) else f": {error}"
        raise DatasetError(f"{path} is no npz file, or is truncated{why}.", "Make or fetch it again.") from error


def _read(archive: Any, name: str, path: Path) -> Array:
    try:
        return np.asarray(archive[name])
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise DatasetError(
                f"{path}: {name} holds pickled objects, which edgerig does not load because they could run any code.",
                "Save numbers: np.asarray(values, dtype=...) fails where rows differ in length.",
            ) from error
        raise


def _known() -> set[str]:
    return {f"{axis}{part}" for axis in "xy" for part in ("", "_train", "_validation", "_test")} | set(SHARED)


def _refuse_wrong_names(names: list[str], path: Path) -> None:
    whole, split = {"x", "y"} & set(names), {"x_train", "y_train", "x_test", "y_test"} & set(names)
    if whole and split:
        raise DatasetError(f"{path} holds both {min(whole)} and {min(split)}.", FORM)
    needed = ["x", "y"] if whole else ["x_train", "y_train", "x_test", "y_test"]
    if "x_validation" in names or "y_validation" in names:
        needed += ["x_validation", "y_validation"]
    missing = [name for name in needed if name not in names]
    if missing:
        raise DatasetError(f"{path} lacks {', '.join(missing)}; it holds {', '.join(names) or 'nothing'}.", FORM)


def _samples(arrays: dict[str, Array], part: str, path: Path) -> ArraySamples:
    """Checked samples and labels from ``x<part>`` and ``y<part>``."""
    x, y = _inputs(arrays, part, path), arrays[f"y{part}"]
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise DatasetError(
            f"{path}: y{part} is {y.dtype.name} of shape {list(y.shape)}; it must be integers of shape (n,).",
            "Save class indices: one-hot labels with y.argmax(axis=1), others with y.astype('int64'). Real values to "
            "predict are read with --task regression; in a rig file, 'task: regression'.",
        )
    if len(x) != len(y):
        raise DatasetError(f"{path}: x{part} has {len(x)} samples, y{part} has {len(y)} labels.")
    if y.min() < 0 or y.max() > 1_000_000:
        raise DatasetError(f"{path}: y{part} holds {y.min()} to {y.max()}; labels count classes from 0.")
    return ArraySamples(x, y.astype(np.int64))


def _masked(arrays: dict[str, Array], part: str, path: Path, ignore: int | None) -> MaskedSamples:
    """Checked images and masks from ``x<part>`` and ``y<part>``."""
    x = _inputs(arrays, part, path)
    return MaskedSamples(x, read_masks(x, arrays[f"y{part}"], ignore, f"{path}, y{part}"))


def _inputs(arrays: dict[str, Array], part: str, path: Path) -> Array:
    x = arrays[f"x{part}"]
    if x.ndim < 2 or x.dtype.kind not in "fiub" or x.size == 0:
        raise DatasetError(
            f"{path}: x{part} is {x.dtype.name} of shape {list(x.shape)}; it must be numbers of shape (n, ...)."
        )
    return x[..., None] if x.dtype == np.uint8 and x.ndim == MASK_AXES else x


def _classes_of(samples: ArraySamples) -> NDArray[Any]:
    return samples.masks if isinstance(samples, MaskedSamples) else samples.labels


def _check_classes(samples: ArraySamples, classes: tuple[str, ...], split: str, path: Path) -> None:
    if isinstance(samples, MaskedSamples):
        check_classes(samples.masks, classes, f"{path}, {split}", all_there=split != "validation")
    elif split != "validation":
        _refuse_empty_class(samples, classes, split, path)


def _target_count(samples: ArraySamples) -> int:
    return 0 if samples.targets is None else samples.targets.shape[1]


def _cut(samples: ArraySamples, share: float) -> tuple[ArraySamples, ArraySamples]:
    first, second = stratified_split(samples.labels, share, seed=0)
    return samples.take(first), samples.take(second)


def _refuse_other_types(parts: Mapping[SplitName, ArraySamples], path: Path) -> None:
    """All splits share one preprocessing, which would be wrong for pixels in one and numbers from 0 to 1 in another."""
    first = parts["train"].array.dtype
    for split, samples in parts.items():
        dtype = samples.array.dtype
        if (dtype.kind == "f") != (first.kind == "f") or (dtype == np.uint8) != (first == np.uint8):
            raise DatasetError(
                f"{path}: samples of {split} are {dtype.name}, those of train {first.name}: one scale cannot fit both.",
                "Save all of them in one type.",
            )


def _refuse_empty_class(samples: ArraySamples, classes: tuple[str, ...], split: str, path: Path) -> None:
    counts = np.bincount(samples.labels, minlength=len(classes))
    empty = [f"{index} ({classes[index]})" for index in np.flatnonzero(counts == 0)]
    if empty:
        noun = "class" if len(empty) == 1 else "classes"
        raise DatasetError(
            f"{path}: {noun} {', '.join(empty[:10])} without any sample in {split}.",
            "Add samples, or number the classes without gaps.",
        )


def _tell_not_finite(x: Array, where: str, progress: Progress) -> None:
    if x.dtype.kind != "f":
        return
    bad = ~np.isfinite(x).all(axis=tuple(range(1, x.ndim)))
    if bad.any():
        places = ", ".join(str(i) for i in np.flatnonzero(bad)[:5])
        progress.log(
            f"warning: {where}: {int(bad.sum())} of {len(x)} samples hold NaN or infinite values "
            f"(samples {places}{' ...' if bad.sum() > 5 else ''}); calibration refuses them"
        )
