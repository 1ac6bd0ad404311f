"""What judged the predictions of a bundle, and what it has for evidence of the samples that two cells share."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import EdgerigError
from edgerig.plugin_names import is_class
from edgerig.plugins import find
from edgerig.results.reading import KEPT
from edgerig.results.types import DatasetInfo
from edgerig.settings import convert_settings
from edgerig.tasks.base import Task
from edgerig.tasks.evidence import Evidence
from edgerig.text import cause_of

Array = NDArray[Any]
_COUNTS = {2: "two", 3: "three"}


class Judged(msgspec.Struct, frozen=True):
    """One cell's predictions: its name in sentences, what judged them, and what its bundle stores of the samples."""

    name: str
    task: Task
    arrays: Mapping[str, Array]


def task_of(info: DatasetInfo, given: Task | None = None) -> Task | str:
    """The task that judged a run, or why it is not at hand.

    A task in a file of the user's is taken where its module is loaded already, as the rig that names it does: a bundle
    may be a stranger's, and what it names is not run.

    Args:
        info: The run's data. given: The task, where the caller has it.
    """
    if given is not None and (given.name == info.task or type(given) is _loaded(info.task)):
        return given
    if is_class(info.task) and _loaded(info.task) is None:
        return f"what judged it, {info.task}, is no installed plugin: name it (--task {info.task})"
    try:
        cls = find("task", info.task, Task, keyed=False)
        settings = convert_settings(cls.Settings, dict(info.task_options), f"task {info.task!r}")
        return cls(settings, classes=info.classes, dataset=info.name)
    except EdgerigError as error:
        return error.message.rstrip(".")


def _loaded(name: str) -> object:
    """The class that ``package.module:Class`` names, where its module is loaded; else None."""
    module, _, attribute = name.partition(":")
    return getattr(sys.modules.get(module), attribute, None) if attribute else None


def shared_evidence(sides: Sequence[Judged]) -> tuple[Evidence, ...] | str:
    """The evidence of each, of the samples that all of them ran and that are judged, or why there is none."""
    rows = []
    for side in sides:
        whole = _rows(side)
        if whole is None:
            return f"what the bundle of {side.name} stores of its samples is not whole"
        rows.append(whole)
    shared = reduce(lambda first, other: np.intersect1d(first, other, assume_unique=True), [row[0] for row in rows])
    if not shared.size:
        return f"the {_COUNTS.get(len(sides), len(sides))} have run no sample in common"
    stored = [_at(row, shared) for row in rows]
    known = _known(sides, stored, int(shared.size))
    if isinstance(known, str):
        return known
    evidence = list[Evidence]()
    for side, arrays in zip(sides, stored, strict=True):
        each = _asked(side, "evidence", {name: array[known] for name, array in arrays.items()})
        if isinstance(each, str):
            return each
        if each is None:
            return f"the task {side.task.name} does not say how"
        evidence.append(each)
    if not all(_equal(evidence[0].truth, each.truth) for each in evidence[1:]):
        return "what is right is not the same for both: their outputs were held against other sizes, or other labels"
    return tuple(evidence)


def _known(sides: Sequence[Judged], stored: Sequence[Mapping[str, Array]], count: int) -> Array | str:
    """Which of the shared samples are judged, the same ones for all, or why there are none."""
    known = list[Array]()
    for side, arrays in zip(sides, stored, strict=True):
        flags = _asked(side, "known", arrays)
        if isinstance(flags, str):
            return flags
        known.append(np.asarray(flags, bool))
    if any(not _equal(known[0], flags) for flags in known[1:]):
        counts = " and ".join(f"{int(flags.sum()):,} of {side.name}" for flags, side in zip(known, sides, strict=True))
        return f"of {count:,} samples that both ran other ones can be judged: {counts}"
    return known[0] if known[0].any() else "no sample that both ran can be judged"


def _equal(first: Array, other: Array) -> bool:
    return first.shape == other.shape and np.array_equal(first, other, equal_nan=first.dtype.kind == "f")


def _asked(side: Judged, hook: str, arrays: Mapping[str, Array]) -> Any:
    """What a hook of the task answers, or why it cannot: arrays of a bundle may be a stranger's, and the task, too."""
    try:
        with np.errstate(all="ignore"):
            return getattr(side.task, hook)(arrays)
    except KeyError as error:
        return f"the bundle of {side.name} does not store {error.args[0]!r} of its samples"
    except Exception as error:  # any error of a task on arrays that it did not make
        return f"what the bundle of {side.name} stores does not fit the task {side.task.name}: {cause_of(error)}"


def _rows(side: Judged) -> tuple[Array, dict[str, Array]] | None:
    """The positions of the samples in the test split, (n,), and the arrays by the task's own names; None if damaged."""
    indices = side.arrays.get("indices")
    if indices is None or indices.ndim != 1 or indices.dtype.kind not in "iu" or not indices.size:
        return None
    arrays = {
        name.removeprefix(KEPT): array for name, array in side.arrays.items() if name not in ("indices", "times_ns")
    }
    whole = all(array.ndim and len(array) == len(indices) for array in arrays.values())
    return (indices, arrays) if whole and arrays and len(np.unique(indices)) == len(indices) else None


def _at(rows: tuple[Array, dict[str, Array]], places: Array) -> dict[str, Array]:
    """The arrays of the samples at ``places``, all of them among the rows."""
    indices, arrays = rows
    order = np.argsort(indices)
    chosen = order[np.searchsorted(indices[order], places)]
    return {name: array[chosen] for name, array in arrays.items()}
