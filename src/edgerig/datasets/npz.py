"""A user's own arrays in an npz file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import plugins
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset, SplitName
from edgerig.datasets.label_matrix import checked_labels, label_names
from edgerig.datasets.masks import USUAL_IGNORE, MaskedSamples, check_classes, read_masks
from edgerig.datasets.named_samples import PICTURE_AXES, NamedArraySamples
from edgerig.datasets.npz_file import ONE_EACH, Names, read_npz
from edgerig.datasets.real_targets import checked_targets, variables_of
from edgerig.datasets.samples import ArraySamples
from edgerig.datasets.sources import fetch
from edgerig.datasets.splits import stratified_split
from edgerig.datasets.windowed_samples import WindowedSamples
from edgerig.errors import DatasetError
from edgerig.progress import Progress
from edgerig.tasks.samples import TargetVariable

Array = NDArray[Any]
NpzSamples = ArraySamples | NamedArraySamples | WindowedSamples

#: Names of the labels 0 and 1 where the task is to find what is anomalous.
ANOMALY_CLASSES = ("normal", "anomalous")
#: Axes of masks, and of grey images: (n, H, W).
MASK_AXES = 3


class ArraySettings(plugins.Settings, frozen=True, kw_only=True):
    """Settings of arrays in a file, of whatever format."""

    file: Annotated[str, msgspec.Meta(description="the file: a path, or https://.., pypi:.., npm:..")]
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


class NpzSettings(ArraySettings, frozen=True, kw_only=True):
    """Settings of ``npz``."""

    ignore: Annotated[
        int | None, msgspec.Meta(description="value of a mask's pixels that are not judged; masks only")
    ] = USUAL_IGNORE


class Npz(Dataset):
    """Arrays in an npz file, of one input or of several by name. Images (n, H, W) of dtype uint8 get a channel axis.

    Labels (n, H, W) are masks: class maps of the images, for segmentation. With task ``regression`` they are real,
    with task ``multilabel`` a column of 0 and 1 for each label.
    """

    name: ClassVar[str] = "npz"
    summary: ClassVar[str] = "your own arrays: x_train, y_train, x_test, y_test, or x and y, in an npz file"
    Settings: ClassVar[type[plugins.Settings]] = NpzSettings

    settings: ArraySettings
    _classes: tuple[str, ...] = ()
    _targets: tuple[TargetVariable, ...] = ()
    _uint8 = False
    #: Names that the file itself gives a regression's targets.
    _columns: tuple[str, ...] = ()

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
        names, arrays = self._read(path, progress)
        parts = self._parts(names, arrays, path)
        self._uint8 = any(_is_scaled(values, name) for name, values in inputs_in(parts["train"]).items())
        if names.inputs != ("",) and not self._uint8:
            self._refuse_scale(path)
        for name in names.inputs:
            inputs = {split: inputs_in(samples)[name] for split, samples in parts.items()}
            _refuse_other_types(inputs, name, path)
        if self.task == "regression":
            self._targets = self._target_variables(parts, path)
        else:
            self._classes = self._class_names(arrays, parts, path)
        for split, samples in parts.items():
            # What is anomalous is rarely trained on, a label may be rare, and a stream need not hold each event.
            if self._classes and self.task not in ("anomaly", "multilabel", "streaming"):
                _check_classes(samples, self._classes, split, path)
        if self.task == Dataset.task and isinstance(parts["test"], MaskedSamples):
            self.task = "segmentation"
        for split, samples in parts.items():
            for name, values in inputs_in(samples).items():
                _tell_not_finite(values, f"{path}, {split}{name and f', {name}'}", progress)
        self._splits = parts

    def _read(self, path: Path, progress: Progress) -> tuple[Names, dict[str, Array]]:
        return read_npz(path)

    def _split(self, name: SplitName) -> NpzSamples:
        return self._splits[name]

    def _refuse_scale(self, path: Path) -> None:
        settings = self.settings
        if (settings.scale, settings.mean, settings.std) != (None, (0.0,), (1.0,)):
            raise DatasetError(
                f"{path} holds several inputs, none of them pictures of uint8, which scale, mean and std are for.",
                "Leave them out, and save the values as the network takes them.",
            )

    def _parts(self, names: Names, arrays: dict[str, Array], path: Path) -> dict[SplitName, NpzSamples]:
        whole: dict[str, NpzSamples] = {part: self._samples(names, arrays, part, path) for part in names.parts}
        cut = _cut_in_order if self.task == "streaming" else _cut
        train, test = (whole["_train"], whole["_test"]) if "_train" in whole else cut(whole[""], self.settings.test)
        if "_validation" in whole:
            validation = whole["_validation"]
        else:
            train, validation = cut(train, self.settings.validation)
        if len({isinstance(part, MaskedSamples) for part in (train, validation, test)}) > 1:
            raise DatasetError(f"{path} holds masks for some splits and labels for others.", "Save one kind.")
        return {"train": train, "validation": validation, "test": test}

    def _samples(self, names: Names, arrays: dict[str, Array], part: str, path: Path) -> NpzSamples:
        inputs = _inputs(names, arrays, part, path)
        count, y, where = len(next(iter(inputs.values()))), arrays[f"y{part}"], f"{path}: y{part}"
        if self.task not in ("regression", "multilabel") and y.ndim == MASK_AXES:
            if len(inputs) > 1 or "" not in inputs:
                raise DatasetError(
                    f"{where} holds masks, which go with one input: x{part}.", "Save one array of images."
                )
            ignore = self.settings.ignore if isinstance(self.settings, NpzSettings) else None
            return MaskedSamples(inputs[""], read_masks(inputs[""], y, ignore, f"{path}, y{part}"))
        if f"windows{part}" in arrays:
            return self._windowed(names, inputs, arrays, part, path)
        labels: NDArray[np.int64] | None = None
        targets: Array | None = None
        if self.task == "regression":
            targets = checked_targets(y, where, count)
        elif self.task == "multilabel":
            targets = checked_labels(y, where, count)
        else:
            labels = _labels(y, count, part, path)
        streams = self._streams(names, arrays, part, count, path)
        if names.inputs == ("",):
            return ArraySamples(inputs[""], labels, targets, streams)
        return NamedArraySamples(inputs, labels, targets)

    def _streams(
        self, names: Names, arrays: dict[str, Array], part: str, count: int, path: Path
    ) -> NDArray[np.int64] | None:
        """The checked number of each frame's stream; None where the file has none, or the task takes no streams."""
        streams = arrays.get(f"stream{part}")
        if streams is None or self.task != "streaming":
            return None
        fits = streams.dtype.kind in "iu" and streams.shape == (count,) and names.inputs == ("",)
        if not fits or (np.diff(streams.astype(np.int64)) < 0).any():
            raise DatasetError(
                f"{path}: stream{part} is {streams.dtype.name} of shape {list(streams.shape)}, beside {count} frames "
                f"of {', '.join(names.inputs_of(part).values())}.",
                "It has the number of each frame's stream, integers that never fall, beside a single input x.",
            )
        return streams.astype(np.int64)

    def _windowed(
        self, names: Names, inputs: dict[str, Array], arrays: dict[str, Array], part: str, path: Path
    ) -> WindowedSamples:
        counts = arrays[f"windows{part}"]
        if names.inputs != ("",) or self.task in ("regression", "multilabel") or counts.dtype.kind not in "iu":
            raise DatasetError(
                f"{path}: windows{part} is {counts.dtype.name} of shape {list(counts.shape)}, beside the inputs "
                f"{', '.join(names.inputs_of(part).values())}.",
                "It counts the windows of each sample, integers, of a single input x and of labels.",
            )
        labels = _labels(arrays[f"y{part}"], len(counts), part, path)
        try:
            return WindowedSamples(inputs[""], counts, labels)
        except DatasetError as error:
            raise DatasetError(f"{path}, windows{part}: {error.message}", error.hint) from error

    def _target_variables(self, parts: dict[SplitName, NpzSamples], path: Path) -> tuple[TargetVariable, ...]:
        count = _same_count(parts, path, "targets")
        return variables_of(count, self.settings.targets or self._columns, self.settings.units, str(path))

    def _class_names(self, arrays: dict[str, Array], parts: dict[SplitName, NpzSamples], path: Path) -> tuple[str, ...]:
        names = self.settings.classes or tuple(str(name) for name in arrays.get("classes", ()))
        if self.task == "multilabel":
            return label_names(names, _same_count(parts, path, "labels"), str(path))
        count = 1 + max(int(_classes_of(samples).max(initial=-1)) for samples in parts.values())
        if self.task == "anomaly" and not names:
            names = ANOMALY_CLASSES
        if names and len(names) < count:
            raise DatasetError(
                f"{path} has labels up to {count - 1}, but {len(names)} class names are given.",
                "Give a name for each class, in label order.",
            )
        return names or tuple(str(index) for index in range(count))


def inputs_in(samples: NpzSamples) -> dict[str, Array]:
    """The inputs of samples by name; a single one has the name ``""``."""
    return samples.arrays if isinstance(samples, NamedArraySamples) else {"": samples.array}


def _is_scaled(values: Array, name: str) -> bool:
    """Whether an input is scaled by 1/255 where no scale is given; of several, pictures alone are preprocessed."""
    return values.dtype == np.uint8 and (not name or values.ndim == 1 + PICTURE_AXES)


def _labels(y: Array, count: int, part: str, path: Path) -> NDArray[np.int64]:
    """Checked labels of ``count`` samples from ``y<part>``."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise DatasetError(
            f"{path}: y{part} is {y.dtype.name} of shape {list(y.shape)}; it must be integers of shape (n,).",
            "Save class indices: one-hot labels with y.argmax(axis=1), others with y.astype('int64'). Real values to "
            "predict are read with --task regression, several labels a sample with --task multilabel; in a rig file, "
            "'task: regression'.",
        )
    if count != len(y):
        raise DatasetError(f"{path}: x{part} has {count} samples, y{part} has {len(y)} labels.", ONE_EACH)
    if y.min() < 0 or y.max() > 1_000_000:
        raise DatasetError(f"{path}: y{part} holds {y.min()} to {y.max()}; labels count classes from 0.")
    return y.astype(np.int64)


def _inputs(names: Names, arrays: dict[str, Array], part: str, path: Path) -> dict[str, Array]:
    """Checked inputs of a part, by name."""
    inputs: dict[str, Array] = {}
    fewest = 1 if names.inputs != ("",) else 2
    sources = names.inputs_of(part)
    for name, source in sources.items():
        x = arrays[source]
        if x.ndim < fewest or x.dtype.kind not in "fiub" or x.size == 0:
            raise DatasetError(
                f"{path}: {source} is {x.dtype.name} of shape {list(x.shape)}; it must be numbers of shape (n, ...)."
            )
        inputs[name] = x[..., None] if x.dtype == np.uint8 and x.ndim == MASK_AXES else x
    lengths = {sources[name]: len(x) for name, x in inputs.items()}
    if len(set(lengths.values())) > 1:
        raise DatasetError(
            f"{path}: the inputs differ in length: {', '.join(f'{source} {n}' for source, n in lengths.items())}.",
            ONE_EACH,
        )
    return inputs


def _classes_of(samples: NpzSamples) -> NDArray[Any]:
    return samples.masks if isinstance(samples, MaskedSamples) else samples.labels


def _check_classes(samples: NpzSamples, classes: tuple[str, ...], split: str, path: Path) -> None:
    if isinstance(samples, MaskedSamples):
        check_classes(samples.masks, classes, f"{path}, {split}", all_there=split != "validation")
    elif split != "validation":
        _refuse_empty_class(samples, classes, split, path)


def _same_count(parts: Mapping[SplitName, NpzSamples], path: Path, noun: str) -> int:
    """Columns of what is right, of which all splits must have equally many."""
    counts = {split: 0 if samples.targets is None else samples.targets.shape[1] for split, samples in parts.items()}
    for split, count in counts.items():
        if count != counts["train"]:
            raise DatasetError(f"{path}: samples of {split} have {count} {noun}, those of train {counts['train']}.")
    return counts["train"]


def _cut(samples: NpzSamples, share: float) -> tuple[NpzSamples, NpzSamples]:
    first, second = stratified_split(samples.labels, share, seed=0)
    return samples.take(first), samples.take(second)


def _cut_in_order(samples: NpzSamples, share: float) -> tuple[NpzSamples, NpzSamples]:
    """A stream is cut once: its frames stay neighbours."""
    order = np.arange(len(samples), dtype=np.int64)
    end = len(order) - round(len(order) * share)
    return samples.take(order[:end]), samples.take(order[end:])


def _refuse_other_types(inputs: Mapping[SplitName, Array], name: str, path: Path) -> None:
    """An input has one shape in all splits, and one preprocessing, which would be wrong for pixels in one and numbers
    from 0 to 1 in another."""
    first, what = inputs["train"], f"samples of {name}, " if name else "samples of "
    for split, values in inputs.items():
        if values.shape[1:] != first.shape[1:]:
            raise DatasetError(
                f"{path}: {what}{split} have the shape {list(values.shape[1:])}, those of train "
                f"{list(first.shape[1:])}."
            )
        dtype, other = values.dtype, first.dtype
        if (dtype.kind == "f") != (other.kind == "f") or (dtype == np.uint8) != (other == np.uint8):
            raise DatasetError(
                f"{path}: {what}{split} are {dtype.name}, those of train {other.name}: one scale cannot fit both.",
                "Save all of them in one type.",
            )


def _refuse_empty_class(samples: NpzSamples, classes: tuple[str, ...], split: str, path: Path) -> None:
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
